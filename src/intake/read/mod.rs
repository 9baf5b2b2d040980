//! From text to records, in bounded memory.
//!
//! - `csv`, `ndjson`: records as they stand in the file; `csv::slice`: those of a piece that is in
//!   memory, faster
//! - `records`: one way to ask both for the next record
//! - `pieces`: where an input is cut into pieces for threads

pub(super) mod csv;
pub(super) mod ndjson;
pub(super) mod pieces;
pub(super) mod records;
