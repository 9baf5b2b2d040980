//! The ledger in a PostgreSQL database that several hosts share.
//!
//! # What is true at every instant
//! - S1 An intent, an outcome, a claim or a run is committed only by the holder of the lease: each
//!   transaction that writes begins with the *fence*, which fails if the account's row has another
//!   epoch or term.
//! - S2 The first byte of a request leaves no later than `--grace` and `--connect-timeout` after
//!   its intent began, by the sender's own boot clock. `api::departure` keeps that.
//! - S3 After a takeover nothing is sent for an e-mail with an open intent of an older epoch before
//!   `--grace` and `--settle` have passed since the takeover, by the own boot clock. If the process
//!   that wrote the intent has surely ended, the time in the intent counts.
//! - S4 … nor before the token of that request is over and the settle time with it, if that is
//!   known and at most 15 minutes away.
//! - S5 Every command that writes takes the lease.
//! - S6 A holder sends nothing while its last fence is older than the lease less a margin.
//!
//! No rule compares the clocks of two machines. What one machine wrote about time, another one
//! reads as an age by the database's clock.
//!
//! # How it works
//! - `worker`: one thread has the connection and does what is asked, one thing after the other.
//! - `connect`, `tls`, `password`: how a connection is made. `trouble` says what an error means.
//! - `schema`: making the tables and bringing them up to date. `sql`: every statement.
//! - `lease`: taking it and giving it back. `presence`: how a process of the same boot sees that
//!   the last holder is dead.
//! - `effect`: what a batch changes, as values that can be written again. `batch` groups them into
//!   few statements; all of a batch leave in one flush.
//! - `store`: the [`Store`](super::store::Store). If a commit is not acknowledged, it connects
//!   again and writes the same effects again: each of them changes nothing the second time.
//! - `decide`: what operations that ask need to know, and the effects that follow.
//! - `arrival`: what a ledger file brings when it moves here.
//! - `reader`: the [`LedgerReader`](super::store::LedgerReader). `rows` reads what statements
//!   return, `clocks` what they say of time.
//!
//! Nothing outside of this folder knows the library.

mod arrival;
mod batch;
mod clocks;
mod connect;
mod decide;
mod effect;
mod lease;
mod password;
mod presence;
mod reader;
mod rows;
mod schema;
mod sql;
mod store;
#[cfg(test)]
pub(super) mod tests;
mod tls;
mod trouble;
mod worker;

pub(super) use arrival::{CommitEnd, PostgresArrival};
pub(super) use reader::PostgresReader;
pub(super) use schema::{exists, migrate};
pub(super) use store::PostgresStore;
