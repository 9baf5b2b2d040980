//! How many records ended with which status.

use super::outcome::Status;

/// Counts by status. The sum is the number of records counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; Self::SLOTS],
    skipped: SkippedRows,
}

/// Rows of an input that are not records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedRows {
    /// Empty lines, and rows of only delimiters.
    pub blank_rows: u64,
    /// Rows that repeat the header, as in a file that was joined from several.
    pub repeated_headers: u64,
    /// Rows that do not hold what `--where` asks for.
    pub not_selected: u64,
}

impl std::ops::AddAssign for SkippedRows {
    fn add_assign(&mut self, other: Self) {
        self.blank_rows += other.blank_rows;
        self.repeated_headers += other.repeated_headers;
        self.not_selected += other.not_selected;
    }
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

    /// Sets the numbers of skipped rows. They are not records, so no count includes them.
    pub fn set_skipped(&mut self, skipped: SkippedRows) {
        self.skipped = skipped;
    }

    #[must_use]
    pub fn skipped(&self) -> SkippedRows {
        self.skipped
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
        tally.set_skipped(SkippedRows { blank_rows: 3, repeated_headers: 1, not_selected: 0 });
        assert_eq!((tally.total(), tally.skipped().blank_rows), (11, 3));
        assert!(tally.has_losses());
    }
}
