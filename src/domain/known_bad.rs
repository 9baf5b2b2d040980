//! How many bad records of an input were reported before.

use super::outcome::Status;

/// Counts of the known bad records of an input. Each is also counted by its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownBad {
    pub invalid: u64,
    pub rejected: u64,
}

impl KnownBad {
    /// Counts a record. Only invalid and rejected ones can be known bad.
    pub const fn add(&mut self, status: Status) {
        match status {
            Status::Invalid => self.invalid += 1,
            Status::Rejected => self.rejected += 1,
            _ => {}
        }
    }

    #[must_use]
    pub const fn total(self) -> u64 {
        self.invalid + self.rejected
    }
}
