//! Writes tables of text as `.xlsx`, for reports and rejects, in memory that does not grow with
//! the rows.
//!
//! - `book`: a workbook whose sheets have the same columns; `column`: one of them; `parts`: the XML
//!   around the rows
//! - `text`: what a cell can hold, and how the rest is cut or escaped
//! - `latch`: the file below, which fails once and is silent afterwards
//!
//! Every cell is a string with the number format `@`, so that a spreadsheet neither calculates it
//! nor turns it into a number, a date or a link, also if someone types into it. Rows go straight
//! into the archive, without other temporary files, and an error of the disk is an error here.
//! (`rust_xlsxwriter` keeps the rows in a temporary file and panics if the disk is full.)

pub(super) mod book;
pub(super) mod column;
mod latch;
mod parts;
pub(super) mod text;
