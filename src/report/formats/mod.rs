//! Writes report files, one line for each record.
//!
//! - `file`: a report file in any format; `writer`: what each format can do
//! - `csv`, `ndjson`, `xlsx`: the formats; `columns`: the columns that all have
//! - `formula`: keeps spreadsheets from running cells of CSV as formulas
//!
//! CSV is for people and programs: empty cells for missing values, formulas made inert. XLSX is for
//! spreadsheets: the exact values, all as text. NDJSON is for programs: the exact values, `null`
//! for missing ones, and the server's `data` as received.

mod columns;
mod csv;
pub(super) mod file;
pub(super) mod formula;
mod ndjson;
mod writer;
mod xlsx;
