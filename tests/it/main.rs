//! The promises of the README, kept by the real program against the sandbox. One binary, a file for each feature.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod campaign;
mod changed;
mod check;
mod checker;
mod cli;
mod config;
mod corpora;
mod crash;
mod cron;
mod cuts;
mod door;
mod faults;
mod foreign;
mod formats;
mod harness;
mod hostile;
mod identity;
mod import;
mod killed;
mod ledger;
mod login;
mod machine;
mod many;
mod matrix;
mod meddling;
mod mending;
mod mutants;
mod ours;
mod outage;
mod presets;
mod process;
mod proxy;
mod races;
mod refused;
mod report;
mod stops;
mod supply;
mod syscalls;
mod tables;
mod torn;
mod trust;
mod unread;
mod untrue;
mod world;
