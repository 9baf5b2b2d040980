//! Writing: the store of the one process that holds the file.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::lock::{Lock, owner_only, real_file};
use super::{maintenance, read, schema};
use crate::domain::{BootTime, EmailKey, Moment, Outcome, Position, Status};
use crate::ledger::claim::{Claim, ClaimPolicy, ClaimRequest, Decision, Ticket, decide};
use crate::ledger::idempotency_key::PayloadHash;
use crate::ledger::model::{self, Intent, RunCounters, StoredOutcome, unheard};
use crate::ledger::store::{Op, OpReply, Store};
use crate::ledger::{Creation, LedgerError, Target};

/// The only writing connection to the file, and the lock that makes it the only one.
///
/// A batch is one transaction of SQLite, and its commit syncs the log of the file.
pub(in crate::ledger) struct SqliteStore {
    /// Closed before the lock is released.
    connection: Connection,
    lock: Lock,
    path: PathBuf,
    target: i64,
    /// The run that began in the open batch.
    begun: Option<String>,
}

impl SqliteStore {
    pub(in crate::ledger) fn open(path: &Path, target: &Target, creation: Creation) -> Result<Self, LedgerError> {
        let path = real_file(path, creation)?;
        let lock = Lock::acquire(&path)?;
        let connection = schema::open_for_writing(&path, creation)?;
        // SQLite opened whatever the name led to.
        lock.check()?;
        let mut store = Self { connection, lock, path, target: 0, begun: None };
        store.make_secret()?;
        store.target = register(&store.connection, target).map_err(|error| store.failed(&error))?;
        Ok(store)
    }

    /// The real name of the file.
    pub(in crate::ledger) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the secret that makes keys unguessable.
    pub(in crate::ledger) fn secret(&self) -> Result<Vec<u8>, LedgerError> {
        let secret = self.connection.query_row("SELECT bytes FROM secret", [], |row| row.get(0));
        secret.map_err(|error| self.failed(&error))
    }

    fn make_secret(&self) -> Result<(), LedgerError> {
        let known = self.connection.query_row("SELECT 1 FROM secret", [], |_| Ok(())).optional();
        if known.map_err(|error| self.failed(&error))?.is_some() {
            return Ok(());
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| LedgerError::io(&self.path, error))?;
        let made = self.connection.execute("INSERT INTO secret (bytes) VALUES (?1)", [secret]);
        made.map(drop).map_err(|error| self.failed(&error))
    }

    fn work(&mut self, op: Op) -> rusqlite::Result<OpReply> {
        if self.connection.is_autocommit() {
            // A transaction that has read before it writes does not wait for another writer: it
            // fails at once.
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let (connection, target) = (&self.connection, self.target);
        Ok(match op {
            Op::BeginRun { name, input } => {
                let number = begin_run(connection, target, &name, &input.0)?;
                self.begun = Some(name);
                OpReply::Run(number)
            }
            Op::EndRun { run, counters, exit_code, stopped } => {
                end_run(connection, run, counters, exit_code, stopped.as_deref())?;
                OpReply::Done
            }
            Op::HasCreated => OpReply::Is(has_created(connection, target)?),
            Op::SentWithin { time, now } => OpReply::Sent(read::sent_within(connection, target, time, now)?),
            Op::Claim { run, requests, policy } => {
                let claims = requests.into_iter().map(|request| claim(connection, target, run, request, policy));
                OpReply::Claims(claims.collect::<Result<_, _>>()?)
            }
            Op::Intend { run, email, row, intent } => {
                let record = record_of(connection, target, &email)?;
                write_intent(connection, run, record, row, &intent)?;
                OpReply::Done
            }
            Op::Settle { run, email, payload, outcome } => {
                let record = record_of(connection, target, &email)?;
                write_outcome(connection, run, record, payload, outcome)?;
                OpReply::Done
            }
            Op::Release { email } => {
                let record = record_of(connection, target, &email)?;
                erase_intent(connection, record)?;
                OpReply::Done
            }
            Op::Learn { run, customers } => OpReply::Count(maintenance::learn(connection, target, run, customers)?),
            Op::SettleByHand { run, email, ending } => {
                OpReply::Is(maintenance::settle(connection, target, run, &email, ending)?)
            }
            Op::ForgetEmail { email } => OpReply::Is(maintenance::forget_email(connection, target, &email)?),
            Op::ForgetTarget => OpReply::Count(maintenance::forget_target(connection, target)?),
            Op::CheckOwner { owner } => OpReply::Is(maintenance::check_owner(connection, target, &owner)?),
        })
    }

    fn failed(&self, error: &rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }
}

impl Store for SqliteStore {
    fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError> {
        self.work(op).map_err(|error| self.failed(&error))
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(|error| self.failed(&error))?;
        }
        if let Some(run) = self.begun.take() {
            self.lock.note(Some(&run));
        }
        Ok(())
    }

    fn check_held(&self) -> Result<(), LedgerError> {
        self.lock.check()
    }

    fn copy_to(&mut self, to: &Path) -> Result<(), LedgerError> {
        // SQLite would make it readable for others, and an empty file is as good as none for it.
        owner_only().write(true).open(to).map_err(|error| LedgerError::file(to, &error))?;
        let copied = self.connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied.map(drop).map_err(|error| LedgerError::sqlite(to, &error))
    }
}

impl Drop for SqliteStore {
    /// The last connection that SQLite closes moves the log into the file and removes the log *by
    /// its name*, which may be another ledger's by now. So a file without its name is closed
    /// without that. Its log is moved into it first, through the open connection, because a user
    /// who gives the file a name again would not think of the log.
    fn drop(&mut self) {
        // A batch that failed is not committed.
        if !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        if self.lock.has_ledger() {
            return;
        }
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        let closing = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let (Err(error), _) | (_, Err(error)) = (moved, closing.map(drop)) {
            tracing::warn!("the ledger without its name was not closed well: {error}");
        }
    }
}

fn register(connection: &Connection, target: &Target) -> rusqlite::Result<i64> {
    if let Some(id) = read::find_target(connection, target)? {
        return Ok(id);
    }
    connection
        .execute("INSERT INTO targets (base_url, account) VALUES (?1, ?2)", params![target.base_url, target.account])?;
    Ok(connection.last_insert_rowid())
}

fn begin_run(connection: &Connection, target: i64, name: &str, input: &str) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO runs (name, target, input, started_at) VALUES (?1, ?2, ?3, ?4)",
        params![name, target, input, Timestamp::now().as_millisecond()],
    )?;
    Ok(connection.last_insert_rowid())
}

fn end_run(
    connection: &Connection,
    run: i64,
    counters: RunCounters,
    exit_code: u8,
    stopped: Option<&str>,
) -> rusqlite::Result<()> {
    let RunCounters { requests, throttled, retries, recovered } = counters;
    let ended_at = Timestamp::now().as_millisecond();
    connection.execute(
        "UPDATE runs SET requests = ?2, throttled = ?3, retries = ?4, recovered = ?5,
                         exit_code = ?6, stopped = ?7, ended_at = ?8 WHERE id = ?1",
        params![run, requests, throttled, retries, recovered, exit_code, stopped, ended_at],
    )?;
    Ok(())
}

fn has_created(connection: &Connection, target: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outcomes o JOIN records r ON r.id = o.record
                              WHERE r.target = ?1 AND o.status = 'created')";
    connection.query_row(sql, [target], |row| row.get(0))
}

fn claim(
    connection: &Connection,
    target: i64,
    run: i64,
    request: ClaimRequest,
    policy: ClaimPolicy,
) -> rusqlite::Result<Claim> {
    let (record, known) = read::record(connection, target, &request.email, run)?.unzip();
    let (generation, resumed) = match decide(known.as_ref(), &request, run, policy) {
        Decision::Duplicate { of_row } => return Ok(Claim::Duplicate { of_row }),
        Decision::Settled(status) => {
            mark_claimed(connection, target, run, &request, record)?;
            return Ok(Claim::Settled(status));
        }
        Decision::Deliver { generation, resumed } => (generation, resumed),
    };
    let record = mark_claimed(connection, target, run, &request, record)?;
    if let Some((sent_by, intent)) = known.as_ref().and_then(|known| known.untold_doubt(run)) {
        // From now on the request is this run's; a report of the other one must still know how it
        // left the record.
        write_outcome(connection, sent_by, record, intent.payload, unheard())?;
    }
    let ClaimRequest { email, position, .. } = request;
    Ok(Claim::Deliver(Ticket { email, position, generation, resumed }))
}

fn mark_claimed(
    connection: &Connection,
    target: i64,
    run: i64,
    request: &ClaimRequest,
    record: Option<i64>,
) -> rusqlite::Result<i64> {
    let ClaimRequest { email, position: Position { row, .. }, .. } = request;
    if let Some(record) = record {
        connection
            .prepare_cached("UPDATE records SET claimed_run = ?2, claimed_row = ?3 WHERE id = ?1")?
            .execute(params![record, run, row])?;
        return Ok(record);
    }
    connection
        .prepare_cached("INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![target, email.as_str(), run, row])
}

fn record_of(connection: &Connection, target: i64, email: &EmailKey) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT id FROM records WHERE target = ?1 AND email_key = ?2")?
        .query_row(params![target, email.as_str()], |row| row.get(0))
}

fn write_intent(connection: &Connection, run: i64, record: i64, row: u64, intent: &Intent) -> rusqlite::Result<()> {
    // Generations only grow, and a record begins with 0.
    if intent.generation > 0 {
        connection
            .prepare_cached("UPDATE records SET generation = ?2 WHERE id = ?1")?
            .execute(params![record, intent.generation])?;
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO intents
             (record, run, row, generation, idempotency_key, payload_hash, body, attempt, key_since, sent_at,
              key_since_boot, key_since_uptime, sent_at_boot, sent_at_uptime,
              token_until, token_until_boot, token_until_uptime)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            record,
            run,
            row,
            intent.generation,
            intent.key,
            intent.payload.0,
            intent.body,
            intent.attempt,
            intent.key_since.wall.as_millisecond(),
            intent.sent_at.wall.as_millisecond(),
            boot(intent.key_since),
            uptime(intent.key_since),
            boot(intent.sent_at),
            uptime(intent.sent_at),
            intent.token_until.map(|until| until.wall.as_millisecond()),
            intent.token_until.and_then(boot),
            intent.token_until.and_then(uptime)
        ])?;
    Ok(())
}

fn boot(moment: Moment) -> Option<[u8; 16]> {
    moment.boot.map(|BootTime { boot, .. }| boot.to_be_bytes())
}

/// In milliseconds, as all times here.
fn uptime(moment: Moment) -> Option<i64> {
    moment.boot.and_then(|BootTime { uptime, .. }| i64::try_from(uptime.as_millis()).ok())
}

pub(super) fn write_outcome(
    connection: &Connection,
    run: i64,
    record: i64,
    payload: PayloadHash,
    outcome: Outcome,
) -> rusqlite::Result<()> {
    let (status, stored) = model::stored(outcome);
    let StoredOutcome { receipt, http_status, attempts, error_code, error, warning } = stored;
    connection
        .prepare_cached(
            "INSERT INTO outcomes
             (record, run, status, payload_hash, settled_at, http_status, attempts, error_code, error, warning,
              server_id, customer_id, kyc_link, tos_link, kyc_status, tos_status, created_at, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            record,
            run,
            status.as_str(),
            payload.0,
            Timestamp::now().as_millisecond(),
            http_status,
            attempts,
            error_code,
            error,
            warning,
            receipt.id,
            receipt.customer_id,
            receipt.kyc_link,
            receipt.tos_link,
            receipt.kyc_status,
            receipt.tos_status,
            receipt.created_at,
            receipt.data.text()
        ])?;
    if status == Status::InDoubt { Ok(()) } else { erase_intent(connection, record) }
}

pub(super) fn erase_intent(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM intents WHERE record = ?1")?.execute([record])?;
    Ok(())
}
