//! Moves a ledger from a file into a database.
//!
//! # What is true at every instant
//! One of the two is the ledger, and no run can use both:
//! 1. Everything is copied in one transaction of the database, under the lease of each account and
//!    the lock of the file. Until it commits, the database shows nothing of it.
//! 2. Right before the commit the file is marked as moving, and lets no run in from then on. If the
//!    commit surely failed, the mark is taken away again.
//! 3. After the commit the mark says that the move is complete.
//!
//! If the process dies between the first mark and the second, only the database knows whether it
//! committed. The same command asks it by the number in the mark, and completes the move or begins
//! anew. Requests in doubt keep their keys and ages, so they are asked for again as they would have
//! been.

use std::path::Path;

use uuid::Uuid;

use super::error::DatabaseProblem;
use super::location::DatabaseSettings;
use super::model::MovedLedger;
use super::moved::{MovedAccount, TableCounts};
use super::postgres::{CommitEnd, PostgresArrival};
use super::sqlite::{MoveMark, SqliteDeparture};
use super::{LedgerError, Target};

/// Moves everything. Changes nothing if the file knows no account.
pub(super) fn move_ledger(from: &Path, settings: &DatabaseSettings) -> Result<MovedLedger, LedgerError> {
    let mut file = SqliteDeparture::open(from)?;
    let (mark, to) = (file.mark().cloned(), settings.url.as_str());
    if let Some(mark) = mark.clone().filter(|mark| mark.to != to) {
        // Only that database can say whether it has the content.
        return Err(mark.refusing(file.path()));
    }
    let accounts = file.accounts()?;
    if accounts.is_empty() {
        return Ok(MovedLedger::default());
    }
    let was_complete = mark.as_ref().is_some_and(|mark| mark.is_complete);
    let id = mark.map_or_else(Uuid::new_v4, |mark| mark.id);
    let moving = MoveMark { to: to.to_owned(), id, is_complete: false };
    let complete = MoveMark { is_complete: true, ..moving.clone() };
    let database = PostgresArrival::open(settings, id)?;
    let is_there = database.take_accounts(accounts.clone())?;
    let counts = if is_there { file.all_counts()? } else { move_all(&mut file, &database, &accounts, &moving)? };
    file.set_mark(&complete)?;
    let [runs, records, doubts, ..] = counts.0;
    let was_lost = was_complete && !is_there;
    Ok(MovedLedger { accounts: accounts.len() as u64, runs, records, doubts, was_there: is_there, was_lost })
}

/// Copies and commits. When this returns, the database surely has everything. If it surely has
/// nothing, the file is the ledger as before, unless the database was the ledger since and has lost
/// it: what the file knows is old then.
fn move_all(
    file: &mut SqliteDeparture,
    database: &PostgresArrival,
    accounts: &[MovedAccount],
    moving: &MoveMark,
) -> Result<TableCounts, LedgerError> {
    let was_complete = file.mark().filter(|mark| mark.is_complete).cloned();
    let copied = copy(file, database, accounts).and_then(|counts| file.set_mark(moving).map(|()| counts));
    let failure = match copied {
        Err(error) => {
            database.roll_back();
            error
        }
        Ok(counts) => match database.commit() {
            CommitEnd::Committed => return Ok(counts),
            CommitEnd::Failed(error) => error,
            // The mark stays.
            CommitEnd::Unknown(error) => return Err(error),
        },
    };
    match was_complete {
        Some(mark) => file.set_mark(&mark)?,
        None => file.remove_mark()?,
    }
    Err(failure)
}

/// Copies all accounts, compares the counts, and returns the sums.
fn copy(
    file: &SqliteDeparture,
    database: &PostgresArrival,
    accounts: &[MovedAccount],
) -> Result<TableCounts, LedgerError> {
    let secret = file.secret()?;
    let mut sums = TableCounts::default();
    for (place, account) in accounts.iter().enumerate() {
        database.begin_account(place, secret.clone())?;
        file.each_piece(place, &mut |rows| database.add(place, rows))?;
        let (here, there) = (file.counts(place)?, database.counts(place)?);
        if let Some(difference) = there.differing(here) {
            let Target { base_url, account } = &account.target;
            let why = format!("{difference} for {account:?} at {base_url}; nothing was moved");
            return Err(LedgerError::Database {
                ledger: database.name().clone(),
                problem: DatabaseProblem::Failed(why),
            });
        }
        sums = sums.plus(here);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests;
