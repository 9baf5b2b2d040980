//! Reading the ledger, by the writer within its transaction and by readers beside it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::packed_receipt::ReceiptUnpacker;
use super::read_ahead::{Question, ReadAhead};
use super::record_rows::RecordSearch;
use super::values::{read_boot_time, read_status, read_time};
use super::{lock, schema, shared_ids};
use crate::domain::{EmailKey, MinuteTraffic, Moment, StopWords, Tally};
use crate::ledger::field_hashes::FieldHashes;
use crate::ledger::keyed_hasher::BadRecordDigest;
use crate::ledger::minute_codec::{self, EncodedMinute};
use crate::ledger::model::{InputName, OpenRequest, RunCounters, RunId, RunInfo, RunStart, RunState, SharedId, Target};
use crate::ledger::record_state::{Claimed, KnownRecord, RecordState};
use crate::ledger::store::LedgerReader;
use crate::ledger::{LedgerError, Occupied};

/// A connection that only reads. One transaction holds its view of the file from the first question
/// on.
#[derive(Debug)]
pub(in crate::ledger) struct SqliteReader {
    connection: Connection,
    path: PathBuf,
    /// `None` if the file does not know the target.
    target: Option<i64>,
    /// Whether the file has the table of checks.
    has_checks: bool,
    unpacker: ReceiptUnpacker,
    ahead: RefCell<ReadAhead>,
}

impl SqliteReader {
    pub(in crate::ledger) fn open(path: &Path, target: &Target) -> Result<Self, LedgerError> {
        let connection = schema::open_for_reading(path)?;
        let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
        // One transaction for all questions: the answers fit together, and a million of them need
        // not lock the file a million times.
        connection.execute_batch("BEGIN").map_err(failed)?;
        let id = find_target(&connection, target).map_err(failed)?;
        let has_checks = has_checks(&connection).map_err(failed)?;
        let unpacker = ReceiptUnpacker::new().map_err(|error| LedgerError::io(path, error))?;
        Ok(Self { connection, path: path.to_owned(), target: id, has_checks, unpacker, ahead: RefCell::default() })
    }

    fn find_run(&self, condition: &str, value: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.find_runs(condition, value, 1)?.pop())
    }

    /// The newest first.
    fn find_runs(&self, condition: &str, value: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        let sql = format!(
            "SELECT id, name, requests, throttled, retries, recovered, started_at, ended_at, exit_code, stopped,
                    input, options, records_read, known_bad, completed
             FROM runs WHERE target = ?1 AND {condition} ORDER BY id DESC LIMIT ?3"
        );
        self.list(&sql, params![self.target, value, most], read_run)
    }

    /// Returns the secret of the file, or nothing if it has none yet.
    pub(in crate::ledger) fn secret(&self) -> Result<Vec<u8>, LedgerError> {
        let secret = self.connection.query_row("SELECT bytes FROM secret", [], |row| row.get(0)).optional();
        Ok(secret.map_err(|error| self.failed(&error))?.unwrap_or_default())
    }

    /// Adds up the counts of statuses.
    fn tallied(&self, sql: &str, of: impl rusqlite::ToSql) -> Result<Tally, LedgerError> {
        let counts = self.list(sql, [of], |row| Ok((read_status(row, 0)?, row.get::<_, u64>(1)?)))?;
        let mut tally = Tally::default();
        counts.into_iter().for_each(|(status, count)| tally.add_many(status, count));
        Ok(tally)
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let listed =
            || -> rusqlite::Result<Vec<T>> { self.connection.prepare(sql)?.query_map(params, read)?.collect() };
        listed().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }

    fn known(&self, target: i64, email: &EmailKey, question: Question) -> rusqlite::Result<Option<KnownRecord>> {
        let Self { connection, has_checks, unpacker, .. } = self;
        let search = RecordSearch { connection, target, has_checks: *has_checks, unpacker };
        let mut ahead = self.ahead.borrow_mut();
        ahead.turn_to(question);
        if let Some(ids) = ahead.wants() {
            ahead.fill(search.by_id(&ids, question)?);
        }
        if let Some(known) = ahead.take(email) {
            return Ok(Some(known));
        }
        let found = search.by_email(email, question)?;
        Ok(found.map(|found| {
            ahead.searched(found.id);
            found.known
        }))
    }

    fn show_claimed(&self, target: i64, run: i64, show: &mut dyn FnMut(Claimed) -> bool) -> rusqlite::Result<()> {
        // Customers that were learnt have row 0.
        let sql = "SELECT claimed_row, email_key FROM records
                   WHERE target = ?1 AND claimed_run = ?2 AND claimed_row > 0 ORDER BY claimed_row";
        let mut asked = self.connection.prepare(sql)?;
        let mut rows = asked.query(params![target, run])?;
        while let Some(found) = rows.next()? {
            let (row, email): (u64, String) = (found.get(0)?, found.get(1)?);
            let question = Question { as_of: run, wants_outcome: true };
            if let Some((state, outcome)) = self.known(target, &EmailKey::of(&email), question)?
                && !show(Claimed { row, email, state, outcome })
            {
                break;
            }
        }
        Ok(())
    }
}

impl LedgerReader for SqliteReader {
    fn knows_any(&self) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM records WHERE target = ?1)";
        self.connection.query_row(sql, [self.target], |row| row.get(0)).map_err(|error| self.failed(&error))
    }

    fn states(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<RecordState>>, LedgerError> {
        let Some(target) = self.target else { return Ok(emails.iter().map(|_| None).collect()) };
        let question = Question { as_of, wants_outcome: false };
        let state = |email: &&EmailKey| Ok(self.known(target, email, question)?.map(|(state, _)| state));
        emails.iter().map(state).collect::<rusqlite::Result<_>>().map_err(|error| self.failed(&error))
    }

    fn outcomes(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<KnownRecord>>, LedgerError> {
        let Some(target) = self.target else { return Ok(emails.iter().map(|_| None).collect()) };
        let question = Question { as_of, wants_outcome: true };
        let outcome = |email: &&EmailKey| self.known(target, email, question);
        emails.iter().map(outcome).collect::<rusqlite::Result<_>>().map_err(|error| self.failed(&error))
    }

    fn sent_fields(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<FieldHashes>>, LedgerError> {
        let Some(target) = self.target else { return Ok(emails.iter().map(|_| None).collect()) };
        let fields = |&email: &&EmailKey| sent_fields(&self.connection, target, email, as_of);
        emails.iter().map(fields).collect::<rusqlite::Result<_>>().map_err(|error| self.failed(&error))
    }

    fn known_bad(&self, digests: &[BadRecordDigest]) -> Result<Vec<bool>, LedgerError> {
        let is_known = |digest: &BadRecordDigest| {
            let sql = "SELECT EXISTS (SELECT 1 FROM bad_records b JOIN runs r ON r.id = b.run
                                      WHERE b.digest = ?1 AND r.target = ?2)";
            let mut asked = self.connection.prepare_cached(sql)?;
            asked.query_row(params![digest.0, self.target], |row| row.get(0))
        };
        digests.iter().map(is_known).collect::<rusqlite::Result<_>>().map_err(|error| self.failed(&error))
    }

    fn each_claimed(&self, run: i64, show: &mut dyn FnMut(Claimed) -> bool) -> Result<(), LedgerError> {
        let Some(target) = self.target else { return Ok(()) };
        self.show_claimed(target, run, show).map_err(|error| self.failed(&error))
    }

    fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.find_run("input = ?2", input)
    }

    fn runs_of(&self, input: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        self.find_runs("input = ?2", input, most)
    }

    fn last_completed(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.find_run("input = ?2 AND completed", input)
    }

    fn tally_of(&self, run: i64) -> Result<Tally, LedgerError> {
        // With max(), SQLite takes the status of the row that has it.
        let sql = "SELECT status, count(*) FROM (
                       SELECT record, status, max(id) FROM outcomes
                       WHERE run = ?1 AND record NOT IN (SELECT record FROM intents WHERE run = ?1) GROUP BY record
                   ) GROUP BY status
                   UNION ALL SELECT 'in_doubt', count(*) FROM intents WHERE run = ?1";
        self.tallied(sql, run)
    }

    fn minutes(&self, run: i64) -> Result<Vec<MinuteTraffic>, LedgerError> {
        self.list("SELECT minute, counts, latencies FROM minutes WHERE run = ?1 ORDER BY minute", [run], read_minute)
    }

    fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.find_run("name = ?2", name)
    }

    fn open_requests(&self) -> Result<Vec<OpenRequest>, LedgerError> {
        // Few records have an open request, and CROSS keeps the database from asking each of them.
        let sql = "SELECT r.email_key, i.row, i.body, i.sent_at FROM intents i CROSS JOIN records r ON r.id = i.record
                   WHERE r.target = ?1 ORDER BY i.sent_at, r.id";
        self.list(sql, [self.target], |row| {
            let email: String = row.get(0)?;
            Ok(OpenRequest {
                email: EmailKey::of(&email),
                row: row.get(1)?,
                body: row.get(2)?,
                sent_at: read_time(row, 3)?,
            })
        })
    }

    fn state_of(&self, run: &RunInfo) -> Result<RunState, LedgerError> {
        if let Some(ended_at) = run.ended_at {
            return Ok(RunState::Ended(ended_at));
        }
        let newest: Vec<i64> = self.list("SELECT max(id) FROM runs", [], |row| row.get(0))?;
        let is_alive = newest == [run.id.number] && lock::is_held(&self.path);
        Ok(if is_alive { RunState::Running } else { RunState::CutOff })
    }

    fn tally(&self) -> Result<Tally, LedgerError> {
        let sql = "SELECT CASE WHEN i.record IS NOT NULL THEN 'in_doubt' ELSE coalesce(o.status, 'not_attempted') END, count(*)
                   FROM records r
                   LEFT JOIN intents i ON i.record = r.id
                   LEFT JOIN outcomes o ON o.id = (SELECT max(id) FROM outcomes WHERE record = r.id)
                   WHERE r.target = ?1 GROUP BY 1";
        self.tallied(sql, self.target)
    }

    fn owner(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        let owners: Vec<Option<Vec<u8>>> =
            self.list("SELECT owner FROM targets WHERE id = ?1", [self.target], |row| row.get(0))?;
        Ok(owners.into_iter().flatten().next())
    }

    fn check(&self) -> Result<(), LedgerError> {
        schema::check(&self.connection, &self.path)
    }

    fn holder(&self) -> Option<Occupied> {
        lock::occupied(&self.path)
    }

    fn runs(&self) -> Result<u64, LedgerError> {
        let counts: Vec<u64> =
            self.list("SELECT count(*) FROM runs WHERE target = ?1", [self.target], |row| row.get(0))?;
        Ok(counts.into_iter().sum())
    }

    fn shared_ids(&self, run: i64) -> Result<Vec<SharedId>, LedgerError> {
        shared_ids::shared_ids(&self.connection, run).map_err(|error| self.failed(&error))
    }
}

pub(super) fn find_target(connection: &Connection, target: &Target) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row(
            "SELECT id FROM targets WHERE base_url = ?1 AND account = ?2",
            params![target.base_url, target.account],
            |row| row.get(0),
        )
        .optional()
}

/// Whether the file itself has the table of checks. An older version has only an empty view of it.
fn has_checks(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'checks')";
    connection.query_row(sql, [], |row| row.get(0))
}

/// The open requests of a target that left within `time` before `now`.
pub(super) fn sent_within(
    connection: &Connection,
    target: i64,
    time: Duration,
    now: Moment,
) -> rusqlite::Result<Vec<(EmailKey, Moment)>> {
    // CROSS keeps the database from asking each record for an open request.
    let sql = "SELECT r.email_key, i.sent_at, i.sent_at_boot, i.sent_at_uptime
               FROM intents i CROSS JOIN records r ON r.id = i.record WHERE r.target = ?1";
    let mut asked = connection.prepare(sql)?;
    let sent = asked.query_map([target], |row| {
        let email: String = row.get(0)?;
        Ok((EmailKey::of(&email), Moment { wall: read_time(row, 1)?, boot: read_boot_time(row, 2)? }))
    })?;
    sent.filter(|sent| sent.as_ref().map_or(true, |(_, sent_at)| now.surely_since(*sent_at) < time)).collect()
}

/// The fields that were sent for the last outcome that `run` or an earlier one left.
fn sent_fields(
    connection: &Connection,
    target: i64,
    email: &EmailKey,
    run: i64,
) -> rusqlite::Result<Option<FieldHashes>> {
    let sql = "SELECT o.field_hashes FROM records r JOIN outcomes o ON o.record = r.id AND o.run <= ?3
               WHERE r.target = ?1 AND r.email_key = ?2 ORDER BY o.id DESC LIMIT 1";
    let mut asked = connection.prepare_cached(sql)?;
    let found = asked.query_row(params![target, email.as_str(), run], |row| row.get::<_, Option<Vec<u8>>>(0));
    // What cannot be read is as good as unknown, because it only explains.
    Ok(found.optional()?.flatten().and_then(|bytes| FieldHashes::from_bytes(&bytes)))
}

pub(super) fn read_run(row: &Row<'_>) -> rusqlite::Result<RunInfo> {
    Ok(RunInfo {
        id: RunId { number: row.get(0)?, name: row.get(1)? },
        counters: RunCounters {
            requests: row.get(2)?,
            throttled: row.get(3)?,
            retries: row.get(4)?,
            recovered: row.get(5)?,
        },
        started_at: read_time(row, 6)?,
        ended_at: row.get::<_, Option<i64>>(7)?.map(|_| read_time(row, 7)).transpose()?,
        exit_code: row.get(8)?,
        stopped: row.get::<_, Option<String>>(9)?.as_deref().map(StopWords::from_text),
        start: RunStart { input: InputName(row.get(10)?), options: row.get(11)? },
        records_read: row.get(12)?,
        known_bad: row.get(13)?,
        is_completed: row.get(14)?,
    })
}

/// The number of a minute, and in the next columns what happened in it.
pub(super) fn read_minute(row: &Row<'_>) -> rusqlite::Result<MinuteTraffic> {
    let encoded = EncodedMinute { counts: row.get(1)?, latencies: row.get(2)? };
    let unreadable = || rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, "unreadable counts".into());
    minute_codec::decode(row.get(0)?, &encoded).ok_or_else(unreadable)
}
