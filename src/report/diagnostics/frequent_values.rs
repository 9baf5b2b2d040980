//! Counts the most frequent values of a code in bounded memory.

use std::hash::BuildHasher as _;
use std::mem;
use std::ops::Range;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

/// The most values that are counted at the same time.
const KEPT: usize = 1000;

/// The most frequent of many values. Exact while there are at most [`KEPT`] different ones. With
/// more, each new value costs every kept one a count (Misra and Gries), so a value that is more
/// than one in [`KEPT`] of all is never lost, and every count is at least the one returned.
///
/// Every row of a file may have another value, so the kept ones share one text and have no memory
/// of their own: an allocation a row takes longer than counting it.
#[derive(Debug, Default)]
pub(in crate::report) struct FrequentValues {
    /// The kept values, one after the other.
    text: String,
    kept: Vec<KeptValue>,
    /// The indexes of the kept values, by their hashes.
    places: HashTable<usize>,
    state: RandomState,
    /// Whether counts are lower than what was added.
    is_lowered: bool,
}

#[derive(Debug)]
struct KeptValue {
    hash: u64,
    /// Where the value is in the text.
    range: Range<usize>,
    times: u64,
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
        let hash = self.state.hash_one(value);
        if let Some(kept) = self.find(hash, value) {
            kept.times += 1;
        } else if self.kept.len() < KEPT {
            self.keep(hash, value, 1);
        } else {
            self.lower(1);
        }
    }

    /// Adds what was counted in the next piece of the input. What is kept depends on where the
    /// pieces begin, and what holds of every count stays true.
    pub(in crate::report) fn append(&mut self, piece: Self) {
        self.is_lowered |= piece.is_lowered;
        for KeptValue { range, times, .. } in piece.kept {
            let value = &piece.text[range];
            let hash = self.state.hash_one(value);
            match self.find(hash, value) {
                Some(kept) => kept.times += times,
                None => self.keep(hash, value, times),
            }
        }
        if self.kept.len() > KEPT {
            let mut all: Vec<u64> = self.kept.iter().map(|kept| kept.times).collect();
            let (_, &mut most_of_others, _) = all.select_nth_unstable_by(KEPT, |one, other| other.cmp(one));
            self.lower(most_of_others);
        }
    }

    /// Returns the most frequent values that were added more than once, at most `most` of them.
    pub(in crate::report) fn repeated(&self, most: usize) -> Vec<FrequentValue<'_>> {
        let repeated = self.kept.iter().filter(|kept| kept.times > 1);
        let mut found: Vec<_> = repeated
            .map(|KeptValue { range, times, .. }| FrequentValue {
                value: &self.text[range.clone()],
                times: *times,
                at_least: self.is_lowered,
            })
            .collect();
        found.sort_by(|one, other| other.times.cmp(&one.times).then_with(|| one.value.cmp(other.value)));
        found.truncate(most);
        found
    }

    /// Returns a kept value, or `None` if it is not kept.
    fn find(&mut self, hash: u64, value: &str) -> Option<&mut KeptValue> {
        let Self { text, kept, places, .. } = self;
        let index = *places.find(hash, |index| text[kept[*index].range.clone()] == *value)?;
        kept.get_mut(index)
    }

    /// Keeps a new value.
    fn keep(&mut self, hash: u64, value: &str, times: u64) {
        let Self { text, kept, places, .. } = self;
        let (begin, index) = (text.len(), kept.len());
        text.push_str(value);
        kept.push(KeptValue { hash, range: begin..text.len(), times });
        places.insert_unique(hash, index, |index| kept[*index].hash);
    }

    /// Lowers all counts, and forgets the values whose count it uses up.
    fn lower(&mut self, by: u64) {
        self.is_lowered = true;
        self.places.clear();
        let (text, kept) = (mem::take(&mut self.text), mem::take(&mut self.kept));
        for KeptValue { hash, range, times } in kept {
            if times > by {
                self.keep(hash, &text[range], times - by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

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
        assert!(values.kept.len() <= KEPT);
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
        assert!(values.kept.len() <= KEPT);
        let found = values.repeated(5);
        assert_eq!(found[0].value, "Deutshland");
        assert!(found[0].at_least && (500..=600).contains(&found[0].times), "{found:?}");
    }

    /// The same algorithm on a map.
    fn counted_in_a_map(added: &[String]) -> HashMap<&str, u64> {
        let mut counts = HashMap::new();
        for value in added {
            if counts.len() < KEPT || counts.contains_key(value.as_str()) {
                *counts.entry(value.as_str()).or_default() += 1;
            } else {
                counts.values_mut().for_each(|count| *count -= 1);
                counts.retain(|_, count| *count > 0);
            }
        }
        counts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn many_values_are_counted_as_in_a_map(numbers in prop::collection::vec(0..KEPT * 5 / 4, 0..8 * KEPT)) {
            let added: Vec<_> = numbers.iter().map(usize::to_string).collect();
            let mut values = FrequentValues::default();
            added.iter().for_each(|value| values.add(value));
            let kept = values.kept.iter().map(|kept| (&values.text[kept.range.clone()], kept.times));
            prop_assert_eq!(kept.collect::<HashMap<_, _>>(), counted_in_a_map(&added));
        }
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
