//! The ledger as the rest of the program writes it: one method per operation.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::LedgerError;
use super::claim::{Claim, ClaimPolicy, ClaimRequest, Ticket};
use super::idempotency_key::KeyDeriver;
use super::keyed_hasher::KeyedHasher;
use super::location::LedgerName;
use super::model::{CheckedStatus, EndedRun, Intent, RunId, RunStart, Target};
use super::payload::{PayloadHash, SentPayload};
use super::queue::{Needs, Queue, Urgency};
use super::store::{Op, OpReply, Settlement, Store};
use super::store_link::StoreLink;
use super::watch::LedgerWatch;
use crate::domain::{EmailKey, Ending, MinuteTraffic, Moment, Outcome, Receipt};

/// Returns what the ledger keeps of an owner.
pub(super) fn owner_digest(secret: &[u8], owner: &str) -> Vec<u8> {
    Sha256::new().chain_update(secret).chain_update(owner).finalize().to_vec()
}

/// The ledger of this process, held exclusively. Dropping it waits for the writing thread and lets
/// the next run in.
#[derive(Debug)]
pub struct Ledger {
    target: Target,
    /// Makes keys unguessable. It is made with the ledger.
    secret: Vec<u8>,
    keys: KeyDeriver,
    hasher: KeyedHasher,
    queue: Queue,
    waited: Option<Timestamp>,
    not_before: Option<Moment>,
}

/// How many records are claimed at once: few enough that the intents behind them in the queue do
/// not wait for long, and many if each claim costs the way to another machine.
const CLAIMS: usize = 128;
const CLAIMS_OF_A_SHARED_LEDGER: usize = 512;

/// Whether a ledger is held.
#[derive(Clone, Debug)]
pub struct LedgerHold(StoreLink);

impl LedgerHold {
    /// Returns false if another run may hold the ledger by now.
    #[must_use]
    pub fn is_sure(&self, now: Moment) -> bool {
        self.0.is_trusted(now)
    }

    /// Returns for how long no request may leave, whatever is committed: the database has failed
    /// over, and what was sent before must be over. `None` if there is nothing to wait for.
    #[must_use]
    pub fn pause(&self, now: Moment) -> Option<Duration> {
        self.0.held_for(now)
    }
}

impl Ledger {
    /// Starts the thread that writes to an open store. `name` is the ledger's name for messages.
    pub(super) fn over(
        store: impl Store + 'static,
        name: LedgerName,
        target: Target,
        secret: Vec<u8>,
    ) -> Result<Self, LedgerError> {
        let keys = KeyDeriver::new(&secret, &target).map_err(|error| LedgerError::io(name.clone(), error))?;
        let hasher = KeyedHasher::new(&secret).map_err(|error| LedgerError::io(name.clone(), error))?;
        Ok(Self { target, secret, keys, hasher, queue: Queue::start(store, name)?, waited: None, not_before: None })
    }

    /// Returns what hashes with the secret of this ledger.
    #[must_use]
    pub const fn hasher(&self) -> &KeyedHasher {
        &self.hasher
    }

    /// Writes a copy of the whole ledger to a file that does not exist yet. A run that lost the
    /// name of its ledger makes its report from such a copy, because nothing else may open the file
    /// that it holds.
    pub async fn copy_to(&self, path: PathBuf) -> Result<(), LedgerError> {
        self.queue.copy_to(path).await
    }

    /// Returns a check whether this process surely holds the ledger, to be made right before a
    /// request leaves (S6).
    #[must_use]
    pub fn hold(&self) -> LedgerHold {
        LedgerHold(self.queue.link().clone())
    }

    /// Fails if another process has taken the ledger over.
    pub async fn check_hold(&self) -> Result<(), LedgerError> {
        if self.queue.link().is_leased() {
            // Each question is asked in a transaction that begins with the check.
            self.has_created().await?;
        }
        Ok(())
    }

    /// Returns since when this process waited for another one to let the ledger go, by the
    /// ledger's clock, or `None` if it did not have to.
    #[must_use]
    pub const fn waited_since(&self) -> Option<Timestamp> {
        self.waited
    }

    /// Returns before when no request may be sent, because another process has just sent some or
    /// was asked for a pause. `None`: at once.
    #[must_use]
    pub const fn not_before(&self) -> Option<Moment> {
        self.not_before
    }

    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only a shared ledger makes a run wait"))]
    pub(super) fn having_waited(self, since: Option<Timestamp>, not_before: Option<Moment>) -> Self {
        Self { waited: since, not_before, ..self }
    }

    /// Lets no process send anything before this moment, if other hosts can take the ledger over.
    /// Waits for nothing: it is written with what is handed in next.
    pub fn hold_back(&self, until: Moment) {
        if self.queue.link().is_leased() {
            drop(self.complete(Urgency::Soon, Op::HoldBack { until }));
        }
    }

    /// Returns the idempotency key of a payload of this ticket's record.
    #[must_use]
    pub fn key(&self, ticket: &Ticket, payload: PayloadHash, generation: u32) -> String {
        self.keys.derive(&ticket.email, payload, generation)
    }

    pub async fn begin_run(&self, start: RunStart) -> Result<RunId, LedgerError> {
        let name = uuid::Uuid::now_v7().to_string();
        let op = Op::BeginRun { name: name.clone(), start };
        let number = self.permit(Urgency::Now, op, OpReply::run).await?;
        Ok(RunId { number, name })
    }

    pub async fn end_run(&self, run: &RunId, end: EndedRun) -> Result<(), LedgerError> {
        self.complete(Urgency::Now, Op::EndRun { run: run.number, end }).await
    }

    /// Hands in what a run did in a minute, and does not wait for its commit: no record depends on
    /// it, and after an error of the ledger nothing is written.
    pub fn add_minute(&self, run: &RunId, traffic: MinuteTraffic) {
        let op = Op::AddMinute { run: run.number, traffic: Box::new(traffic) };
        drop(self.complete(Urgency::Soon, op));
    }

    /// Returns whether any run ever created a customer of this target.
    pub async fn has_created(&self) -> Result<bool, LedgerError> {
        self.permit(Urgency::Now, Op::HasCreated, OpReply::is).await
    }

    /// Returns the e-mails of this target's requests whose effect is unknown and that left within
    /// `time` before `now`, and when they did.
    pub async fn sent_within(&self, time: Duration, now: Moment) -> Result<Vec<(EmailKey, Moment)>, LedgerError> {
        self.permit(Urgency::Now, Op::SentWithin { time, now }, OpReply::sent).await
    }

    /// Returns how many records should be claimed at once.
    #[must_use]
    pub fn claims_at_once(&self) -> usize {
        if self.queue.link().is_leased() { CLAIMS_OF_A_SHARED_LEDGER } else { CLAIMS }
    }

    /// Returns whether an intent can be written before its request has a place in flight. Hosts
    /// that share a ledger write none ahead, because another one has to wait for each of them.
    #[must_use]
    pub fn may_write_ahead(&self) -> bool {
        !self.queue.link().is_leased()
    }

    /// Returns what shows how the ledger fares, also after it is closed.
    #[must_use]
    pub fn watch(&self) -> LedgerWatch {
        self.queue.watch()
    }

    /// Claims records in the order given; the answers come in the same order.
    pub async fn claim(
        &self,
        run: &RunId,
        requests: Vec<ClaimRequest>,
        policy: ClaimPolicy,
    ) -> Result<Vec<Claim>, LedgerError> {
        let op = Op::Claim { run: run.number, requests, policy };
        self.permit(Urgency::Answered, op, OpReply::claims).await
    }

    /// Makes the intent durable. Only after this returned may the first byte be sent (I1).
    pub async fn intend(&self, run: &RunId, ticket: &Ticket, intent: Intent) -> Result<(), LedgerError> {
        let (email, row, intent) = (ticket.email.clone(), ticket.position.row, Arc::new(intent));
        let op = Op::Intend { run: run.number, email, row, intent: Arc::clone(&intent) };
        self.permit(Urgency::Now, op, OpReply::done).await
    }

    /// Hands the outcome of a payload in; the future waits for its commit. Only after that may it
    /// be shown (I4). As soon as this returned, no intent can become durable before the outcome
    /// does, so another request may take the slot of this one (I7). If doubt stays, the open
    /// request stays too.
    pub fn settle(
        &self,
        run: &RunId,
        ticket: &Ticket,
        sent: SentPayload<'_>,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), LedgerError>> + use<'_> {
        let SentPayload { hash: payload, body } = sent;
        let fields = self.hasher.fields(&ticket.email, body);
        let settlement = Arc::new(Settlement { payload, fields, outcome });
        let email = ticket.email.clone();
        let committed =
            self.complete(Urgency::Soon, Op::Settle { run: run.number, email, settlement: Arc::clone(&settlement) });
        async move {
            let committed = committed.await;
            drop(settlement);
            committed
        }
    }

    /// Forgets the open request, because the server surely did nothing with it and no outcome is
    /// due.
    pub async fn release(&self, ticket: &Ticket) -> Result<(), LedgerError> {
        self.complete(Urgency::Soon, Op::Release { email: ticket.email.clone() }).await
    }

    /// Checks whose token this target is used with. The first owner is kept, as a hash only;
    /// another one is an error.
    pub async fn check_owner(&self, owner: &str) -> Result<(), LedgerError> {
        let owner = owner_digest(&self.secret, owner);
        if self.permit(Urgency::Now, Op::CheckOwner { owner }, OpReply::is).await? {
            return Ok(());
        }
        let Target { base_url, account } = self.target.clone();
        Err(LedgerError::OtherAccount { base_url, account })
    }

    /// Ends a doubt with what a person found out. This is an outcome of the run that sent the
    /// request, and of this one. Returns false if the e-mail is not in doubt.
    pub async fn settle_by_hand(&self, run: &RunId, email: EmailKey, ending: Ending) -> Result<bool, LedgerError> {
        self.permit(Urgency::Now, Op::SettleByHand { run: run.number, email, ending }, OpReply::is).await
    }

    /// Learns customers that the account has. A known customer stays as it is known. Returns the
    /// number of new ones.
    pub async fn learn(&self, run: &RunId, customers: Vec<(EmailKey, Receipt)>) -> Result<u64, LedgerError> {
        self.permit(Urgency::Now, Op::Learn { run: run.number, customers }, OpReply::count).await
    }

    /// Learns what the API says of customers' checks now. Returns how many of them are known.
    pub async fn learn_status(&self, customers: Vec<(EmailKey, CheckedStatus)>) -> Result<u64, LedgerError> {
        self.permit(Urgency::Now, Op::LearnStatus { customers }, OpReply::count).await
    }

    /// Erases a person. Returns false if the ledger does not know the e-mail.
    pub async fn forget_email(&self, email: EmailKey) -> Result<bool, LedgerError> {
        let person = self.hasher.person(&email);
        self.permit(Urgency::Now, Op::ForgetEmail { email, person }, OpReply::is).await
    }

    /// Erases everything of the target, runs included. Returns the number of records.
    pub async fn forget_target(&self) -> Result<u64, LedgerError> {
        self.permit(Urgency::Now, Op::ForgetTarget, OpReply::count).await
    }

    /// Hands in an operation that permits something new. It is refused if the ledger is not held
    /// any more.
    fn permit<T>(
        &self,
        urgency: Urgency,
        op: Op,
        read: fn(OpReply) -> Option<T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + use<'_, T> {
        self.queue.hand_in(Needs::Hold, urgency, op, read)
    }

    /// Hands in an operation that only completes what was permitted before, so it is written even
    /// if the ledger lost its name.
    fn complete(&self, urgency: Urgency, op: Op) -> impl Future<Output = Result<(), LedgerError>> + use<'_> {
        self.queue.hand_in(Needs::Nothing, urgency, op, OpReply::done)
    }
}
