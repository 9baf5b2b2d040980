//! How long to wait after a failure before the next attempt.

use std::time::Duration;

/// The upper bound of the first backoff, and of all.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// Returns an exponential backoff with full jitter: a time between zero and a bound that doubles
/// with every failure. `jitter` is in `0.0..1.0`.
#[must_use]
pub(crate) fn backoff(failures: u32, jitter: f64) -> Duration {
    let bound = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    bound.mul_f64(jitter.clamp(0.0, 1.0))
}

/// Returns a random number in `0.0..=1.0`. It keeps retries of different records apart, and may be
/// predictable.
pub(crate) fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
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
}
