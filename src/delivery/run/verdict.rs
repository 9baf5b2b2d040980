//! The verdict: how a run ended.

use crate::domain::StopReason;
use crate::ledger::{LedgerError, RunCounters};

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    Finished,
    LimitReached,
    /// A stop was requested through [`Shutdown`](crate::delivery::Shutdown).
    Interrupted,
    TooManyFailures(u64),
    /// So many records in a row were rejected with the same message, most likely because of a wrong
    /// mapping.
    RejectedAlike {
        times: u32,
        words: String,
    },
    Stopped(StopReason),
    LedgerFailed(LedgerError),
    /// The task of a record panicked because of a bug in this program. Its request is in doubt.
    Crashed(String),
}

/// The verdict of a run, and its counts.
#[derive(Clone, Debug)]
pub struct RunEnd {
    pub verdict: Verdict,
    pub counters: RunCounters,
}
