//! Decides when the next request may be sent.
//!
//! - `rate_option` is the value of `--rate`.
//! - `pacer` hands out permits, the only way to send anything.
//! - `gate` decides when the next request may be sent; `token_bucket` spaces requests evenly.
//! - `adaptive_quota` computes the pace of `--rate auto` from the limit that the server announces,
//!   pure.
//! - `sliding_window` keeps requests that are sent late from exceeding the pace.
//! - `utilization` reports if slow responses keep the run below its pace.
//! - `circuit_breaker` stops all requests except for occasional probes while the server seems to be
//!   down, pure.

mod adaptive_quota;
pub(super) mod circuit_breaker;
mod gate;
pub(super) mod pacer;
pub(super) mod rate_option;
mod sliding_window;
mod token_bucket;
mod utilization;
