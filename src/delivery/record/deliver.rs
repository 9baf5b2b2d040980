//! The task that delivers one record. It does what `Lifecycle` decides, and waits when `Lifecycle`
//! says so.
//!
//! Each task holds a slot from before it asks for a permit until its outcome is queued. It releases
//! the slot for every longer wait, so waiting records never block others. The next task's intent is
//! queued after that outcome, so the ledger never has more open requests than slots (I7), and no
//! slot waits for another task's commit. This also bounds the queued outcomes: a slot queues one,
//! and the next one only after the intent behind it is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::lifecycle::{Finish, KeyChoice, Lifecycle, LookupFinding, Pause, Proof, Sighting, Step};
use super::retry::RetryPolicy;
use super::slots::{Slot, Slots};
use crate::api::{Departure, LookupScan, PageResult, Token};
use crate::clock::Clock;
use crate::delivery::auth::admission::{Admission, Admitted};
use crate::delivery::auth::token_cache::TokenRefusal;
use crate::delivery::backoff::{backoff, jitter};
use crate::delivery::handover;
use crate::delivery::note::TaskMessage;
use crate::delivery::pages::{PageReply, PageRequest, ask_for_page, class_of_page};
use crate::delivery::payload::Payload;
use crate::delivery::rate::circuit_breaker::Health;
use crate::delivery::rate::pacer::{Pacer, Permit};
use crate::delivery::server::{Outgoing, Server};
use crate::delivery::shutdown::Shutdown;
use crate::domain::{
    AttemptResult, EmailKey, Ending, LookupResult, Matches, Moment, Outcome, Position, Receipt, Request, Status,
    StopReason,
};
use crate::event::Event;
use crate::ledger::{Intent, Ledger, LedgerError, RunId, Ticket};

/// After so many failed look-ups, a record counts as having none available.
const LOOKUP_TRIES: u32 = 5;
/// How long the sync of an intent is expected to take.
const SYNC_TIME: Duration = Duration::from_millis(250);
/// How long after its stated end the server may still accept a token.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// If only the requests of one record are rejected so often in a row, each time with the current
/// token, the run stops, because otherwise tokens would be renewed forever.
const TOKEN_TRIES: u32 = 3;

/// What all tasks of a run share.
#[derive(Debug)]
pub(crate) struct RunContext<S> {
    pub server: Arc<S>,
    pub ledger: Arc<Ledger>,
    pub run: RunId,
    pub pacer: Pacer,
    pub admission: Admission<S>,
    pub slots: Slots,
    pub policy: RetryPolicy,
    /// False once the server has shown that it offers no look-ups.
    pub lookups: AtomicBool,
    pub messages: mpsc::UnboundedSender<TaskMessage>,
    /// Evidence from the responses to all records so far; written by the run.
    pub shown: watch::Receiver<ApiEvidence>,
    /// How many records wait for [`Self::shown`] to confirm the rejection that they ended with.
    pub awaiting: AtomicUsize,
    pub shutdown: Shutdown,
    pub clock: Clock,
}

impl<S> RunContext<S> {
    /// Lets a process that takes the ledger over keep the pace of this one.
    pub(crate) fn hold_others_back(&self) {
        handover::hold_others_back(&self.pacer, &self.ledger, &self.clock);
    }
}

/// How many responses have shown so far that the API works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiEvidence {
    pub ordinary: u64,
    pub successes: u64,
}

impl ApiEvidence {
    /// Returns whether a response that shows `proof` came since `then`.
    fn proves(self, proof: Proof, then: Self) -> bool {
        match proof {
            Proof::OrdinaryAnswer => self.ordinary > then.ordinary,
            Proof::Success => self.successes > then.successes,
        }
    }
}

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// The outcome is committed.
    Settled { position: Position, status: Status },
    /// The run ends, and no request of this record is in flight; the ledger has it as not
    /// attempted.
    Left,
}

/// Why the whole run must end.
#[derive(Debug)]
pub(crate) enum RunAbort {
    Ledger(LedgerError),
    Stop(StopReason),
}

impl From<LedgerError> for RunAbort {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// A wait ended early because the run drains.
struct Draining;

/// What follows a durable intent.
enum Intended {
    /// The request leaves, at this moment at the latest.
    Leaves {
        by: Moment,
    },
    /// The pace stopped since the permit was given: it needs another one.
    Overtaken,
    Draining,
}

/// Delivers one record. `wanted` is the current data of the input. If an earlier run left a request
/// open, that one is resolved first, with its own body.
pub(crate) async fn deliver<S: Server>(
    context: Arc<RunContext<S>>,
    mut ticket: Ticket,
    wanted: Payload,
    slot: Slot,
) -> Result<Delivered, RunAbort> {
    let (open, wanted) = (ticket.take_resumed(), Arc::new(wanted));
    let mut delivery = Delivery {
        lifecycle: Lifecycle::new(context.policy),
        payload: Arc::clone(&wanted),
        key: context.ledger.key(&ticket, wanted.hash, ticket.generation()),
        generation: ticket.generation(),
        slot: Some(slot),
        refusals: 0,
        lookup_failures: 0,
        was_broken: false,
        doubted_email: false,
        context,
        ticket,
        wanted,
    };
    if let Some(open) = open {
        delivery.resume(open);
        let delivered = delivery.live().await?;
        if !delivery.must_start_over(&delivered) {
            return Ok(delivery.as_the_input_sees_it(delivered));
        }
        delivery.start_over();
    }
    delivery.live().await
}

struct Delivery<S> {
    context: Arc<RunContext<S>>,
    ticket: Ticket,
    /// The current data of the input.
    wanted: Arc<Payload>,
    /// The data that the current key stands for.
    payload: Arc<Payload>,
    key: String,
    generation: u32,
    lifecycle: Lifecycle,
    /// `None` while the record waits.
    slot: Option<Slot>,
    /// How many current tokens were rejected in a row.
    refusals: u32,
    /// Failed look-ups, except for probes of an open breaker.
    lookup_failures: u32,
    /// The application failed at this record before.
    was_broken: bool,
    /// The last response was a rejection whose meaning only a look-up shows.
    doubted_email: bool,
}

impl<S: Server> Delivery<S> {
    fn resume(&mut self, open: Intent) {
        self.lifecycle = Lifecycle::resumed(self.context.policy, open.key_since, open.sent_at);
        self.generation = open.generation;
        self.key = open.key;
        self.payload = Arc::new(Payload::stored(open.body, &self.wanted.email));
    }

    /// Returns true if the API rejected the old data for good and the input has other data now.
    fn must_start_over(&self, delivered: &Delivered) -> bool {
        let refused = matches!(delivered, Delivered::Settled { status: Status::Rejected, .. });
        refused && self.payload.hash != self.wanted.hash
    }

    fn start_over(&mut self) {
        self.lifecycle = Lifecycle::new(self.context.policy);
        self.payload = Arc::clone(&self.wanted);
        self.key = self.context.ledger.key(&self.ticket, self.payload.hash, self.generation);
    }

    /// Turns `created` into `changed` if the customer was created with data that the input no
    /// longer has.
    fn as_the_input_sees_it(&self, delivered: Delivered) -> Delivered {
        match delivered {
            Delivered::Settled { position, status: Status::Created } if self.payload.hash != self.wanted.hash => {
                Delivered::Settled { position, status: Status::Changed }
            }
            other => other,
        }
    }

    async fn live(&mut self) -> Result<Delivered, RunAbort> {
        let mut step = self.lifecycle.first_step(self.now());
        loop {
            let next = match step {
                Step::Send { key, after } => match self.wait(after).await {
                    Ok(()) => self.send(key).await?,
                    Err(Draining) => Err(Draining),
                },
                Step::LookUp { after } => match self.wait(after).await {
                    Ok(()) => self.look_up().await?,
                    Err(Draining) => Err(Draining),
                },
                // `send` renews the token itself; the lifecycle asks for it only through a
                // response.
                Step::RenewToken => Ok(Step::Send { key: KeyChoice::Same, after: Pause::None }),
                Step::Finish(finish) => return self.end(finish).await,
                Step::Stop(reason) => {
                    self.leave().await?;
                    return Err(RunAbort::Stop(reason));
                }
            };
            match next {
                Ok(next) => step = next,
                Err(Draining) => return self.leave().await,
            }
        }
    }

    /// Sends one request: permit and token, intent, attempt. The intent is synced before the first
    /// byte is sent (I1). After that the request waits only for a place in flight and the sliding
    /// window, and not for long, because the settle time counts from there.
    async fn send(&mut self, key: KeyChoice) -> Result<Result<Step, Draining>, RunAbort> {
        if self.wait_for_hold().await.is_err() {
            return Ok(Err(Draining));
        }
        let Admitted { mut permit, token, ends_at } = match self.admit().await {
            Ok(admitted) => admitted,
            Err(instead) => return Ok(instead),
        };
        let now = self.now();
        if let Some(instead) = self.lifecycle.last_check(key, now) {
            return Ok(Ok(instead));
        }
        if key == KeyChoice::New {
            self.renew_key();
        }
        self.lifecycle.sends(key, now);
        let token_until = self.token_until(&token, ends_at);
        let leave = match self.intend(&mut permit, token_until).await? {
            Intended::Leaves { by } => self.departure(by),
            Intended::Overtaken => {
                self.stays().await?;
                return Ok(Ok(Step::Send { key: KeyChoice::Same, after: Pause::None }));
            }
            Intended::Draining => return Ok(Err(Draining)),
        };
        self.lifecycle.leaves(self.now());
        self.tell(Event::Request(Request::Create));
        let outgoing = Outgoing { key: &self.key, payload: &self.payload, leave: leave.clone() };
        let left = Instant::now();
        let reply = self.context.server.create(&token, outgoing).await;
        let took = left.elapsed();

        let counted = !permit.is_probe();
        // A request that was held back shows nothing about the server.
        let health = if leave.is_missed() { Health::Unclear } else { self.health_by(&reply.result) };
        permit.report(health, reply.allowance);
        match &reply.result {
            AttemptResult::Throttled { pause } => self.context.pacer.throttled(*pause),
            AttemptResult::Unanswered { pause: Some(pause), .. } => self.context.pacer.unavailable(*pause),
            _ => {}
        }
        self.doubted_email = matches!(reply.result, AttemptResult::EmailRefused { .. });
        let (row, result) = (self.ticket.position().row, without_receipt(&reply.result));
        self.note(TaskMessage::Answer { row, result, took });
        if matches!(reply.result, AttemptResult::Unauthorized) {
            self.token_refused(&token).await?;
        } else if proves_the_token(&reply.result) {
            self.token_accepted(&token);
        }
        let lookups = self.context.lookups.load(Ordering::Relaxed);
        let was_doubted = self.lifecycle.was_ever_in_doubt();
        let step = self.lifecycle.answered(reply.result, reply.http_status, counted, lookups, self.now());
        if leave.is_missed() {
            self.stays().await?;
        }
        if !was_doubted && self.lifecycle.was_ever_in_doubt() {
            self.tell(Event::Doubted { position: self.ticket.position() });
        }
        self.report_retry(&step);
        Ok(Ok(step))
    }

    /// Writes the intent, waits for a place in flight, and says until when the request can leave. A
    /// later run counts the settle time from the moment in the intent, so the request must not be
    /// sent after it. If the sync, the place or the sliding window took longer than expected, the
    /// intent is written again with a later moment.
    async fn intend(&mut self, permit: &mut Permit, token_until: Option<Moment>) -> Result<Intended, LedgerError> {
        let context = Arc::clone(&self.context);
        let mut grace = SYNC_TIME.min(context.policy.grace);
        loop {
            let leaves_by = self.now().later(grace);
            let intent = self.intent(leaves_by, token_until);
            context.hold_others_back();
            let handed_in = context.slots.hands_in();
            context.ledger.intend(&context.run, &self.ticket, intent).await?;
            context.slots.adapt(handed_in);
            if self.take_place().await.is_err() {
                return Ok(Intended::Draining);
            }
            if permit.is_overtaken() {
                return Ok(Intended::Overtaken);
            }
            permit.leave().await;
            if !self.now().is_after(leaves_by) {
                return Ok(Intended::Leaves { by: leaves_by });
            }
            if grace == context.policy.grace && context.shutdown.is_draining() {
                return Ok(Intended::Draining);
            }
            grace = longer(grace, context.policy.grace);
        }
    }

    /// Takes the intent back, because its request did not leave, unless an earlier request of the
    /// record is in doubt. Otherwise records that wait would have open requests (I7).
    async fn stays(&self) -> Result<(), LedgerError> {
        if self.lifecycle.in_doubt() { Ok(()) } else { self.context.ledger.release(&self.ticket).await }
    }

    /// Allows the first byte only until connecting must have ended, however long this process was
    /// stopped in between (S2), and only while this process surely holds the ledger (S6).
    fn departure(&self, leaves_by: Moment) -> Departure {
        let (clock, send_by) = (self.context.clock.clone(), leaves_by.later(self.context.policy.connect_timeout));
        let hold = self.context.ledger.hold();
        Departure::while_in_time(move || {
            let now = clock.now();
            !now.is_after(send_by) && hold.is_sure(now)
        })
    }

    /// Returns a moment after which the server surely rejects the token, or `None` if its life is
    /// unknown.
    fn token_until(&self, token: &Token, ends_at: Option<Instant>) -> Option<Moment> {
        let left = ends_at.map(|end| self.now().later(end.saturating_duration_since(Instant::now())));
        left.or_else(|| Some(Moment { wall: token.ends_at()?, boot: None }.later(CLOCK_SKEW)))
    }

    /// Returns what a response shows about the server. Of one record's failures only the first
    /// counts, because the server replays what it stored.
    fn health_by(&mut self, result: &AttemptResult) -> Health {
        match Health::of_answer(result) {
            Health::Broken if std::mem::replace(&mut self.was_broken, true) => Health::Unclear,
            health => health,
        }
    }

    /// Looks up the e-mail as it was sent and, if no customer has it, in the spelling of the
    /// ledger.
    async fn look_up(&mut self) -> Result<Result<Step, Draining>, RunAbort> {
        let (typed, key) = (self.payload.email.clone(), EmailKey::of(&self.payload.email));
        let spellings = [Some(typed.as_str()), Some(key.as_str()).filter(|key| *key != typed)];
        let mut found = Matches::default();
        for email in spellings.into_iter().flatten() {
            match self.look_up_spelling(email).await? {
                Ok(Some(matches)) => found.extend(matches),
                Ok(None) => return Ok(Ok(self.lifecycle.looked_up(LookupFinding::Nothing, self.now()))),
                Err(instead) => return Ok(instead),
            }
            if !found.exact.is_empty() {
                break;
            }
        }
        let seen = self.seen(found);
        Ok(Ok(self.lifecycle.looked_up(seen, self.now())))
    }

    /// Reads all pages, each with a permit of its own. Returns `None` if look-ups are not
    /// available. The inner error is what to do instead.
    async fn look_up_spelling(
        &mut self,
        email: &str,
    ) -> Result<Result<Option<Matches>, Result<Step, Draining>>, RunAbort> {
        let mut scan = LookupScan::new();
        while self.context.lookups.load(Ordering::Relaxed) && self.lookup_failures < LOOKUP_TRIES {
            let admitted = match self.admit().await {
                Ok(admitted) => admitted,
                Err(instead) => return Ok(Err(instead)),
            };
            if self.take_place().await.is_err() {
                return Ok(Err(Err(Draining)));
            }
            let request = PageRequest::LookUp { email, page: scan.next_page() };
            let sent = || self.tell(Event::Request(Request::LookUp));
            let PageReply { result, token, is_probe, took } =
                ask_for_page(&*self.context.server, admitted, request, sent).await;
            self.tell(Event::Response { request: Request::LookUp, class: class_of_page(&result), took });
            self.hear_page(&result, &token);
            match scan.add(result) {
                None => {}
                Some(LookupResult::Customers(matches)) => return Ok(Ok(Some(matches))),
                Some(LookupResult::FilterIgnored) => self.switch_lookups_off("it does not filter by e-mail"),
                Some(LookupResult::NotOffered { http_status }) => {
                    self.switch_lookups_off(&format!("it answers {http_status} to look-ups"));
                }
                Some(LookupResult::Unauthorized) => self.token_refused(&token).await?,
                Some(LookupResult::Throttled { pause }) => self.context.pacer.throttled(pause),
                Some(LookupResult::Stop(reason)) => return Ok(Err(Ok(Step::Stop(reason)))),
                Some(LookupResult::Failed { cause }) => {
                    self.lookup_failures += u32::from(!is_probe);
                    tracing::debug!(row = self.ticket.position().row, %cause, "a look-up failed");
                    let more = self.lookup_failures < LOOKUP_TRIES;
                    if more && self.wait(self.lifecycle.between_lookups()).await.is_err() {
                        return Ok(Err(Err(Draining)));
                    }
                    scan = LookupScan::new();
                }
            }
        }
        Ok(Ok(None))
    }

    /// Reports a page to the run and to the token.
    fn hear_page(&mut self, page: &PageResult, token: &Token) {
        match page {
            PageResult::Throttled { pause } => self.note(TaskMessage::Throttled(*pause)),
            PageResult::Failed { cause, is_down: true } => self.note(TaskMessage::Unreached(cause.clone())),
            PageResult::Failed { is_down: false, .. } => {}
            PageResult::Rows { .. } => {
                self.token_accepted(token);
                self.note(TaskMessage::Alive);
            }
            _ => self.note(TaskMessage::Alive),
        }
    }

    fn seen(&self, found: Matches) -> LookupFinding {
        match (found.exact.is_empty(), found.lookalike) {
            (true, Some(lookalike)) => LookupFinding::Lookalike(lookalike),
            _ => {
                let ours = |customer| Sighting { is_ours: self.payload.is_shown_by(&customer), customer };
                LookupFinding::Exactly(found.exact.into_iter().map(ours).collect())
            }
        }
    }

    /// Ends the record. If a rejection may apply to every record, it is an outcome only if the run
    /// gets a response that shows otherwise.
    async fn end(&mut self, mut finish: Finish) -> Result<Delivered, RunAbort> {
        if let Some(proof) = finish.pending
            && !self.is_confirmed(proof).await
            && let Ending::Rejected(complaint) = finish.ending
        {
            finish.ending = Ending::NotAttempted(complaint);
        }
        self.settle(finish).await
    }

    /// Waits for a response to another record. Returns false if the run drains first.
    async fn is_confirmed(&mut self, proof: Proof) -> bool {
        self.slot = None;
        let context = Arc::clone(&self.context);
        let mut shown = context.shown.clone();
        let then = *shown.borrow_and_update();
        context.awaiting.fetch_add(1, Ordering::Relaxed);
        self.note(TaskMessage::Awaiting);
        let confirmed = context.shutdown.unless_draining(shown.wait_for(|now| now.proves(proof, then))).await;
        context.awaiting.fetch_sub(1, Ordering::Relaxed);
        matches!(confirmed, Some(Ok(_)))
    }

    /// Commits the outcome; only then is it shown (I4). The slot is released once the outcome is
    /// queued, unless the outcome may be a reason to end the run: then no other task gets the slot
    /// before the run knows.
    async fn settle(&mut self, finish: Finish) -> Result<Delivered, RunAbort> {
        let Finish { ending, warnings, recovered, .. } = finish;
        let (position, status) = (self.ticket.position(), ending.status());
        if let (Ending::Rejected(complaint), true) = (&ending, self.doubted_email) {
            self.note(TaskMessage::RejectedAfterAll(complaint.message.clone()));
        }
        let outcome = Outcome {
            ending,
            http_status: self.lifecycle.http_status(),
            attempts: self.lifecycle.attempts(),
            warnings,
        };
        let committed = self.context.ledger.settle(&self.context.run, &self.ticket, self.payload.sent(), outcome);
        if matches!(status, Status::Created | Status::Exists) {
            self.slot = None;
        }
        committed.await?;
        if recovered {
            self.tell(Event::Recovered { position });
        }
        Ok(if status == Status::NotAttempted { Delivered::Left } else { Delivered::Settled { position, status } })
    }

    /// Ends the record because the run ends. A record that may have been created stays in doubt;
    /// one that surely was not created goes back to its previous state.
    async fn leave(&mut self) -> Result<Delivered, RunAbort> {
        if let Some(finish) = self.lifecycle.abandon() {
            return self.settle(finish).await;
        }
        self.context.ledger.release(&self.ticket).await?;
        Ok(Delivered::Left)
    }

    /// Waits. Releases the slot unless there is nothing to wait for.
    async fn wait(&mut self, pause: Pause) -> Result<(), Draining> {
        let time = match pause {
            Pause::None => Duration::ZERO,
            Pause::Backoff { failures, at_least } => at_least + backoff(failures, jitter()),
            Pause::For(time) => time,
        };
        if time.is_zero() {
            return if self.context.shutdown.is_draining() { Err(Draining) } else { Ok(()) };
        }
        self.slot = None;
        let context = Arc::clone(&self.context);
        context.shutdown.unless_draining(tokio::time::sleep(time)).await.ok_or(Draining)
    }

    /// Waits until the ledger is surely held again. It keeps the slot, and nothing is written down
    /// before: otherwise every waiting record would have an open request (I7).
    async fn wait_for_hold(&self) -> Result<(), Draining> {
        let hold = self.context.ledger.hold();
        while let Some(pause) = hold.pause(self.now()) {
            self.context.shutdown.unless_draining(tokio::time::sleep(pause)).await.ok_or(Draining)?;
        }
        Ok(())
    }

    /// Gets a slot, then a permit with a token. Fails with what to do instead.
    ///
    /// It waits without a place in flight, because the only permit of an open breaker may go to a
    /// record that needs one.
    async fn admit(&mut self) -> Result<Admitted, Result<Step, Draining>> {
        let context = Arc::clone(&self.context);
        match &mut self.slot {
            Some(slot) => slot.leave_place(),
            None => {
                self.slot = Some(context.shutdown.unless_draining(context.slots.acquire()).await.ok_or(Err(Draining))?)
            }
        }
        match context.admission.admit().await {
            Ok(Some(admitted)) => Ok(admitted),
            Ok(None) => Err(Err(Draining)),
            Err(reason) => Err(Ok(Step::Stop(reason))),
        }
    }

    /// Waits for a place in flight.
    async fn take_place(&mut self) -> Result<(), Draining> {
        let Some(slot) = &mut self.slot else { return Ok(()) };
        self.context.shutdown.unless_draining(slot.take_place()).await.ok_or(Draining)
    }

    fn renew_key(&mut self) {
        self.generation += 1;
        self.payload = Arc::clone(&self.wanted);
        self.key = self.context.ledger.key(&self.ticket, self.payload.hash, self.generation);
    }

    fn intent(&self, leaves_by: Moment, token_until: Option<Moment>) -> Intent {
        Intent {
            generation: self.generation,
            key: self.key.clone(),
            payload: self.payload.hash,
            body: self.payload.body.clone(),
            attempt: self.lifecycle.attempts() + 1,
            key_since: self.lifecycle.key_since().unwrap_or(leaves_by),
            sent_at: leaves_by,
            token_until,
        }
    }

    /// Reports that the token was rejected; the next admission has another one, if there is one.
    async fn token_refused(&mut self, token: &Token) -> Result<(), RunAbort> {
        if self.context.admission.refused(token) == TokenRefusal::Current {
            self.refusals += 1;
        }
        if self.refusals < TOKEN_TRIES {
            return Ok(());
        }
        self.leave().await?;
        let words = format!("a request was rejected (401) with {TOKEN_TRIES} fresh tokens in a row");
        Err(RunAbort::Stop(StopReason::Credentials(words.into())))
    }

    fn token_accepted(&mut self, token: &Token) {
        self.refusals = 0;
        self.context.admission.accepted(token);
    }

    fn switch_lookups_off(&self, why: &str) {
        if self.context.lookups.swap(false, Ordering::Relaxed) {
            self.tell(Event::LookupsOff { why: why.to_owned() });
        }
    }

    fn report_retry(&self, step: &Step) {
        if let Step::Send { .. } | Step::LookUp { .. } = step {
            let (position, attempt) = (self.ticket.position(), self.lifecycle.attempts());
            self.tell(Event::Retry { position, attempt, why: self.lifecycle.last_complaint().message });
        }
    }

    fn tell(&self, event: Event) {
        self.note(TaskMessage::Event(event));
    }

    fn note(&self, note: TaskMessage) {
        // The run outlives its tasks; if it is gone, the message has no reader.
        drop(self.context.messages.send(note));
    }

    fn now(&self) -> Moment {
        self.context.clock.now()
    }
}

/// Returns the grace of the next intent, because this one was not durable in time.
pub(crate) fn longer(grace: Duration, longest: Duration) -> Duration {
    (grace * 2).min(longest)
}

/// Removes the customer from a result, because the run only needs to know how the request went.
fn without_receipt(result: &AttemptResult) -> AttemptResult {
    match result {
        AttemptResult::Created { .. } => AttemptResult::Created { receipt: Receipt::default(), other_email: None },
        other => other.clone(),
    }
}

/// Returns whether only a request with a valid token gets this result.
fn proves_the_token(result: &AttemptResult) -> bool {
    matches!(
        result,
        AttemptResult::Created { .. }
            | AttemptResult::EmailRefused { .. }
            | AttemptResult::Rejected(_)
            | AttemptResult::KeyExpired
    )
}
