//! Lists what is wrong with the input.
//!
//! - `listing`: one paragraph for each problem, then the count of each code
//! - `values`: the values that a field does not know, as TOML to paste
//! - `excerpt`: the line of the input with the cell marked
//!
//! Personal data is masked unless the output is a terminal.

mod excerpt;
pub(super) mod listing;
mod values;
