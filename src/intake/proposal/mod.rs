//! What a file seems to mean, for `init`: which column feeds which field, and what is unclear.
//!
//! - `sample`: what the first records hold, column by column
//! - `cell_looks`: whether a cell looks like an e-mail, a phone number or a country
//! - `propose`: from a sample to a proposal, by the same words and presets as `columns`, and by
//!   what the cells look like
//! - `field_proposal`, `value_proposal`: the parts of a proposal
//!
//! Rules: what a header says counts only if the cells do not contradict it. If two columns may feed
//! a field, or none surely does, the field stays open until the user decides. A country is never
//! proposed for all records.

mod cell_looks;
mod field_proposal;
mod propose;
mod sample;
mod value_proposal;

pub use field_proposal::{Candidate, FieldProposal, ProposedSource};
pub use propose::Proposal;
pub use sample::FileSample;
pub use value_proposal::{ValueMeaning, ValueProposal};
