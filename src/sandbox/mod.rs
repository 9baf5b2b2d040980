//! A simulated Add Customer API: in memory, on the loopback interface only, with the habits of the
//! real server, each a setting.
//!
//! It is for rehearsals (`customer-import sandbox`, `import --sandbox`) and for the integration
//! tests. It does not use the rest of this crate, and has its own wire types, so a misspelled field
//! cannot go unnoticed.
//!
//! # The path of a request
//! ```text
//! connection   accepts it, or resets it at once (fault `refuse`)
//! server       reads it whole and gives it its own task: if the client leaves, the work goes on
//! exchange     logs it, throttles it, checks its token, routes it, answers it, logs the answer
//! creation     creates a customer
//!   idempotency   returns a stored response, or the right to do the work
//!   form          checks the body
//!   accounts      saves the customer, one per e-mail (unless `racy`), and counts the e-mails sent
//!   answers       has the responses in three dialects
//! faults       spoils it: before saving, after saving, or on the way back
//! connection   sends the response whole or cut, resets the connection, or never responds
//! ```
//!
//! # Rules
//! - Every request leaves two lines in the log, `received` and `answered`. Each saved customer
//!   leaves a line `created`, written while the customers are still locked. So the order of the log
//!   is the order of events.
//! - If work outlives its response (`answered` says `working`), it ends with a line `done`. A
//!   client that leaves before its response leaves a line `left`.
//! - The log never holds a token or a secret.
//! - Chance is a function of the seed, the e-mail and the count of its requests, so the same run
//!   has the same faults.
//! - State is in memory only. A sandbox that ends forgets its customers, keys and tokens; the log
//!   file stays, and each of its lines is written whole.

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
