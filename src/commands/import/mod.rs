//! `import`: read once and plan, ask, send, report.
//!
//! `prepare` leads from the settings to the first request, `send` delivers what `offers` reads, and
//! `finish` reports; `run` is what they share.

mod destination;
mod finish;
mod metrics_file;
mod offers;
mod prepare;
mod run;
mod send;

pub(super) use prepare::run;
