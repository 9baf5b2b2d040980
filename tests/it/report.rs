//! Reports, made from input and ledger at any time.

use serde_json::Value;

use crate::harness::{Lab, Server, rows};

#[test]
fn a_report_made_again_is_the_report_of_the_run() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com"]);
    lab.customers(5);
    lab.import(&server, &[]).ends(1);
    let of_the_run = lab.read("in.report.csv");
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--report", "again.csv"]).ends(1);
    assert_eq!(lab.read("again.csv"), of_the_run);
}

#[test]
fn a_report_can_speak_as_of_an_earlier_run() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    let first = lab.import(&server, &["--summary", "json"]).ends(0).summary();
    lab.import(&server, &[]).ends(0);
    assert_eq!(lab.statuses(), ["already_imported"; 3]);
    let run = first["run"].as_str().unwrap();
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--run", run]).ends(0);
    assert_eq!(lab.statuses(), ["created"; 3]);
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--run", "unknown"]).ends(2);
}

#[test]
fn ndjson_holds_the_same_fields_and_the_servers_data() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", "customer_name,customer_email,customer_phone,customer_country,legacy_id,status\nA,a@example.com,+4917612345001,DEU,L1,old\n");
    lab.import(&server, &["--report", "out.ndjson", "--report", "out.csv", "--keep", "legacy_id", "--keep", "status"])
        .ends(0);
    let line: Value = serde_json::from_str(lab.read("out.ndjson").lines().next().unwrap()).unwrap();
    let row = &rows(&lab.path("out.csv"))[0];
    for (name, value) in row {
        let told = match &line[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        assert_eq!(told, *value, "{name}");
    }
    assert_eq!(line["data"]["customer_id"], line["customer_id"]);
    assert_eq!((row["legacy_id"].as_str(), row["input_status"].as_str()), ("L1", "old"));
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    std::os::unix::fs::symlink("/dev/full", lab.path("out.csv")).unwrap();
    lab.import(&server, &["--report", "out.csv"]).ends(74);
    assert_eq!(server.requests(), 0, "it is refused before anything is sent");
}
