//! What `ledger move` writes into a file, so that no run uses it beside the database.

use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

use crate::ledger::{LedgerError, LedgerName};

/// The version of a file whose content has moved into a database, or is just moving. No program
/// knows it, so those that do not know the mark refuse the file as one of a newer version.
pub(super) const MOVED: i64 = 1_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct MoveMark {
    /// The address of the database, without a password.
    pub to: String,
    /// Which move it is. The database knows it once it has the content.
    pub id: Uuid,
    /// The database surely has the content.
    pub is_complete: bool,
}

impl MoveMark {
    /// Returns the error of a program that would use the file.
    pub(in crate::ledger) fn refusing(self, path: &Path) -> LedgerError {
        let to = LedgerName::from(Path::new(&self.to));
        LedgerError::Moved { path: path.to_owned(), to, is_complete: self.is_complete }
    }
}

/// Reads the mark of a file that has one.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<MoveMark> {
    connection.query_row("SELECT ledger, id, is_complete FROM moved", [], |row| {
        Ok(MoveMark { to: row.get(0)?, id: Uuid::from_bytes(row.get(1)?), is_complete: row.get(2)? })
    })
}

/// Marks the file, or marks it anew. The mark is durable when this returns.
#[cfg(feature = "postgres")]
pub(super) fn write(connection: &mut Connection, mark: &MoveMark) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS moved
             (ledger TEXT NOT NULL, id BLOB NOT NULL, is_complete INTEGER NOT NULL, oldest INTEGER NOT NULL) STRICT;
         INSERT INTO moved SELECT '', x'', 0, oldest FROM compatible WHERE NOT EXISTS (SELECT 1 FROM moved);",
    )?;
    let MoveMark { to, id, is_complete } = mark;
    transaction.execute("UPDATE moved SET ledger = ?1, id = ?2, is_complete = ?3", (to, id.as_bytes(), is_complete))?;
    transaction.execute("UPDATE compatible SET oldest = ?1", [MOVED])?;
    transaction.pragma_update(None, "user_version", MOVED)?;
    transaction.commit()
}

/// Takes the mark away, because the database surely does not have the content. The file then has
/// this version again.
#[cfg(feature = "postgres")]
pub(super) fn erase(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch("UPDATE compatible SET oldest = (SELECT oldest FROM moved); DROP TABLE moved;")?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
