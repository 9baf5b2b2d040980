//! Runs the reader, delivery and the progress side by side.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::offers;
use super::run::{Import, SendingEnd};
use crate::commands::job;
use crate::delivery::{self, Api, Offer, Opening, RunEnd, Verdict};
use crate::domain::{Position, Status, StopWords, Tally};
use crate::event::Event;
use crate::failure::Failure;
use crate::ledger::RunId;
use crate::process::signals;
use crate::reconcile::mapping_hint;
use crate::report::{Progress, Scope, log_event};

/// How many records the reader can be ahead of the claims.
const AHEAD: usize = 512;

impl Import<'_> {
    pub(super) async fn send(
        &self,
        run: &RunId,
        api: Api,
        opening: Option<Box<Opening>>,
    ) -> Result<SendingEnd, Failure> {
        let (sender, offered) = mpsc::channel(AHEAD);
        let all_known = self.known.all(self.plan.tally.total());
        let reading = match all_known {
            None => Some(self.read(sender)?),
            Some(_) => {
                // The run ends when no sender is left.
                drop(sender);
                None
            }
        };
        let watching = tokio::spawn(offers::watch(Arc::clone(&self.input), self.signals.shutdown.clone()));
        let mut progress = Progress::start(self.progress, self.scope());
        let job = self.sender.job(api, &self.ledger, run, offered, self.plan.to_send, &self.signals.shutdown);
        let opening = opening.map(|opening| *opening);
        let job = delivery::Job { known_rejected: self.known_rejected.clone(), opening, ..job };
        let mut show = |event: Event| {
            log_event(&event);
            self.metrics.on(&event);
            progress.on(&event, Instant::now());
        };
        // Their lines are not known, and no event needs them.
        let settled = |(row, status)| Event::Settled { position: Position { row, line: 0 }, status };
        all_known.into_iter().flatten().for_each(|known| show(settled(known)));
        let end = delivery::run(job, show).await;
        progress.finish();
        watching.abort();
        let unread = match reading {
            _ if self.signals.shutdown.is_leaving() => None,
            Some(reading) => reading.await.err(),
            None => self.input.check_unchanged().err(),
        };
        let RunEnd { verdict, counters } = end;
        let stopped = job::stop_message(&verdict, self.signals.caught.get()).map(|why| match &verdict {
            Verdict::RejectedAlike { words, .. } => {
                StopWords::advising(why.why, mapping_hint::hint(words, &self.plan.columns))
            }
            _ => why,
        });
        Ok(SendingEnd { verdict: Some(verdict), counters, unread, stopped })
    }

    /// Starts to offer the records of the input. A file whose records are all known is not read
    /// again for that.
    fn read(&self, offers: mpsc::Sender<Offer>) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
        let (input, known) = (Arc::clone(&self.input), Arc::clone(&self.known));
        let stop = self.signals.shutdown.clone();
        // If the input cannot be read to its end, sending stops too.
        signals::on_thread(move || offers::read(&input, &known, &offers).inspect_err(|_| stop.drain()))
    }

    fn scope(&self) -> Scope {
        let (tally, sending) = (&self.plan.tally, &self.sender.sending);
        let mut known = Tally::default();
        known.add_many(Status::Exists, tally.get(Status::Exists));
        if !sending.claims.retry_rejected {
            known.add_many(Status::Rejected, tally.get(Status::Rejected));
        }
        let per_minute = sending.rate.per_minute();
        Scope { records: tally.total(), to_send: self.plan.to_send, limit: sending.limit, known, per_minute }
    }
}
