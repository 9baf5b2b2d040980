//! Shows how far a run is.
//!
//! - `display`: follows the events of a run and decides what to show
//! - `counts`: adds up the events; `pause` knows the pauses among them
//! - `bar`, `lines`: the two ways to show the counts, on a terminal and elsewhere
//! - `bar_text`: the lines of the bar; `fit` makes them fit the terminal

mod bar;
mod bar_text;
pub(super) mod counts;
pub(super) mod display;
mod fit;
mod lines;
mod pause;

pub use bar::Activity;
