//! What must end a run, with the right code, after few requests, and resumable.

use crate::harness::{Lab, Server, email};
use testkit::import::Import;

#[test]
fn a_refused_token_ends_with_77_and_nobody_is_in_doubt() {
    let done = Import::of(20).server(&["--token", "another"]).ends(77).reports(["not_attempted"; 20]);
    assert_eq!(done.server.customers().len(), 0);
}

#[test]
fn a_token_command_is_asked_again_when_its_token_is_refused() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token", "fresh"]);
    lab.customers(5);
    let command = "cat token 2>/dev/null || echo stale; echo fresh > token";
    let args = lab.import_args(&server, &["--token-command", command]);
    let mut import = lab.command(&args);
    crate::harness::Ran::of(import.env_remove("CUSTOMER_IMPORT_TOKEN")).ends(0);
    server.has_each_once((0..5).map(email));
}

#[test]
fn configuration_faults_end_with_78_after_one_request() {
    for fault in ["404", "405", "redirect", "402", "415"] {
        let done = Import::of(20).fault(fault).ends(78);
        assert_eq!(done.server.posts().len(), 1, "{fault}");
    }
}

#[test]
fn a_server_that_is_not_there_ends_with_69_and_burns_no_record() {
    let lab = Lab::new();
    lab.customers(5);
    let args = ["import", "in.csv", "--base-url", "http://127.0.0.1:9/api", "--rate", "100/s", "--give-up-after", "1s"];
    lab.run(&args).ends(69).says("resume");
    assert_eq!(lab.statuses(), ["not_attempted"; 5]);
}

#[test]
fn a_wrong_mapping_stops_within_twenty_requests_and_those_in_flight() {
    let done =
        Import::of(200).fault("422").ends(78).says("with the same message").says(
            "customer_name is read from column \"customer_name\": if that is wrong, name another column with --map",
        );
    assert!(done.server.posts().len() <= 28, "{}", done.server.posts().len());
}

#[test]
fn max_failures_stops_at_that_many() {
    let done = Import::of(100)
        .fault("503:p*")
        .with(&["--max-failures", "3", "--max-attempts", "1", "--concurrency", "1"])
        .ends(1);
    let failed = done.lab.statuses().iter().filter(|status| *status == "failed").count();
    assert!((3..=8).contains(&failed), "{failed}");
}

#[test]
fn strict_sends_nothing_when_one_record_is_invalid() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", crate::harness::customers(3).replace("p1@", "p1"));
    lab.import(&server, &["--strict"]).ends(1).says("--strict");
    assert_eq!(lab.statuses(), ["not_attempted", "invalid", "not_attempted"]);
    assert_eq!(server.requests(), 0);
}
