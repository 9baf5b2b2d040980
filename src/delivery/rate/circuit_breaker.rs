//! When the server seems to be down: one probe now and then instead of a storm. Pure: instants come
//! in as arguments.
//!
//! Two things open it, each ten times in a row: requests that the API did not answer, and answers
//! to a `POST` in which the application says that it failed. Look-ups and logins that work say
//! nothing against the second, so only another answer to a `POST` ends that.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{AttemptResult, DoubtCause};

/// What an answer says of the server's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No answer, or a proxy's: feeds the breaker.
    Failing,
    /// The application answered a `POST` and said that it failed; the first time for this record.
    Broken,
    /// The API answered something else than a `POST`.
    Alive,
    /// Any other answer of the API to a `POST`: closes the breaker.
    Conclusive,
    /// None of these.
    Unclear,
}

impl Health {
    /// What an answer to a `POST` says of the server.
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

/// Closed until ten failures of a kind in a row; then open, with a pause before each probe that
/// doubles while probes fail.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    failures: u32,
    /// Records in a row whose `POST` the application failed at.
    broken: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    pause: Duration,
    probe_at: Instant,
    /// A probe is under way; nothing else may leave before its answer.
    probing: bool,
}

/// A change worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened { pause: Duration },
    Closed,
}

impl CircuitBreaker {
    pub(crate) const fn new() -> Self {
        Self { failures: 0, broken: 0, open: None }
    }

    /// From when on a request may leave; `None` while a probe is under way.
    pub(crate) fn not_before(&self, now: Instant) -> Option<Instant> {
        match self.open {
            None => Some(now),
            Some(Open { probing: true, .. }) => None,
            Some(Open { probe_at, .. }) => Some(probe_at),
        }
    }

    /// A request leaves. True if it is a probe.
    pub(crate) fn leaves(&mut self) -> bool {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
        self.open.is_some()
    }

    pub(crate) fn hears(&mut self, health: Health, was_probe: bool, now: Instant) -> Option<Turn> {
        self.count(health);
        let is_bad = self.failures >= FAILURES_TO_OPEN || self.broken >= FAILURES_TO_OPEN;
        match (health, &mut self.open) {
            (Health::Conclusive, open) => open.take().map(|_| Turn::Closed),
            (Health::Alive, open) if !is_bad => open.take().map(|_| Turn::Closed),
            (Health::Failing | Health::Broken, None) => is_bad.then(|| self.wait(FIRST_PAUSE, now)),
            (Health::Alive | Health::Unclear, None) => None,
            // Answers to what left before it opened say nothing new.
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
