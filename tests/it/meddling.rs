//! What people do to the files of a ledger while a run is at work: no customer is doubled, and the
//! run says what happened.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};

use crate::harness::{Lab, Ran, Server, email, skipped};

const ROWS: usize = 40;

/// An import that is in the middle of its work: forty rows, two at a time, 100 ms each.
fn at_work(lab: &Lab, server: &Server) -> Child {
    let args = lab.import_args(server, &["--ledger", "l.db", "--concurrency", "2"]);
    let run = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(6);
    run
}

/// What the server created is what the report says.
#[track_caller]
fn is_true(lab: &Lab, server: &Server) {
    let customers = server.customers();
    let report = lab.report();
    assert_eq!(report.len(), ROWS);
    for row in report {
        let created = customers.get(&row["customer_email"]);
        match row["status"].as_str() {
            "created" => assert_eq!(created, Some(&vec![row["customer_id"].clone()]), "{row:?}"),
            "not_attempted" => assert_eq!(created, None, "{row:?}"),
            other => panic!("{other}: {row:?}"),
        }
    }
}

fn world() -> (Lab, Server) {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(ROWS);
    (lab, server)
}

#[test]
fn a_removed_lock_file_lets_no_second_run_in_and_the_first_stops_without_a_double() {
    let (lab, server) = world();
    let first = at_work(&lab, &server);
    std::fs::remove_file(lab.path("l.db.lock")).unwrap();
    lab.import(&server, &["--ledger", "l.db", "--report", "second.csv"]).ends(5).says("another run holds the ledger");
    let first = Ran::from(first.wait_with_output().unwrap()).ends(74).says("l.db.lock").says("removed or replaced");
    first.says("import in.csv");
    is_true(&lab, &server);
    assert!(server.posts().len() < ROWS, "it went on to the end");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once((0..ROWS).map(email));
    assert_eq!(server.posts().len(), ROWS, "one request each");
}

#[test]
fn a_link_in_the_place_of_the_lock_file_stops_the_run_with_a_report() {
    let (lab, server) = world();
    let run = at_work(&lab, &server);
    std::fs::remove_file(lab.path("l.db.lock")).unwrap();
    std::os::unix::fs::symlink("/nowhere", lab.path("l.db.lock")).unwrap();
    let ran = Ran::from(run.wait_with_output().unwrap()).ends(74).says("l.db.lock").says("removed or replaced");
    ran.says("import in.csv");
    is_true(&lab, &server);
    lab.import(&server, &["--ledger", "l.db"]).ends(78).says("is a link");
    std::fs::remove_file(lab.path("l.db.lock")).unwrap();
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn a_ledger_that_is_renamed_in_mid_run_stops_the_run_and_has_everything_under_its_new_name() {
    let (lab, server) = world();
    let run = at_work(&lab, &server);
    std::fs::rename(lab.path("l.db"), lab.path("moved.db")).unwrap();
    let before = server.posts().len();
    let ran =
        Ran::from(run.wait_with_output().unwrap()).ends(74).says("moved.db").says("give the ledger its name back");
    assert!(!ran.stdout.contains("import in.csv"), "the same command would begin a new ledger:\n{}", ran.stdout);
    // What was permitted before the rename may still be on its way.
    assert!(server.posts().len() <= before + 2, "{before} before, {} after", server.posts().len());
    is_true(&lab, &server);
    assert!(!lab.path("l.db").exists(), "no new ledger was made");
    lab.import(&server, &["--ledger", "moved.db"]).ends(0);
    server.has_each_once((0..ROWS).map(email));
    assert_eq!(server.posts().len(), ROWS, "one request each: the file was whole without the log of its old name");
}

#[test]
fn a_ledger_that_is_removed_or_replaced_in_mid_run_stops_the_run_and_the_report_is_of_what_it_did() {
    for other in [None, Some("other.db")] {
        let (lab, server) = world();
        if let Some(other) = other {
            // A good ledger of the same target, without any customer of this input.
            lab.write("none.csv", format!("{}\nX,nobody@example.com,+4917612345678,DEU\n", crate::harness::HEADER));
            let url = server.url.as_str();
            lab.run(&["import", "none.csv", "--base-url", url, "--ledger", other, "--rate", "500/s"]).ends(0);
        }
        let run = at_work(&lab, &server);
        match other {
            Some(other) => std::fs::rename(lab.path(other), lab.path("l.db")).unwrap(),
            None => std::fs::remove_file(lab.path("l.db")).unwrap(),
        }
        let ran = Ran::from(run.wait_with_output().unwrap()).ends(74);
        let ran = ran.says("removed or replaced").says("no name any more");
        is_true(&lab, &server);
        let (_, next) = ran.stdout.split_once("\nresume    ").unwrap_or_else(|| panic!("{}", ran.stdout));
        let next = next.lines().next().unwrap();
        assert!(!next.contains("in.csv"), "the import again, before the pull: {next}");
        let known = server.customers().len();
        lab.shell(next).ends(0).says(&format!("{known} customers seen"));
        let posts = server.posts().len();
        lab.import(&server, &["--ledger", "l.db"]).ends(0);
        assert!(
            server.posts().len() <= posts + ROWS - (known - usize::from(other.is_some())),
            "one of them was asked for again"
        );
        assert_eq!(server.customers().len(), ROWS + usize::from(other.is_some()));
        assert!(server.customers().values().all(|ids| ids.len() == 1));
    }
}

#[test]
fn a_run_that_finds_the_ledger_held_says_by_whom() {
    let (lab, server) = world();
    let first = at_work(&lab, &server);
    let refused = lab.import(&server, &["--ledger", "l.db", "--report", "second.csv"]).ends(5);
    let year = jiff::Timestamp::now().strftime("%Y").to_string();
    refused.says(&format!("process {} on ", first.id())).says(&format!("since {year}-")).says(" UTC (run ");
    let settled =
        lab.run(&["ledger", "settle", "p0@example.com", "--absent", "--base-url", &server.url, "--ledger", "l.db"]);
    settled.ends(5).says("process ");
    Ran::from(first.wait_with_output().unwrap()).ends(0);
}

#[test]
fn a_ledger_that_is_a_mount_point_of_its_own_is_refused() {
    let (lab, server) = world();
    lab.import(&server, &["--ledger", "real.db", "--limit", "1"]).ends(0);
    lab.write("l.db", "");
    let program = lab.command(&lab.import_args(&server, &["--ledger", "l.db"]));
    let mut mounted = Command::new("unshare");
    mounted.args(["-m", "sh", "-c", "mount --bind real.db l.db || exit 99; exec \"$0\" \"$@\""]);
    mounted.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).current_dir(lab.path(""));
    mounted.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(output) = mounted.output() else { return skipped("there is no unshare") };
    let ran = Ran::from(output);
    if ran.code == 99 || ran.stderr.contains("unshare:") {
        return skipped(&format!("nothing can be mounted here: {}", ran.stderr));
    }
    ran.ends(78).says("mount point").says("mount the folder");
    assert_eq!(server.posts().len(), 1);
}
