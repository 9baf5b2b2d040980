//! The process as the operating system sees it: logs, signals, threads, standard output and
//! confirmation at a terminal.
//!
//! Parts that other folders need by themselves are at the top level: standard error (`output`),
//! panics (`fault`) and limits (`limits`).

pub(crate) mod confirm;
pub mod logging;
pub(crate) mod machine;
pub mod memory;
pub(crate) mod runtime;
pub(crate) mod signals;
pub(crate) mod stdout;
