//! Report files, one line a record.
//!
//! - `file`: a report file of either format
//! - `csv`, `ndjson`: the formats; `columns`: the columns that both have
//! - `formula`: keeps cells from being run as formulas by a spreadsheet

mod columns;
mod csv;
pub(super) mod file;
pub(super) mod formula;
mod ndjson;
