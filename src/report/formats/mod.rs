//! Writes report files, one line for each record.
//!
//! - `file`: a report file of either format
//! - `csv`, `ndjson`: the formats; `columns`: the columns that both have
//! - `formula`: keeps spreadsheets from running cells as formulas
//!
//! CSV is for people and spreadsheets: empty cells for missing values, formulas made inert. NDJSON
//! is for programs: the exact values, `null` for missing ones, and the server's `data` as received.

mod columns;
mod csv;
pub(super) mod file;
pub(super) mod formula;
mod ndjson;
