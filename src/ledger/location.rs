//! Where a ledger is kept, and how to get at it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::shown;
use crate::shell;

/// Where a ledger is kept.
#[derive(Clone, Debug)]
pub enum LedgerLocation {
    /// In a file of this machine.
    File(PathBuf),
    /// In a database that several machines share.
    Database(Arc<DatabaseSettings>),
}

impl LedgerLocation {
    /// Returns the file, or `None` if it is a database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Database(_) => None,
        }
    }

    #[must_use]
    pub fn name(&self) -> LedgerName {
        match self {
            Self::File(path) => LedgerName::from(path.as_path()),
            Self::Database(settings) => LedgerName::from(&settings.url),
        }
    }

    /// Returns what `--ledger` takes to name it again.
    #[must_use]
    pub fn option(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Database(settings) => settings.url.as_str().to_owned(),
        }
    }
}

impl From<&Self> for LedgerLocation {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

impl From<&Path> for LedgerLocation {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for LedgerLocation {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

/// How messages call a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerName(String);

impl fmt::Display for LedgerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Path> for LedgerName {
    fn from(path: &Path) -> Self {
        Self(shown(path).to_string())
    }
}

impl From<&DatabaseUrl> for LedgerName {
    fn from(url: &DatabaseUrl) -> Self {
        Self(shown(Path::new(url.as_str())).to_string())
    }
}

/// The address of a PostgreSQL database. It holds no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// The address holds a password, which would be readable for every user of the machine and in every
/// message that repeats the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of the ledger holds a password")]
pub struct PasswordInUrl;

impl DatabaseUrl {
    /// Returns the address, or `None` if the text is something else than one.
    ///
    /// # Errors
    /// If it holds a password.
    pub fn parse(text: &str) -> Result<Option<Self>, PasswordInUrl> {
        if !shell::is_database_url(text) {
            return Ok(None);
        }
        if shell::holds_password(text) { Err(PasswordInUrl) } else { Ok(Some(Self(text.to_owned()))) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a program gets at a ledger in a database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    pub password: PasswordSource,
    /// An additional certificate authority to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a run may be silent before another one may take the ledger over.
    pub lease: Duration,
    /// How long to wait for a ledger that another run holds.
    pub wait: Duration,
    /// The latest moment after its intent at which a request can leave (`--grace`), so a run that
    /// takes the ledger over waits so much longer.
    pub grace: Duration,
    /// How long a request may still take effect (`--settle`). After a failover the database may
    /// have forgotten the last intents, so nothing is sent for so long.
    pub settle: Duration,
    /// How long to try to reach the database again before the run gives up.
    pub patience: Duration,
    /// What people call this process. `None`: its host.
    pub holder: Option<String>,
}

/// Where the password of a database comes from. It is asked at every connection, because passwords
/// change while an import runs.
#[derive(Clone, Debug)]
pub enum PasswordSource {
    /// From `~/.pgpass`, or the file that `PGPASSFILE` names, if it has one for the database.
    PasswordFile,
    /// From `PGPASSWORD`.
    Given(SecretString),
    File(PathBuf),
    Command(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_and_a_path_is_no_address() {
        for (text, is_address) in [
            ("postgres://user@db.example.com:5432,db2.example.com/ledger", true),
            ("postgresql:///ledger?host=/run/postgresql", true),
            ("postgres://[::1]:5432/ledger", true),
            ("postgres.db", false),
            ("/var/lib/postgres://x", false),
        ] {
            assert_eq!(DatabaseUrl::parse(text).unwrap().is_some(), is_address, "{text}");
        }
        for text in [
            "postgres://user:secret@db/ledger",
            "postgres://user:se/cr@et@db/ledger",
            "postgres://user:se?cret@db/ledger",
            "postgresql://db/ledger?user=u&password=secret",
            "postgres://db/ledger?PASSWORD=secret",
            "postgres://db/ledger?pass%77ord=secret",
        ] {
            let refused = DatabaseUrl::parse(text).unwrap_err();
            assert!(!refused.to_string().contains("cret"), "{text}");
        }
    }
}
