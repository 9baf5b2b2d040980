//! What a file brings into the ledger, in one transaction under the lease of each account.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{Account, arrived_rows};
use super::connect::{Connected, limited};
use super::lease::{self, Taking, Term, millis};
use super::trouble::DatabaseTrouble;
use super::worker::{Resident, Worker};
use super::{schema, sql};
use crate::clock::Clock;
use crate::ledger::error::DatabaseProblem;
use crate::ledger::location::DatabaseSettings;
use crate::ledger::model::Stay;
use crate::ledger::moved::{MovedAccount, MovedRows, TableCounts};
use crate::ledger::{Creation, LedgerError, LedgerName, Occupied};

/// How long an account may be held by a transaction that hangs: the server ends it after five
/// seconds.
const HELD_ROW_TIME: Duration = Duration::from_secs(6);
/// Nobody else needs the accounts yet, and in between a large file is read and counted.
const PATIENT: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min'";
const ANALYZE: &str = "ANALYZE customer_import.runs, customer_import.records, customer_import.intents,
                       customer_import.outcomes, customer_import.minutes, customer_import.bad_records,
                       customer_import.checks";
/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// The epoch of what was written elsewhere. Every lease has a later one.
const BEFORE_ALL: i64 = 0;

/// How the commit of everything ended.
pub(in crate::ledger) enum CommitEnd {
    Committed,
    /// The database surely has nothing of it.
    Failed(LedgerError),
    /// The database cannot be asked.
    Unknown(LedgerError),
}

/// The way into the database. Dropping it gives the accounts back; nothing stays that was not
/// committed.
#[derive(Debug)]
pub(in crate::ledger) struct PostgresArrival {
    worker: Worker<Mover>,
    name: LedgerName,
}

impl PostgresArrival {
    /// Connects, and makes the tables if there are none. `id` is the number of the move.
    pub(in crate::ledger) fn open(settings: &DatabaseSettings, id: Uuid) -> Result<Self, LedgerError> {
        let name = LedgerName::from(&settings.url);
        let (settings, failing) = (settings.clone(), name.clone());
        let worker = Worker::start(&name, async move || {
            let open = async || -> Result<Connected, DatabaseTrouble> {
                let connected = Connected::open(&settings).await?;
                schema::open(&connected, Creation::Allowed).await?;
                Ok(connected)
            };
            let connected = open().await.map_err(|trouble| trouble.into_error(&failing))?;
            Ok(Mover { settings, name: failing, id, connected, accounts: Vec::new(), is_open: false })
        })?;
        Ok(Self { worker, name })
    }

    pub(in crate::ledger) fn name(&self) -> &LedgerName {
        &self.name
    }

    /// Takes the leases of the accounts and opens the transaction. Returns true if the database has
    /// all that this move brings. Fails if it knows one of them from elsewhere.
    pub(in crate::ledger) fn take_accounts(&self, accounts: Vec<MovedAccount>) -> Result<bool, LedgerError> {
        self.worker.ask(&self.name, async move |mover: &mut Mover| mover.take_accounts(accounts).await)
    }

    /// Writes what belongs to the account itself. The accounts are named by their places in the
    /// list.
    pub(in crate::ledger) fn begin_account(&self, place: usize, secret: Vec<u8>) -> Result<(), LedgerError> {
        self.ask(async move |mover| {
            let Some(held) = mover.accounts.get(place) else { return Ok(()) };
            let values = [&held.id as _, &mover.id as _, &held.account.owner as _, &secret as _];
            limited(mover.connected.run(&sql::ARRIVE, &values)).await
        })
    }

    pub(in crate::ledger) fn add(&self, place: usize, rows: MovedRows) -> Result<(), LedgerError> {
        self.ask(async move |mover| {
            let Some(held) = mover.accounts.get(place) else { return Ok(()) };
            let account = Account { id: held.id, epoch: BEFORE_ALL };
            for call in arrived_rows(rows, account, Clock::system().now()) {
                limited(call.send(&mover.connected)).await?;
            }
            Ok(())
        })
    }

    pub(in crate::ledger) fn counts(&self, place: usize) -> Result<TableCounts, LedgerError> {
        self.ask(async move |mover| {
            let mut counts = [0; 7];
            let Some(held) = mover.accounts.get(place) else { return Ok(TableCounts(counts)) };
            // There is no time limit, because this takes as long as the account is large.
            let rows = mover.connected.rows(&sql::COUNT_ROWS, &[&held.id]).await?;
            let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("a question had no answer"))?;
            for (column, count) in counts.iter_mut().enumerate() {
                *count = super::rows::number(row, column)?;
            }
            Ok(TableCounts(counts))
        })
    }

    /// Makes sure that nothing is committed.
    pub(in crate::ledger) fn roll_back(&self) {
        let rolled_back = self.ask(async |mover| {
            mover.is_open = false;
            limited(mover.connected.batch("ROLLBACK")).await
        });
        // Without a connection the server does it, since no commit was sent.
        drop(rolled_back);
    }

    pub(in crate::ledger) fn commit(&self) -> CommitEnd {
        let ended = self.worker.ask(&self.name, async |mover: &mut Mover| Ok(mover.commit().await));
        ended.unwrap_or_else(CommitEnd::Unknown)
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Mover) -> Result<T, DatabaseTrouble> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let name = self.name.clone();
        self.worker.ask(&self.name, async move |mover: &mut Mover| {
            work(mover).await.map_err(|trouble| trouble.into_error(&name))
        })
    }
}

/// What lives in the thread of the connection.
#[derive(Debug)]
struct Mover {
    settings: DatabaseSettings,
    name: LedgerName,
    /// The number of the move.
    id: Uuid,
    connected: Connected,
    accounts: Vec<HeldAccount>,
    /// A transaction is open.
    is_open: bool,
}

#[derive(Debug)]
struct HeldAccount {
    account: MovedAccount,
    id: i64,
    epoch: i64,
    term: Term,
}

impl Mover {
    async fn take_accounts(&mut self, accounts: Vec<MovedAccount>) -> Result<bool, LedgerError> {
        for account in accounts {
            let held = self.take(account).await?;
            self.accounts.push(held);
        }
        let begun = self.begin().await;
        begun.map_err(|trouble| trouble.into_error(&self.name))
    }

    /// Takes the lease of an account, after the wait that the user allows if another process has
    /// it.
    async fn take(&self, account: MovedAccount) -> Result<HeldAccount, LedgerError> {
        let failed = |trouble: DatabaseTrouble| trouble.into_error(&self.name);
        let id = lease::account(&self.connected, &account.target).await.map_err(failed)?;
        let place = lease::place(&self.connected).await.map_err(failed)?;
        let (term, begun) = (Term::new(self.settings.holder.as_deref(), Stay::Run), Instant::now());
        loop {
            let (failure, limit) = match lease::take(&self.connected, id, &term, self.settings.lease, &place).await {
                Ok(Taking::Taken(taken)) => return Ok(HeldAccount { account, id, epoch: taken.epoch, term }),
                Ok(Taking::Held(row)) => {
                    let occupied = Occupied { ledger: self.name.clone(), by: Some(row.holder) };
                    (LedgerError::Locked(occupied), self.settings.wait)
                }
                Err(trouble @ DatabaseTrouble::Again(_)) => (failed(trouble), HELD_ROW_TIME),
                Err(trouble) => return Err(failed(trouble)),
            };
            if begun.elapsed() >= limit {
                return Err(failure);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Opens the transaction. Returns whether the database has everything already.
    async fn begin(&mut self) -> Result<bool, DatabaseTrouble> {
        limited(self.connected.batch(sql::BEGIN)).await?;
        limited(self.connected.batch(PATIENT)).await?;
        self.is_open = true;
        let lease = millis(self.settings.lease);
        let mut has_all = true;
        for held in &self.accounts {
            let HeldAccount { account, id, epoch, term } = held;
            limited(self.connected.run(&sql::FENCE, &[id, epoch, &term.id, &lease, &1_i64])).await?;
            let rows = limited(self.connected.rows(&sql::HAS_ARRIVED, &[id, &self.id])).await?;
            let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("the row of the account is gone"))?;
            let (has_arrived, is_known): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
            if is_known && !has_arrived {
                let (account, base_url) = (account.target.account.clone(), account.target.base_url.clone());
                return Err(DatabaseTrouble::Fatal(DatabaseProblem::Knows { account, base_url }));
            }
            has_all &= has_arrived;
        }
        Ok(has_all)
    }

    /// Commits, and gives the accounts back with the same commit.
    async fn commit(&mut self) -> CommitEnd {
        let trouble = self.try_to_commit().await.err();
        self.is_open = false;
        let failure = match trouble {
            None => {
                self.accounts.drain(..).for_each(|mut held| held.term.leave());
                // Without statistics the first questions take ten times as long. A role that does
                // not own the tables is not heeded; then autovacuum does it within a minute.
                drop(limited(self.connected.batch(ANALYZE)).await);
                return CommitEnd::Committed;
            }
            Some(trouble) => trouble,
        };
        let is_sure = match &failure {
            DatabaseTrouble::Fenced | DatabaseTrouble::Again(_) => true,
            DatabaseTrouble::Fatal(problem) => !matches!(problem, DatabaseProblem::Damaged(_)),
            DatabaseTrouble::Unknown(_) => false,
        };
        let error = failure.into_error(&self.name);
        if is_sure { CommitEnd::Failed(error) } else { self.find_out(error).await }
    }

    async fn try_to_commit(&self) -> Result<(), DatabaseTrouble> {
        for HeldAccount { id, epoch, .. } in &self.accounts {
            // Their process had the file's lock, so it sends nothing any more.
            limited(self.connected.run(&sql::ORPHAN, &[id, &BEFORE_ALL])).await?;
            limited(self.connected.run(&sql::LET_GO, &[id, epoch])).await?;
        }
        lease::commit(&self.connected).await
    }

    /// Asks whether the commit happened, over new connections, for as long as there is patience.
    async fn find_out(&mut self, error: LedgerError) -> CommitEnd {
        let begun = Instant::now();
        tracing::warn!("{error}; whether everything was moved is asked again");
        loop {
            match self.has_committed().await {
                Ok(true) => {
                    self.accounts.drain(..).for_each(|mut held| held.term.leave());
                    return CommitEnd::Committed;
                }
                Ok(false) => return CommitEnd::Failed(error),
                Err(trouble) if begun.elapsed() >= self.settings.patience => {
                    return CommitEnd::Unknown(trouble.into_error(&self.name));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Waits for the row of each account, so for the end of the other transaction. A commit of its
    /// own shows that every replica that is waited for has that, too.
    async fn has_committed(&mut self) -> Result<bool, DatabaseTrouble> {
        self.connected = Connected::open(&self.settings).await?;
        limited(self.connected.batch(sql::BEGIN_TAKING)).await?;
        let mut has_all = true;
        for HeldAccount { id, .. } in &self.accounts {
            has_all &= !limited(self.connected.rows(&sql::TOUCH_ARRIVED, &[id, &self.id])).await?.is_empty();
        }
        lease::commit(&self.connected).await?;
        Ok(has_all)
    }

    async fn let_go(&self, held: &HeldAccount) -> Result<(), DatabaseTrouble> {
        let HeldAccount { id, epoch, term, .. } = held;
        let lease = millis(self.settings.lease);
        limited(self.connected.batch(sql::BEGIN)).await?;
        limited(self.connected.run(&sql::FENCE, &[id, epoch, &term.id, &lease, &2_i64])).await?;
        limited(self.connected.run(&sql::LET_GO, &[id, epoch])).await?;
        lease::commit(&self.connected).await
    }
}

impl Resident for Mover {
    async fn end(&mut self) {
        if self.is_open {
            drop(limited(self.connected.batch("ROLLBACK")).await);
        }
        for mut held in std::mem::take(&mut self.accounts) {
            match self.let_go(&held).await {
                Ok(()) => held.term.leave(),
                // The next run waits for the end of the lease, or sees that this process is dead.
                Err(trouble) => {
                    drop(limited(self.connected.batch("ROLLBACK")).await);
                    held.term.leave_unsaid();
                    tracing::debug!("a lease was not given back: {trouble:?}");
                }
            }
        }
    }
}
