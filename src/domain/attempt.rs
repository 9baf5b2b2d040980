//! What one request brought, as far as the life of a record is concerned.

use std::time::Duration;

use super::{Complaint, EmailKey, Receipt};

/// What became of one `POST /customer`. Every variant takes a side: was something created, surely not, or is it open?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Surely nothing was sent: name look-up, refusal, connect timeout, handshake reset.
    NotSent {
        cause: String,
    },
    /// Proof of creation: a readable success with an id.
    Created {
        receipt: Receipt,
        /// The e-mail in the answer, where it is another than the one sent.
        other_email: Option<String>,
    },
    /// The API has a customer with this e-mail.
    EmailExists(Complaint),
    /// The API said no to this data.
    Rejected(Complaint),
    /// Something may have been sent, and no answer that can be believed came back.
    Unanswered {
        cause: DoubtCause,
        complaint: Complaint,
    },
    /// The server answered that something went wrong on its side: it is done, and the customer may have been saved before it failed.
    ServerError(Complaint),
    /// The server no longer honours this idempotency key.
    KeyExpired,
    /// The server is still at it, or gave up waiting for the request (408, 425, 409 in progress).
    InProgress(Complaint),
    /// Too many requests: everybody waits for so long.
    Throttled {
        pause: Duration,
    },
    /// 503: not now.
    Unavailable {
        retry_after: Option<Duration>,
        complaint: Complaint,
    },
    Unauthorized,
    Forbidden(Complaint),
    /// Nothing to do with this record: the run must end.
    Stop(StopReason),
}

/// Why an attempt is in doubt; breaker and the guard against unintelligible servers weigh them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoubtCause {
    /// Reset, end of stream, timeout, bad framing, body cut or too long.
    Silence,
    /// 502, 504, 52x: a proxy answered for the server. Feeds the breaker.
    Gateway,
    /// An answer came whole and means nothing: 2xx without proof, unknown shapes.
    Unintelligible,
}

/// Why a run must end whatever the records hold. Each carries words for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// 78: redirect, wrong endpoint, certificate refused, request fault that all records share.
    #[error("{0}")]
    Configuration(String),
    /// 77
    #[error("{0}")]
    Credentials(String),
    /// 69
    #[error("{0}")]
    Unreachable(String),
}

/// What a look-up by e-mail found, all pages read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// The customers whose whole e-mail key is the one asked for; empty means absent.
    Customers(Vec<FoundCustomer>),
    /// Rows came back that do not contain the text asked for: look-ups prove nothing on this server.
    FilterIgnored,
    /// 403, 404, 405: this server has no look-up for us.
    NotOffered {
        http_status: u16,
    },
    Unauthorized,
    Throttled {
        pause: Duration,
    },
    /// No answer, 5xx, unreadable. Worth another try.
    Failed {
        cause: String,
    },
    Stop(StopReason),
}

/// A customer as a look-up shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCustomer {
    pub email: EmailKey,
    pub receipt: Receipt,
    pub name: Option<String>,
    pub phone: Option<String>,
}
