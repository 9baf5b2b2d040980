//! The dry run.

use std::process::Command;

use crate::harness::{HEADER, Lab, Ran, Server, fixture, rows};

#[test]
fn a_good_file_shows_the_plan_and_ends_well() {
    let lab = Lab::new();
    lab.customers(120);
    lab.run(&["check", "in.csv"]).ends(0).says("120  to send").says("120  KYC e-mails").says("about 2 min");
    lab.run(&["check", "in.csv", "--rate", "10/m"]).ends(0).says("about 12 min");
}

#[test]
fn problems_come_by_count_with_their_values_and_echoes_are_not_problems() {
    let lab = Lab::new();
    let of_country = |n: usize, country: &str| format!("P,p{n}@firma.de,030 1234567,{country}\n");
    let rows: String = (0..1756).map(|n| of_country(n, "Doitschland")).chain([of_country(1756, "DE")]).collect();
    lab.write("in.csv", format!("{HEADER}\n{rows}Ada,nobody,+4917612345001,DE\n"));
    let said = lab.run(&["check", "in.csv"]).ends(1).says("1,757  invalid").stderr;
    let (_, list) = said.split_once("1,756  country.unknown (problem, first in row 1)").unwrap();
    assert!(list.contains("1,756 times") && list.contains("did you mean Deutschland?"), "{list}");
    assert!(list.contains("1  email.syntax (problem, first in row 1758)"), "{list}");
    assert!(!said.contains("phone.no_country_code (problem"), "{said}");
    assert!(list.contains("1,756  phone.no_country_code not counted, because the record's country is not known"));
}

#[test]
fn import_dry_run_is_the_same_and_needs_neither_target_nor_token() {
    let lab = Lab::new();
    lab.customers(3);
    let check = lab.run(&["check", "in.csv"]).ends(0);
    let mut command = lab.command(&["import", "in.csv", "--dry-run"]);
    let dry = Ran::of(command.env_remove("CUSTOMER_IMPORT_TOKEN")).ends(0);
    assert_eq!(check.stdout, dry.stdout);
    assert!(!lab.path("in.report.csv").exists(), "a check writes a report only when asked");
    assert!(!lab.path("state").exists(), "a check leaves nothing behind");
}

#[test]
fn the_plan_knows_what_was_imported_before() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(5);
    lab.import(&server, &["--limit", "2"]).ends(0);
    let requests = server.requests();
    lab.run(&["check", "in.csv", "--base-url", &server.url]).ends(0).says("3  to send").says("2  already imported");
    assert_eq!(server.requests(), requests);
}

#[test]
fn every_problem_is_shown_with_its_place_and_code_and_reported_when_asked() {
    let lab = Lab::new();
    for name in ["messy.csv", "messy.ndjson"] {
        std::fs::copy(fixture(name), lab.path(name)).unwrap();
        let ran = lab.run(&["check", name, "--report", "check.csv"]).ends(1);
        let report = rows(&lab.path("check.csv"));
        for row in report.iter().filter(|row| row["status"] == "invalid") {
            assert!(!row["error_code"].is_empty() && !row["error"].is_empty(), "{row:?}");
        }
        assert!(report.iter().any(|row| row["status"] == "valid"));
        assert!(ran.stderr.contains(&format!("{name}:")), "{}", ran.stderr);
    }
}

#[test]
fn the_plan_of_ndjson_lists_the_fields_that_occur_and_names_a_file_of_its_kind() {
    let lab = Lab::new();
    let line =
        r#"{"name":"Ada","email":"ada@example.com","phone":"+4917612345001","country":"DE","customer_idType":"x"}"#;
    let later = line.replace("ada@", "eva@").replace("idType", "idNumber");
    lab.write("in.ndjson", format!("{line}\n{}\n", line.replace("ada@example.com", "nobody")));
    let ran = lab.run(&["check", "in.ndjson"]).ends(1).says("customer_idType").says("--rejects mend.ndjson");
    assert!(!ran.stderr.contains("customer_idNumber") && !ran.stderr.contains("zipcode"), "{}", ran.stderr);
    // A key that only a later object has is listed too.
    lab.write("in.ndjson", format!("{line}\n{later}\n"));
    lab.run(&["check", "in.ndjson"]).ends(0).says("customer_idNumber");
}

#[test]
fn the_messy_fixtures_hold_every_code_that_a_small_file_can_hold() {
    let lab = Lab::new();
    let mut seen = String::new();
    for name in ["messy.csv", "messy.ndjson"] {
        std::fs::copy(fixture(name), lab.path(name)).unwrap();
        lab.run(&["check", name, "--report", "check.csv"]).ends(1);
        seen.push_str(&lab.read("check.csv"));
    }
    // `row.too_large` needs a large record, and one badly encoded record in so small a file
    // condemns the file. A quote that is written `\"` moves the cells after it.
    let made_elsewhere = ["row.too_large", "row.encoding", "row.escaped_quotes"];
    for code in customer_import::domain::Code::ALL.iter().map(|code| code.as_str()) {
        assert!(seen.contains(code) || made_elsewhere.contains(&code), "{code} is in neither file");
    }
}

#[test]
fn a_record_that_is_too_large_is_refused_and_its_neighbours_are_right() {
    let lab = Lab::new();
    let large = "x".repeat(100_000);
    lab.write("in.csv", format!("{HEADER}\nA,a@example.com,+4917612345001,DEU\n{large},b@example.com,+4917612345002,DEU\nC,c@example.com,+4917612345003,DEU\n"));
    lab.run(&["check", "in.csv", "--report", "out.csv"]).ends(1).says("row.too_large");
    let report = rows(&lab.path("out.csv"));
    let statuses: Vec<_> = report.iter().map(|row| row["status"].as_str()).collect();
    assert_eq!(statuses, ["valid", "invalid", "valid"]);
    assert_eq!(report[2]["line"], "4");
}

#[test]
fn files_that_cannot_be_customers_are_refused_with_the_next_step() {
    let lab = Lab::new();
    lab.write("columns.csv", "a,b,c\n1,2,3\n");
    lab.run(&["check", "columns.csv"]).ends(65).says("--map");
    lab.write("empty.csv", "");
    lab.run(&["check", "empty.csv"]).ends(65);
    lab.write("binary.csv", b"\x89PNG\r\n\x1a\n\0\0\0");
    lab.run(&["check", "binary.csv"]).ends(65);
    lab.run(&["check", "."]).ends(65);
    lab.run(&["check", "nowhere.csv"]).ends(65).says("nowhere.csv");
    lab.write("open.csv", format!("{HEADER}\nA,a@example.com,\"+4917612345001,DEU\n"));
    lab.run(&["check", "open.csv"]).ends(65).says("line 2");
    lab.write("array.json", "[{\"a\":1}]");
    lab.run(&["check", "array.json"]).ends(65);
}

#[test]
fn i9_check_opens_no_socket() {
    let lab = Lab::new();
    lab.customers(3);
    let Ok(version) = Command::new("strace").arg("-V").output() else {
        // `.ci/run` installs strace; elsewhere the proof is not to be had.
        return;
    };
    assert!(version.status.success());
    for args in [&["check", "in.csv", "--base-url", "https://api.example.com/v1"][..], &["init", "in.csv"]] {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-e", "trace=network", "-o", "trace.txt", env!("CARGO_BIN_EXE_customer-import")]);
        traced.args(args).current_dir(lab.path(""));
        traced.env("XDG_STATE_HOME", lab.path("state")).env("HOME", lab.path(""));
        Ran::of(&mut traced).ends(0);
        let trace = lab.read("trace.txt");
        assert!(!trace.contains("socket("), "{trace}");
    }
}
