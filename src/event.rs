//! Events that delivery emits while it runs. The progress display, the heartbeat, the log and the
//! counts of the summary listen to them.
//!
//! Delivery emits [`Event::Settled`] only after the ledger has committed the outcome (I4). This
//! module is the only thing that delivery and the reporters share: delivery does not know how an
//! event is shown, and a reporter does not know how a record is sent.
//!
//! ```
//! use std::time::Duration;
//!
//! use customer_import::event::Event;
//! use customer_import::report::{Progress, Scope, Style};
//!
//! let scope = Scope { records: 3, to_send: 3, ..Scope::default() };
//! let mut progress = Progress::start(Style::Silent, scope);
//! progress.on(&Event::Throttled { pause: Duration::from_secs(2) }, std::time::Instant::now());
//! progress.finish();
//! ```

use std::time::Duration;

use crate::domain::{Position, Request, ResponseClass, Status};

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The ledger has committed the outcome of a record.
    Settled { position: Position, status: Status },
    /// Delivery is about to send a request.
    Request(Request),
    /// A request has ended, in this way and after this time.
    Response { request: Request, class: ResponseClass, took: Duration },
    /// A record waits for another attempt or for a look-up. `attempt` is the number of attempts so
    /// far; `why` is fit for a log.
    Retry { position: Position, attempt: u32, why: String },
    /// A request of this run left a record in doubt, for the first time.
    Doubted { position: Position },
    /// A record in doubt, from this run or an earlier one, got a definite outcome.
    Recovered { position: Position },
    /// The API answered 429 and asked for a pause.
    Throttled { pause: Duration },
    /// The pace changed.
    Pace {
        /// Requests per minute.
        per_minute: f64,
    },
    /// Fewer than half of the allowed requests are sent, and only slow responses hold them back.
    /// Both values are per minute.
    RateUnderused { allowed: f64, reached: f64 },
    /// The API answered 503 and asked for a pause.
    Unavailable { pause: Duration },
    /// Delivery could not connect. Emitted when the cause changes, not for every request.
    Unreachable(Trouble),
    /// The circuit breaker opened after too many failures in a row. Delivery sends only a probe,
    /// after each pause, until the API is back.
    BreakerOpened { pause: Duration, trouble: Option<Trouble> },
    /// A probe got through: the API is back, and delivery sends at its pace again.
    BreakerClosed,
    /// The run stops using look-ups, because the API does not offer them or ignores the e-mail.
    LookupsOff { why: String },
    /// The API refused the current token, so the run asks for another one.
    TokenRefused,
    /// A login failed. The run will retry it.
    NoToken { why: String },
    /// Emitted at even intervals, whatever the run is waiting for.
    Heartbeat,
    /// The run stops early: it starts no new record and waits for the records in flight.
    Draining { in_flight: usize },
    /// All records have been started, or as many as `--limit` allows. The run waits for the last
    /// ones.
    Finishing { in_flight: usize },
}

/// Why requests do not get through.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The cause in words that are fit for a terminal, such as `cannot reach api.example.com
    /// (connection refused)`.
    pub cause: String,
    /// How long until the run gives up, unless a request gets through.
    pub gives_up_in: Duration,
}
