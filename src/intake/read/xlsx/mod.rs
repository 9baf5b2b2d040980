//! Reads the records of one sheet of an Excel workbook (`.xlsx`, `.xlsm`), in bounded memory.
//!
//! A cell of a workbook is a stored value and a number format, and what people see is made of both.
//! A cell becomes text only if both say the same; if they differ, or if digits were lost, the cell
//! is damaged, and a record that needs it is invalid.
//!
//! - `archive`: the parts of the zip archive, unpacked with their sizes and checksums compared
//! - `xml`: the elements and texts of a part, none of them larger than a limit
//! - `workbook`: which sheets there are and which one holds the records
//! - `shared_strings`: the table of texts that cells refer to
//! - `context`: what the cells of all sheets refer to
//! - `styles`, `number_format`: how the numbers of a cell are shown
//! - `cell_text`, `date`: from a stored value to text, or to the reason why there is none
//! - `sheet`: the rows of a sheet as records
//! - `fault`: why a workbook cannot be read
//!
//! Rules: nothing that a file declares about its own size is believed. Elements that do not hold
//! values are ignored; a value that cannot be read is never left out.

pub(in crate::intake) mod archive;
mod cell_text;
mod context;
mod date;
pub(in crate::intake) mod fault;
mod number_format;
mod shared_strings;
pub(in crate::intake) mod sheet;
mod styles;
pub(in crate::intake) mod workbook;
mod xml;
