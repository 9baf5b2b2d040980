//! `import`: read once and plan, ask, send, report.

mod metrics_file;
mod send;

pub(super) use send::{log, run, words};
