//! `check`: the same reading and judging as an import, and then the plan instead of requests. No socket is opened (I9).

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use console::Term;

use crate::cli::{CheckArgs, ImportArgs, InputArgs, SummaryFormat};
use crate::delivery::Rate;
use crate::domain::Status;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::Mapping;
use crate::ledger::{LedgerError, Reader};
use crate::output::{self, Weight};
use crate::process::logging::{LogFormat, LogSettings};
use crate::process::stdout;
use crate::reconcile::duplicates::Duplicates;
use crate::reconcile::input::Input;
use crate::reconcile::known::Known;
use crate::reconcile::line::{AsOf, Judge, Noted};
use crate::reconcile::pass::{self, Survey, Told};
use crate::report::{Diagnostics, Look, Plan};
use crate::settings::{self, Outputs, TargetSettings};

/// For diagnostics that go to a file or a log.
const WIDTH_ELSEWHERE: usize = 120;

impl From<ImportArgs> for CheckArgs {
    /// `import --dry-run`.
    fn from(args: ImportArgs) -> Self {
        let ImportArgs { input, target, sending, output, .. } = args;
        Self { input, target, output, rate: sending.rate, retry_rejected: sending.retry_rejected }
    }
}

pub(super) fn run(args: &CheckArgs, log: &LogSettings) -> Result<Exit, Failure> {
    let input = Input::open(&args.input.input)?;
    let checked = check(&input, args, log);
    // A dry run leaves nothing behind; what an earlier import spooled is that import's.
    if args.input.input == std::path::Path::new("-") {
        input.forget();
    }
    checked
}

fn check(input: &Input, args: &CheckArgs, log: &LogSettings) -> Result<Exit, Failure> {
    let settings = TargetSettings::of(&args.target)?;
    let others = settings::own_files(settings.as_ref().map(|settings| settings.ledger.as_path()), None);
    let outputs = Outputs::as_named(&args.output, &args.input.input, &others)?;
    let ledger = match &settings {
        Some(settings) => reader(settings)?,
        None => None,
    };
    let Planned { plan, diagnostics, .. } = plan(
        input,
        &args.input,
        &outputs,
        ledger,
        &Purpose { rate: args.rate, retry_rejected: args.retry_rejected, sends: false },
    )?;
    tell(&diagnostics, log, &outputs.reports);
    let exit = if plan.tally.get(Status::Invalid) > 0 { Exit::SomeFailed } else { Exit::Done };
    match args.output.summary {
        SummaryFormat::Text => stdout::write(plan.to_text().as_bytes()),
        SummaryFormat::Json => stdout::write(format!("{}\n", plan.to_json()).as_bytes()),
    }
    Ok(exit)
}

/// What the plan depends on beside the records.
pub(super) struct Purpose {
    pub rate: Rate,
    pub retry_rejected: bool,
    /// The plan will be carried out, and then it will be asked of each duplicate what it is one of.
    pub sends: bool,
}

/// The ledger of a target, if there is one yet. One that another run is just beginning is not.
pub(super) fn reader(settings: &TargetSettings) -> Result<Option<Reader>, Failure> {
    match Reader::open(&settings.ledger, &settings.target) {
        Ok(reader) => Ok(Some(reader)),
        Err(LedgerError::Missing(_) | LedgerError::Empty(_))
            if settings.creation == crate::ledger::Creation::Allowed =>
        {
            Ok(None)
        }
        Err(error) => Err(settings.refused(error)),
    }
}

/// What an import would do.
pub(super) struct Planned {
    pub plan: Plan,
    pub diagnostics: Diagnostics,
    pub duplicates: Arc<Duplicates>,
    pub known: Known,
    /// The names of the kept columns as the input has them.
    pub kept: Vec<String>,
}

/// Reads the whole input, counts what an import would do, and writes the reports that were named.
pub(super) fn plan(
    input: &Input,
    args: &InputArgs,
    outputs: &Outputs,
    ledger: Option<Reader>,
    purpose: &Purpose,
) -> Result<Planned, Failure> {
    let mut plan = Plan::new(purpose.rate.per_minute());
    let mut diagnostics = Diagnostics::new(&input.shown());
    let ledger = match ledger {
        Some(ledger) if ledger.knows_any()? => Some(ledger),
        _ => None,
    };
    let open = match &ledger {
        Some(ledger) => ledger.open_requests()?.len() as u64,
        None => 0,
    };
    let mut known = Known::default();
    // Without a memory and without files the input alone tells all.
    let writes = !outputs.reports.is_empty() || outputs.rejects.is_some();
    let is_alone = ledger.is_none() && !writes;
    let Survey { mapping, mut counted, kyc_mails, duplicates } =
        pass::survey(input, args, purpose.sends || !is_alone, |told| {
            if is_alone {
                diagnose(&mut diagnostics, told);
            }
        })?;
    if is_alone {
        plan.to_send = counted.tally.get(Status::Valid);
        plan.kyc_mails = kyc_mails;
    } else {
        let judge = Judge::new(Arc::clone(&duplicates), ledger, AsOf::Now);
        let judge = if writes { judge } else { judge.for_counts() };
        counted = pass::pass(input, args, outputs, &judge, |status, told| {
            known.add(status, duplicates.earlier(told.record.position.row));
            diagnose(&mut diagnostics, told);
            count(&mut plan, purpose, status, told.record);
        })?;
    }
    plan.doubts_elsewhere = open.saturating_sub(counted.tally.get(Status::InDoubt));
    plan.tally = counted.tally;
    plan.columns = columns(&mapping);
    plan.unused = mapping.unused().to_vec();
    let kept = mapping.kept().to_vec();
    Ok(Planned { plan, diagnostics, duplicates, known, kept })
}

/// What feeds each field of the request.
fn columns(mapping: &Mapping) -> Vec<(String, String)> {
    let fields = mapping.fields().map(|(field, feeding)| (field.to_string(), feeding));
    let extras = mapping.extras().map(|(path, column)| (path.to_owned(), format!("column {column:?}")));
    fields.chain(extras).collect()
}

fn diagnose(diagnostics: &mut Diagnostics, told: &Told<'_>) {
    let Told { shape, record } = told;
    diagnostics.add(record.position, &record.violations, shape, record.raw.as_ref());
}

/// Counts a record that would be sent.
fn count(plan: &mut Plan, purpose: &Purpose, status: Status, record: &Noted) {
    let sends =
        matches!(status, Status::Valid | Status::InDoubt) || (status == Status::Rejected && purpose.retry_rejected);
    if let (Some(mails), true) = (record.send_kyc_mail, sends) {
        plan.to_send += 1;
        plan.kyc_mails += u64::from(mails);
    }
}

/// What is wrong with the input, drawn for people or logged for programs. The reports are those that tell it too, now or in the end.
pub(super) fn tell(diagnostics: &Diagnostics, log: &LogSettings, reports: &[PathBuf]) {
    match log.format {
        LogFormat::Text => print(diagnostics, reports),
        LogFormat::Json => diagnostics.log(),
    }
}

fn print(diagnostics: &Diagnostics, reports: &[PathBuf]) {
    let terminal = Term::stderr();
    let width = terminal.size_checked().map_or(WIDTH_ELSEWHERE, |(_, columns)| usize::from(columns));
    let masked = !std::io::stderr().is_terminal();
    let look = Look { width, styled: console::colors_enabled_stderr(), masked };
    let mut drawn = Vec::new();
    // Memory takes all that is written to it.
    drop(diagnostics.print(&mut drawn, look, reports));
    if !drawn.is_empty() {
        output::show(&drawn, Weight::Ordinary);
    }
}
