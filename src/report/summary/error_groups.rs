//! Errors grouped by code and message.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::domain::{ReportLine, Status, shorten};

/// Errors grouped by code and message.
#[derive(Debug, Default)]
pub struct ErrorGroups {
    groups: Vec<ErrorGroup>,
    places: HashMap<(String, String), usize>,
    beyond: u64,
    /// All errors by code; there are few codes.
    codes: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ErrorGroup {
    pub code: String,
    pub message: String,
    pub count: u64,
    pub example_row: u64,
}

/// The most groups that are kept. More would not be read, and the limit bounds the memory if every
/// message is different.
const MOST_GROUPS: usize = 50;
/// The most groups that people are shown.
const SHOWN_GROUPS: usize = 10;
const MESSAGE_WIDTH: usize = 100;

impl ErrorGroup {
    /// Returns the message on one line, cut to what people read.
    pub(super) fn short_message(&self) -> String {
        shorten(&self.message, MESSAGE_WIDTH)
    }
}

impl ErrorGroups {
    /// Counts the error of a report line. A record with several violations counts once for each of
    /// their codes, as in the diagnostics before the run.
    pub fn add(&mut self, line: &ReportLine) {
        if line.status == Status::Invalid {
            line.error_code.split(';').for_each(|code| self.count(code, "", line.position.row));
        } else {
            self.count(&line.error_code, &line.error, line.position.row);
        }
    }

    fn count(&mut self, code: &str, message: &str, row: u64) {
        match self.codes.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.codes.insert(code.to_owned(), 1)),
        }
        let key = (code.to_owned(), message.to_owned());
        if let Some(place) = self.places.get(&key) {
            self.groups[*place].count += 1;
        } else if self.groups.len() < MOST_GROUPS {
            let (code, message) = key.clone();
            self.places.insert(key, self.groups.len());
            self.groups.push(ErrorGroup { code, message, count: 1, example_row: row });
        } else {
            self.beyond += 1;
        }
    }

    /// Returns how often each code occurs.
    pub(in crate::report) fn by_code(&self) -> BTreeMap<String, u64> {
        self.codes.clone()
    }

    /// Returns the groups, the most frequent first; groups of the same size stay in input order.
    pub(super) fn sorted(&self) -> Vec<&ErrorGroup> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// Returns the groups that people are shown, and how many errors have other codes or messages.
    pub(super) fn shown(&self) -> (Vec<&ErrorGroup>, u64) {
        let mut groups = self.sorted();
        let others = groups.split_off(groups.len().min(SHOWN_GROUPS));
        (groups, others.iter().map(|group| group.count).sum::<u64>() + self.beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    #[test]
    fn a_record_counts_for_each_of_its_codes() {
        let mut errors = ErrorGroups::default();
        for (row, codes) in [(2, "name.missing"), (7, "name.missing;email.syntax")] {
            let mut line = ReportLine::new(Position { row, line: row }, Status::Invalid, String::new(), Vec::new());
            (line.error_code, line.error) = (codes.to_owned(), format!("words of row {row}"));
            errors.add(&line);
        }
        let found: Vec<_> =
            errors.sorted().iter().map(|group| (&*group.code, group.count, group.example_row)).collect();
        assert_eq!(found, [("name.missing", 2, 2), ("email.syntax", 1, 7)]);
    }

    #[test]
    fn groups_are_bounded() {
        let mut errors = ErrorGroups::default();
        for row in 0..1000 {
            let mut line = ReportLine::new(Position { row, line: row }, Status::Rejected, String::new(), Vec::new());
            line.error = format!("message {row}");
            errors.add(&line);
        }
        assert_eq!((errors.groups.len(), errors.beyond), (MOST_GROUPS, 1000 - MOST_GROUPS as u64));
        let (shown, others) = errors.shown();
        assert_eq!((shown.len(), others), (SHOWN_GROUPS, 1000 - SHOWN_GROUPS as u64));
    }
}
