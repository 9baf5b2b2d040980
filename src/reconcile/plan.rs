//! Plans an import.

use std::collections::HashSet;
use std::sync::Arc;

use super::duplicates::Duplicates;
use super::input::InputHandle;
use super::known::KnownRows;
use super::line::{AsOf, PassCounts, Reconciler, ReviewedRecord, ShapedRecord};
use super::outputs::Outputs;
use super::pass;
use super::survey::{self, Survey};
use crate::domain::{Code, KnownBad, Status};
use crate::failure::Failure;
use crate::intake::Mapping;
use crate::ledger::Reader;
use crate::report::{Diagnostics, Plan};

/// What the plan depends on, besides the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// How many requests are sent per minute.
    pub per_minute: f64,
    pub retry_rejected: bool,
    /// The plan will be carried out, so it must know which record each duplicate repeats.
    pub sends: bool,
    /// The plan must know which invalid records are known bad.
    pub excuses_invalid: bool,
    /// The same for rejected records. It takes reading the outcomes of all known records.
    pub excuses_rejected: bool,
}

/// What an import would do, and what it needs for that.
pub(crate) struct Planned {
    pub plan: Plan,
    pub diagnostics: Diagnostics,
    pub duplicates: Arc<Duplicates>,
    pub known: KnownRows,
    pub known_bad: KnownBad,
    /// The rows of the known bad records that were rejected, if the purpose asks for them.
    pub known_rejected: HashSet<u64>,
    /// The names of the kept columns, as the input spells them.
    pub kept: Vec<String>,
    pub is_ndjson: bool,
}

/// Reads the whole input, counts what an import would do, and writes the named reports.
pub(crate) fn plan(
    input: &InputHandle,
    outputs: &Outputs,
    ledger: Option<Reader>,
    purpose: &Purpose,
) -> Result<Planned, Failure> {
    let mut plan = Plan::new(purpose.per_minute);
    let diagnostics = Diagnostics::new(&input.shown());
    let mut diagnostics = if input.is_piped() { diagnostics } else { diagnostics.of_file(input.path()) };
    let ledger = match ledger {
        // Completed runs may have left nothing but bad records.
        Some(ledger) if purpose.excuses_invalid || ledger.knows_any()? => Some(ledger),
        _ => None,
    };
    let open = match &ledger {
        Some(ledger) => ledger.open_requests()?.len() as u64,
        None => 0,
    };
    let mut known = KnownRows::default();
    // If there is no ledger and no file to write, the survey has all the counts.
    let writes = !outputs.is_empty();
    let is_alone = ledger.is_none() && !writes;
    let Survey { mapping, is_ndjson, sheet, tally, kyc_mails, duplicates } =
        survey::survey(input, purpose.sends || !is_alone, is_alone.then_some(&mut diagnostics))?;
    let mut counted = PassCounts { tally, ..PassCounts::default() };
    if is_alone {
        plan.to_send = counted.tally.get(Status::Valid);
        plan.kyc_mails = kyc_mails;
    } else {
        let reconciler = Reconciler::new(Arc::clone(&duplicates), ledger, AsOf::Now);
        let needs_lines = writes || purpose.excuses_rejected;
        let reconciler = if needs_lines { reconciler } else { reconciler.for_counts() };
        counted = pass::pass(input, outputs, reconciler, |line, told| {
            let ShapedRecord { shape, record } = told;
            known.add(record.position.row, line.status, duplicates.earlier(record.position.row));
            diagnostics.add(record.position, &record.violations, shape, record.raw.as_ref());
            count(&mut plan, purpose, line.status, record);
        })?;
    }
    plan.doubts_elsewhere = open.saturating_sub(counted.tally.get(Status::InDoubt));
    plan.tally = counted.tally;
    plan.foreign_phones = diagnostics.times(Code::PhoneOtherCountry);
    plan.sheet = sheet;
    plan.columns = columns(&mapping);
    plan.unused = mapping.unused().to_vec();
    let kept = mapping.kept().to_vec();
    let (known_bad, known_rejected) = (counted.known_bad, counted.known_rejected);
    Ok(Planned { plan, diagnostics, duplicates, known, known_bad, known_rejected, kept, is_ndjson })
}

/// Returns the source of each field of the request.
fn columns(mapping: &Mapping) -> Vec<(String, String)> {
    let fields = mapping.fields().map(|(field, feeding)| (field.to_string(), feeding));
    let extras = mapping.extras().map(|(path, column)| (path.to_owned(), format!("column {column:?}")));
    fields.chain(extras).collect()
}

/// Counts the record if it would be sent.
fn count(plan: &mut Plan, purpose: &Purpose, status: Status, record: &ReviewedRecord) {
    let sends =
        matches!(status, Status::Valid | Status::InDoubt) || (status == Status::Rejected && purpose.retry_rejected);
    if let (Some(mails), true) = (record.send_kyc_mail, sends) {
        plan.to_send += 1;
        plan.kyc_mails += u64::from(mails);
    }
}
