//! How often and how long a record is retried.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::Moment;

/// What the user allows a record.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Counted attempts of a record in one run.
    pub max_attempts: NonZeroU32,
    /// How long after the start of a send its effect may still appear at the server.
    pub settle: Duration,
    /// How long a request may take to connect: it may leave so much later than its intent says.
    pub connect_timeout: Duration,
    /// How long the server is trusted to know a key.
    pub key_validity: Duration,
    /// `--trust-unique-email`: if no look-up can be had, the server's unique e-mail guards a new
    /// key after an answered failure.
    pub trust_unique_email: bool,
}

impl RetryPolicy {
    /// How long until a request sent at `sent_at` has had its time. A send from the future tells of
    /// a clock that was set back: then the whole time is waited for once more.
    #[must_use]
    pub fn settles_in(&self, sent_at: Moment, now: Moment) -> Duration {
        self.settle.saturating_sub(now.surely_since(sent_at))
    }

    /// Whether the server will still honour a key first used at `since` after this wait. Clocks
    /// that were set prove nothing, so then it counts as expired.
    #[must_use]
    pub fn key_is_fresh(&self, since: Moment, now: Moment, wait: Duration) -> bool {
        now.at_most_since(since).is_some_and(|age| age.saturating_add(wait) < self.key_validity)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_key_from_the_future_counts_as_expired() {
        let policy = RetryPolicy {
            max_attempts: NonZeroU32::MIN,
            settle: Duration::from_secs(90),
            connect_timeout: Duration::from_secs(10),
            key_validity: Duration::from_secs(60),
            trust_unique_email: false,
        };
        let at = |seconds: i64| Moment { wall: Timestamp::from_second(1_000_000 + seconds).unwrap(), boot: None };
        let fresh = |since, wait| policy.key_is_fresh(at(since), at(0), Duration::from_secs(wait));
        assert!(fresh(-59, 0) && fresh(-30, 29));
        assert!(!fresh(-60, 0) && !fresh(-30, 30));
        assert!(!fresh(1, 0));
        assert_eq!(policy.settles_in(at(1), at(0)), Duration::from_secs(90), "from the future: all of it");
        assert_eq!(policy.settles_in(at(-60), at(0)), Duration::from_secs(30));
        assert_eq!(policy.settles_in(at(-91), at(0)), Duration::ZERO);
    }
}
