//! A ledger in a PostgreSQL database, as several hosts use it.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};

use testkit::database_proxy::DatabaseProxy;
use testkit::postgres::{Cluster, Database};

use crate::harness::{Lab, Ran, Server, email, exit_code, wait_until};
use crate::many;

/// Short waits, and a settle time that no request outlives. A takeover waits a second, and then the
/// settle time.
const SHARED: [&str; 10] = ["--rate", "500/s", "--settle", "2s", "--timeout", "2s", "--grace", "1s", "--lease", "6s"];

/// Those of [`SHARED`].
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);
const SETTLE: std::time::Duration = std::time::Duration::from_secs(2);

/// A database with a lab and a server. Dropped in this order.
pub(crate) struct World {
    pub server: Server,
    pub lab: Lab,
    pub database: Database,
}

impl World {
    /// A world of so many customers, or `None` if this machine has no PostgreSQL.
    #[track_caller]
    pub(crate) fn of(customers: usize, server: &[&str]) -> Option<Self> {
        Some(Self::at(Database::new()?, customers, server))
    }

    /// The same with a ledger in this database.
    pub(crate) fn at(database: Database, customers: usize, server: &[&str]) -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab, server);
        lab.customers(customers);
        Self { server, lab, database }
    }

    /// `import` of the customers, over this way to the ledger.
    pub(crate) fn import_by(&self, ledger: &str, more: &[&str]) -> Command {
        self.import_to(&self.server.url, ledger, more)
    }

    /// The same, over another way to the server.
    pub(crate) fn import_to(&self, api: &str, ledger: &str, more: &[&str]) -> Command {
        let first = ["import", "in.csv", "--base-url", api, "--ledger", ledger];
        self.lab.command(&[&first[..], &SHARED, more].concat())
    }

    pub(crate) fn import(&self, more: &[&str]) -> Ran {
        Ran::of(&mut self.import_by(&self.database.url(), more))
    }

    /// Another command about the same target.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        let target = ["--base-url", &self.server.url, "--ledger", &self.database.url()];
        self.lab.run(&[words, &target].concat())
    }

    pub(crate) fn each_once(&self, customers: usize) {
        self.server.has_each_once((0..customers).map(email));
    }

    /// The value of a column of the account.
    pub(crate) fn account(&self, column: &str) -> String {
        self.database.sql(&format!("SELECT {column} FROM customer_import.accounts"))
    }
}

/// A process that goes on in the background.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    pub(crate) fn ended(mut self) -> Ran {
        Ran::from(self.0.take().unwrap().wait_with_output().unwrap())
    }

    pub(crate) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        assert_eq!(exit_code(child.wait().unwrap()), 137);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

pub(crate) fn created(customers: usize) -> Vec<String> {
    vec!["created".to_owned(); customers]
}

#[test]
fn a_shared_ledger_remembers_what_was_sent_and_every_command_reads_it() {
    let Some(world) = World::of(3, &["--fault", "422:p1@example.com"]) else { return };
    world.import(&["--report", "in.report.csv"]).ends(1);
    assert_eq!(world.lab.statuses(), ["created", "rejected", "created"]);
    let sent = world.server.requests();
    world.import(&[]).ends(1);
    assert_eq!(world.server.requests(), sent, "nothing is sent again");
    assert_eq!(world.lab.statuses(), ["already_imported", "rejected", "already_imported"]);
    world.run(&["report", "in.csv", "--run", "last"]).ends(1);
    assert_eq!(world.lab.statuses(), ["already_imported", "rejected", "already_imported"]);
    world.run(&["check", "in.csv"]).ends(0);
    world.run(&["ledger", "show"]).ends(0).says("2 runs · 3 records");
    world.run(&["ledger", "show", "p0@example.com"]).ends(0).says("p0@example.com: created");
    world.run(&["ledger", "settle", "p0@example.com", "--absent"]).ends(2).says("is not in doubt");
    world.run(&["ledger", "forget", "p0@example.com", "--yes"]).ends(0);
    world.run(&["ledger", "show"]).ends(0).says("3 runs · 2 records");
    world.run(&["ledger", "migrate"]).ends(0).says("is up to date (schema 2)");
    assert_eq!(world.account("term IS NULL"), "t", "the lease was given back");
}

#[test]
fn a_password_in_the_address_is_refused_and_never_repeated() {
    let lab = Lab::new();
    lab.customers(1);
    let url = "postgres://user:s3cret@db.example.com/ledger";
    let target = ["--base-url", "http://127.0.0.1:9", "--ledger", url];
    for words in [&["import", "in.csv"][..], &["check", "in.csv"], &["ledger", "show"], &["ledger", "migrate"]] {
        let ran = lab.run(&[words, &target].concat()).ends(78).says("holds a password").says("--ledger-password-file");
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("s3cret"), "{words:?}");
    }
    // What is refused before the ledger is looked at repeats the command.
    let ran = lab.run(&["import", "in.csv", "--ledger", url]).ends(2).says("--ledger postgres://ADDRESS");
    assert!(!ran.stderr.contains("s3cret"));
    let refused = lab.run(&["import", "in.csv", "--lease", "1s"]).ends(2).says("is below 6s");
    assert!(!refused.stderr.contains("panicked"));
}

#[test]
fn a_settle_time_below_the_timeout_is_refused_if_the_ledger_is_shared() {
    let lab = Lab::new();
    lab.customers(1);
    let args = ["import", "in.csv", "--base-url", "http://127.0.0.1:9", "--settle", "1s", "--ledger", "postgres://h/d"];
    lab.run(&args).ends(2).says("--settle is below --timeout").says("hint:");
}

#[test]
fn a_required_shared_ledger_that_is_missing_is_refused_until_it_is_made() {
    let Some(world) = World::of(1, &[]) else { return };
    let refused = world.import(&["--require-ledger"]).ends(78).says("no schema customer_import");
    let begin = refused.stderr.find("customer-import ledger migrate --ledger ").expect("a command");
    let printed = refused.stderr[begin..].lines().next().unwrap();
    let command = printed.replacen("customer-import", crate::harness::program().to_str().unwrap(), 1);
    world.run(&["report", "in.csv"]).ends(78).says("does not exist");
    assert_eq!(world.server.requests(), 0);
    // Without a base URL: the owner of the tables needs no API.
    world.lab.shell(&command).ends(0).says("was created (schema 2)");
    world.import(&["--require-ledger"]).ends(0);
    world.each_once(1);
}

#[test]
fn a_ledger_of_another_version_or_program_or_without_rights_is_refused_untouched() {
    let Some(world) = World::of(1, &[]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let set = |version: u32, oldest: u32| {
        world.database.sql(&format!("UPDATE customer_import.ledger SET version = {version}, oldest = {oldest}"))
    };
    set(7, 7);
    world.import(&[]).ends(78).says("newer version").says("schema 7");
    set(7, 1);
    world.import(&[]).ends(0);
    set(0, 0);
    world.import(&[]).ends(78).says("older version").says("ledger migrate");
    set(2, 2);
    world.database.sql(
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA customer_import TO reader; \
                        GRANT SELECT ON ALL TABLES IN SCHEMA customer_import TO reader",
    );
    let reader = world.database.url_of("reader");
    let (base, ledger) = (["--base-url", &world.server.url], ["--ledger", &reader]);
    world.lab.run(&[&["ledger", "show"][..], &base, &ledger].concat()).ends(0).says("1 record");
    Ran::of(&mut world.import_by(&reader, &[])).ends(78).says("permission denied").says("rights of its role");
    world.database.sql("DROP OWNED BY reader; DROP ROLE reader");
    world.database.sql(
        "DROP SCHEMA customer_import CASCADE; CREATE SCHEMA customer_import; \
                        CREATE TABLE customer_import.theirs (a int)",
    );
    world.import(&[]).ends(78).says("holds other tables");
    world.each_once(1);
}

#[test]
fn a_database_out_of_reach_is_said_before_anything_is_sent() {
    let Some(world) = World::of(1, &[]) else { return };
    let nowhere = format!("postgres://postgres@127.0.0.1:1/{}", world.database.name());
    Ran::of(&mut world.import_by(&nowhere, &[])).ends(74).says("cannot be reached").says("hint:");
    let missing = world.database.url().replace(world.database.name(), "nothing");
    Ran::of(&mut world.import_by(&missing, &[])).ends(78).says("does not exist");
    assert_eq!(world.server.requests(), 0);
}

#[test]
fn p8_a_standby_that_starts_in_a_moment_without_a_database_waits_for_it_as_for_the_lease() {
    let Some(world) = World::of(2, &[]) else { return };
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    proxy.shut();
    let run = world.import_by(&world.database.url_at(proxy.port), &["--wait-for-lease", "60s"]);
    let run = Running::start(run);
    wait_until("it did not try to connect", || proxy.refused() >= 2);
    proxy.open();
    run.ended().ends(0);
    world.each_once(2);
}

#[test]
fn a_held_ledger_is_refused_with_the_holders_name_and_read_meanwhile() {
    let Some(world) = World::of(4, &["--latency", "1500ms"]) else { return };
    let mut first = world.import_by(&world.database.url(), &["--concurrency", "1"]);
    first.env("CUSTOMER_IMPORT_HOLDER", "host-one");
    let first = Running::start(first);
    world.server.wait_for_posts(1);
    world.import(&[]).ends(5).says("another run holds the ledger").says("on host-one").says("(run ");
    world.run(&["ledger", "show"]).ends(0).says("in doubt");
    world.run(&["report", "in.csv"]).says("Running since");
    world.run(&["ledger", "forget", "--target", "--yes"]).ends(5);
    first.ended().ends(0);
    world.each_once(4);
}

#[test]
fn p6_a_commit_whose_acknowledgement_is_lost_is_neither_done_twice_nor_forgotten() {
    for lost in [0, 1, 2, 3, 4, 6, 9] {
        let Some(world) = World::of(6, &[]) else { return };
        let proxy = DatabaseProxy::before(world.database.cluster().socket());
        proxy.lose_commit_after(lost);
        let ran = Ran::of(&mut world.import_by(&world.database.url_at(proxy.port), &["--concurrency", "2"])).ends(0);
        assert_eq!(proxy.lost(), 1, "{lost}: {}", ran.stderr);
        assert_eq!(world.lab.statuses(), created(6), "{lost}: a claim must not find itself claimed");
        world.each_once(6);
        let count = |what: &str| world.database.sql(&format!("SELECT count(*) FROM customer_import.{what}"));
        assert_eq!([count("outcomes"), count("intents"), count("runs")], ["6", "0", "1"], "{lost}");
        assert_eq!(world.account("epoch"), "1", "{lost}: the lost acknowledgement of a takeover is one takeover");
    }
}

#[test]
fn p8_a_run_outlives_a_crash_of_the_database() {
    let Some(world) = World::of(40, &["--latency", "50ms"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(5);
    // Ends every session of this database as a crash does; a crash would end those of other tests.
    world.database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                        AND pid <> pg_backend_pid()",
    );
    run.ended().ends(0).says("is reached again");
    assert_eq!(world.lab.statuses(), created(40));
    world.each_once(40);
}

#[test]
fn p17_a_run_that_is_terminated_gives_the_lease_back_and_the_next_one_needs_not_wait() {
    let Some(world) = World::of(60, &["--latency", "50ms"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(5);
    run.signal("TERM");
    run.ended().ends(143);
    assert_eq!(world.account("term IS NULL"), "t");
    assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.intents"), "0", "no doubt is left");
    world.import(&[]).ends(0);
    world.each_once(60);
}

#[test]
fn p1_after_a_kill_a_run_of_the_same_machine_goes_on_at_once_because_it_sees_that_the_holder_is_dead() {
    let Some(world) = World::of(20, &["--latency", "300ms", "--racy", "--email-only"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    run.kill();
    assert_eq!(world.account("term IS NOT NULL AND lease_until > clock_timestamp()"), "t", "the lease is alive");
    world.import(&[]).ends(0);
    assert_eq!(world.account("epoch"), "2");
    world.each_once(20);
}

#[test]
fn p1_after_a_kill_another_host_takes_over_when_the_lease_is_too_old() {
    let Some(world) = World::of(20, &["--latency", "300ms", "--racy", "--email-only"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    run.kill();
    // Another host does not see the file that shows that the process is dead.
    let lock = world.account("holder->>'lock'");
    std::fs::remove_file(lock).unwrap();
    world.import(&[]).ends(5).says("another run holds the ledger");
    world.import(&["--wait-for-lease", "60s"]).ends(0).says("waiting for the ledger");
    assert_eq!(world.account("epoch"), "2");
    world.each_once(20);
}

#[test]
fn p2_a_holder_that_was_stopped_finds_the_ledger_taken_over_and_sends_nothing_more() {
    let Some(world) = World::of(12, &["--latency", "400ms", "--racy", "--email-only"]) else { return };
    let zombie = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    zombie.signal("STOP");
    let mut second = world.import_by(&world.database.url(), &["--wait-for-lease", "60s", "--report", "second.csv"]);
    let second = Running::start({
        second.env("CUSTOMER_IMPORT_HOLDER", "host-two");
        second
    });
    wait_until("the lease was not taken over", || world.account("epoch") == "2");
    let seen = world.server.posts().len();
    zombie.signal("CONT");
    zombie.ended().ends(5).says("was taken over by process").says("on host-two").says("no report was written");
    assert!(!world.lab.path("in.report.csv").exists());
    second.ended().ends(0);
    assert!(world.server.posts().len() > seen);
    world.each_once(12);
}

/// The report is written before the run notes its end, so that the end can have the counts.
#[test]
fn p2_a_run_that_loses_the_ledger_while_it_ends_says_that_its_report_is_not_the_last_one() {
    let Some(world) = World::of(3, &[]) else { return };
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    proxy.hold_before("UPDATE customer_import.runs");
    let first = Running::start(world.import_by(&world.database.url_at(proxy.port), &[]));
    wait_until("the run does not end", || proxy.is_held());
    world.import(&["--wait-for-lease", "60s", "--report", "second.csv"]).ends(0);
    proxy.release();
    first.ended().ends(5).says("was taken over").says("the report of this run was written just before");
    assert_eq!(world.lab.statuses(), created(3));
    world.each_once(3);
}

#[test]
fn p4_a_short_partition_is_outlived_and_a_long_one_loses_the_ledger_to_a_standby() {
    let Some(world) = World::of(30, &["--latency", "100ms"]) else { return };
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    let first = Running::start(world.import_by(&world.database.url_at(proxy.port), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    proxy.hold();
    std::thread::sleep(std::time::Duration::from_secs(2));
    proxy.release();
    let seen = world.server.posts().len();
    world.server.wait_for_posts(seen + 3);
    assert_eq!(world.account("epoch"), "1", "nobody else came");
    proxy.hold();
    let standby =
        Running::start(world.import_by(&world.database.url(), &["--wait-for-lease", "60s", "--report", "b.csv"]));
    wait_until("the lease was not taken over", || world.account("epoch") == "2");
    let intents = world.database.sql("SELECT count(*) FROM customer_import.intents WHERE epoch = 1");
    assert!(intents.parse::<u32>().unwrap() <= 2, "at most as many doubts as slots");
    proxy.release();
    first.ended().ends(5).says("was taken over");
    standby.ended().ends(0);
    world.each_once(30);
}

#[test]
fn a_standby_ends_well_if_the_run_that_it_waited_for_did_everything() {
    let Some(world) = World::of(6, &["--latency", "400ms"]) else { return };
    let first = Running::start(world.import_by(&world.database.url(), &["--concurrency", "1"]));
    world.server.wait_for_posts(1);
    let standby = world.import_by(&world.database.url(), &["--wait-for-lease", "60s", "--report", "standby.csv"]);
    let standby = Running::start(standby);
    first.ended().ends(0);
    standby.ended().ends(0).says("ended well while this one waited");
    assert!(!world.lab.path("standby.csv").exists(), "it writes nothing");
    assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.runs"), "1");
    world.each_once(6);
}

#[test]
fn p12_of_two_standbys_that_wake_at_once_one_gets_the_lease() {
    let Some(world) = World::of(8, &["--latency", "200ms", "--racy", "--email-only"]) else { return };
    let command = || {
        let mut command = world.import_by(&world.database.url(), &["--wait-for-lease", "60s"]);
        // The same name of a pod twice is no identity.
        command.env("CUSTOMER_IMPORT_HOLDER", "pod");
        command
    };
    let runs = [0, 1, 2].map(|_| Running::start(command()));
    for run in runs {
        run.ended().ends(0);
    }
    world.each_once(8);
}

#[test]
fn p9_a_failover_to_a_replica_that_lacks_the_last_commits_is_seen_and_they_are_written_again() {
    let Some(world) = World::of(30, &["--latency", "100ms", "--racy", "--email-only"]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let replica = world.database.cluster().replica();
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    let run = Running::start(world.import_by(&world.database.url_at(proxy.port), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    world.database.wait_for_replica(&replica);
    replica.stop_following();
    let seen = world.server.posts().len();
    world.server.wait_for_posts(seen + 6);
    replica.promote();
    let count = "SELECT count(*) FROM customer_import.outcomes";
    let (at_primary, at_replica) = (world.database.sql(count), world.database.sql_at(&replica, count));
    assert_ne!(at_primary, at_replica, "the replica lacks some");
    proxy.shut();
    // What was let out before still arrives.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (seen, moved) = (world.server.posts().len(), std::time::Instant::now());
    proxy.lead_to(replica.socket());
    proxy.open();
    world.server.wait_for_posts(seen + 1);
    // Another host may have been at work under commits that are forgotten.
    assert!(moved.elapsed() >= GRACE + SETTLE, "{:?}", moved.elapsed());
    let open = world.database.sql_at(&replica, "SELECT count(*) FROM customer_import.intents");
    assert!(open.parse::<u32>().unwrap() <= 2, "{open} requests are written down while none may leave");
    run.ended().ends(0).says("has failed over").says("are written again");
    assert_eq!(world.lab.statuses(), created(30));
    world.each_once(30);
    assert_eq!(world.database.sql_at(&replica, count), "30");
}

#[test]
fn p9_after_a_failover_a_takeover_whose_acknowledgement_was_lost_waits_as_any_other() {
    let Some(world) = World::of(3, &["--racy", "--email-only"]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let replica = world.database.cluster().replica();
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    // The first commit is the one that takes the lease.
    proxy.lose_commit_and_shut_after(0);
    let run = world.import_by(&world.database.url_at(proxy.port), &["--wait-for-lease", "60s"]);
    let run = Running::start(run);
    wait_until("the lease was not taken", || proxy.lost() == 1);
    assert_eq!(world.account("epoch"), "1");
    world.database.wait_for_replica(&replica);
    replica.promote();
    let moved = std::time::Instant::now();
    proxy.lead_to(replica.socket());
    proxy.open();
    world.server.wait_for_posts(1);
    assert!(moved.elapsed() >= GRACE + SETTLE, "{:?}", moved.elapsed());
    run.ended().ends(0);
    assert_eq!(world.database.sql_at(&replica, "SELECT epoch FROM customer_import.accounts"), "1");
    world.each_once(3);
}

/// The database forgets who took the lease, and the holder before is still there.
#[test]
fn p9_a_holder_whose_takeover_is_forgotten_ends_if_the_holder_before_has_written_since() {
    let Some(world) = World::of(20, &["--latency", "150ms", "--racy", "--email-only"]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let replica = world.database.cluster().replica();
    let [one, two] = [0, 1].map(|_| DatabaseProxy::before(world.database.cluster().socket()));
    let slow = ["--wait-for-lease", "60s", "--concurrency", "1"];
    let first = Running::start(world.import_by(&world.database.url_at(one.port), &slow));
    world.server.wait_for_posts(2);
    // In the middle of a wait for an answer, with nothing to be committed.
    one.hold();
    world.database.wait_for_replica(&replica);
    replica.stop_following();
    let batches = world.account("last_batch");
    let second = [&slow[..], &["--report", "second.csv"]].concat();
    let second = Running::start(world.import_by(&world.database.url_at(two.port), &second));
    wait_until("the lease was not taken over", || world.account("epoch") == "2");
    let seen = world.server.posts().len();
    world.server.wait_for_posts(seen + 2);
    two.shut();
    replica.promote();
    one.lead_to(replica.socket());
    one.release();
    let written = format!("SELECT last_batch > {batches} FROM customer_import.accounts");
    wait_until("the first host writes no more", || world.database.sql_at(&replica, &written) == "t");
    two.lead_to(replica.socket());
    two.open();
    second.ended().ends(5).says("was taken over");
    first.ended().ends(0);
    assert_eq!(world.database.sql_at(&replica, "SELECT epoch FROM customer_import.accounts"), "1");
    world.each_once(20);
}

#[test]
fn a_reader_whose_question_is_never_answered_ends_with_74() {
    let Some(world) = World::of(2, &[]) else { return };
    world.import(&[]).ends(0);
    // While the reader is opened, and after that.
    many::each(&[4, 6], |questions| {
        let proxy = DatabaseProxy::before(world.database.cluster().socket());
        proxy.hold_after(*questions);
        let ledger = world.database.url_at(proxy.port);
        let show = ["ledger", "show", "p0@example.com", "--base-url", &world.server.url, "--ledger", &ledger];
        world.lab.run(&show).ends(74).says("no answer within 10 s");
    });
}

#[test]
fn the_grants_of_the_documentation_are_enough_to_import_and_not_to_forget() {
    let Some(world) = World::of(2, &[]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let page = include_str!("../../docs/shared-ledger.md");
    let (_, grants) = page.split_once("```sql\n").unwrap();
    let (grants, _) = grants.split_once("```").unwrap();
    let role = format!("importer_of_{}", world.database.name());
    world.database.sql(&format!("CREATE ROLE {role} LOGIN; {}", grants.replace("TO importer", &format!("TO {role}"))));
    let ledger = world.database.url_of(&role);
    Ran::of(&mut world.import_by(&ledger, &[])).ends(0);
    world.each_once(2);
    let forget = ["ledger", "forget", "--target", "--yes", "--base-url", &world.server.url, "--ledger", &ledger];
    world.lab.run(&forget).ends(78).says("permission denied for table outcomes");
    assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.outcomes"), "2");
    world.database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn s3_a_successor_waits_for_the_grace_and_the_settle_time_before_it_sends_what_another_may_have_sent() {
    // The server honours the key alone, so two requests at once would be two customers.
    let Some(world) = World::of(6, &["--latency", "500ms", "--racy", "--key-only"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    run.signal("STOP");
    let standby = Running::start(world.import_by(&world.database.url(), &["--wait-for-lease", "60s"]));
    wait_until("the lease was not taken over", || world.account("epoch") == "2");
    let open = "SELECT count(*) FROM customer_import.intents WHERE epoch = 1";
    let doubts: usize = world.database.sql(open).parse().unwrap();
    assert!((1..=2).contains(&doubts), "{doubts}");
    let begun = std::time::Instant::now();
    world.database.wait_for(open, "0");
    assert!(begun.elapsed() > std::time::Duration::from_millis(2500), "{:?}", begun.elapsed());
    run.kill();
    standby.ended().ends(0);
    world.each_once(6);
}

#[test]
fn p18_a_database_by_the_network_is_trusted_by_its_certificate_and_its_name_and_asks_for_the_password() {
    let key = rcgen::KeyPair::generate().unwrap();
    // For the address, and not for the name of this machine.
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let Some(cluster) = Cluster::with_tls(&certificate.pem(), &key.serialize_pem()) else { return };
    cluster.sql("postgres", "ALTER ROLE postgres PASSWORD 's3cret'");
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.write("ca.pem", certificate.pem());
    let import = |host: &str, ca: &[&str], password: &str| {
        let ledger = format!("postgres://postgres@{host}:{}/postgres?sslmode=require", cluster.port);
        let first = ["import", "in.csv", "--base-url", &server.url, "--ledger", &ledger];
        let mut command = lab.command(&[&first[..], &SHARED, ca].concat());
        Ran::of(command.env("PGPASSWORD", password))
    };
    let ca = ["--ledger-ca-file", "ca.pem"];
    for (host, ca, password, words) in [
        ("127.0.0.1", &[][..], "s3cret", "certificate"),
        ("localhost", &ca, "s3cret", "certificate"),
        ("127.0.0.1", &ca, "wrong-1", "password authentication failed"),
        ("127.0.0.1", &["--ledger-ca-file", "in.csv"], "s3cret", "holds no certificate"),
    ] {
        let ran = import(host, ca, password).ends(78).says(words).says("hint:");
        assert!(!ran.stderr.contains(password), "{}", ran.stderr);
    }
    assert_eq!(server.requests(), 0);
    import("127.0.0.1", &ca, "s3cret").ends(0);
    // A password that is read from a file, and one that two sources give.
    lab.write("password", "s3cret\n");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(lab.path("password"), private).unwrap();
    let by_file = [&ca[..], &["--ledger-password-file", "password"]].concat();
    import("127.0.0.1", &by_file, "").ends(0);
    import("127.0.0.1", &by_file, "s3cret").ends(2).says("more than one source");
    server.has_each_once([email(0)]);
}

#[test]
fn p11_a_clock_of_the_database_that_jumps_ahead_leads_to_a_takeover_and_to_no_double() {
    let Some(world) = World::of(10, &["--latency", "300ms", "--racy", "--email-only"]) else { return };
    let first = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(2);
    let standby = world.import_by(&world.database.url(), &["--wait-for-lease", "60s", "--report", "standby.csv"]);
    let standby = Running::start(standby);
    // To a clock that is an hour ahead every lease looks old.
    while world.account("epoch") == "1" {
        world.database.sql("UPDATE customer_import.accounts SET lease_until = 'epoch' WHERE epoch = 1");
    }
    first.ended().ends(5).says("was taken over");
    standby.ended().ends(0);
    world.each_once(10);
}

#[test]
fn p1_killed_six_times_in_a_row_every_customer_is_created_once_and_reported() {
    let Some(world) = World::of(24, &["--latency", "40ms", "--racy", "--email-only"]) else { return };
    for kill in 1..=6 {
        let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "4"]));
        world.server.wait_for_posts(kill * 3);
        run.kill();
        let of_last = "run = (SELECT max(number) FROM customer_import.runs)";
        let open = world.database.sql(&format!("SELECT count(*) FROM customer_import.intents WHERE {of_last}"));
        assert!(open.parse::<usize>().unwrap() <= 4, "{open} doubts after {kill} kills");
    }
    world.import(&[]).ends(0);
    world.each_once(24);
    let customers = world.server.customers();
    for row in world.lab.report() {
        assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()], "{row:?}");
    }
}
