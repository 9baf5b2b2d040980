//! From a valid record to its outcome: claim, permit, intent, attempt, settle.
//!
//! - [`run`] owns the state of a run: it claims records, starts a task for each, counts, and decides when to stop.
//! - `deliver` is such a task: it does what `life` decides, and waits where `life` says so.
//! - `life` is the whole rule of retries and doubts, pure.
//! - `pace` hands out permits, the only way to send anything; `breaker` closes that gate when the server seems to be down; `door`
//!   keeps those apart that leave late; `reach` sees whether the pace is reached.
//! - `quota` is what `--rate auto` makes of the limit that the server announces, pure.
//! - `tokens` leads every request through that gate with a token to send; `keyring` decides when a token is due and what then, pure.
//! - `guard` decides from what comes back whether going on would harm; `patience` is its sense of time.
//! - `clock` tells the time, by two clocks that have to agree.
//! - `pull` learns the customers that the account has already.
//! - `shutdown` carries the wish to stop from outside.
//!
//! This module knows nothing of files and terminals: records come in through a channel, [`Event`](crate::event::Event)s go out.

mod apart;
mod breaker;
mod clock;
mod deliver;
mod door;
mod guard;
mod keyring;
mod life;
mod pace;
mod patience;
mod pull;
mod quota;
mod reach;
mod retry;
mod run;
mod server;
mod shutdown;
#[cfg(test)]
mod tests;
mod tokens;

pub use breaker::Health;
pub use guard::{FailureLimit, GuardPolicy};
pub use pace::Rate;
pub use pull::{Pull, PullStop, Pulled, Repeated, pull};
pub use retry::RetryPolicy;
pub use run::{Job, Offer, RunEnd, Verdict, run};
pub use server::{Api, CreateReply, LookupReply, Outgoing, Payload, Server, Way};
pub use shutdown::Shutdown;
