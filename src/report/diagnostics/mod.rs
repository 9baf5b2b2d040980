//! Lists what is wrong with the input.
//!
//! - `listing`: one paragraph for each problem, then the count of each code
//! - `code_counts`, `frequent_values`: how often each code occurs, and with which values
//! - `values`: the values that a field does not know, as TOML to paste
//! - `excerpt`: the line of the input with the cell marked
//!
//! Personal data is masked unless the output is a terminal.

mod code_counts;
mod excerpt;
pub(super) mod frequent_values;
pub(super) mod listing;
mod values;
