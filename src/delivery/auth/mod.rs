//! Gives each request what it needs before it is sent: a permit and a token.
//!
//! - `admission` waits for the permit and for a token to send with it.
//! - `token_cache` decides when to renew a token and how, pure.

pub(super) mod admission;
pub(super) mod token_cache;
