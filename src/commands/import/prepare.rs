//! Leads from the settings to the first request: the sandbox, the ledger, the plan, the question.

use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument as _;

use super::consent::{Answer, Consent};
use super::destination::{self, OwnSandbox};
use super::finish::Finished;
use super::metrics_file::MetricsFile;
use super::notice::Notice;
use super::run::{Import, SendingEnd};
use crate::commands::job::Sender;
use crate::commands::{diagnostics, other_ledger, preflight, resume};
use crate::delivery::{Api, Opening};
use crate::domain::{CountOrShare, Status, counted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake;
use crate::ledger::{Ledger, RunId};
use crate::output::MACHINE_TARGET;
use crate::process::runtime;
use crate::process::signals::Signals;
use crate::reconcile::input::InputHandle;
use crate::reconcile::outputs::Outputs;
use crate::reconcile::plan::{self, Planned, Purpose};
use crate::reconcile::run_input;
use crate::report::{Activity, Plan};
use crate::settings::{ImportSettings, MetricsSettings, NotifySettings, TargetSettings};

pub(in crate::commands) fn run(
    notify: Option<NotifySettings>,
    metrics: Result<Option<MetricsSettings>, Failure>,
    decide: impl FnOnce() -> Result<ImportSettings, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    let notice = Notice::start(notify)?;
    runtime::on_runtime(async {
        let signals = Signals::listen()?;
        let ended = match metrics {
            Ok(metrics) => measured(metrics, decide, &notice, &signals).await,
            Err(failure) => Err(failure),
        };
        notice.post(&ended, &signals).await;
        ended
    })
}

/// Imports, and keeps the metrics file up to date.
async fn measured(
    metrics: Option<MetricsSettings>,
    decide: impl FnOnce() -> Result<ImportSettings, Failure> + Send + 'static,
    notice: &Notice,
    signals: &Signals,
) -> Result<Exit, Failure> {
    let metrics_file = MetricsFile::start(metrics);
    let ended = import(decide, &metrics_file, notice, signals.clone()).await;
    let exit = ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit);
    // If another run holds the ledger, the metrics file belongs to that run, unless that run took
    // the ledger over, perhaps on another host.
    if exit != Exit::Locked || metrics_file.has_lost_ledger() {
        metrics_file.end(exit);
    }
    ended
}

async fn import(
    decide: impl FnOnce() -> Result<ImportSettings, Failure> + Send + 'static,
    metrics: &MetricsFile,
    notice: &Notice,
    signals: Signals,
) -> Result<Exit, Failure> {
    let ImportSettings {
        destination,
        input,
        outputs,
        sending,
        purpose,
        strict,
        excuses_known_bad,
        min_records,
        asks,
        progress,
        rendering,
        log,
    } = signals.beside(decide).await?;
    let (server, sandbox) = destination::reach(destination).await?;
    let forgets = sandbox.as_ref().is_some_and(OwnSandbox::forgets);
    let (mut sender, api) = Sender::new(server, sending, &signals).await?;
    let target = &sender.server.target.clone();
    // An existing ledger is locked before the plan, which may take long. A new one is created when
    // nothing can be refused any more.
    let existing = target.clone();
    let ledger = {
        let _activity = Activity::start(progress, "opening the ledger");
        signals.beside(move || existing.open_existing_ledger()).await?
    };
    ledger.iter().for_each(|ledger| metrics.watch(ledger));
    let input = Arc::new(signals.beside(move || InputHandle::open(input)).await?);
    if !forgets && other_ledger::is_new_to(target, ledger.is_some())? {
        other_ledger::warn_of_new(target, input.path());
    }
    let limit = sender.sending.limit;
    let plan = async || {
        let _activity = Activity::counting(progress, "planning the import", input.rows_read());
        plan(&input, target, purpose, limit, &signals).await
    };
    let mut planned = plan().await?;
    metrics.planned(&planned.plan);
    if let Some(minimum) = min_records {
        refuse_too_few(minimum, planned.plan.tally.total(), &input, target)?;
    }
    let held_back = held_back(strict, excuses_known_bad, &planned);
    // Before a new ledger is created, because much can be refused here.
    let consent = match &held_back {
        None if asks => Consent::prepare(&planned.plan, &mut sender, &api, progress, ledger.as_ref(), &signals).await?,
        _ => None,
    };
    let ledger = match ledger {
        Some(ledger) => ledger,
        None => {
            let (new, tell) = (target.clone(), !forgets);
            let ledger = signals.beside(move || new.open_ledger(tell)).await?;
            // Another run may have created it meanwhile, and the plan does not know what that run
            // did.
            if target.reader_if_any()?.is_some_and(|reader| reader.knows_any().unwrap_or(true)) {
                planned = plan().await?;
                metrics.planned(&planned.plan);
            }
            ledger
        }
    };
    metrics.watch(&ledger);
    let ledger = Arc::new(ledger);
    sender.check_owner(&ledger).await?;
    if was_done_meanwhile(&ledger, target, &input)? {
        return Ok(Exit::Done);
    }
    let Planned { mut plan, diagnostics, duplicates, known, known_bad, known_rejected, kept, is_ndjson } = planned;
    plan.resolve_command = Some(resume::ledger(&["resolve"], target));
    let invalid = plan.tally.get(Status::Invalid);
    let new_invalid = new_invalid(excuses_known_bad, &plan, known_bad.invalid);
    let has_news = diagnostics.has_problems() && (invalid == 0 || new_invalid > 0);
    if has_news || !log.is_quiet() {
        diagnostics::show(&diagnostics, &log, &outputs.reports);
    }
    sender.log_proxy();
    preflight::warn_of_early_end(&sender.server.credentials, plan.time());
    let start = match (held_back, consent) {
        (Some(why), _) => Start::Refused { why, requests: 0 },
        (None, None) => Start::Send(None),
        (None, Some(consent)) => match consent.ask(&plan, target.base.as_str(), &signals).await? {
            Answer::Yes(opening) => Start::Send(Some(opening)),
            Answer::No { requests } => Start::Refused { why: "nothing was sent: you answered no".to_owned(), requests },
        },
    };
    let import = Import {
        sender,
        forgets,
        ledger,
        input,
        outputs,
        plan,
        duplicates,
        known: Arc::new(known),
        known_rejected,
        excuses_known_bad,
        kept,
        is_ndjson,
        signals,
        progress,
        rendering,
        log,
        metrics,
        notice,
    };
    let run = import.ledger.begin_run(run_input::run_start(&import.input, excuses_known_bad)).await?;
    let span = tracing::error_span!(target: MACHINE_TARGET, "import", run = run.name);
    let ended = send_and_report(import, &run, api, start).instrument(span).await;
    ended.map_err(|failure| failure.of_run(&run.name))
}

/// Whether records are sent.
enum Start {
    Send(Option<Box<Opening>>),
    Refused { why: String, requests: u64 },
}

async fn send_and_report(import: Import<'_>, run: &RunId, api: Api, start: Start) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let sent = match start {
        Start::Refused { why, requests } => SendingEnd::nothing(why, requests),
        Start::Send(opening) => import.send(run, api, opening).await?,
    };
    if import.signals.shutdown.is_leaving() {
        return Err(import.left_at_once());
    }
    let Finished { exit, next_command } = import.report(run, sent, begun).await?;
    // Kept if there is a command to resume, because that names the spooled input.
    if exit == Exit::Done && next_command.is_none() {
        import.input.forget();
    }
    Ok(exit)
}

async fn plan(
    input: &Arc<InputHandle>,
    target: &TargetSettings,
    purpose: Purpose,
    limit: Option<u64>,
    signals: &Signals,
) -> Result<Planned, Failure> {
    let (input, target) = (Arc::clone(input), target.clone());
    let work = move || plan::plan(&input, &Outputs::default(), target.reader_if_any()?, &purpose);
    let mut planned = signals.beside(work).await?;
    planned.plan.limit = limit;
    Ok(planned)
}

/// Returns whether another run did all that this one would do, while this one waited for the ledger
/// as a standby. The reports are that run's.
fn was_done_meanwhile(ledger: &Ledger, target: &TargetSettings, input: &InputHandle) -> Result<bool, Failure> {
    let Some(since) = ledger.waited_since() else { return Ok(false) };
    let last = target.reader()?.last_run(&input.name().0)?;
    let done = last.filter(|run| run.exit_code == Some(Exit::Done.code()) && run.ended_at >= Some(since));
    if let Some(run) = &done {
        tracing::info!("run {} of the same input ended well while this one waited; nothing is left to do", run.id.name);
    }
    Ok(done.is_some())
}

/// Fails if the input has fewer records than `--min-records` asks for.
fn refuse_too_few(
    minimum: CountOrShare,
    records: u64,
    input: &InputHandle,
    target: &TargetSettings,
) -> Result<(), Failure> {
    let last = match target.reader_if_any()? {
        Some(ledger) => ledger.last_completed(&input.name().0)?.and_then(|run| run.records_read),
        None => None,
    };
    let Some(too_few) = intake::too_few(minimum, records, last) else { return Ok(()) };
    Err(Failure::new(Exit::Input, format!("{} has {too_few} (--min-records); nothing was sent", input.shown())).hint(
        "check whether the export is complete; if it is meant to have so few records, run the command with a lower --min-records",
    ))
}

/// Returns how many invalid records count: all, or those that no completed run reported alike.
fn new_invalid(excuses_known_bad: bool, plan: &Plan, known_bad: u64) -> u64 {
    let invalid = plan.tally.get(Status::Invalid);
    if excuses_known_bad { invalid - known_bad } else { invalid }
}

/// Returns why `--strict` sends nothing, or `None` if it holds nothing back.
fn held_back(strict: bool, excuses_known_bad: bool, planned: &Planned) -> Option<String> {
    let invalid = new_invalid(excuses_known_bad, &planned.plan, planned.known_bad.invalid);
    let new = if excuses_known_bad { "new " } else { "" };
    let records = counted(invalid, &format!("{new}invalid record"));
    (strict && invalid > 0).then(|| format!("nothing was sent because of {records} (--strict)"))
}
