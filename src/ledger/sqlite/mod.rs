//! The ledger as one SQLite file.
//!
//! - `lock`: at most one process writes, and it notices when a name no longer leads to its file.
//! - `place`, `ownership`: where the file may lie, and whose it must be.
//! - `clean_end`: what lets the next writer skip the check of the whole file.
//! - `schema`: opening the file, its tables, and the migrations of older ones.
//! - `store`: the [`Store`](super::store::Store). `write`: its statements; `maintenance`: those of
//!   operations by hand.
//! - `read`: the [`LedgerReader`](super::store::LedgerReader). `record_rows`: its questions about
//!   records; `read_ahead`: what makes them fast if they come in the order of the ledger; `values`:
//!   single values of a row.
//! - `packed_receipt`: what the server said of a customer, as the few bytes that are kept.
//! - `departure`: moving into a database. `move_mark`: what such a file says.
//!
//! Nothing outside of this folder speaks SQL.

mod clean_end;
#[cfg(feature = "postgres")]
mod departure;
mod lock;
mod maintenance;
mod move_mark;
mod ownership;
mod packed_receipt;
mod place;
mod read;
mod read_ahead;
mod record_rows;
mod schema;
mod shared_ids;
mod store;
#[cfg(test)]
mod tests;
mod values;
mod write;

#[cfg(feature = "postgres")]
pub(super) use departure::SqliteDeparture;
pub(super) use lock::{check_place, occupied};
#[cfg(feature = "postgres")]
pub(super) use move_mark::MoveMark;
pub(super) use read::SqliteReader;
pub(super) use schema::is_marked;
pub(super) use store::SqliteStore;

use std::path::Path;

use packed_receipt::UnpackError;

use crate::ledger::model::Stay;
use crate::ledger::{Creation, LedgerError};
use crate::limits;

/// Brings the file to the newest schema. Returns the version that it had and the one that it has.
pub(super) fn migrate(path: &Path) -> Result<(i64, i64), LedgerError> {
    let path = lock::real_file(path, Creation::Refused)?;
    let _lock = lock::Lock::acquire(&path, Stay::Run)?;
    schema::bring_up_to_date(&path)
}

impl LedgerError {
    /// What the database says decides whether the file is damaged, foreign or out of reach.
    fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, OutOfMemory};
        let (path, why) = (path.to_owned(), error.to_string());
        if let rusqlite::Error::FromSqlConversionFailure(.., unreadable) = error
            && let Some(unpacking) = unreadable.downcast_ref::<UnpackError>()
        {
            return Self::Damaged { path, why: unpacking.to_string() };
        }
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt) => Self::Damaged { path, why },
            Some(NotADatabase) => Self::Foreign { path, why },
            Some(OutOfMemory) => {
                Self::Limit { ledger: path.as_path().into(), why: format!("{} is reached ({why})", limits::memory()) }
            }
            _ => match limits::suspected(largest(&path)) {
                Some(limit) => Self::Limit { ledger: path.as_path().into(), why: format!("{limit} ({why})") },
                None => Self::Io { ledger: path.as_path().into(), why },
            },
        }
    }
}

/// The size of the ledger's file or of its log, whichever is larger.
fn largest(path: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    size(path).max(size(&place::beside(path, "-wal")))
}
