//! What people do to a ledger: settle a doubt by hand, learn what the account has, forget a person.

use rusqlite::{Connection, params};

use super::packed_receipt::ReceiptPacker;
use super::record_rows;
use super::write::{erase_intent, write_outcome};
use crate::domain::{EmailKey, Ending, Outcome, Receipt};
use crate::ledger::field_hashes::FieldHash;
use crate::ledger::keyed_hasher::KeyedHasher;
use crate::ledger::model::{CheckedStatus, learnt, unheard};
use crate::ledger::store::{NEVER_SENT, Settlement};

/// Notes the first owner of the target. Returns false for another one.
pub(super) fn check_owner(connection: &Connection, target: i64, owner: &[u8]) -> rusqlite::Result<bool> {
    let known: Option<Vec<u8>> =
        connection.query_row("SELECT owner FROM targets WHERE id = ?1", [target], |row| row.get(0))?;
    if known.is_none() {
        connection.execute("UPDATE targets SET owner = ?2 WHERE id = ?1", params![target, owner])?;
    }
    Ok(known.is_none_or(|known| known == owner))
}

/// Returns false if the e-mail is not in doubt.
pub(super) fn settle(
    connection: &Connection,
    packer: &mut ReceiptPacker,
    target: i64,
    run: i64,
    email: &EmailKey,
    ending: Ending,
    hasher: &KeyedHasher,
) -> rusqlite::Result<bool> {
    let Some((record, state)) = record_rows::record(connection, target, email, i64::MAX)? else { return Ok(false) };
    let Some((sent_by, intent)) = state.open.as_deref() else { return Ok(false) };
    if state.untold_doubt(run).is_some() {
        write_outcome(connection, packer, *sent_by, record, &Settlement::unread(intent.payload, unheard()))?;
    }
    let outcome = Outcome { ending, http_status: None, attempts: intent.attempt, warnings: Vec::new() };
    let settlement = Settlement { payload: intent.payload, fields: hasher.fields(email, &intent.body), outcome };
    // A report as of the run that sent the request says how it ended, too.
    for run in [*sent_by, run] {
        write_outcome(connection, packer, run, record, &settlement)?;
    }
    erase_intent(connection, record)?;
    Ok(true)
}

/// Returns the number of customers that were not settled before.
pub(super) fn learn(
    connection: &Connection,
    packer: &mut ReceiptPacker,
    target: i64,
    run: i64,
    customers: Vec<(EmailKey, Receipt)>,
) -> rusqlite::Result<u64> {
    let mut new = 0;
    for (email, receipt) in customers {
        new += u64::from(learn_one(connection, packer, target, run, &email, receipt)?);
    }
    Ok(new)
}

fn learn_one(
    connection: &Connection,
    packer: &mut ReceiptPacker,
    target: i64,
    run: i64,
    email: &EmailKey,
    receipt: Receipt,
) -> rusqlite::Result<bool> {
    let known = record_rows::record(connection, target, email, i64::MAX)?;
    if known.is_some_and(|(_, state)| state.is_settled()) {
        return Ok(false);
    }
    // Row 0: no row of any input claimed it.
    let record: i64 = connection
        .prepare_cached(
            "INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (target, email_key) DO UPDATE SET email_key = email_key RETURNING id",
        )?
        .query_row(params![target, email.as_str(), run], |row| row.get(0))?;
    write_outcome(connection, packer, run, record, &Settlement::unread(NEVER_SENT, learnt(receipt)))?;
    Ok(true)
}

/// Returns how many of the customers are known.
pub(super) fn learn_status(
    connection: &Connection,
    target: i64,
    customers: &[(EmailKey, CheckedStatus)],
) -> rusqlite::Result<u64> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO checks (record, kyc_status, tos_status, checked_at)
         SELECT id, ?3, ?4, ?5 FROM records WHERE target = ?1 AND email_key = ?2",
    )?;
    let mut known = 0;
    for (email, CheckedStatus { kyc_status, tos_status, checked_at }) in customers {
        let values = params![target, email.as_str(), kyc_status, tos_status, checked_at.as_millisecond()];
        known += insert.execute(values)? as u64;
    }
    Ok(known)
}

/// Returns whether the e-mail was known.
pub(super) fn forget_email(
    connection: &Connection,
    target: i64,
    email: &EmailKey,
    person: FieldHash,
) -> rusqlite::Result<bool> {
    let of = "(SELECT id FROM records WHERE target = ?1 AND email_key = ?2)";
    for table in ["intents", "outcomes", "checks"] {
        let sql = format!("DELETE FROM {table} WHERE record IN {of}");
        connection.execute(&sql, params![target, email.as_str()])?;
    }
    let sql = "DELETE FROM bad_records
               WHERE substr(digest, 1, 8) = ?2 AND run IN (SELECT id FROM runs WHERE target = ?1)";
    connection.execute(sql, params![target, person])?;
    let sql = "DELETE FROM records WHERE target = ?1 AND email_key = ?2";
    Ok(connection.execute(sql, params![target, email.as_str()])? > 0)
}

/// Returns the number of records.
pub(super) fn forget_target(connection: &Connection, target: i64) -> rusqlite::Result<u64> {
    for (table, of, those) in [
        ("intents", "record", "records"),
        ("outcomes", "record", "records"),
        ("checks", "record", "records"),
        ("minutes", "run", "runs"),
        ("bad_records", "run", "runs"),
    ] {
        let sql = format!("DELETE FROM {table} WHERE {of} IN (SELECT id FROM {those} WHERE target = ?1)");
        connection.execute(&sql, [target])?;
    }
    let records = connection.execute("DELETE FROM records WHERE target = ?1", [target])?;
    connection.execute("DELETE FROM runs WHERE target = ?1", [target])?;
    connection.execute("UPDATE targets SET owner = NULL WHERE id = ?1", [target])?;
    Ok(records as u64)
}
