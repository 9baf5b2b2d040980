//! The promises of the README, kept by the real program against the sandbox. One binary, a file for each feature.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod campaign;
mod check;
mod checker;
mod cli;
mod config;
mod corpora;
mod crash;
mod cron;
mod cuts;
mod faults;
mod formats;
mod harness;
mod identity;
mod import;
mod killed;
mod ledger;
mod machine;
mod many;
mod matrix;
mod mutants;
mod presets;
mod proxy;
mod races;
mod report;
mod stops;
mod syscalls;
mod torn;
mod trust;
