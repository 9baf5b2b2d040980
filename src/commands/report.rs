//! `report`: the reports again, from input and ledger alone.

use super::resume;
use crate::cli::{ReportArgs, SummaryFormat};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Reader, RunInfo, RunState};
use crate::process::stdout;
use crate::reconcile::input::Input;
use crate::reconcile::line::{AsOf, Judge};
use crate::reconcile::pass;
use crate::report::{Summary, Unended};
use crate::settings::{self, Outputs, TargetSettings};

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let settings = TargetSettings::required(&args.target)?;
    let input = Input::open(&args.input.input)?;
    let outputs =
        Outputs::with_default(&args.output, &args.input.input, &settings::own_files(Some(&settings.ledger), None))?;
    let (ledger, run, state) = look_up(&settings, &args.run, &input)?;
    let duplicates = pass::survey(&input, &args.input, true, |_| {})?.duplicates;
    let judge = Judge::new(duplicates, Some(ledger), AsOf::Run(run.id.number));
    let counted = pass::pass(&input, &args.input, &outputs, &judge, |_, _| {})?;
    let exit = Exit::of_report(&counted.tally);
    let (unended, until) = match state {
        RunState::Ended(at) => (None, at),
        RunState::Running => (Some(Unended::RunningSince(run.started_at)), jiff::Timestamp::now()),
        RunState::CutOff => (Some(Unended::CutOffAfter(run.started_at)), run.started_at),
    };
    let summary = Summary {
        run: run.id.name,
        target: settings.target.base_url.clone(),
        tally: counted.tally,
        requests: run.counters.requests,
        throttled: run.counters.throttled,
        retries: run.counters.retries,
        recovered: run.counters.recovered,
        duration: std::time::Duration::try_from(until.duration_since(run.started_at)).unwrap_or_default(),
        errors: counted.errors,
        shared_ids: shared_ids(&settings, run.id.number)?,
        reports: outputs.reports,
        rejects: outputs.rejects,
        exit_code: exit.code(),
        stopped: run.stopped,
        unended,
        partial: false,
        next_command: None,
        settle_command: Some(resume::settle(&settings)),
    };
    stdout::write(rendered(&summary, args.output.summary).as_bytes());
    Ok(exit)
}

/// The ledger, the run that is asked for, and how far it is.
fn look_up(settings: &TargetSettings, wanted: &str, input: &Input) -> Result<(Reader, RunInfo, RunState), Failure> {
    let look = || -> Result<_, Failure> {
        let ledger = Reader::open(&settings.ledger, &settings.target).map_err(|error| settings.refused(error))?;
        let run = find_run(&ledger, wanted, input)?;
        let state = ledger.state_of(&run)?;
        Ok((ledger, run, state))
    };
    let first = look()?;
    // It may have ended after it was looked up and before its lock was.
    if first.2 == RunState::CutOff { look() } else { Ok(first) }
}

fn find_run(ledger: &Reader, wanted: &str, input: &Input) -> Result<RunInfo, Failure> {
    let found = if wanted == "last" { ledger.last_run(&input.name().0)? } else { ledger.run(wanted)? };
    found.ok_or_else(|| {
        let message = if wanted == "last" {
            format!("the ledger knows no run over {}", shown(input.path()))
        } else {
            format!("the ledger knows no run {wanted}")
        };
        Failure::new(Exit::Usage, message).hint(
            "is this the file, the --base-url, the --account and the --ledger of the import? A run's id stands in its summary",
        )
    })
}

/// Ids that the server gave to several records of a run, with how many.
pub(super) fn shared_ids(settings: &TargetSettings, run: i64) -> Result<Vec<(String, u64)>, Failure> {
    let shared = Reader::open(&settings.ledger, &settings.target)?.shared_ids(run)?;
    Ok(shared.into_iter().map(|shared| (shared.customer_id, shared.records)).collect())
}

pub(super) fn rendered(summary: &Summary, format: SummaryFormat) -> String {
    match format {
        SummaryFormat::Text => summary.to_text(),
        SummaryFormat::Json => format!("{}\n", summary.to_json()),
    }
}
