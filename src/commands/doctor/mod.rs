//! `doctor`: tries everything that an import needs, and creates no customer.
//!
//! - `finding` is what it says of one thing: a mark, a value, a hint, and the exit code.
//! - `api` judges what the API answered; `ledger` the ledger and its lock; `machine` disks and
//!   limits.
//! - `run` asks the API at most three questions and prints the findings.

mod api;
mod finding;
mod ledger;
mod machine;
mod run;

pub(super) use run::run;
