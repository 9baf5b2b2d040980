//! What people do to a ledger: settle a doubt by hand, learn what the account has, forget somebody.

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::read;
use crate::domain::{EmailKey, Ending, Outcome, Receipt};
use crate::ledger::LedgerError;
use crate::ledger::idempotency_key::PayloadHash;
use crate::ledger::queue::{Ledger, RunId, Urgency, erase_intent, unheard, write_outcome};

/// The data of customers that were learnt and never sent: no payload has this hash, so none equals it.
const NEVER_SENT: PayloadHash = PayloadHash([0; 32]);

impl Ledger {
    /// Notes whose token this target is used with, and refuses another's. The owner is kept as a hash only.
    pub async fn check_owner(&self, owner: &str) -> Result<(), LedgerError> {
        let owner = Sha256::new().chain_update(&self.secret).chain_update(owner).finalize().to_vec();
        let (target, name) = (self.target_id, self.target.clone());
        let known = self
            .write(Urgency::Now, move |connection| {
                let known: Option<Vec<u8>> =
                    connection.query_row("SELECT owner FROM targets WHERE id = ?1", [target], |row| row.get(0))?;
                if known.is_none() {
                    connection.execute("UPDATE targets SET owner = ?2 WHERE id = ?1", params![target, owner])?;
                }
                Ok(known.is_none_or(|known| known == owner))
            })
            .await?;
        let other = || LedgerError::OtherAccount { base_url: name.base_url, account: name.account };
        if known { Ok(()) } else { Err(other()) }
    }

    /// Ends a doubt with what a person found out. This is an outcome of the run that sent the
    /// request, and of this one. Returns false if the e-mail is not in doubt.
    pub async fn settle_by_hand(&self, run: &RunId, email: EmailKey, ending: Ending) -> Result<bool, LedgerError> {
        let (target, run) = (self.target_id, run.number);
        self.write(Urgency::Now, move |connection| {
            let known = read::standing(connection, target, &email, i64::MAX)?;
            let Some((standing, (sent_by, intent))) =
                known.as_ref().and_then(|known| known.open.as_ref().map(|open| (known, open)))
            else {
                return Ok(false);
            };
            let (record, payload) = (standing.record, intent.payload);
            if standing.untold_doubt(run).is_some() {
                write_outcome(connection, *sent_by, record, payload, &unheard())?;
            }
            let outcome = Outcome { ending, http_status: None, attempts: intent.attempt, warnings: Vec::new() };
            // A report as of the run that sent the request says how it ended, too.
            for run in [*sent_by, run] {
                write_outcome(connection, run, record, payload, &outcome)?;
            }
            erase_intent(connection, record)?;
            Ok(true)
        })
        .await
    }

    /// Learns customers that the account has. Whoever is known already stays as known; the number of new ones comes back.
    pub async fn learn(&self, run: &RunId, customers: Vec<(EmailKey, Receipt)>) -> Result<u64, LedgerError> {
        let (target, run) = (self.target_id, run.number);
        self.write(Urgency::Now, move |connection| {
            let mut learnt = 0;
            for (email, receipt) in customers {
                learnt += u64::from(learn(connection, target, run, &email, receipt)?);
            }
            Ok(learnt)
        })
        .await
    }

    /// Erases a person. False where the ledger does not know the e-mail.
    pub async fn forget_email(&self, email: EmailKey) -> Result<bool, LedgerError> {
        let target = self.target_id;
        let known = self
            .write(Urgency::Now, move |connection| {
                let of = "(SELECT id FROM records WHERE target = ?1 AND email_key = ?2)";
                for table in ["intents", "outcomes"] {
                    connection.execute(
                        &format!("DELETE FROM {table} WHERE record IN {of}"),
                        params![target, email.as_str()],
                    )?;
                }
                let sql = "DELETE FROM records WHERE target = ?1 AND email_key = ?2";
                Ok(connection.execute(sql, params![target, email.as_str()])? > 0)
            })
            .await?;
        Ok(known)
    }

    /// Erases everything of the target, runs included; the number of records comes back.
    pub async fn forget_target(&self) -> Result<u64, LedgerError> {
        let target = self.target_id;
        self.write(Urgency::Now, move |connection| {
            for table in ["intents", "outcomes"] {
                let sql = format!("DELETE FROM {table} WHERE record IN (SELECT id FROM records WHERE target = ?1)");
                connection.execute(&sql, [target])?;
            }
            let records = connection.execute("DELETE FROM records WHERE target = ?1", [target])?;
            connection.execute("DELETE FROM runs WHERE target = ?1", [target])?;
            connection.execute("UPDATE targets SET owner = NULL WHERE id = ?1", [target])?;
            Ok(records as u64)
        })
        .await
    }
}

fn learn(connection: &Connection, target: i64, run: i64, email: &EmailKey, receipt: Receipt) -> rusqlite::Result<bool> {
    let known = read::standing(connection, target, email, i64::MAX)?;
    if known.is_some_and(|standing| standing.is_settled()) {
        return Ok(false);
    }
    // Row 0: no row of any input claimed it.
    let record: i64 = connection
        .prepare_cached(
            "INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (target, email_key) DO UPDATE SET email_key = email_key RETURNING id",
        )?
        .query_row(params![target, email.as_str(), run], |row| row.get(0))?;
    let warnings = receipt.data.warning().into_iter().collect();
    let outcome = Outcome { ending: Ending::Exists(receipt), http_status: None, attempts: 0, warnings };
    write_outcome(connection, run, record, NEVER_SENT, &outcome)?;
    Ok(true)
}
