//! From a file to records: reading, columns, validation.
//!
//! A [`Feed`] is an iterator over the records of one file. Opening it reads the beginning, finds
//! out what the file is and which column feeds which field, and fails if it cannot be customers;
//! from then on a bad record is data, and only a file that cannot be read on is an error.
//!
//! - `options`: what the user may say about the input
//! - `open`: from a file to text
//! - `read`: from text to records
//! - `columns`: which column, template or fixed value feeds each field
//! - `judge`: from a record's cells to a verdict
//! - `feed`: all of that, one record after the other; `parallel`: on all cores, with the same
//!   result
//! - `origin`: where an input comes from, for messages about it
//! - `limits`: the longest cell, the longest record and the like
//!
//! Rules: nothing here holds more than a few records and buffers. Nothing is replaced or guessed:
//! bytes that are not text and cells that mean two things are problems of their record. Rows count
//! records from 1; lines count line ends, also those inside quotes.

mod columns;
mod error;
mod feed;
mod judge;
mod limits;
mod open;
mod options;
mod origin;
mod parallel;
#[cfg(test)]
mod properties;
mod read;

pub use columns::fault::ColumnFault;
pub use columns::mapping::Mapping;
pub use columns::presets::Preset;
pub use columns::rules::{ExtraRule, MapRule, RuleError, SetRule};
pub use error::IntakeError;
pub use feed::Feed;
pub use open::unpack::UnpackFault;
pub use open::watched::InputFile;
pub use options::{Format, InputOptions, parse_delimiter, parse_encoding};
pub use parallel::{Gather, Parallel};
