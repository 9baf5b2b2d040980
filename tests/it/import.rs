//! The main job.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{FAST, Lab, Ran, Server, email, fixture, rows, wait_until};

#[test]
fn every_customer_of_the_fixture_is_created_with_ids_and_links() {
    let lab = Lab::new();
    std::fs::copy(fixture("customers.csv"), lab.path("in.csv")).unwrap();
    lab.run(&["import", "in.csv", "--sandbox"]).ends(0).says("created");
    let report = lab.report();
    assert!(report.len() >= 40);
    for row in &report {
        assert_eq!(row["status"], "created", "{row:?}");
        assert!(!row["id"].is_empty() && !row["customer_id"].is_empty());
        assert!(row["kyc_link"].contains("fields[developer_id]="), "the link is carried byte for byte: {row:?}");
    }
}

#[test]
fn ndjson_and_standard_input_are_imported_alike() {
    let lab = Lab::new();
    std::fs::copy(fixture("customers.ndjson"), lab.path("in.ndjson")).unwrap();
    lab.run(&["import", "in.ndjson", "--sandbox"]).ends(0);
    assert!(rows(&lab.path("in.ndjson.report.csv")).iter().all(|row| row["status"] == "created"));

    let mut child =
        lab.command(&["import", "-", "--sandbox"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let csv = std::fs::read(fixture("customers.csv")).unwrap();
    child.stdin.take().unwrap().write_all(&csv).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rows(&lab.path("customer-import.report.csv")).iter().all(|row| row["status"] == "created"));
    let spool = lab.path("state/customer-import/spool");
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0, "a spooled input goes with the run that ended well");
}

#[test]
fn standard_input_is_kept_as_long_as_a_command_that_is_told_as_next_needs_it() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let args = [&["import", "-", "--base-url", &server.url, "--limit", "3"], &FAST[..]].concat();
    let mut child = lab.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(crate::harness::customers(5).as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(0);
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("resume    ")).expect("a next command").to_owned();
    let spool = lab.path("state/customer-import/spool");
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 1);

    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &next]).current_dir(lab.path("")).env("CUSTOMER_IMPORT_TOKEN", "t");
    shell.env("XDG_STATE_HOME", lab.path("state")).stdin(Stdio::null());
    Ran::of(&mut shell).ends(0).says("Done: 5 records");
    server.has_each_once((0..5).map(email));
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0, "nothing needs it any more");
}

#[test]
fn a_second_run_of_the_same_file_posts_nothing_and_knows_all_ids() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(30);
    lab.import(&server, &[]).ends(0);
    let first = lab.report();
    let requests = server.requests();
    lab.import(&server, &[]).ends(0).says("already_imported");
    let second = lab.report();
    assert_eq!(server.requests(), requests);
    for (before, after) in first.iter().zip(&second) {
        assert_eq!(after["status"], "already_imported");
        for column in ["id", "customer_id", "kyc_link", "customer_email"] {
            assert_eq!(before[column], after[column]);
        }
    }
}

#[test]
fn a_sandbox_world_forgets() {
    let lab = Lab::new();
    lab.customers(3);
    for _ in 0..2 {
        lab.run(&["import", "in.csv", "--sandbox"]).ends(0);
        assert_eq!(lab.statuses(), ["created"; 3]);
    }
    assert!(!lab.path("state").exists(), "the user's own ledgers are left alone");
}

#[test]
fn i6_records_read_are_the_sum_of_the_outcomes() {
    let lab = Lab::new();
    std::fs::copy(fixture("messy.csv"), lab.path("in.csv")).unwrap();
    let ran = lab.run(&["import", "in.csv", "--sandbox", "--summary", "json"]).ends(1);
    let summary = ran.summary();
    let sum: u64 = summary["outcomes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(summary["records_read"], sum);
    assert_eq!(lab.report().len() as u64, sum);
    assert_eq!(summary["version"], 1);
    assert_eq!(summary["exit_code"], 1);
}

#[test]
fn every_dialect_of_success_is_understood() {
    for dialect in ["seed", "docs", "laravel"] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--dialect", dialect]);
        lab.customers(5);
        lab.import(&server, &[]).ends(0);
        let report = lab.report();
        assert!(report.iter().all(|row| row["status"] == "created" && !row["customer_id"].is_empty()), "{dialect}");
        server.has_each_once((0..5).map(email));
    }
}

#[test]
fn customers_that_the_api_had_before_exist_with_their_id() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(4);
    lab.import(&server, &[]).ends(0);
    let first = lab.report();
    lab.import(&server, &["--ledger", "another.db"]).ends(0);
    for (before, after) in first.iter().zip(&lab.report()) {
        assert_eq!(after["status"], "exists");
        assert_eq!(before["customer_id"], after["customer_id"]);
    }
    server.has_each_once((0..4).map(email));
}

#[test]
fn an_edited_row_is_changed_and_not_posted() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    lab.import(&server, &[]).ends(0);
    let edited = lab.read("in.csv").replace("Person 1,", "Somebody Else,");
    lab.write("in.csv", edited);
    lab.import(&server, &[]).ends(0);
    assert_eq!(lab.statuses(), ["already_imported", "changed", "already_imported"]);
    assert_eq!(server.posts().len(), 3);
}

#[test]
fn the_second_record_of_an_email_is_a_duplicate_with_the_ids_of_the_first() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let mut csv = crate::harness::customers(2);
    csv.push_str("Other Name,P0@Example.com,+4917612345000,DEU\n");
    lab.write("in.csv", csv);
    lab.import(&server, &[]).ends(0);
    let report = lab.report();
    assert_eq!(report[2]["status"], "duplicate");
    assert_eq!(report[2]["customer_id"], report[0]["customer_id"]);
    assert!(report[2]["error"].contains("row 1"));
    assert!(report[2]["warning"].contains("duplicate.differs"));
    server.has_each_once((0..2).map(email));
}

#[test]
fn a_foreign_export_is_imported_with_a_map() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write(
        "in.csv",
        "Customer ID,First Name,Last Name,Email,Default Address Country Code,Default Address City,Phone\n\
         '7001,Ana,García,ana@example.com,ES,Madrid,'+34612345678\n\
         '7002,Jan,de Vries,jan@example.com,NL,Utrecht,06 12345678\n",
    );
    let map = [
        "--map",
        "customer_name={First Name} {Last Name}",
        "--map",
        "customer_country=Default Address Country Code",
        "--extra",
        "customer_address.city=Default Address City",
        "--keep",
        "Customer ID",
    ];
    lab.import(&server, &map).ends(0);
    let report = lab.report();
    assert_eq!(report[1]["Customer ID"], "'7002");
    assert!(report.iter().all(|row| row["status"] == "created"));
}

#[test]
fn a_limit_sends_so_many_and_the_same_command_sends_the_next() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(5);
    lab.import(&server, &["--limit", "2"]).ends(0);
    assert_eq!(lab.statuses(), ["created", "created", "not_attempted", "not_attempted", "not_attempted"]);
    lab.import(&server, &["--limit", "2"]).ends(0);
    assert_eq!(server.posts().len(), 4);
}

#[test]
fn rejects_can_be_mended_and_imported() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com:first=1"]);
    let good = crate::harness::customers(4);
    lab.write("in.csv", good.replace("p1@example.com", "p1.example.com"));
    lab.import(&server, &["--rejects", "rejects.csv"]).ends(1);
    assert_eq!(lab.statuses(), ["created", "invalid", "rejected", "created"]);
    let rejects = rows(&lab.path("rejects.csv"));
    assert_eq!(rejects.len(), 2);
    assert!(rejects.iter().all(|row| !row["error"].is_empty()));
    let mended = lab.read("rejects.csv").replace("p1.example.com", "p1@example.com").replace("Person 2", "Person Two");
    lab.write("in.csv", mended);
    lab.import(&server, &[]).ends(0);
    server.has_each_once((0..4).map(email));
}

#[test]
fn a_closed_standard_output_never_stops_an_import() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(10);
    let mut child =
        lab.command(&lab.import_args(&server, &["-v"])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    server.has_each_once((0..10).map(email));
}

#[test]
fn a_quiet_import_that_went_well_says_nothing_and_one_that_did_not_says_so() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p4@example.com"]);
    lab.customers(4);
    let first = lab.import(&server, &["-q", "--ledger", "l.db"]).ends(0);
    assert_eq!((first.stdout.as_str(), first.stderr.as_str()), ("", ""));
    lab.customers(5);
    lab.import(&server, &["-q", "--ledger", "l.db"]).ends(1).says("1  rejected");
}

#[test]
fn neither_token_nor_links_nor_whole_emails_reach_the_logs() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "500:0.3", "--seed", "7"]);
    lab.customers(10);
    let ran = lab.import(&server, &["-vv"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for secret in ["test-token", "kyc", "p3@example.com"] {
        assert!(!ran.stderr.contains(secret), "{secret} in:\n{}", ran.stderr);
    }
    assert!(!said.contains("withpersona"), "{said}");
}

#[test]
fn the_report_and_the_ledger_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "l.db", "--report", "out.ndjson", "--rejects", "r.csv"]).ends(0);
    for name in ["l.db", "out.ndjson", "r.csv"] {
        let mode = std::fs::metadata(lab.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn fast_options_are_options() {
    // A misspelled option would make every other test fail in the same way; this one says why.
    let lab = Lab::new();
    lab.customers(1);
    Ran::of(lab.command(&["import", "in.csv", "--sandbox"]).args(FAST)).ends(0);
}

/// The most memory that a process had so far, in KiB, as the kernel counted it.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// When the first request arrives, the whole input was read once.
#[cfg(target_os = "linux")]
fn memory_of_reading(rows: usize) -> u64 {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let ballast = "x".repeat(2000);
    let mut csv = format!("{},ballast\n", crate::harness::HEADER);
    for n in 0..rows {
        csv.push_str(&format!("Person {n},{},+4917612345{:03},DEU,{ballast}\n", email(n), n % 1000));
    }
    lab.write("in.csv", csv);
    let args = ["import", "in.csv", "--base-url", &server.url, "--rate", "1/m", "-q"];
    let mut child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("nothing was sent", || !server.posts().is_empty() || child.try_wait().unwrap().is_some());
    let peak = peak_memory(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn i8_memory_does_not_grow_with_the_file() {
    let (small, large) = (memory_of_reading(100), memory_of_reading(10_000));
    // The large file has 20 MiB. Its rows are remembered with 16 bytes each, in a table that is at
    // most half empty after it grew; the records on their way to the ledger are as many as the
    // queue allows.
    assert!(large < small + 6 * 1024, "{small} KiB for 100 rows, {large} KiB for 10,000");
}
