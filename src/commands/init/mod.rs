//! `init`: looks at a file, asks what is unclear, and writes how to read it. Opens no socket (I9).
//!
//! - `run`: the steps, in order
//! - `questions`: what is asked, and what an answer changes
//! - `preview`: the first records as they would be sent
//! - `config_text`: the file for `--config`; `proposal_text`: what is printed

mod config_text;
mod preview;
mod proposal_text;
mod questions;
mod run;

pub(super) use run::run;
