//! What a form of rejects can do, and what all forms share.

use std::fmt::Debug;
use std::io;

use crate::atomic_file::WholeFile;
use crate::domain::RawRecord;

/// Rejects that are being written in one form.
pub(super) trait RejectsWriter: Debug {
    /// Writes one record with its error.
    fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()>;

    /// Returns the finished file.
    fn finish(self: Box<Self>) -> io::Result<WholeFile>;
}

/// The name of the column or member with the error.
pub(super) const ERROR: &str = "error";

/// Returns whether a column or member is one for the error, from an earlier round of corrections.
pub(super) fn is_error(name: &[u8]) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(ERROR.as_bytes())
}

/// The cell after all others of a record that is not as it was read. It keeps the record invalid
/// until the user corrects it.
pub(super) const SURPLUS: &str = "this row is not as it was read: correct it, then delete this cell";

/// Returns the cells of a record of a table, and whether they are what its writer meant. A record
/// from an earlier round of corrections can have [`SURPLUS`], which is not one of its cells.
///
/// # Errors
/// If it is not a record of a table.
pub(super) fn table_cells(record: &RawRecord) -> io::Result<(&[Vec<u8>], bool)> {
    let (cells, is_misread) = match record {
        RawRecord::Cells(cells) => (cells, false),
        RawRecord::Misread(cells) => (cells, true),
        RawRecord::Line(_) => return Err(other_form()),
    };
    Ok(match &cells[..] {
        [cells @ .., last] if last == SURPLUS.as_bytes() => (cells, false),
        cells => (cells, !is_misread),
    })
}

/// Returns the error of a record that has another form than the input.
pub(super) fn other_form() -> io::Error {
    io::Error::other("the record has another form than the input")
}
