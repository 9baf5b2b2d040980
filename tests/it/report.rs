//! Reports, made from input and ledger at any time.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::harness::{HEADER, Lab, Ran, Server, rows};

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
fn b13_a_report_for_a_double_click_has_a_mark_and_its_delimiter_and_others_have_neither() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", format!("{HEADER}\nJäger,p0@example.com,+4917612345001,DEU\n"));
    let keep = ["--keep", "customer_name"];
    lab.import(&server, &keep).ends(0);
    let plain = lab.read("in.report.csv");
    assert!(plain.starts_with("row,line,status,") && plain.contains(",Jäger"), "{plain}");
    for (delimiter, sign) in [(";", ';'), ("tab", '\t')] {
        lab.import(&server, &[&keep[..], &["--report-delimiter", delimiter]].concat()).ends(0);
        let marked = lab.read("in.report.csv");
        assert!(marked.starts_with(&format!("\u{feff}row{sign}line{sign}status{sign}")), "{marked}");
        assert!(marked.contains(&format!("{sign}Jäger")) && !marked.contains(','), "{marked}");
    }
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

#[cfg(unix)]
#[test]
fn a_report_as_a_workbook_is_private_and_made_again_is_the_same_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com"]);
    lab.customers(5);
    lab.import(&server, &["--report", "out.xlsx", "--rejects", "mend.xlsx"]).ends(1).says("rejects   mend.xlsx");
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--report", "again.xlsx"]).ends(1);
    let [report, again, rejects] =
        ["out.xlsx", "again.xlsx", "mend.xlsx"].map(|name| std::fs::read(lab.path(name)).unwrap());
    assert!(report == again && report.starts_with(b"PK\x03\x04") && rejects.starts_with(b"PK\x03\x04"));
    for name in ["out.xlsx", "mend.xlsx"] {
        assert_eq!(std::fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let names = std::fs::read_dir(lab.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn a_report_for_a_spreadsheet_has_the_named_delimiter_and_a_byte_order_mark() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--report-delimiter", "tab"]).ends(0);
    assert!(lab.read("in.report.csv").starts_with("\u{feff}row\tline\tstatus\t"));

    let mut command = lab.command(&["report", "in.csv", "--base-url", &server.url]);
    Ran::of(command.env("CUSTOMER_IMPORT_REPORT_DELIMITER", ";")).ends(0);
    assert!(lab.read("in.report.csv").starts_with("\u{feff}row;line;status;"));

    lab.write("options.toml", "report-delimiter = \"|\"\n");
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--config", "options.toml"]).ends(0);
    assert!(lab.read("in.report.csv").starts_with("\u{feff}row|line|status|"));

    lab.run(&["report", "in.csv", "--base-url", &server.url]).ends(0);
    assert!(lab.read("in.report.csv").starts_with("row,line,status,"), "for programs, without a mark");
    lab.run(&["check", "in.csv", "--report-delimiter", "ab"]).ends(2);
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

/// An import of many rows that has begun to send.
fn begun(lab: &Lab, server: &Server) -> Child {
    lab.customers(500);
    let args = lab.import_args(server, &["--concurrency", "2"]);
    let child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(3);
    child
}

#[test]
fn a_report_during_a_run_says_since_when_it_runs_and_after_a_kill_that_it_was_cut_off() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    let mut child = begun(&lab, &server);
    let report = ["report", "in.csv", "--base-url", &server.url];
    let running = lab.run(&report);
    assert!([1, 4].contains(&running.code), "{running:?}");
    assert!(running.stdout.starts_with("Running since 20"), "{}", running.stdout);
    assert!(!running.stdout.contains("Finished"), "{}", running.stdout);
    let told = lab.run(&[&report[..], &["--summary", "json"]].concat()).summary();
    assert!(told["running_since"].is_string() && told["requests"].is_null() && told["cut_off"] == false, "{told}");

    child.kill().unwrap();
    child.wait().unwrap();
    let killed = lab.run(&report);
    assert!([1, 4].contains(&killed.code), "{killed:?}");
    assert!(killed.stdout.starts_with("Cut off: the run of 20"), "{}", killed.stdout);
}

#[test]
fn a_report_is_done_only_if_every_record_ended() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    let mut child = begun(&lab, &server);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
    let report = ["report", "in.csv", "--base-url", &server.url];
    lab.run(&report).ends(1).says("Stopped: stopped by SIGTERM (termination)").says("not_attempted");

    lab.import(&server, &["--limit", "2"]).ends(0);
    lab.run(&report).ends(1).says("495 not sent yet");
    lab.customers(3);
    lab.import(&server, &[]).ends(0);
    lab.run(&report).ends(0).says("Done");
}

#[test]
fn a_report_of_an_edited_file_calls_no_customer_created_twice() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let row = |name: &str| format!("{name},{name}@example.com,+4917612345678,DEU\n");
    let file = |names: &[&str]| {
        let rows: String = names.iter().map(|name| row(name)).collect();
        lab.write("in.csv", format!("{}\n{rows}", crate::harness::HEADER));
    };
    file(&["x", "a", "a"]);
    lab.import(&server, &[]).ends(0);
    assert_eq!(lab.statuses(), ["created", "created", "duplicate"]);
    for (names, statuses) in [
        (&["a", "a", "x"][..], &["created", "duplicate", "created"][..]),
        (&["a", "x", "a", "a"], &["created", "created", "duplicate", "duplicate"]),
    ] {
        file(names);
        lab.run(&["report", "in.csv", "--base-url", &server.url]).ends(0);
        assert_eq!(lab.statuses(), statuses);
    }
}
