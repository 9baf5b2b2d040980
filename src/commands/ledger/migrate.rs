//! `ledger migrate`: makes the tables of a shared ledger, and brings older ones up to date.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Ledger, LedgerLocation};
use crate::process::stdout;

pub(super) fn migrate(location: &LedgerLocation) -> Result<Exit, Failure> {
    let (before, now) = Ledger::migrate(location)?;
    let name = location.name();
    let told = match before {
        0 => format!("the ledger {name} was created (schema {now})\n"),
        before if before == now => format!("the ledger {name} is up to date (schema {now})\n"),
        before => format!("the ledger {name} was brought from schema {before} to {now}\n"),
    };
    stdout::write(told.as_bytes());
    Ok(Exit::Done)
}
