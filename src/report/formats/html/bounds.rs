//! What a page shows at most. A browser sorts and searches its rows, and it has at most 3 MB.

/// The most groups of errors that are kept, which bounds the memory if every message is different.
pub(super) const MOST_GROUPS: usize = 50;
/// The most frequent values, and the first rows, of a group.
pub(super) const VALUES: usize = 3;
pub(super) const ROWS: usize = 3;
pub(super) const MESSAGE_WIDTH: usize = 300;
pub(super) const VALUE_WIDTH: usize = 60;

/// The most rows that a page lists.
pub(super) const MOST_ROWS: usize = 5000;
/// The most bytes of rows.
pub(super) const MOST_BYTES: usize = 2_200_000;
/// How much of a name or an e-mail is shown. An e-mail has at most 254 bytes.
pub(super) const NAME_WIDTH: usize = 254;
pub(super) const REASON_WIDTH: usize = 400;
pub(super) const KYC_WIDTH: usize = 60;
/// A longer link is not shown, because a part of it is of no use.
pub(super) const LINK_WIDTH: usize = 2000;

#[cfg(test)]
pub(super) mod tests {
    use crate::domain::{Position, ReportLine, Status};

    /// A line of a report.
    pub(in super::super) fn line(row: u64, status: Status, error: &str) -> ReportLine {
        let position = Position { row, line: row + 1 };
        let line = ReportLine::new(position, status, format!("p{row}@example.com"), Vec::new());
        ReportLine { error: error.to_owned(), ..line }
    }
}
