//! Reading the ledger, by the writer within its transaction and by readers beside it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::key::PayloadHash;
use super::standing::{PastOutcome, Standing};
use super::writer::{Intent, RunCounters, RunId, Target};
use super::{LedgerError, schema};
use crate::domain::{EmailKey, Receipt, Status};

/// A view of the ledger for reports, plans and people. It takes no lock and writes nothing.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    target: Option<i64>,
}

/// What is known of a run.
#[derive(Clone, Debug)]
pub struct RunInfo {
    pub id: RunId,
    pub counters: RunCounters,
    pub started_at: Timestamp,
    /// Absent while it runs, and after a kill.
    pub ended_at: Option<Timestamp>,
    pub exit_code: Option<u8>,
    pub stopped: Option<String>,
}

impl Reader {
    pub fn open(path: &Path, target: &Target) -> Result<Self, LedgerError> {
        let connection = schema::open_for_reading(path)?;
        let id = find_target(&connection, target).map_err(|error| LedgerError::sqlite(path, &error))?;
        Ok(Self { connection, path: path.to_owned(), target: id })
    }

    /// What is known of an e-mail as of `run`; `None` as run asks for all that is known.
    pub fn standing(&self, email: &EmailKey, run: Option<i64>) -> Result<Option<Standing>, LedgerError> {
        let Some(target) = self.target else { return Ok(None) };
        standing(&self.connection, target, email, run.unwrap_or(i64::MAX)).map_err(|error| self.failed(&error))
    }

    /// The newest run over this input.
    pub fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.find_run("input = ?2", input)
    }

    /// The run of this name.
    pub fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError> {
        self.find_run("name = ?2", name)
    }

    fn find_run(&self, condition: &str, value: &str) -> Result<Option<RunInfo>, LedgerError> {
        let sql = format!(
            "SELECT id, name, requests, throttled, retries, recovered, started_at, ended_at, exit_code, stopped
             FROM runs WHERE target = ?1 AND {condition} ORDER BY id DESC LIMIT 1"
        );
        self.connection
            .query_row(&sql, params![self.target, value], read_run)
            .optional()
            .map_err(|error| self.failed(&error))
    }

    /// How many requests of this target have an unknown effect.
    pub fn open_requests(&self) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM intents JOIN records ON records.id = intents.record WHERE target = ?1";
        self.connection.query_row(sql, [self.target], |row| row.get(0)).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
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

/// The record with its open request and the last outcome that `run` or an earlier one left.
pub(super) fn standing(
    connection: &Connection,
    target: i64,
    email: &EmailKey,
    run: i64,
) -> rusqlite::Result<Option<Standing>> {
    let sql = "
        SELECT r.generation, r.claimed_run, r.claimed_row,
               i.run, i.generation, i.idempotency_key, i.payload_hash, i.body, i.attempt, i.key_since, i.sent_at,
               o.run, o.status, o.payload_hash, o.http_status, o.attempts, o.error_code, o.error, o.warning,
               o.server_id, o.customer_id, o.kyc_link, o.tos_link, o.kyc_status, o.tos_status, o.created_at, o.data
        FROM records r
        LEFT JOIN intents i ON i.record = r.id
        LEFT JOIN outcomes o
               ON o.id = (SELECT id FROM outcomes WHERE record = r.id AND run <= ?3 ORDER BY id DESC LIMIT 1)
        WHERE r.target = ?1 AND r.email_key = ?2";
    connection.prepare_cached(sql)?.query_row(params![target, email.as_str(), run], read_standing).optional()
}

fn read_standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let open = match row.get::<_, Option<i64>>(3)? {
        Some(run) => Some((run, read_intent(row)?)),
        None => None,
    };
    let latest = match row.get::<_, Option<i64>>(11)? {
        Some(run) => Some(read_outcome(row, run)?),
        None => None,
    };
    Ok(Standing { generation: row.get(0)?, claimed_run: row.get(1)?, claimed_row: row.get(2)?, open, latest })
}

fn read_intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        generation: row.get(4)?,
        key: row.get(5)?,
        payload: PayloadHash(row.get(6)?),
        body: row.get(7)?,
        attempt: row.get(8)?,
        key_since: read_time(row, 9)?,
        sent_at: read_time(row, 10)?,
    })
}

fn read_outcome(row: &Row<'_>, run: i64) -> rusqlite::Result<PastOutcome> {
    Ok(PastOutcome {
        run,
        status: read_status(row, 12)?,
        payload: PayloadHash(row.get(13)?),
        http_status: row.get(14)?,
        attempts: row.get(15)?,
        error_code: row.get(16)?,
        error: row.get(17)?,
        warning: row.get(18)?,
        receipt: Receipt {
            id: row.get(19)?,
            customer_id: row.get(20)?,
            kyc_link: row.get(21)?,
            tos_link: row.get(22)?,
            kyc_status: row.get(23)?,
            tos_status: row.get(24)?,
            created_at: row.get(25)?,
            data: row.get(26)?,
        },
    })
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<RunInfo> {
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
        stopped: row.get(9)?,
    })
}

fn read_status(row: &Row<'_>, column: usize) -> rusqlite::Result<Status> {
    let text: String = row.get(column)?;
    Status::IMPORT.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unknown status {text:?}").into())
    })
}

fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millisecond(millis)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into()))
}
