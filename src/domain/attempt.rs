//! What one request brought, as far as the lifecycle of a record depends on it.

use std::time::Duration;

use super::fields::email::EmailKey;
use super::outcome::{Complaint, Receipt};
use super::stop_words::StopWords;

/// The result of one `POST /customer`. Every variant says whether something was created, surely not
/// created, or unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// Surely nothing was sent: DNS failure, connection refused, connect timeout, reset during the
    /// handshake.
    NotSent {
        cause: String,
        /// Trying again will not help, because the host name does not exist or the proxy rejects
        /// our credentials.
        hopeless: bool,
    },
    /// Proof of creation: a readable success with an id.
    Created {
        receipt: Receipt,
        /// The e-mail in the response, if it differs from the one that was sent.
        other_email: Option<String>,
    },
    /// The API complains about the e-mail. Only a look-up can show whether the API has the
    /// customer.
    EmailRefused {
        complaint: Complaint,
        words: EmailWords,
    },
    /// The API rejected this data.
    Rejected(Complaint),
    /// The server refused the request as such, before it looked at the data.
    Refused {
        complaint: Complaint,
        refusal: Refusal,
    },
    /// Something may have been sent, and no response came back that can be believed.
    Unanswered {
        cause: DoubtCause,
        complaint: Complaint,
        /// The `Retry-After` of the response. Every request waits this long.
        pause: Option<Duration>,
    },
    /// A failure that the application itself wrote. It has finished with the request, and may have
    /// saved the customer before it failed.
    ServerError(Complaint),
    /// The server no longer honours this idempotency key.
    KeyExpired,
    /// The server is still working on the request, or stopped waiting for it (408, 425, 409 in
    /// progress).
    InProgress(Complaint),
    /// Too many requests. Every request waits this long.
    Throttled {
        pause: Duration,
    },
    Unauthorized,
    /// The run must end, whatever the record holds.
    Stop(StopReason),
}

impl AttemptResult {
    /// Whether the response arrived completely but could not be understood.
    #[must_use]
    pub fn is_unintelligible(&self) -> bool {
        matches!(self, Self::Unanswered { cause: DoubtCause::Unintelligible, .. })
    }

    /// Whether the attempt counts toward the record's limit. It does not if it surely changed
    /// nothing and the record did not cause it.
    #[must_use]
    pub fn costs_an_attempt(&self) -> bool {
        !matches!(self, Self::NotSent { .. } | Self::Throttled { .. } | Self::Unauthorized | Self::Stop(_))
    }
}

/// What the text of a refusal says about the e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmailWords {
    /// A known text: the API has a customer with this e-mail.
    Exists,
    /// Something else about the e-mail, in a text or language that we do not know.
    Unclear,
    /// A 409 whose text does not say that the e-mail exists: a conflict with something, perhaps
    /// with a request that is still being processed.
    Conflict,
}

/// A refusal of the request, and not of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    pub scope: RefusalScope,
    /// Whether the API wrote it. An HTML page or a gateway's text may hide what the API did.
    pub by_api: bool,
    /// What the user can do if it stops the run.
    pub advice: Option<&'static str>,
}

/// What a refusal applies to, as far as one response can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalScope {
    /// 413, 414, 431: this request is too large for the server, but others are not.
    Record,
    /// 402, 404, 405, 415 and similar statuses, or a missing idempotency key: probably every
    /// record.
    Endpoint,
    /// 403 in JSON: the API forbids the request, probably for the whole account.
    Account,
    /// 403 as an HTML page: a firewall blocks something in this record.
    Firewall,
}

/// Why an attempt is in doubt. The circuit breaker and the rule against unintelligible servers
/// weigh the causes differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoubtCause {
    /// Reset, end of stream, timeout, invalid framing, or a body that is cut off or too long.
    Silence,
    /// 502, 503, 504, 52x, and a 500 that the application did not write: a proxy responded in place
    /// of the server. Counts toward the circuit breaker.
    Gateway,
    /// A complete response without a usable meaning: 2xx without proof, or an unknown shape.
    Unintelligible,
}

/// Why a run must end, whatever its records hold. Each reason carries words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// Exit code 78: a redirect, a wrong endpoint, a rejected certificate, or a request fault that
    /// all records share.
    #[error("{0}")]
    Configuration(StopWords),
    /// Exit code 77: the API rejected the credentials.
    #[error("{0}")]
    Credentials(StopWords),
    /// Exit code 69: the API cannot be reached, or its responses are of no use.
    #[error("{0}")]
    Unreachable(StopWords),
}

impl StopReason {
    #[must_use]
    pub const fn words(&self) -> &StopWords {
        let (Self::Configuration(words) | Self::Credentials(words) | Self::Unreachable(words)) = self;
        words
    }
}

/// What a look-up by e-mail found after all pages were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    Customers(Matches),
    /// The server returned customers that do not contain the requested text, so look-ups prove
    /// nothing on this server.
    FilterIgnored,
    /// 403, 404, 405: this server does not offer look-ups to us.
    NotOffered {
        http_status: u16,
    },
    Unauthorized,
    Throttled {
        pause: Duration,
    },
    /// No response, 5xx, an unreadable response, or pages that do not add up. Worth another
    /// attempt.
    Failed {
        cause: String,
    },
    Stop(StopReason),
}

/// The customers that a look-up found. Empty means that the customer is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// The customers whose whole e-mail key equals the requested one.
    pub exact: Vec<FoundCustomer>,
    /// A customer whose e-mail has another spelling, which the collation of a server may call
    /// equal.
    pub lookalike: Option<Box<FoundCustomer>>,
}

impl Matches {
    /// Adds the customers of another page or spelling, each only once, because a list may change
    /// between two requests.
    pub fn extend(&mut self, other: Self) {
        for customer in other.exact {
            if !self.exact.iter().any(|known| known.is_same(&customer)) {
                self.exact.push(customer);
            }
        }
        self.lookalike = self.lookalike.take().or(other.lookalike);
    }
}

/// A customer as returned by a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCustomer {
    pub email: EmailKey,
    pub receipt: Receipt,
    pub name: Option<String>,
    pub phone: Option<String>,
    /// The least time that the server had the customer when it responded, by the server's own
    /// clock. `None` if the response does not say.
    pub age: Option<Duration>,
}

impl FoundCustomer {
    /// Whether two results show the same customer. Ages are ignored, because time passes between
    /// two responses.
    fn is_same(&self, other: &Self) -> bool {
        (&self.email, &self.receipt) == (&other.email, &other.receipt)
    }
}
