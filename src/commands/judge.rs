//! What is to be said of each record: validation, the duplicates of this input, and the ledger, brought together in one line.

use super::Failure;
use crate::api::wire;
use crate::domain::{
    Code, Complaint, ComplaintCode, Earlier, EmailKey, FirstSeen, InputRecord, Position, Print, Printer, ReportLine,
    Severity, Status, Verdict, Violation,
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
pub(super) enum Prepared {
    /// A valid one of which there is nothing to say.
    Plain {
        print: Print,
        send_kyc_mail: bool,
    },
    Whole(Box<Whole>),
}

#[derive(Debug)]
pub(super) struct Whole {
    pub record: InputRecord<'static>,
    /// Of a valid one.
    sendable: Option<Sendable>,
}

/// What the ledger knows a record by, and what would be sent.
#[derive(Debug)]
struct Sendable {
    key: EmailKey,
    body: Vec<u8>,
    print: Print,
}

impl InPiece for Prepared {
    fn after(&mut self, rows: u64) {
        if let Self::Whole(whole) = self {
            whole.record.after(rows);
        }
    }
}

impl Prepared {
    fn whole(record: InputRecord<'_>, printer: &Printer) -> Self {
        let sendable = match &record.verdict {
            Verdict::Invalid { .. } => None,
            Verdict::Valid { customer, .. } => {
                Some(Sendable { key: customer.email.key(), body: wire::body(customer), print: printer.print(customer) })
            }
        };
        Self::Whole(Box::new(Whole { record: record.into_owned(), sendable }))
    }

    /// Without what only a line of a report needs, where nothing is to be said of the record.
    fn brief(record: InputRecord<'_>, printer: &Printer) -> Self {
        match &record.verdict {
            Verdict::Valid { customer, warnings } if warnings.is_empty() => {
                Self::Plain { print: printer.print(customer), send_kyc_mail: customer.send_kyc_mail }
            }
            _ => Self::whole(record, printer),
        }
    }
}

#[derive(Debug)]
pub(super) struct Judge {
    seen: FirstSeen,
    /// `None`: nothing was ever sent.
    ledger: Option<Reader>,
    as_of: AsOf,
}

impl Judge {
    pub(super) fn new(ledger: Option<Reader>, as_of: AsOf) -> Self {
        Self { seen: FirstSeen::default(), ledger, as_of }
    }

    /// What is to be made of each record, wherever that is done. `lines`: whether a line is wanted of each.
    pub(super) fn preparation(&self, lines: bool) -> impl Fn(InputRecord<'_>) -> Prepared + Send + Sync + 'static {
        let printer = self.seen.printer();
        let lines = lines || self.ledger.is_some() || self.as_of != AsOf::Now;
        move |record| if lines { Prepared::whole(record, &printer) } else { Prepared::brief(record, &printer) }
    }

    /// How a record of which there is nothing to say stands.
    pub(super) fn plain(&mut self, print: Print, row: u64) -> Status {
        if self.seen.meet(print, row).is_some() { Status::Duplicate } else { Status::Valid }
    }

    pub(super) fn line(&mut self, whole: &Whole) -> Result<ReportLine, Failure> {
        match &whole.sendable {
            Some(sendable) => self.sendable(&whole.record, sendable),
            None => Ok(invalid(&whole.record)),
        }
    }

    fn sendable(&mut self, record: &InputRecord<'_>, sendable: &Sendable) -> Result<ReportLine, Failure> {
        let Sendable { key, body, print } = sendable;
        let position = record.position;
        let earlier = self.seen.meet(*print, position.row);
        let standing = self.standing(key)?;
        let earlier = earlier.filter(|_| !self.claimed(standing.as_ref(), position));
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
            remember(&mut line, &standing, &mut notes);
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

fn invalid(record: &InputRecord<'_>) -> ReportLine {
    let mut line = line_of(record, Status::Invalid);
    let (wrong, odd): (Vec<_>, Vec<_>) =
        record.verdict.violations().iter().partition(|violation| violation.code.severity() == Severity::Problem);
    line.error_code = join(wrong.iter().map(|violation| violation.code.as_str().to_owned()), ";");
    line.error = join(wrong.iter().map(|violation| explained(violation)), "; ");
    line.warning = join(odd.iter().map(|violation| told(violation)), "; ");
    line
}

/// What the last outcome left: ids and links of a customer that is there, the complaint where there is none.
fn remember(line: &mut ReportLine, standing: &Standing, notes: &mut Vec<String>) {
    if line.status == Status::InDoubt && standing.latest().is_none_or(|latest| latest.status != Status::InDoubt) {
        let message = "the run that sent it ended before an answer came".to_owned();
        return line.complain(&Complaint { code: ComplaintCode::NoAnswer, message });
    }
    let Some(latest) = standing.latest() else { return };
    match line.status {
        Status::Created | Status::AlreadyImported | Status::Changed | Status::Exists | Status::Duplicate => {
            line.receipt = latest.receipt.clone();
        }
        Status::Rejected | Status::Failed | Status::InDoubt => {
            line.error_code.clone_from(&latest.error_code);
            line.error.clone_from(&latest.error);
        }
        Status::Invalid | Status::NotAttempted | Status::Valid => return,
    }
    if line.status != Status::Duplicate {
        (line.http_status, line.attempts) = (latest.http_status, latest.attempts);
        notes.extend(Some(latest.warning.clone()).filter(|warning| !warning.is_empty()));
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
