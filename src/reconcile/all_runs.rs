//! Adds up the runs of an input.

use crate::failure::Failure;
use crate::ledger::{Reader, RunInfo};
use crate::report::AllRuns;

/// Returns the sum over the runs of the same input up to this one, or `None` if this is the only
/// one. It asks for the runs alone and not for their records, so it takes no longer for a large
/// input.
pub(crate) fn up_to(ledger: &Reader, run: &RunInfo) -> Result<Option<AllRuns>, Failure> {
    let runs = ledger.runs_of(&run.start.input.0, u32::MAX)?;
    let runs: Vec<_> = runs.iter().filter(|other| other.id.number <= run.id.number).collect();
    let Some(since) = runs.iter().map(|run| run.started_at).min().filter(|_| runs.len() > 1) else { return Ok(None) };
    Ok(Some(AllRuns {
        runs: runs.len() as u64,
        since,
        requests: runs.iter().map(|run| run.counters.requests).sum(),
        unended: runs.iter().filter(|run| run.ended_at.is_none()).count() as u64,
    }))
}
