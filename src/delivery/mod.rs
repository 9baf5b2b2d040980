//! Delivers valid records: claim, permit, intent, attempt, settle.
//!
//! - `run` is the run as a whole: it claims records, starts a task for each, and decides when to
//!   stop.
//! - `record` is one record: its task, and the rules of retries and doubts.
//! - `rate` decides when the next request may be sent.
//! - `auth` gives each request its permit and its token.
//! - `handover` is the pace that one host leaves to the next.
//! - `note` is what a task reports to the run; `payload` is what is sent for a record; `pages`
//!   requests pages of customers; `backoff` is how long to wait after a failure.
//! - `server` is what delivery needs from an API; `shutdown` carries the request to stop from
//!   outside.
//!
//! This module does not know files or terminals: records come in through a channel,
//! [`Event`](crate::event::Event)s go out.
//!
//! Rules:
//!
//! - A request is sent only after its intent is synced (I1). So after a kill the ledger knows every
//!   request that may have had an effect, and the next run sends it again with the same key and
//!   bytes, or looks it up (I5).
//! - An outcome is shown only after it is committed (I4), and after a ledger error nothing is sent
//!   (I10).
//! - The decisions are pure: `lifecycle`, `token_cache`, `adaptive_quota`, `circuit_breaker`,
//!   `stop_rules` and `give_up` get instants and responses as arguments, so tests need no clock and
//!   no server.
//! - One task owns the state of the run; the tasks of records send messages to it.

mod auth;
mod backoff;
mod handover;
mod note;
mod opening;
mod pages;
mod payload;
mod probe;
mod rate;
mod record;
mod run;
mod server;
mod shutdown;
#[cfg(test)]
mod tests;

pub use opening::{Access, Opening, OpeningStop, open};
pub use payload::Payload;
pub use probe::{Probe, probe};
pub use rate::circuit_breaker::Health;
pub use rate::rate_option::Rate;
pub use record::retry::RetryPolicy;
pub use run::engine::{Job, Offer, run};
pub use run::inquiry::{AskedCustomer, Inquired, Inquiry, InquiryKeeper, InquiryPlan, InquiryStop, Way, inquire};
pub use run::pull::{Pull, PullStop, Pulled, Repeated, pull};
pub use run::stop_rules::GuardPolicy;
pub use run::verdict::{RunEnd, Verdict};
pub use server::{Api, CreateReply, LookupReply, Outgoing, Server, TokenRequest};
pub use shutdown::Shutdown;
