//! From a valid record to its outcome: claim, permit, intent, attempt, settle.
//!
//! - `run` is the run as a whole: it claims records, starts a task for each, and decides when to
//!   stop.
//! - `record` is one record: the task, and the rules of retries and doubts.
//! - `rate` decides when the next request may be sent.
//! - `auth` gives each request its permit and its token.
//! - `note` is what a task sends to the run; `payload` is what is sent for a record; `pages` asks
//!   for pages of customers; `backoff` is how long to wait after a failure.
//! - `server` is what delivery needs from an API; `shutdown` carries the wish to stop from outside.
//!
//! This module does not know files or terminals: records come in through a channel,
//! [`Event`](crate::event::Event)s go out.

mod auth;
mod backoff;
mod note;
mod pages;
mod payload;
mod rate;
mod record;
mod run;
mod server;
mod shutdown;
#[cfg(test)]
mod tests;

pub use payload::Payload;
pub use rate::circuit_breaker::Health;
pub use rate::rate_option::Rate;
pub use record::retry::RetryPolicy;
pub use run::engine::{Job, Offer, run};
pub use run::pull::{Pull, PullStop, Pulled, Repeated, pull};
pub use run::stop_rules::{FailureLimit, GuardPolicy};
pub use run::verdict::{RunEnd, Verdict};
pub use server::{Api, CreateReply, LookupReply, Outgoing, Server, TokenRequest};
pub use shutdown::Shutdown;
