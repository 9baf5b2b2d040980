//! The ledger from outside.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Lab, Server, email};

#[test]
fn a_second_run_on_the_same_ledger_ends_at_once_and_readers_go_on() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(60);
    let mut first = lab
        .command(&lab.import_args(&server, &["--concurrency", "2"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    while server.posts().len() < 3 {
        assert!(Instant::now() < patience);
        std::thread::yield_now();
    }
    lab.import(&server, &[]).ends(5).says("another run");
    lab.run(&["check", "in.csv", "--base-url", &server.url]).ends(0);
    lab.run(&["report", "in.csv", "--base-url", &server.url]).says("not_attempted");
    assert!(first.wait().unwrap().success());
    server.has_each_once((0..60).map(email));
}

#[test]
fn a_required_ledger_that_is_missing_is_not_made() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "l.db", "--require-ledger"]).ends(78).says("l.db");
    assert!(!lab.path("l.db").exists());
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_file_that_is_no_ledger_is_refused_untouched() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.write("l.db", "precious\n".repeat(200));
    lab.import(&server, &["--ledger", "l.db"]).ends(78);
    assert_eq!(lab.read("l.db"), "precious\n".repeat(200));
    assert_eq!(server.requests(), 0);
}

#[test]
fn another_target_is_another_memory() {
    let lab = Lab::new();
    let (one, other) = (Server::start(&lab, &[]), Lab::new());
    let two = Server::start(&other, &[]);
    lab.customers(2);
    lab.import(&one, &["--ledger", "l.db"]).ends(0);
    lab.import(&two, &["--ledger", "l.db"]).ends(0);
    assert_eq!(lab.statuses(), ["created", "created"]);
    two.has_each_once((0..2).map(email));
}

#[test]
fn i10_after_a_ledger_error_nothing_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(50);
    // A limit on file size makes every further write of the ledger fail, as a full disk would.
    let args = lab.import_args(&server, &["--ledger", "l.db", "--report", "out.csv"]);
    let program = lab.command(&args);
    let line: Vec<_> = program.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let script = format!("trap '' XFSZ; ulimit -f 120; exec \"$0\" {}", line.join(" "));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_customer-import")]).current_dir(lab.path(""));
    shell.env("CUSTOMER_IMPORT_TOKEN", "t").env("XDG_STATE_HOME", lab.path("state"));
    crate::harness::Ran::of(&mut shell).ends(74);
    let sent = server.posts().len();
    assert!(sent < 50, "{sent} were sent");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once((0..50).map(email));
}
