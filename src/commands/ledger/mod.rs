//! `ledger`: looking at the memory of what was sent, and what people do to it.

mod forget;
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
use crate::settings::{Rendering, ResolveSettings, TargetSettings};

pub(super) fn run(command: LedgerCommand, log: LogSettings) -> Result<Exit, Failure> {
    let of = |target| TargetSettings::required(&target);
    match command {
        LedgerCommand::Show { email: Some(email), target, json } => {
            show::one(&EmailKey::of(&email), &of(target)?, Rendering::json_if(json))
        }
        LedgerCommand::Show { email: None, target, json } => show::all(&of(target)?, Rendering::json_if(json)),
        LedgerCommand::Settle { email, created, target, .. } => {
            settle::settle(&EmailKey::of(&email), created, &of(target)?)
        }
        LedgerCommand::Forget { email, target, yes, .. } => forget::forget(email.as_deref(), &of(target)?, yes),
        LedgerCommand::Resolve { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(resolve::resolve(decide, Rendering::json_if(json)))
        }
        LedgerCommand::Pull { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(pull::pull(decide, Rendering::json_if(json)))
        }
    }
}

/// How many records ended in which way.
fn outcomes(tally: &Tally) -> Map<String, Value> {
    Status::IMPORT.into_iter().map(|status| (status.as_str().to_owned(), tally.get(status).into())).collect()
}
