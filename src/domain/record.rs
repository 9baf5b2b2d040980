//! One customer of the input, from the cell that was read to the line that is reported.

use std::fmt;

use super::customer::NewCustomer;
use super::outcome::{Complaint, Receipt, Status};
use super::violation::Violation;

/// Where a record stands in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The record's number, counted from 1; the header is not a record.
    pub row: u64,
    /// The line of the file on which the record starts, counted from 1.
    pub line: u64,
}

/// One record of the input after validation.
pub struct InputRecord<'a> {
    pub position: Position,
    pub verdict: RecordVerdict<'a>,
    /// The cells of the `--keep` columns, in the order in which those were named; empty if a
    /// record has none.
    pub kept: Vec<String>,
    /// The record exactly as it was read, if it is invalid or the reader was asked for all; none
    /// if it was too large to be kept.
    pub raw: Option<RawRecord>,
}

/// What validation says of a record.
pub enum RecordVerdict<'a> {
    Valid {
        customer: NewCustomer<'a>,
        warnings: Vec<Violation>,
    },
    /// Never sent. `problems` holds every problem found, warnings included, and is not empty.
    Invalid {
        /// The e-mail cell as given, if there is one, so that the report can name the person.
        email: Option<String>,
        problems: Vec<Violation>,
    },
}

impl<'a> InputRecord<'a> {
    /// A valid record of which there is nothing more to say.
    #[must_use]
    pub const fn plain(position: Position, customer: NewCustomer<'a>) -> Self {
        Self { position, verdict: RecordVerdict::Valid { customer, warnings: Vec::new() }, kept: Vec::new(), raw: None }
    }

    /// The same, independent of the buffer that it was read into.
    #[must_use]
    pub fn into_owned(self) -> InputRecord<'static> {
        let Self { position, verdict, kept, raw } = self;
        InputRecord { position, verdict: verdict.into_owned(), kept, raw }
    }
}

impl RecordVerdict<'_> {
    #[must_use]
    pub fn into_owned(self) -> RecordVerdict<'static> {
        match self {
            Self::Valid { customer, warnings } => RecordVerdict::Valid { customer: customer.into_owned(), warnings },
            Self::Invalid { email, problems } => RecordVerdict::Invalid { email, problems },
        }
    }

    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// Everything that was noticed.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Valid { warnings, .. } => warnings,
            Self::Invalid { problems, .. } => problems,
        }
    }

    /// Of a valid one: whether it asks for an e-mail to the person.
    #[must_use]
    pub const fn send_kyc_mail(&self) -> Option<bool> {
        match self {
            Self::Valid { customer, .. } => Some(customer.send_kyc_mail),
            Self::Invalid { .. } => None,
        }
    }

    /// The e-mail as given, if there is one.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::Valid { customer, .. } => Some(customer.email.as_str()),
            Self::Invalid { email, .. } => email.as_deref(),
        }
    }
}

/// A record as it was read: byte for byte from UTF-8, decoded from any other encoding.
#[derive(Clone, PartialEq, Eq)]
pub enum RawRecord {
    Cells(Vec<Vec<u8>>),
    /// A line of NDJSON without its line end.
    Line(Vec<u8>),
}

/// The form of the input, for writing records back in it; always in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    pub form: InputForm,
    /// Whether what is written back begins with a byte order mark: the input did, or it was in
    /// another encoding, and the options that said so must not be applied to the copy.
    pub byte_order_mark: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputForm {
    Csv { delimiter: u8, header: Vec<Vec<u8>> },
    Ndjson,
}

/// One line of a report: everything that is said of a record.
#[derive(Clone)]
pub struct ReportLine {
    pub position: Position,
    pub status: Status,
    pub email: String,
    pub receipt: Receipt,
    pub http_status: Option<u16>,
    pub attempts: u32,
    /// Problem codes joined by `;`, or the code of the API's complaint.
    pub error_code: String,
    pub error: String,
    /// Codes and words of the warnings, joined by `; `.
    pub warning: String,
    pub kept: Vec<String>,
}

// People's data stays out of logs and panics: what follows shows where a record stands and what
// became of it, and no cell.

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
    /// A line that says nothing yet beyond where the record stands and how it ended.
    #[must_use]
    pub fn new(position: Position, status: Status, email: String, kept: Vec<String>) -> Self {
        Self {
            position,
            status,
            email,
            receipt: Receipt::default(),
            http_status: None,
            attempts: 0,
            error_code: String::new(),
            error: String::new(),
            warning: String::new(),
            kept,
        }
    }

    pub fn complain(&mut self, complaint: &Complaint) {
        self.error_code = complaint.code.as_str().to_owned();
        self.error.clone_from(&complaint.message);
    }
}
