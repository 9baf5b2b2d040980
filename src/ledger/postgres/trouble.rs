//! What an error of the database means for the ledger.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::ledger::error::DatabaseProblem;
use crate::ledger::{LedgerError, LedgerName};

/// Why a transaction did not end well.
#[derive(Debug)]
pub(super) enum DatabaseTrouble {
    /// The fence failed: another term holds the lease.
    Fenced,
    /// Nothing was written, and the database asks to try again.
    Again(String),
    /// The connection is of no use any more, and whether the transaction was committed is unknown.
    Unknown(String),
    /// Going on makes no sense.
    Fatal(DatabaseProblem),
}

impl DatabaseTrouble {
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Fatal(DatabaseProblem::Damaged(what.to_string()))
    }

    /// Returns the error of a question that is not asked again.
    pub(super) fn into_error(self, ledger: &LedgerName) -> LedgerError {
        let problem = match self {
            Self::Fenced => DatabaseProblem::TakenOver { by: None },
            Self::Again(why) => DatabaseProblem::Failed(why),
            Self::Unknown(why) => DatabaseProblem::Unreachable(why),
            Self::Fatal(problem) => problem,
        };
        LedgerError::Database { ledger: ledger.clone(), problem }
    }
}

impl From<Error> for DatabaseTrouble {
    fn from(error: Error) -> Self {
        let words = words(&error);
        match error.code() {
            Some(code) => of_code(code, words),
            None if is_about_settings(&error) => Self::Fatal(DatabaseProblem::Settings(words)),
            None if is_about_values(&error) => Self::damaged(words),
            None => Self::Unknown(words),
        }
    }
}

/// Decides by the class of the code, or by the code itself if its class is too wide.
fn of_code(code: &SqlState, words: String) -> DatabaseTrouble {
    let code = code.code();
    match (&code[..2], code) {
        (_, "22012") => DatabaseTrouble::Fenced,
        // Serialization, deadlock, and a lock that was not free in time.
        (_, "40001" | "40P01" | "55P03") => DatabaseTrouble::Again(words),
        // A cancelled statement may have been the commit. 25006: the server is a replica by now.
        ("08" | "57", _) | (_, "53300" | "25006" | "25P03" | "40003") => DatabaseTrouble::Unknown(words),
        ("28" | "3D" | "3F", _) | (_, "42501" | "42P01") => DatabaseTrouble::Fatal(DatabaseProblem::Refused(words)),
        ("XX" | "58", _) => DatabaseTrouble::damaged(words),
        _ => DatabaseTrouble::Fatal(DatabaseProblem::Failed(words)),
    }
}

/// Returns what the server or the library says. The server's details are left out, because they can
/// hold people's data.
fn words(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Whether the library did not even ask the server, or did not trust it.
fn is_about_settings(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<tokio_rustls::rustls::Error>() {
            return true;
        }
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && inner.is::<tokio_rustls::rustls::Error>()
        {
            return true;
        }
        cause = error.source();
    }
    let words = error.to_string();
    ["invalid configuration", "invalid connection string", "error performing TLS handshake", "password missing"]
        .iter()
        .any(|beginning| words.starts_with(beginning))
}

/// Whether a row holds what this program never writes.
fn is_about_values(error: &Error) -> bool {
    let words = error.to_string();
    ["error deserializing column", "error serializing parameter"].iter().any(|beginning| words.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_whether_to_try_again_to_connect_again_or_to_stop() {
        let meaning = |code: &str| match of_code(&SqlState::from_code(code), String::new()) {
            DatabaseTrouble::Fenced => "fenced",
            DatabaseTrouble::Again(_) => "again",
            DatabaseTrouble::Unknown(_) => "unknown",
            DatabaseTrouble::Fatal(DatabaseProblem::Refused(_)) => "refused",
            DatabaseTrouble::Fatal(DatabaseProblem::Damaged(_)) => "damaged",
            DatabaseTrouble::Fatal(_) => "failed",
        };
        for (code, expected) in [
            ("22012", "fenced"),
            ("40001", "again"),
            ("40P01", "again"),
            ("55P03", "again"),
            ("40003", "unknown"),
            ("08006", "unknown"),
            ("57P01", "unknown"),
            ("57P03", "unknown"),
            ("57014", "unknown"),
            ("53300", "unknown"),
            ("25006", "unknown"),
            ("25P03", "unknown"),
            ("28P01", "refused"),
            ("3D000", "refused"),
            ("42501", "refused"),
            ("42P01", "refused"),
            ("XX001", "damaged"),
            ("58030", "damaged"),
            ("53100", "failed"),
            ("22001", "failed"),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
