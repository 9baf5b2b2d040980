//! The promises of the README, kept by the real program against the sandbox. One binary, a file for
//! each feature.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod architecture;
mod campaign;
mod changed;
mod check;
mod cli;
mod config;
mod corpora;
mod cron;
mod cuts;
mod doctor;
mod examples;
mod faults;
mod faults_of_ours;
mod foreign;
mod formats;
mod hints;
mod hostile;
mod html;
mod identity;
mod import;
mod init;
mod killed;
mod ledger;
mod login;
mod machine;
mod man;
mod many;
mod matrix;
mod meddling;
mod mending;
mod mutants;
mod names;
mod nightly;
mod ours;
mod outage;
mod presets;
mod process;
mod program;
mod proxy;
mod races;
mod readme;
mod reference;
mod refused;
mod remembered;
mod report;
mod round_trip;
mod secrets;
mod selection;
mod snapshots;
mod sources;
mod stops;
mod supply;
mod syscalls;
mod tables;
mod terminal;
mod torn;
mod trust;
mod unread;
mod untrue;
mod values;
mod words;
mod xlsx;

use testkit::{checker, crash, door, harness, world};
