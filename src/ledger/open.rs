//! Which store keeps a ledger. The choice is made here, once, by how the ledger is named.

use std::path::Path;

use super::location::{DatabaseSettings, LedgerLocation, LedgerName};
use super::model::{Creation, MovedLedger, Stay, Target};
use super::reader::Reader;
use super::sqlite::{self, SqliteReader, SqliteStore};
use super::{Ledger, LedgerError, Occupied};

impl Ledger {
    /// Opens the ledger for writing and holds it until it is dropped.
    ///
    /// # Errors
    /// When another run holds it, when it is missing and may not be created, or when it cannot be
    /// trusted.
    pub fn open(at: impl Into<LedgerLocation>, target: Target, creation: Creation) -> Result<Self, LedgerError> {
        match at.into() {
            LedgerLocation::File(path) => Self::of_file(SqliteStore::open(&path, &target, creation)?, target),
            LedgerLocation::Database(settings) => database::open(&settings, target, creation, Stay::Run),
        }
    }

    /// Opens a ledger that exists, to write what is at hand and drop it at once. A run that begins
    /// meanwhile waits up to a minute, where it would otherwise be refused.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_for_a_moment(at: &LedgerLocation, target: Target) -> Result<Self, LedgerError> {
        match at {
            LedgerLocation::File(path) => Self::of_file(SqliteStore::open_for_a_moment(path, &target)?, target),
            LedgerLocation::Database(settings) => database::open(settings, target, Creation::Refused, Stay::Moment),
        }
    }

    fn of_file(store: SqliteStore, target: Target) -> Result<Self, LedgerError> {
        let (name, secret) = (LedgerName::from(store.path()), store.secret()?);
        Self::over(store, name, target, secret)
    }

    /// Returns whether there is a ledger. A link to a missing file counts as none.
    ///
    /// # Errors
    /// When a database cannot be asked.
    pub fn exists(at: &LedgerLocation) -> Result<bool, LedgerError> {
        match at {
            LedgerLocation::File(path) => Ok(path.exists()),
            LedgerLocation::Database(settings) => database::exists(settings),
        }
    }

    /// Returns the run that holds a ledger for writing, or `None` if none does, or if a database
    /// does not answer. It does not open a ledger's file, so a process that opens the ledger now
    /// and then can look in between.
    #[must_use]
    pub fn holder(at: &LedgerLocation, target: &Target) -> Option<Occupied> {
        match at {
            LedgerLocation::File(path) => sqlite::occupied(path),
            LedgerLocation::Database(settings) => database::reader(settings, target).ok()?.holder(),
        }
    }

    /// Returns whether a file is marked as a ledger. Changes nothing, whatever file it is.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        sqlite::is_marked(path)
    }

    /// Fails if a run could not open a ledger here: if it may not lie there or is not the user's
    /// alone. Creates nothing, whether or not there is a ledger. Of a database only opening shows
    /// that.
    pub fn check_place(at: &LedgerLocation) -> Result<(), LedgerError> {
        at.file().map_or(Ok(()), sqlite::check_place)
    }

    /// Brings the tables of a ledger to the newest schema, and makes a ledger where there is none.
    /// Returns the version that it had, 0 for none, and the one that it has.
    ///
    /// # Errors
    /// When it cannot be trusted, or may not be changed.
    pub fn migrate(at: &LedgerLocation) -> Result<(i64, i64), LedgerError> {
        match at {
            LedgerLocation::File(path) => sqlite::migrate(path),
            LedgerLocation::Database(settings) => database::migrate(settings),
        }
    }

    /// Moves everything that a file knows into a database. The file lets no run in from then on.
    ///
    /// # Errors
    /// When a run holds the file or an account, when the database knows an account already, and
    /// when either cannot be used.
    pub fn move_to(settings: &DatabaseSettings, from: &Path) -> Result<MovedLedger, LedgerError> {
        database::move_to(settings, from)
    }
}

impl Reader {
    /// Opens a view of the ledger as it is now.
    ///
    /// # Errors
    /// When there is no ledger, or when it cannot be trusted.
    pub fn open(at: impl Into<LedgerLocation>, target: &Target) -> Result<Self, LedgerError> {
        match at.into() {
            LedgerLocation::File(path) => {
                let store = SqliteReader::open(&path, target)?;
                let secret = store.secret()?;
                Self::over(store, &secret).map_err(|error| LedgerError::io(path.as_path(), error))
            }
            LedgerLocation::Database(settings) => database::reader(&settings, target),
        }
    }
}

#[cfg(feature = "postgres")]
mod database {
    use super::{Creation, DatabaseSettings, Ledger, LedgerError, LedgerName, MovedLedger, Path, Reader, Stay, Target};
    use crate::ledger::moving;
    use crate::ledger::postgres::{self, PostgresReader, PostgresStore};

    pub(super) fn open(
        settings: &DatabaseSettings,
        target: Target,
        creation: Creation,
        stay: Stay,
    ) -> Result<Ledger, LedgerError> {
        let store = PostgresStore::open(settings, &target, creation, stay)?;
        let (secret, waited, not_before) = (store.secret().to_owned(), store.waited_since(), store.not_before());
        Ok(Ledger::over(store, LedgerName::from(&settings.url), target, secret)?.having_waited(waited, not_before))
    }

    pub(super) fn reader(settings: &DatabaseSettings, target: &Target) -> Result<Reader, LedgerError> {
        let store = PostgresReader::open(settings, target)?;
        let secret = store.secret().to_owned();
        Reader::over(store, &secret).map_err(|error| LedgerError::io(LedgerName::from(&settings.url), error))
    }

    pub(super) fn exists(settings: &DatabaseSettings) -> Result<bool, LedgerError> {
        postgres::exists(settings)
    }

    pub(super) fn migrate(settings: &DatabaseSettings) -> Result<(i64, i64), LedgerError> {
        postgres::migrate(settings).map(|(before, now)| (before.into(), now.into()))
    }

    pub(super) fn move_to(settings: &DatabaseSettings, from: &Path) -> Result<MovedLedger, LedgerError> {
        moving::move_ledger(from, settings)
    }
}

/// This program was built without the feature `postgres`.
#[cfg(not(feature = "postgres"))]
mod database {
    use super::{Creation, DatabaseSettings, Ledger, LedgerError, LedgerName, MovedLedger, Path, Reader, Stay, Target};
    use crate::ledger::error::DatabaseProblem;

    pub(super) fn open(settings: &DatabaseSettings, _: Target, _: Creation, _: Stay) -> Result<Ledger, LedgerError> {
        Err(unknown(settings))
    }

    pub(super) fn reader(settings: &DatabaseSettings, _: &Target) -> Result<Reader, LedgerError> {
        Err(unknown(settings))
    }

    pub(super) fn exists(settings: &DatabaseSettings) -> Result<bool, LedgerError> {
        Err(unknown(settings))
    }

    pub(super) fn migrate(settings: &DatabaseSettings) -> Result<(i64, i64), LedgerError> {
        Err(unknown(settings))
    }

    pub(super) fn move_to(settings: &DatabaseSettings, _: &Path) -> Result<MovedLedger, LedgerError> {
        Err(unknown(settings))
    }

    fn unknown(settings: &DatabaseSettings) -> LedgerError {
        let problem = DatabaseProblem::Settings("this program was built without PostgreSQL".to_owned());
        LedgerError::Database { ledger: LedgerName::from(&settings.url), problem }
    }
}
