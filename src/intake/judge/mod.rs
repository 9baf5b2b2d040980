//! From a record's cells to a verdict.
//!
//! - `examine`: takes a record apart and judges it
//! - `no_record`: why a row is not a record; `repeated_header`: recognizes one that repeats the
//!   header
//! - `validate`: turns cells into a customer, or into a list of what is wrong with them
//!
//! Rules: every problem of a record is reported, not only the first. Warnings do not stop a record.
//! Judging is pure: the same bytes give the same verdict on any thread.

pub(super) mod examine;
pub(super) mod no_record;
pub(super) mod repeated_header;
pub(super) mod validate;
