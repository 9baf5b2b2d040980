//! Counts the most frequent values of a code in bounded memory.

use std::collections::HashMap;

use foldhash::quality::RandomState;

/// The most values that are counted at the same time.
const KEPT: usize = 1000;

/// The most frequent of many values. Exact while there are at most [`KEPT`] different ones. With
/// more, each new value costs every kept one a count (Misra and Gries), so a value that is more
/// than one in [`KEPT`] of all is never lost, and every count is at least the one returned.
#[derive(Debug, Default)]
pub(in crate::report) struct FrequentValues {
    counts: HashMap<Box<str>, u64, RandomState>,
    /// Whether counts are lower than what was added.
    is_lowered: bool,
}

/// A value and how often it was added.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::report) struct FrequentValue<'a> {
    pub value: &'a str,
    pub times: u64,
    /// Whether it may have been added more often.
    pub at_least: bool,
}

impl FrequentValues {
    pub(in crate::report) fn add(&mut self, value: &str) {
        if let Some(count) = self.counts.get_mut(value) {
            *count += 1;
        } else if self.counts.len() < KEPT {
            self.counts.insert(value.into(), 1);
        } else {
            self.is_lowered = true;
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// Adds what was counted in the next piece of the input. What is kept depends on where the
    /// pieces begin, and what holds of every count stays true.
    pub(in crate::report) fn append(&mut self, piece: Self) {
        self.is_lowered |= piece.is_lowered;
        for (value, times) in piece.counts {
            *self.counts.entry(value).or_default() += times;
        }
        if self.counts.len() > KEPT {
            self.is_lowered = true;
            let mut all: Vec<u64> = self.counts.values().copied().collect();
            let (_, &mut most_of_others, _) = all.select_nth_unstable_by(KEPT, |one, other| other.cmp(one));
            self.counts.retain(|_, count| {
                *count = count.saturating_sub(most_of_others);
                *count > 0
            });
        }
    }

    /// Returns the most frequent values that were added more than once, at most `most` of them.
    pub(in crate::report) fn repeated(&self, most: usize) -> Vec<FrequentValue<'_>> {
        let mut found: Vec<_> = self.counts.iter().filter(|(_, count)| **count > 1).collect();
        found.sort_by(|(one, times), (other, others)| others.cmp(times).then_with(|| one.cmp(other)));
        let found = found.into_iter().take(most);
        found.map(|(value, times)| FrequentValue { value, times: *times, at_least: self.is_lowered }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_most_frequent_values_come_first_and_single_ones_are_left_out() {
        let mut values = FrequentValues::default();
        for value in ["b", "a", "once", "c", "a", "b", "c", "a"] {
            values.add(value);
        }
        let found: Vec<_> = values.repeated(2).iter().map(|found| (found.value, found.times, found.at_least)).collect();
        assert_eq!(found, [("a", 3, false), ("b", 2, false)]);
    }

    #[test]
    fn a_frequent_value_is_found_among_many_others_whenever_it_comes() {
        let mut values = FrequentValues::default();
        for number in 0..100_000 {
            values.add(&number.to_string());
            if number >= 50_000 && number % 100 == 0 {
                values.add("Deutshland");
            }
        }
        assert!(values.counts.len() <= KEPT);
        let found = values.repeated(5);
        assert_eq!(found[0].value, "Deutshland");
        assert!(found[0].at_least && (300..=500).contains(&found[0].times), "{found:?}");
    }

    #[test]
    fn a_frequent_value_is_found_in_pieces_too() {
        let mut values = FrequentValues::default();
        for piece in 0..20 {
            let mut found = FrequentValues::default();
            for number in 0..3000 {
                found.add(&format!("{piece} {number}"));
                if number % 100 == 0 {
                    found.add("Deutshland");
                }
            }
            values.append(found);
        }
        assert!(values.counts.len() <= KEPT);
        let found = values.repeated(5);
        assert_eq!(found[0].value, "Deutshland");
        assert!(found[0].at_least && (500..=600).contains(&found[0].times), "{found:?}");
    }

    proptest! {
        #[test]
        fn few_values_are_counted_exactly_in_pieces(
            pieces in prop::collection::vec(prop::collection::vec("[a-d]", 0..20), 0..20),
        ) {
            let (mut values, mut whole) = (FrequentValues::default(), FrequentValues::default());
            for piece in pieces {
                let mut found = FrequentValues::default();
                piece.iter().for_each(|value| found.add(value));
                piece.iter().for_each(|value| whole.add(value));
                values.append(found);
            }
            prop_assert_eq!(values.repeated(10), whole.repeated(10));
        }

        #[test]
        fn no_count_is_too_high_and_few_values_are_counted_exactly(added in prop::collection::vec("[a-d]", 0..200)) {
            let mut values = FrequentValues::default();
            added.iter().for_each(|value| values.add(value));
            for found in values.repeated(10) {
                let times = added.iter().filter(|value| *value == found.value).count() as u64;
                prop_assert_eq!((found.times, found.at_least), (times, false));
            }
        }
    }
}
