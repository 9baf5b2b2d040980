//! Shows how far a run is.
//!
//! - `display`: follows the events of a run and decides what to show
//! - `counts`: adds up the events
//! - `bar`, `lines`: the two ways to show the counts, on a terminal and elsewhere

mod bar;
pub(super) mod counts;
pub(super) mod display;
mod lines;
