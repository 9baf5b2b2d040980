//! How a record ends.

use std::fmt;

/// The word that the report uses for a record. The words are a contract: other programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// This run created the customer, and the server said so.
    Created,
    /// The API had the customer already, and not by this tool.
    Exists,
    /// An earlier run created it with the same data.
    AlreadyImported,
    /// An earlier run created it with other data; not sent.
    Changed,
    /// An earlier record of the input has the same e-mail.
    Duplicate,
    /// Something is wrong with the record; never sent.
    Invalid,
    /// The API said no.
    Rejected,
    /// Gave up; surely not created.
    Failed,
    /// Possibly created; a person or a later run must find out.
    InDoubt,
    NotAttempted,
    /// Only in the reports of `check`: nothing is wrong and nothing was sent.
    Valid,
}

impl Status {
    /// Every status that an import can report, in the order in which a summary lists them.
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

/// How delivery ended with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Created(Receipt),
    /// The receipt is empty if no look-up could fill it.
    Exists(Receipt),
    Rejected(Complaint),
    Failed(Complaint),
    InDoubt(Complaint),
    /// The run ended first, and nothing of this record is open. The complaint says what came of
    /// what was tried.
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

/// An ending and what is worth telling of the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub ending: Ending,
    /// The status of the last answer, if there was one.
    pub http_status: Option<u16>,
    /// Counted attempts of this run.
    pub attempts: u32,
    pub warnings: Vec<Warning>,
}

/// What the server said about a customer. Everything beyond an id is optional; links and ids are
/// carried byte for byte.
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
    /// As received, as JSON text.
    Kept(String),
    /// It has so many bytes that it is not kept.
    TooLarge(usize),
}

impl Data {
    /// The most that is kept, in bytes.
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

    /// What the report should mention of it.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        match self {
            Self::TooLarge(bytes) => Some(Warning::AnswerDataTooLarge(*bytes)),
            Self::None | Self::Kept(_) => None,
        }
    }
}

/// Why the API did not create a customer, in the words of the server if it had any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub code: ComplaintCode,
    pub message: String,
}

/// The stable codes of what the API said or failed to say.
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

/// Something the report should mention beside an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The server's answer names another e-mail than the one sent.
    AnswerOtherEmail(String),
    /// The server's `data` has so many bytes that it is not kept.
    AnswerDataTooLarge(usize),
    /// The answer was lost; a look-up found the customer.
    RecoveredByLookup,
    /// The server answered our first request with a failure and has the customer now, without
    /// saying since when: it may be ours, and it may have been the reason for the failure.
    PerhapsOurs,
    /// The API says that it has the e-mail, and no look-up could show the customer.
    LookupUnavailable,
    /// The API has a customer whose e-mail it calls the same, though it is spelt otherwise.
    OtherSpelling(String),
    /// The API has more than one customer with this e-mail.
    SeveralFound(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswerOtherEmail(email) => write!(f, "answer.other_email: the answer names {email}"),
            Self::AnswerDataTooLarge(bytes) => {
                write!(f, "answer.data_too_large: the server's data has {bytes} bytes and is not kept")
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
