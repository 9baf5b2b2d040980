//! From a record's cells to a verdict.
//!
//! - `examine`: takes a record apart and judges it
//! - `sheet_row`: the same for a row of a sheet, whose cells may be damaged
//! - `no_record`: why a row is not a record; `repeated_header`: recognizes one that repeats the
//!   header
//! - `glance`: turns the cells of a usual record into a customer, with little work
//! - `validate`: turns the cells of any record into a customer, or into a list of what is wrong
//!   with them
//! - `given`: what a record has for a field; `findings`: what was found about a record;
//!   `leftovers`: texts that programs leave in place of a value
//!
//! Rules: every problem of a record is reported, not only the first. Warnings do not stop a record.
//! Judging is pure: the same bytes give the same verdict on any thread.

pub(super) mod examine;
mod findings;
mod given;
pub(super) mod glance;
mod leftovers;
pub(super) mod no_record;
pub(super) mod repeated_header;
pub(super) mod sheet_row;
pub(super) mod validate;
