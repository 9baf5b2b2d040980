//! A stand-in of the Add Customer API: in memory, on the loopback only, with the habits of the real
//! server, each a switch.
//!
//! It is for rehearsals (`customer-import sandbox`, `import --sandbox`) and for the integration
//! tests. It knows nothing of the rest of this crate and has wire types of its own, so that a
//! misspelled field cannot agree with itself.
//!
//! # The way of a request
//! ```text
//! connection   accepted, or reset at once (fault `refuse`)
//! server       read whole, handed to a task of its own: a client that leaves does not stop the work
//! exchange     logged, throttled, let in by its token, routed, answered, logged
//! creation     of a customer
//!   idempotency   a stored answer, or a turn to run
//!   form          what the body must hold
//!   accounts      the customers, one per e-mail (unless `racy`), and the mails that went out
//!   answers       what is said, in three dialects
//! faults       what goes wrong: before saving, after saving, or on the way back
//! connection   whole, cut, reset or never
//! ```
//!
//! # Rules
//! - Every request leaves two lines in the log, `received` and `answered`, and each customer saved
//!   a line `created`, written while the customers are still locked: the log's order is the order
//!   of events.
//! - Work that outlives its answer (`answered` says `working`) ends with a line `done`. A client
//!   that goes before its answer leaves a line `left`.
//! - No token and no secret is written to the log.
//! - Chance is a function of the seed, the e-mail and the count of its requests: the same run has
//!   the same faults.

mod accounts;
mod answers;
mod auth;
mod call;
mod chance;
mod config;
mod connection;
mod creation;
mod exchange;
mod faults;
mod form;
mod idempotency;
mod outcome;
mod parse;
mod pattern;
mod record;
mod reply;
mod server;
mod sync;
mod throttle;

#[cfg(test)]
mod tests;

pub use config::{Config, Credentials, Dialect, IdempotencyMode, Latency, Limit};
pub use faults::Fault;
pub use parse::{ConfigError, parse_duration};
pub use record::{AuthSeen, Author, Event, Record};
pub use server::{Sandbox, start};
