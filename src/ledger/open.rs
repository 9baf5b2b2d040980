//! Which store keeps a ledger. The choice is made here, once, by how the ledger is named.

use std::path::Path;

use super::model::{Creation, Target};
use super::reader::Reader;
use super::sqlite::{self, SqliteReader, SqliteStore};
use super::{Ledger, LedgerError, Occupied};

impl Ledger {
    /// Opens the ledger for writing and holds it until it is dropped.
    ///
    /// # Errors
    /// When another run holds it, when it is missing and may not be created, or when it cannot be
    /// trusted.
    pub fn open(path: &Path, target: Target, creation: Creation) -> Result<Self, LedgerError> {
        Self::of_store(SqliteStore::open(path, &target, creation)?, target)
    }

    /// Opens a ledger that exists, to write what is at hand and drop it at once. A run that begins
    /// meanwhile waits up to a minute, where it would otherwise be refused.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_for_a_moment(path: &Path, target: Target) -> Result<Self, LedgerError> {
        Self::of_store(SqliteStore::open_for_a_moment(path, &target)?, target)
    }

    fn of_store(store: SqliteStore, target: Target) -> Result<Self, LedgerError> {
        let (path, secret) = (store.path().to_owned(), store.secret()?);
        Self::over(store, path, target, secret)
    }
}

impl Ledger {
    /// Returns the run that holds a ledger for writing, or `None` if none does. It does not open
    /// the ledger's file, so a process that opens the ledger now and then can look in between.
    #[must_use]
    pub fn holder(path: &Path) -> Option<Occupied> {
        sqlite::occupied(path)
    }

    /// Returns whether a file is marked as a ledger. Changes nothing, whatever file it is.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        sqlite::is_marked(path)
    }

    /// Fails if a run could not open a ledger here: if it may not lie there or is not the user's
    /// alone. Creates nothing, whether or not there is a ledger.
    pub fn check_place(path: &Path) -> Result<(), LedgerError> {
        sqlite::check_place(path)
    }
}

impl Reader {
    /// Opens a view of the ledger as it is now.
    ///
    /// # Errors
    /// When there is no ledger, or when it cannot be trusted.
    pub fn open(path: &Path, target: &Target) -> Result<Self, LedgerError> {
        let store = SqliteReader::open(path, target)?;
        let secret = store.secret()?;
        Self::over(store, &secret).map_err(|error| LedgerError::io(path, error))
    }
}
