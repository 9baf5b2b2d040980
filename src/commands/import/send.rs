//! `import`: read once and plan, ask, send, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::metrics_file::Meter;
use crate::api::{Credentials, Route, TokenSource};
use crate::commands::job::Sender;
use crate::commands::{diagnostics, preflight, report, resume};
use crate::delivery::{self, Api, Offer, Payload, RunEnd, Shutdown, Verdict};
use crate::domain::{InputRecord, Status, Tally, Verdict as RecordVerdict};
use crate::event::Event;
use crate::exit::{Exit, Signal};
use crate::failure::{self, Failure};
use crate::ledger::{Ledger, LedgerError, Reader, RunCounters, RunId};
use crate::process::logging::{FOR_PROGRAMS, LogSettings};
use crate::process::signals::{self, Caught, Signals};
use crate::process::{confirm, runtime, stdout};
use crate::reconcile::duplicates::Duplicates;
use crate::reconcile::input::InputHandle;
use crate::reconcile::known::Known;
use crate::reconcile::line::{AsOf, Counted, Judge};
use crate::reconcile::outputs::Outputs;
use crate::reconcile::plan::{self, Planned, Purpose};
use crate::reconcile::{from_ledger, mapping_hint, pass};
use crate::redact::masked;
use crate::report::{Plan, Progress, Scope, Style, Summary};
use crate::sandbox::{self, Sandbox};
use crate::settings::{
    Destination, ImportSettings, MetricsSettings, Rendering, SandboxSettings, ServerSettings, TargetSettings,
};

/// How many records the reader may be ahead of the claims.
const AHEAD: usize = 512;
/// How often the input is compared with itself while nothing is read from it.
const LOOK: Duration = Duration::from_secs(1);

pub(in crate::commands) fn run(
    metrics: Option<MetricsSettings>,
    decide: impl FnOnce() -> Result<ImportSettings, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    let meter = Meter::start(metrics);
    let ended = runtime::on_runtime(import(decide, &meter));
    let exit = ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit);
    // Where another run holds the ledger the file is that run's, and so is what it tells.
    if exit != Exit::Locked {
        meter.end(exit);
    }
    ended
}

async fn import(
    decide: impl FnOnce() -> Result<ImportSettings, Failure> + Send + 'static,
    meter: &Meter,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let ImportSettings { destination, input, outputs, sending, purpose, strict, asks, progress, rendering, log } =
        signals.beside(decide).await?;
    let world = World::of(destination).await?;
    let (sender, api) = Sender::new(world.server.clone(), sending, &signals).await?;
    let target = &world.server.target;
    // A ledger that exists is locked before the plan, which may take long. A new one is made when nothing can be refused any more.
    let existing = target.clone();
    let ledger = signals.beside(move || existing.open_existing_ledger()).await?;
    let input = Arc::new(signals.beside(move || InputHandle::open(input)).await?);
    let mut planned = plan(&input, target, purpose, &signals).await?;
    let ledger = match ledger {
        Some(ledger) => ledger,
        None => {
            let (new, tell) = (target.clone(), !world.forgets());
            let ledger = signals.beside(move || new.open_ledger(tell)).await?;
            // Another run may have made it meanwhile, and what it did is no part of the plan.
            if target.reader_if_any()?.is_some_and(|reader| reader.knows_any().unwrap_or(true)) {
                planned = plan(&input, target, purpose, &signals).await?;
            }
            ledger
        }
    };
    let ledger = Arc::new(ledger);
    sender.check_owner(&ledger).await?;
    let Planned { plan, diagnostics, duplicates, known, kept } = planned;
    if diagnostics.has_problems() || !log.is_quiet() {
        diagnostics::show(&diagnostics, &log, &outputs.reports);
    }
    meter.planned(plan.tally.total(), plan.tally.get(Status::InDoubt) + plan.doubts_elsewhere);
    sender.tell_of_proxy();
    let wanted = sender.sending.limit.map_or(plan.to_send, |limit| plan.to_send.min(limit));
    preflight::warn_of_early_end(&world.server.credentials, plan.time_for(wanted));
    let refused = refuse(strict, asks, &plan, &world.server.target, &signals).await?;
    let Signals { shutdown, caught } = signals;
    let known = Arc::new(known);
    let import = Import {
        sender,
        world,
        ledger,
        input,
        outputs,
        plan,
        duplicates,
        known,
        kept,
        shutdown,
        caught,
        progress,
        rendering,
        log,
        meter,
    };
    let run = import.ledger.begin_run(import.input.name()).await?;
    let span = tracing::error_span!(target: FOR_PROGRAMS, "import", run = run.name);
    let ended = import.send_and_report(&run, api, refused).instrument(span).await;
    ended.map_err(|failure| failure.of_run(&run.name))
}

/// Where the customers go: the API that was named, or a sandbox of our own.
struct World {
    server: ServerSettings,
    sandbox: Option<(Sandbox, Option<tempfile::TempDir>)>,
}

impl World {
    async fn of(destination: Destination) -> Result<Self, Failure> {
        match destination {
            Destination::Server(server) => Ok(Self { server: *server, sandbox: None }),
            Destination::Sandbox(settings) => Self::sandbox(settings).await,
        }
    }

    /// A world that forgets: what it is asked to remember goes with it, unless a ledger was named.
    async fn sandbox(settings: SandboxSettings) -> Result<Self, Failure> {
        let SandboxSettings { account, ledger, creation, ca_file } = settings;
        let failed =
            |error: std::io::Error| Failure::of(Exit::Io, error).context("cannot start the sandbox".to_owned());
        let sandbox = sandbox::start(sandbox::Config::default(), 0).await.map_err(failed)?;
        let (ledger, throw_away) = match ledger {
            Some(ledger) => (ledger, None),
            None => {
                let folder = tempfile::tempdir().map_err(failed)?;
                (folder.path().join("ledger.db"), Some(folder))
            }
        };
        let target = TargetSettings::of_sandbox(&sandbox.base_url(), account, ledger, creation)?;
        let credentials = Arc::new(Credentials::Source(TokenSource::fixed(&"sandbox".into())?));
        let server = ServerSettings { target, route: Route::Direct, credentials, ca_file };
        Ok(Self { server, sandbox: Some((sandbox, throw_away)) })
    }

    fn forgets(&self) -> bool {
        matches!(self.sandbox, Some((_, Some(_))))
    }
}

async fn plan(
    input: &Arc<InputHandle>,
    target: &TargetSettings,
    purpose: Purpose,
    signals: &Signals,
) -> Result<Planned, Failure> {
    let (input, target) = (Arc::clone(input), target.clone());
    let work = move || plan::plan(&input, &Outputs::default(), target.reader_if_any()?, &purpose);
    signals.beside(work).await
}

/// Why nothing is sent after all, although the input can be read.
async fn refuse(
    strict: bool,
    asks: bool,
    plan: &Plan,
    target: &TargetSettings,
    signals: &Signals,
) -> Result<Option<String>, Failure> {
    let invalid = plan.tally.get(Status::Invalid);
    if strict && invalid > 0 {
        return Ok(Some(format!("nothing was sent, for {invalid} records are invalid and --strict was given")));
    }
    if !asks || target.base.is_loopback() || !confirm::is_possible() {
        return Ok(None);
    }
    let question = format!("{}\nSend {} records to {}?", plan.to_text(), plan.to_send, target.base.as_str());
    let confirmed = signals.beside(move || Ok(confirm::confirmed(&question))).await?;
    Ok((!confirmed).then(|| "nothing was sent, as you wished".to_owned()))
}

/// All that the sending needs.
struct Import<'a> {
    sender: Sender,
    world: World,
    ledger: Arc<Ledger>,
    input: Arc<InputHandle>,
    outputs: Outputs,
    plan: Plan,
    duplicates: Arc<Duplicates>,
    known: Arc<Known>,
    /// The names of the kept columns.
    kept: Vec<String>,
    shutdown: Shutdown,
    caught: Caught,
    progress: Style,
    rendering: Rendering,
    log: LogSettings,
    meter: &'a Meter,
}

/// How the sending ended.
struct Sent {
    /// `None`: nothing was to be sent.
    verdict: Option<Verdict>,
    counters: RunCounters,
    /// The input failed while it was read.
    unread: Option<Failure>,
    /// Why the run stopped before its end, in words.
    stopped: Option<String>,
}

/// What a summary tells of the end of a run.
struct Told {
    counters: RunCounters,
    counted: Counted,
    exit: Exit,
    stopped: Option<String>,
    next_command: Option<String>,
}

impl Import<'_> {
    async fn send_and_report(self, run: &RunId, api: Api, refused: Option<String>) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let sent = match refused {
            Some(why) => Sent::nothing(why),
            None => self.send(run, api).await?,
        };
        if self.shutdown.is_leaving() {
            return Err(self.left_at_once());
        }
        let (exit, is_resumable) = self.report(run, sent, begun).await?;
        // The command that resumes names a spooled input.
        if exit == Exit::Done && !is_resumable {
            self.input.forget();
        }
        Ok(exit)
    }

    async fn send(&self, run: &RunId, api: Api) -> Result<Sent, Failure> {
        let (offers, offered) = mpsc::channel(AHEAD);
        let (input, known) = (Arc::clone(&self.input), Arc::clone(&self.known));
        let stop = self.shutdown.clone();
        // An input that cannot be read on stops the sending, too.
        let reading = signals::on_thread(move || read(&input, &known, &offers).inspect_err(|_| stop.drain()))?;
        let watching = tokio::spawn(watch(Arc::clone(&self.input), self.shutdown.clone()));
        let mut progress = Progress::start(self.progress, self.scope());
        let job = self.sender.job(api, &self.ledger, run, offered, self.plan.to_send, &self.shutdown);
        let end = delivery::run(job, |event| {
            log(&event);
            self.meter.on(&event);
            progress.on(&event, Instant::now());
        })
        .await;
        progress.finish();
        watching.abort();
        let unread = if self.shutdown.is_leaving() { None } else { reading.await.err() };
        let RunEnd { verdict, counters } = end;
        let stopped = words(&verdict, self.caught.get()).map(|why| match &verdict {
            Verdict::RejectedAlike { words, .. } => format!("{why}; {}", mapping_hint::hint(words, &self.plan.columns)),
            _ => why,
        });
        Ok(Sent { verdict: Some(verdict), counters, unread, stopped })
    }

    fn scope(&self) -> Scope {
        let (tally, sending) = (&self.plan.tally, &self.sender.sending);
        let mut known = Tally::default();
        known.add_many(Status::Exists, tally.get(Status::Exists));
        if !sending.claims.retry_rejected {
            known.add_many(Status::Rejected, tally.get(Status::Rejected));
        }
        Scope { records: tally.total(), to_send: self.plan.to_send, limit: sending.limit, known }
    }

    /// The reports, the end of the run in the ledger, the summary. Also returns whether the summary
    /// says how to resume.
    async fn report(&self, run: &RunId, sent: Sent, begun: Instant) -> Result<(Exit, bool), Failure> {
        let Sent { verdict, counters, unread, mut stopped } = sent;
        let memory = self.memory(&verdict).await?;
        let counted = match unread {
            Some(failure) => Err(failure),
            None => self.count(run, &memory).await,
        };
        let counted = match counted {
            Err(unread) if unread.exit == Exit::Input => {
                // A run that the input stopped looks like one that was interrupted.
                let stopped = stopped.filter(|_| !matches!(verdict, Some(Verdict::Interrupted)));
                let sent = Sent { verdict, counters, unread: None, stopped };
                return Err(self.report_from_ledger(run, &memory, begun, sent, unread).await);
            }
            counted => counted,
        };
        let exit = match (&counted, &verdict) {
            (Err(failure), _) => failure.exit,
            (Ok(counted), Some(verdict)) => Exit::of_run(verdict, self.caught.get(), &counted.tally),
            (Ok(counted), None) => Exit::of_nothing_sent(&counted.tally),
        };
        if let (Exit::Io, Some(Verdict::Finished), Ok(counted)) = (exit, &verdict, &counted) {
            let forgotten = counted.tally.get(Status::NotAttempted);
            stopped =
                Some(format!("the ledger is damaged: it knows no end of {forgotten} records that were dealt with"));
        }
        if let (Ok(counted), Ok(doubts)) = (&counted, memory.doubts()) {
            self.meter.reported(&counted.tally, doubts);
        }
        // A ledger that failed before cannot take this either, and the verdict has said so.
        let ended = self.ledger.end_run(run, counters, exit.code(), stopped.clone()).await;
        if let (Err(error), false) = (ended, matches!(verdict, Some(Verdict::LedgerFailed(_)))) {
            return Err(error.into());
        }
        let counted = counted.map_err(|failure| failure.hint(self.hint_to_resume()))?;
        log_end(exit, stopped.as_deref());
        let unfinished = [Status::NotAttempted, Status::Failed, Status::InDoubt];
        let resumable = !self.world.forgets()
            && !memory.is_copy()
            && unfinished.into_iter().any(|status| counted.tally.get(status) > 0);
        let next_command = resumable.then(|| resume::command(&self.input));
        let told = Told { counters, counted, exit, stopped, next_command };
        let summary = self.summary(run, &memory, begun, told)?;
        // Whoever wants to hear only of trouble, from cron, gets no mail about a night that went
        // well.
        if !(self.log.is_quiet() && exit == Exit::Done && self.rendering == Rendering::Text) {
            self.print(&summary).await;
        }
        Ok((exit, resumable))
    }

    async fn print(&self, summary: &Summary) {
        stdout::write_unless_signalled(report::rendered(summary, self.rendering), &self.caught).await;
    }

    fn summary(&self, run: &RunId, memory: &Memory, begun: Instant, told: Told) -> Result<Summary, Failure> {
        let Told { counters, counted, exit, stopped, next_command } = told;
        let is_kept = !self.world.forgets() && !memory.is_copy();
        Ok(Summary {
            run: run.name.clone(),
            target: self.world.server.target.base.as_str().to_owned(),
            tally: counted.tally,
            requests: counters.requests,
            throttled: counters.throttled,
            retries: counters.retries,
            recovered: counters.recovered,
            duration: begun.elapsed(),
            errors: counted.errors,
            shared_ids: report::shared_ids(&memory.target, run.number)?,
            reports: self.outputs.reports.clone(),
            rejects: self.outputs.rejects.clone(),
            exit_code: exit.code(),
            stopped,
            unended: None,
            partial: false,
            next_command,
            settle_command: is_kept.then(|| resume::settle(&self.world.server.target)),
        })
    }

    /// The same if the input changed or cannot be read any more: what the ledger knows is reported
    /// all the same.
    async fn report_from_ledger(
        &self,
        run: &RunId,
        memory: &Memory,
        begun: Instant,
        sent: Sent,
        unread: Failure,
    ) -> Failure {
        let Sent { verdict, counters, stopped: why, .. } = sent;
        let counted = match self.count_from_ledger(run, memory).await {
            Ok(counted) => counted,
            Err(failure) => return failure.hint(self.hint_to_resume()),
        };
        let exit = unread.exit;
        let words = [why, Some(unread.words()), Some(self.made_from_ledger(&counted.tally))];
        let stopped = words.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if let Ok(doubts) = memory.doubts() {
            self.meter.reported(&counted.tally, doubts);
        }
        let ended = self.ledger.end_run(run, counters, exit.code(), Some(stopped.clone())).await;
        if let (Err(error), false) = (ended, matches!(verdict, Some(Verdict::LedgerFailed(_)))) {
            return error.into();
        }
        log_end(exit, Some(&stopped));
        let command = resume::command(&self.input);
        let hint = format!(
            "nothing that was read after a change was sent; see whether the file is what it should be, then resume with: {command}"
        );
        let told = Told { counters, counted, exit, stopped: Some(stopped.clone()), next_command: Some(command) };
        match self.summary(run, memory, begun, told) {
            // Rejects need the cells of the input.
            Ok(summary) => {
                self.print(&Summary { partial: true, rejects: None, ..summary }).await;
            }
            Err(failure) => return failure,
        }
        Failure::new(exit, stopped).hint(hint)
    }

    fn made_from_ledger(&self, tally: &Tally) -> String {
        let missing = self.plan.tally.total().saturating_sub(tally.total());
        let why = if self.input.check_unchanged().is_err() { "changed" } else { "cannot be read again" };
        let mut words = format!("the report was made from the ledger, because the input {why}");
        if missing > 0 {
            words.push_str(&format!("; {missing} rows that were not reached, or needed no request, are not in it"));
        }
        if self.outputs.rejects.is_some() {
            words.push_str("; no file of rejects was written");
        }
        words
    }

    async fn count_from_ledger(&self, run: &RunId, memory: &Memory) -> Result<Counted, Failure> {
        let (reader, run, outputs, kept) = (memory.reader()?, run.number, self.outputs.clone(), self.kept.clone());
        let pass = signals::on_thread(move || from_ledger::pass(&reader, run, &outputs, &kept))?;
        self.unless_leaving(pass).await
    }

    /// The pass over the input that makes the reports; a second signal does not wait for it.
    async fn count(&self, run: &RunId, memory: &Memory) -> Result<Counted, Failure> {
        let judge = Judge::new(Arc::clone(&self.duplicates), Some(memory.reader()?), AsOf::Run(run.number));
        let (input, outputs) = (Arc::clone(&self.input), self.outputs.clone());
        let pass = signals::on_thread(move || pass::pass(&input, &outputs, &judge, |_, _| {}))?;
        self.unless_leaving(pass).await
    }

    async fn unless_leaving<T>(&self, pass: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.shutdown.leaving() => Err(self.left_at_once()),
            done = pass => done,
        }
    }

    /// What the reports are made from: the ledger by its name, or a copy if the name leads elsewhere.
    async fn memory(&self, verdict: &Option<Verdict>) -> Result<Memory, Failure> {
        let target = self.world.server.target.clone();
        let Some(Verdict::LedgerFailed(lost)) = verdict else { return Ok(Memory { target, copy: None }) };
        if !lost.is_without_name() {
            return Ok(Memory { target, copy: None });
        }
        // Where the ledger is now matters more than why there is no report.
        let failed = |error: &dyn std::fmt::Display| {
            Failure::from(lost.clone())
                .context(format!("cannot make the report of a run that lost its ledger ({error})"))
        };
        let copy = tempfile::Builder::new().prefix(".customer-import.").tempdir().map_err(|error| failed(&error))?;
        let ledger = copy.path().join("ledger.db");
        self.ledger.copy_to(ledger.clone()).await.map_err(|error| failed(&error))?;
        Ok(Memory { target: TargetSettings { ledger, ..target }, copy: Some(copy) })
    }

    fn left_at_once(&self) -> Failure {
        let exit = Exit::Interrupted(self.caught.get().unwrap_or(Signal::Interrupt));
        Failure::new(exit, "left at once, without a report; what was in flight is resolved by the next run")
            .hint(self.hint_to_resume())
    }

    fn hint_to_resume(&self) -> String {
        format!("what was done is in the ledger; resume with: {}", resume::command(&self.input))
    }
}

/// A ledger to read from.
struct Memory {
    target: TargetSettings,
    /// Removed with this value.
    copy: Option<tempfile::TempDir>,
}

impl Memory {
    fn reader(&self) -> Result<Reader, Failure> {
        self.target.reader()
    }

    fn doubts(&self) -> Result<u64, Failure> {
        Ok(self.reader()?.open_requests()?.len() as u64)
    }

    /// The ledger has lost its name, so the same command would begin a new one.
    const fn is_copy(&self) -> bool {
        self.copy.is_some()
    }
}

impl Sent {
    fn nothing(why: String) -> Self {
        Self { verdict: None, counters: RunCounters::default(), unread: None, stopped: Some(why) }
    }
}

/// What `-v` adds. Rows and not people: e-mails in the server's words are masked.
pub(in crate::commands) fn log(event: &Event) {
    match event {
        Event::Retry { position, attempt, why } => {
            tracing::debug!(row = position.row, attempt, why = masked(why), "once more");
        }
        Event::Settled { position, status } => tracing::debug!(row = position.row, %status, "settled"),
        Event::Recovered { position } => tracing::debug!(row = position.row, "a doubt was resolved"),
        Event::Pace { per_minute } => tracing::debug!(per_minute, "the pace follows what the server announces"),
        Event::TokenRefused => tracing::debug!("the token was refused"),
        Event::NoToken { why } => tracing::debug!(why = masked(why), "a login failed"),
        Event::Unreachable(trouble) => tracing::debug!(why = masked(&trouble.cause), "no connection"),
        Event::Request(_)
        | Event::Throttled { .. }
        | Event::Unavailable { .. }
        | Event::PaceUnreached { .. }
        | Event::BreakerOpened { .. }
        | Event::BreakerClosed
        | Event::LookupsOff { .. }
        | Event::Heartbeat
        | Event::Draining { .. } => {}
    }
}

/// The summary says it to people.
fn log_end(exit: Exit, stopped: Option<&str>) {
    let (exit_code, stopped) = (exit.code(), stopped.map(masked));
    match exit {
        Exit::Done => tracing::info!(target: FOR_PROGRAMS, exit_code, stopped, "the run ended"),
        _ => tracing::error!(target: FOR_PROGRAMS, exit_code, stopped, "the run ended"),
    }
}

/// Reads the input to its end, or until nobody wants more of it.
fn read(input: &InputHandle, known: &Known, offers: &mpsc::Sender<Offer>) -> Result<(), Failure> {
    for records in input.feed(false)?.in_parallel(Vec::<InputRecord<'_>>::new)? {
        for record in records? {
            let offer = offer(record, known);
            if matches!(offer, Offer::Valid { .. }) {
                input.check_unchanged()?;
            }
            if offers.blocking_send(offer).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Stops the run soon after the input changed, also when all of it has been read.
async fn watch(input: Arc<InputHandle>, shutdown: Shutdown) {
    loop {
        tokio::time::sleep(LOOK).await;
        let input = Arc::clone(&input);
        // A thread of its own may hang on a dead disk; the runtime may not. If none can be had, the next look will do: each record is
        // compared before it is sent anyway.
        let Ok(looking) = signals::on_thread(move || input.check_unchanged()) else { continue };
        if looking.await.is_err() {
            return shutdown.drain();
        }
    }
}

fn offer(record: InputRecord<'_>, known: &Known) -> Offer {
    let position = record.position;
    match (record.verdict, known.status(position.row)) {
        (RecordVerdict::Invalid { .. }, _) => Offer::Settled { position, status: Status::Invalid },
        (RecordVerdict::Valid { .. }, Some(status)) => Offer::Settled { position, status },
        (RecordVerdict::Valid { customer, .. }, None) => {
            Offer::Valid { position, email: customer.email.key(), payload: Payload::of(&customer) }
        }
    }
}

/// Why a run stopped before its end.
pub(in crate::commands) fn words(verdict: &Verdict, signal: Option<Signal>) -> Option<String> {
    match verdict {
        Verdict::Finished | Verdict::LimitReached => None,
        Verdict::Interrupted => Some(signal.map_or("interrupted".to_owned(), |signal| format!("stopped by {signal}"))),
        Verdict::TooManyFailures(count) => Some(format!("{count} records were rejected or failed (--max-failures)")),
        Verdict::RejectedAlike { times, words } => Some(format!(
            "{times} records in a row were rejected in the same words ({words}), most likely because of a wrong mapping"
        )),
        Verdict::Stopped(reason) => Some(reason.to_string()),
        Verdict::LedgerFailed(error @ LedgerError::Lost { lost, .. }) => {
            Some(format!("{error}; {}", failure::hint_of_lost(lost)))
        }
        Verdict::LedgerFailed(error) => Some(error.to_string()),
        Verdict::Crashed(panic) => Some(format!("a fault of this program: {panic}; its record is in doubt")),
    }
}
