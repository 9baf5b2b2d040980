//! Opening the file: whose it is, how old it is, and how it must be set.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::move_mark::{self, MOVED};
use super::ownership;
use super::place::beside;
use crate::ledger::{Creation, LedgerError};

/// Marks the file as ours ("cimp").
const APPLICATION_ID: i64 = 0x6369_6d70;

/// So many pages of the log, 16 MB, are moved into the file at once. That takes syncs of its own,
/// for which every intent waits.
const LOG_PAGES: i64 = 4000;

/// No database of SQLite is shorter.
const SMALLEST_PAGE: u64 = 512;

/// Each step leads from one schema version to the next. Steps are never changed or reordered, only
/// added.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE secret (bytes BLOB NOT NULL) STRICT;
    CREATE TABLE targets (
        id INTEGER PRIMARY KEY,
        base_url TEXT NOT NULL,
        account TEXT NOT NULL,
        -- A hash of whom the first token of this target belonged to, where the token told.
        owner BLOB,
        UNIQUE (base_url, account)
    ) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        target INTEGER NOT NULL REFERENCES targets (id),
        input TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        exit_code INTEGER,
        stopped TEXT,
        requests INTEGER NOT NULL DEFAULT 0,
        throttled INTEGER NOT NULL DEFAULT 0,
        retries INTEGER NOT NULL DEFAULT 0,
        recovered INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    -- A customer of a target. The claim says which run met it last, and on which row.
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES targets (id),
        email_key TEXT NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        claimed_run INTEGER NOT NULL REFERENCES runs (id),
        claimed_row INTEGER NOT NULL,
        UNIQUE (target, email_key)
    ) STRICT;
    -- A request that may have reached the server and whose effect is unknown. One a record at most.
    CREATE TABLE intents (
        record INTEGER PRIMARY KEY REFERENCES records (id),
        run INTEGER NOT NULL REFERENCES runs (id),
        row INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        idempotency_key TEXT NOT NULL,
        payload_hash BLOB NOT NULL,
        body BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        key_since INTEGER NOT NULL,
        sent_at INTEGER NOT NULL
    ) STRICT;
    -- How a record ended in a run. Only ever added to.
    CREATE TABLE outcomes (
        id INTEGER PRIMARY KEY,
        record INTEGER NOT NULL REFERENCES records (id),
        run INTEGER NOT NULL REFERENCES runs (id),
        status TEXT NOT NULL,
        payload_hash BLOB NOT NULL,
        settled_at INTEGER NOT NULL,
        http_status INTEGER,
        attempts INTEGER NOT NULL,
        error_code TEXT NOT NULL,
        error TEXT NOT NULL,
        warning TEXT NOT NULL,
        server_id TEXT,
        customer_id TEXT,
        kyc_link TEXT,
        tos_link TEXT,
        kyc_status TEXT,
        tos_status TEXT,
        created_at TEXT,
        data TEXT
    ) STRICT;
    CREATE INDEX outcomes_of_record ON outcomes (record, id);
    CREATE INDEX outcomes_of_run ON outcomes (run);
",
    "
    -- The same moments by the clock of a boot, which nobody sets and which runs on while the machine sleeps.
    ALTER TABLE intents ADD COLUMN key_since_boot BLOB;
    ALTER TABLE intents ADD COLUMN key_since_uptime INTEGER;
    ALTER TABLE intents ADD COLUMN sent_at_boot BLOB;
    ALTER TABLE intents ADD COLUMN sent_at_uptime INTEGER;
",
    "
    -- From this moment on the server refuses the token of the request.
    ALTER TABLE intents ADD COLUMN token_until INTEGER;
    ALTER TABLE intents ADD COLUMN token_until_boot BLOB;
    ALTER TABLE intents ADD COLUMN token_until_uptime INTEGER;
    -- A program that knows this version may use the file, even if the file's own version is newer. A step
    -- that such a program could not live with sets its own version here.
    CREATE TABLE compatible (oldest INTEGER NOT NULL) STRICT;
    INSERT INTO compatible (oldest) VALUES (3);
",
    "
    -- Programs of version 3 use files with these tables and know nothing of them. So what is new can be missing,
    -- and goes with what they delete.
    ALTER TABLE runs ADD COLUMN options TEXT;
    ALTER TABLE runs ADD COLUMN records_read INTEGER;
    ALTER TABLE runs ADD COLUMN known_bad INTEGER;
    ALTER TABLE runs ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX runs_of_input ON runs (target, input);
    -- What a run did in a minute of the wall clock, as minutes since 1970. Minutes without anything have no row.
    CREATE TABLE minutes (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        minute INTEGER NOT NULL,
        counts BLOB NOT NULL,
        latencies BLOB NOT NULL,
        PRIMARY KEY (run, minute)
    ) STRICT, WITHOUT ROWID;
    -- A keyed hash of each field that was sent.
    ALTER TABLE outcomes ADD COLUMN field_hashes BLOB;
    -- The records that the last completed run of each input reported as bad, as keyed hashes. The first half of a
    -- digest stands for the person.
    CREATE TABLE bad_records (
        digest BLOB NOT NULL,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, run)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX bad_records_of_run ON bad_records (run);
    -- What the API said of a customer's checks when it was last asked.
    CREATE TABLE checks (
        record INTEGER PRIMARY KEY REFERENCES records (id) ON DELETE CASCADE,
        kyc_status TEXT,
        tos_status TEXT,
        checked_at INTEGER NOT NULL
    ) STRICT;
",
    "
    -- What the server said of the customer beside the customer_id, packed. It stands for the columns from server_id
    -- to data; only rows of older versions have those.
    ALTER TABLE outcomes ADD COLUMN receipt BLOB;
    -- An older program would show such an outcome without its links.
    UPDATE compatible SET oldest = 5;
",
];

/// For each old version, from 1: how its tables look to a reader that expects the newest.
const OLD_AS_NEW: &[&[&str]] = &[
    &[
        "
    CREATE TEMP VIEW intents AS
    SELECT *, NULL AS key_since_boot, NULL AS key_since_uptime, NULL AS sent_at_boot, NULL AS sent_at_uptime,
           NULL AS token_until, NULL AS token_until_boot, NULL AS token_until_uptime
    FROM main.intents;
",
        WITHOUT_MEMORY,
    ],
    &[
        "
    CREATE TEMP VIEW intents AS
    SELECT *, NULL AS token_until, NULL AS token_until_boot, NULL AS token_until_uptime FROM main.intents;
",
        WITHOUT_MEMORY,
    ],
    &[WITHOUT_MEMORY],
    &["CREATE TEMP VIEW outcomes AS SELECT *, NULL AS receipt FROM main.outcomes;"],
];

/// What versions 4 and 5 added.
const WITHOUT_MEMORY: &str = "
    CREATE TEMP VIEW runs AS
    SELECT *, NULL AS options, NULL AS records_read, NULL AS known_bad, 0 AS completed FROM main.runs;
    CREATE TEMP VIEW outcomes AS SELECT *, NULL AS field_hashes, NULL AS receipt FROM main.outcomes;
    CREATE TEMP VIEW minutes AS SELECT 0 AS run, 0 AS minute, x'' AS counts, x'' AS latencies WHERE false;
    CREATE TEMP VIEW bad_records AS SELECT x'' AS digest, 0 AS run WHERE false;
    CREATE TEMP VIEW checks AS
    SELECT 0 AS record, NULL AS kyc_status, NULL AS tos_status, 0 AS checked_at WHERE false;
";

/// Where SQLite keeps the application id in a file, in four bytes.
const MARK_AT: usize = 68;

/// Whether a file is marked as ours. Reads its header alone, because to open another program's
/// database could change it.
pub(in crate::ledger) fn is_marked(path: &Path) -> bool {
    let mut header = [0; MARK_AT + 4];
    let is_file = std::fs::metadata(path).is_ok_and(|file| file.is_file());
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_ok()
        && header[MARK_AT..] == APPLICATION_ID.to_be_bytes()[4..]
}

/// The writing connection to a file that exists: brought to the newest schema, and set to sync
/// every commit. The whole file is checked if `is_unchecked`.
pub(super) fn open_for_writing(path: &Path, creation: Creation, is_unchecked: bool) -> Result<Connection, LedgerError> {
    check_size(path)?;
    if is_unchecked {
        read_through(path);
    }
    let mut connection = connect(path)?;
    let version = recognise(&connection, path)?;
    if version == 0 && creation == Creation::Refused {
        let why = "it is empty, and a ledger with a memory was asked for".to_owned();
        return Err(LedgerError::Foreign { path: path.to_owned(), why });
    }
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    if is_unchecked {
        check(&connection, path)?;
    }
    ownership::narrow(path)?;
    harden(&connection).map_err(failed)?;
    migrate(&mut connection, version).map_err(failed)?;
    // SQLite goes on if the folder that names its log cannot be synced, but a log whose name is
    // lost is lost too.
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| LedgerError::file(folder, &error))?;
    Ok(connection)
}

/// Fails if the file is damaged anywhere. The quick check of SQLite does not compare the indexes
/// with their tables, and a record that its index lacks would be sent again.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|error| LedgerError::sqlite(path, &error))? {
        intact if intact == "ok" => Ok(()),
        why => Err(LedgerError::Damaged { path: path.to_owned(), why }),
    }
}

/// Opens the file for writing, which brings it to the newest schema. Returns the version that it
/// had and the one that it has.
pub(super) fn bring_up_to_date(path: &Path) -> Result<(i64, i64), LedgerError> {
    let before = recognise(&connect(path)?, path)?;
    open_for_writing(path, Creation::Allowed, true)?;
    Ok((before, before.max(newest())))
}

/// Returns a connection that only reads and does not hinder a writer.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Missing(path.to_owned()));
    }
    ownership::check_link(path)?;
    // SQLite follows a link too, and has its side files beside the file that it leads to.
    let real = path.canonicalize().map_err(|error| LedgerError::file(path, &error))?;
    if real.is_dir() {
        return Err(LedgerError::Folder(path.to_owned()));
    }
    ownership::check(&real)?;
    let connection = connect(path)?;
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let version = recognise(&connection, path)?;
    if version == 0 {
        return Err(LedgerError::Empty(path.to_owned()));
    }
    ownership::narrow(&real)?;
    for (_, views) in (1..).zip(OLD_AS_NEW).filter(|(old, _)| *old == version) {
        connection.execute_batch(&views.concat()).map_err(failed)?;
    }
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    // Half of what is usual: an import holds a reader beside the writer, and look-ups meet few
    // pages twice but those near the root.
    connection.pragma_update(None, "cache_size", -1024).map_err(failed)?;
    Ok(connection)
}

/// SQLite takes what is shorter than a page for nothing, and would write over it.
fn check_size(path: &Path) -> Result<(), LedgerError> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    match size(path) {
        0 if size(&beside(path, "-wal")) > 0 => {
            Err(LedgerError::Damaged { path: path.to_owned(), why: "it is empty, but its log is not".to_owned() })
        }
        1..SMALLEST_PAGE => {
            Err(LedgerError::Foreign { path: path.to_owned(), why: "it is too short for one".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Brings the file into memory before it is checked: the check goes along its trees, and disks are
/// many times as fast along the file. What cannot be read is for the check to tell. Never while the
/// file is connected to: closing it here would free the locks that SQLite holds on it.
fn read_through(path: &Path) {
    let Ok(mut file) = File::open(path) else { return };
    let mut buffer = vec![0; 1 << 16];
    while file.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
    // A plan must not depend on the values that are looked for: without this every question is
    // parsed anew, which takes ten times as long.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    Ok(connection)
}

/// The schema version of a ledger of ours, 0 for a file without content; all others are refused
/// before anything is written to them.
fn recognise(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let content = connection.query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get::<_, String>(0));
    let known = newest();
    match (application, version, content.optional().map_err(failed)?) {
        (0, 0, None) => Ok(0),
        (APPLICATION_ID, MOVED, _) => Err(move_mark::read(connection).map_err(failed)?.refusing(path)),
        (APPLICATION_ID, found, _)
            if found > known && oldest(connection).map_err(failed)?.is_none_or(|oldest| oldest > known) =>
        {
            Err(LedgerError::Newer { path: path.to_owned(), found, known })
        }
        (APPLICATION_ID, found, _) => Ok(found),
        _ => Err(LedgerError::Foreign { path: path.to_owned(), why: "it is some other program's database".to_owned() }),
    }
}

/// The version that a program must know to use a file of a newer version. `None` if the file does
/// not say, or says it in a way that this program does not know.
fn oldest(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema JOIN pragma_table_info('compatible') column
                              WHERE sqlite_schema.name = 'compatible' AND column.name = 'oldest')";
    if !connection.query_row(sql, [], |row| row.get(0))? {
        return Ok(None);
    }
    connection.query_row("SELECT oldest FROM compatible", [], |row| row.get(0)).optional()
}

/// Fails if the file is of a newer version, even if this program may use it: it does not know all
/// that is in it.
#[cfg(feature = "postgres")]
pub(super) fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    match found.map_err(|error| LedgerError::sqlite(path, &error))? {
        found if found > newest() && found != MOVED => {
            Err(LedgerError::Newer { path: path.to_owned(), found, known: newest() })
        }
        _ => Ok(()),
    }
}

/// Opens a file that may be marked. Nothing of it is checked or changed.
#[cfg(feature = "postgres")]
pub(super) fn open_marked(path: &Path) -> Result<Connection, LedgerError> {
    let connection = connect(path)?;
    harden(&connection).map_err(|error| LedgerError::sqlite(path, &error))?;
    Ok(connection)
}

pub(super) const fn newest() -> i64 {
    MIGRATIONS.len() as i64
}

/// FULL syncs the log at every commit: what is committed is there after a power cut. Erased bodies
/// must not linger in free pages.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)
}

fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (step, sql) in (0..).zip(MIGRATIONS).skip_while(|(step, _)| *step < version) {
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step + 1)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::super::lock::real_file;
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open_for_writing(path: &Path) -> Result<Connection, LedgerError> {
        super::open_for_writing(&real_file(path, Creation::Allowed)?, Creation::Allowed, true)
    }

    /// What is refused must also be left as it is.
    fn is_refused_untouched(content: &[u8], creation: Creation) {
        let folder = folder();
        let path = folder.path().join("a.db");
        std::fs::write(&path, content).unwrap();
        let opened = super::open_for_writing(&path, creation, true);
        assert!(matches!(opened, Err(LedgerError::Foreign { .. })), "{opened:?}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }

    #[test]
    fn a_new_ledger_is_owner_only_and_syncs_every_commit() {
        let folder = folder();
        let path = folder.path().join("a.db");
        let connection = open_for_writing(&path).unwrap();
        let value = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(value("synchronous"), 2);
        assert_eq!(value("user_version"), newest());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_bundled_sqlite_has_the_wal_reset_fix() {
        assert!(rusqlite::version_number() >= 3_051_003, "found {}", rusqlite::version());
    }

    #[test]
    fn another_programs_database_is_refused_untouched() {
        let folder = folder();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open_for_writing(&path), Err(LedgerError::Foreign { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_untouched_however_short_it_is() {
        for content in ["name,email\n".repeat(100), "name,email\n".to_owned(), "x".to_owned()] {
            is_refused_untouched(content.as_bytes(), Creation::Allowed);
        }
    }

    #[test]
    fn an_empty_file_is_no_required_ledger() {
        is_refused_untouched(b"", Creation::Refused);
    }

    #[test]
    fn an_empty_file_with_a_log_is_a_damaged_ledger() {
        let folder = folder();
        let path = folder.path().join("a.db");
        std::fs::write(&path, "").unwrap();
        std::fs::write(folder.path().join("a.db-wal"), "frames").unwrap();
        assert!(matches!(open_for_writing(&path), Err(LedgerError::Damaged { .. })));
    }

    #[test]
    fn an_index_that_differs_from_its_table_is_damage() {
        let folder = folder();
        let path = folder.path().join("a.db");
        let connection = open_for_writing(&path).unwrap();
        // The schema does not know the index for as long as the table is changed.
        connection
            .execute_batch(
                "INSERT INTO targets (base_url, account) VALUES ('a', 'b');
                 INSERT INTO runs (name, target, input, started_at) VALUES ('r', 1, 'i', 0), ('s', 1, 'i', 0);
                 INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (1, 'e', 1, 1);
                 INSERT INTO outcomes (record, run, status, payload_hash, settled_at, attempts, error_code, error, warning)
                 VALUES (1, 1, 'created', x'00', 0, 1, '', '', '');
                 PRAGMA writable_schema = ON;
                 CREATE TEMP TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = 'outcomes_of_run';
                 DELETE FROM sqlite_schema WHERE name = 'outcomes_of_run';
                 PRAGMA writable_schema = RESET;
                 UPDATE outcomes SET run = 2;
                 PRAGMA writable_schema = ON;
                 INSERT INTO sqlite_schema SELECT * FROM hidden;
                 PRAGMA writable_schema = RESET;",
            )
            .unwrap();
        drop(connection);
        assert!(matches!(open_for_writing(&path), Err(LedgerError::Damaged { .. })));
    }

    /// With a doubt of a run that this version left.
    fn of_version(version: usize, path: &Path) {
        let ledger = Connection::open(path).unwrap();
        MIGRATIONS[..version].iter().for_each(|step| ledger.execute_batch(step).unwrap());
        ledger.pragma_update(None, "user_version", version as i64).unwrap();
        ledger.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        ledger
            .execute_batch(
                "INSERT INTO targets (base_url, account) VALUES ('a', 'b');
                 INSERT INTO runs (name, target, input, started_at) VALUES ('r', 1, 'i', 0);
                 INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (1, 'e', 1, 1);
                 INSERT INTO intents (record, run, row, generation, idempotency_key, payload_hash, body, attempt,
                                      key_since, sent_at)
                 VALUES (1, 1, 1, 0, 'k', zeroblob(32), x'7b7d', 1, 1000, 2000);",
            )
            .unwrap();
        if version > 1 {
            ledger.execute_batch("UPDATE intents SET sent_at_boot = zeroblob(16), sent_at_uptime = 5").unwrap();
        }
    }

    #[test]
    fn a_ledger_of_an_older_version_is_read_as_it_is_and_brought_up_to_date_by_the_next_writer() {
        let open = |connection: &Connection| {
            let email = crate::domain::EmailKey::of("e");
            let (_, state) = super::super::record_rows::record(connection, 1, &email, 1).unwrap().unwrap();
            state.open.unwrap().1
        };
        for version in 1..MIGRATIONS.len() {
            let folder = folder();
            let path = folder.path().join("a.db");
            of_version(version, &path);
            let before = std::fs::read(&path).unwrap();
            let read = open(&open_for_reading(&path).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), before, "{version}");
            assert_eq!((read.key.as_str(), read.sent_at.wall.as_millisecond()), ("k", 2000), "{version}");
            assert_eq!((read.sent_at.boot.is_some(), read.token_until), (version > 1, None), "{version}");
            let writer = open_for_writing(&path).unwrap();
            assert_eq!(open(&writer), read, "{version}");
            assert_eq!(open(&open_for_reading(&path).unwrap()), read, "{version}");
        }
    }

    fn names(connection: &Connection, sql: &str) -> Vec<String> {
        let mut asked = connection.prepare(sql).unwrap();
        asked.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_reader_of_an_older_version_has_every_column_of_the_newest() {
        let folder = folder();
        let columns = |connection: &Connection| {
            let newest = ["bad_records", "checks", "intents", "minutes", "outcomes", "records", "runs", "secret"];
            newest.map(|table| {
                let mut columns = names(connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
                columns.sort_unstable();
                columns
            })
        };
        let path = folder.path().join("new.db");
        let newest = columns(&open_for_writing(&path).unwrap());
        for version in 1..MIGRATIONS.len() {
            let path = folder.path().join(format!("{version}.db"));
            of_version(version, &path);
            assert_eq!(columns(&open_for_reading(&path).unwrap()), newest, "{version}");
        }
    }

    #[test]
    fn a_reader_of_an_older_version_knows_its_runs_and_outcomes_and_nothing_that_came_later() {
        for version in 1..MIGRATIONS.len() {
            let folder = folder();
            let path = folder.path().join("a.db");
            of_version(version, &path);
            Connection::open(&path).unwrap().execute_batch(OUTCOME_OF_VERSION_3).unwrap();
            let target = crate::ledger::Target { base_url: "a".to_owned(), account: "b".to_owned() };
            for is_new in [false, true] {
                if is_new {
                    drop(open_for_writing(&path).unwrap());
                }
                let reader = crate::ledger::Reader::open(&path, &target).unwrap();
                let email = crate::domain::EmailKey::of("e");
                let (_, outcome) = reader.outcome(&email, None).unwrap().unwrap();
                let crate::ledger::StoredOutcome { receipt, checked, .. } = outcome.unwrap();
                let texts = (receipt.id.as_deref(), receipt.customer_id.as_deref(), receipt.data.text());
                assert_eq!((texts, checked), ((Some("i"), Some("c"), Some("{}")), None));
                let changed = reader.changed_fields(&[(&email, b"{}")], None).unwrap();
                assert_eq!(changed, [crate::domain::ChangedFields::Unknown]);
                let run = reader.last_run("i").unwrap().unwrap();
                assert_eq!((run.start.options, run.records_read, run.is_completed), (None, None, false));
                assert!(reader.last_completed("i").unwrap().is_none() && reader.minutes(1).unwrap().is_empty());
                assert_eq!(reader.tally_of(1).unwrap().get(crate::domain::Status::InDoubt), 1);
                let digest = reader.hasher().bad_record(None, [], "");
                assert_eq!(reader.known_bad(&[digest]).unwrap(), [false]);
            }
        }
    }

    const OUTCOME_OF_VERSION_3: &str =
        "INSERT INTO outcomes (record, run, status, payload_hash, settled_at, http_status, attempts, error_code, error,
                               warning, server_id, customer_id, kyc_link, tos_link, kyc_status, tos_status, created_at, data)
         VALUES (1, 1, 'created', zeroblob(32), 0, 200, 1, '', '', '', 'i', 'c', '', '', '', '', '', '{}')";

    /// They would show packed answers without ids and links.
    #[test]
    fn programs_of_every_older_version_are_refused_once_the_file_is_up_to_date() {
        for version in 1..MIGRATIONS.len() {
            let folder = folder();
            let path = folder.path().join("a.db");
            of_version(version, &path);
            assert_eq!(oldest(&open_for_writing(&path).unwrap()).unwrap(), Some(newest()), "{version}");
        }
    }

    #[test]
    fn every_old_version_can_be_read() {
        assert_eq!(OLD_AS_NEW.len() + 1, MIGRATIONS.len());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = folder();
        let path = folder.path().join("a.db");
        of_newer_version(&path, "UPDATE compatible SET oldest = user_version FROM pragma_user_version");
        assert!(matches!(open_for_writing(&path), Err(LedgerError::Newer { .. })));
        assert!(matches!(open_for_reading(&path), Err(LedgerError::Newer { .. })));
    }

    /// As the next version of this program might make it.
    fn of_newer_version(path: &Path, change: &str) {
        let ledger = open_for_writing(path).unwrap();
        ledger.pragma_update(None, "user_version", newest() + 1).unwrap();
        ledger.execute_batch(change).unwrap();
    }

    #[test]
    fn a_newer_schema_that_does_not_say_whom_it_serves_is_refused() {
        for change in
            ["DROP TABLE compatible", "DELETE FROM compatible", "ALTER TABLE compatible RENAME oldest TO other"]
        {
            let folder = folder();
            let path = folder.path().join("a.db");
            of_newer_version(&path, change);
            assert!(matches!(open_for_reading(&path), Err(LedgerError::Newer { .. })), "{change}");
            assert!(matches!(open_for_writing(&path), Err(LedgerError::Newer { .. })), "{change}");
        }
    }

    #[test]
    fn a_newer_schema_that_only_added_to_this_one_is_used_and_stays_newer() {
        let folder = folder();
        let path = folder.path().join("a.db");
        of_newer_version(&path, "ALTER TABLE intents ADD COLUMN later INTEGER");
        let version = |connection: &Connection| {
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(version(&open_for_reading(&path).unwrap()), newest() + 1);
        assert_eq!(version(&open_for_writing(&path).unwrap()), newest() + 1);
        let target = crate::ledger::Target { base_url: "a".to_owned(), account: "b".to_owned() };
        let store = super::super::SqliteStore::open(&path, &target, Creation::Refused).unwrap();
        drop(store);
        assert!(open_for_reading(&path).is_ok());
    }

    #[test]
    fn a_damaged_ledger_is_refused() {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let folder = folder();
        let path = folder.path().join("a.db");
        drop(open_for_writing(&path).unwrap());
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(4096)).unwrap();
        file.write_all(&[0xff; 8192]).unwrap();
        assert!(matches!(open_for_writing(&path), Err(LedgerError::Damaged { .. })));
    }

    #[test]
    fn reading_makes_no_ledger() {
        let folder = folder();
        let path = folder.path().join("a.db");
        assert!(matches!(open_for_reading(&path), Err(LedgerError::Missing(_))));
        assert!(!path.exists());
    }
}
