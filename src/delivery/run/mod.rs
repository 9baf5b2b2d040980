//! The run as a whole.
//!
//! - `engine` owns the state of a run: it claims records, starts a task for each, counts, and
//!   decides when to stop.
//! - `verdict` is how a run ended.
//! - `stop_rules` decides from the answers whether going on would do harm.
//! - `give_up` measures how long nothing has got through.
//! - `pull` reads the customers that the account already has.

pub(super) mod engine;
pub(super) mod give_up;
pub(super) mod pull;
pub(super) mod stop_rules;
pub(super) mod verdict;
