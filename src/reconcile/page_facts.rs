//! What a page says of a run, from the ledger.

use jiff::Timestamp;

use super::run_input;
use crate::failure::Failure;
use crate::ledger::{Reader, RunInfo, RunState, Target};
use crate::report::{PastRun, RunFacts, Unended};

/// How many runs of an input a page adds up.
const MOST_RUNS: u32 = 20;

/// Returns what the ledger knows of a run and of the other runs of its input.
pub(crate) fn of_run(ledger: &Reader, target: &Target, run: &RunInfo, state: RunState) -> Result<RunFacts, Failure> {
    let (unended, ended_at) = match state {
        RunState::Ended(at) => (None, Some(at)),
        RunState::Running => (Some(Unended::RunningSince(run.started_at)), Some(Timestamp::now())),
        RunState::CutOff => (Some(Unended::CutOffAfter(run.started_at)), None),
    };
    let mut found = ledger.runs_of(&run.start.input.0, MOST_RUNS + 1)?;
    let has_older_runs = found.len() > MOST_RUNS as usize;
    found.truncate(MOST_RUNS as usize);
    let mut runs = Vec::with_capacity(found.len());
    for past in found {
        runs.push(PastRun {
            end: if past.id == run.id { end_of_this(state, &past) } else { end(&past) },
            tally: ledger.tally_of(past.id.number)?,
            requests: past.counters.requests,
            started_at: past.started_at,
            name: past.id.name,
        });
    }
    Ok(RunFacts {
        name: run.id.name.clone(),
        target: target.base_url.clone(),
        account: target.account.clone(),
        started_at: run.started_at,
        ended_at,
        unended,
        stopped: run.stopped.clone(),
        known_bad: run.known_bad,
        excuses_known_bad: run_input::excused_known_bad(run),
        limit: None,
        requests: run.counters.requests,
        retries: run.counters.retries,
        throttled: run.counters.throttled,
        recovered: run.counters.recovered,
        minutes: ledger.minutes(run.id.number)?,
        runs,
        has_older_runs,
        options: run_input::shown(run.start.options.as_deref()),
    })
}

fn end_of_this(state: RunState, run: &RunInfo) -> String {
    match state {
        RunState::Ended(_) => end(run),
        RunState::Running => "running".to_owned(),
        RunState::CutOff => "cut off".to_owned(),
    }
}

fn end(run: &RunInfo) -> String {
    match (&run.stopped, run.ended_at, run.exit_code) {
        (Some(why), ..) => format!("stopped: {why}"),
        (None, None, _) => "cut off, or still running".to_owned(),
        (None, Some(_), Some(0)) => "done".to_owned(),
        (None, Some(_), Some(code)) => format!("done, exit code {code}"),
        (None, Some(_), None) => "done".to_owned(),
    }
}
