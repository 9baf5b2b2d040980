//! What the ledger remembers of runs and fields, and what people see of it.

use customer_import::domain::{MinuteTraffic, Request, ResponseClass, Status};
use customer_import::ledger::{Reader, RunInfo, Target};

use crate::harness::{Lab, Server, email};

fn sql(lab: &Lab, statement: &str) {
    rusqlite::Connection::open(lab.path("l.db")).unwrap().execute_batch(statement).unwrap();
}

fn reader(lab: &Lab) -> Reader {
    let ledger = rusqlite::Connection::open(lab.path("l.db")).unwrap();
    let base_url = ledger.query_row("SELECT base_url FROM targets", [], |row| row.get(0)).unwrap();
    Reader::open(&lab.path("l.db"), &Target { base_url, account: "default".to_owned() }).unwrap()
}

/// Of the input, the newest first.
fn runs(lab: &Lab) -> Vec<RunInfo> {
    let input = lab.path("in.csv").canonicalize().unwrap();
    reader(lab).runs_of(&input.to_string_lossy(), 10).unwrap()
}

fn edit(lab: &Lab, from: &str, to: &str) {
    let text = lab.read("in.csv");
    assert!(text.contains(from), "{from} in {text}");
    lab.write("in.csv", text.replace(from, to));
}

const LEDGER: [&str; 2] = ["--ledger", "l.db"];
const EXTRA: [&str; 4] = ["--ledger", "l.db", "--extra", "customer_address.city=City"];

#[test]
fn b18_a_changed_record_names_the_fields_that_differ_in_the_report_and_in_the_summary() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    lab.import(&server, &LEDGER).ends(0);
    edit(&lab, "Person 1,", "Somebody Else,");
    edit(&lab, "Person 2,p2@example.com", "Somebody Else,P2@example.com");
    let ran = lab.import(&server, &LEDGER).ends(0).says("changed in customer_name (2), customer_email (1)");
    assert!(!ran.stdout.contains("unknown"), "{}", ran.stdout);
    let report = lab.report();
    let told: Vec<_> = report.iter().map(|row| (row["status"].as_str(), row["error"].as_str())).collect();
    let expected = [
        ("already_imported", ""),
        ("changed", "differs in customer_name"),
        ("changed", "differs in customer_email, customer_name"),
    ];
    assert_eq!(told, expected);
    assert!(report.iter().all(|row| row["error_code"].is_empty() && !row["customer_id"].is_empty()));
    let summary = lab.import(&server, &[&LEDGER[..], &["--summary", "json"]].concat()).ends(0).summary();
    assert_eq!(summary["changed_fields"], serde_json::json!({"customer_email": 1, "customer_name": 2}));
    assert_eq!(server.posts().len(), 3);
}

#[test]
fn b18_a_quiet_import_that_met_changed_records_says_how_many_and_in_which_fields() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    lab.import(&server, &LEDGER).ends(0);
    edit(&lab, "Person 1,", "Somebody Else,");
    let ran = lab.import(&server, &[&LEDGER[..], &["-q"]].concat()).ends(0);
    let line = "1 changed record, imported earlier with other data; not sent: customer_name (1)\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (line, ""));
}

#[test]
fn extra_fields_that_came_changed_or_went_are_named_by_their_paths() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let header = "customer_name,customer_email,customer_phone,customer_country,City\n";
    let row = |n: usize, city: &str| format!("Person {n},{},+4917612345{n:03},DEU,{city}\n", email(n));
    lab.write("in.csv", [header.to_owned(), row(0, "Bonn"), row(1, "Köln"), row(2, "")].concat());
    lab.import(&server, &EXTRA).ends(0);
    lab.write("in.csv", [header.to_owned(), row(0, "Bonn"), row(1, "Kiel"), row(2, "Ulm")].concat());
    lab.import(&server, &EXTRA).ends(0);
    let told = |lab: &Lab| lab.report().iter().map(|row| row["error"].clone()).collect::<Vec<_>>();
    let differs = "differs in customer_address.city";
    assert_eq!(told(&lab), ["", differs, differs]);
    lab.import(&server, &LEDGER).ends(0).says("changed in customer_address.city (2)");
    assert_eq!(told(&lab), [differs, differs, ""], "without --extra the fields are gone");
}

#[test]
fn of_a_record_that_an_earlier_version_sent_the_fields_are_unknown() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    sql(&lab, "UPDATE outcomes SET field_hashes = NULL");
    edit(&lab, "Person 1,", "Somebody Else,");
    lab.import(&server, &LEDGER).ends(0).says("changed in unknown fields (imported by an earlier version): 1");
    assert_eq!(lab.report()[1]["error"], "fields unknown (imported by an earlier version)");
}

#[test]
fn the_ledger_keeps_no_value_of_a_field_that_was_sent_and_no_equal_hash_of_two_people() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    let ledger = rusqlite::Connection::open(lab.path("l.db")).unwrap();
    let mut asked = ledger.prepare("SELECT field_hashes FROM outcomes").unwrap();
    let kept: Vec<Vec<u8>> = asked.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [54, 54]);
    // Both are of the same country and type.
    assert!(kept[0].chunks(9).all(|field| !kept[1].chunks(9).any(|other| other[1..] == field[1..])));
}

#[test]
fn a_run_remembers_its_options_its_records_and_whether_it_completed() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p3@example.com"]);
    lab.customers(4);
    lab.import(&server, &[&LEDGER[..], &["--limit", "2", "--set", "customer_type=business"]].concat()).ends(0);
    lab.import(&server, &[&LEDGER[..], &["--keep", "customer_name", "--region", "DE"]].concat()).ends(1);
    edit(&lab, "p2@example.com", "no e-mail");
    lab.import(&server, &[&LEDGER[..], &["--strict"]].concat()).ends(1);
    let runs = runs(&lab);
    assert_eq!(runs.iter().map(|run| run.is_completed).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(runs.iter().map(|run| run.records_read).collect::<Vec<_>>(), [Some(4); 3]);
    let mut options: Vec<serde_json::Value> =
        runs.iter().map(|run| serde_json::from_str(run.start.options.as_ref().unwrap()).unwrap()).collect();
    let size = std::fs::metadata(lab.path("in.csv")).unwrap().len();
    let files: Vec<_> =
        options.iter_mut().map(|options| options.as_object_mut().unwrap().remove("file").unwrap()).collect();
    assert_eq!(files[0]["bytes"], size);
    let expected = [
        serde_json::json!({}),
        serde_json::json!({"keep": ["customer_name"], "region": "DEU"}),
        serde_json::json!({"set": ["customer_type=business"]}),
    ];
    assert_eq!(options, expected);
    let tally = reader(&lab).tally_of(runs[1].id.number).unwrap();
    assert_eq!((tally.get(Status::Created), tally.get(Status::Rejected)), (1, 1));
}

#[test]
fn a_file_whose_name_changes_is_known_by_the_name_that_it_is_given() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let named = [&LEDGER[..], &["--input-name", "crm"]].concat();
    for day in ["monday.csv", "tuesday.csv"] {
        std::fs::rename(lab.customers(2), lab.path(day)).unwrap();
        let args = [&["import", day, "--base-url", &server.url, "--rate", "500/s"], &named[..]].concat();
        lab.run(&args).ends(0);
    }
    let runs = reader(&lab).runs_of("crm", 10).unwrap();
    assert!(runs.len() == 2 && runs.iter().all(|run| run.is_completed), "{runs:?}");
    let report = ["report", "tuesday.csv", "--base-url", &server.url, "--ledger", "l.db"];
    lab.run(&[&report[..], &["--input-name", "crm"]].concat()).ends(0).says("2  already_imported");
    lab.run(&report).ends(2).says("the ledger has no run of ").says("tuesday.csv");
}

#[test]
fn the_minutes_of_a_run_have_each_request_pause_and_doubt_in_them() {
    let lab = Lab::new();
    let faults = ["--fault", "429:p1@example.com:first=1", "--fault", "reset-after:p2@example.com:first=1"];
    let server = Server::start(&lab, &faults);
    lab.customers(5);
    lab.import(&server, &LEDGER).ends(0);
    let run = runs(&lab).swap_remove(0);
    let mut all = MinuteTraffic::new(0);
    let minutes = reader(&lab).minutes(run.id.number).unwrap();
    minutes.iter().for_each(|minute| all.merge(minute));
    let posts = |class| all.responses(Request::Create, class);
    assert_eq!(
        (posts(ResponseClass::Success), posts(ResponseClass::Throttled), posts(ResponseClass::Silence)),
        (5, 1, 1)
    );
    let responses = Request::ALL.map(|request| ResponseClass::ALL.map(|class| all.responses(request, class)));
    assert_eq!(responses.into_iter().flatten().sum::<u64>(), run.counters.requests);
    assert_eq!((all.doubts_opened, all.doubts_ended, all.retries), (1, 1, run.counters.retries));
    assert_eq!(all.latencies.total(), 6, "silence has no latency");
    assert!(!all.paused.is_zero() && all.latencies.quantile(0.95) >= all.latencies.quantile(0.5));
    let began = run.started_at.as_second() / 60;
    assert!(minutes.iter().all(|minute| (began..began + 10).contains(&minute.minute)), "{minutes:?}");
}

#[test]
fn forgetting_a_target_leaves_no_row_of_what_was_remembered() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    sql(&lab, "INSERT INTO checks VALUES (1, 'pending', NULL, 0); INSERT INTO bad_records VALUES (zeroblob(16), 1)");
    let forget = ["ledger", "forget", "--target", "--yes", "--base-url", &server.url, "--ledger", "l.db"];
    lab.run(&forget).ends(0);
    let ledger = rusqlite::Connection::open(lab.path("l.db")).unwrap();
    for table in ["runs", "records", "outcomes", "intents", "minutes", "bad_records", "checks"] {
        let rows: u64 = ledger.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}
