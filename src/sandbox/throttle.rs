//! The throttle: a fixed window that opens at its first request, as the real server's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::config::Limit;

/// Counts the requests of one account.
#[derive(Debug)]
pub(super) struct Throttle {
    limit: Limit,
    opened: Option<Instant>,
    used: u32,
    throttled: u64,
}

/// Where the account stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Time until the window closes, for a request that came over the limit.
    pub(super) wait: Option<Duration>,
}

impl Throttle {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, opened: None, used: 0, throttled: 0 }
    }

    /// Counts one request. One over the limit costs nothing but its answer.
    pub(super) fn hit(&mut self, now: Instant) -> Standing {
        let opened = self.window(now);
        if self.used >= self.limit.requests() {
            self.throttled += 1;
            let wait = (opened + self.limit.window()).saturating_duration_since(now);
            return Standing { wait: Some(wait), ..self.standing() };
        }
        self.used += 1;
        self.standing()
    }

    /// Where the account stands, without a request.
    pub(super) fn standing(&self) -> Standing {
        let limit = self.limit.requests();
        Standing { limit, remaining: limit.saturating_sub(self.used), wait: None }
    }

    /// Requests that came over the limit so far.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled
    }

    /// The window `now` falls in; a new one opens when there is none or the last has passed.
    fn window(&mut self, now: Instant) -> Instant {
        match self.opened {
            Some(opened) if now < opened + self.limit.window() => opened,
            _ => {
                self.opened = Some(now);
                self.used = 0;
                now
            }
        }
    }
}

/// Whole seconds to wait, rounded up: who waits that long finds the window closed.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The Unix millisecond `wait` from now.
pub(super) fn unix_millis_after(wait: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from((now + wait).as_millis()).unwrap_or(u64::MAX)
}

/// The Unix second `wait` from now, rounded up.
pub(super) fn unix_second_after(wait: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    whole_seconds(now + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_window_opens_at_the_first_request_and_is_fixed() {
        let mut throttle = Throttle::new(Limit::per_minute(2));
        tokio::time::advance(Duration::from_secs(1000)).await;
        assert_eq!(throttle.hit(Instant::now()), Standing { limit: 2, remaining: 1, wait: None });
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(throttle.hit(Instant::now()).remaining, 0);
        let over = throttle.hit(Instant::now());
        assert_eq!(over, Standing { limit: 2, remaining: 0, wait: Some(Duration::from_secs(10)) });
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(throttle.hit(Instant::now()).wait, Some(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(throttle.hit(Instant::now()), Standing { limit: 2, remaining: 1, wait: None });
        assert_eq!(throttle.throttled(), 2);
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        assert_eq!(whole_seconds(Duration::from_millis(9_001)), 10);
        assert_eq!(whole_seconds(Duration::from_secs(9)), 9);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }
}
