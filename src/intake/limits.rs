//! The limits of an input.

/// The longest cell, in bytes.
pub(super) const LONGEST_CELL: usize = 64 * 1024;
/// The longest record, in bytes.
pub(super) const LONGEST_RECORD: usize = 1024 * 1024;
/// The most columns.
pub(super) const MOST_COLUMNS: usize = 1024;
/// How deep JSON may nest.
pub(super) const DEEPEST: u8 = 32;
/// How many bytes of the beginning decide what a file is.
pub(super) const HEAD: usize = 64 * 1024;
