//! The token bucket that spaces requests evenly, with a clock that is set by hand.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use tokio::time::Instant;

/// Above this many requests per second, timers are too coarse for one request at a time.
const FAST: f64 = 50.0;
/// How much of a fast rate can be sent at once. Together with the jitter of the network it stays
/// below a fiftieth of a second's share.
const BURST: Duration = Duration::from_millis(15);

pub(super) type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

/// Returns a limiter of one request at a time up to 50 per second, and of 15 ms' share at once
/// above, because timers tick in milliseconds.
pub(super) fn limiter(interval: Duration, clock: Ticks) -> Limiter {
    let interval = interval.max(Duration::from_nanos(1));
    let burst = if 1.0 / interval.as_secs_f64() > FAST { BURST.div_duration_f64(interval) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
    // The interval is not zero, which is all that a quota requires.
    let quota = governor::Quota::with_period(interval).unwrap_or(governor::Quota::per_minute(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), clock)
}

/// The clock of the governor. It stays at the time to which it was set, which comes from tokio's
/// clock, because tests can pause that one.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    origin: Instant,
    nanos: Arc<AtomicU64>,
}

impl Ticks {
    pub(super) fn new(now: Instant) -> Self {
        Self { origin: now, nanos: Arc::default() }
    }

    pub(super) fn set(&self, now: Instant) {
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        self.nanos.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.nanos.load(Ordering::Relaxed).into()
    }
}
