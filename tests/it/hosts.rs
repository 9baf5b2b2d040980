//! What hosts that share a ledger leave to each other and show to those who watch them: the pace,
//! the metrics, standard input, and the questions for dashboards.

#![cfg(unix)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use testkit::database_proxy::DatabaseProxy;

use crate::harness::{Ran, customers, email, wait_until};
use crate::many::note;
use crate::shared_ledger::World;

/// What these tests add to the world: imports at a pace of their own, and what they leave.
impl World {
    fn import_of(&self, ledger: &str, input: &str, more: &[&str]) -> Command {
        let first = ["import", input, "--base-url", &self.server.url, "--ledger", ledger];
        let short = ["--settle", "2s", "--timeout", "2s", "--grace", "1s", "--lease", "6s"];
        self.lab.command(&[&first[..], &short, more].concat())
    }

    fn import_paced(&self, more: &[&str]) -> Ran {
        Ran::of(&mut self.import_of(&self.database.url(), "in.csv", more))
    }

    fn started(&self, more: &[&str]) -> Child {
        let mut command = self.import_of(&self.database.url(), "in.csv", more);
        command.env("CUSTOMER_IMPORT_HOLDER", "host-one");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The seconds between two requests to create a customer, as the server saw them come.
    fn between(&self, one: usize, other: usize) -> f64 {
        let posts = self.server.posts();
        let at = |n: usize| posts[n]["t"].as_f64().unwrap() / 1000.0;
        at(other) - at(one)
    }

    /// The value of a metric in `run.prom`.
    fn metric(&self, name: &str) -> Option<f64> {
        let text = std::fs::read_to_string(self.lab.path("run.prom")).ok()?;
        let beginning = format!("customer_import_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&beginning))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

const FAST: [&str; 2] = ["--rate", "500/s"];

#[test]
fn a_host_that_was_asked_for_a_pause_and_gives_back_leaves_the_pause_to_the_next_host() {
    let Some(world) = World::of(4, &["--fault", "throttle-unix=8s:p1@example.com:first=1"]) else { return };
    let one = world.started(&[&["--concurrency", "1"], &FAST[..]].concat());
    let paused = "SELECT next_at > clock_timestamp() FROM customer_import.accounts";
    world.server.wait_for_posts(2);
    // The pause is there before the host gives anything back.
    world.database.wait_for(paused, "t");
    signal(&one, "TERM");
    Ran::from(one.wait_with_output().unwrap()).ends(143);
    assert_eq!(world.server.posts().len(), 2);
    assert_eq!(world.database.sql("SELECT term IS NULL FROM customer_import.accounts"), "t");
    world.import_paced(&FAST).ends(0).says("requests wait for");
    // The server rounds its Unix time down.
    let waited = world.between(1, 2);
    assert!(waited >= 6.9, "the next host sent {waited} s after the 429");
    world.server.has_each_once((0..4).map(email));
}

#[test]
fn the_next_host_keeps_the_pace_of_the_last_one_whether_that_ended_or_was_killed() {
    for is_killed in [false, true] {
        let Some(world) = World::of(2, &["--latency", "1500ms", "--email-only"]) else { return };
        if is_killed {
            let mut one = world.started(&["--rate", "10/m"]);
            world.server.wait_for_posts(1);
            one.kill().unwrap();
            one.wait().unwrap();
        } else {
            world.import_paced(&["--rate", "10/m", "--limit", "1"]).ends(0);
        }
        assert_eq!(world.server.posts().len(), 1);
        world.import_paced(&FAST).ends(0);
        let waited = world.between(0, 1);
        assert!(waited >= 5.9, "killed: {is_killed}: {waited} s after the last request");
        world.server.has_each_once((0..2).map(email));
    }
}

#[test]
fn metrics_show_the_lease_its_loss_and_the_commits_of_the_ledger() {
    const METRICS: [&str; 4] = ["--metrics-file", "run.prom", "--rate", "500/s"];
    let Some(world) = World::of(6, &["--latency", "300ms"]) else { return };
    let proxy = DatabaseProxy::before(world.database.cluster().socket());
    proxy.lose_commit_after(4);
    let by_proxy = world.database.url_at(proxy.port);
    Ran::of(&mut world.import_of(&by_proxy, "in.csv", &[&METRICS[..], &["--limit", "3"]].concat())).ends(0);
    for (name, value) in [
        ("lease_held", 0.0),
        ("lease_epoch", 1.0),
        ("lease_losses", 0.0),
        ("ledger_reconnects", 1.0),
        ("ledger_unknown_commits", 1.0),
        ("running", 0.0),
    ] {
        assert_eq!(world.metric(name), Some(value), "{name}");
    }
    assert!(world.metric("ledger_commits").unwrap() >= 3.0 && world.metric("ledger_commit_seconds").unwrap() > 0.0);
    let file = std::fs::File::open(world.lab.path("run.prom")).unwrap();
    match Command::new("promtool").args(["check", "metrics"]).stdin(file).output() {
        Ok(output) => {
            let ran = Ran::from(output).ends(0);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
        }
        Err(_) => note(format_args!("promtool is not installed: the metrics were not shown to it")),
    }
    // A second host whose lease is taken while it works.
    let two = world.started(&[&METRICS[..], &["--concurrency", "1"]].concat());
    wait_until("the lease was not shown", || world.metric("lease_held") == Some(1.0));
    world.database.sql(
        "UPDATE customer_import.accounts SET epoch = epoch + 1, term = gen_random_uuid(), \
         holder = '{\"host\": \"host-two\", \"process\": 7}', lease_until = clock_timestamp() + interval '1 minute'",
    );
    Ran::from(two.wait_with_output().unwrap()).ends(5).says("was taken over by process 7 on host-two");
    for (name, value) in [("lease_held", 0.0), ("lease_losses", 1.0), ("exit_code", 5.0), ("running", 0.0)] {
        assert_eq!(world.metric(name), Some(value), "{name}");
    }
    // A host that never had the lease leaves the file to the one that has it.
    let before = world.lab.read("run.prom");
    world.import_paced(&METRICS).ends(5);
    assert_eq!(world.lab.read("run.prom"), before);
}

#[test]
fn the_questions_for_dashboards_show_the_lease_the_runs_and_the_doubts() {
    let Some(world) = World::of(3, &["--latency", "1500ms"]) else { return };
    let one = world.started(&[&["--concurrency", "1"], &FAST[..]].concat());
    world.server.wait_for_posts(1);
    let lease = world.database.sql(include_str!("../../docs/deploy/lease.sql"));
    let process = one.id().to_string();
    let shown: Vec<_> = lease.split('|').collect();
    assert_eq!(shown[1..5], ["default", "t", "host-one", &process], "{lease}");
    assert!(shown[5].len() == 36 && shown[6] == "1" && shown[7].starts_with('-'), "{lease}");
    let runs = || world.database.sql(include_str!("../../docs/deploy/runs.sql"));
    let running = runs();
    let shown: Vec<_> = running.split('|').collect();
    assert!(shown[2].ends_with("/in.csv") && shown[6].is_empty() && shown[7] == "f" && shown[14] == "1", "{running}");
    assert_eq!(shown.last(), Some(&""), "no run of it ended with 0 yet");
    Ran::from(one.wait_with_output().unwrap()).ends(0);
    let lease = world.database.sql(include_str!("../../docs/deploy/lease.sql"));
    let shown: Vec<_> = lease.split('|').collect();
    assert_eq!((shown[2], shown[7]), ("f", ""), "given back: {lease}");
    let ended = runs();
    let shown: Vec<_> = ended.split('|').collect();
    assert_eq!((shown[6], shown[7], shown[8], shown[14]), ("0", "t", "3", "0"), "{ended}");
    assert_eq!(shown.last(), Some(&shown[5]), "when it succeeded is when it ended");
    // A role that may only read can ask both.
    let role = format!("watcher_of_{}", world.database.name());
    world.database.sql(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA customer_import TO {role}; \
         GRANT SELECT ON customer_import.accounts, customer_import.runs, customer_import.intents TO {role}"
    ));
    for sql in [include_str!("../../docs/deploy/lease.sql"), include_str!("../../docs/deploy/runs.sql")] {
        assert!(!world.database.sql(&format!("SET ROLE {role}; {sql}")).is_empty());
    }
    world.database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn the_roles_of_the_documentation_may_do_what_it_says_and_nothing_else() {
    let Some(world) = World::of(2, &[]) else { return };
    world.import_paced(&FAST).ends(0);
    let page = include_str!("../../docs/shared-ledger.md");
    let grants: Vec<_> = page.split("```sql\n").skip(1).map(|text| text.split("```").next().unwrap()).collect();
    let roles = ["importer", "eraser", "reader"].map(|role| (role, format!("{role}_{}", world.database.name())));
    let mut sql: String = roles.iter().map(|(_, name)| format!("CREATE ROLE {name} LOGIN; ")).collect();
    sql += &grants.concat();
    for (role, name) in &roles {
        sql = sql
            .replace(&format!("TO {role};"), &format!("TO {name};"))
            .replace(&format!("GRANT {role} "), &format!("GRANT {name} "));
    }
    world.database.sql(&sql);
    let [_, eraser, reader] = roles.each_ref().map(|(_, name)| world.database.url_of(name));
    let run = |words: &[&str], ledger: &str| {
        world.lab.run(&[words, &["--base-url", &world.server.url, "--ledger", ledger]].concat())
    };
    for words in [&["check", "in.csv"][..], &["report", "in.csv"], &["ledger", "show"]] {
        run(words, &reader).ends(0);
    }
    run(&["ledger", "forget", "p0@example.com"], &reader).ends(78).says("permission denied");
    run(&["ledger", "forget", "p0@example.com"], &eraser).ends(0);
    run(&["ledger", "forget", "--target", "--yes"], &eraser).ends(0);
    assert_eq!(world.database.sql("SELECT count(*) FROM customer_import.outcomes"), "0");
    let names = roles.each_ref().map(|(_, name)| name.as_str()).join(", ");
    world.database.sql(&format!("DROP OWNED BY {names}; DROP ROLE {names}"));
}

/// An import of standard input.
fn piped(mut command: Command, rows: usize) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it reads.
    drop(child.stdin.take().unwrap().write_all(customers(rows).as_bytes()));
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn standard_input_and_a_shared_ledger_need_a_folder_that_the_next_host_can_read() {
    let Some(world) = World::of(0, &[]) else { return };
    let url = world.database.url();
    let import = |more: &[&str]| piped(world.import_of(&url, "-", &[&FAST[..], more].concat()), 3);
    import(&[]).ends(2).says("the ledger is shared").says("--spool DIR");
    assert_eq!(world.server.requests(), 0);
    // Kept for as long as the command that is shown as the next one needs it, for its owner alone.
    let ran = import(&["--spool", "kept", "--limit", "1"]).ends(0);
    let kept: Vec<_> = std::fs::read_dir(world.lab.path("kept")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [copy] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(std::fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    world.lab.write("kept/other.csv", customers(3));
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("resume    ")).expect("a next command");
    assert!(next.contains(copy.to_str().unwrap()) && next.contains("--spool kept"), "{next}");
    world.lab.shell(&next.replace(" --limit 1", "")).ends(0);
    assert!(!copy.exists(), "nothing needs it any more");
    world.server.has_each_once((0..3).map(email));
    Ran::of(&mut world.import_of(&url, "kept/other.csv", &["--spool", "kept"])).ends(0);
    assert!(world.lab.path("kept/other.csv").exists(), "a file that only lies there is nobody's copy");
}
