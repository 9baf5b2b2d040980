//! What is wrong with the input.
//!
//! - `listing`: one paragraph for each problem, and how many there are
//! - `excerpt`: the line of the input with the cell marked

mod excerpt;
pub(super) mod listing;
