//! One customer of the input, from the cells that were read to the line in the report.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use super::changed_fields::ChangedFields;
use super::customer::NewCustomer;
use super::outcome::{Complaint, Receipt, Status};
use super::violation::{Violation, Violations};

/// The position of a record in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The record's number, counted from 1. The header is not a record.
    pub row: u64,
    /// The line of the file on which the record starts, counted from 1.
    pub line: u64,
}

/// One record of the input after validation.
pub struct InputRecord<'a> {
    pub position: Position,
    pub verdict: RecordVerdict<'a>,
    /// The cells of the `--keep` columns, in the order of the options. Empty if there are none.
    pub kept: Vec<String>,
    /// The record exactly as it was read, if it is invalid or the options ask for all records.
    /// `None` if it was too large to keep.
    pub raw: Option<RawRecord>,
}

/// The verdict of validation.
pub enum RecordVerdict<'a> {
    Valid {
        customer: NewCustomer<'a>,
        warnings: Violations<'a>,
    },
    /// Never sent. `problems` holds every problem found, including warnings, and is not empty.
    Invalid {
        /// The e-mail cell as it was given, if there is one, so that the report can name the
        /// customer.
        email: Option<Cow<'a, str>>,
        /// The same for the name.
        name: Option<Cow<'a, str>>,
        problems: Violations<'a>,
    },
}

impl<'a> InputRecord<'a> {
    /// Returns a valid record that has nothing to report besides its customer.
    #[must_use]
    pub fn plain(position: Position, customer: NewCustomer<'a>) -> Self {
        let verdict = RecordVerdict::Valid { customer, warnings: Violations::default() };
        Self { position, verdict, kept: Vec::new(), raw: None }
    }

    /// Returns the same record without borrowing from the buffer it was read into.
    #[must_use]
    pub fn into_owned(self) -> InputRecord<'static> {
        let Self { position, verdict, kept, raw } = self;
        InputRecord { position, verdict: verdict.into_owned(), kept, raw }
    }
}

impl RecordVerdict<'_> {
    #[must_use]
    pub fn into_owned(self) -> RecordVerdict<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        match self {
            Self::Valid { customer, warnings } => {
                RecordVerdict::Valid { customer: customer.into_owned(), warnings: warnings.into_owned() }
            }
            Self::Invalid { email, name, problems } => {
                RecordVerdict::Invalid { email: owned(email), name: owned(name), problems: problems.into_owned() }
            }
        }
    }

    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// Returns all problems and warnings.
    #[must_use]
    pub fn violations(&self) -> &[Violation<'_>] {
        match self {
            Self::Valid { warnings, .. } => warnings,
            Self::Invalid { problems, .. } => problems,
        }
    }

    /// Returns whether a valid record asks the API to e-mail the customer, or `None` for an invalid
    /// one.
    #[must_use]
    pub const fn send_kyc_mail(&self) -> Option<bool> {
        match self {
            Self::Valid { customer, .. } => Some(customer.send_kyc_mail),
            Self::Invalid { .. } => None,
        }
    }

    /// Returns the name of a valid record, or that of an invalid one as it was given. `None` if
    /// there is none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Valid { customer, .. } => Some(customer.name.as_str()),
            Self::Invalid { name, .. } => name.as_deref(),
        }
    }

    /// Returns the e-mail as it was given, or `None` if there is none.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::Valid { customer, .. } => Some(customer.email.as_str()),
            Self::Invalid { email, .. } => email.as_deref(),
        }
    }
}

/// A record as it was read: byte for byte if the input is UTF-8, otherwise decoded.
#[derive(Clone, PartialEq, Eq)]
pub enum RawRecord {
    Cells(Vec<Vec<u8>>),
    /// Cells of which some are not what their writer meant, although each can be read. A copy must
    /// not pass as valid.
    Misread(Vec<Vec<u8>>),
    /// A line of NDJSON without its line end.
    Line(Vec<u8>),
}

impl RawRecord {
    /// Returns the cells; a line of NDJSON is one.
    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let cells = match self {
            Self::Cells(cells) | Self::Misread(cells) => cells,
            Self::Line(line) => std::slice::from_ref(line),
        };
        cells.iter().map(Vec::as_slice)
    }
}

/// The form of the input, for writing records back in the same form. They are always written in
/// UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    pub form: InputForm,
    /// Whether to write a byte order mark first. This is so if the input has one, and also if it is
    /// in another encoding, because the options that named that encoding must not apply to the
    /// copy.
    pub byte_order_mark: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputForm {
    Csv { delimiter: u8, header: Vec<Vec<u8>> },
    Ndjson,
}

/// One line of a report: everything that is said about a record.
#[derive(Clone)]
pub struct ReportLine {
    pub position: Position,
    pub status: Status,
    pub email: String,
    /// The customer's name, of an invalid record as it was given. `None` if it has none, or if the
    /// input is not at hand.
    pub name: Option<Box<str>>,
    /// Whether a valid record asks for an e-mail to the person. `None` if it is invalid, or if the
    /// input is not at hand.
    pub send_kyc_mail: Option<bool>,
    pub receipt: Receipt,
    /// When the API said the KYC status of the receipt. `None` if that is of the answer that
    /// created or found the customer.
    pub kyc_checked_at: Option<Timestamp>,
    pub http_status: Option<u16>,
    pub attempts: u32,
    /// Problem codes joined by `;`, or the code of the API's complaint.
    pub error_code: String,
    pub error: String,
    /// What is wrong with an invalid record, without mere consequences.
    pub problems: Vec<Violation<'static>>,
    /// Codes and texts of the warnings, joined by `; `.
    pub warning: String,
    /// What differs from the data that was sent. `None` unless the status is `changed`, and where
    /// lines are only counted.
    pub changed: Option<ChangedFields>,
    pub kept: Vec<String>,
}

// Personal data stays out of logs and panics, so these implementations show a record's position and
// status, and no cell.

impl fmt::Debug for InputRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { row, line } = self.position;
        f.debug_struct("InputRecord")
            .field("row", &row)
            .field("line", &line)
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordVerdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid { warnings, .. } => f.debug_tuple("Valid").field(warnings).finish(),
            Self::Invalid { problems, .. } => f.debug_tuple("Invalid").field(problems).finish(),
        }
    }
}

impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cells(cells) => write!(f, "Cells({} cells)", cells.len()),
            Self::Misread(cells) => write!(f, "Misread({} cells)", cells.len()),
            Self::Line(line) => write!(f, "Line({} bytes)", line.len()),
        }
    }
}

impl fmt::Debug for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportLine")
            .field("position", &self.position)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl ReportLine {
    /// Returns a line with only the position of the record and its status.
    #[must_use]
    pub fn new(position: Position, status: Status, email: String, kept: Vec<String>) -> Self {
        Self {
            position,
            status,
            email,
            name: None,
            send_kyc_mail: None,
            receipt: Receipt::default(),
            kyc_checked_at: None,
            http_status: None,
            attempts: 0,
            error_code: String::new(),
            error: String::new(),
            problems: Vec::new(),
            warning: String::new(),
            changed: None,
            kept,
        }
    }

    /// Takes up what the API said when it was last asked. Its list lacks the terms, so what it does
    /// not say stays as it was.
    pub fn update(&mut self, kyc_status: Option<String>, tos_status: Option<String>, checked_at: Timestamp) {
        if kyc_status.is_some() {
            (self.receipt.kyc_status, self.kyc_checked_at) = (kyc_status, Some(checked_at));
        }
        if tos_status.is_some() {
            self.receipt.tos_status = tos_status;
        }
    }

    pub fn complain(&mut self, complaint: &Complaint) {
        self.error_code = complaint.code.as_str().to_owned();
        self.error.clone_from(&complaint.message);
    }
}
