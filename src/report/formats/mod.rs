//! Writes report files, one line for each record.
//!
//! - `format`: what the ending of a path asks for; `file`: a report file in any format
//! - `writer`: what each format can do
//! - `csv`, `ndjson`, `xlsx`: the formats; `columns`: the columns that all have
//! - `html`: one page for people, which has what a person must know and not every line
//! - `formula`: keeps spreadsheets from running cells of CSV as formulas
//!
//! CSV is for people and programs: empty cells for missing values, formulas made inert. XLSX is for
//! spreadsheets: the exact values, all as text. NDJSON is for programs: the exact values, `null`
//! for missing ones, and the server's `data` as received.

mod columns;
mod csv;
pub(super) mod file;
pub(super) mod format;
pub(super) mod formula;
pub(super) mod html;
mod ndjson;
mod writer;
mod xlsx;
