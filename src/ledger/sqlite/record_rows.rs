//! Reads what is known of records: a state, and the last outcome that a run or an earlier one left.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::packed_receipt::ReceiptUnpacker;
use super::read_ahead::{FoundRecord, Question};
use super::values::{read_boot_time, read_status, read_time};
use crate::domain::{Data, EmailKey, Moment, Receipt};
use crate::ledger::model::{CheckedStatus, Intent, PastOutcome, StoredOutcome};
use crate::ledger::payload::PayloadHash;
use crate::ledger::record_state::RecordState;

/// Asks for records of the target `?1` as of the run `?3`, with more columns, and of more tables.
macro_rules! records {
    ($more:expr, $of:literal, $which:expr) => {
        concat!(
            "SELECT r.id, r.email_key, o.id, r.generation, r.claimed_run, r.claimed_row,
                    o.run, o.status, o.payload_hash,
                    i.run, i.generation, i.idempotency_key, i.payload_hash, i.body, i.attempt, i.key_since, i.sent_at,
                    i.key_since_boot, i.key_since_uptime, i.sent_at_boot, i.sent_at_uptime,
                    i.token_until, i.token_until_boot, i.token_until_uptime",
            $more,
            " FROM records r
             LEFT JOIN intents i ON i.record = r.id
             LEFT JOIN outcomes o ON o.record = r.id AND o.run <= ?3",
            $of,
            $which
        )
    };
}

/// Asks for the whole outcomes. A file of an older version has no table of checks, and to join an
/// empty view for each record would take a fifth of the time.
macro_rules! outcomes {
    ($has_checks:expr, $which:expr) => {
        if $has_checks {
            records!(
                concat!(outcome_columns!(), ", c.kyc_status, c.tos_status, c.checked_at"),
                " LEFT JOIN checks c ON c.record = r.id",
                $which
            )
        } else {
            records!(concat!(outcome_columns!(), ", NULL, NULL, NULL"), "", $which)
        }
    };
}

macro_rules! outcome_columns {
    () => {
        ", o.http_status, o.attempts, o.error_code, o.error, o.warning,
           o.server_id, o.customer_id, o.kyc_link, o.tos_link, o.kyc_status, o.tos_status, o.created_at, o.data,
           o.receipt"
    };
}

/// The one record with the e-mail `?2`, with its last outcome.
macro_rules! by_email {
    () => {
        " WHERE r.target = ?1 AND r.email_key = ?2 ORDER BY o.id DESC LIMIT 1"
    };
}

/// The records whose ids are from `?2` to `?4`, with each of their outcomes. The plus keeps the
/// database from searching by the target.
macro_rules! by_id {
    () => {
        " WHERE +r.target = ?1 AND r.id BETWEEN ?2 AND ?4 ORDER BY r.id"
    };
}

/// Searches for records through one connection.
#[derive(Clone, Copy)]
pub(super) struct RecordSearch<'a> {
    pub connection: &'a Connection,
    pub target: i64,
    pub has_checks: bool,
    pub unpacker: &'a ReceiptUnpacker,
}

impl RecordSearch<'_> {
    pub(super) fn by_email(self, email: &EmailKey, question: Question) -> rusqlite::Result<Option<FoundRecord>> {
        let sql = if question.wants_outcome {
            outcomes!(self.has_checks, by_email!())
        } else {
            records!("", "", by_email!())
        };
        let mut asked = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| self.read(row, question);
        asked.query_row(params![self.target, email.as_str(), question.as_of], read).optional()
    }

    /// Returns the records with these ids, in their order.
    pub(super) fn by_id(
        self,
        ids: &RangeInclusive<i64>,
        question: Question,
    ) -> rusqlite::Result<VecDeque<FoundRecord>> {
        let sql =
            if question.wants_outcome { outcomes!(self.has_checks, by_id!()) } else { records!("", "", by_id!()) };
        let mut asked = self.connection.prepare_cached(sql)?;
        let mut rows = asked.query(params![self.target, ids.start(), question.as_of, ids.end()])?;
        let mut found = VecDeque::new();
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (id, outcome): (i64, Option<i64>) = (row.get(0)?, row.get(2)?);
            match last {
                // An earlier outcome of the same record.
                Some((of, latest)) if of == id && latest > outcome => continue,
                Some((of, _)) if of == id => drop(found.pop_back()),
                _ => {}
            }
            found.push_back(self.read(row, question)?);
            last = Some((id, outcome));
        }
        Ok(found)
    }

    fn read(self, row: &Row<'_>, question: Question) -> rusqlite::Result<FoundRecord> {
        let state = read_state(row)?;
        let wants_outcome = question.wants_outcome && state.latest.is_some();
        let outcome = wants_outcome.then(|| read_outcome(row, OUTCOME, self.unpacker)).transpose()?;
        Ok(FoundRecord { id: row.get(0)?, email: row.get(1)?, known: (state, outcome) })
    }
}

/// The first column of an outcome.
const OUTCOME: usize = 24;

/// The id of a record, and its state: its open request, and the last outcome that `run` or an
/// earlier one left. `None` if it is unknown.
pub(super) fn record(
    connection: &Connection,
    target: i64,
    email: &EmailKey,
    run: i64,
) -> rusqlite::Result<Option<(i64, RecordState)>> {
    let mut asked = connection.prepare_cached(records!("", "", by_email!()))?;
    asked.query_row(params![target, email.as_str(), run], |row| Ok((row.get(0)?, read_state(row)?))).optional()
}

fn read_state(row: &Row<'_>) -> rusqlite::Result<RecordState> {
    let latest = match row.get::<_, Option<i64>>(6)? {
        Some(run) => Some(PastOutcome { run, status: read_status(row, 7)?, payload: PayloadHash(row.get(8)?) }),
        None => None,
    };
    let open = match row.get::<_, Option<i64>>(9)? {
        Some(run) => Some(Box::new((run, read_intent(row, 10, 21)?))),
        None => None,
    };
    Ok(RecordState { generation: row.get(3)?, claimed_run: row.get(4)?, claimed_row: row.get(5)?, open, latest })
}

/// Reads an intent from this column on, and the end of its token from another one on.
pub(super) fn read_intent(row: &Row<'_>, first: usize, token: usize) -> rusqlite::Result<Intent> {
    Ok(Intent {
        generation: row.get(first)?,
        key: row.get(first + 1)?,
        payload: PayloadHash(row.get(first + 2)?),
        body: row.get(first + 3)?,
        attempt: row.get(first + 4)?,
        key_since: Moment { wall: read_time(row, first + 5)?, boot: read_boot_time(row, first + 7)? },
        sent_at: Moment { wall: read_time(row, first + 6)?, boot: read_boot_time(row, first + 9)? },
        token_until: match row.get::<_, Option<i64>>(token)? {
            Some(_) => Some(Moment { wall: read_time(row, token)?, boot: read_boot_time(row, token + 1)? }),
            None => None,
        },
    })
}

/// Reads the rest of an outcome from this column on, and then what was checked, if anything was.
pub(super) fn read_outcome(row: &Row<'_>, first: usize, unpacker: &ReceiptUnpacker) -> rusqlite::Result<StoredOutcome> {
    Ok(StoredOutcome {
        http_status: row.get(first)?,
        attempts: row.get(first + 1)?,
        error_code: row.get(first + 2)?,
        error: row.get(first + 3)?,
        warning: row.get(first + 4)?,
        receipt: read_receipt(row, first + 5, unpacker)?,
        checked: match row.get::<_, Option<i64>>(first + 16)? {
            Some(_) => Some(read_check(row, first + 14)?),
            None => None,
        },
    })
}

/// Reads a receipt from this column on: what is packed in the last of its columns, or else what an
/// earlier version wrote into the others.
fn read_receipt(row: &Row<'_>, first: usize, unpacker: &ReceiptUnpacker) -> rusqlite::Result<Receipt> {
    let customer_id = row.get(first + 1)?;
    if let Some(packed) = row.get_ref(first + 8)?.as_blob_or_null()? {
        let unreadable = |error| rusqlite::Error::FromSqlConversionFailure(first + 8, Type::Blob, Box::new(error));
        return Ok(Receipt { customer_id, ..unpacker.unpack(packed).map_err(unreadable)? });
    }
    Ok(Receipt {
        id: row.get(first)?,
        customer_id,
        kyc_link: row.get(first + 2)?,
        tos_link: row.get(first + 3)?,
        kyc_status: row.get(first + 4)?,
        tos_status: row.get(first + 5)?,
        created_at: row.get(first + 6)?,
        // What an earlier version kept was not bounded.
        data: row.get::<_, Option<String>>(first + 7)?.map_or(Data::None, Data::Kept),
    })
}

/// Reads what was checked from this column on.
pub(super) fn read_check(row: &Row<'_>, first: usize) -> rusqlite::Result<CheckedStatus> {
    Ok(CheckedStatus {
        kyc_status: row.get(first)?,
        tos_status: row.get(first + 1)?,
        checked_at: read_time(row, first + 2)?,
    })
}
