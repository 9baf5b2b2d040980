//! A ledger in a PostgreSQL database that fails in all the ways in which one can.

#![cfg(unix)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::database_proxy::{CommitAnswer, DatabaseProxy};
use testkit::hosts::{self, Blow};
use testkit::postgres::{Cluster, Database};
use testkit::witness::Witness;
use testkit::zombie::{self, Point, Tokens};

use crate::harness::{Lab, program, skipped, wait_until};
use crate::many;
use crate::shared_ledger::{Running, World, created};

#[test]
fn p2_p3_a_host_that_is_stopped_at_any_point_of_a_request_doubles_nobody_when_it_wakes_up() {
    if Database::new().is_none() {
        return;
    }
    let has_debugger = zombie::has_debugger();
    if !has_debugger {
        skipped("p2, p3: there is no gdb here, or this is not x86-64, so hosts are stopped at one point of three");
    }
    assert!(has_debugger || std::env::var_os("TESTS_NEED_POSTGRESQL").is_none(), "gdb is needed here");
    let points: Vec<_> = Point::ALL.into_iter().filter(|point| has_debugger || !point.needs_debugger()).collect();
    many::each(&points, |point| {
        let database = Database::new().unwrap();
        let outcome = zombie::run(&program(), &database, *point, Tokens::End);
        let ends = (outcome.customers, outcome.zombie.code, outcome.successor.code);
        assert_eq!(ends, (1, 5, 0), "{outcome:#?}");
        // No clock held it back any more, and it left after all.
        assert_eq!(outcome.is_refused, *point == Point::Writing, "{outcome:#?}");
    });
}

#[test]
fn p5_a_holder_that_does_not_reach_the_api_keeps_the_lease_and_a_standby_without_database_harms_nobody() {
    let Some(world) = World::of(20, &["--latency", "100ms"]) else { return };
    let (witness, proxy) =
        (Witness::before(&world.server.url), DatabaseProxy::before(world.database.cluster().socket()));
    let import = |ledger: &str, more: &[&str]| Running::start(world.import_to(&witness.url, ledger, more));
    let first = import(&world.database.url(), &["--concurrency", "2"]);
    world.server.wait_for_posts(3);
    let standby = import(&world.database.url_at(proxy.port), &["--wait-for-lease", "60s", "--report", "standby.csv"]);
    wait_until("the standby does not connect", || proxy.carried() > 0);
    proxy.hold();
    witness.cut_off("test-token");
    // Longer than a lease.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(world.account("epoch"), "1");
    witness.let_in("test-token");
    first.ended().ends(0);
    proxy.release();
    standby.ended().ends(0);
    world.each_once(20);
}

#[test]
fn p7_a_commit_that_warns_because_its_wait_for_a_replica_was_cancelled_proves_nothing() {
    let Some(cluster) = Cluster::own() else { return };
    let world = World::at(cluster.database(), 30, &["--latency", "100ms"]);
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    let wait_for_replica = |names: &str| {
        cluster.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        cluster.sql("postgres", "SELECT pg_reload_conf()");
    };
    wait_for_replica("nobody");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    world.database.wait_for(waiting, "1");
    // What was committed before still leaves.
    std::thread::sleep(Duration::from_millis(500));
    let seen = world.server.posts().len();
    for _ in 0..2 {
        world.database.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        world.database.wait_for(waiting, "0");
        world.database.wait_for(waiting, "1");
    }
    assert_eq!(world.server.posts().len(), seen, "sent on a commit that no replica has");
    wait_for_replica("");
    run.ended().ends(0).says("the database warned while it committed");
    assert_eq!(world.lab.statuses(), created(30));
    world.each_once(30);
}

#[test]
fn p8_a_run_outlives_a_database_that_crashes_and_recovers() {
    let Some(cluster) = Cluster::own() else { return };
    let world = World::at(cluster.database(), 40, &["--latency", "100ms", "--racy", "--email-only"]);
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    for posts in [5, 15] {
        world.server.wait_for_posts(posts);
        cluster.crash();
    }
    run.ended().ends(0).says("is reached again");
    assert_eq!(world.account("epoch"), "1");
    assert_eq!(world.lab.statuses(), created(40));
    world.each_once(40);
}

#[test]
fn p8_a_run_outlives_a_database_that_takes_no_more_connections() {
    let Some(world) = World::of(30, &["--latency", "100ms"]) else { return };
    world.run(&["ledger", "migrate"]).ends(0);
    let role = format!("crowded_{}", world.database.name());
    world.database.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA customer_import TO {role}; \
         GRANT ALL ON ALL TABLES IN SCHEMA customer_import TO {role}"
    ));
    let run = Running::start(world.import_by(&world.database.url_of(&role), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    world.database.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"));
    world.database.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"));
    std::thread::sleep(Duration::from_secs(1));
    world.database.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT -1"));
    run.ended().ends(0).says("is reached again");
    world.each_once(30);
    world.database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// A small file system in memory, full when the test wants. It goes with the value.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` if this user may not mount one.
    fn new(lab: &Lab) -> Option<Self> {
        let folder = lab.path("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0777", "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    /// Leaves no room for another page.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.folder.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.folder.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}

#[test]
fn p8_on_a_full_disk_of_the_database_nothing_more_is_sent_and_the_next_run_completes() {
    let Some(cluster) = Cluster::own() else { return };
    let disk_lab = Lab::new();
    let Some(disk) = SmallDisk::new(&disk_lab) else {
        return skipped("p8: only root can mount a small disk");
    };
    let tables = disk.folder.join("tables");
    std::fs::create_dir(&tables).unwrap();
    for folder in [disk_lab.path(""), tables.clone()] {
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    assert!(Command::new("chown").arg("postgres").arg(&tables).status().unwrap().success());
    cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", tables.display()));
    let world = World::at(cluster.database(), 400, &["--latency", "10ms"]);
    cluster.sql("postgres", &format!("ALTER DATABASE {} SET TABLESPACE small", world.database.name()));
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(5);
    disk.fill();
    run.ended().ends(74).says("No space left on device");
    let sent = world.server.posts().len();
    assert!(sent < 400, "the disk was not full in time");
    disk.make_room();
    world.import(&["--wait-for-lease", "60s"]).ends(0);
    world.each_once(400);
    drop(world);
    cluster.sql("postgres", "DROP TABLESPACE small");
}

#[test]
fn p10_a_replica_is_neither_written_nor_read_and_a_run_waits_for_the_server_that_can_be_written() {
    let Some(world) = World::of(30, &["--latency", "100ms"]) else { return };
    let replica = world.database.cluster().replica();
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    let url = world.database.url_at(proxy.port);
    let run = Running::start(world.import_by(&url, &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    world.database.wait_for_replica(&replica);
    proxy.lead_to(replica.socket());
    let carried = proxy.carried();
    wait_until("the run does not try again", || proxy.carried() >= carried + 2);
    let show = ["ledger", "show", "--base-url", &world.server.url, "--ledger", &url];
    world.lab.run(&show).ends(74).says("cannot be reached");
    proxy.lead_to(world.database.cluster().socket());
    run.ended().ends(0).says("is reached again");
    assert_eq!(world.account("epoch"), "1");
    world.each_once(30);
}

#[test]
fn p13_what_the_database_asks_to_try_again_is_tried_again_and_a_warning_proves_nothing() {
    let answers = [
        CommitAnswer::Failed("40001"),
        CommitAnswer::Failed("40P01"),
        CommitAnswer::Warned,
        CommitAnswer::Failed("40003"),
        CommitAnswer::Failed("57014"),
    ];
    many::each(&[0, 1, 2, 3, 5], |commits| {
        let Some(world) = World::of(6, &[]) else { return };
        world.run(&["ledger", "migrate"]).ends(0);
        let proxy = DatabaseProxy::before(world.database.cluster().socket());
        proxy.answer_commits_after(*commits, &answers);
        let run =
            world.import_by(&world.database.url_at(proxy.port), &["--concurrency", "2", "--wait-for-lease", "60s"]);
        Running::start(run).ended().ends(0);
        assert_eq!(proxy.answered(), 5, "after {commits} commits");
        assert_eq!(world.lab.statuses(), created(6), "after {commits} commits");
        world.each_once(6);
        assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.outcomes"), "6");
        assert_eq!(world.account("epoch"), "1", "after {commits} commits");
    });
}

#[test]
fn p13_a_fence_that_fails_ends_the_run_even_if_the_lease_looks_alive() {
    let Some(world) = World::of(20, &["--latency", "100ms"]) else { return };
    let run = Running::start(world.import_by(&world.database.url(), &["--concurrency", "2"]));
    world.server.wait_for_posts(3);
    world.database.sql("UPDATE customer_import.accounts SET term = gen_random_uuid()");
    run.ended().ends(5).says("was taken over");
    let open = world.database.sql("SELECT count(*) FROM customer_import.intents");
    assert!(open.parse::<usize>().unwrap() <= 2, "{open}");
}

/// `pgbouncer` in front of a server, each transaction over whichever connection is free. It goes
/// with the value.
struct Bouncer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Bouncer {
    fn before(cluster: &Cluster) -> Option<Self> {
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| PathBuf::from(path).exists())?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n",
            cluster.folder().display(),
            cluster.port
        );
        // With this type all clients are one user.
        std::fs::write(&config, text.replace("host=", "user=postgres host=")).unwrap();
        let child = testkit::postgres::as_server(&[program, "-q", config.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bouncer = Self { child, port, _folder: folder };
        wait_until("pgbouncer does not listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(bouncer)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn p14_everything_works_behind_a_pooler_that_parts_transactions_and_no_session_keeps_anything() {
    let Some(world) = World::of(30, &["--latency", "50ms", "--racy", "--email-only"]) else { return };
    let Some(bouncer) = Bouncer::before(world.database.cluster()) else {
        assert!(std::env::var_os("TESTS_NEED_POSTGRESQL").is_none(), "pgbouncer is needed here");
        return skipped("p14: there is no pgbouncer here (apt-get install pgbouncer)");
    };
    let ledger = world.database.url_at(bouncer.port);
    let run = Running::start(world.import_by(&ledger, &["--concurrency", "2"]));
    world.server.wait_for_posts(5);
    run.kill();
    let mut two = [0, 1].map(|n| {
        let report = ["--report", ["one.csv", "two.csv"][n], "--wait-for-lease", "60s"];
        Some(Running::start(world.import_by(&ledger, &report)))
    });
    for run in &mut two {
        run.take().unwrap().ended().ends(0);
    }
    world.each_once(30);
    for words in [&["ledger", "show"][..], &["report", "in.csv"], &["check", "in.csv"]] {
        world.lab.run(&[words, &["--base-url", &world.server.url, "--ledger", &ledger]].concat()).ends(0);
    }
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(world.database.sql(left), "0");
    let url = format!("host=127.0.0.1 port={} user=postgres dbname={}", bouncer.port, world.database.name());
    let ask = |question: &str| {
        let psql = Command::new("psql").args(["-XqAt", "-c", question, &url]).output().unwrap();
        String::from_utf8(psql.stdout).unwrap().trim().to_owned()
    };
    let kept = "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('synchronous_commit'), \
                current_setting('lock_timeout'), (SELECT count(*) FROM pg_prepared_statements)";
    assert_eq!(ask(kept), "0|on|0|0");
}

/// A choice of worlds of `crash_campaign --ledger postgres`, in which everything befalls the hosts.
#[test]
fn hosts_that_are_killed_stopped_and_cut_off_lose_and_double_nobody() {
    if Database::new().is_none() {
        return;
    }
    let plan = hosts::Plan {
        hosts: [2, 3],
        blows: Blow::ALL.to_vec(),
        settle: Duration::from_millis(1500),
        grace: Duration::from_millis(500),
        lease: hosts::LEASE,
    };
    let blows = std::sync::Mutex::new(std::collections::BTreeMap::<Blow, usize>::new());
    many::each(&SEEDS, |seed| {
        let outcome = hosts::run(&program(), *seed, Cluster::own().unwrap(), &plan);
        assert!(outcome.is_clean(), "{outcome:#?}");
        for (blow, times) in outcome.blows {
            *blows.lock().unwrap().entry(blow).or_default() += times;
        }
    });
    let blows = blows.into_inner().unwrap();
    assert!(blows.values().sum::<usize>() >= 3, "{blows:?}");
}

/// Worlds that take a quarter of a minute each.
const SEEDS: [u64; 4] = [4179, 4227, 4321, 4492];
