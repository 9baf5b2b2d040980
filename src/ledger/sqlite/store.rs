//! The store of the one process that holds the file.

use std::path::{Path, PathBuf};

use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};

use super::lock::{Lock, owner_only, real_file};
use super::packed_receipt::ReceiptPacker;
use super::{maintenance, read, schema, write};
use crate::domain::EmailKey;
use crate::ledger::keyed_hasher::KeyedHasher;
use crate::ledger::model::Stay;
use crate::ledger::store::{Op, OpReply, Store};
use crate::ledger::{Creation, LedgerError, Target};

/// The only writing connection to the file, and the lock that makes it the only one.
///
/// A batch is one transaction of SQLite, and its commit syncs the log of the file.
pub(in crate::ledger) struct SqliteStore {
    /// Closed before the lock is released.
    connection: Connection,
    lock: Lock,
    path: PathBuf,
    target: i64,
    hasher: KeyedHasher,
    packer: ReceiptPacker,
    /// The rows of records that were claimed and have not ended, so that no write searches for its
    /// record. A run has a bounded number of them.
    claimed: HashMap<EmailKey, i64>,
    /// The run that began in the open batch.
    begun: Option<String>,
}

impl SqliteStore {
    pub(in crate::ledger) fn open(path: &Path, target: &Target, creation: Creation) -> Result<Self, LedgerError> {
        Self::open_to(Stay::Run, path, target, creation)
    }

    /// Opens a ledger that exists, to write what is at hand. A run that begins meanwhile waits.
    pub(in crate::ledger) fn open_for_a_moment(path: &Path, target: &Target) -> Result<Self, LedgerError> {
        Self::open_to(Stay::Moment, path, target, Creation::Refused)
    }

    fn open_to(stay: Stay, path: &Path, target: &Target, creation: Creation) -> Result<Self, LedgerError> {
        let path = real_file(path, creation)?;
        let mut lock = Lock::acquire(&path, stay)?;
        let checked_at = lock.checked_at();
        let connection = schema::open_for_writing(&path, creation, checked_at.is_none())?;
        lock.set_checked_at(Some(checked_at.unwrap_or_else(Timestamp::now)));
        // SQLite opened whatever the name led to.
        lock.check()?;
        let failed = |error: rusqlite::Error| LedgerError::sqlite(&path, &error);
        let secret = secret(&connection, &path)?;
        let hasher = KeyedHasher::new(&secret).map_err(|error| LedgerError::io(path.as_path(), error))?;
        let target = write::register(&connection, target).map_err(failed)?;
        let packer = ReceiptPacker::new().map_err(|error| LedgerError::io(path.as_path(), error))?;
        Ok(Self { connection, lock, path, target, hasher, packer, claimed: HashMap::new(), begun: None })
    }

    /// The real name of the file.
    pub(in crate::ledger) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the secret that makes keys unguessable.
    pub(in crate::ledger) fn secret(&self) -> Result<Vec<u8>, LedgerError> {
        secret(&self.connection, &self.path)
    }

    fn work(&mut self, op: Op) -> rusqlite::Result<OpReply> {
        if self.connection.is_autocommit() {
            // A transaction that has read before it writes does not wait for another writer: it
            // fails at once.
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let (connection, target, claimed) = (&self.connection, self.target, &mut self.claimed);
        let packer = &mut self.packer;
        Ok(match op {
            Op::BeginRun { name, start } => {
                let number = write::begin_run(connection, target, &name, &start)?;
                self.begun = Some(name);
                OpReply::Run(number)
            }
            Op::EndRun { run, end } => {
                write::end_run(connection, run, &end)?;
                OpReply::Done
            }
            Op::AddMinute { run, traffic } => {
                write::add_minute(connection, run, *traffic)?;
                OpReply::Done
            }
            Op::HasCreated => OpReply::Is(write::has_created(connection, target)?),
            Op::SentWithin { time, now } => OpReply::Sent(read::sent_within(connection, target, time, now)?),
            Op::Claim { run, requests, policy } => {
                let claim = |request| write::claim(connection, target, run, request, policy, claimed, packer);
                OpReply::Claims(requests.into_iter().map(claim).collect::<Result<_, _>>()?)
            }
            Op::Intend { run, email, row, intent } => {
                let record = record(connection, target, claimed.get(&email).copied(), &email)?;
                write::write_intent(connection, run, record, row, &intent)?;
                OpReply::Done
            }
            Op::Settle { run, email, settlement } => {
                let record = record(connection, target, claimed.remove(&email), &email)?;
                write::write_outcome(connection, packer, run, record, &settlement)?;
                OpReply::Done
            }
            Op::HoldBack { .. } => OpReply::Done,
            Op::Release { email } => {
                let record = record(connection, target, claimed.remove(&email), &email)?;
                write::erase_intent(connection, record)?;
                OpReply::Done
            }
            Op::Learn { run, customers } => {
                OpReply::Count(maintenance::learn(connection, packer, target, run, customers)?)
            }
            Op::SettleByHand { run, email, ending } => {
                OpReply::Is(maintenance::settle(connection, packer, target, run, &email, ending, &self.hasher)?)
            }
            Op::LearnStatus { customers } => OpReply::Count(maintenance::learn_status(connection, target, &customers)?),
            Op::ForgetEmail { email, person } => {
                claimed.remove(&email);
                OpReply::Is(maintenance::forget_email(connection, target, &email, person)?)
            }
            Op::ForgetTarget => {
                claimed.clear();
                OpReply::Count(maintenance::forget_target(connection, target)?)
            }
            Op::CheckOwner { owner } => OpReply::Is(maintenance::check_owner(connection, target, &owner)?),
        })
    }

    /// The next writer checks the whole file.
    fn failed(&mut self, error: &rusqlite::Error) -> LedgerError {
        self.lock.set_checked_at(None);
        LedgerError::sqlite(&self.path, error)
    }
}

/// Returns the row of a record: the one that was claimed, or else the one that a search finds.
fn record(connection: &Connection, target: i64, claimed: Option<i64>, email: &EmailKey) -> rusqlite::Result<i64> {
    claimed.map_or_else(|| write::record_of(connection, target, email), Ok)
}

/// Returns the secret of the file, and makes one if it has none yet.
pub(super) fn secret(connection: &Connection, path: &Path) -> Result<Vec<u8>, LedgerError> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let known = connection.query_row("SELECT bytes FROM secret", [], |row| row.get(0)).optional();
    if let Some(known) = known.map_err(failed)? {
        return Ok(known);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| LedgerError::io(path, error))?;
    connection.execute("INSERT INTO secret (bytes) VALUES (?1)", [secret]).map_err(failed)?;
    Ok(secret.to_vec())
}

impl Store for SqliteStore {
    fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError> {
        self.work(op).map_err(|error| self.failed(&error))
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(|error| self.failed(&error))?;
        }
        if let Some(run) = self.begun.take() {
            self.lock.note(Some(&run));
        }
        Ok(())
    }

    fn check_held(&self) -> Result<(), LedgerError> {
        self.lock.check()
    }

    fn copy_to(&mut self, to: &Path) -> Result<(), LedgerError> {
        // SQLite would make it readable for others, and an empty file is as good as none for it.
        owner_only().write(true).open(to).map_err(|error| LedgerError::file(to, &error))?;
        let copied = self.connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied.map(drop).map_err(|error| LedgerError::sqlite(to, &error))
    }
}

impl Drop for SqliteStore {
    /// The last connection that SQLite closes moves the log into the file and removes the log *by
    /// its name*, which may be another ledger's by now. So a file without its name is closed
    /// without that. Its log is moved into it first, through the open connection, because a user
    /// who gives the file a name again would not think of the log.
    fn drop(&mut self) {
        // A batch that failed is not committed.
        if !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        if self.lock.has_ledger() {
            return;
        }
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        let closing = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let (Err(error), _) | (_, Err(error)) = (moved, closing.map(drop)) {
            tracing::warn!("the ledger without its name was not closed well: {error}");
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use super::*;
    use crate::ledger::model::RunStart;

    struct World {
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let world = Self { folder: tempfile::tempdir().unwrap() };
            let mut store = world.open().unwrap();
            store.apply(Op::BeginRun { name: "a".to_owned(), start: RunStart::without_input("/in.csv") }).unwrap();
            store.commit().unwrap();
            world
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("a.db")
        }

        fn open(&self) -> Result<SqliteStore, LedgerError> {
            let target = Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() };
            SqliteStore::open(&self.path(), &target, Creation::Allowed)
        }

        /// When the whole file was checked that the next writer opens.
        fn checked_at(&self) -> Timestamp {
            self.open().unwrap().lock.checked_at().unwrap()
        }
    }

    #[test]
    fn after_a_clean_end_the_next_writer_does_not_check_the_whole_file() {
        let world = World::new();
        let first = world.checked_at();
        assert_eq!((world.checked_at(), world.checked_at()), (first, first));
    }

    #[test]
    fn a_file_that_another_program_wrote_to_or_that_is_a_copy_is_checked_again() {
        let world = World::new();
        let first = world.checked_at();
        let other = Connection::open(world.path()).unwrap();
        other.execute("UPDATE runs SET input = '/other.csv'", []).unwrap();
        drop(other);
        let second = world.checked_at();
        assert!(second > first);

        let copy = world.folder.path().join("b.db");
        std::fs::copy(world.path(), &copy).unwrap();
        std::fs::rename(&copy, world.path()).unwrap();
        assert!(world.checked_at() > second);
    }

    #[test]
    fn damage_after_a_clean_end_is_found_by_the_next_writer() {
        let world = World::new();
        world.checked_at();
        let mut file = std::fs::OpenOptions::new().write(true).open(world.path()).unwrap();
        // The second page.
        file.seek(SeekFrom::Start(4096)).unwrap();
        file.write_all(&[0xff; 64]).unwrap();
        assert!(matches!(world.open(), Err(LedgerError::Damaged { .. })));
    }

    #[test]
    fn after_an_end_that_left_the_log_behind_and_after_a_failure_the_whole_file_is_checked() {
        let world = World::new();
        let first = world.checked_at();
        let mut store = world.open().unwrap();
        // A reader keeps the log where it is, as a kill does.
        let reader = Connection::open(world.path()).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM runs").unwrap();
        let start = RunStart::without_input("/in.csv");
        store.apply(Op::BeginRun { name: "b".to_owned(), start: start.clone() }).unwrap();
        store.commit().unwrap();
        drop(store);
        assert!(std::fs::metadata(world.path().with_extension("db-wal")).unwrap().len() > 0);
        assert_eq!(std::fs::read_to_string(world.path().with_extension("db.lock")).unwrap(), "");
        drop(reader);
        let second = world.checked_at();
        assert!(second > first);

        let mut store = world.open().unwrap();
        // A name of a run that is known already.
        assert!(store.apply(Op::BeginRun { name: "a".to_owned(), start }).is_err());
        drop(store);
        assert!(world.checked_at() > second);
    }
}
