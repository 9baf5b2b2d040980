//! The statements that write. Each belongs to the open batch of the store.

use foldhash::HashMap;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::packed_receipt::ReceiptPacker;
use super::{read, record_rows};
use crate::domain::{BootTime, EmailKey, MinuteTraffic, Moment, Position, Status, StopWords};
use crate::ledger::Target;
use crate::ledger::claim::{Claim, ClaimPolicy, ClaimRequest, Decision, Ticket, decide};
use crate::ledger::field_hashes::FieldHashes;
use crate::ledger::keyed_hasher::BadRecordDigest;
use crate::ledger::minute_codec::{self, EncodedMinute};
use crate::ledger::model::{EndedRun, InputName, Intent, OutcomeParts, RunCounters, RunStart, unheard};
use crate::ledger::store::Settlement;

pub(super) fn register(connection: &Connection, target: &Target) -> rusqlite::Result<i64> {
    if let Some(id) = read::find_target(connection, target)? {
        return Ok(id);
    }
    connection
        .execute("INSERT INTO targets (base_url, account) VALUES (?1, ?2)", params![target.base_url, target.account])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn begin_run(connection: &Connection, target: i64, name: &str, start: &RunStart) -> rusqlite::Result<i64> {
    let RunStart { input: InputName(input), options } = start;
    connection.execute(
        "INSERT INTO runs (name, target, input, started_at, options) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name, target, input, Timestamp::now().as_millisecond(), options],
    )?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn end_run(connection: &Connection, run: i64, end: &EndedRun) -> rusqlite::Result<()> {
    let EndedRun { counters, exit_code, stopped, records_read, known_bad, is_completed, bad_records } = end;
    let RunCounters { requests, throttled, retries, recovered } = counters;
    let ended_at = Timestamp::now().as_millisecond();
    connection.execute(
        "UPDATE runs SET requests = ?2, throttled = ?3, retries = ?4, recovered = ?5, exit_code = ?6, stopped = ?7,
                         ended_at = ?8, records_read = ?9, known_bad = ?10, completed = ?11 WHERE id = ?1",
        params![
            run,
            requests,
            throttled,
            retries,
            recovered,
            exit_code,
            stopped.as_ref().map(StopWords::to_text),
            ended_at,
            records_read,
            known_bad,
            is_completed
        ],
    )?;
    if *is_completed { keep_bad_records(connection, run, bad_records) } else { Ok(()) }
}

/// Keeps the bad records of a completed run in place of those of earlier runs of the same input.
fn keep_bad_records(connection: &Connection, run: i64, bad_records: &[BadRecordDigest]) -> rusqlite::Result<()> {
    let sql = "DELETE FROM bad_records WHERE run IN
               (SELECT old.id FROM runs old JOIN runs new ON new.target = old.target AND new.input = old.input
                WHERE new.id = ?1)";
    connection.execute(sql, [run])?;
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO bad_records (digest, run) VALUES (?1, ?2)")?;
    for digest in bad_records {
        insert.execute(params![digest.0, run])?;
    }
    Ok(())
}

/// Adds to what is known of a minute, because a wall clock that was set back shows it twice.
pub(super) fn add_minute(connection: &Connection, run: i64, mut traffic: MinuteTraffic) -> rusqlite::Result<()> {
    let known = connection
        .prepare_cached("SELECT minute, counts, latencies FROM minutes WHERE run = ?1 AND minute = ?2")?
        .query_row(params![run, traffic.minute], read::read_minute)
        .optional()?;
    if let Some(known) = known {
        traffic.merge(&known);
    }
    let EncodedMinute { counts, latencies } = minute_codec::encode(&traffic);
    connection
        .prepare_cached("INSERT OR REPLACE INTO minutes (run, minute, counts, latencies) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run, traffic.minute, counts, latencies])?;
    Ok(())
}

pub(super) fn has_created(connection: &Connection, target: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outcomes o JOIN records r ON r.id = o.record
                              WHERE r.target = ?1 AND o.status = 'created')";
    connection.query_row(sql, [target], |row| row.get(0))
}

/// Claims a record for the run. If it is to be sent, its row is noted in `claimed`.
pub(super) fn claim(
    connection: &Connection,
    target: i64,
    run: i64,
    request: ClaimRequest,
    policy: ClaimPolicy,
    claimed: &mut HashMap<EmailKey, i64>,
    packer: &mut ReceiptPacker,
) -> rusqlite::Result<Claim> {
    let (record, known) = record_rows::record(connection, target, &request.email, run)?.unzip();
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
        write_outcome(connection, packer, sent_by, record, &Settlement::unread(intent.payload, unheard()))?;
    }
    let ClaimRequest { email, position, .. } = request;
    claimed.insert(email.clone(), record);
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

pub(super) fn record_of(connection: &Connection, target: i64, email: &EmailKey) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT id FROM records WHERE target = ?1 AND email_key = ?2")?
        .query_row(params![target, email.as_str()], |row| row.get(0))
}

pub(super) fn write_intent(
    connection: &Connection,
    run: i64,
    record: i64,
    row: u64,
    intent: &Intent,
) -> rusqlite::Result<()> {
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
    packer: &mut ReceiptPacker,
    run: i64,
    record: i64,
    settlement: &Settlement,
) -> rusqlite::Result<()> {
    let Settlement { payload, fields, outcome } = settlement;
    let OutcomeParts { status, receipt, error_code, error, warning } = OutcomeParts::of(outcome);
    let unpackable = |error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let packed = receipt.map(|receipt| packer.pack(receipt)).transpose().map_err(unpackable)?.flatten();
    connection
        .prepare_cached(
            "INSERT INTO outcomes
             (record, run, status, payload_hash, settled_at, http_status, attempts, error_code, error, warning,
              customer_id, field_hashes, receipt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            record,
            run,
            status.as_str(),
            payload.0,
            Timestamp::now().as_millisecond(),
            outcome.http_status,
            outcome.attempts,
            error_code,
            error,
            warning,
            receipt.and_then(|receipt| receipt.customer_id.as_deref()),
            fields.as_ref().map(FieldHashes::to_bytes),
            packed
        ])?;
    if status == Status::InDoubt { Ok(()) } else { erase_intent(connection, record) }
}

pub(super) fn erase_intent(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM intents WHERE record = ?1")?.execute([record])?;
    Ok(())
}
