//! What can be wrong with a ledger. Each ends the run; which exit code it picks is decided in `exit`.

use std::path::{Path, PathBuf};

#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("another run holds the ledger {}", .0.display())]
    Locked(PathBuf),
    #[error("there is no ledger at {}", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a ledger of this program: {why}", path.display())]
    Foreign { path: PathBuf, why: String },
    #[error("the ledger {} has {names} names (hard links), each with a lock of its own", path.display())]
    SeveralNames { path: PathBuf, names: u64 },
    #[error("{} was written by a newer version of this program (schema {found}, this one knows {known})", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the ledger knows {account:?} at {base_url} as another account than the one of this token")]
    OtherAccount { base_url: String, account: String },
    #[error("the ledger {} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the ledger {} cannot be used: {why}", path.display())]
    Io { path: PathBuf, why: String },
}

impl LedgerError {
    pub(super) fn io(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::Io { path: path.to_owned(), why: error.to_string() }
    }

    /// The database's own word decides whether the file is damaged, foreign or out of reach.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let (path, why) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt) => Self::Damaged { path, why },
            Some(NotADatabase) => Self::Foreign { path, why },
            _ => Self::Io { path, why },
        }
    }
}
