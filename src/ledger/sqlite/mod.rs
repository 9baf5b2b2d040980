//! The ledger as one SQLite file: its schema, who may write it, and what is asked of it.

pub(super) mod lock;
mod maintenance;
mod ownership;
mod place;
pub(super) mod read;
pub(super) mod schema;
