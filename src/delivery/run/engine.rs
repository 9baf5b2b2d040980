//! Runs a delivery: owns the counts, claims records, starts their tasks, and decides when to stop.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tracing::Instrument as _;

use super::minutes::MinuteCollector;
use super::stop_rules::{GuardPolicy, Halt, StopRules, is_ordinary};
use super::verdict::{RunEnd, Verdict};
use crate::clock::Clock;
use crate::delivery::auth::admission::Admission;
use crate::delivery::auth::token_cache::TokenCache;
use crate::delivery::handover;
use crate::delivery::note::TaskMessage;
use crate::delivery::opening::Opening;
use crate::delivery::payload::Payload;
use crate::delivery::rate::pacer::{Before, Pacer, until};
use crate::delivery::rate::rate_option::Rate;
use crate::delivery::record::apart::{Apart, LookHash};
use crate::delivery::record::deliver::{ApiEvidence, Delivered, RunAbort, RunContext, deliver};
use crate::delivery::record::retry::RetryPolicy;
use crate::delivery::record::slots::{Slot, Slots};
use crate::delivery::server::Server;
use crate::delivery::shutdown::Shutdown;
use crate::domain::{AttemptResult, EmailKey, MinuteTraffic, Position, Request, ResponseClass, Status};
use crate::event::{Event, Trouble};
use crate::fault;
use crate::ledger::{Claim, ClaimPolicy, ClaimRequest, Ledger, LedgerError, RunCounters, RunId, Ticket};

/// How many claimed records are kept ready per in-flight slot, so that a free slot never waits for
/// a claim.
const READY_PER_SLOT: usize = 2;
/// How many records can be started and not settled per in-flight slot, including waiting ones.
const STARTED_PER_SLOT: usize = 8;
/// How often a run sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A record from the input.
#[derive(Debug)]
pub enum Offer {
    Valid {
        position: Position,
        email: EmailKey,
        payload: Payload,
    },
    /// A record that needs no request; only counted.
    Settled {
        position: Position,
        status: Status,
    },
}

/// Everything a run needs.
#[derive(Debug)]
pub struct Job<S> {
    pub server: S,
    pub ledger: Arc<Ledger>,
    pub run: RunId,
    /// Filled by the reader of the input, a bounded number of records ahead; drained by claims.
    pub offers: mpsc::Receiver<Offer>,
    /// How many records the plan expects to send.
    pub to_send: u64,
    pub rate: Rate,
    pub concurrency: NonZeroUsize,
    pub retry: RetryPolicy,
    pub guard: GuardPolicy,
    pub claims: ClaimPolicy,
    pub lookups: bool,
    /// Maximum number of records to send.
    pub limit: Option<u64>,
    /// The rows whose rejection is known and does not count towards the most failures.
    pub known_rejected: HashSet<u64>,
    /// What was asked before, if a person was asked whether to send.
    pub opening: Option<Opening>,
    pub shutdown: Shutdown,
}

/// Sends every record that comes in and is not known yet. Returns when all are settled, or when
/// going on would do harm.
pub async fn run<S: Server>(job: Job<S>, listener: impl FnMut(Event)) -> RunEnd {
    run_by(Clock::system(), job, listener).await
}

/// Does the same with a given clock.
pub(crate) async fn run_by<S: Server>(clock: Clock, job: Job<S>, listener: impl FnMut(Event)) -> RunEnd {
    let ever_created = match job.ledger.has_created().await {
        Ok(ever) => ever,
        Err(error) => return RunEnd { verdict: Verdict::LedgerFailed(error), counters: RunCounters::default() },
    };
    let apart = match look_alikes(&clock, &job).await {
        Ok(apart) => apart,
        Err(error) => return RunEnd { verdict: Verdict::LedgerFailed(error), counters: RunCounters::default() },
    };
    let (pacing, paced) = mpsc::unbounded_channel();
    let (messages, noted) = mpsc::unbounded_channel();
    let (showing, shown) = watch::channel(ApiEvidence::default());
    let give_up_after = job.guard.give_up_after;
    let (tokens, first, requests) = match job.opening {
        Some(Opening { tokens, first, requests, .. }) => (tokens.give_up_after(give_up_after), Some(first), requests),
        None => (TokenCache::new(job.server.logs_in(), give_up_after), None, 0),
    };
    let before = Before { first, held_until: handover::held_until(&job.ledger, &clock) };
    let slots = Slots::new(job.ledger.may_write_ahead());
    let (server, pacer) = (Arc::new(job.server), Pacer::start_after(before, job.rate, pacing));
    let context = RunContext {
        admission: Admission::with_tokens(
            Arc::clone(&server),
            pacer.clone(),
            job.shutdown.clone(),
            messages.clone(),
            tokens,
        ),
        server,
        ledger: job.ledger,
        run: job.run,
        pacer,
        // A single request first. Every response adds a place, up to the concurrency.
        slots,
        policy: job.retry,
        lookups: AtomicBool::new(job.lookups),
        messages,
        shown,
        awaiting: AtomicUsize::new(0),
        shutdown: job.shutdown,
        clock,
    };
    let run = Run {
        context: Arc::new(context),
        listener,
        offers: Some(job.offers),
        claiming: None,
        ready: VecDeque::new(),
        apart,
        tasks: FuturesUnordered::new(),
        stop_rules: StopRules::new(job.guard, job.to_send, ever_created),
        known_rejected: job.known_rejected,
        claims: job.claims,
        concurrency: job.concurrency,
        left_to_send: job.limit,
        counters: RunCounters { requests, ..RunCounters::default() },
        minutes: MinuteCollector::default(),
        showing,
        trouble: None,
        verdict: None,
        is_finishing: false,
    };
    run.work(paced, noted).await
}

/// Returns what keeps look-alikes apart, with the doubts of earlier runs that the server may still
/// be working on.
async fn look_alikes<S>(clock: &Clock, job: &Job<S>) -> Result<Apart<(Ticket, Payload)>, LedgerError> {
    let mut apart = Apart::new(job.concurrency.get().saturating_mul(STARTED_PER_SLOT));
    let (now, begin) = (clock.now(), Instant::now());
    for (email, sent_at) in job.ledger.sent_within(job.retry.settle, now).await? {
        apart.doubt(apart.look(&email), begin + job.retry.settles_in(sent_at, now), begin);
    }
    Ok(apart)
}

/// The look-alike hash of a record, and how its task ended.
type TaskResult = (LookHash, Result<Delivered, RunAbort>);
type End = Result<TaskResult, tokio::task::JoinError>;

/// A batch of claims at the ledger, and its results.
type Claiming = BoxFuture<'static, Result<Vec<(Claim, Position, Payload)>, LedgerError>>;

/// The only owner of a run's state.
struct Run<S, L> {
    context: Arc<RunContext<S>>,
    listener: L,
    /// `None` when no more records will come.
    offers: Option<mpsc::Receiver<Offer>>,
    /// The batch that the ledger is claiming: one at a time, because records are claimed in input
    /// order.
    claiming: Option<Claiming>,
    /// Claimed and not started, in input order.
    ready: VecDeque<(Ticket, Payload)>,
    /// Claimed records that wait for a look-alike to end.
    apart: Apart<(Ticket, Payload)>,
    tasks: FuturesUnordered<JoinHandle<TaskResult>>,
    stop_rules: StopRules,
    known_rejected: HashSet<u64>,
    claims: ClaimPolicy,
    concurrency: NonZeroUsize,
    /// How many more records `--limit` allows.
    left_to_send: Option<u64>,
    counters: RunCounters,
    minutes: MinuteCollector,
    /// Evidence from the responses so far, for records whose rejection waits for it.
    showing: watch::Sender<ApiEvidence>,
    /// The last reported reason why no connection is possible.
    trouble: Option<String>,
    /// The first reason to end, if there is one. A reached limit is replaced by any other reason.
    verdict: Option<Verdict>,
    /// The listener knows that nothing is left to start.
    is_finishing: bool,
}

impl<S: Server, L: FnMut(Event)> Run<S, L> {
    async fn work(
        mut self,
        mut paced: mpsc::UnboundedReceiver<Event>,
        mut noted: mpsc::UnboundedReceiver<TaskMessage>,
    ) -> RunEnd {
        let most = self.context.ledger.claims_at_once();
        let mut batch = Vec::with_capacity(most);
        let mut heart = heart();
        while !self.is_done() {
            self.confirm_the_last();
            self.tell_if_finishing();
            let (may_start, may_claim) = (self.may_start(), self.may_claim());
            let (open, draining) = (!self.tasks.is_empty(), self.context.shutdown.is_draining());
            tokio::select! {
                biased;
                () = self.context.shutdown.leaving() => break,
                () = self.context.shutdown.draining(), if !draining => self.drain(Verdict::Interrupted),
                _ = heart.tick() => self.tell(Event::Heartbeat),
                Some(event) = paced.recv() => self.report_pace(event),
                Some(note) = noted.recv() => self.take_notes(note, &mut noted),
                Some(end) = self.tasks.next(), if open => self.take_ends(end),
                () = until(self.apart.free_at()) => self.take_freed(),
                () = until(self.stop_rules.deadline()), if !draining => self.halt(self.stop_rules.out_of_patience(Instant::now())),
                slot = self.context.slots.acquire(), if may_start => self.start_all(slot),
                Some(claims) = answered(&mut self.claiming) => self.take_claims(claims),
                _ = receive(&mut self.offers, &mut batch, most), if may_claim => self.claim(&mut batch),
            }
        }
        if self.context.shutdown.is_draining() && matches!(self.verdict, None | Some(Verdict::LimitReached)) {
            self.verdict = Some(Verdict::Interrupted);
        }
        // Messages that tasks sent before they ended are still in the channel.
        self.take_rest(&mut noted);
        self.context.hold_others_back();
        let last = self.minutes.finish();
        self.keep_minute(last);
        RunEnd { verdict: self.verdict.unwrap_or(Verdict::Finished), counters: self.counters }
    }

    fn is_done(&self) -> bool {
        self.offers.is_none()
            && self.claiming.is_none()
            && self.ready.is_empty()
            && self.apart.is_empty()
            && self.tasks.is_empty()
    }

    /// Tells once that nothing is left to start, unless the run was stopped.
    fn tell_if_finishing(&mut self) {
        let is_stopped = !matches!(self.verdict, None | Some(Verdict::LimitReached));
        let all_started =
            self.offers.is_none() && self.claiming.is_none() && self.ready.is_empty() && self.apart.is_empty();
        if all_started && !is_stopped && !self.is_finishing {
            self.is_finishing = true;
            self.tell(Event::Finishing { in_flight: self.tasks.len() });
        }
    }

    /// Returns whether a record can start. Records whose rejection only waits for others do not
    /// count, because otherwise they would keep those others from starting.
    fn may_start(&self) -> bool {
        let at_work = self.tasks.len().saturating_sub(self.awaiting());
        !self.ready.is_empty() && at_work < self.concurrency.get() * STARTED_PER_SLOT
    }

    fn awaiting(&self) -> usize {
        self.context.awaiting.load(Ordering::Relaxed)
    }

    /// If only records are left whose rejection waits for others, confirms them: no others will
    /// come, and the run was not stopped because of them.
    fn confirm_the_last(&self) {
        // If no more records can be set aside, none is claimed either, and those set aside may wait
        // for one of these.
        let no_offers = self.offers.is_none() || !self.apart.has_room();
        let nothing_comes = no_offers && self.claiming.is_none() && self.ready.is_empty();
        if nothing_comes && !self.tasks.is_empty() && self.tasks.len() == self.awaiting() {
            self.show(|shown| (shown.ordinary, shown.successes) = (shown.ordinary + 1, shown.successes + 1));
        }
    }

    fn show(&self, what: impl FnOnce(&mut ApiEvidence)) {
        self.showing.send_modify(what);
    }

    fn may_claim(&self) -> bool {
        let few = self.ready.len() < self.concurrency.get() * READY_PER_SLOT;
        self.offers.is_some() && self.claiming.is_none() && few && self.apart.has_room()
    }

    /// Claims the batch. An empty batch means that the input has ended.
    fn claim(&mut self, batch: &mut Vec<Offer>) {
        if batch.is_empty() {
            self.offers = None;
            return;
        }
        self.context.server.handled(batch.len());
        let (mut requests, mut payloads) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for offer in batch.drain(..) {
            match offer {
                Offer::Settled { position, status } => self.settled(position, status),
                Offer::Valid { position, email, payload } => {
                    requests.push(ClaimRequest { email, payload: payload.hash, position });
                    payloads.push((position, payload));
                }
            }
        }
        if requests.is_empty() {
            return;
        }
        let (context, policy) = (Arc::clone(&self.context), self.claims);
        let claiming = async move {
            let claims = context.ledger.claim(&context.run, requests, policy).await?;
            Ok(claims
                .into_iter()
                .zip(payloads)
                .map(|(claim, (position, payload))| (claim, position, payload))
                .collect())
        };
        self.claiming = Some(claiming.boxed());
    }

    fn take_claims(&mut self, claims: Result<Vec<(Claim, Position, Payload)>, LedgerError>) {
        let claims = match claims {
            Ok(claims) => claims,
            Err(error) => return self.drain(Verdict::LedgerFailed(error)),
        };
        for (claim, position, payload) in claims {
            match claim {
                Claim::Deliver(ticket) => self.ready.push_back((ticket, payload)),
                Claim::Settled(status) => self.settled(position, status),
                Claim::Duplicate { .. } => self.settled(position, Status::Duplicate),
            }
        }
    }

    /// Starts as many records as there are slots. Checking everything else between two of them
    /// takes longer than starting one.
    fn start_all(&mut self, slot: Slot) {
        self.start(slot);
        while self.may_start() {
            match self.context.slots.try_acquire() {
                Some(slot) => self.start(slot),
                None => return,
            }
        }
    }

    fn start(&mut self, slot: Slot) {
        if self.left_to_send == Some(0) {
            return self.drain_quietly(Verdict::LimitReached);
        }
        let now = Instant::now();
        while let Some((ticket, payload)) = self.ready.pop_front() {
            let (look, resolves) = (self.apart.look(ticket.email()), ticket.is_resumed());
            let Some((ticket, payload)) = self.apart.admit(look, resolves, (ticket, payload), now) else { continue };
            self.left_to_send = self.left_to_send.map(|left| left - 1);
            let context = Arc::clone(&self.context);
            // Called inside the block, because a future that is captured and then awaited takes up
            // its memory twice. Boxed, because the runtime moves a task several times.
            let task = Box::pin(async move { (look, deliver(context, ticket, payload, slot).await) });
            self.tasks.push(tokio::spawn(task.in_current_span()));
            return;
        }
    }

    /// Makes records ready whose look-alikes have ended.
    fn take_freed(&mut self) {
        for record in self.apart.take_freed(Instant::now()).into_iter().rev() {
            self.ready.push_front(record);
        }
    }

    fn take_notes(&mut self, note: TaskMessage, noted: &mut mpsc::UnboundedReceiver<TaskMessage>) {
        self.take_note(note);
        self.take_rest(noted);
    }

    fn take_rest(&mut self, noted: &mut mpsc::UnboundedReceiver<TaskMessage>) {
        while let Ok(note) = noted.try_recv() {
            self.take_note(note);
        }
    }

    fn take_note(&mut self, note: TaskMessage) {
        match note {
            TaskMessage::Event(event) => self.tell(event),
            TaskMessage::Answer { row, result, took } => {
                let class = ResponseClass::of_attempt(&result);
                self.tell(Event::Response { request: Request::Create, class, took });
                self.take_answer(row, &result);
            }
            TaskMessage::RejectedAfterAll(words) => {
                let halt = self.stop_rules.rejected_after_all(&words);
                self.halt(halt);
            }
            // The loop checks whether only such records are left.
            TaskMessage::Awaiting => {}
            TaskMessage::Alive => self.stop_rules.alive(),
            TaskMessage::Unreached(cause) => {
                let halt = self.stop_rules.unreached(&cause, Instant::now());
                self.report_trouble(&cause);
                self.halt(halt);
            }
            TaskMessage::Throttled(pause) => {
                let halt = self.stop_rules.throttled(pause, Instant::now());
                self.halt(halt);
            }
        }
    }

    fn take_answer(&mut self, row: u64, result: &AttemptResult) {
        if self.context.slots.size() < self.concurrency.get() && result.costs_an_attempt() {
            self.context.slots.grow();
        }
        if is_ordinary(result) {
            self.show(|shown| {
                shown.ordinary += 1;
                shown.successes += u64::from(!matches!(result, AttemptResult::Rejected(_)));
            });
        }
        let halt = self.stop_rules.answered(row, result, Instant::now());
        match result {
            AttemptResult::NotSent { cause, .. } => self.report_trouble(cause),
            _ => self.trouble = None,
        }
        self.halt(halt);
    }

    /// Reports why no connection is possible, once for each cause in a row.
    fn report_trouble(&mut self, cause: &str) {
        if self.trouble.as_deref() == Some(cause) {
            return;
        }
        self.trouble = Some(cause.to_owned());
        if let Some(trouble) = self.current_trouble() {
            self.tell(Event::Unreachable(trouble));
        }
    }

    fn current_trouble(&self) -> Option<Trouble> {
        let (cause, gives_up_at) = self.stop_rules.trouble()?;
        let gives_up_in = gives_up_at.saturating_duration_since(Instant::now());
        Some(Trouble { cause: cause.to_owned(), gives_up_in })
    }

    fn report_pace(&mut self, event: Event) {
        if let Event::Throttled { pause } = event {
            self.context.ledger.hold_back(self.context.clock.now().later(pause));
        }
        let event = match event {
            Event::BreakerOpened { pause, .. } => Event::BreakerOpened { pause, trouble: self.current_trouble() },
            other => other,
        };
        self.tell(event);
    }

    fn take_ends(&mut self, end: End) {
        self.take_end(end);
        while let Some(Some(end)) = self.tasks.next().now_or_never() {
            self.take_end(end);
        }
    }

    fn take_end(&mut self, end: End) {
        let end = match end {
            Ok((look, end)) => {
                self.let_look_alikes_go(look, &end);
                end
            }
            // The intent is in the ledger, so the record is in doubt and not lost.
            Err(error) => return self.drain(Verdict::Crashed(panic_of(error))),
        };
        match end {
            Ok(Delivered::Settled { position, status }) => {
                self.settled(position, status);
                if status != Status::Rejected || !self.known_rejected.contains(&position.row) {
                    let halt = self.stop_rules.settled(status);
                    self.halt(halt);
                }
            }
            Ok(Delivered::Left) => {}
            Err(RunAbort::Stop(reason)) => self.drain(Verdict::Stopped(reason)),
            Err(RunAbort::Ledger(error)) => self.drain(Verdict::LedgerFailed(error)),
        }
    }

    /// Lets look-alikes go on. A record that ended in doubt may have sent its last request just
    /// now, so they wait for its settle time.
    fn let_look_alikes_go(&mut self, look: LookHash, end: &Result<Delivered, RunAbort>) {
        if matches!(end, Ok(Delivered::Settled { status: Status::InDoubt, .. })) {
            let now = Instant::now();
            self.apart.doubt(look, now + self.context.policy.settle, now);
        }
        self.apart.ended(look);
        self.take_freed();
    }

    /// Ends the run if there is a reason to.
    fn halt(&mut self, halt: Option<Halt>) {
        if let Some(halt) = halt {
            self.drain(match halt {
                Halt::TooManyFailures(count) => Verdict::TooManyFailures(count),
                Halt::RejectedAlike { times, words } => Verdict::RejectedAlike { times, words },
                Halt::Stop(reason) => Verdict::Stopped(reason),
            });
        }
    }

    /// Starts nothing new and drains; the first reason is the verdict.
    fn drain(&mut self, verdict: Verdict) {
        if matches!(self.verdict, None | Some(Verdict::LimitReached)) {
            self.tell(Event::Draining { in_flight: self.tasks.len() });
            self.verdict = Some(verdict);
        }
        self.stop_starting();
        self.context.shutdown.drain();
    }

    /// Starts nothing new, and lets started records finish.
    fn drain_quietly(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
        self.stop_starting();
    }

    fn stop_starting(&mut self) {
        self.offers = None;
        self.claiming = None;
        self.ready.clear();
        self.apart.clear();
    }

    fn settled(&mut self, position: Position, status: Status) {
        self.tell(Event::Settled { position, status });
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Request(_) => self.counters.requests += 1,
            Event::Retry { .. } => self.counters.retries += 1,
            Event::Recovered { .. } => self.counters.recovered += 1,
            Event::Throttled { .. } => self.counters.throttled += 1,
            _ => {}
        }
        let minute = self.minutes.on(&event, || self.context.clock.now().wall);
        self.keep_minute(minute);
        (self.listener)(event);
    }

    /// Hands a minute to the ledger, and waits for nothing.
    fn keep_minute(&self, minute: Option<MinuteTraffic>) {
        if let Some(minute) = minute {
            self.context.ledger.add_minute(&self.context.run, minute);
        }
    }
}

/// Returns why a task crashed, without the data that a panic may show.
fn panic_of(error: tokio::task::JoinError) -> String {
    error.try_into_panic().map_or_else(|error| error.to_string(), |panic| fault::words(&*panic))
}

/// Returns the heartbeat. After a suspension it continues at its interval and does not catch up.
fn heart() -> Interval {
    let mut heart = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heart
}

/// Waits for the results of the current claims. Returns `None` at once if there are none.
async fn answered<T>(claiming: &mut Option<BoxFuture<'static, T>>) -> Option<T> {
    let answer = claiming.as_mut()?.await;
    *claiming = None;
    Some(answer)
}

/// Waits for the next records: at least one, unless the input has ended.
async fn receive(offers: &mut Option<mpsc::Receiver<Offer>>, batch: &mut Vec<Offer>, most: usize) -> usize {
    match offers {
        Some(offers) => offers.recv_many(batch, most).await,
        None => 0,
    }
}
