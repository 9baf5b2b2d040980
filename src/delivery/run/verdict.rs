//! How a run ended.

use crate::domain::StopReason;
use crate::ledger::{LedgerError, RunCounters};

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    Finished,
    LimitReached,
    /// It was asked for through [`Shutdown`](crate::delivery::Shutdown).
    Interrupted,
    TooManyFailures(u64),
    /// So many records in a row were rejected in the same words: a wrong mapping, most likely.
    RejectedAlike {
        times: u32,
        words: String,
    },
    Stopped(StopReason),
    LedgerFailed(LedgerError),
    /// The task of a record panicked: a fault of this program. Its request is in doubt.
    Crashed(String),
}

/// The verdict on a run, and its counts.
#[derive(Clone, Debug)]
pub struct RunEnd {
    pub verdict: Verdict,
    pub counters: RunCounters,
}
