//! A customer is known by the e-mail, an input by what it holds: what happens when files change,
//! before, between and during runs.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{FAST, HEADER, Lab, Server, customers, email};

#[test]
fn a_sorted_split_or_repeated_file_posts_nobody_twice() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(6);
    lab.import(&server, &["--limit", "3"]).ends(0);
    let whole = lab.read("in.csv");
    let rows: Vec<_> = whole.lines().skip(1).collect();
    let file = |rows: &[&str]| format!("{HEADER}\n{}\n", rows.join("\n"));

    let mut backwards = rows.clone();
    backwards.reverse();
    lab.write("in.csv", file(&backwards));
    lab.import(&server, &["--limit", "1"]).ends(0);
    lab.write("in.csv", file(&rows[..2]));
    lab.import(&server, &[]).ends(0);
    assert_eq!(lab.statuses(), ["already_imported"; 2]);
    lab.write("in.csv", file(&[&rows[..], &rows[..]].concat()));
    lab.import(&server, &[]).ends(0);
    assert_eq!(lab.statuses()[6..], ["duplicate"; 6]);
    server.has_each_once((0..6).map(email));
    assert_eq!(server.posts().len(), 6);
}

#[test]
fn an_input_that_changes_while_it_is_read_ends_with_65_and_loses_nothing() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "5ms"]);
    lab.customers(3000);
    let args = lab.import_args(&server, &["--concurrency", "2"]);
    let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(5);
    let mut file = std::fs::OpenOptions::new().append(true).open(lab.path("in.csv")).unwrap();
    writeln!(file, "Late,late@example.com,+4917612345678,DEU").unwrap();
    drop(file);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("changed"), "{said}");
    lab.import(&server, &[]).ends(0);
    server.has_each_once((0..3000).map(email).chain(["late@example.com".to_owned()]));
}

#[test]
fn an_empty_standard_input_invents_nothing() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.run(&[&["import", "-", "--base-url", &server.url], &FAST[..]].concat()).ends(65).says("empty");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_header_alone_is_an_import_of_nobody() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", format!("{HEADER}\n"));
    lab.import(&server, &[]).ends(0).says("0  records read");
    assert!(lab.report().is_empty());
}

#[test]
fn a_spooled_input_is_kept_until_a_run_of_it_ends_well() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "503:p1@example.com"]);
    let args = [&["import", "-", "--base-url", &server.url, "--max-attempts", "1"], &FAST[..]].concat();
    let mut child = lab.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(customers(3).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    let spooled = std::fs::read_dir(lab.path("state/customer-import/spool")).unwrap().next().unwrap().unwrap().path();
    assert!(said.contains(&spooled.display().to_string()), "the resume command names the spooled file:\n{said}");
    assert_eq!(std::fs::read_to_string(&spooled).unwrap(), customers(3));

    // Resumed by its name, it is still standard input: the same report, and gone once all is well.
    let calm = Server::start(&Lab::new(), &[]);
    let named = spooled.display().to_string();
    lab.run(&[&["import", named.as_str(), "--base-url", &calm.url], &FAST[..]].concat()).ends(0);
    let report = crate::harness::rows(&lab.path("customer-import.report.csv"));
    assert_eq!(report.len(), 3);
    assert!(report.iter().all(|row| row["status"] == "created"));
    assert!(!spooled.exists());
}
