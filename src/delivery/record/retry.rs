//! Limits of retries: how often and how long a record is retried.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::Moment;

/// What the user allows per record.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Maximum number of counted attempts in one run.
    pub max_attempts: NonZeroU32,
    /// How long after the start of a request its effect may still appear at the server.
    pub settle: Duration,
    /// How long connecting may take: a request may be sent this much later than its intent says.
    pub connect_timeout: Duration,
    /// How long the server is expected to know a key.
    pub key_validity: Duration,
    /// `--trust-unique-email`: if look-ups are not available, the server's unique e-mail guards a
    /// new key after an answered failure.
    pub trust_unique_email: bool,
}

impl RetryPolicy {
    /// Returns how long until the settle time of a request sent at `sent_at` is over. If `sent_at`
    /// is in the future, the clock was set back, and the whole time counts again.
    #[must_use]
    pub fn settles_in(&self, sent_at: Moment, now: Moment) -> Duration {
        self.settle.saturating_sub(now.surely_since(sent_at))
    }

    /// Returns whether the server will still honor a key first used at `since` after this wait. If
    /// a clock was set, the age is unknown and the key counts as expired.
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
