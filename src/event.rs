//! All that delivery says to whoever listens: the progress bar, the heartbeat, the log, the counts of the summary.
//!
//! A [`Event::Settled`] is emitted only after the outcome is committed (I4).

use std::time::Duration;

use crate::domain::{Position, Status};

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A record came to its end for this run.
    Settled {
        position: Position,
        status: Status,
    },
    /// A request is about to leave.
    Request(Request),
    /// An answer that makes the record wait for another attempt. `why` is fit for a log.
    Retry {
        position: Position,
        attempt: u32,
        why: String,
    },
    /// A doubt of ours, of this run or an earlier one, ended with an answer.
    Recovered {
        position: Position,
    },
    /// The server asked for silence (429).
    Throttled {
        pause: Duration,
    },
    /// The pace changed, in requests a minute.
    Pace {
        per_minute: f64,
    },
    /// Not half of the requests leave that the pace allows, and only answers are waited for: both a minute.
    RateUnderused {
        allowed: f64,
        reached: f64,
    },
    /// The server asked for a pause because it is not ready (503).
    Unavailable {
        pause: Duration,
    },
    /// No connection came about. Told when the cause changes, not for every request.
    Unreachable(Trouble),
    /// Too many failures in a row: one probe now and then until the server is back.
    BreakerOpened {
        pause: Duration,
        trouble: Option<Trouble>,
    },
    BreakerClosed,
    /// Look-ups are not to be had for the rest of the run.
    LookupsOff {
        why: String,
    },
    /// The API refused the current token; another one is asked for.
    TokenRefused,
    /// A login failed, and will be tried again.
    NoToken {
        why: String,
    },
    /// A sign of life at even intervals, whatever the run waits for.
    Heartbeat,
    /// No new record is started; what is in flight is waited for.
    Draining {
        in_flight: usize,
    },
}

/// Why no request gets through.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// Fit to be shown: `cannot reach api.example.com (connection refused)`.
    pub cause: String,
    /// In how long the run gives up, unless something gets through.
    pub gives_up_in: Duration,
}

/// What kind of request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Create,
    LookUp,
    Credentials,
}
