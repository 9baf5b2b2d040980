//! `ledger`: shows what the ledger remembers, and changes it.
//!
//! - `show` prints counts, doubts, or one e-mail.
//! - `resolve` finishes the records in doubt like an import; `settle` ends one by hand.
//! - `pull` adds the customers that the account already has.
//! - `forget` erases a person or the whole target.
//! - `migrate` makes the tables of a shared ledger, and brings older ones up to date. `move_file`
//!   brings a ledger file into one.
//!
//! All but `show` lock the ledger, so none of them runs beside an import.

mod forget;
mod migrate;
mod move_file;
mod pull;
mod resolve;
mod settle;
mod show;

use serde_json::{Map, Value};

use crate::cli::LedgerCommand;
use crate::domain::{EmailKey, Status, Tally};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::logging::LogSettings;
use crate::process::runtime;
use crate::settings::{AnswerFormat, ResolveSettings, TargetSettings};

pub(super) fn run(command: LedgerCommand, log: LogSettings) -> Result<Exit, Failure> {
    let of = |target| TargetSettings::required(&target);
    match command {
        LedgerCommand::Show { email: Some(email), target, json } => {
            show::one(&EmailKey::of(&email), &of(target)?, AnswerFormat::json_if(json))
        }
        LedgerCommand::Show { email: None, target, json } => show::all(&of(target)?, AnswerFormat::json_if(json)),
        LedgerCommand::Settle { email, created, target, .. } => {
            settle::settle(&EmailKey::of(&email), created, &of(target)?)
        }
        LedgerCommand::Migrate { target } => migrate::migrate(&TargetSettings::location(&target)?),
        LedgerCommand::Move { from, target } => move_file::move_file(&from, &TargetSettings::location(&target)?),
        LedgerCommand::Forget { email, target, yes, .. } => forget::forget(email.as_deref(), &of(target)?, yes),
        LedgerCommand::Resolve { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(resolve::resolve(decide, AnswerFormat::json_if(json)))
        }
        LedgerCommand::Pull { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(pull::pull(decide, AnswerFormat::json_if(json)))
        }
    }
}

/// Returns how many records ended with each status.
fn outcomes(tally: &Tally) -> Map<String, Value> {
    Status::IMPORT.into_iter().map(|status| (status.as_str().to_owned(), tally.get(status).into())).collect()
}
