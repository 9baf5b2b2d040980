//! `ledger show`: prints what the ledger knows, of all records or of one e-mail.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::outcomes;
use crate::commands::resume;
use crate::domain::{EmailKey, Status, counted, grouped};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::OpenRequest;
use crate::process::stdout;
use crate::settings::{AnswerFormat, TargetSettings};

pub(super) fn all(target: &TargetSettings, format: AnswerFormat) -> Result<Exit, Failure> {
    let ledger = target.reader()?;
    let (states, runs, open) = (ledger.tally()?, ledger.runs()?, ledger.open_requests()?);
    if format == AnswerFormat::Json {
        let doubts: Vec<_> = open
            .iter()
            .map(|doubt| json!({"email": doubt.email.as_str(), "row": doubt.row, "sent_at": doubt.sent_at.to_string()}))
            .collect();
        say(&json!({"version": 1, "runs": runs, "records": outcomes(&states), "doubts": doubts}));
        return Ok(Exit::Done);
    }
    let mut text = format!("{} · {}\n", counted(runs, "run"), counted(states.total(), "record"));
    for status in Status::IMPORT.into_iter().filter(|status| states.get(*status) > 0) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {:>9}  {status}", grouped(states.get(status)));
    }
    for OpenRequest { email, row, sent_at, .. } in &open {
        let _ = writeln!(text, "in doubt: {} (row {row}, sent {sent_at})", email.as_str());
    }
    if !open.is_empty() {
        let _ = writeln!(text, "import their file again, or: {}", resume::ledger(&["resolve"], target));
    }
    stdout::write(text.as_bytes());
    Ok(Exit::Done)
}

pub(super) fn one(email: &EmailKey, target: &TargetSettings, format: AnswerFormat) -> Result<Exit, Failure> {
    let (standing, told) = target.reader()?.outcome(email, None)?.unzip();
    let told = told.flatten();
    let latest = standing.as_ref().and_then(|standing| standing.latest());
    let open = standing.as_ref().is_some_and(|standing| standing.is_open());
    let status = match (open, latest) {
        (true, _) => Some(Status::InDoubt),
        (false, Some(latest)) => Some(latest.status),
        (false, None) => standing.as_ref().map(|_| Status::NotAttempted),
    };
    let receipt = told.as_ref().map(|told| told.receipt.clone()).unwrap_or_default();
    // What the API said when `status` asked is newer than what it said to the import.
    let checked = told.as_ref().and_then(|told| told.checked.as_ref());
    let checked_kyc = checked.filter(|checked| checked.kyc_status.is_some());
    let kyc_status = checked_kyc.map_or(&receipt.kyc_status, |checked| &checked.kyc_status);
    let tos_status = checked.map(|checked| &checked.tos_status).filter(|status| status.is_some());
    let shown = json!({
        "email": email.as_str(),
        "status": status.map(Status::as_str),
        "id": receipt.id,
        "customer_id": receipt.customer_id,
        "created_at": receipt.created_at,
        "kyc_status": kyc_status,
        "tos_status": tos_status.unwrap_or(&receipt.tos_status),
        "kyc_checked_at": checked_kyc.map(|checked| checked.checked_at.to_string()),
        "error_code": told.as_ref().map(|told| &told.error_code),
        "error": told.as_ref().map(|told| &told.error),
        "warning": told.as_ref().map(|told| &told.warning),
    });
    if format == AnswerFormat::Json {
        say(&shown);
        return Ok(Exit::Done);
    }
    let Some(status) = status else {
        stdout::write(format!("the ledger does not know {}\n", email.as_str()).as_bytes());
        return Ok(Exit::Done);
    };
    let mut text = format!("{}: {status}\n", email.as_str());
    for (name, value) in
        shown.as_object().into_iter().flatten().filter(|(name, _)| !["email", "status"].contains(&name.as_str()))
    {
        if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
            let _ = writeln!(text, "  {name}: {}", value.escape_debug());
        }
    }
    stdout::write(text.as_bytes());
    Ok(Exit::Done)
}

fn say(value: &Value) {
    stdout::write(format!("{value}\n").as_bytes());
}
