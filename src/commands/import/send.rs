//! Runs the reader, delivery and the progress side by side.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::offers;
use super::run::{Import, SendingEnd};
use crate::commands::job;
use crate::delivery::{self, Api, Opening, RunEnd, Verdict};
use crate::domain::{Status, StopWords, Tally};
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
        let (input, records, known) = (Arc::clone(&self.input), self.plan.tally.total(), Arc::clone(&self.known));
        let stop = self.signals.shutdown.clone();
        // If the input cannot be read to its end, sending stops too.
        let reading =
            signals::on_thread(move || offers::read(&input, records, &known, &sender).inspect_err(|_| stop.drain()))?;
        let watching = tokio::spawn(offers::watch(Arc::clone(&self.input), self.signals.shutdown.clone()));
        let mut progress = Progress::start(self.progress, self.scope());
        let job = self.sender.job(api, &self.ledger, run, offered, self.plan.to_send, &self.signals.shutdown);
        let opening = opening.map(|opening| *opening);
        let job = delivery::Job { known_rejected: self.known_rejected.clone(), opening, ..job };
        let end = delivery::run(job, |event| {
            log_event(&event);
            self.metrics.on(&event);
            progress.on(&event, Instant::now());
        })
        .await;
        progress.finish();
        watching.abort();
        let unread = if self.signals.shutdown.is_leaving() { None } else { reading.await.err() };
        let RunEnd { verdict, counters } = end;
        let stopped = job::stop_message(&verdict, self.signals.caught.get()).map(|why| match &verdict {
            Verdict::RejectedAlike { words, .. } => {
                StopWords::advising(why.why, mapping_hint::hint(words, &self.plan.columns))
            }
            _ => why,
        });
        Ok(SendingEnd { verdict: Some(verdict), counters, unread, stopped })
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
