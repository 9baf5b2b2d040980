//! From text to records, in bounded memory.
//!
//! - `csv`, `ndjson`: records exactly as they are in the file; `csv::slice`: a faster reader for
//!   bytes that are already in memory
//! - `xlsx`: one sheet of an Excel workbook
//! - `records`: one interface for reading the next record in any form
//! - `pieces`: cuts an input into pieces that threads can read independently
//!
//! Rule: all readers return the same records, whatever size the reads have. A record beyond a limit
//! is skipped and reported; reading continues with the next one.

pub(super) mod csv;
pub(super) mod ndjson;
pub(super) mod pieces;
pub(super) mod records;
pub(super) mod xlsx;
