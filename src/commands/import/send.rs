//! The sending: the reader, the delivery and the progress side by side.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::finish::Finished;
use super::metrics_file::MetricsFile;
use super::offers;
use crate::commands::job::{self, Sender};
use crate::commands::resume;
use crate::delivery::{self, Api, RunEnd, Verdict};
use crate::domain::{Status, Tally};
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::ledger::{Ledger, RunCounters, RunId};
use crate::process::logging::LogSettings;
use crate::process::signals::{self, Signals};
use crate::reconcile::duplicates::Duplicates;
use crate::reconcile::input::InputHandle;
use crate::reconcile::known::KnownRows;
use crate::reconcile::mapping_hint;
use crate::reconcile::outputs::Outputs;
use crate::report::{Plan, Progress, Scope, Style, log_event};
use crate::settings::Rendering;

/// How many records the reader may be ahead of the claims.
const AHEAD: usize = 512;

/// All that the sending needs.
pub(super) struct Import<'a> {
    pub(super) sender: Sender,
    /// The ledger goes with the sandbox of this run.
    pub(super) forgets: bool,
    pub(super) ledger: Arc<Ledger>,
    pub(super) input: Arc<InputHandle>,
    pub(super) outputs: Outputs,
    pub(super) plan: Plan,
    pub(super) duplicates: Arc<Duplicates>,
    pub(super) known: Arc<KnownRows>,
    /// The names of the kept columns.
    pub(super) kept: Vec<String>,
    pub(super) signals: Signals,
    pub(super) progress: Style,
    pub(super) rendering: Rendering,
    pub(super) log: LogSettings,
    pub(super) metrics: &'a MetricsFile,
}

/// How the sending ended.
pub(super) struct SendingEnd {
    /// `None`: nothing was to be sent.
    pub(super) verdict: Option<Verdict>,
    pub(super) counters: RunCounters,
    /// The input failed while it was read.
    pub(super) unread: Option<Failure>,
    /// Why the run stopped before its end, in words.
    pub(super) stopped: Option<String>,
}

impl SendingEnd {
    fn nothing(why: String) -> Self {
        Self { verdict: None, counters: RunCounters::default(), unread: None, stopped: Some(why) }
    }
}

impl Import<'_> {
    pub(super) async fn send_and_report(self, run: &RunId, api: Api, refused: Option<String>) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let sent = match refused {
            Some(why) => SendingEnd::nothing(why),
            None => self.send(run, api).await?,
        };
        if self.signals.shutdown.is_leaving() {
            return Err(self.left_at_once());
        }
        let Finished { exit, next_command } = self.report(run, sent, begun).await?;
        // The command that resumes names a spooled input.
        if exit == Exit::Done && next_command.is_none() {
            self.input.forget();
        }
        Ok(exit)
    }

    async fn send(&self, run: &RunId, api: Api) -> Result<SendingEnd, Failure> {
        let (sender, offered) = mpsc::channel(AHEAD);
        let (input, known) = (Arc::clone(&self.input), Arc::clone(&self.known));
        let stop = self.signals.shutdown.clone();
        // An input that cannot be read on stops the sending, too.
        let reading = signals::on_thread(move || offers::read(&input, &known, &sender).inspect_err(|_| stop.drain()))?;
        let watching = tokio::spawn(offers::watch(Arc::clone(&self.input), self.signals.shutdown.clone()));
        let mut progress = Progress::start(self.progress, self.scope());
        let job = self.sender.job(api, &self.ledger, run, offered, self.plan.to_send, &self.signals.shutdown);
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
            Verdict::RejectedAlike { words, .. } => format!("{why}; {}", mapping_hint::hint(words, &self.plan.columns)),
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
        Scope { records: tally.total(), to_send: self.plan.to_send, limit: sending.limit, known }
    }

    pub(super) async fn unless_leaving<T>(&self, pass: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.signals.shutdown.leaving() => Err(self.left_at_once()),
            done = pass => done,
        }
    }

    fn left_at_once(&self) -> Failure {
        let exit = Exit::Interrupted(self.signals.caught.get().unwrap_or(Signal::Interrupt));
        Failure::new(exit, "left at once, without a report; what was in flight is resolved by the next run")
            .hint(self.hint_to_resume())
    }

    pub(super) fn hint_to_resume(&self) -> String {
        format!("what was done is in the ledger; resume with: {}", resume::command(&self.input))
    }
}
