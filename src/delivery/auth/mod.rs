//! What each request needs before it is sent: a permit, and a token.
//!
//! - `admission` waits for the permit and for a token to send with it.
//! - `token_cache` decides when a token is due and how to get it, pure.

pub(super) mod admission;
pub(super) mod token_cache;
