//! From a record's cells to a verdict.
//!
//! - `examine`: takes a record apart and judges it
//! - `sheet_row`: the same for a row of a sheet, whose cells may be damaged
//! - `repeated_header`: recognizes a row that is not a record, because it repeats the header
//! - `validate`: turns cells into a customer, or into a list of what is wrong with them
//!
//! Rules: every problem of a record is reported, not only the first. Warnings do not stop a record.
//! Judging is pure: the same bytes give the same verdict on any thread.

pub(super) mod examine;
pub(super) mod repeated_header;
pub(super) mod sheet_row;
pub(super) mod validate;
