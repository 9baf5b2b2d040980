//! The process as its operating system sees it: logs, signals, threads, standard output, questions
//! at a terminal.
//!
//! What other folders need without the rest of this one stays at the top level: standard error
//! (`output`), panics (`fault`) and limits (`limits`).

pub(crate) mod confirm;
pub mod logging;
pub mod memory;
pub(crate) mod runtime;
pub(crate) mod signals;
pub(crate) mod stdout;
