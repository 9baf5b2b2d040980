//! What delivery reports while it runs: to the progress bar, the heartbeat, the log and the counts
//! of the summary.
//!
//! A [`Event::Settled`] is emitted only after the outcome is committed (I4).

use std::time::Duration;

use crate::domain::{Position, Status};

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The outcome of a record is committed.
    Settled {
        position: Position,
        status: Status,
    },
    /// A request is about to be sent.
    Request(Request),
    /// A record waits for another attempt. `why` may be shown in a log.
    Retry {
        position: Position,
        attempt: u32,
        why: String,
    },
    /// A record in doubt, from this run or an earlier one, got a definite outcome.
    Recovered {
        position: Position,
    },
    /// The server asked for a pause because too many requests came (429).
    Throttled {
        pause: Duration,
    },
    /// The pace changed; in requests per minute.
    Pace {
        per_minute: f64,
    },
    /// Fewer than half of the allowed requests are sent, and only slow responses hold them back.
    /// Both values are per minute.
    RateUnderused {
        allowed: f64,
        reached: f64,
    },
    /// The server asked for a pause because it is not ready (503).
    Unavailable {
        pause: Duration,
    },
    /// No connection could be made. Emitted when the cause changes, not for every request.
    Unreachable(Trouble),
    /// Too many failures in a row: only a probe is sent now and then until the server is back.
    BreakerOpened {
        pause: Duration,
        trouble: Option<Trouble>,
    },
    BreakerClosed,
    /// Look-ups are disabled for the rest of the run.
    LookupsOff {
        why: String,
    },
    /// The API refused the current token; the run asks for another one.
    TokenRefused,
    /// A login failed and will be retried.
    NoToken {
        why: String,
    },
    /// A sign of life at even intervals, whatever the run is waiting for.
    Heartbeat,
    /// The run starts no new record and waits for those in flight.
    Draining {
        in_flight: usize,
    },
}

/// Why no request gets through.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// May be shown: `cannot reach api.example.com (connection refused)`.
    pub cause: String,
    /// How long until the run gives up, unless a request gets through.
    pub gives_up_in: Duration,
}

/// What kind of request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Create,
    LookUp,
    Credentials,
}
