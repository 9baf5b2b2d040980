//! The throttle: a fixed window that opens with its first request, like the real server's.

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

/// The state of the limit after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Time until the window closes, if the request was over the limit.
    pub(super) wait: Option<Duration>,
}

impl Throttle {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, opened: None, used: 0, throttled: 0 }
    }

    /// Counts one request. A request over the limit does not count against it.
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

    /// Returns the state of the limit without a request.
    pub(super) fn standing(&self) -> Standing {
        let limit = self.limit.requests();
        Standing { limit, remaining: limit.saturating_sub(self.used), wait: None }
    }

    /// Returns the number of requests over the limit so far.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled
    }

    /// Returns the start of the window that `now` is in. If there is none or the last one has
    /// passed, opens a new one.
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

/// Returns the seconds to wait, rounded up, so that the window has closed after them.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Returns the Unix millisecond that is `wait` from now.
pub(super) fn unix_millis_after(wait: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from((now + wait).as_millis()).unwrap_or(u64::MAX)
}

/// Returns the Unix second that is `wait` from now, rounded up.
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
