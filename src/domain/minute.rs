//! What a run did in one minute.

use std::time::Duration;

use super::latency_histogram::LatencyHistogram;
use super::request::{Request, ResponseClass};

/// What a run did in one minute of the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteTraffic {
    /// Minutes since 1970.
    pub minute: i64,
    responses: [[u64; ResponseClass::ALL.len()]; Request::ALL.len()],
    pub retries: u64,
    /// Records whose first doubt began.
    pub doubts_opened: u64,
    /// Doubts, of this run or an earlier one, that got a definite outcome.
    pub doubts_ended: u64,
    /// How much longer the API asked all requests to wait (429, 503). Pauses that overlap count
    /// once, in the minute in which they were asked for.
    pub paused: Duration,
    /// How long the responses to `POST /customer` took. Requests without a response are only
    /// counted.
    pub latencies: LatencyHistogram,
}

impl MinuteTraffic {
    /// Returns a minute in which nothing happened.
    #[must_use]
    pub fn new(minute: i64) -> Self {
        Self {
            minute,
            responses: Default::default(),
            retries: 0,
            doubts_opened: 0,
            doubts_ended: 0,
            paused: Duration::ZERO,
            latencies: LatencyHistogram::default(),
        }
    }

    /// Returns how many requests of this kind ended in this way.
    #[must_use]
    pub const fn responses(&self, request: Request, class: ResponseClass) -> u64 {
        self.responses[request as usize][class as usize]
    }

    pub fn add_responses(&mut self, request: Request, class: ResponseClass, number: u64) {
        let responses = &mut self.responses[request as usize][class as usize];
        *responses = responses.saturating_add(number);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.minute)
    }

    /// Adds what another part of the same minute brought.
    pub fn merge(&mut self, other: &Self) {
        for request in Request::ALL {
            for class in ResponseClass::ALL {
                self.add_responses(request, class, other.responses(request, class));
            }
        }
        self.retries = self.retries.saturating_add(other.retries);
        self.doubts_opened = self.doubts_opened.saturating_add(other.doubts_opened);
        self.doubts_ended = self.doubts_ended.saturating_add(other.doubts_ended);
        self.paused = self.paused.saturating_add(other.paused);
        self.latencies.merge(&other.latencies);
    }
}
