//! From a record's cells to a verdict.
//!
//! - `examine`: takes a record apart and judges it
//! - `validate`: cells to a customer, or to what is wrong with them

pub(super) mod examine;
pub(super) mod validate;
