//! Which fields the changed records of a run changed in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::{ChangedFields, counted, grouped, shorten};

/// The most names that are counted one by one. It bounds the memory if every record has fields of
/// its own.
const MOST_NAMES: usize = 100;
const SHOWN_NAMES: usize = 5;
const NAME_WIDTH: usize = 40;

/// Counts of changed records by field.
#[derive(Debug, Default)]
pub struct ChangedCounts {
    records: u64,
    names: BTreeMap<String, u64>,
    /// Records of which no name is known.
    unknown: u64,
}

impl ChangedCounts {
    /// Counts a changed record once for each of its fields.
    pub fn add(&mut self, changed: &ChangedFields) {
        self.records += 1;
        match changed {
            ChangedFields::Unknown => self.unknown += 1,
            ChangedFields::Named(names) => names.iter().for_each(|name| self.add_name(name)),
        }
    }

    fn add_name(&mut self, name: &str) {
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < MOST_NAMES {
            self.names.insert(name.to_owned(), 1);
        }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Returns the fields and their counts, the most frequent first: `customer_phone (10),
    /// customer_country (2)`. Empty if no name is known.
    #[must_use]
    pub fn fields(&self) -> String {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown = names.iter().take(SHOWN_NAMES);
        let mut told: Vec<_> =
            shown.map(|(name, count)| format!("{} ({})", shorten(name, NAME_WIDTH), grouped(**count))).collect();
        if names.len() > SHOWN_NAMES {
            told.push(format!("{} more", counted(names.len() as u64 - SHOWN_NAMES as u64, "field")));
        }
        told.join(", ")
    }

    /// Returns how many records have unknown fields.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> ChangedFields {
        ChangedFields::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_most_frequent_fields_come_first_and_many_are_not_listed() {
        let mut counts = ChangedCounts::default();
        assert!(counts.is_empty());
        counts.add(&named(&["a", "b"]));
        counts.add(&named(&["b"]));
        counts.add(&ChangedFields::Unknown);
        assert_eq!((counts.fields().as_str(), counts.unknown()), ("b (2), a (1)", 1));
        assert_eq!(counts.to_json(), json!({"a": 1, "b": 2}));
        counts.add(&named(&["c", "d", "e", "f", "g"]));
        assert!(counts.fields().ends_with(", 2 fields more"), "{}", counts.fields());
    }

    #[test]
    fn names_without_end_are_bounded() {
        let mut counts = ChangedCounts::default();
        (0..1000).for_each(|at| counts.add(&named(&[&format!("field{at}")])));
        assert_eq!(counts.to_json().as_object().unwrap().len(), MOST_NAMES);
    }
}
