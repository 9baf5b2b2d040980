//! Limits of retries: how often and how long a record is retried.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::Moment;

/// No ledger says of a request that it may leave later than this: the grace of its intent, or the
/// end of its token, is nearer.
const FURTHEST_AHEAD: Duration = Duration::from_secs(20 * 60);

/// What the user allows per record.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Maximum number of counted attempts in one run.
    pub max_attempts: NonZeroU32,
    /// How long after the start of a request its effect may still appear at the server.
    pub settle: Duration,
    /// How long an intent may take to become durable. If a ledger takes longer, it is too slow to
    /// send with. A later run waits at most this much longer for the requests of a killed one.
    pub grace: Duration,
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
    /// is in the future by the clock of this boot, the time till then counts too, because a request
    /// of another host may leave until then. If it is so by the wall clock alone, or further than
    /// anything is written ahead, a clock was set, and the whole settle time counts again.
    #[must_use]
    pub fn settles_in(&self, sent_at: Moment, now: Moment) -> Duration {
        let is_same_boot = sent_at.boot.zip(now.boot).is_some_and(|(one, other)| one.boot == other.boot);
        let ahead = if is_same_boot { sent_at.surely_since(now) } else { Duration::ZERO };
        let ahead = if ahead > FURTHEST_AHEAD { Duration::ZERO } else { ahead };
        self.settle.saturating_sub(now.surely_since(sent_at)).saturating_add(ahead)
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
            grace: Duration::from_secs(10),
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
