//! `ledger move` and `ledger migrate`: an older or a smaller ledger becomes a newer or a shared
//! one.

#![cfg(unix)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use testkit::postgres::Database;

use crate::harness::{Lab, Ran, Server, email};
use crate::many;
use crate::shared_ledger::World;
use crate::syscalls::{busiest, chosen, run_traced, strace_is_missing};

/// A server that honors keys alone: a request with another key would be a second customer.
fn world(customers: usize, server: &[&str]) -> Option<World> {
    World::of(customers, &[&["--key-only"], server].concat())
}

impl World {
    /// An import into a file that is killed while the server works on its requests.
    fn doubts(&self) {
        let mut command = self.import_by("l.db", &["--concurrency", "2"]);
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.server.wait_for_posts(4);
        run.kill().unwrap();
        run.wait().unwrap();
    }

    fn move_it(&self) -> Ran {
        self.lab.run(&["ledger", "move", "--from", "l.db", "--ledger", &self.database.url()])
    }
}

fn keys_of_file(path: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(path).unwrap();
    let mut asked = file.prepare("SELECT idempotency_key FROM intents ORDER BY 1").unwrap();
    asked.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn keys_of(database: &Database) -> Vec<String> {
    let keys =
        database.sql("SELECT idempotency_key FROM customer_import.intents ORDER BY idempotency_key COLLATE \"C\"");
    keys.lines().map(str::to_owned).collect()
}

#[test]
fn after_a_move_nobody_is_sent_twice_and_a_doubt_is_asked_for_with_the_same_key() {
    let Some(world) = world(8, &["--latency", "400ms"]) else { return };
    world.doubts();
    let keys = keys_of_file(&world.lab.path("l.db"));
    // How many there are depends on how long commits take here: intents are written ahead (I7).
    assert!(!keys.is_empty(), "the kill left no doubt");
    let url = world.database.url();
    let moved = world.move_it().ends(0).says("l.db moved to postgres://").says("1 account, 1 run, ");
    moved.says("in doubt").says(&format!("--ledger '{url}'"));
    assert_eq!(keys_of(&world.database), keys);
    // The file lets no run in, and says where to go on.
    let target = ["--base-url", &world.server.url, "--ledger", "l.db"];
    for words in [&["check", "in.csv"][..], &["ledger", "show"], &["ledger", "forget", "--target", "--yes"]] {
        let refused = world.lab.run(&[words, &target].concat());
        refused.ends(78).says("l.db moved to postgres://").says("hint: go on there: ");
    }
    let seen = world.server.posts().len();
    let refused = Ran::of(&mut world.import_by("l.db", &[])).ends(78);
    assert_eq!(world.server.posts().len(), seen);
    let (_, hint) = refused.stderr.split_once("go on there: ").unwrap();
    world.lab.shell(hint.lines().next().unwrap()).ends(0);
    world.server.has_each_once((0..8).map(email));
    let mut sent = HashMap::<String, HashSet<String>>::new();
    for post in world.server.posts() {
        sent.entry(post["email"].to_string()).or_default().insert(post["key"].to_string());
    }
    assert!(sent.values().all(|keys| keys.len() == 1), "{sent:?}");
    world.move_it().ends(0).says("had moved before");
}

#[test]
fn a_move_that_cannot_be_made_leaves_the_file_as_the_ledger() {
    let Some(world) = world(2, &[]) else { return };
    let url = world.database.url();
    Ran::of(&mut world.import_by("l.db", &[])).ends(0);
    let to = |ledger: &str, from: &str| world.lab.run(&["ledger", "move", "--from", from, "--ledger", ledger]);
    to("other.db", "l.db").ends(2).says("PostgreSQL database only").says("--ledger postgres://USER@HOST/DATABASE");
    to(&format!("postgres://postgres@127.0.0.1:1/{}", world.database.name()), "l.db")
        .ends(74)
        .says("cannot be reached");
    to("postgres://u:s3cret@h/d", "l.db").ends(78).says("holds a password");
    to(&url, "missing.db").ends(78).says("does not exist").says("hint: name the ledger file with --from");
    world.lab.write("other.txt", "name,email\n".repeat(100));
    to(&url, "other.txt").ends(78).says("hint: name the ledger file with --from");
    to(&url, ".").ends(78).says("hint: name the ledger file with --from");
    // The database knows the account from elsewhere.
    let warned = Ran::of(&mut world.import_by(&url, &["--limit", "1"])).ends(0);
    warned.says("does not know this target").says("stop and run: customer-import ledger move --from ");
    let refused = to(&url, "l.db").ends(78).says("knows \"default\" at ").says("hint: nothing was moved");
    assert!(!refused.stderr.contains("panicked"));
    Ran::of(&mut world.import_by("l.db", &[])).ends(0);
    assert_eq!(world.lab.statuses(), ["already_imported", "already_imported"]);
    // Rights that are missing in the middle of it.
    world
        .lab
        .run(&["ledger", "forget", "--target", "--yes", "--base-url", &world.server.url, "--ledger", &url])
        .ends(0);
    let role = format!("mover_of_{}", world.database.name());
    world.database.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA customer_import TO {role}; \
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA customer_import TO {role}; \
         REVOKE INSERT ON customer_import.outcomes FROM {role}"
    ));
    to(&world.database.url_of(&role), "l.db").ends(78).says("permission denied for table outcomes");
    assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.records"), "0");
    world.database.sql(&format!("GRANT INSERT ON customer_import.outcomes TO {role}"));
    to(&world.database.url_of(&role), "l.db").ends(0).says("1 account, 2 runs, 2 records, 0 of them in doubt");
    world.database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Which of the two is the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LedgerIs {
    File,
    Database,
    /// Only the database knows, and neither is used before it was asked.
    Asked,
}

#[test]
fn p16_killed_at_any_step_of_a_move_the_ledger_is_the_file_or_the_database_and_never_both() {
    const CALLS: [&str; 9] =
        ["pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "write", "writev", "sendto", "recvfrom"];
    let Some(world) = world(8, &["--latency", "400ms"]) else { return };
    if strace_is_missing() {
        return;
    }
    let begun = Instant::now();
    world.doubts();
    drop(rusqlite::Connection::open(world.lab.path("l.db")).unwrap().query_row(
        "PRAGMA wal_checkpoint(TRUNCATE)",
        [],
        |_| Ok(()),
    ));
    let (file, keys) = (std::fs::read(world.lab.path("l.db")).unwrap(), keys_of_file(&world.lab.path("l.db")));
    let trial = |options: &[&str]| {
        let (lab, database) = (Lab::new(), Database::new().unwrap());
        let path = lab.write("l.db", &file);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let moving = ["ledger", "move", "--from", "l.db", "--ledger", &database.url()].map(str::to_owned);
        let moving: Vec<_> = moving.iter().map(String::as_str).collect();
        let ran = run_traced(&lab, options, &moving);
        (ran, lab, database)
    };
    let (ran, lab, _) = trial(&["-e", &format!("trace={}", CALLS.join(","))]);
    ran.ends(0);
    let counts = busiest(&lab.read("trace"), &CALLS);
    let points: Vec<_> = counts.iter().flat_map(|(call, count)| chosen(*count).map(move |n| (*call, n))).collect();
    let found = std::sync::Mutex::new(BTreeMap::<LedgerIs, usize>::new());
    many::each(&points, |(call, n)| {
        let inject = format!("inject={call}:signal=SIGKILL:when={n}");
        let (ran, lab, database) = trial(&["-e", &format!("trace={call}"), "-e", &inject]);
        assert!(ran.code == 137 || ran.code == 0, "{ran:?}");
        let known = "SELECT CASE WHEN to_regclass('customer_import.records') IS NULL THEN 0 ELSE 1 END";
        let has_tables = database.sql(known) == "1";
        let there = || database.sql("SELECT count(*) FROM customer_import.records");
        let is_there = has_tables && there() != "0";
        let shown = lab.run(&["ledger", "show", "--base-url", &world.server.url, "--ledger", "l.db"]);
        let is = match (shown.code, is_there) {
            (0, false) => LedgerIs::File,
            (78, false) if shown.stderr.contains("is being moved") => LedgerIs::Asked,
            (78, true) => LedgerIs::Database,
            (_, is_there) => panic!("{shown:?}, and the database has it: {is_there}"),
        };
        *found.lock().unwrap().entry(is).or_default() += 1;
        lab.run(&["ledger", "move", "--from", "l.db", "--ledger", &database.url()]).ends(0);
        assert_eq!((keys_of(&database), there()), (keys.clone(), "8".to_owned()));
        lab.run(&["ledger", "show", "--base-url", &world.server.url, "--ledger", "l.db"]).ends(78);
        let free = "SELECT count(*) FROM customer_import.accounts WHERE term IS NULL";
        assert_eq!(database.sql(free), "1", "the lease was given back");
    });
    let found = found.into_inner().unwrap();
    many::note(format_args!("{counts:?}: {} points, {found:?}, {:.1} s", points.len(), begun.elapsed().as_secs_f32()));
    assert!(found[&LedgerIs::File] > 5 && found[&LedgerIs::Database] > 2, "{found:?}");
}

/// Makes the file one of version 3, as an earlier version of the program left it.
fn age(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(
        "DROP TABLE checks; DROP TABLE bad_records; DROP TABLE minutes; DROP INDEX runs_of_input;
         ALTER TABLE outcomes DROP COLUMN receipt; UPDATE compatible SET oldest = 3;
         ALTER TABLE outcomes DROP COLUMN field_hashes; ALTER TABLE runs DROP COLUMN options;
         ALTER TABLE runs DROP COLUMN records_read; ALTER TABLE runs DROP COLUMN known_bad;
         ALTER TABLE runs DROP COLUMN completed; PRAGMA user_version = 3;",
    )
    .unwrap();
}

#[test]
fn migrate_brings_an_old_ledger_file_up_to_date_and_the_next_import_knows_what_it_knew() {
    let (lab, customers) = (Lab::new(), 3);
    let server = Server::start(&lab, &["--key-only"]);
    lab.customers(customers);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    age(&lab.path("l.db"));
    let migrate = || lab.run(&["ledger", "migrate", "--ledger", "l.db"]);
    migrate().ends(0).says("was brought from schema 3 to 5");
    migrate().ends(0).says("is up to date (schema 5)");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once((0..customers).map(email));
    assert_eq!(lab.statuses(), ["already_imported"; 3]);
    lab.run(&["ledger", "migrate", "--ledger", "missing.db"]).ends(78);
}

#[test]
fn a_ledger_file_of_an_older_version_moves_too() {
    let Some(world) = world(3, &[]) else { return };
    Ran::of(&mut world.import_by("l.db", &[])).ends(0);
    age(&world.lab.path("l.db"));
    world.move_it().ends(0).says("1 account, 1 run, 3 records");
    Ran::of(&mut world.import_by(&world.database.url(), &[])).ends(0);
    assert_eq!(world.lab.statuses(), ["already_imported"; 3]);
    world.server.has_each_once((0..3).map(email));
}

#[test]
fn a_shared_ledger_of_version_1_is_refused_until_it_is_migrated_and_loses_nothing() {
    let Some(world) = world(2, &[]) else { return };
    let url = world.database.url();
    Ran::of(&mut world.import_by(&url, &[])).ends(0);
    world.database.sql(
        "ALTER TABLE customer_import.accounts DROP COLUMN secret, DROP COLUMN moved_by, DROP COLUMN next_at; \
         UPDATE customer_import.ledger SET version = 1, oldest = 1",
    );
    Ran::of(&mut world.import_by(&url, &[]))
        .ends(78)
        .says("schema 1, this one needs 2")
        .says("ledger migrate --ledger");
    world.lab.run(&["ledger", "migrate", "--ledger", &url]).ends(0).says("was brought from schema 1 to 2");
    Ran::of(&mut world.import_by(&url, &[])).ends(0);
    assert_eq!(world.lab.statuses(), ["already_imported"; 2]);
}
