//! `report`: writes the reports again, from the input and the ledger alone.

use std::path::Path;

use super::{other_ledger, resume};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Reader, RunInfo, RunState};
use crate::process::stdout;
use crate::reconcile::input::InputHandle;
use crate::reconcile::line::{AsOf, Reconciler};
use crate::reconcile::survey::{self, Survey};
use crate::reconcile::{all_runs, inquiry, page_facts, pass, run_input};
use crate::report::{Activity, PageFacts, Summary, Unended};
use crate::settings::{Rendering, ReportSettings, TargetSettings};
use crate::style::Paint;

pub(super) fn run(settings: ReportSettings) -> Result<Exit, Failure> {
    let ReportSettings { target, input, outputs, run: wanted, progress, rendering } = settings;
    let input = InputHandle::open(input)?;
    let (ledger, run, state) = look_up(&target, &wanted, &input)?;
    let (input, notes) = run_input::as_in_run(input, &run)?;
    let reading = Activity::counting(progress, "reading the input", input.rows_read());
    // A file that is not that of the run is often no input at all.
    let explained = |failure: Failure| notes.iter().fold(failure, |failure, note| failure.context(note.clone()));
    let Survey { duplicates, is_ndjson, .. } = survey::survey(&input, true, None).map_err(explained)?;
    drop(reading);
    let outputs = outputs.with_checks(inquiry::was_ever_made(&ledger)?);
    let outputs = if outputs.has_page() {
        outputs.with_facts(PageFacts {
            input: input.shown(),
            run: Some(page_facts::of_run(&ledger, &target.target, &run, state)?),
            next_command: Some(resume::of_import(&input)),
            settle_command: Some(resume::settle(&target)),
            correction: Some(resume::correction(&input, &outputs, is_ndjson)),
        })
    } else {
        outputs
    };
    let (all_runs, shared_ids) = (all_runs::up_to(&ledger, &run)?, shared_ids(&ledger, run.id.number)?);
    let is_last = ledger.last_run(&run.start.input.0)?.is_some_and(|last| last.id == run.id);
    let reconciler = Reconciler::new(duplicates, Some(ledger), AsOf::Run(run.id.number));
    let writing = Activity::counting(progress, "writing the reports", input.rows_read());
    let counted = pass::pass(&input, &outputs, reconciler, |_, _| {})?;
    drop(writing);
    // Not before, because it looks which names are free.
    let correction = resume::correction(&input, &outputs, is_ndjson);
    let excuses_known_bad = run_input::excused_known_bad(&run);
    // As the run found them, because by now its own bad records are known too.
    let known_bad = run.known_bad.unwrap_or_default();
    let judged = if excuses_known_bad { counted.tally.excusing(known_bad) } else { counted.tally.clone() };
    let exit = Exit::of_report(&judged);
    let (unended, until) = match state {
        RunState::Ended(at) => (None, at),
        RunState::Running => (Some(Unended::RunningSince(run.started_at)), jiff::Timestamp::now()),
        RunState::CutOff => (Some(Unended::CutOffAfter(run.started_at)), run.started_at),
    };
    // A run that is under way needs no other, and what an earlier run left may be done by now.
    let is_resumable = is_last && state != RunState::Running && counted.tally.unfinished() > 0;
    let summary = Summary {
        run: run.id.name,
        target: target.target.base_url.clone(),
        account: target.target.account.clone(),
        input: input.shown(),
        ledger: Some(target.absolute_ledger()),
        started_at: run.started_at,
        ended_at: run.ended_at,
        requests: run.counters.requests,
        throttled: run.counters.throttled,
        retries: run.counters.retries,
        recovered: run.counters.recovered,
        duration: std::time::Duration::try_from(until.duration_since(run.started_at)).unwrap_or_default(),
        mails: counted.mails,
        all_runs,
        errors: counted.errors,
        changed: counted.changed,
        known_bad,
        excuses_known_bad,
        shared_ids,
        reports: outputs.reports,
        rejects: outputs.rejects,
        exit_code: exit.code(),
        stopped: run.stopped,
        unended,
        limit: None,
        partial: false,
        notes,
        next_command: is_resumable.then(|| resume::of_import(&input)),
        correction: Some(correction),
        settle_command: Some(resume::settle(&target)),
        tally: counted.tally,
    };
    stdout::write(rendered(&summary, rendering).as_bytes());
    Ok(exit)
}

/// Returns the ledger, the requested run, and its state.
fn look_up(target: &TargetSettings, wanted: &str, input: &InputHandle) -> Result<(Reader, RunInfo, RunState), Failure> {
    let look = || -> Result<_, Failure> {
        let ledger = target.reader()?;
        let run = find_run(&ledger, wanted, input).map_err(|failure| {
            let elsewhere = other_ledger::hint(target, Some(input.path()));
            elsewhere.into_iter().fold(failure, |failure, hint| failure.or_hint(&hint))
        })?;
        let state = ledger.state_of(&run)?;
        Ok((ledger, run, state))
    };
    let first = look()?;
    // The run may have ended between the two look-ups, of its row and of its lock.
    if first.2 == RunState::CutOff { look() } else { Ok(first) }
}

fn find_run(ledger: &Reader, wanted: &str, input: &InputHandle) -> Result<RunInfo, Failure> {
    let found = if wanted == "last" { ledger.last_run(&input.name().0)? } else { ledger.run(wanted)? };
    if let Some(run) = found.as_ref().filter(|run| inquiry::is_one(run)) {
        let words = format!("the run {} asked for the KYC status of customers, and imported nothing", run.id.name);
        return Err(Failure::new(Exit::Usage, words).hint("name a run of an import, or the last one: --run last"));
    }
    found.ok_or_else(|| {
        let message = if wanted == "last" {
            format!("the ledger has no run of {}", shown(Path::new(&input.name().0)))
        } else {
            format!("the ledger has no run {wanted}")
        };
        Failure::new(Exit::Usage, message).hint(
            "check that the file (or --input-name), --base-url, --account and --ledger are those of the import; \
             if the file has moved, name the run by the id in its summary: --run ID",
        )
    })
}

/// Returns the ids that the server gave to several records of a run, and to how many.
pub(super) fn shared_ids(ledger: &Reader, run: i64) -> Result<Vec<(String, u64)>, Failure> {
    let shared = ledger.shared_ids(run)?;
    Ok(shared.into_iter().map(|shared| (shared.customer_id, shared.records)).collect())
}

pub(super) fn rendered(summary: &Summary, rendering: Rendering) -> String {
    match rendering {
        Rendering::Text => summary.to_text(Paint::stdout()),
        Rendering::Json => format!("{}\n", summary.to_json()),
        Rendering::Markdown => summary.to_markdown(),
    }
}
