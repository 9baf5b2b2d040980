//! Decides whether a request may be sent now: rate, pauses and the breaker in one place. Never
//! waits.

use std::time::Duration;

use governor::clock::Clock as _;
use tokio::time::Instant;

use super::adaptive_quota::AdaptiveQuota;
use super::circuit_breaker::{CircuitBreaker, Health, Turn};
use super::rate_option::{Rate, interval};
use super::sliding_window::SlidingWindow;
use super::token_bucket::{Limiter, Ticks, limiter};
use super::utilization::Utilization;
use crate::api::Allowance;
use crate::event::Event;

/// A pace that changes by a smaller share stays as it is.
const SAME_PACE: f64 = 0.02;

/// The result of a permit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returned {
    pub left: Instant,
    pub health: Health,
    pub allowance: Allowance,
}

/// Decides when the next request may be sent.
pub(super) struct Gate {
    rate: Rate,
    quota: AdaptiveQuota,
    /// The pace of the limiter in requests per minute.
    per_minute: f64,
    limiter: Limiter,
    clock: Ticks,
    /// When the last request was sent.
    left_at: Option<Instant>,
    is_answered: bool,
    /// When the limiter next has room, as far as is known.
    room_at: Instant,
    /// Only ever moves forward.
    paused_until: Instant,
    breaker: CircuitBreaker,
    utilization: Utilization,
    window: SlidingWindow,
}

impl Gate {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let (clock, quota) = (Ticks::new(now), AdaptiveQuota::new(now));
        let per_minute = rate.under(&quota);
        Self {
            rate,
            per_minute,
            quota,
            limiter: limiter(interval(per_minute), clock.clone()),
            clock,
            left_at: None,
            is_answered: false,
            room_at: now,
            paused_until: now,
            breaker: CircuitBreaker::new(),
            utilization: Utilization::new(now),
            window: SlidingWindow::new(interval(per_minute)),
        }
    }

    /// Returns when to try again, or `None` if that depends on the result of a probe.
    pub(super) fn turn(&self, now: Instant) -> Option<Instant> {
        let turn = self.breaker.not_before(now)?.max(self.paused_until).max(self.room_at);
        Some(if self.rate == Rate::Auto { turn.max(self.quota.not_before(now)) } else { turn })
    }

    pub(super) fn try_leave(&mut self, now: Instant) -> bool {
        if self.turn(now).is_none_or(|turn| turn > now) {
            return false;
        }
        let due = self.due(now);
        self.clock.set(due);
        match self.limiter.check() {
            Ok(()) => {
                self.left_at = Some(due);
                self.quota.leaves(now);
                true
            }
            Err(full) => {
                // Later than now, because otherwise the caller would retry in a loop.
                let room_at = due + full.wait_time_from(self.clock.now());
                self.room_at = room_at.max(now + Duration::from_nanos(1));
                false
            }
        }
    }

    /// Returns the time that the limiter should assume. Timers fire late, and later on a busy
    /// machine. The next request makes up for up to half an interval of that, because otherwise the
    /// pace would be lower than requested.
    fn due(&self, now: Instant) -> Instant {
        let half = interval(self.per_minute) / 2;
        now.checked_sub(half).unwrap_or(now).max(self.room_at).max(self.paused_until).min(now)
    }

    /// Counts a request. Returns an event if the rate is underused, whether the request is a probe,
    /// and the window that it must pass.
    pub(super) fn leaves(&mut self, now: Instant) -> (Option<Event>, bool, SlidingWindow) {
        let unreached = self.utilization.leaves(interval(self.per_minute), now);
        (unreached, self.breaker.leaves(), self.window.clone())
    }

    /// Counts a request that another gate let out, and that was answered at this moment. Assumes
    /// that it was sent then, because that is the latest moment.
    pub(super) fn count(&mut self, allowance: Allowance, answered_at: Instant) {
        self.quota.leaves(answered_at);
        let returned = Returned { left: answered_at, health: Health::Alive, allowance };
        self.heard(returned, false, answered_at);
    }

    pub(super) fn throttled(&mut self, pause: Duration, now: Instant) -> Event {
        self.quota.throttled(pause, now);
        self.pause(pause, now);
        Event::Throttled { pause }
    }

    pub(super) fn unavailable(&mut self, pause: Duration, now: Instant) -> Event {
        self.pause(pause, now);
        Event::Unavailable { pause }
    }

    /// Lets nothing be sent before this moment.
    pub(super) fn hold_until(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
        self.utilization.begin_anew(self.paused_until);
    }

    /// Returns before when nothing may be sent after a request that was sent at this moment.
    pub(super) fn next_after(&self, left: Instant) -> Instant {
        self.paused_until.max(left + interval(self.per_minute))
    }

    fn pause(&mut self, pause: Duration, now: Instant) {
        self.hold_until(now + pause);
    }

    pub(super) fn heard(&mut self, permit: Returned, was_probe: bool, now: Instant) -> Option<Event> {
        self.quota.returns(permit.allowance, permit.left, now);
        if !std::mem::replace(&mut self.is_answered, true) {
            // The first request had to connect, so its arrival is unknown, but not later than this.
            self.left_at = Some(now);
            self.begin_anew(now);
        }
        let turn = self.breaker.hears(permit.health, was_probe, now)?;
        self.utilization.begin_anew(now);
        Some(match turn {
            Turn::Opened { pause } => Event::BreakerOpened { pause, trouble: None },
            Turn::Closed => Event::BreakerClosed,
        })
    }

    pub(super) fn adapt(&mut self, now: Instant) -> Option<Event> {
        let per_minute = self.rate.under(&self.quota);
        if (per_minute - self.per_minute).abs() <= self.per_minute * SAME_PACE {
            return None;
        }
        self.per_minute = per_minute;
        self.begin_anew(now);
        Some(Event::Pace { per_minute })
    }

    /// Replaces the limiter, because a governor cannot change its quota. The bucket of a new one is
    /// full, so the next request must wait an interval since the last one.
    fn begin_anew(&mut self, now: Instant) {
        let interval = interval(self.per_minute);
        self.utilization.begin_anew(now);
        self.window.set_pace(interval);
        self.limiter = limiter(interval, self.clock.clone());
        self.room_at = self.left_at.map_or(now, |left_at| left_at + interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::rate::pacer::until;

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_is_late_every_time_keeps_the_pace() {
        for late in [1, 5, 9] {
            let mut gate = Gate::new("50/s".parse().unwrap(), Instant::now());
            let start = Instant::now();
            let mut left = 0;
            while start.elapsed() < Duration::from_secs(20) {
                if gate.try_leave(Instant::now()) {
                    left += 1;
                } else {
                    until(gate.turn(Instant::now())).await;
                    tokio::time::advance(Duration::from_millis(late)).await;
                }
            }
            assert!((997..=999).contains(&left), "{left} of 1000 with {late} ms");
        }
    }
}
