//! The first reading of an input: what it shows without a ledger.

use std::sync::Arc;

use super::duplicates::{Duplicates, Fingerprint, Fingerprinter, Fingerprints};
use super::input::InputHandle;
use crate::domain::{InputForm, InputRecord, NewCustomer, Position, RawRecord, RecordVerdict, Status, Tally};
use crate::failure::Failure;
use crate::intake::{Gather, Mapping};
use crate::report::{Diagnostics, PieceDiagnostics};

/// What the input alone shows.
#[derive(Debug)]
pub(crate) struct Survey {
    pub mapping: Mapping,
    pub is_ndjson: bool,
    /// The sheet that is read, if the input has sheets.
    pub sheet: Option<String>,
    /// Counts of valid records, duplicates and invalid records only.
    pub tally: Tally,
    /// How many of the valid records ask for an e-mail to the person.
    pub kyc_mails: u64,
    pub duplicates: Arc<Duplicates>,
}

/// What a survey needs of the records of a piece. Violations are counted here, on all cores, and
/// not when the pieces come together.
struct Surveyed {
    fingerprinter: Fingerprinter,
    /// In the order of the rows; `None` for an invalid record, and for a row that is not selected.
    fingerprints: Vec<Option<Fingerprint>>,
    invalid: u64,
    /// `None` if the violations are not asked for.
    diagnostics: Option<PieceDiagnostics>,
}

impl Gather for Surveyed {
    fn add(&mut self, record: InputRecord<'_>) {
        let raw = record.raw.clone();
        self.add_judged(record, || raw);
    }

    fn add_judged(&mut self, record: InputRecord<'_>, raw: impl FnOnce() -> Option<RawRecord>) {
        self.fingerprints.push(match &record.verdict {
            RecordVerdict::Valid { customer, .. } => Some(self.fingerprinter.fingerprint(customer)),
            RecordVerdict::Invalid { .. } => None,
        });
        self.invalid += u64::from(record.verdict.is_invalid());
        if let Some(diagnostics) = &mut self.diagnostics {
            diagnostics.add(record.position, record.verdict.violations(), raw);
        }
    }

    #[inline]
    fn add_plain(&mut self, _: Position, customer: NewCustomer<'_>) {
        self.fingerprints.push(Some(self.fingerprinter.fingerprint(&customer)));
    }

    fn pass_over(&mut self) {
        self.fingerprints.push(None);
    }

    /// Rows are counted when the pieces come together.
    fn after(&mut self, _: u64) {}
}

/// Validates every record and finds the duplicates, and compares their data if `compared`. Adds all
/// violations to `diagnostics`.
pub(crate) fn survey(
    input: &InputHandle,
    compared: bool,
    mut diagnostics: Option<&mut Diagnostics>,
) -> Result<Survey, Failure> {
    let feed = input.feed(false)?;
    let (shape, mapping, sheet) = (Arc::new(feed.shape()), feed.mapping().clone(), feed.sheet().map(str::to_owned));
    let is_ndjson = matches!(shape.form, InputForm::Ndjson);
    let (mut tally, mut fingerprints) = (Tally::default(), Fingerprints::new(compared));
    let (fingerprinter, is_diagnosed) = (fingerprints.fingerprinter(), diagnostics.is_some());
    let gather = move || Surveyed {
        fingerprinter: fingerprinter.clone(),
        fingerprints: Vec::new(),
        invalid: 0,
        diagnostics: is_diagnosed.then(|| PieceDiagnostics::new(Arc::clone(&shape))),
    };
    let mut pieces = feed.in_parallel(gather)?;
    let (mut row, mut kyc_mails) = (0, 0);
    for surveyed in pieces.by_ref() {
        let surveyed = surveyed?;
        if let (Some(diagnostics), Some(found)) = (&mut diagnostics, surveyed.diagnostics) {
            diagnostics.append(found, row);
        }
        for fingerprint in surveyed.fingerprints {
            row += 1;
            if let Some(fingerprint) = fingerprint {
                tally.add(Status::Valid);
                kyc_mails += u64::from(fingerprint.send_kyc_mail);
                fingerprints.add(fingerprint, row);
            }
        }
        tally.add_many(Status::Invalid, surveyed.invalid);
        input.read_up_to(row);
    }
    tally.set_skipped(pieces.skipped());
    // Frees its buffers before the tables for the comparison are built.
    drop(pieces);
    let duplicates = fingerprints.compare();
    tally.turn(duplicates.count(), Status::Valid, Status::Duplicate);
    kyc_mails -= duplicates.kyc_mails();
    Ok(Survey { mapping, is_ndjson, sheet, tally, kyc_mails, duplicates: Arc::new(duplicates) })
}
