//! Counts customers by the KYC status that the API named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::{grouped, shorten};

/// The most statuses that are told apart, because the server chooses the words.
const MOST: usize = 20;
const WIDTH: usize = 60;

/// How many customers have each KYC status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KycCounts {
    named: BTreeMap<String, u64>,
    /// Customers with a status beyond [`MOST`].
    others: u64,
    /// Customers whose status the API does not say.
    silent: u64,
}

impl KycCounts {
    /// Counts a customer. `None` is one about whose status the API said nothing.
    pub fn add(&mut self, status: Option<&str>) {
        let Some(status) = status else {
            self.silent += 1;
            return;
        };
        let status = shorten(status, WIDTH);
        if self.named.len() < MOST || self.named.contains_key(&status) {
            *self.named.entry(status).or_default() += 1;
        } else {
            self.others += 1;
        }
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.named.values().sum::<u64>() + self.others + self.silent
    }

    /// Returns the statuses and how many customers have them, the most frequent first. Those that
    /// the server did not name come last.
    #[must_use]
    pub fn sorted(&self) -> Vec<(String, u64)> {
        let mut named: Vec<_> = self.named.iter().map(|(status, number)| (status.clone(), *number)).collect();
        named.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        let unnamed = [("with other statuses", self.others), ("without a status", self.silent)];
        let unnamed = unnamed.into_iter().filter(|(_, number)| *number > 0);
        named.into_iter().chain(unnamed.map(|(words, number)| (words.to_owned(), number))).collect()
    }

    /// Returns them in words: `3 approved, 1 pending`.
    #[must_use]
    pub fn words(&self) -> String {
        let parts = self.sorted().into_iter().map(|(status, number)| format!("{} {status}", grouped(number)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Returns the named ones as JSON, and those without a status apart.
    #[must_use]
    pub fn to_json(&self) -> (Map<String, Value>, u64) {
        let mut named: Map<_, _> =
            self.named.iter().map(|(status, number)| (status.clone(), (*number).into())).collect();
        if self.others > 0 {
            named.insert("other".to_owned(), self.others.into());
        }
        (named, self.silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_by_their_words_and_the_words_are_bounded() {
        let mut counts = KycCounts::default();
        for status in [Some("pending"), Some("approved"), Some("approved"), None] {
            counts.add(status);
        }
        assert_eq!(counts.words(), "2 approved, 1 pending, 1 without a status");
        for number in 0..1000 {
            counts.add(Some(&format!("{number}\u{202e}{}", "x".repeat(500))));
        }
        assert_eq!(counts.total(), 1004);
        assert!(counts.sorted().len() <= MOST + 2 && counts.words().len() < 3000);
        assert!(!counts.words().contains('\u{202e}'));
        assert_eq!(counts.to_json().0["other"], 1000 - (MOST as u64 - 2));
    }
}
