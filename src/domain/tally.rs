//! How many records ended with which status.

use super::known_bad::KnownBad;
use super::outcome::Status;

/// Counts by status. The sum is the number of records counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; Self::SLOTS],
    skipped: SkippedRows,
}

/// Rows of an input that are not records, and the rows that are although a spreadsheet hides them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedRows {
    /// Empty lines, and rows of only delimiters.
    pub blank_rows: u64,
    /// Rows that repeat the header, as in a file that was joined from several.
    pub repeated_headers: u64,
    /// Rows that do not hold what `--where` asks for.
    pub not_selected: u64,
    /// Records in rows of a sheet that are hidden, by a filter or by hand. They are not skipped.
    pub hidden_rows: u64,
}

impl std::ops::AddAssign for SkippedRows {
    fn add_assign(&mut self, other: Self) {
        self.blank_rows += other.blank_rows;
        self.repeated_headers += other.repeated_headers;
        self.not_selected += other.not_selected;
        self.hidden_rows += other.hidden_rows;
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

    /// Returns the counts without the known bad records.
    #[must_use]
    pub fn without(&self, known: KnownBad) -> Self {
        let mut rest = self.clone();
        for (status, records) in [(Status::Invalid, known.invalid), (Status::Rejected, known.rejected)] {
            let count = &mut rest.counts[status as usize];
            *count = count.saturating_sub(records);
        }
        rest
    }

    /// Returns the counts without so many invalid and rejected records, whichever of both they are.
    #[must_use]
    pub fn excusing(&self, records: u64) -> Self {
        let invalid = self.get(Status::Invalid).min(records);
        self.without(KnownBad { invalid, rejected: records - invalid })
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns how many records the next run takes up: those not sent, failed or in doubt.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        [Status::NotAttempted, Status::Failed, Status::InDoubt].into_iter().map(|status| self.get(status)).sum()
    }

    /// Whether some record failed to reach the API: invalid, rejected or failed.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        [Status::Invalid, Status::Rejected, Status::Failed].into_iter().any(|status| self.get(status) > 0)
    }
}

#[cfg(test)]
impl Tally {
    /// Returns the tally of records with these statuses.
    pub(crate) fn of(statuses: &[Status]) -> Self {
        let mut tally = Self::default();
        statuses.iter().for_each(|status| tally.add(*status));
        tally
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
        tally.set_skipped(SkippedRows { blank_rows: 3, repeated_headers: 1, ..SkippedRows::default() });
        assert_eq!((tally.total(), tally.skipped().blank_rows), (11, 3));
        assert!(tally.has_losses());
        assert_eq!(tally.unfinished(), 3);
    }

    #[test]
    fn without_known_bad_records_only_new_ones_and_failures_are_losses() {
        let mut tally = Tally::default();
        tally.add_many(Status::Invalid, 2);
        tally.add_many(Status::Rejected, 1);
        let mut known = KnownBad::default();
        [Status::Invalid, Status::Rejected, Status::Failed].into_iter().for_each(|status| known.add(status));
        assert_eq!(known.total(), 2);
        assert!(tally.without(known).has_losses(), "one invalid record is new");
        known.add(Status::Invalid);
        assert!(!tally.without(known).has_losses());
        assert!(tally.excusing(2).has_losses() && !tally.excusing(3).has_losses());
        tally.add(Status::Failed);
        assert!(tally.without(known).has_losses(), "a failed record is never known bad");
        assert!(tally.excusing(9).has_losses());
    }
}
