//! Makes the report line of each record, from its validation, the duplicates of this input, and the
//! ledger.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;

use super::chunks::ChunkedVec;
use super::duplicates::{Duplicates, Earlier};
use crate::api::wire;
use crate::domain::{
    ChangedFields, Code, Complaint, ComplaintCode, EmailKey, InputRecord, InputShape, KnownBad, Position, RawRecord,
    RecordVerdict, ReportLine, Severity, Status, Tally, Violation,
};
use crate::failure::Failure;
use crate::intake::Gather;
use crate::ledger::{BadRecordDigest, CheckedStatus, KnownRecord, PayloadHash, Reader, RecordState, StoredOutcome};
use crate::report::{ChangedCounts, ErrorGroups, MailCounts};
use crate::shell::naming_input;

/// The point in time that a line describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// Before anything is sent: a record without a problem is `valid`.
    Now,
    /// As the run with this number left it.
    Run(i64),
}

/// What lines and diagnostics need of a record. Whole pieces of the input are kept in this form, so
/// it is small.
#[derive(Debug)]
pub(crate) struct ReviewedRecord {
    pub position: Position,
    email: Option<Box<str>>,
    name: Option<Box<str>>,
    pub violations: Box<[Violation<'static>]>,
    kept: Vec<String>,
    pub raw: Option<RawRecord>,
    /// Whether a valid record asks for an e-mail to the person; `None` if it is invalid.
    pub send_kyc_mail: Option<bool>,
}

impl ReviewedRecord {
    fn of(record: InputRecord<'_>, detail: Detail) -> Self {
        let verdict = &record.verdict;
        let (email, name) = match detail {
            Detail::Counts if !verdict.is_invalid() => (None, None),
            Detail::Counts | Detail::Lines => (verdict.email().map(Into::into), verdict.name().map(Into::into)),
        };
        let send_kyc_mail = verdict.send_kyc_mail();
        let InputRecord { position, verdict, kept, raw } = record;
        let (RecordVerdict::Valid { warnings: violations, .. } | RecordVerdict::Invalid { problems: violations, .. }) =
            verdict;
        let violations = violations.into_owned().into_vec().into_boxed_slice();
        Self { position, email, name, violations, kept, raw, send_kyc_mail }
    }

    /// Makes the commands of its hints name the input. Only broken JSON has such hints.
    pub(super) fn name_input(&mut self, input: &Path) {
        for violation in self.violations.iter_mut().filter(|violation| violation.code == Code::JsonSyntax) {
            violation.hint = Cow::Owned(naming_input(&violation.hint, input));
        }
    }
}

/// How much of the records is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What their lines are counted by.
    Counts,
    /// What lines show.
    Lines,
}

/// The records of a piece of the input, prepared on all cores.
#[derive(Debug)]
pub(crate) struct PreparedPiece {
    pub records: ChunkedVec<PreparedRecord>,
    detail: Detail,
}

/// A record, with everything that can be computed without the others.
#[derive(Debug)]
pub(crate) struct PreparedRecord {
    pub noted: ReviewedRecord,
    /// `None` if it is invalid.
    sendable: Option<Sendable>,
}

/// How the ledger knows a valid record, and what would be sent.
struct Sendable {
    email: EmailKey,
    payload: PayloadHash,
    /// Kept for as long as the piece, because only the ledger shows which records changed. Empty if
    /// lines are only counted.
    body: Vec<u8>,
}

/// Hides the body, because it has people's data.
impl std::fmt::Debug for Sendable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sendable").field("payload", &self.payload).finish_non_exhaustive()
    }
}

impl Gather for PreparedPiece {
    const PIECE: usize = 32 * 1024;

    fn add(&mut self, record: InputRecord<'_>) {
        self.records.push(PreparedRecord::new(record, self.detail));
    }

    fn after(&mut self, rows: u64) {
        self.records.iter_mut().for_each(|prepared| prepared.noted.position.row += rows);
    }
}

impl PreparedRecord {
    fn new(record: InputRecord<'_>, detail: Detail) -> Self {
        let sendable = match &record.verdict {
            RecordVerdict::Invalid { .. } => None,
            RecordVerdict::Valid { customer, .. } => {
                let body = wire::body(customer);
                let payload = PayloadHash::of(&body);
                let body = if detail == Detail::Lines { body } else { Vec::new() };
                Some(Sendable { email: customer.email.key(), payload, body })
            }
        };
        Self { noted: ReviewedRecord::of(record, detail), sendable }
    }
}

/// What the ledger knows of the valid records of a piece, in their order.
#[derive(Debug, Default)]
pub(crate) struct KnownPiece {
    records: std::vec::IntoIter<Option<KnownRecord>>,
    /// What differs in those that changed, in their order.
    changed: std::vec::IntoIter<ChangedFields>,
}

#[derive(Debug)]
pub(crate) struct Reconciler {
    duplicates: Arc<Duplicates>,
    /// `None` if nothing was ever sent.
    ledger: Option<Reader>,
    as_of: AsOf,
    /// If lines are only counted, their status is enough.
    detail: Detail,
    firsts: RefCell<Firsts>,
}

/// The e-mails of records that seem to have duplicates. A second hash distinguishes two e-mails
/// with the same fingerprint.
#[derive(Debug, Default)]
struct Firsts {
    state: RandomState,
    /// From the row that the fingerprints name as the first, and the second hash of an e-mail, to
    /// the row that really is its first.
    rows: HashMap<(u64, u64), u64>,
}

impl Firsts {
    /// Returns the first row with this e-mail among the rows with one fingerprint: this row if
    /// there was none before.
    fn first(&mut self, fingerprint: u64, email: &EmailKey, row: u64) -> u64 {
        *self.rows.entry((fingerprint, self.state.hash_one(email.as_str()))).or_insert(row)
    }
}

impl Reconciler {
    pub(crate) fn new(duplicates: Arc<Duplicates>, ledger: Option<Reader>, as_of: AsOf) -> Self {
        Self { duplicates, ledger, as_of, detail: Detail::Lines, firsts: RefCell::default() }
    }

    /// Makes lines for counting only, without the ids and complaints of the ledger.
    pub(crate) fn for_counts(self) -> Self {
        Self { detail: Detail::Counts, ..self }
    }

    /// Returns what begins the pieces of the input for this reconciler.
    pub(crate) fn begin_piece(&self) -> impl Fn() -> PreparedPiece + Send + Sync + use<> {
        let detail = self.detail;
        move || PreparedPiece { records: ChunkedVec::default(), detail }
    }

    /// Asks the ledger for all records of a piece at once, because one query per record would cost
    /// a round trip each if the ledger is on another machine.
    pub(crate) fn known<'a>(&self, records: impl Iterator<Item = &'a PreparedRecord>) -> Result<KnownPiece, Failure> {
        let Some(ledger) = &self.ledger else { return Ok(KnownPiece::default()) };
        let sendable: Vec<_> = records.filter_map(|record| record.sendable.as_ref()).collect();
        let emails: Vec<_> = sendable.iter().map(|sendable| &sendable.email).collect();
        if self.detail == Detail::Counts {
            let states = ledger.states(&emails, self.run())?;
            let records: Vec<_> = states.into_iter().map(|state| state.map(|state| (state, None))).collect();
            return Ok(KnownPiece { records: records.into_iter(), changed: Vec::new().into_iter() });
        }
        let records = ledger.outcomes(&emails, self.run())?;
        let changed: Vec<_> = records
            .iter()
            .zip(&sendable)
            .filter(|(known, sendable)| {
                let state = known.as_ref().map(|(state, _)| state);
                self.status(state, sendable.payload) == Status::Changed
            })
            .map(|(_, Sendable { email, body, .. })| (email, &body[..]))
            .collect();
        let changed = if changed.is_empty() { Vec::new() } else { ledger.changed_fields(&changed, self.run())? };
        Ok(KnownPiece { records: records.into_iter(), changed: changed.into_iter() })
    }

    /// Returns the line of a record. Call it for all records in the order of the input, with what
    /// is known of their piece.
    pub(crate) fn line(&self, prepared: &PreparedRecord, known: &mut KnownPiece) -> ReportLine {
        match &prepared.sendable {
            Some(sendable) => self.sendable(&prepared.noted, sendable, known),
            None => invalid(&prepared.noted),
        }
    }

    fn sendable(&self, record: &ReviewedRecord, sendable: &Sendable, known: &mut KnownPiece) -> ReportLine {
        let position = record.position;
        let (standing, past) = known.records.next().flatten().unzip();
        let known_as = self.status(standing.as_ref(), sendable.payload);
        let changed = if known_as == Status::Changed { known.changed.next() } else { None };
        let earlier = self.earlier(&sendable.email, position.row);
        let status = if earlier.is_some() { Status::Duplicate } else { known_as };
        let mut line = line_of(record, status);
        let mut notes: Vec<_> = record.violations.iter().map(noted).collect();
        if let Some(Earlier { row, same_data }) = earlier {
            line.error = format!("row {row} has the same e-mail");
            if !same_data {
                notes.push(format!("{}: it has other data than row {row}", Code::DuplicateDiffers));
            }
        }
        if let Some(changed) = changed.filter(|_| status == Status::Changed) {
            line.error = changed.to_string();
            line.changed = Some(changed);
        }
        if let Some(standing) = standing.filter(|_| self.detail == Detail::Lines) {
            remember(&mut line, &standing, past.flatten(), self.run(), &mut notes);
        }
        line.warning = notes.join("; ");
        line
    }

    /// Returns what makes a bad record known to the next run: its cells as they were read if it is
    /// invalid, what was sent if it was rejected, and the codes. `None` for every other record and
    /// for one that was too large to keep.
    pub(crate) fn bad_record(&self, prepared: &PreparedRecord, line: &ReportLine) -> Option<BadRecord> {
        let hasher = self.ledger.as_ref()?.hasher();
        let codes = &line.error_code;
        let digest = match (line.status, &prepared.sendable) {
            (Status::Invalid, _) => {
                let email = prepared.noted.email.as_deref().map(EmailKey::of);
                hasher.bad_record(email.as_ref(), prepared.noted.raw.as_ref()?.cells(), codes)
            }
            // Without the code if lines are only counted.
            (Status::Rejected, Some(Sendable { email, body, .. })) if !codes.is_empty() => {
                hasher.bad_record(Some(email), [&body[..]], codes)
            }
            _ => return None,
        };
        Some(BadRecord { row: line.position.row, status: line.status, digest })
    }

    /// Counts the bad records of a piece, and which of them are known.
    pub(crate) fn count_bad(&self, bad: &[BadRecord], counted: &mut PassCounts) -> Result<(), Failure> {
        let Some(ledger) = self.ledger.as_ref().filter(|_| !bad.is_empty()) else { return Ok(()) };
        let digests: Vec<_> = bad.iter().map(|record| record.digest).collect();
        for (BadRecord { row, status, .. }, is_known) in bad.iter().zip(ledger.known_bad(&digests)?) {
            if is_known {
                counted.known_bad.add(*status);
            }
            if is_known && *status == Status::Rejected {
                counted.known_rejected.insert(*row);
            }
        }
        counted.bad_records.extend(digests);
        Ok(())
    }

    fn run(&self) -> Option<i64> {
        match self.as_of {
            AsOf::Now => None,
            AsOf::Run(run) => Some(run),
        }
    }

    /// Returns the earlier record with the same e-mail, or `None`. Compares e-mails and not rows of
    /// the ledger, because the file may have been edited since its rows were claimed.
    fn earlier(&self, email: &EmailKey, row: u64) -> Option<Earlier> {
        let earlier = self.duplicates.earlier(row);
        let fingerprint = match earlier {
            Some(Earlier { row, .. }) => row,
            None if self.duplicates.has_later(row) => row,
            None => return None,
        };
        let first = self.firsts.borrow_mut().first(fingerprint, email, row);
        earlier.filter(|_| first != row).map(|earlier| Earlier { row: first, ..earlier })
    }

    fn status(&self, standing: Option<&RecordState>, payload: PayloadHash) -> Status {
        let as_of = self.run().unwrap_or(i64::MAX);
        let status = standing.map_or(Status::NotAttempted, |standing| standing.status(as_of, payload));
        match (self.as_of, status) {
            (AsOf::Now, Status::NotAttempted) => Status::Valid,
            (_, status) => status,
        }
    }
}

/// What a pass counted.
#[derive(Debug, Default)]
pub(crate) struct PassCounts {
    pub tally: Tally,
    pub errors: ErrorGroups,
    pub changed: ChangedCounts,
    /// The KYC e-mails to the customers that the run created.
    pub mails: MailCounts,
    pub known_bad: KnownBad,
    /// The rows of the known bad records that were rejected.
    pub known_rejected: HashSet<u64>,
    /// The bad records, for the ledger: 16 bytes each.
    pub bad_records: Vec<BadRecordDigest>,
}

/// An invalid or rejected record, as the ledger knows it.
#[derive(Debug)]
pub(crate) struct BadRecord {
    row: u64,
    status: Status,
    digest: BadRecordDigest,
}

impl PassCounts {
    pub(crate) fn add(&mut self, line: &ReportLine) {
        self.tally.add(line.status);
        if line.status == Status::Created {
            self.mails.add(line.send_kyc_mail);
        }
        if is_complaint(line.status) {
            self.errors.add(line);
        }
        if let Some(changed) = &line.changed {
            self.changed.add(changed);
        }
    }
}

fn is_complaint(status: Status) -> bool {
    matches!(status, Status::Invalid | Status::Rejected | Status::Failed | Status::InDoubt)
}

/// A record, and the shape of the input that it comes from.
pub(crate) struct ShapedRecord<'a> {
    pub shape: &'a InputShape,
    pub record: &'a ReviewedRecord,
}

fn line_of(record: &ReviewedRecord, status: Status) -> ReportLine {
    let email = record.email.as_deref().unwrap_or_default().to_owned();
    let line = ReportLine::new(record.position, status, email, record.kept.clone());
    ReportLine { name: record.name.clone(), send_kyc_mail: record.send_kyc_mail, ..line }
}

/// Returns the line of an invalid record, which is never sent.
pub(crate) fn invalid(record: &ReviewedRecord) -> ReportLine {
    let mut line = line_of(record, Status::Invalid);
    let (wrong, odd): (Vec<_>, Vec<_>) =
        record.violations.iter().partition(|violation| violation.severity == Severity::Problem);
    let counted = wrong.iter().filter(|violation| !violation.is_consequence);
    line.error_code = join(counted.map(|violation| violation.code.as_str().to_owned()), ";");
    line.problems = wrong.iter().copied().filter(|violation| !violation.is_consequence).cloned().collect();
    line.error = join(wrong.iter().map(|violation| explained(violation)), "; ");
    line.warning = join(odd.iter().map(|violation| noted(violation)), "; ");
    line
}

/// Adds what the last outcome left: ids and links of an existing customer, or the complaint if
/// there is no customer.
pub(crate) fn remember(
    line: &mut ReportLine,
    standing: &RecordState,
    told: Option<StoredOutcome>,
    run: Option<i64>,
    notes: &mut Vec<String>,
) {
    if line.status == Status::InDoubt && standing.latest().is_none_or(|latest| latest.status != Status::InDoubt) {
        let message = "the run that sent it ended before an answer came".to_owned();
        return line.complain(&Complaint { code: ComplaintCode::NoAnswer, message });
    }
    let Some(told) = told else { return };
    match line.status {
        Status::Created | Status::AlreadyImported | Status::Changed | Status::Exists | Status::Duplicate => {
            line.receipt = told.receipt;
            if let Some(CheckedStatus { kyc_status, tos_status, checked_at }) = told.checked {
                line.update(kyc_status, tos_status, checked_at);
            }
        }
        Status::Rejected | Status::Failed | Status::InDoubt => {
            (line.error_code, line.error) = (told.error_code, told.error);
        }
        Status::NotAttempted if run.is_some_and(|run| standing.was_left_by(run)) => {
            (line.error_code, line.error) = (told.error_code, told.error);
        }
        Status::Invalid | Status::NotAttempted | Status::Valid => return,
    }
    if line.status != Status::Duplicate {
        (line.http_status, line.attempts) = (told.http_status, told.attempts);
        notes.extend(Some(told.warning).filter(|warning| !warning.is_empty()));
    }
}

fn explained(violation: &Violation<'_>) -> String {
    let Violation { column, value, hint, .. } = violation;
    match (column.is_empty(), value.is_empty()) {
        (true, _) => hint.clone().into_owned(),
        // Quoted, because a bare column name could be mistaken for our own words: `note: this cell
        // …`.
        (false, true) => format!("column {column:?}: {hint}"),
        // The value is already escaped. Escaped twice, it would differ from what `check` shows.
        (false, false) => format!("{column} \"{value}\": {hint}"),
    }
}

fn noted(violation: &Violation<'_>) -> String {
    format!("{}: {}", violation.code, explained(violation))
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    #[test]
    fn two_emails_of_one_print_are_no_duplicates_of_each_other() {
        let mut firsts = Firsts::default();
        let [one, other] = ["a@example.com", "b@example.com"].map(EmailKey::of);
        let rows = [(&one, 3), (&other, 5), (&one, 7), (&other, 8)];
        let found: Vec<_> = rows.into_iter().map(|(email, row)| firsts.first(3, email, row)).collect();
        assert_eq!(found, [3, 5, 3, 5]);
        assert_eq!(firsts.first(4, &one, 9), 9, "another fingerprint is another e-mail");
    }

    #[test]
    fn a_line_break_in_a_value_is_escaped_once() {
        let violation = Violation::new(Code::NameControlCharacters, "name", "Ada\nKing", "remove it");
        assert_eq!(explained(&violation), r#"name "Ada\nKing": remove it"#);
    }

    #[test]
    fn a_column_is_told_from_the_words_around_it() {
        let violation = Violation::new(Code::RowSwallowedLines, "note", "", "this cell holds 11 line breaks");
        assert_eq!(noted(&violation), r#"row.swallowed_lines: column "note": this cell holds 11 line breaks"#);
    }
}
