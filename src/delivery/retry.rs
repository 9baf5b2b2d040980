//! How often, and how soon again. Pure: the jitter comes in as an argument.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What the user allows a record.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Counted attempts of a record in one run.
    pub max_attempts: NonZeroU32,
    /// How long after the start of a send its effect may still appear at the server.
    pub settle: Duration,
    /// How long the server is trusted to know a key.
    pub key_validity: Duration,
}

impl RetryPolicy {
    /// When a request sent at `sent_at` has had its time.
    #[must_use]
    pub fn settled_at(&self, sent_at: Timestamp) -> Timestamp {
        later(sent_at, self.settle)
    }

    /// Whether the server still honours a key first used at `since`. A clock that went backwards proves nothing, so it counts as expired.
    #[must_use]
    pub fn key_is_fresh(&self, since: Timestamp, now: Timestamp) -> bool {
        since <= now && now < later(since, self.key_validity)
    }
}

/// The first backoff's upper bound, and the bound of them all.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// Exponential with full jitter: anywhere between nothing and a bound that doubles with every failure. `jitter` is in `0.0..1.0`.
#[must_use]
pub(super) fn backoff(failures: u32, jitter: f64) -> Duration {
    let bound = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    bound.mul_f64(jitter.clamp(0.0, 1.0))
}

/// Time arithmetic that ends at the end of time instead of failing there.
fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| from.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_from_half_a_second_to_a_minute() {
        let bounds = [(1, 500), (2, 1000), (3, 2000), (7, 32_000), (8, 60_000), (u32::MAX, 60_000)];
        for (failures, millis) in bounds {
            assert_eq!(backoff(failures, 1.0), Duration::from_millis(millis), "after {failures} failures");
            assert_eq!(backoff(failures, 0.0), Duration::ZERO);
        }
    }

    #[test]
    fn a_key_from_the_future_counts_as_expired() {
        let policy = RetryPolicy {
            max_attempts: NonZeroU32::MIN,
            settle: Duration::from_secs(90),
            key_validity: Duration::from_secs(60),
        };
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        assert!(policy.key_is_fresh(at(-59), now));
        assert!(!policy.key_is_fresh(at(-60), now));
        assert!(!policy.key_is_fresh(at(1), now));
    }
}
