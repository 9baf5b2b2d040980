//! The first reading of an input: what it shows without a ledger.

use std::sync::Arc;

use super::chunks::ChunkedVec;
use super::duplicates::{Duplicates, Fingerprint, Fingerprinter, Fingerprints};
use super::input::InputHandle;
use super::line::{self, PassCounts, ReviewedRecord, ShapedRecord};
use crate::domain::{InputForm, InputRecord, NewCustomer, Position, RecordVerdict, Status};
use crate::failure::Failure;
use crate::intake::{Gather, Mapping};

/// What the input alone shows.
#[derive(Debug)]
pub(crate) struct Survey {
    pub mapping: Mapping,
    pub is_ndjson: bool,
    /// The sheet that is read, if the input has sheets.
    pub sheet: Option<String>,
    /// Counts of valid records, duplicates and invalid records only.
    pub counted: PassCounts,
    /// How many of the valid records ask for an e-mail to the person.
    pub kyc_mails: u64,
    pub duplicates: Arc<Duplicates>,
}

/// What a survey needs of the records of a piece.
struct Surveyed {
    fingerprinter: Fingerprinter,
    /// In the order of the rows; `None` for an invalid record, and for a row that is not selected.
    fingerprints: Vec<Option<Fingerprint>>,
    /// The records with violations.
    violated: ChunkedVec<ReviewedRecord>,
}

impl Gather for Surveyed {
    #[inline]
    fn add(&mut self, record: InputRecord<'_>) {
        self.fingerprints.push(match &record.verdict {
            RecordVerdict::Valid { customer, .. } => Some(self.fingerprinter.fingerprint(customer)),
            RecordVerdict::Invalid { .. } => None,
        });
        if !record.verdict.violations().is_empty() {
            self.violated.push(ReviewedRecord::of(record));
        }
    }

    #[inline]
    fn add_plain(&mut self, _: Position, customer: NewCustomer<'_>) {
        self.fingerprints.push(Some(self.fingerprinter.fingerprint(&customer)));
    }

    fn pass_over(&mut self) {
        self.fingerprints.push(None);
    }

    fn after(&mut self, rows: u64) {
        self.violated.iter_mut().for_each(|record| record.position.row += rows);
    }
}

/// Validates every record and finds the duplicates, and compares their data if `compared`. Passes
/// every record with violations to `observe`.
pub(crate) fn survey(
    input: &InputHandle,
    compared: bool,
    mut observe: impl FnMut(&ShapedRecord<'_>),
) -> Result<Survey, Failure> {
    let feed = input.feed(false)?;
    let (shape, mapping, sheet) = (feed.shape(), feed.mapping().clone(), feed.sheet().map(str::to_owned));
    let (mut counted, mut fingerprints) = (PassCounts::default(), Fingerprints::new(compared));
    let fingerprinter = fingerprints.fingerprinter();
    let gather = move || Surveyed {
        fingerprinter: fingerprinter.clone(),
        fingerprints: Vec::new(),
        violated: ChunkedVec::default(),
    };
    let mut pieces = feed.in_parallel(gather)?;
    let (mut row, mut kyc_mails) = (0, 0);
    for surveyed in pieces.by_ref() {
        let surveyed = surveyed?;
        for fingerprint in surveyed.fingerprints {
            row += 1;
            if let Some(fingerprint) = fingerprint {
                counted.tally.add(Status::Valid);
                kyc_mails += u64::from(fingerprint.send_kyc_mail);
                fingerprints.add(fingerprint, row);
            }
        }
        input.read_up_to(row);
        for record in surveyed.violated {
            if record.is_invalid() {
                counted.add(&line::invalid(&record));
            }
            observe(&ShapedRecord { shape: &shape, record: &record });
        }
    }
    counted.tally.set_skipped(pieces.skipped());
    // Frees its buffers before the tables for the comparison are built.
    drop(pieces);
    let duplicates = fingerprints.compare();
    counted.tally.turn(duplicates.count(), Status::Valid, Status::Duplicate);
    kyc_mails -= duplicates.kyc_mails();
    let is_ndjson = matches!(shape.form, InputForm::Ndjson);
    Ok(Survey { mapping, is_ndjson, sheet, counted, kyc_mails, duplicates: Arc::new(duplicates) })
}
