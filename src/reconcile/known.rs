//! The rows that need no claim, as the plan found them: their customers already exist in the
//! ledger, or the rows are invalid. Only this process can change the ledger before they would be
//! claimed, and no claim changes them. So a nightly file of known customers is not looked up twice,
//! and if all of its records are known, it is not even read to be sent.

use super::duplicates::Earlier;
use crate::domain::Status;

#[derive(Debug, Default)]
pub(crate) struct KnownRows {
    /// Indexed by row, from 1; one byte each.
    rows: Vec<Option<Status>>,
}

impl KnownRows {
    /// Adds the status of a row after those that were added before; the rows between are not
    /// records. If it seems to repeat the e-mail of an earlier row, the claims decide both.
    pub(crate) fn add(&mut self, row: u64, status: Status, earlier: Option<Earlier>) {
        let is_known = matches!(status, Status::AlreadyImported | Status::Changed | Status::Exists | Status::Invalid);
        let before = usize::try_from(row.saturating_sub(1)).unwrap_or(usize::MAX);
        if self.rows.len() < before {
            self.rows.resize(before, None);
        }
        self.rows.push((is_known && earlier.is_none()).then_some(status));
        if let Some(first) = earlier.and_then(|earlier| self.slot(earlier.row)) {
            self.rows[first] = None;
        }
    }

    /// Returns the status of a row that needs no claim, or `None` if it needs one.
    pub(crate) fn status(&self, row: u64) -> Option<Status> {
        self.slot(row).and_then(|at| self.rows[at])
    }

    /// Returns the rows with their statuses if all of so many records of the input are among them,
    /// or `None` if one needs a claim.
    pub(crate) fn all(&self, records: u64) -> Option<impl Iterator<Item = (u64, Status)>> {
        let rows = || (1..).zip(&self.rows).filter_map(|(row, status)| Some((row, (*status)?)));
        (rows().count() as u64 == records).then(rows)
    }

    fn slot(&self, row: u64) -> Option<usize> {
        let at = usize::try_from(row).ok()?.checked_sub(1)?;
        (at < self.rows.len()).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_customer_that_is_there_and_comes_once_needs_no_claim() {
        let mut known = KnownRows::default();
        let rows = [
            (Status::AlreadyImported, None),
            (Status::Changed, None),
            (Status::Exists, None),
            (Status::Rejected, None),
            (Status::InDoubt, None),
            (Status::Valid, None),
            (Status::Invalid, None),
            (Status::Duplicate, Some(Earlier { row: 2, same_data: false })),
        ];
        for (row, (status, earlier)) in (1..).zip(rows) {
            known.add(row, status, earlier);
        }
        let found: Vec<_> = (0..=9).map(|row| known.status(row)).collect();
        let there = [None, Some(Status::AlreadyImported), None, Some(Status::Exists)];
        assert_eq!(found[..4], there);
        assert!(found[4..].iter().filter(|status| **status != Some(Status::Invalid)).all(Option::is_none), "{found:?}");
        assert!(found[7] == Some(Status::Invalid) && known.all(8).is_none());
    }

    #[test]
    fn rows_that_are_not_records_keep_their_place() {
        let mut known = KnownRows::default();
        known.add(3, Status::Exists, None);
        known.add(6, Status::Changed, None);
        let found: Vec<_> = (1..=7).map(|row| known.status(row)).collect();
        let (third, sixth) = (Some(Status::Exists), Some(Status::Changed));
        assert_eq!(found, [None, None, third, None, None, sixth, None]);
        let all: Vec<_> = known.all(2).unwrap().collect();
        assert_eq!(all, [(3, Status::Exists), (6, Status::Changed)]);
        assert!(known.all(3).is_none() && KnownRows::default().all(1).is_none(), "a plan without a ledger knows none");
    }
}
