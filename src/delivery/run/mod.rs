//! Runs the whole delivery.
//!
//! - `engine` owns the state of a run: it claims records, starts a task for each, counts, and
//!   decides when to stop.
//! - `verdict` is how a run ended.
//! - `stop_rules` decides from the responses whether going on would do harm.
//! - `give_up` measures how long there was no conclusive response.
//! - `minutes` collects what happens in each minute.
//! - `pull` reads the customers that the account already has.
//! - `inquiry` asks what the API says of customers now; `inquiry_way` decides in which way.

pub(super) mod engine;
pub(super) mod give_up;
pub(super) mod inquiry;
mod inquiry_way;
pub(super) mod minutes;
pub(super) mod pull;
pub(super) mod stop_rules;
pub(super) mod verdict;
