//! What a page says of a run beside the lines of its records.

use jiff::Timestamp;

use crate::domain::{MinuteTraffic, StopWords, Tally};
use crate::report::correction::Correction;
use crate::report::summary::Unended;

/// What a page says beside the lines of the report.
#[derive(Clone, Debug, Default)]
pub struct PageFacts {
    /// The input, as messages show it.
    pub input: String,
    /// `None` if nothing was sent, as with `check`.
    pub run: Option<RunFacts>,
    /// The command that resumes the run. `None` if it cannot be resumed.
    pub next_command: Option<String>,
    /// The command that settles a doubt by hand.
    pub settle_command: Option<String>,
    pub correction: Option<Correction>,
}

/// What a page says of a run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    pub name: String,
    pub target: String,
    pub account: String,
    pub started_at: Timestamp,
    /// `None` if the run was cut off, because then the time is unknown.
    pub ended_at: Option<Timestamp>,
    pub unended: Option<Unended>,
    pub stopped: Option<StopWords>,
    /// Known bad records leave the run a success (`--fail-on new`).
    pub excuses_known_bad: bool,
    /// How many records the run found known bad. `None` while it is ending: then they are counted.
    /// Later its own bad records are known too.
    pub known_bad: Option<u64>,
    /// The `--limit` that ended the run.
    pub limit: Option<u64>,
    pub requests: u64,
    pub retries: u64,
    pub throttled: u64,
    pub recovered: u64,
    /// The minutes in which something happened, in their order.
    pub minutes: Vec<MinuteTraffic>,
    /// The newest runs of the same input, this one included, the newest first.
    pub runs: Vec<PastRun>,
    /// Whether the input has older runs than these.
    pub has_older_runs: bool,
    /// How the input was read, and what else is known of the run.
    pub options: Vec<(String, String)>,
}

/// One of the runs of an input.
#[derive(Clone, Debug)]
pub struct PastRun {
    pub name: String,
    pub started_at: Timestamp,
    /// How it ended, in a few words.
    pub end: String,
    pub requests: u64,
    /// The records that it ended itself.
    pub tally: Tally,
}

impl RunFacts {
    /// Returns the same facts of a run that is about to end, with what only the run itself knows
    /// yet: how many requests it sent, and why it stopped.
    #[must_use]
    pub fn of_ending_run(mut self, requests: u64, stopped: Option<StopWords>) -> Self {
        if let Some(this) = self.runs.iter_mut().find(|past| past.name == self.name) {
            this.requests = requests;
            this.end = stopped.as_ref().map_or("ended".to_owned(), |why| format!("stopped: {why}"));
        }
        Self { requests, stopped, ..self }
    }
}
