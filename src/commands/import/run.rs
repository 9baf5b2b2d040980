//! What the steps of a run share.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use super::metrics_file::MetricsFile;
use super::notice::Notice;
use crate::commands::job::Sender;
use crate::commands::resume;
use crate::delivery::Verdict;
use crate::domain::StopWords;
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::ledger::{Ledger, RunCounters};
use crate::process::logging::LogSettings;
use crate::process::signals::Signals;
use crate::reconcile::duplicates::Duplicates;
use crate::reconcile::input::InputHandle;
use crate::reconcile::known::KnownRows;
use crate::reconcile::outputs::Outputs;
use crate::report::{Plan, Style};
use crate::settings::Rendering;

/// A run of `import`, from its plan to its summary.
pub(super) struct Import<'a> {
    pub sender: Sender,
    /// The ledger is removed with the sandbox of this run.
    pub forgets: bool,
    pub ledger: Arc<Ledger>,
    pub input: Arc<InputHandle>,
    pub outputs: Outputs,
    pub plan: Plan,
    pub duplicates: Arc<Duplicates>,
    pub known: Arc<KnownRows>,
    /// The rows of rejected records whose rejection is excused.
    pub known_rejected: HashSet<u64>,
    /// Known bad records do not count for the exit code (`--fail-on new`).
    pub excuses_known_bad: bool,
    /// The names of the kept columns.
    pub kept: Vec<String>,
    pub is_ndjson: bool,
    pub signals: Signals,
    pub progress: Style,
    pub rendering: Rendering,
    pub log: LogSettings,
    pub metrics: &'a MetricsFile,
    pub notice: &'a Notice,
}

/// How sending ended.
pub(super) struct SendingEnd {
    /// `None` if nothing was sent.
    pub verdict: Option<Verdict>,
    pub counters: RunCounters,
    /// Why the input could not be read to its end.
    pub unread: Option<Failure>,
    /// Why the run stopped early, for people.
    pub stopped: Option<StopWords>,
}

impl SendingEnd {
    /// No record was sent. `requests` were sent before the run.
    pub(super) fn nothing(why: String, requests: u64) -> Self {
        let counters = RunCounters { requests, ..RunCounters::default() };
        Self { verdict: None, counters, unread: None, stopped: Some(why.into()) }
    }
}

impl Import<'_> {
    /// Waits for a pass. Fails if a second signal asks to leave at once.
    pub(super) async fn unless_leaving<T>(&self, pass: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.signals.shutdown.leaving() => Err(self.left_at_once()),
            done = pass => done,
        }
    }

    pub(super) fn left_at_once(&self) -> Failure {
        let exit = Exit::Interrupted(self.signals.caught.get().unwrap_or(Signal::Interrupt));
        Failure::new(exit, "stopped at once without a report; the next run resolves what was in flight")
            .hint(self.hint_to_resume())
    }

    pub(super) fn hint_to_resume(&self) -> String {
        format!("what was done is in the ledger; resume with: {}", resume::command(&self.input))
    }
}
