use std::time::Duration;

use super::{
    faults::Fault,
    idempotency::Answer,
    record::{Author, Event},
    reply::{Ending, Reply},
};

/// How a request ended: the response, and what the log needs to know.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) ending: Ending,
    /// Whether the application worked on it. False if it refused the request or answered from the
    /// store.
    pub(super) executed: bool,
    pub(super) replayed: bool,
    /// The customer that it created or names.
    pub(super) customer_id: Option<String>,
    pub(super) mail: bool,
    pub(super) fault: Option<String>,
    pub(super) author: Author,
    /// How long the application works on, if a gateway answered in its place.
    pub(super) unfinished: Option<Duration>,
}

impl Outcome {
    /// Creates the outcome of a request that was refused without any work.
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

    /// Creates the outcome of a request that was worked on.
    pub(super) fn executed(reply: Reply) -> Self {
        Self { executed: true, ..Self::refused(reply) }
    }

    /// Creates the outcome of a request that was answered from the key store.
    pub(super) fn replayed(answer: Answer) -> Self {
        Self { replayed: true, customer_id: answer.customer_id, ..Self::refused(answer.reply) }
    }

    /// Creates the outcome of a request that a gateway answered. The application works on for
    /// `time`.
    pub(super) fn given_up(reply: Reply, time: Duration) -> Self {
        Self { author: Author::Gateway, unfinished: Some(time), ..Self::refused(reply) }
    }

    /// Adds the fault that caused the outcome.
    pub(super) fn struck_by(mut self, fault: &Fault) -> Self {
        self.fault = Some(fault.name().to_owned());
        self
    }

    /// Returns what the key store keeps of the outcome.
    pub(super) fn answer(&self) -> Answer {
        Answer { reply: self.reply.clone(), customer_id: self.customer_id.clone() }
    }

    /// Returns the `answered` line of the outcome.
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

    /// Returns the `done` line of work that outlived its response.
    pub(super) fn done(&self, n: u64) -> Event {
        Event::Done { n, executed: self.executed, customer_id: self.customer_id.clone() }
    }
}
