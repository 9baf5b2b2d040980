//! The limits of an input. They bound memory and stack; real customers stay far below them.

/// The longest cell, in bytes.
pub(super) const LONGEST_CELL: usize = 64 * 1024;
/// The longest record, in bytes.
pub(super) const LONGEST_RECORD: usize = 1024 * 1024;
/// The most columns.
pub(super) const MOST_COLUMNS: usize = 1024;
/// The deepest nesting of JSON values.
pub(super) const DEEPEST: u8 = 32;
/// How many bytes from the beginning of a file are used to detect its form.
pub(super) const HEAD: usize = 64 * 1024;
