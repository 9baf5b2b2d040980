//! `customer-import` imports customers from a CSV, NDJSON or XLSX file into the Add Customer API.
//!
//! # The map
//! ```text
//! intake → delivery → report   the path of a record
//! domain                       the types that all others share; pure, without threads or I/O
//! event                        what the delivery reports to its listener
//! clock                        the time of the wall clock and of the boot clock
//! api                          HTTP client, credentials, classification of responses
//! ledger                       what was sent and how it ended, kept across runs
//! reconcile                    input × ledger: survey, pass, line, known, plan, duplicates
//! process                      the operating system: logs, signals, threads, streams
//! cli, config                  the command line, and the TOML file of --config
//! settings                     checked values, decided once from the command line
//! commands                     one file or folder per command: wiring only
//! sandbox                      a simulated server that shares no type with the rest
//! ```
//!
//! # The dependency rule
//! Imports go one way. A module imports only itself and what its row names; `tools` stands for
//! `atomic_file`, `fault`, `limits`, `output`, `redact`, `shell`, `style`, `terminal` and
//! `trusted_file`. Tests can import more.
//!
//! | module | imports |
//! | --- | --- |
//! | `tools` | `tools` |
//! | `domain` | |
//! | `event` | `domain` |
//! | `api` | `domain`, `tools` |
//! | `intake` | `domain`, `tools` |
//! | `clock` | `domain`, `tools` |
//! | `ledger` | `domain`, `clock`, `tools` |
//! | `delivery` | `domain`, `event`, `clock`, `api`, `ledger`, `tools` |
//! | `report` | `domain`, `event`, `tools` |
//! | `exit` | `domain`, `ledger`, `delivery` |
//! | `failure` | `domain`, `api`, `intake`, `ledger`, `exit`, `tools` |
//! | `process` | `delivery`, `exit`, `failure`, `tools` |
//! | `reconcile` | `domain`, `api`, `intake`, `ledger`, `report`, `exit`, `failure`, `tools` |
//! | `sandbox` | |
//! | `cli` | `domain`, `intake`, `delivery`, `process`, `sandbox`, `exit`, `tools` |
//! | `config` | `domain`, `intake`, `cli`, `exit`, `failure`, `tools` |
//! | `settings` | all but `commands`, `config` and `sandbox` |
//! | `commands` | all |
//!
//! No module below `settings` imports `cli`. A folder that needs values from the user defines their
//! type (`InputSettings`, `LogSettings`, `RetryPolicy`), and `settings` creates the value.
//!
//! # Invariants
//! I1 to I11 have tests that are named after them. The `checker` of `crates/testkit` also asserts
//! I6, I11 and I12 over whole runs.
//! - I1 no request is sent before its intent is synced.
//! - I2 at most one request per e-mail is in flight, and none is before the settle time of a silent
//!   one is over.
//! - I3 a settled record is never sent again.
//! - I4 nothing is shown before it is committed.
//! - I5 the same attempt has the same key and the same bytes after any crash.
//! - I6 records read = the sum of the outcomes.
//! - I7 after a kill, at most as many intents lack a response as `--concurrency` allows, and those
//!   that were written ahead because places became free during the last commit: none at the pace of
//!   the API, and never more than twice `--concurrency`.
//! - I8 memory does not grow with the file, except 13 bytes per record to find duplicates.
//! - I9 `check` and `init` open no socket, except `check` to a shared ledger.
//! - I10 after a ledger error nothing is sent.
//! - I11 nothing that was read after the input changed is sent.
//! - I12 a record is reported as `failed` or `rejected` only if the server has no such customer of
//!   ours.

pub mod api;
pub mod atomic_file;
pub mod cli;
mod clock;
pub mod commands;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod event;
pub mod exit;
pub mod failure;
pub mod fault;
pub mod intake;
pub mod ledger;
pub mod limits;
pub mod output;
pub mod process;
mod reconcile;
pub mod redact;
pub mod report;
pub mod sandbox;
pub mod settings;
pub mod shell;
pub mod style;
pub mod terminal;
pub mod trusted_file;
