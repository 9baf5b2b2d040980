//! From a valid record to its outcome: claim, permit, intent, attempt, settle.
//!
//! - `run` is the run as a whole: it claims records, starts a task for each, and decides when to stop.
//! - `record` is one record: the task, and the rules of retries and doubts.
//! - `rate` decides when the next request may be sent.
//! - `auth` gives each request its permit and its token.
//! - `server` is what delivery needs from an API; `shutdown` carries the wish to stop from outside.
//!
//! This module does not know files or terminals: records come in through a channel, [`Event`](crate::event::Event)s go out.

mod auth;
mod rate;
mod record;
mod run;
mod server;
mod shutdown;
#[cfg(test)]
mod tests;

pub use rate::circuit_breaker::Health;
pub use rate::pacer::Rate;
pub use record::retry::RetryPolicy;
pub use run::engine::{Job, Offer, RunEnd, Verdict, run};
pub use run::pull::{Pull, PullStop, Pulled, Repeated, pull};
pub use run::stop_rules::{FailureLimit, GuardPolicy};
pub use server::{Api, CreateReply, LookupReply, Outgoing, Payload, Server, Way};
pub use shutdown::Shutdown;
