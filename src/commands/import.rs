//! `import`: read once and plan, ask, send, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::check::{self, Planned, Purpose};
use super::input::Input;
use super::judge::{AsOf, Judge};
use super::known::Known;
use super::meter::Meter;
use super::reporting::Counted;
use super::sending::{self, Sending};
use super::signals::{self, Caught};
use super::{Failure, from_ledger, outlook, question, report, reporting, resume, suspects};
use crate::api::{Credentials, TokenSource};
use crate::cli::{ImportArgs, InputArgs, LogArgs, SummaryFormat};
use crate::delivery::{self, Offer, Payload, RunEnd, Shutdown, Verdict};
use crate::domain::{Duplicates, InputRecord, Status, Tally, Verdict as RecordVerdict};
use crate::event::Event;
use crate::exit::{Exit, Signal};
use crate::ledger::{Ledger, Reader, RunCounters, RunId};
use crate::logging::{FOR_PROGRAMS, masked};
use crate::report::{Plan, Progress, Scope, Summary};
use crate::sandbox::{self, Sandbox};
use crate::settings::{self, Outputs, TargetSettings};

/// How many records the reader may be ahead of the claims.
const AHEAD: usize = 512;
/// How often the input is compared with itself while nothing is read from it.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(args: &ImportArgs, log: &LogArgs) -> Result<Exit, Failure> {
    let meter = Meter::start(args)?;
    let ended = sending::on_runtime(import(args, log, &meter));
    let exit = ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit);
    // Where another run holds the ledger the file is that run's, and so is what it tells.
    if exit != Exit::Locked {
        meter.end(exit);
    }
    ended
}

async fn import(args: &ImportArgs, log: &LogArgs, meter: &Meter) -> Result<Exit, Failure> {
    let world = World::of(args).await?;
    let others = settings::own_files(Some(&world.settings.ledger), Some(&args.credentials));
    let outputs = Outputs::with_default(&args.output, &args.input.input, &others)?;
    let ledger = Arc::new(world.settings.open_ledger(!world.forgets())?);
    sending::check_owner(&ledger, &world.credentials).await?;
    outlook::refuse_dead_token(&world.credentials)?;
    let input = Input::open(&args.input.input)?;
    let Planned { plan, duplicates, known, kept, .. } = plan(args, &input, &world, &outputs, log)?;
    meter.planned(plan.tally.total(), plan.tally.get(Status::InDoubt) + plan.doubts_elsewhere);
    world.tell_of_proxy();
    let wanted = args.sending.limit.map_or(plan.to_send, |limit| plan.to_send.min(limit.get()));
    outlook::warn_of_early_end(&world.credentials, plan.time_for(wanted));
    let refused = refuse(args, &plan, &world);
    let shutdown = Shutdown::default();
    let caught = signals::listen(shutdown.clone())
        .map_err(|error| Failure::new(Exit::Io, error).context("cannot listen to signals".to_owned()))?;
    let (input, known) = (Arc::new(input), Arc::new(known));
    let import =
        Import { args, world, ledger, input, outputs, plan, duplicates, known, kept, shutdown, caught, log, meter };
    let run = import.ledger.begin_run(import.input.name()).await?;
    let span = tracing::error_span!(target: FOR_PROGRAMS, "import", run = run.name);
    let ended = import.send_and_report(&run, refused).instrument(span).await;
    ended.map_err(|failure| failure.of_run(&run.name))
}

/// Where the customers go: the API that was named, or a sandbox of our own.
struct World {
    settings: TargetSettings,
    credentials: Arc<Credentials>,
    sandbox: Option<(Sandbox, Option<tempfile::TempDir>)>,
}

impl World {
    async fn of(args: &ImportArgs) -> Result<Self, Failure> {
        if args.sandbox {
            return Self::sandbox(args).await;
        }
        let settings = TargetSettings::required(&args.target)?;
        let credentials = Arc::new(settings::credentials(&args.credentials)?);
        Ok(Self { settings, credentials, sandbox: None })
    }

    /// A world that forgets: what it is asked to remember goes with it, unless a ledger was named.
    async fn sandbox(args: &ImportArgs) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(Exit::Io, error).context("cannot start the sandbox".to_owned());
        let sandbox = sandbox::start(sandbox::Config::default(), 0).await.map_err(failed)?;
        let throw_away = match &args.target.ledger {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(failed)?),
        };
        let mut target = args.target.clone();
        target.base_url = Some(sandbox.base_url());
        if let Some(folder) = &throw_away {
            target.ledger = Some(folder.path().join("ledger.db"));
        }
        let mut settings = TargetSettings::required(&target)?;
        // Its port changes with every start; its name in the ledger does not.
        settings.target.base_url = "sandbox".to_owned();
        let credentials = Arc::new(Credentials::Source(TokenSource::fixed(&"sandbox".into())?));
        Ok(Self { settings, credentials, sandbox: Some((sandbox, throw_away)) })
    }

    /// Customers' data goes through a proxy where one is set up; that must not go unseen.
    fn tell_of_proxy(&self) {
        let set = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(|name| {
            let proxy = std::env::var(name).ok().filter(|value| !value.is_empty())?;
            let host = url::Url::parse(&proxy).ok().and_then(|proxy| proxy.host_str().map(str::to_owned));
            Some((name, host.unwrap_or_else(|| "a proxy".to_owned())))
        });
        if let (Some((name, host)), false) = (set, self.is_loopback()) {
            tracing::info!("requests go through {host} ({name}), unless NO_PROXY says otherwise");
        }
    }

    fn forgets(&self) -> bool {
        matches!(self.sandbox, Some((_, Some(_))))
    }

    fn is_loopback(&self) -> bool {
        self.settings.base.is_loopback()
    }
}

fn plan(args: &ImportArgs, input: &Input, world: &World, outputs: &Outputs, log: &LogArgs) -> Result<Planned, Failure> {
    let ledger = check::reader(&world.settings)?;
    let nothing = Outputs { reports: Vec::new(), rejects: None };
    let purpose = Purpose { rate: args.sending.rate, retry_rejected: args.sending.retry_rejected, sends: true };
    let planned = check::plan(input, &args.input, &nothing, ledger, &purpose)?;
    if planned.diagnostics.has_problems() || !log.quiet {
        check::tell(&planned.diagnostics, log, &outputs.reports);
    }
    Ok(planned)
}

/// Why nothing is sent after all, although the input can be read.
fn refuse(args: &ImportArgs, plan: &Plan, world: &World) -> Option<String> {
    let invalid = plan.tally.get(Status::Invalid);
    if args.sending.strict && invalid > 0 {
        return Some(format!("nothing was sent, for {invalid} records are invalid and --strict was given"));
    }
    let ask = !args.yes && !world.is_loopback() && question::is_possible();
    let question = || format!("{}\nSend {} records to {}?", plan.to_text(), plan.to_send, world.settings.base.as_str());
    (ask && !question::confirmed(&question())).then(|| "nothing was sent, as you wished".to_owned())
}

/// All that the sending needs.
struct Import<'a> {
    args: &'a ImportArgs,
    world: World,
    ledger: Arc<Ledger>,
    input: Arc<Input>,
    outputs: Outputs,
    plan: Plan,
    duplicates: Arc<Duplicates>,
    known: Arc<Known>,
    /// The names of the kept columns.
    kept: Vec<String>,
    shutdown: Shutdown,
    caught: Caught,
    log: &'a LogArgs,
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

impl Import<'_> {
    async fn send_and_report(self, run: &RunId, refused: Option<String>) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let sent = match refused {
            Some(why) => Sent::nothing(why),
            None => self.send(run).await?,
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

    async fn send(&self, run: &RunId) -> Result<Sent, Failure> {
        let (offers, offered) = mpsc::channel(AHEAD);
        let (input, input_args, known) = (Arc::clone(&self.input), self.args.input.clone(), Arc::clone(&self.known));
        let stop = self.shutdown.clone();
        // An input that cannot be read on stops the sending, too.
        let reading = tokio::task::spawn_blocking(move || {
            read(&input, &input_args, &known, &offers).inspect_err(|_| stop.drain())
        });
        let watching = tokio::spawn(watch(Arc::clone(&self.input), self.shutdown.clone()));
        let mut progress = Progress::start(sending::progress_style(self.args.progress, self.log), self.scope());
        let target = &self.world.settings;
        let sending = Sending {
            args: &self.args.sending,
            credentials: &self.world.credentials,
            ca_file: self.args.credentials.ca_file.as_deref(),
            base: &target.base,
        };
        let job = sending.job(&self.ledger, run, offered, self.plan.to_send, &self.shutdown)?;
        let end = delivery::run(job, |event| {
            log(&event);
            self.meter.on(&event);
            progress.on(&event, Instant::now());
        })
        .await;
        progress.finish();
        watching.abort();
        let unread = if self.shutdown.is_leaving() { None } else { joined(reading.await).err() };
        let RunEnd { verdict, counters } = end;
        let stopped = words(&verdict).map(|why| match &verdict {
            Verdict::RejectedAlike { words, .. } => format!("{why}; {}", suspects::hint(words, &self.plan.columns)),
            _ => why,
        });
        Ok(Sent { verdict: Some(verdict), counters, unread, stopped })
    }

    fn scope(&self) -> Scope {
        let (tally, sending) = (&self.plan.tally, &self.args.sending);
        let mut known = Tally::default();
        known.add_many(Status::Exists, tally.get(Status::Exists));
        if !sending.retry_rejected {
            known.add_many(Status::Rejected, tally.get(Status::Rejected));
        }
        let limit = sending.limit.map(Into::into);
        Scope { records: tally.total(), to_send: self.plan.to_send, limit, known }
    }

    /// The reports, the end of the run in the ledger, the summary. Also returns whether the summary
    /// says how to resume.
    async fn report(&self, run: &RunId, sent: Sent, begun: Instant) -> Result<(Exit, bool), Failure> {
        let Sent { verdict, counters, unread, mut stopped } = sent;
        let counted = match unread {
            Some(failure) => Err(failure),
            None => self.count(run).await,
        };
        let counted = match counted {
            Err(unread) if unread.exit == Exit::Input => {
                // A run that the input stopped looks like one that was interrupted.
                let why = stopped.filter(|_| !matches!(verdict, Some(Verdict::Interrupted)));
                let ledger_failed = matches!(verdict, Some(Verdict::LedgerFailed(_)));
                return Err(self.report_from_ledger(run, counters, why, ledger_failed, unread, begun).await);
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
        if let (Ok(counted), Ok(doubts)) = (&counted, self.doubts()) {
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
        let resumable = !self.world.forgets() && unfinished.into_iter().any(|status| counted.tally.get(status) > 0);
        let next_command = resumable.then(|| resume::command(&self.input));
        let summary = self.summary(run, counters, counted, begun, exit, stopped, next_command)?;
        // Whoever wants to hear only of trouble, from cron, gets no mail about a night that went
        // well.
        if !(self.log.quiet && exit == Exit::Done && self.args.output.summary == SummaryFormat::Text) {
            report::print(&summary, self.args.output.summary);
        }
        Ok((exit, resumable))
    }

    #[expect(clippy::too_many_arguments, reason = "each is another part of what is told")]
    fn summary(
        &self,
        run: &RunId,
        counters: RunCounters,
        counted: Counted,
        begun: Instant,
        exit: Exit,
        stopped: Option<String>,
        next_command: Option<String>,
    ) -> Result<Summary, Failure> {
        Ok(Summary {
            run: run.name.clone(),
            target: self.world.settings.base.as_str().to_owned(),
            tally: counted.tally,
            requests: counters.requests,
            throttled: counters.throttled,
            retries: counters.retries,
            recovered: counters.recovered,
            duration: begun.elapsed(),
            errors: counted.errors,
            shared_ids: report::shared_ids(&self.world.settings, run.number)?,
            reports: self.outputs.reports.clone(),
            rejects: self.outputs.rejects.clone(),
            exit_code: exit.code(),
            stopped,
            unended: None,
            partial: false,
            next_command,
        })
    }

    /// The same if the input changed or cannot be read any more: what the ledger knows is reported
    /// all the same.
    async fn report_from_ledger(
        &self,
        run: &RunId,
        counters: RunCounters,
        why: Option<String>,
        ledger_failed: bool,
        unread: Failure,
        begun: Instant,
    ) -> Failure {
        let counted = match self.count_from_ledger(run).await {
            Ok(counted) => counted,
            Err(failure) => return failure.hint(self.hint_to_resume()),
        };
        let exit = unread.exit;
        let words = [why, Some(unread.words()), Some(self.made_from_ledger(&counted.tally))];
        let stopped = words.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if let Ok(doubts) = self.doubts() {
            self.meter.reported(&counted.tally, doubts);
        }
        let ended = self.ledger.end_run(run, counters, exit.code(), Some(stopped.clone())).await;
        if let (Err(error), false) = (ended, ledger_failed) {
            return error.into();
        }
        log_end(exit, Some(&stopped));
        let command = Some(resume::command(&self.input));
        match self.summary(run, counters, counted, begun, exit, Some(stopped.clone()), command) {
            // Rejects need the cells of the input.
            Ok(summary) => {
                report::print(&Summary { partial: true, rejects: None, ..summary }, self.args.output.summary);
            }
            Err(failure) => return failure,
        }
        Failure::new(exit, stopped).hint(format!(
            "nothing that was read after a change was sent; see whether the file is what it should be, then resume with: {}",
            resume::command(&self.input)
        ))
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

    async fn count_from_ledger(&self, run: &RunId) -> Result<Counted, Failure> {
        let (reader, run, outputs, kept) = (self.reader()?, run.number, self.outputs.clone(), self.kept.clone());
        let pass = tokio::task::spawn_blocking(move || from_ledger::pass(&reader, run, &outputs, &kept));
        self.unless_leaving(pass).await
    }

    /// The pass over the input that makes the reports; a second signal does not wait for it.
    async fn count(&self, run: &RunId) -> Result<Counted, Failure> {
        let judge = Judge::new(Arc::clone(&self.duplicates), Some(self.reader()?), AsOf::Run(run.number));
        let (input, args, outputs) = (Arc::clone(&self.input), self.args.input.clone(), self.outputs.clone());
        let pass = tokio::task::spawn_blocking(move || reporting::pass(&input, &args, &outputs, &judge, |_, _| {}));
        self.unless_leaving(pass).await
    }

    async fn unless_leaving<T>(&self, pass: JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.shutdown.leaving() => Err(self.left_at_once()),
            done = pass => joined(done),
        }
    }

    fn reader(&self) -> Result<Reader, Failure> {
        let settings = &self.world.settings;
        Ok(Reader::open(&settings.ledger, &settings.target)?)
    }

    fn doubts(&self) -> Result<u64, Failure> {
        Ok(self.reader()?.open_requests()?.len() as u64)
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

impl Sent {
    fn nothing(why: String) -> Self {
        Self { verdict: None, counters: RunCounters::default(), unread: None, stopped: Some(why) }
    }
}

/// What `-v` adds. Rows and not people: e-mails in the server's words are masked.
pub(super) fn log(event: &Event) {
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
fn read(input: &Input, args: &InputArgs, known: &Known, offers: &mpsc::Sender<Offer>) -> Result<(), Failure> {
    for records in input.feed(args, false)?.in_parallel(Vec::<InputRecord<'_>>::new)? {
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
async fn watch(input: Arc<Input>, shutdown: Shutdown) {
    loop {
        tokio::time::sleep(LOOK).await;
        let input = Arc::clone(&input);
        // A thread of its own may hang on a dead disk; the runtime may not.
        if let Ok(Err(_)) = tokio::task::spawn_blocking(move || input.check_unchanged()).await {
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

fn joined<T>(ended: Result<Result<T, Failure>, tokio::task::JoinError>) -> Result<T, Failure> {
    ended.unwrap_or_else(|panic| Err(Failure::new(Exit::Io, panic)))
}

/// Why a run stopped before its end.
pub(super) fn words(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Finished | Verdict::LimitReached => None,
        Verdict::Interrupted => Some("interrupted".to_owned()),
        Verdict::TooManyFailures(count) => Some(format!("{count} records were rejected or failed (--max-failures)")),
        Verdict::RejectedAlike { times, words } => Some(format!(
            "{times} records in a row were rejected in the same words ({words}), most likely because of a wrong mapping"
        )),
        Verdict::Stopped(reason) => Some(reason.to_string()),
        Verdict::LedgerFailed(error) => Some(error.to_string()),
        Verdict::Crashed(panic) => Some(format!("a fault of this program: {panic}; its record is in doubt")),
    }
}
