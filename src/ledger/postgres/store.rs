//! The store of the process that holds the lease.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use super::batch::{Account, calls};
use super::connect::{ANSWER_TIME, Connected, LONG_ANSWER_TIME, limited, within};
use super::decide::{Asking, Takeover, effects_of};
use super::effect::{Effect, Numbering};
use super::lease::{self, Taken, Taking, Term, millis};
use super::trouble::DatabaseTrouble;
use super::worker::{Resident, Worker};
use super::{schema, sql};
use crate::clock::Clock;
use crate::domain::Moment;
use crate::ledger::error::DatabaseProblem;
use crate::ledger::keyed_hasher::KeyedHasher;
use crate::ledger::location::DatabaseSettings;
use crate::ledger::model::Stay;
use crate::ledger::store::{Op, OpReply, Store};
use crate::ledger::store_link::StoreLink;
use crate::ledger::{Creation, LedgerError, LedgerName, Occupied, Target};

/// How long a row that a stopped process holds is waited for: the server ends its transaction after
/// five seconds.
const HELD_ROW_TIME: Duration = Duration::from_secs(6);
/// How long a holder is waited for that says that it holds the ledger for a moment only.
const MOMENT: Duration = Duration::from_secs(60);
/// The first and the longest wait between two attempts to connect again.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];
/// A wait for what another host has sent is told if it is this long.
const TOLD_WAIT: Duration = Duration::from_secs(2);
/// How many committed batches are kept, to be written again if the database forgets them.
const KEPT_BATCHES: usize = 1000;
/// How many effects they may have together.
const KEPT_EFFECTS: usize = 20_000;

/// The only process that writes for an account.
///
/// A batch is one transaction, which begins with the fence. If its commit is not acknowledged, the
/// same effects are written again over a new connection, for as long as the user has patience.
#[derive(Debug)]
pub(in crate::ledger) struct PostgresStore {
    worker: Worker<Keeper>,
    name: LedgerName,
    link: StoreLink,
    secret: Vec<u8>,
    waited_since: Option<Timestamp>,
    not_before: Option<Moment>,
}

impl PostgresStore {
    /// Takes the lease, after the wait that the user allows if another process has it.
    pub(in crate::ledger) fn open(
        settings: &DatabaseSettings,
        target: &Target,
        creation: Creation,
        stay: Stay,
    ) -> Result<Self, LedgerError> {
        let name = LedgerName::from(&settings.url);
        let (settings, target) = (settings.clone(), target.clone());
        let worker = Worker::start(&name, async move || Keeper::open(settings, &target, creation, stay).await)?;
        let (link, secret, waited_since, not_before) = worker.ask(&name, async |keeper: &mut Keeper| {
            Ok((keeper.link.clone(), keeper.secret.clone(), keeper.waited_since, keeper.not_before))
        })?;
        Ok(Self { worker, name, link, secret, waited_since, not_before })
    }

    /// Returns the secret that makes keys unguessable.
    pub(in crate::ledger) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Returns since when another process made this one wait, by the database's clock.
    pub(in crate::ledger) fn waited_since(&self) -> Option<Timestamp> {
        self.waited_since
    }

    /// Returns before when nothing may be sent, if another process has left that.
    pub(in crate::ledger) fn not_before(&self) -> Option<Moment> {
        self.not_before
    }
}

impl Store for PostgresStore {
    fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError> {
        self.worker.ask(&self.name, async |keeper: &mut Keeper| keeper.apply(op).await)
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        self.worker.ask(&self.name, async |keeper: &mut Keeper| keeper.commit().await)
    }

    /// The fence of the batch finds out, and fails the whole batch.
    fn check_held(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn link(&self) -> StoreLink {
        self.link.clone()
    }

    fn copy_to(&mut self, _: &Path) -> Result<(), LedgerError> {
        Err(LedgerError::io(self.name.clone(), "a database is copied with its own tools"))
    }
}

/// What lives in the thread of the connection.
#[derive(Debug)]
struct Keeper {
    settings: DatabaseSettings,
    name: LedgerName,
    clock: Clock,
    secret: Vec<u8>,
    hasher: KeyedHasher,
    waited_since: Option<Timestamp>,
    not_before: Option<Moment>,
    account: Account,
    /// The last batch of the holder before this one, or `None` if it is unknown.
    batch_before: Option<i64>,
    term: Term,
    takeover: Takeover,
    link: StoreLink,
    /// The server and its timeline.
    place: String,
    /// `None` while there is none to be had.
    connected: Option<Connected>,
    /// When the open transaction began.
    begun: Option<Moment>,
    /// The commit of the open transaction was sent, and not acknowledged yet.
    is_committing: bool,
    /// What the open transaction has written, and what it still has to write.
    written: Vec<Effect>,
    pending: Vec<Effect>,
    numbering: Numbering,
    /// How many batches were acknowledged, and the last of them.
    committed: i64,
    ring: Ring,
    beat_at: Instant,
    /// Why nothing is written any more.
    failure: Option<LedgerError>,
}

impl Keeper {
    async fn open(
        settings: DatabaseSettings,
        target: &Target,
        creation: Creation,
        stay: Stay,
    ) -> Result<Self, LedgerError> {
        let name = LedgerName::from(&settings.url);
        let mut candidate = LeaseSeeker {
            term: Term::new(settings.holder.as_deref(), stay),
            settings: &settings,
            target,
            creation,
            connected: None,
            was_connected: false,
            waited_since: None,
        };
        let (connected, Won { secret, id, place, taken, begun }) = candidate.win(&name).await?;
        let Taken { epoch, has_moved, batch_before, next_in } = taken;
        let LeaseSeeker { term, waited_since, .. } = candidate;
        let clock = Clock::system();
        let now = clock.now();
        let link = StoreLink::leased(begun, trusted_time(settings.lease));
        link.note(|lease| (lease.is_held, lease.epoch) = (true, epoch.unsigned_abs()));
        if has_moved {
            link.hold_until(over_after_failover(now, &settings));
        }
        if next_in >= TOLD_WAIT {
            let seconds = next_in.as_secs();
            tracing::info!(
                "requests wait for {seconds} s, because of what the last holder of the ledger sent or was told"
            );
        }
        if lease::may_forget(&connected).await {
            tracing::warn!("the database has no synchronous standby, so a failover may forget its last commits");
        }
        let hasher = KeyedHasher::new(&secret).map_err(|error| LedgerError::io(name.clone(), error))?;
        Ok(Self {
            not_before: (!next_in.is_zero()).then(|| now.later(next_in)),
            takeover: Takeover { at: now, grace: settings.grace },
            account: Account { id, epoch },
            batch_before,
            beat_at: Instant::now() + settings.lease / 3,
            settings,
            name,
            clock,
            secret,
            hasher,
            waited_since,
            term,
            link,
            place,
            connected: Some(connected),
            begun: None,
            is_committing: false,
            written: Vec::new(),
            pending: Vec::new(),
            numbering: Numbering::default(),
            committed: 0,
            ring: Ring::default(),
            failure: None,
        })
    }

    async fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError> {
        self.check()?;
        let op = match effects_of(op, &mut self.numbering) {
            Ok(effects) => {
                self.pending.extend(effects);
                return Ok(OpReply::Done);
            }
            Err(asks) => asks,
        };
        let mut outage = Outage::default();
        loop {
            match self.answer(&op).await {
                Ok((reply, effects)) => {
                    self.pending.extend(effects);
                    return Ok(reply);
                }
                Err(trouble) => self.recover(trouble, &mut outage).await?,
            }
        }
    }

    async fn commit(&mut self) -> Result<(), LedgerError> {
        self.check()?;
        if self.begun.is_none() && self.pending.is_empty() {
            return Ok(());
        }
        let mut outage = Outage::default();
        while let Err(trouble) = self.write(true).await {
            self.recover(trouble, &mut outage).await?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), LedgerError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    async fn answer(&mut self, op: &Op) -> Result<(OpReply, Vec<Effect>), DatabaseTrouble> {
        self.write(false).await?;
        let asking = Asking {
            connected: self.connected.as_ref().ok_or_else(not_connected)?,
            account: self.account,
            takeover: self.takeover,
            clock: &self.clock,
            hasher: &self.hasher,
        };
        limited(asking.answer(op, &mut self.numbering)).await
    }

    /// Writes what is pending, in the open transaction or a new one, and commits if that is wanted.
    /// Everything leaves in one flush.
    async fn write(&mut self, commits: bool) -> Result<(), DatabaseTrouble> {
        let connected = self.connected.as_ref().ok_or_else(not_connected)?;
        let now = self.clock.now();
        let begins = self.begun.is_none();
        let calls = calls(&self.pending, self.account, now);
        let (lease, batch) = (millis(self.settings.lease), self.committed + 1);
        let Account { id, epoch } = self.account;
        let mut sent: Vec<LocalBoxFuture<'_, Result<(), DatabaseTrouble>>> = Vec::with_capacity(calls.len() + 3);
        if begins {
            sent.push(connected.batch(sql::BEGIN).boxed_local());
            let term = self.term.id;
            sent.push(
                async move { connected.run(&sql::FENCE, &[&id, &epoch, &term, &lease, &batch]).await }.boxed_local(),
            );
        }
        sent.extend(calls.iter().map(|call| call.send(connected)));
        connected.take_warning();
        if commits {
            sent.push(connected.batch("COMMIT").boxed_local());
        }
        let effects = self.written.iter().chain(&self.pending);
        let limit = if effects.into_iter().any(is_long) { LONG_ANSWER_TIME } else { ANSWER_TIME };
        self.is_committing = commits;
        within(limit, in_order(sent)).await?;
        self.begun.get_or_insert(now);
        if !commits {
            self.written.append(&mut self.pending);
            return Ok(());
        }
        if connected.take_warning() {
            return Err(DatabaseTrouble::Unknown("the database warned while it committed".to_owned()));
        }
        self.acknowledged();
        Ok(())
    }

    fn acknowledged(&mut self) {
        self.committed += 1;
        self.is_committing = false;
        self.written.append(&mut self.pending);
        let effects = std::mem::take(&mut self.written);
        if !self.place.is_empty() {
            self.ring.push(self.committed, effects);
        }
        if let Some(begun) = self.begun.take() {
            self.link.renewed(begun);
        }
        self.beat_at = Instant::now() + self.settings.lease / 3;
    }

    /// Makes it possible to write the same effects again. Fails if that makes no sense.
    async fn recover(&mut self, trouble: DatabaseTrouble, outage: &mut Outage) -> Result<(), LedgerError> {
        let recovered = self.try_to_recover(trouble, outage).await;
        if let Err(error) = &recovered {
            self.failure.get_or_insert_with(|| error.clone());
        }
        recovered
    }

    async fn try_to_recover(&mut self, trouble: DatabaseTrouble, outage: &mut Outage) -> Result<(), LedgerError> {
        self.begun = None;
        let was_committing = std::mem::take(&mut self.is_committing);
        let pending = std::mem::take(&mut self.pending);
        self.written.extend(pending);
        self.pending = std::mem::take(&mut self.written);
        let why = match trouble {
            DatabaseTrouble::Fenced => return Err(self.taken_over().await),
            DatabaseTrouble::Fatal(problem) => return Err(self.failed(problem)),
            DatabaseTrouble::Again(why) => {
                // In a transaction that failed nothing more can be done but this.
                let rolled_back = match &self.connected {
                    Some(connected) => limited(connected.batch("ROLLBACK")).await,
                    None => Err(not_connected()),
                };
                match rolled_back {
                    Ok(()) => return outage.wait(self, why).await,
                    Err(_) => why,
                }
            }
            DatabaseTrouble::Unknown(why) => why,
        };
        self.connected = None;
        if was_committing {
            self.link.note(|lease| lease.unknown_commits += 1);
        }
        tracing::warn!("the ledger {} cannot be reached ({why}); nothing is sent until it is", self.name);
        let mut why = why;
        loop {
            outage.wait(self, why).await?;
            match self.connect_again().await {
                Ok(()) => {
                    self.link.note(|lease| lease.reconnects += 1);
                    tracing::info!("the ledger {} is reached again", self.name);
                    return Ok(());
                }
                Err(DatabaseTrouble::Fenced) => return Err(self.taken_over().await),
                Err(DatabaseTrouble::Fatal(
                    problem @ (DatabaseProblem::Forgot { .. } | DatabaseProblem::Damaged(_)),
                )) => {
                    return Err(self.failed(problem));
                }
                // A password that is just being changed is refused too.
                Err(DatabaseTrouble::Fatal(problem)) => why = problem.to_string(),
                Err(DatabaseTrouble::Unknown(words) | DatabaseTrouble::Again(words)) => why = words,
            }
        }
    }

    /// Connects, and makes sure that this process holds the lease still. If the database has failed
    /// over, writes again what it has forgotten.
    async fn connect_again(&mut self) -> Result<(), DatabaseTrouble> {
        let connected = Connected::open(&self.settings).await?;
        let place = lease::place(&connected).await?;
        let row = lease::holder(&connected, self.account.id, &sql::HOLDER).await?;
        let has_moved = place != self.place;
        if row.term != Some(self.term.id) && !(has_moved && row.epoch < self.account.epoch) {
            self.connected = Some(connected);
            return Err(DatabaseTrouble::Fenced);
        }
        if has_moved {
            tracing::warn!("the database has failed over to another server; requests wait for --grace and --settle");
            self.link.hold_until(over_after_failover(self.clock.now(), &self.settings));
            let known =
                if row.term == Some(self.term.id) { row.last_batch } else { self.take_again(&connected).await? };
            self.write_again(&connected, known).await?;
            limited(connected.run(&sql::SET_PLACE, &[&self.account.id, &place])).await?;
            self.place = place;
        }
        self.connected = Some(connected);
        Ok(())
    }

    /// Takes the lease again with the same epoch and term, because the database has forgotten that.
    /// Fails if another process has written since, or may have: it may have settled what this one
    /// still wants to send.
    async fn take_again(&self, connected: &Connected) -> Result<i64, DatabaseTrouble> {
        let Account { id, epoch } = self.account;
        let batch_before = self.batch_before.ok_or(DatabaseTrouble::Fenced)?;
        let lease = millis(self.settings.lease);
        let holder = self.term.holder();
        let values = [&id as &(dyn ToSql + Sync), &epoch, &self.term.id, &holder, &lease, &batch_before];
        if limited(connected.rows(&sql::TAKE_AGAIN, &values)).await?.is_empty() {
            Err(DatabaseTrouble::Fenced)
        } else {
            Ok(0)
        }
    }

    /// Writes the batches again that came after one. They change nothing that is there already.
    async fn write_again(&self, connected: &Connected, known: i64) -> Result<(), DatabaseTrouble> {
        let forgotten = self.committed - known;
        if forgotten <= 0 {
            return Ok(());
        }
        let batches = self.ring.after(known);
        if batches.len() as i64 != forgotten {
            return Err(DatabaseTrouble::Fatal(DatabaseProblem::Forgot { commits: forgotten.unsigned_abs() }));
        }
        tracing::warn!("the database has forgotten the last {forgotten} commits; they are written again");
        let Account { id, epoch } = self.account;
        let lease = millis(self.settings.lease);
        for (number, effects) in batches {
            limited(connected.batch(sql::BEGIN)).await?;
            let values = [&id as &(dyn ToSql + Sync), &epoch, &self.term.id, &lease, number];
            limited(connected.run(&sql::FENCE, &values)).await?;
            for call in calls(effects, self.account, self.clock.now()) {
                limited(call.send(connected)).await?;
            }
            lease::commit(connected).await?;
        }
        Ok(())
    }

    /// Returns who holds the lease now, as far as that can be asked.
    async fn taken_over(&self) -> LedgerError {
        let row = match &self.connected {
            Some(connected) => {
                drop(limited(connected.batch("ROLLBACK")).await);
                lease::holder(connected, self.account.id, &sql::HOLDER).await.ok()
            }
            None => None,
        };
        let by = row.filter(|row| row.term.is_some()).map(|row| row.holder);
        self.link.note(|lease| (lease.is_held, lease.losses) = (false, lease.losses + 1));
        self.failed(DatabaseProblem::TakenOver { by })
    }

    fn failed(&self, problem: DatabaseProblem) -> LedgerError {
        LedgerError::Database { ledger: self.name.clone(), problem }
    }

    /// Gives the lease back, after everything that this process sent has left. Nothing of an open
    /// batch is committed.
    async fn let_go(&mut self) -> Result<(), DatabaseTrouble> {
        if self.connected.is_none() {
            self.connected = Some(limited(Connected::open(&self.settings).boxed_local()).await?);
        }
        let connected = self.connected.as_ref().ok_or_else(not_connected)?;
        if self.begun.take().is_some() {
            limited(connected.batch("ROLLBACK")).await?;
        }
        let Account { id, epoch } = self.account;
        limited(connected.batch(sql::BEGIN)).await?;
        let (lease, batch) = (millis(self.settings.lease), self.committed + 1);
        limited(connected.run(&sql::FENCE, &[&id, &epoch, &self.term.id, &lease, &batch])).await?;
        limited(connected.run(&sql::ORPHAN, &[&id, &epoch])).await?;
        limited(connected.run(&sql::LET_GO, &[&id, &epoch])).await?;
        lease::commit(connected).await
    }
}

impl Resident for Keeper {
    fn next_beat(&self) -> Option<Instant> {
        self.failure.is_none().then_some(self.beat_at)
    }

    /// Renews the lease if no batch does. A batch that is open renews it when it is committed.
    async fn beat(&mut self) {
        self.beat_at = Instant::now() + self.settings.lease / 3;
        if self.begun.is_some() || !self.pending.is_empty() {
            return;
        }
        let mut outage = Outage::default();
        while let Err(trouble) = self.write(true).await {
            if self.recover(trouble, &mut outage).await.is_err() {
                return;
            }
        }
    }

    async fn end(&mut self) {
        if self.failure.as_ref().is_some_and(LedgerError::is_taken_over) {
            return;
        }
        self.link.note(|lease| lease.is_held = false);
        match limited(self.let_go().boxed_local()).await {
            Ok(()) => self.term.leave(),
            // The next run waits for the end of the lease, or sees that this process is dead.
            Err(trouble) => {
                self.term.leave_unsaid();
                tracing::debug!("the lease was not given back: {trouble:?}");
            }
        }
    }
}

/// Returns when everything is over that was sent under commits that a failover has forgotten. What
/// another holder had written down may leave until its grace is over.
fn over_after_failover(now: Moment, settings: &DatabaseSettings) -> Moment {
    now.later(settings.grace).later(settings.settle)
}

/// Returns how long a lease is trusted after the start of the transaction that renewed it.
fn trusted_time(lease: Duration) -> Duration {
    lease.saturating_sub((lease / 5).max(Duration::from_secs(1)))
}

fn not_connected() -> DatabaseTrouble {
    DatabaseTrouble::Unknown("not connected".to_owned())
}

/// An effect that may change every row of an account.
fn is_long(effect: &Effect) -> bool {
    matches!(effect, Effect::ForgetAll | Effect::EndRun { .. })
}

/// Sends in order, and waits for all answers. Returns the first error: what comes after it in a
/// transaction fails because of it.
async fn in_order(mut sent: Vec<LocalBoxFuture<'_, Result<(), DatabaseTrouble>>>) -> Result<(), DatabaseTrouble> {
    let mut answers: Vec<Option<Result<(), DatabaseTrouble>>> = sent.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, answer) in sent.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(done) = future.poll_unpin(context)
            {
                *answer = Some(done);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// How long the database has been out of reach, and how long to wait before the next attempt.
#[derive(Debug, Default)]
struct Outage {
    since: Option<Instant>,
    attempts: u32,
}

impl Outage {
    /// Waits a little. Fails if the user has no more patience, or wants to leave.
    async fn wait(&mut self, keeper: &Keeper, why: String) -> Result<(), LedgerError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let [first, longest] = BACKOFF;
        let pause = first.saturating_mul(1 << self.attempts.min(10)).min(longest);
        self.attempts += 1;
        if since.elapsed() >= keeper.settings.patience {
            return Err(keeper.failed(DatabaseProblem::Unreachable(why)));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = keeper.link.closing() => Err(keeper.failed(DatabaseProblem::Unreachable(why))),
        }
    }
}

/// The last batches that were acknowledged, with their numbers.
#[derive(Debug, Default)]
struct Ring {
    batches: VecDeque<(i64, Vec<Effect>)>,
    effects: usize,
}

impl Ring {
    fn push(&mut self, number: i64, effects: Vec<Effect>) {
        self.effects += effects.len();
        self.batches.push_back((number, effects));
        while self.batches.len() > KEPT_BATCHES || self.effects > KEPT_EFFECTS {
            let Some((_, oldest)) = self.batches.pop_front() else { return };
            self.effects -= oldest.len();
        }
    }

    fn after(&self, number: i64) -> Vec<&(i64, Vec<Effect>)> {
        self.batches.iter().filter(|(other, _)| *other > number).collect()
    }
}

/// A process that wants the lease.
struct LeaseSeeker<'a> {
    term: Term,
    settings: &'a DatabaseSettings,
    target: &'a Target,
    creation: Creation,
    connected: Option<Connected>,
    /// There was a connection, so the database is there.
    was_connected: bool,
    waited_since: Option<Timestamp>,
}

/// What a process knows that has got the lease.
struct Won {
    secret: Vec<u8>,
    id: i64,
    place: String,
    taken: Taken,
    /// When the attempt began that got it.
    begun: Moment,
}

enum Attempt {
    Won(Won),
    Held(Box<lease::HolderRow>),
}

impl LeaseSeeker<'_> {
    /// Tries until the lease is taken, for as long as the user wants to wait.
    async fn win(&mut self, name: &LedgerName) -> Result<(Connected, Won), LedgerError> {
        let begun = Instant::now();
        let wait = self.settings.wait;
        let mut is_told = false;
        loop {
            let (failure, limit) = match self.attempt().await {
                Ok(Attempt::Won(won)) => {
                    if let Some(connected) = self.connected.take() {
                        return Ok((connected, won));
                    }
                    (LedgerError::io(name.clone(), "not connected"), wait)
                }
                Ok(Attempt::Held(row)) => {
                    self.waited_since.get_or_insert(row.now);
                    let limit = if row.holder.stays { wait } else { wait.max(MOMENT) };
                    (LedgerError::Locked(Occupied { ledger: name.clone(), by: Some(row.holder) }), limit)
                }
                Err(trouble) => {
                    let limit = match trouble {
                        DatabaseTrouble::Again(_) => wait.max(HELD_ROW_TIME),
                        // Perhaps the lease is taken, and only the acknowledgement was lost.
                        DatabaseTrouble::Unknown(_) if self.was_connected => wait.max(HELD_ROW_TIME),
                        DatabaseTrouble::Unknown(_) => wait,
                        DatabaseTrouble::Fenced | DatabaseTrouble::Fatal(_) => Duration::ZERO,
                    };
                    self.connected = self.connected.take().filter(|_| !matches!(trouble, DatabaseTrouble::Unknown(_)));
                    (trouble.into_error(name), limit)
                }
            };
            if begun.elapsed() >= limit {
                return Err(failure);
            }
            if !std::mem::replace(&mut is_told, true) {
                tracing::info!("waiting for the ledger: {failure}");
            }
            let poll = (self.settings.lease / 5).min(Duration::from_secs(2));
            tokio::time::sleep(poll.min(limit.saturating_sub(begun.elapsed()))).await;
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, DatabaseTrouble> {
        let connected = match self.connected.take() {
            Some(connected) => self.connected.insert(connected),
            None => self.connected.insert(Connected::open(self.settings).await?),
        };
        self.was_connected = true;
        schema::open(connected, self.creation).await?;
        let id = lease::account(connected, self.target).await?;
        let place = lease::place(connected).await?;
        let begun = Clock::system().now();
        Ok(match lease::take(connected, id, &self.term, self.settings.lease, &place).await? {
            Taking::Taken(taken) => {
                let secret = schema::secret(connected, Some(id)).await?;
                Attempt::Won(Won { secret, id, place, taken, begun })
            }
            Taking::Held(row) => Attempt::Held(row),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_last_batches_and_knows_which_it_lacks() {
        let mut ring = Ring::default();
        for number in 1..=1_200 {
            ring.push(number, Vec::new());
        }
        assert_eq!(ring.after(1_199).len(), 1);
        assert_eq!(ring.after(200).len(), 1_000);
        assert_eq!(ring.after(100).len(), 1_000, "a hundred are gone, and the count shows it");
        let many = || (0..KEPT_EFFECTS / 2).map(|_| Effect::ForgetAll).collect::<Vec<_>>();
        ring.push(1_201, many());
        ring.push(1_202, many());
        ring.push(1_203, many());
        assert_eq!(ring.after(0).iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1_202, 1_203]);
    }

    #[test]
    fn s6_a_lease_is_trusted_for_less_than_it_lasts() {
        for (lease, trusted) in [(15, 12), (6, 4_800), (60, 48)] {
            let trusted = if trusted > 1_000 { Duration::from_millis(trusted) } else { Duration::from_secs(trusted) };
            assert_eq!(trusted_time(Duration::from_secs(lease)), trusted);
        }
    }
}
