//! How a request ended.

use std::time::Duration;

use super::{
    faults::Fault,
    idempotency::Answer,
    record::{Author, Event},
    reply::{Ending, Reply},
};

/// How a request ended: the answer, and what the log is to know.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) ending: Ending,
    /// Whether it was worked on, rather than turned away or answered from the store.
    pub(super) executed: bool,
    pub(super) replayed: bool,
    /// The customer it made or speaks of.
    pub(super) customer_id: Option<String>,
    pub(super) mail: bool,
    pub(super) fault: Option<String>,
    pub(super) author: Author,
    /// How long the application takes from now on, if a gateway answered in its place.
    pub(super) unfinished: Option<Duration>,
}

impl Outcome {
    /// Turned away, without any work done.
    pub(super) fn refused(reply: Reply) -> Self {
        Self {
            reply,
            ending: Ending::Whole,
            executed: false,
            replayed: false,
            customer_id: None,
            mail: false,
            fault: None,
            author: Author::Application,
            unfinished: None,
        }
    }

    /// Worked on.
    pub(super) fn executed(reply: Reply) -> Self {
        Self { executed: true, ..Self::refused(reply) }
    }

    /// Answered from the key store.
    pub(super) fn replayed(answer: Answer) -> Self {
        Self { replayed: true, customer_id: answer.customer_id, ..Self::refused(answer.reply) }
    }

    /// Answered by a gateway, while the application works on for so long.
    pub(super) fn given_up(reply: Reply, time: Duration) -> Self {
        Self { author: Author::Gateway, unfinished: Some(time), ..Self::refused(reply) }
    }

    /// Notes the fault that made it what it is.
    pub(super) fn struck_by(mut self, fault: &Fault) -> Self {
        self.fault = Some(fault.name().to_owned());
        self
    }

    /// What the key store keeps of it.
    pub(super) fn answer(&self) -> Answer {
        Answer { reply: self.reply.clone(), customer_id: self.customer_id.clone() }
    }

    /// What the log says of it.
    pub(super) fn answered(&self, n: u64) -> Event {
        Event::Answered {
            n,
            status: match self.ending {
                Ending::Whole | Ending::CutHead | Ending::CutBody => Some(self.reply.status.as_u16()),
                Ending::Reset | Ending::Never => None,
            },
            executed: self.executed,
            replayed: self.replayed,
            customer_id: self.customer_id.clone(),
            mail: self.mail,
            fault: self.fault.clone(),
            author: self.author,
            working: self.unfinished.is_some(),
        }
    }

    /// What the log says when the work outlived the answer.
    pub(super) fn done(&self, n: u64) -> Event {
        Event::Done { n, executed: self.executed, customer_id: self.customer_id.clone() }
    }
}
