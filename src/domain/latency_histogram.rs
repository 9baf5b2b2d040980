//! How long responses took, in buckets.

use std::time::Duration;

/// Buckets per doubling of the time.
const STEPS: u64 = 16;
/// `STEPS` is 2 to this power.
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Longer times count as this one, about 19 hours.
const LONGEST: u64 = (1 << 36) - 1;

/// Counts of response times in buckets that are at most 1/16 (6.25 %) wider than their start. So a
/// quantile is at most 3.2 % away from the response that it stands for.
///
/// Times below 32 µs have a bucket of one microsecond each. Two histograms have the same buckets,
/// so those of several minutes can be merged without a further error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// By bucket, up to the last one in use.
    counts: Vec<u64>,
}

impl LatencyHistogram {
    /// How many buckets there can be.
    pub const BUCKETS: usize = bucket(LONGEST) + 1;

    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST).min(LONGEST);
        self.add_many(bucket(micros), 1);
    }

    /// Adds so many responses to a bucket. A bucket that cannot be is ignored.
    pub fn add_many(&mut self, bucket: usize, responses: u64) {
        if bucket >= Self::BUCKETS || responses == 0 {
            return;
        }
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(responses);
    }

    pub fn merge(&mut self, other: &Self) {
        other.buckets().for_each(|(bucket, responses)| self.add_many(bucket, responses));
    }

    /// Returns the buckets in use and their counts, the shortest time first.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, responses)| *responses > 0)
    }

    /// Returns how many responses were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, responses| sum.saturating_add(*responses))
    }

    /// Returns the time that a share of the responses did not exceed, such as 0.95 for p95. `None`
    /// if there was none.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank above 2^53 is no rank of a minute, and a share below 0 is one of 0"
    )]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.total();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0_u64;
        let (bucket, _) = self.buckets().find(|(_, responses)| {
            seen = seen.saturating_add(*responses);
            seen >= rank
        })?;
        let (start, width) = extent(bucket);
        Some(Duration::from_micros(start + width / 2))
    }
}

/// Returns the bucket of a time in microseconds: its highest bit, and the four bits below that.
#[expect(clippy::cast_possible_truncation, reason = "there are a few hundred buckets")]
const fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let shift = micros.ilog2() - STEP_BITS;
    ((shift as u64) * STEPS + (micros >> shift)) as usize
}

/// Returns the first microsecond of a bucket, and how many it has.
const fn extent(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return (bucket, 1);
    }
    let shift = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS) << shift, 1 << shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        micros.iter().for_each(|micros| histogram.add(Duration::from_micros(*micros)));
        histogram
    }

    #[test]
    fn every_microsecond_is_in_exactly_one_bucket_and_buckets_are_in_order() {
        let mut next = 0;
        for at in 0..LatencyHistogram::BUCKETS {
            let (start, width) = extent(at);
            assert_eq!(start, next, "bucket {at}");
            assert_eq!((bucket(start), bucket(start + width - 1)), (at, at));
            next = start + width;
        }
        assert_eq!(next, LONGEST + 1);
    }

    #[test]
    fn an_empty_histogram_has_no_quantile_and_the_longest_time_has_a_bucket() {
        assert_eq!(LatencyHistogram::default().quantile(0.5), None);
        let mut histogram = LatencyHistogram::default();
        histogram.add(Duration::MAX);
        histogram.add_many(usize::MAX, 3);
        assert_eq!(histogram.total(), 1);
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_3_2_percent_away(
            mut micros in prop::collection::vec(0..LONGEST, 1..200),
            share in 0.0..=1.0_f64,
        ) {
            micros.sort_unstable();
            let told = of(&micros).quantile(share).unwrap().as_secs_f64();
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few")]
            let rank = ((micros.len() as f64 * share).ceil() as usize).max(1);
            let real = Duration::from_micros(micros[rank - 1]).as_secs_f64();
            prop_assert!((told - real).abs() <= real * 0.032 + 1e-9, "{told} for {real}");
        }

        #[test]
        fn merged_histograms_are_the_histogram_of_all(
            one in prop::collection::vec(0..LONGEST, 0..50),
            other in prop::collection::vec(0..LONGEST, 0..50),
        ) {
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(merged, of(&[one, other].concat()));
        }
    }
}
