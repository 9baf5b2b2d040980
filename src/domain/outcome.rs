//! How a record ends.

use std::fmt;

use super::count::counted;

/// The word that the report uses for the end of a record. The words are a contract, because other
/// programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// This run created the customer, and the server confirmed it.
    Created,
    /// The API already had the customer, and this tool did not create it.
    Exists,
    /// An earlier run created the customer with the same data.
    AlreadyImported,
    /// An earlier run created the customer with other data, so nothing was sent.
    Changed,
    /// An earlier record of the input has the same e-mail.
    Duplicate,
    /// Something is wrong with the record, so it was never sent.
    Invalid,
    /// The API rejected the record.
    Rejected,
    /// The run gave up, and the customer was surely not created.
    Failed,
    /// The customer may have been created. A person or a later run must find out.
    InDoubt,
    NotAttempted,
    /// Only in the reports of `check`: nothing is wrong, and nothing was sent.
    Valid,
}

impl Status {
    /// Every status that an import can report, in the order of the summary.
    pub const IMPORT: [Self; 10] = [
        Self::Created,
        Self::Exists,
        Self::AlreadyImported,
        Self::Changed,
        Self::Duplicate,
        Self::Invalid,
        Self::Rejected,
        Self::Failed,
        Self::InDoubt,
        Self::NotAttempted,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Exists => "exists",
            Self::AlreadyImported => "already_imported",
            Self::Changed => "changed",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::NotAttempted => "not_attempted",
            Self::Valid => "valid",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How delivery of a record ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Created(Receipt),
    /// The receipt is empty if no look-up could fill it.
    Exists(Receipt),
    Rejected(Complaint),
    Failed(Complaint),
    InDoubt(Complaint),
    /// The run ended first, and no request of this record is open. The complaint says what its
    /// attempts brought.
    NotAttempted(Complaint),
}

impl Ending {
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Created(_) => Status::Created,
            Self::Exists(_) => Status::Exists,
            Self::Rejected(_) => Status::Rejected,
            Self::Failed(_) => Status::Failed,
            Self::InDoubt(_) => Status::InDoubt,
            Self::NotAttempted(_) => Status::NotAttempted,
        }
    }
}

/// An ending, and what to report about the attempts before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub ending: Ending,
    /// The HTTP status of the last response, if there was one.
    pub http_status: Option<u16>,
    /// Counted attempts of this run.
    pub attempts: u32,
    pub warnings: Vec<Warning>,
}

/// What the server said about a customer. Everything except an id is optional; links and ids are
/// kept byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub id: Option<String>,
    pub customer_id: Option<String>,
    pub kyc_link: Option<String>,
    pub tos_link: Option<String>,
    pub kyc_status: Option<String>,
    pub tos_status: Option<String>,
    pub created_at: Option<String>,
    pub data: Data,
}

/// The server's `data` of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    #[default]
    None,
    /// JSON text, exactly as received.
    Kept(String),
    /// The size in bytes, if it is too large to be kept.
    TooLarge(usize),
}

impl Data {
    /// The largest `data` that is kept, in bytes.
    pub const MOST: usize = 64 * 1024;

    #[must_use]
    pub fn of(text: Option<String>) -> Self {
        match text {
            None => Self::None,
            Some(text) if text.len() > Self::MOST => Self::TooLarge(text.len()),
            Some(text) => Self::Kept(text),
        }
    }

    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Kept(text) => Some(text),
            Self::None | Self::TooLarge(_) => None,
        }
    }

    /// Returns the warning for the report, if there is one.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        match self {
            Self::TooLarge(bytes) => Some(Warning::AnswerDataTooLarge(*bytes)),
            Self::None | Self::Kept(_) => None,
        }
    }
}

/// Why the API did not create a customer, in the server's own words if it sent any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub code: ComplaintCode,
    pub message: String,
}

/// The stable codes for what the API said, or did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComplaintCode {
    FieldRejected,
    Rejected,
    Refused,
    EmailExists,
    NoAnswer,
    ServerError,
    Unreadable,
    GaveUp,
}

impl ComplaintCode {
    pub const ALL: [Self; 8] = [
        Self::FieldRejected,
        Self::Rejected,
        Self::Refused,
        Self::EmailExists,
        Self::NoAnswer,
        Self::ServerError,
        Self::Unreadable,
        Self::GaveUp,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FieldRejected => "api.field_rejected",
            Self::Rejected => "api.rejected",
            Self::Refused => "api.refused",
            Self::EmailExists => "api.email_exists",
            Self::NoAnswer => "api.no_answer",
            Self::ServerError => "api.server_error",
            Self::Unreadable => "api.unreadable",
            Self::GaveUp => "api.gave_up",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// Something that the report mentions in addition to an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The response names another e-mail than the one that was sent.
    AnswerOtherEmail(String),
    /// The server's `data` is too large to be kept. The value is its size in bytes.
    AnswerDataTooLarge(usize),
    /// The response was lost, and a look-up found the customer.
    RecoveredByLookup,
    /// The server reported a failure for our first request and has the customer now, but does not
    /// say since when. The customer may be ours, or may have caused the failure.
    PerhapsOurs,
    /// The API says that it has the e-mail, but no look-up could show the customer.
    LookupUnavailable,
    /// The API has a customer whose e-mail it calls equal, although the spelling differs.
    OtherSpelling(String),
    /// The API has more than one customer with this e-mail.
    SeveralFound(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswerOtherEmail(email) => write!(f, "answer.other_email: the answer names {email}"),
            Self::AnswerDataTooLarge(bytes) => {
                write!(f, "answer.data_too_large: the server's data has {} and is not kept", counted(*bytes as u64, "byte"))
            }
            Self::RecoveredByLookup => {
                f.write_str("recovered.by_lookup: the answer was lost, a look-up found the customer")
            }
            Self::SeveralFound(what) => write!(f, "lookup.several: {what}"),
            Self::PerhapsOurs => f.write_str(
                "recovered.unproven: this tool's request failed at the server, which has the customer now and does not say since when",
            ),
            Self::LookupUnavailable => f.write_str(
                "lookup.unavailable: the API says that it has this e-mail; no look-up could show the customer",
            ),
            Self::OtherSpelling(email) => write!(f, "lookup.other_spelling: the API has it as {email}"),
        }
    }
}
