//! The rejects file: the invalid and rejected records, exactly as they were read, each with what is
//! wrong with it. The user corrects this file and imports it.
//!
//! - `file`: a rejects file in the form that its name and the input ask for; `writer`: what each
//!   form can do
//! - `csv`, `ndjson`: in the form of the input
//! - `table_sheet`, `object_sheet`: as a workbook of texts, from CSV and from NDJSON
//! - `error_cell`: where the error of a CSV record goes; `members`: an object with its spellings,
//!   and `flatten`: its values as cells

mod csv;
mod error_cell;
pub(super) mod file;
mod flatten;
mod members;
mod ndjson;
mod object_sheet;
mod table_sheet;
mod writer;
