//! What is to be said of each record: validation, the duplicates of this input, and the ledger, brought together in one line.

use std::sync::Arc;

use super::Failure;
use crate::api::wire;
use crate::domain::{
    Code, Complaint, ComplaintCode, Duplicates, Earlier, EmailKey, InputRecord, Position, ReportLine, Severity, Status,
    Verdict, Violation,
};
use crate::intake::InPiece;
use crate::ledger::{PayloadHash, Reader, Standing};

/// As of when a line speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsOf {
    /// Before anything is sent: what is fine is `valid`.
    Now,
    /// As a run left it.
    Run(i64),
}

/// A record with all that can be made of it without knowing the others.
#[derive(Debug)]
pub(super) struct Prepared {
    pub record: InputRecord<'static>,
    /// Of a valid one: what the ledger knows it by, and what would be sent.
    sendable: Option<(EmailKey, Vec<u8>)>,
}

impl InPiece for Prepared {
    fn after(&mut self, rows: u64) {
        self.record.after(rows);
    }
}

impl Prepared {
    pub(super) fn new(record: InputRecord<'_>) -> Self {
        let sendable = match &record.verdict {
            Verdict::Invalid { .. } => None,
            Verdict::Valid { customer, .. } => Some((customer.email.key(), wire::body(customer))),
        };
        Self { record: record.into_owned(), sendable }
    }
}

#[derive(Debug)]
pub(super) struct Judge {
    duplicates: Arc<Duplicates>,
    /// `None`: nothing was ever sent.
    ledger: Option<Reader>,
    as_of: AsOf,
}

impl Judge {
    pub(super) fn new(duplicates: Arc<Duplicates>, ledger: Option<Reader>, as_of: AsOf) -> Self {
        Self { duplicates, ledger, as_of }
    }

    pub(super) fn line(&self, prepared: &Prepared) -> Result<ReportLine, Failure> {
        match &prepared.sendable {
            Some((key, body)) => self.sendable(&prepared.record, key, body),
            None => Ok(invalid(&prepared.record)),
        }
    }

    fn sendable(&self, record: &InputRecord<'_>, key: &EmailKey, body: &[u8]) -> Result<ReportLine, Failure> {
        let position = record.position;
        let standing = self.standing(key)?;
        let earlier = self.duplicates.earlier(position.row).filter(|_| !self.claimed(standing.as_ref(), position));
        let status = match &earlier {
            Some(_) => Status::Duplicate,
            None => self.status(standing.as_ref(), body),
        };
        let mut line = line_of(record, status);
        let mut notes: Vec<_> = record.verdict.violations().iter().map(told).collect();
        if let Some(Earlier { row, same_data }) = earlier {
            line.error = format!("row {row} has the same e-mail");
            if !same_data {
                notes.push(format!("{}: it has other data than row {row}", Code::DuplicateDiffers));
            }
        }
        if let Some(standing) = standing {
            remember(&mut line, standing, &mut notes);
        }
        line.warning = notes.join("; ");
        Ok(line)
    }

    fn standing(&self, email: &EmailKey) -> Result<Option<Standing>, Failure> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        Ok(ledger.standing(email, self.run())?)
    }

    fn run(&self) -> Option<i64> {
        match self.as_of {
            AsOf::Now => None,
            AsOf::Run(run) => Some(run),
        }
    }

    /// The ledger compared the whole e-mail: what it let this very row claim is no duplicate.
    fn claimed(&self, standing: Option<&Standing>, position: Position) -> bool {
        let claimed_row = standing.zip(self.run()).and_then(|(standing, run)| standing.claimed_row(run));
        claimed_row == Some(position.row)
    }

    fn status(&self, standing: Option<&Standing>, body: &[u8]) -> Status {
        let as_of = self.run().unwrap_or(i64::MAX);
        let status = standing.map_or(Status::NotAttempted, |standing| standing.status(as_of, PayloadHash::of(body)));
        match (self.as_of, status) {
            (AsOf::Now, Status::NotAttempted) => Status::Valid,
            (_, status) => status,
        }
    }
}

fn line_of(record: &InputRecord<'_>, status: Status) -> ReportLine {
    let email = record.verdict.email().unwrap_or_default().to_owned();
    ReportLine::new(record.position, status, email, record.kept.clone())
}

/// The line of a record that is never sent.
pub(super) fn invalid(record: &InputRecord<'_>) -> ReportLine {
    let mut line = line_of(record, Status::Invalid);
    let (wrong, odd): (Vec<_>, Vec<_>) =
        record.verdict.violations().iter().partition(|violation| violation.code.severity() == Severity::Problem);
    line.error_code = join(wrong.iter().map(|violation| violation.code.as_str().to_owned()), ";");
    line.error = join(wrong.iter().map(|violation| explained(violation)), "; ");
    line.warning = join(odd.iter().map(|violation| told(violation)), "; ");
    line
}

/// What the last outcome left: ids and links of a customer that is there, the complaint where there is none.
fn remember(line: &mut ReportLine, standing: Standing, notes: &mut Vec<String>) {
    if line.status == Status::InDoubt && standing.latest().is_none_or(|latest| latest.status != Status::InDoubt) {
        let message = "the run that sent it ended before an answer came".to_owned();
        return line.complain(&Complaint { code: ComplaintCode::NoAnswer, message });
    }
    let Some(latest) = standing.into_latest() else { return };
    match line.status {
        Status::Created | Status::AlreadyImported | Status::Changed | Status::Exists | Status::Duplicate => {
            line.receipt = latest.receipt;
        }
        Status::Rejected | Status::Failed | Status::InDoubt => {
            (line.error_code, line.error) = (latest.error_code, latest.error);
        }
        Status::Invalid | Status::NotAttempted | Status::Valid => return,
    }
    if line.status != Status::Duplicate {
        (line.http_status, line.attempts) = (latest.http_status, latest.attempts);
        notes.extend(Some(latest.warning).filter(|warning| !warning.is_empty()));
    }
}

fn explained(violation: &Violation) -> String {
    let Violation { column, value, hint, .. } = violation;
    match (column.is_empty(), value.is_empty()) {
        (true, _) => hint.clone().into_owned(),
        (false, true) => format!("{column}: {hint}"),
        (false, false) => format!("{column} {value:?}: {hint}"),
    }
}

fn told(violation: &Violation) -> String {
    format!("{}: {}", violation.code, explained(violation))
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}
