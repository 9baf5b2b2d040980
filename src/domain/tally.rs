//! How many records ended with which status.

use super::outcome::Status;

/// Counts by status. The sum is the number of records counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; Self::SLOTS],
    blank_rows: u64,
}

impl Tally {
    const SLOTS: usize = Status::Valid as usize + 1;

    pub fn add(&mut self, status: Status) {
        self.add_many(status, 1);
    }

    pub fn add_many(&mut self, status: Status, records: u64) {
        self.counts[status as usize] += records;
    }

    /// Moves records from one status to another.
    pub fn turn(&mut self, records: u64, from: Status, into: Status) {
        self.counts[from as usize] -= records;
        self.add_many(into, records);
    }

    /// Sets the number of blank rows (empty lines, and rows of only delimiters). They are not
    /// records, so no count includes them.
    pub fn skipped(&mut self, blank_rows: u64) {
        self.blank_rows = blank_rows;
    }

    #[must_use]
    pub fn blank_rows(&self) -> u64 {
        self.blank_rows
    }

    #[must_use]
    pub fn get(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether some record failed to reach the API: invalid, rejected or failed.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        [Status::Invalid, Status::Rejected, Status::Failed].into_iter().any(|status| self.get(status) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_status_and_sums_them() {
        let mut tally = Tally::default();
        for status in Status::IMPORT {
            tally.add(status);
        }
        tally.add(Status::Created);
        assert_eq!(tally.get(Status::Created), 2);
        assert_eq!(tally.get(Status::Valid), 0);
        tally.skipped(3);
        assert_eq!((tally.total(), tally.blank_rows()), (11, 3));
        assert!(tally.has_losses());
    }
}
