//! Stops all requests but occasional probes while the server seems to be down. Pure: instants are
//! arguments.
//!
//! It opens after ten of either kind in a row: requests without a response from the API, and
//! responses to a `POST` in which the application reports its own failure. Working look-ups and
//! logins prove nothing about the second kind, so only another response to a `POST` ends that.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{AttemptResult, DoubtCause};

/// What a response says about the health of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No response, or one from a proxy: counts toward opening.
    Failing,
    /// The application responded to a `POST` that it failed, for the first time for this record.
    Broken,
    /// The API responded to a request other than a `POST`.
    Alive,
    /// Any other response of the API to a `POST`: closes the breaker.
    Conclusive,
    /// None of these.
    Unclear,
}

impl Health {
    /// Returns what a response to a `POST` says about the server.
    pub(crate) fn of_answer(result: &AttemptResult) -> Self {
        match result {
            AttemptResult::NotSent { .. } | AttemptResult::Unanswered { cause: DoubtCause::Gateway, .. } => {
                Self::Failing
            }
            AttemptResult::ServerError(_) => Self::Broken,
            AttemptResult::Unanswered { cause: DoubtCause::Silence | DoubtCause::Unintelligible, .. } => Self::Unclear,
            AttemptResult::Created { .. }
            | AttemptResult::EmailRefused { .. }
            | AttemptResult::Rejected(_)
            | AttemptResult::Refused { .. }
            | AttemptResult::KeyExpired
            | AttemptResult::InProgress(_)
            | AttemptResult::Throttled { .. }
            | AttemptResult::Unauthorized
            | AttemptResult::Stop(_) => Self::Conclusive,
        }
    }
}

const FAILURES_TO_OPEN: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Closed until ten failures of a kind in a row. Then open, with a pause before each probe that
/// doubles while probes fail.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    failures: u32,
    /// How many records in a row had a `POST` that the application failed.
    broken: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    pause: Duration,
    probe_at: Instant,
    /// A probe is in flight; nothing else may be sent before its result.
    probing: bool,
}

/// A change to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened { pause: Duration },
    Closed,
}

impl CircuitBreaker {
    pub(crate) const fn new() -> Self {
        Self { failures: 0, broken: 0, open: None }
    }

    /// Returns when a request may be sent, or `None` while a probe is in flight.
    pub(crate) fn not_before(&self, now: Instant) -> Option<Instant> {
        match self.open {
            None => Some(now),
            Some(Open { probing: true, .. }) => None,
            Some(Open { probe_at, .. }) => Some(probe_at),
        }
    }

    /// Records that a request is sent. Returns true if it is a probe.
    pub(crate) fn leaves(&mut self) -> bool {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
        self.open.is_some()
    }

    /// Records the result of a request. Returns the change that it causes, if any.
    pub(crate) fn hears(&mut self, health: Health, was_probe: bool, now: Instant) -> Option<Turn> {
        self.count(health);
        let is_bad = self.failures >= FAILURES_TO_OPEN || self.broken >= FAILURES_TO_OPEN;
        match (health, &mut self.open) {
            (Health::Conclusive, open) => open.take().map(|_| Turn::Closed),
            (Health::Alive, open) if !is_bad => open.take().map(|_| Turn::Closed),
            (Health::Failing | Health::Broken, None) => is_bad.then(|| self.wait(FIRST_PAUSE, now)),
            (Health::Alive | Health::Unclear, None) => None,
            // Results of requests that were sent before it opened are not new information.
            (_, Some(_)) if !was_probe => None,
            (Health::Failing | Health::Broken, Some(open)) => {
                let pause = (open.pause * 2).min(LONGEST_PAUSE);
                Some(self.wait(pause, now))
            }
            (Health::Alive | Health::Unclear, Some(open)) => {
                let pause = open.pause;
                self.wait(pause, now);
                None
            }
        }
    }

    fn count(&mut self, health: Health) {
        match health {
            Health::Failing => self.failures += 1,
            Health::Broken => (self.failures, self.broken) = (0, self.broken + 1),
            Health::Alive => self.failures = 0,
            Health::Conclusive => (self.failures, self.broken) = (0, 0),
            Health::Unclear => {}
        }
    }

    fn wait(&mut self, pause: Duration, now: Instant) -> Turn {
        self.open = Some(Open { pause, probe_at: now + pause, probing: false });
        Turn::Opened { pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> CircuitBreaker {
        let mut breaker = CircuitBreaker::new();
        for _ in 0..9 {
            assert_eq!(breaker.hears(Health::Failing, false, now), None);
        }
        assert_eq!(breaker.hears(Health::Failing, false, now), Some(Turn::Opened { pause: FIRST_PAUSE }));
        breaker
    }

    #[test]
    fn nine_failures_and_an_answer_leave_it_closed() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::new();
        for round in 0..30 {
            let health = if round % 10 == 9 { Health::Conclusive } else { Health::Failing };
            assert_eq!(breaker.hears(health, false, now), None);
        }
        assert_eq!(breaker.not_before(now), Some(now));
    }

    #[test]
    fn an_open_one_lets_one_probe_through_at_a_time_and_waits_twice_as_long_each_time() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let probe_at = now + Duration::from_secs(seconds);
            assert_eq!(breaker.not_before(now), Some(probe_at));
            assert!(breaker.leaves());
            assert_eq!(breaker.not_before(probe_at), None, "the probe's answer is waited for");
            now = probe_at;
            assert!(matches!(breaker.hears(Health::Failing, true, now), Some(Turn::Opened { .. })));
        }
        assert_eq!(breaker.hears(Health::Conclusive, true, now), Some(Turn::Closed));
        assert_eq!(breaker.not_before(now), Some(now));
    }

    #[test]
    fn ten_answered_failures_open_it_whatever_look_ups_say_and_only_a_post_closes_it() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::new();
        for _ in 0..9 {
            assert_eq!(breaker.hears(Health::Broken, false, now), None);
            assert_eq!(breaker.hears(Health::Alive, false, now), None);
        }
        assert_eq!(breaker.hears(Health::Broken, false, now), Some(Turn::Opened { pause: FIRST_PAUSE }));
        assert!(breaker.leaves());
        assert_eq!(breaker.hears(Health::Alive, true, now), None, "look-ups worked all the time");
        assert_eq!(breaker.not_before(now), Some(now + FIRST_PAUSE));
        assert_eq!(breaker.hears(Health::Conclusive, true, now), Some(Turn::Closed));
    }

    #[test]
    fn a_look_up_that_works_closes_one_that_opened_because_nothing_answered() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.leaves();
        assert_eq!(breaker.hears(Health::Alive, true, now), Some(Turn::Closed));
    }

    #[test]
    fn a_late_failure_of_what_left_before_does_not_end_the_probe() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.leaves();
        assert_eq!(breaker.hears(Health::Failing, false, now), None);
        assert_eq!(breaker.not_before(now), None);
    }

    #[test]
    fn a_probe_that_never_left_makes_room_for_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.leaves();
        assert_eq!(breaker.hears(Health::Unclear, true, now), None);
        assert_eq!(breaker.not_before(now), Some(now + FIRST_PAUSE));
    }
}
