//! What one request brought, as far as the life of a record is concerned.

use std::time::Duration;

use super::fields::email::EmailKey;
use super::outcome::{Complaint, Receipt};

/// What became of one `POST /customer`. Every variant takes a side: was something created, surely
/// not, or is it open?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Surely nothing was sent: name look-up, refusal, connect timeout, handshake reset.
    NotSent {
        cause: String,
        /// Trying again will not help: the name does not exist, or the proxy refuses our
        /// credentials.
        hopeless: bool,
    },
    /// Proof of creation: a readable success with an id.
    Created {
        receipt: Receipt,
        /// The e-mail in the answer, if it is another than the one sent.
        other_email: Option<String>,
    },
    /// The API complains about the e-mail. Only a look-up can tell whether it has the customer.
    EmailRefused {
        complaint: Complaint,
        words: EmailWords,
    },
    /// The API said no to this data.
    Rejected(Complaint),
    /// The request was refused as such, before anything looked at its data.
    Refused {
        complaint: Complaint,
        refusal: Refusal,
    },
    /// Something may have been sent, and no answer that can be believed came back.
    Unanswered {
        cause: DoubtCause,
        complaint: Complaint,
        /// A `Retry-After` that came with it: every request waits for so long.
        pause: Option<Duration>,
    },
    /// An answered failure: the application itself wrote that something went wrong. It is done, and
    /// it may have saved the customer before it failed.
    ServerError(Complaint),
    /// The server no longer honours this idempotency key.
    KeyExpired,
    /// The server is still at it, or gave up waiting for the request (408, 425, 409 in progress).
    InProgress(Complaint),
    /// Too many requests: every request waits for so long.
    Throttled {
        pause: Duration,
    },
    Unauthorized,
    /// Nothing to do with this record: the run must end.
    Stop(StopReason),
}

impl AttemptResult {
    /// Whether the answer came whole and could not be understood.
    #[must_use]
    pub fn is_unintelligible(&self) -> bool {
        matches!(self, Self::Unanswered { cause: DoubtCause::Unintelligible, .. })
    }

    /// Whether the attempt counts against its record. An attempt that surely changed nothing, and
    /// that the record did not cause, does not.
    #[must_use]
    pub fn costs_an_attempt(&self) -> bool {
        !matches!(self, Self::NotSent { .. } | Self::Throttled { .. } | Self::Unauthorized | Self::Stop(_))
    }
}

/// What the words of a refusal about the e-mail say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmailWords {
    /// In words that we know: the API has a customer with this e-mail.
    Exists,
    /// Something else about the e-mail, in words or a language that we do not know.
    Unclear,
    /// A 409 whose words say nothing of the kind: a conflict with something, perhaps with a request
    /// that is still being worked on.
    Conflict,
}

/// A refusal of the request rather than of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    pub scope: RefusalScope,
    /// Whether the API wrote it. A page, or the words of a gateway, may hide what the API did.
    pub by_api: bool,
}

/// Whom a refusal concerns, as far as one answer can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalScope {
    /// 413, 414, 431: this request is too large for the server. Others are not.
    Record,
    /// 402, 404, 405, 415 and the like, or a missing idempotency key: probably every record.
    Endpoint,
    /// 403 in JSON: the API forbids it, probably to the whole account.
    Account,
    /// 403 as a page: a firewall dislikes something in this record.
    Firewall,
}

/// Why an attempt is in doubt; breaker and the guard against unintelligible servers weigh them
/// differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoubtCause {
    /// Reset, end of stream, timeout, bad framing, body cut or too long.
    Silence,
    /// 502, 503, 504, 52x, and a 500 that the application did not write: a proxy answered for the
    /// server. Feeds the breaker.
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
    Customers(Matches),
    /// Rows came back that do not contain the text asked for: look-ups prove nothing on this
    /// server.
    FilterIgnored,
    /// 403, 404, 405: this server has no look-up for us.
    NotOffered {
        http_status: u16,
    },
    Unauthorized,
    Throttled {
        pause: Duration,
    },
    /// No answer, 5xx, unreadable, pages that do not add up. Worth another try.
    Failed {
        cause: String,
    },
    Stop(StopReason),
}

/// The customers that a look-up found. Empty means absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Those whose whole e-mail key is the one asked for.
    pub exact: Vec<FoundCustomer>,
    /// One whose e-mail is spelt otherwise, and which a server's collation may call equal.
    pub lookalike: Option<Box<FoundCustomer>>,
}

impl Matches {
    /// Adds those of another page or spelling, each once: a list may change between two requests.
    pub fn extend(&mut self, other: Self) {
        for customer in other.exact {
            if !self.exact.iter().any(|known| known.is_same(&customer)) {
                self.exact.push(customer);
            }
        }
        self.lookalike = self.lookalike.take().or(other.lookalike);
    }
}

/// A customer as a look-up shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCustomer {
    pub email: EmailKey,
    pub receipt: Receipt,
    pub name: Option<String>,
    pub phone: Option<String>,
    /// For how long, at least, the server had it when it answered, by the server's own clock.
    /// `None` if it does not say.
    pub age: Option<Duration>,
}

impl FoundCustomer {
    /// Whether two rows show the same customer. Their age says nothing: time passes between two
    /// answers.
    fn is_same(&self, other: &Self) -> bool {
        (&self.email, &self.receipt) == (&other.email, &other.receipt)
    }
}
