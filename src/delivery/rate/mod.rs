//! When the next request may be sent.
//!
//! - `pacer` hands out permits, the only way to send anything.
//! - `adaptive_quota` computes the pace of `--rate auto` from the limit that the server announces, pure.
//! - `sliding_window` keeps requests that are sent late from exceeding the pace.
//! - `utilization` reports when slow responses keep the run below its pace.
//! - `circuit_breaker` stops all requests but a probe now and then while the server seems to be down, pure.

mod adaptive_quota;
pub(super) mod circuit_breaker;
pub(super) mod pacer;
mod sliding_window;
mod utilization;
