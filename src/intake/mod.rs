//! From a file to records: reading, columns, validation.
//!
//! A [`Feed`] is an iterator over the records of one file. Opening it reads the beginning, finds out what the file is and which column
//! feeds which field, and fails if it cannot be customers; from then on a bad record is data, and only a file that cannot be read on
//! is an error.
//!
//! - `options`: what the user may say about the input
//! - `watched`: the file itself, opened once and compared with itself after every read
//! - `source`: the file as text, and its beginning
//! - `unpack`, `decode`: gzip and zstd; other encodings than UTF-8
//! - `foreign`: what is neither CSV nor NDJSON
//! - `sniff`: format, delimiter and share of undecodable records, from the first bytes
//! - `misread`: why a CSV file seems to lack its columns, where its form is the reason
//! - `csv`, `ndjson`: records as they stand in the file, in bounded memory
//! - `columns`, `presets`: which column, template or fixed value feeds each field; what is known of other systems' exports
//! - `validate`: cells to a verdict
//! - `records`, `examine`: the two halves of reading a record: taking it out of the file, and judging it
//! - `feed`: both, one record after the other
//! - `cut`, `parallel`: both on all cores, with the same result
//!
//! Rules: nothing here holds more than a few records and buffers. Nothing is replaced or guessed: bytes that are no text and cells
//! that mean two things are problems of their record. Rows count records from 1; lines count line ends, also those inside quotes.

mod columns;
mod csv;
mod cut;
mod decode;
mod error;
mod examine;
mod feed;
mod foreign;
mod misread;
mod ndjson;
mod options;
mod parallel;
mod presets;
#[cfg(test)]
mod properties;
mod records;
mod sniff;
mod source;
mod unpack;
mod validate;
mod watched;

pub use columns::Mapping;
pub use error::{ColumnFault, IntakeError};
pub use feed::Feed;
pub use options::{ExtraRule, Format, InputOptions, MapRule, RuleError, SetRule, parse_delimiter, parse_encoding};
pub use parallel::{Gather, Parallel};
pub use presets::Preset;
pub use unpack::UnpackFault;
pub use watched::InputFile;

/// The longest cell, in bytes.
const LONGEST_CELL: usize = 64 * 1024;
/// The longest record, in bytes.
const LONGEST_RECORD: usize = 1024 * 1024;
/// The most columns.
const MOST_COLUMNS: usize = 1024;
/// How deep JSON may nest.
const DEEPEST: u8 = 32;
/// How much of the beginning is looked at to find out what a file is.
const HEAD: usize = 64 * 1024;
