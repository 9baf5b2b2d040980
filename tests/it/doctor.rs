//! `doctor`: every fault that would stop an import is named with its exit code, and no customer is
//! created.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{FAST, Lab, Ran, Server};

/// `ops@example.org`
const ID: &str = "b3BzQGV4YW1wbGUub3Jn";

fn doctor(lab: &Lab, url: &str, more: &[&str]) -> Ran {
    lab.run(&[&["doctor", "--base-url", url, "--rate", "500/s", "--ledger", "l.db"], more].concat())
}

/// What it finds of each subject: the result and the exit code.
fn findings(ran: &Ran) -> Vec<(String, String)> {
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let listed = found["findings"].as_array().unwrap().iter();
    assert_eq!(found["exit_code"], ran.code);
    listed.map(|finding| (text(finding, "subject"), text(finding, "result"))).collect()
}

fn result(ran: &Ran, subject: &str) -> String {
    findings(ran).into_iter().find(|(found, _)| found == subject).unwrap().1
}

/// The methods and paths that the server saw.
fn requests(server: &Server) -> Vec<String> {
    let received = server.events().into_iter().filter(|event| event["event"] == "received");
    received.map(|event| format!("{} {}", event["method"], event["path"]).replace('"', "")).collect()
}

#[test]
fn a_healthy_target_gets_two_requests_and_no_ledger() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let ran = doctor(&lab, &server.url, &["--json"]).ends(0);
    let found = findings(&ran);
    let subjects: Vec<_> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects[..7], ["host", "proxy", "connection", "credentials", "rate limit", "look-ups", "clock"]);
    let disks = ["ledger", "lock", "disk of ledger", "disk of reports", "disk of temp", "descriptors", "memory"];
    assert_eq!(subjects[7..], disks);
    assert!(found.iter().all(|(_, result)| ["ok", "warn", "not_tried"].contains(&result.as_str())), "{found:?}");
    let seen = requests(&server);
    assert!(seen.len() == 2 && seen.iter().all(|request| request.starts_with("GET ")), "{seen:?}");
    assert!(!lab.path("l.db").exists() && !lab.path("l.db.lock").exists());
    doctor(&lab, &server.url, &[]).ends(0).says("ok    connection").says("1,000,000 requests a minute");
}

#[test]
fn an_account_that_logs_in_sends_its_login_and_nothing_else_but_gets() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--login", &format!("{ID}:s3cret-of-ops")]);
    let log_in = |secret: &str| {
        let mut command = lab.command(&["doctor", "--base-url", &server.url, "--rate", "500/s", "--json"]);
        command.env_remove("CUSTOMER_IMPORT_TOKEN").env("CUSTOMER_IMPORT_ACCOUNT_ID", ID);
        Ran::of(command.env("CUSTOMER_IMPORT_APP_SECRET", secret))
    };
    assert_eq!(result(&log_in("s3cret-of-ops").ends(0), "credentials"), "ok");
    let posts = requests(&server).into_iter().filter(|request| request.starts_with("POST"));
    assert!(posts.clone().count() == 1 && posts.clone().all(|request| request.ends_with("/auth/login")));
    let refused = log_in("not-this-secret").ends(77);
    assert_eq!(result(&refused, "credentials"), "fail");
    assert!(!refused.stdout.contains("not-this-secret") && !refused.stdout.contains(ID), "{}", refused.stdout);
}

#[test]
fn what_would_stop_an_import_has_its_exit_code_and_its_next_step() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token", "another-token"]);
    doctor(&lab, &server.url, &[]).ends(77).says("FAIL  credentials").says("hint: use a fresh token");
    // A closed port.
    doctor(&lab, "http://127.0.0.1:1/api", &[]).ends(69).says("FAIL  connection");
    doctor(&lab, &server.url, &["--require-ledger"])
        .ends(78)
        .says("FAIL  ledger")
        .says("the ledger l.db does not exist");
    let mut without = lab.command(&["doctor", "--base-url", &server.url, "--ledger", "l.db"]);
    Ran::of(without.env_remove("CUSTOMER_IMPORT_TOKEN")).ends(2).says("CUSTOMER_IMPORT_TOKEN").says("ok    host");
    let mut proxied = lab.command(&["doctor", "--base-url", "https://api.example.invalid/v1", "--ledger", "l.db"]);
    let proxied = Ran::of(proxied.env("HTTPS_PROXY", "socks5://ops:hidden@127.0.0.1:9").env_remove("https_proxy"));
    assert!(!proxied.ends(78).says("FAIL  proxy").says("socks5").stdout.contains("hidden"));
    assert!(!lab.path("l.db").exists());
}

#[test]
fn look_ups_that_are_missing_or_not_filtered_are_a_warning() {
    let lab = Lab::new();
    for (options, words) in [
        (&["--no-lookup"][..], "does not offer"),
        (&["--fault", "lookup-ignores-filter"], "the e-mail filter is ignored"),
    ] {
        let server = Server::start(&lab, options);
        lab.customers(2);
        lab.import(&server, &["--ledger", "other.db", "--report", "other.csv"]).ends(0);
        std::fs::remove_file(lab.path("other.db")).unwrap();
        doctor(&lab, &server.url, &[]).ends(0).says("warn  look-ups").says(words).says("hint: ");
    }
}

#[test]
fn a_run_that_holds_the_ledger_is_named_and_not_hindered() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(80);
    let args = [&["import", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--concurrency", "1"], &FAST[..]];
    let mut import = lab.command(&args.concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(2);
    let ran = doctor(&lab, &server.url, &[]).ends(5).says("FAIL  lock");
    ran.says(&format!("process {}", import.id())).says("wait until that run ends");
    assert!(import.wait().unwrap().success());
    let ran = doctor(&lab, &server.url, &[]).ends(0).says("free").says("80 records of 1 run");
    ran.says("whole").says("the e-mail filter works");
}

#[test]
fn a_damaged_ledger_is_found_without_being_touched() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(200);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    let mut bytes = std::fs::read(lab.path("l.db")).unwrap();
    // The header and the first pages stay, so that it opens.
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    lab.write("l.db", &bytes);
    doctor(&lab, &server.url, &[]).ends(74).says("FAIL  ledger").says("damaged");
    assert!(std::fs::read(lab.path("l.db")).unwrap() == bytes);
}
