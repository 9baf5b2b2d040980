//! A ledger file that moves into a database: everything in it, and the mark that it gets.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params};

use super::lock::{Lock, real_file};
use super::move_mark::{self, MoveMark};
use super::packed_receipt::ReceiptUnpacker;
use super::{read, record_rows, schema, store, values};
use crate::domain::EmailKey;
use crate::ledger::minute_codec::EncodedMinute;
use crate::ledger::model::Stay;
use crate::ledger::moved::{
    MovedAccount, MovedBadRecord, MovedIntent, MovedMinute, MovedOutcome, MovedRecord, MovedRows, TableCounts,
};
use crate::ledger::payload::PayloadHash;
use crate::ledger::{Creation, LedgerError, Target};

/// How many rows are in memory at a time.
const PIECE: usize = 1000;

/// The only connection to the file, and the lock that makes it the only one.
pub(in crate::ledger) struct SqliteDeparture {
    /// Closed before the lock is released.
    connection: Connection,
    lock: Lock,
    path: PathBuf,
    mark: Option<MoveMark>,
    unpacker: ReceiptUnpacker,
    /// The rows of the accounts that were listed.
    targets: Vec<i64>,
}

impl SqliteDeparture {
    /// Locks a ledger that exists, and brings it to the newest schema unless it is marked.
    pub(in crate::ledger) fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = real_file(path, Creation::Refused)?;
        let lock = Lock::acquire(&path, Stay::Run)?;
        let failed = |error: rusqlite::Error| LedgerError::sqlite(&path, &error);
        let (connection, mark) = match schema::open_for_writing(&path, Creation::Refused, true) {
            Ok(connection) => (connection, None),
            Err(LedgerError::Moved { .. }) => {
                let connection = schema::open_marked(&path)?;
                let mark = move_mark::read(&connection).map_err(failed)?;
                (connection, Some(mark))
            }
            Err(error) => return Err(error),
        };
        lock.check()?;
        schema::refuse_newer(&connection, &path)?;
        let unpacker = ReceiptUnpacker::new().map_err(|error| LedgerError::io(path.as_path(), error))?;
        Ok(Self { connection, lock, path, mark, unpacker, targets: Vec::new() })
    }

    pub(in crate::ledger) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the mark of an earlier move, or `None` if there is none.
    pub(in crate::ledger) fn mark(&self) -> Option<&MoveMark> {
        self.mark.as_ref()
    }

    /// Marks the file. The mark is durable when this returns.
    pub(in crate::ledger) fn set_mark(&mut self, mark: &MoveMark) -> Result<(), LedgerError> {
        self.lock.check()?;
        move_mark::write(&mut self.connection, mark).map_err(|error| LedgerError::sqlite(&self.path, &error))?;
        self.mark = Some(mark.clone());
        Ok(())
    }

    /// Takes the mark away if there is one, so that runs use the file again.
    pub(in crate::ledger) fn remove_mark(&mut self) -> Result<(), LedgerError> {
        if self.mark.take().is_some() {
            move_mark::erase(&mut self.connection, schema::newest())
                .map_err(|error| LedgerError::sqlite(&self.path, &error))?;
        }
        Ok(())
    }

    pub(in crate::ledger) fn secret(&self) -> Result<Vec<u8>, LedgerError> {
        store::secret(&self.connection, &self.path)
    }

    /// Lists the accounts that have a run or a record. Their places in the list name them below.
    pub(in crate::ledger) fn accounts(&mut self) -> Result<Vec<MovedAccount>, LedgerError> {
        let sql = "SELECT id, base_url, account, owner FROM targets t
                   WHERE EXISTS (SELECT 1 FROM runs WHERE target = t.id) OR EXISTS (SELECT 1 FROM records WHERE target = t.id)
                   ORDER BY id";
        let listed = || -> rusqlite::Result<Vec<(i64, MovedAccount)>> {
            let read = |row: &Row<'_>| {
                let target = Target { base_url: row.get(1)?, account: row.get(2)? };
                Ok((row.get(0)?, MovedAccount { target, owner: row.get(3)? }))
            };
            self.connection.prepare(sql)?.query_map([], read)?.collect()
        };
        let listed = listed().map_err(|error| LedgerError::sqlite(&self.path, &error))?;
        let (targets, accounts) = listed.into_iter().unzip();
        self.targets = targets;
        Ok(accounts)
    }

    /// Shows all rows of an account, a piece at a time.
    pub(in crate::ledger) fn each_piece(
        &self,
        place: usize,
        show: &mut dyn FnMut(MovedRows) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.table(place, RUNS, read::read_run, |rows| show(MovedRows::Runs(rows)))?;
        self.table(place, RECORDS, read_record, |rows| show(MovedRows::Records(rows)))?;
        self.table(place, INTENTS, read_intent, |rows| show(MovedRows::Intents(rows)))?;
        let read_outcome = |row: &Row<'_>| read_outcome(row, &self.unpacker);
        self.table(place, OUTCOMES, read_outcome, |rows| show(MovedRows::Outcomes(rows)))?;
        self.table(place, MINUTES, read_minute, |rows| show(MovedRows::Minutes(rows)))?;
        self.table(place, BAD_RECORDS, read_bad_record, |rows| show(MovedRows::BadRecords(rows)))?;
        self.table(place, CHECKS, read_check, |rows| show(MovedRows::Checks(rows)))
    }

    fn table<T>(
        &self,
        place: usize,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        mut show: impl FnMut(Vec<T>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let failed = |error: rusqlite::Error| LedgerError::sqlite(&self.path, &error);
        let mut asked = self.connection.prepare(sql).map_err(failed)?;
        let mut rows = asked.query([self.targets.get(place)]).map_err(failed)?;
        let mut piece = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            piece.push(read(row).map_err(failed)?);
            if piece.len() == PIECE {
                show(std::mem::take(&mut piece))?;
            }
        }
        if piece.is_empty() { Ok(()) } else { show(piece) }
    }

    /// Returns the sums of all accounts.
    pub(in crate::ledger) fn all_counts(&self) -> Result<TableCounts, LedgerError> {
        (0..self.targets.len()).try_fold(TableCounts::default(), |sum, place| Ok(sum.plus(self.counts(place)?)))
    }

    pub(in crate::ledger) fn counts(&self, place: usize) -> Result<TableCounts, LedgerError> {
        let of_records = |table: &str| {
            format!("SELECT count(*) FROM {table} x JOIN records r ON r.id = x.record WHERE r.target = ?1")
        };
        let of_runs =
            |table: &str| format!("SELECT count(*) FROM {table} x JOIN runs r ON r.id = x.run WHERE r.target = ?1");
        let of_target = |table: &str| format!("SELECT count(*) FROM {table} WHERE target = ?1");
        let questions = [
            of_target("runs"),
            of_target("records"),
            of_records("intents"),
            of_records("outcomes"),
            of_runs("minutes"),
            of_runs("bad_records"),
            of_records("checks"),
        ];
        let mut counts = [0; 7];
        for (count, sql) in counts.iter_mut().zip(questions) {
            let counted = self.connection.query_row(&sql, params![self.targets.get(place)], |row| row.get(0));
            *count = counted.map_err(|error| LedgerError::sqlite(&self.path, &error))?;
        }
        Ok(TableCounts(counts))
    }
}

const RUNS: &str = "SELECT id, name, requests, throttled, retries, recovered, started_at, ended_at, exit_code, stopped,
                           input, options, records_read, known_bad, completed
                    FROM runs WHERE target = ?1 ORDER BY id";
const RECORDS: &str =
    "SELECT email_key, generation, claimed_run, claimed_row FROM records WHERE target = ?1 ORDER BY id";
const INTENTS: &str = "SELECT r.email_key, i.run, i.row,
                              i.generation, i.idempotency_key, i.payload_hash, i.body, i.attempt, i.key_since, i.sent_at,
                              i.key_since_boot, i.key_since_uptime, i.sent_at_boot, i.sent_at_uptime,
                              i.token_until, i.token_until_boot, i.token_until_uptime
                       FROM intents i JOIN records r ON r.id = i.record WHERE r.target = ?1 ORDER BY r.id";
const OUTCOMES: &str = "SELECT o.id, r.email_key, o.run, o.status, o.payload_hash, o.settled_at, o.field_hashes,
                               o.http_status, o.attempts, o.error_code, o.error, o.warning,
                               o.server_id, o.customer_id, o.kyc_link, o.tos_link, o.kyc_status, o.tos_status,
                               o.created_at, o.data, o.receipt, NULL, NULL, NULL
                        FROM outcomes o JOIN records r ON r.id = o.record WHERE r.target = ?1 ORDER BY o.id";
const MINUTES: &str = "SELECT m.run, m.minute, m.counts, m.latencies
                       FROM minutes m JOIN runs r ON r.id = m.run WHERE r.target = ?1 ORDER BY m.run, m.minute";
const BAD_RECORDS: &str = "SELECT b.digest, b.run FROM bad_records b JOIN runs r ON r.id = b.run WHERE r.target = ?1 ORDER BY b.run, b.digest";
const CHECKS: &str = "SELECT r.email_key, c.kyc_status, c.tos_status, c.checked_at
                      FROM checks c JOIN records r ON r.id = c.record WHERE r.target = ?1 ORDER BY r.id";

fn read_record(row: &Row<'_>) -> rusqlite::Result<MovedRecord> {
    Ok(MovedRecord {
        email: read_email(row, 0)?,
        generation: row.get(1)?,
        claimed_run: row.get(2)?,
        claimed_row: row.get(3)?,
    })
}

fn read_intent(row: &Row<'_>) -> rusqlite::Result<MovedIntent> {
    Ok(MovedIntent {
        email: read_email(row, 0)?,
        run: row.get(1)?,
        row: row.get(2)?,
        intent: record_rows::read_intent(row, 3, 14)?,
    })
}

fn read_outcome(row: &Row<'_>, unpacker: &ReceiptUnpacker) -> rusqlite::Result<MovedOutcome> {
    Ok(MovedOutcome {
        number: row.get(0)?,
        email: read_email(row, 1)?,
        run: row.get(2)?,
        status: values::read_status(row, 3)?,
        payload: PayloadHash(row.get(4)?),
        settled_at: values::read_time(row, 5)?,
        field_hashes: row.get(6)?,
        stored: record_rows::read_outcome(row, 7, unpacker)?,
    })
}

fn read_minute(row: &Row<'_>) -> rusqlite::Result<MovedMinute> {
    let encoded = EncodedMinute { counts: row.get(2)?, latencies: row.get(3)? };
    Ok(MovedMinute { run: row.get(0)?, minute: row.get(1)?, encoded })
}

fn read_bad_record(row: &Row<'_>) -> rusqlite::Result<MovedBadRecord> {
    Ok(MovedBadRecord { digest: row.get(0)?, run: row.get(1)? })
}

fn read_check(row: &Row<'_>) -> rusqlite::Result<(EmailKey, crate::ledger::CheckedStatus)> {
    Ok((read_email(row, 0)?, record_rows::read_check(row, 1)?))
}

fn read_email(row: &Row<'_>, column: usize) -> rusqlite::Result<EmailKey> {
    Ok(EmailKey::of(&row.get::<_, String>(column)?))
}
