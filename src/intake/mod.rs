//! From a file to records.
//!
//! A [`Feed`] is an iterator over the records of one file. [`Feed::open`] reads the beginning of
//! the file, detects its form, matches columns with fields, and returns an [`IntakeError`] if the
//! file cannot hold customers. After that a bad record is data: the feed returns it with its
//! problems and continues. Only a file that cannot be read any further is an error, and nothing
//! follows it. [`Parallel`] reads the same records on all cores.
//!
//! A file passes through these modules, in this order:
//!
//! - `open`: from bytes to text: unpacked, decoded, recognized or refused by name
//! - `read`: from text to records, in bounded memory
//! - `columns`: which column, template or fixed value feeds each field
//! - `judge`: from a record's cells to a verdict
//! - `feed`: runs all of these, one record after the other; `parallel`: on all cores, with the same
//!   result
//!
//! Beside them:
//!
//! - `proposal`: what a file seems to mean, for `init`
//! - `options`: what the user can say about the input
//! - `origin`: where an input comes from, for messages about it
//! - `country_columns`: which columns hold countries, for advice
//! - `error`: why a file cannot be read as customers, with a hint for each reason
//! - `limits`: the longest cell, the longest record and similar limits
//!
//! # Rules
//!
//! - Memory is bounded. A feed holds one record and its buffers, a parallel feed a few pieces for
//!   each core.
//! - Nothing is replaced or guessed. Bytes that are not text, and cells that have two meanings, are
//!   problems of their record.
//! - Rows count records from 1. Lines count line ends from 1, including those inside quotes.
//! - If a file changes while it is read, the feed returns an error and no more records (invariant
//!   I11).
//! - A record that may be cut off is never valid: an interrupted export does not send half a
//!   customer.
//!
//! Nothing here writes, so a crash leaves nothing behind.
//!
//! # Example
//!
//! ```
//! use std::path::Path;
//!
//! use customer_import::domain::RecordVerdict;
//! use customer_import::intake::{Feed, InputOptions};
//!
//! let text = "name,email,phone,country\n\
//!             Ada King,ada@example.org,+49 30 123456,DE\n\
//!             ,ada,12,Atlantis\n";
//! let feed = Feed::of(Path::new("customers.csv"), text.as_bytes(), &InputOptions::default())?;
//! for record in feed {
//!     match record?.verdict {
//!         RecordVerdict::Valid { customer, .. } => {
//!             assert_eq!(customer.phone.to_string(), "+4930123456");
//!         }
//!         RecordVerdict::Invalid { problems, .. } => assert_eq!(problems.len(), 4),
//!     }
//! }
//! # Ok::<(), customer_import::intake::IntakeError>(())
//! ```

mod columns;
mod country_columns;
mod error;
mod feed;
mod judge;
mod limits;
mod min_records;
mod open;
mod options;
mod origin;
mod parallel;
#[cfg(test)]
mod properties;
mod proposal;
mod read;
#[cfg(test)]
mod sheet_properties;
mod written_options;

pub use columns::fault::ColumnFault;
pub use columns::mapping::Mapping;
pub use columns::presets::Preset;
pub use columns::rules::{ExtraRule, MapRule, RuleError, SetRule, WhereRule};
pub use columns::values::ValueRule;
pub use error::IntakeError;
pub use feed::Feed;
pub use min_records::too_few;
pub use open::unpack::UnpackFault;
pub use open::watched::InputFile;
pub use options::{Format, HoldRule, InputOptions, parse_delimiter, parse_encoding};
pub use parallel::{Gather, Parallel};
pub use proposal::{Candidate, FieldProposal, FileSample, Proposal, ProposedSource, ValueMeaning, ValueProposal};
pub use read::xlsx::fault::WorkbookFault;
pub use written_options::{CompletedOptions, OptionDifference};
