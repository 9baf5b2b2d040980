//! How far a run is.
//!
//! - `display`: follows the events of a run and shows what is worth showing
//! - `counts`: what the events add up to
//! - `bar`, `lines`: the two ways to show it, on a terminal and elsewhere

mod bar;
pub(super) mod counts;
pub(super) mod display;
mod lines;
