//! `customer-import` moves customers from a CSV or NDJSON file into the Add Customer API.
//!
//! # The map
//! ```text
//! intake → delivery → report      the way a record takes
//!   domain                        what all of them speak of: records, customers, answers, outcomes; pure
//!   event                         all that delivery tells its listeners
//!   api      ledger               the server; the memory
//!   sandbox                       a stand-in for the server, a stranger to all of the above
//!   commands                      wiring only
//! ```
//!
//! # The dependency rule
//! Imports go one way: `domain` ← `event` ← everything else. `intake`, `api` and `ledger` know `domain` and not each other.
//! `delivery` knows `api` and `ledger` and nothing of files or terminals; `report` knows `event` and `domain` and nothing of sending.
//! `sandbox` has its own wire types, so that a misspelled field cannot agree with itself. `commands` knows all.
//!
//! # Invariants
//! Each has a test that bears its name.
//! - I1 no request leaves before its intent is synced.
//! - I2 at most one request is in flight per e-mail.
//! - I3 a settled record is never sent again.
//! - I4 nothing is shown before it is committed.
//! - I5 the same attempt has the same key and the same bytes after any crash.
//! - I6 records read = the sum of the outcomes.
//! - I7 after a kill, the intents without an answer are at most as many as the concurrency.
//! - I8 memory does not grow with the file.
//! - I9 `check` opens no socket.
//! - I10 after a ledger error nothing is sent.

pub mod api;
pub mod atomic_file;
pub mod cli;
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
pub mod trusted_file;
