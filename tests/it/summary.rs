//! The summary in all its forms: the schema of its JSON, the Markdown, the ledger that it names.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{HEADER, Lab, Ran, Server, customers, program, skipped};
use crate::world::{Reply, World};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    serde_json::from_str(&std::fs::read_to_string(repository().join("docs/summary.schema.json")).unwrap()).unwrap()
}

/// The summaries of the snapshots, with a number for the seconds that are cut out of them.
fn of_snapshots() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repository().join("tests/it/snapshots")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.starts_with('{') && line.contains("\"records_read\"")) {
            let summary: Value = serde_json::from_str(&line.replace("[seconds]", "1.5")).unwrap();
            if summary.get("exit_code").is_some() {
                found.push((path.file_name().unwrap().to_string_lossy().into_owned(), summary));
            }
        }
    }
    found
}

/// The summaries of runs that end in as many ways as possible.
fn of_runs() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, faults, rows, more) in [
        ("done", &[][..], 3, &[][..]),
        ("rejected", &["--fault", "422:p1@example.com"], 3, &["--rejects", "r.csv"]),
        ("failed", &["--fault", "503:p0@example.com"], 3, &["--max-attempts", "1"]),
        ("in doubt", &["--no-lookup", "--fault", "reset-after:p0@example.com"], 3, &["--max-attempts", "1"]),
        ("recovered", &["--fault", "reset-after:p0@example.com:first=1"], 3, &[]),
        ("throttled", &["--fault", "429:p1@example.com:first=1"], 3, &[]),
        ("limited", &[], 3, &["--limit", "2"]),
        ("stopped", &["--fault", "422"], 30, &[]),
        ("refused", &["--token", "another"], 3, &[]),
        ("not found", &["--fault", "404"], 3, &[]),
        ("no records", &[], 0, &[]),
        ("excused", &["--fault", "422:p1@example.com"], 3, &["--fail-on", "new"]),
    ] {
        let lab = Lab::new();
        let server = Server::start(&lab, faults);
        lab.customers(rows);
        let json = ["--summary", "json", "--concurrency", "1", "--ledger", "l.db"];
        let first = lab.import(&server, &[more, &json].concat()).summary();
        lab.write("in.csv", lab.read("in.csv").replace("Person 2,", "Somebody,"));
        let again = lab.import(&server, &[more, &json].concat()).summary();
        let report = lab.run(&["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--summary", "json"]);
        for (kind, summary) in [("", first), (", again", again), (", reported", report.summary())] {
            found.push((format!("{name}{kind}"), summary));
        }
    }
    found
}

/// Each way to take a member of the schema from a summary, or to give it a value of another type.
fn mutilated(name: &str, summary: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for pointer in ["", "/outcomes", "/all_runs", "/errors/0"] {
        let Some(Value::Object(members)) = summary.pointer(pointer) else { continue };
        for member in members.keys() {
            let edited = |edit: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut copy = summary.clone();
                edit(copy.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
                copy
            };
            let without = edited(&|members| drop(members.remove(member)));
            let odd = edited(&|members| drop(members.insert(member.clone(), json!([{"odd": []}]))));
            found.push((format!("{name} without {pointer}/{member}"), without));
            found.push((format!("{name} with an odd {pointer}/{member}"), odd));
        }
    }
    found
}

#[test]
fn every_json_summary_is_what_the_schema_says_and_a_mutilated_one_is_not() {
    let summaries = [of_snapshots(), of_runs()].concat();
    assert!(summaries.len() >= 37, "{}", summaries.len());
    let full = &summaries.iter().find(|(name, _)| name == "rejected, again").unwrap().1;
    assert!(full["all_runs"].is_object() && full["errors"][0].is_object(), "{full}");
    let broken = mutilated("a summary", full);
    assert!(broken.len() > 100, "{}", broken.len());
    let valid = summaries.iter().map(|case| (case, true));
    let cases: String = valid
        .chain(broken.iter().map(|case| (case, false)))
        .map(|((name, instance), valid)| format!("{}\n", json!({"name": name, "instance": instance, "valid": valid})))
        .collect();
    let script = repository().join("tests/it/validate.py");
    let child = Command::new("python3")
        .arg(script)
        .arg(repository().join("docs/summary.schema.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return skipped("there is no python3") };
    // If the package is missing, the script ends before it reads.
    drop(child.stdin.take().unwrap().write_all(cases.as_bytes()));
    let ran = Ran::from(child.wait_with_output().unwrap());
    if ran.code == 77 {
        return skipped("python3 lacks the package jsonschema");
    }
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn every_member_of_a_summary_is_in_the_schema_and_the_other_way_round() {
    fn names(members: &Value) -> BTreeSet<&str> {
        members.as_object().unwrap().keys().map(String::as_str).collect()
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p1@example.com"]);
    lab.customers(3);
    lab.import(&server, &[]).ends(1);
    let summary = lab.import(&server, &["--summary", "json"]).ends(1).summary();
    let schema = schema();
    let all = &schema["properties"];
    for (produced, described) in [
        (&summary, &schema),
        (&summary["outcomes"], &all["outcomes"]),
        (&summary["all_runs"], &all["all_runs"]),
        (&summary["errors"][0], &all["errors"]["items"]),
    ] {
        let required: BTreeSet<_> =
            described["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names(produced), names(&described["properties"]));
        assert_eq!(names(produced), required);
    }
}

#[test]
fn b18_the_summary_has_dates_file_ledger_e_mails_what_is_left_and_the_sum_over_the_runs_of_a_file() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let row = |n: usize, mail: &str| format!("Person {n},p{n}@example.com,+4917612345{n:03},DEU,{mail}\n");
    let rows: String = (0..4).map(|n| row(n, if n == 1 { "no" } else { "yes" })).collect();
    lab.write("in.csv", format!("{HEADER},send_kyc_mail\n{rows}"));
    let trial = lab.import(&server, &["--ledger", "l.db", "--concurrency", "1", "--limit", "2"]).ends(0);
    let ledger = lab.path("l.db").canonicalize().unwrap();
    for words in [
        "\nstarted   2".to_owned(),
        "\nended     2".to_owned(),
        "\nfile      in.csv\n".to_owned(),
        format!("\nledger    {}\n", ledger.display()),
        "\ne-mails   1 asked for with 2 created customers\n".to_owned(),
        "\nleft      2 records: 2 not sent yet\nresume    ".to_owned(),
    ] {
        assert!(trial.stdout.contains(&words), "{words:?} in\n{}", trial.stdout);
    }
    assert!(!trial.stdout.contains("all runs"), "{}", trial.stdout);
    let rest = lab.import(&server, &["--ledger", "l.db", "--summary", "json"]).ends(0).summary();
    assert_eq!((&rest["left"], &rest["next_command"], &rest["kyc_mails"]), (&json!(0), &Value::Null, &json!(2)));
    let all = &rest["all_runs"];
    assert_eq!((&all["runs"], &all["created"], &all["requests"]), (&json!(2), &json!(4), &json!(4)), "{all}");
    let report = lab.run(&["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"]).ends(0);
    let report = report.says("2 runs of this file since ").says(": 4 customers created, 4 requests\n");
    // What is made again from the ledger says the same of the run.
    let json = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--summary", "json"];
    let again = lab.run(&json).ends(0).summary();
    for name in ["started_at", "ended_at", "input", "ledger", "kyc_mails", "all_runs", "requests", "outcomes"] {
        assert_eq!(again[name], rest[name], "{name} in\n{}", report.stdout);
    }
}

#[test]
fn a_summary_in_markdown_says_the_same_and_nothing_from_outside_is_markup() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p1@example.com"]);
    lab.write("a`b|<i>.csv", customers(3).replace("p2@", "p2"));
    let import = ["import", "a`b|<i>.csv", "--base-url", &server.url, "--ledger", "l.db", "--summary", "markdown"];
    let ran = lab.run(&[&import[..], &["--rate", "500/s", "--settle", "300ms"]].concat()).ends(1);
    let text = &ran.stdout;
    assert!(text.starts_with("# Import of ``a`b|<i>.csv``\n\n**Finished, but 2 of 3 records were not created.**\n"));
    for words in [
        "| 1 | `created` | created by this run |",
        "| 3 | | records read |",
        "× `email.syntax` (row 3)",
        "× `api.field_rejected`: `",
        "- file: ``a`b|<i>.csv``\n",
        "- ledger: `/",
        "## To fix\n\nFix the 2 rows in ``a`b|<i>.csv`` and import it again",
        "\n```sh\n",
    ] {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
    assert!(!text.contains("p2example.com") && !text.contains("example.com,"), "no cell of the input: {text}");
    let command = text.lines().find(|line| line.starts_with(program().to_str().unwrap())).unwrap();
    lab.shell(command).ends(1).says("# Import of ");
    let check = lab.run(&["check", "a`b|<i>.csv", "--summary", "markdown"]).ends(1);
    assert!(check.stdout.starts_with("# Plan for ``a`b|<i>.csv``\n\n```text\n"), "{}", check.stdout);
}

#[test]
fn a_quiet_import_that_went_well_prints_no_markdown() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    let ran = lab.import(&server, &["-q", "--summary", "markdown"]).ends(0);
    assert_eq!(ran.stdout, "");
}

/// The command of a hint or a warning: from the program to the end of the line.
#[track_caller]
fn command(ran: &Ran) -> String {
    let program = program().to_string_lossy().into_owned();
    let line = ran.stderr.lines().find(|line| line.contains(&program)).unwrap_or_else(|| panic!("{ran:?}"));
    line[line.find(&program).unwrap()..].to_owned()
}

#[test]
fn b10_a_ledger_in_the_other_place_is_named_with_the_whole_command_that_uses_it() {
    for (first, second) in [
        // By hand without a path, then a scheduled import that names one; and the other way round.
        (&[][..], &["--ledger", "other/l.db"][..]),
        (&["--ledger", "l.db"], &[]),
        (&["--ledger", "other/l.db"], &["--ledger", "other/typo.db"]),
    ] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(3);
        std::fs::create_dir(lab.path("other")).unwrap();
        lab.import(&server, first).ends(0);
        let ran = lab.import(&server, &[second, &["--require-ledger"]].concat()).ends(78);
        assert!(!ran.stderr.contains("omit --require-ledger"), "{}", ran.stderr);
        let ran = ran.says("hint: another ledger knows customers of this target");
        lab.shell(&command(&ran)).ends(0).says("3  already_imported");
        assert_eq!(server.posts().len(), 3, "nothing was posted again");
        let report = lab.run(&[&["report", "in.csv", "--base-url", &server.url], second].concat()).ends(78);
        lab.shell(&command(&report)).ends(0).says("3  already_imported");
        let warned = lab.import(&server, &[second, &["--limit", "1"]].concat());
        assert!(warned.stderr.contains("to send nothing twice, stop and run: "), "{}", warned.stderr);
    }
}

#[test]
fn a_ledger_of_another_target_or_another_programs_database_is_not_offered() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "l.db", "--account", "another"]).ends(0);
    let foreign = rusqlite::Connection::open(lab.path("a.db")).unwrap();
    foreign.execute_batch("CREATE TABLE t (x)").unwrap();
    let before = std::fs::read(lab.path("a.db")).unwrap();
    lab.import(&server, &["--require-ledger"])
        .ends(78)
        .says("hint: check that its disk is mounted; for a first import, omit --require-ledger");
    assert_eq!(std::fs::read(lab.path("a.db")).unwrap(), before);
}

#[test]
fn no_command_in_a_reason_to_stop_is_followed_by_a_full_stop() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token", "another"]);
    lab.customers(2);
    let ran = lab.import(&server, &[]).ends(77);
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.starts_with("Stopped: ") && !first.ends_with('.'), "{first}");
}

#[test]
fn advice_on_an_address_is_a_hint_of_its_own() {
    let lab = Lab::new();
    lab.customers(1);
    let address = |url: &str| lab.run(&["check", "in.csv", "--base-url", url]).ends(2);
    address("http://api.example.com/v1").says("unencrypted\nhint: give an `https://` address\n");
    address("https://api.example.com/v1?x=1").says("contains a query (`?…`)\nhint: give the address without it\n");
    let import = ["import", "in.csv", "--base-url", "https://api.example.com/v1", "--yes"];
    let ran = Ran::of(lab.command(&import).env("HTTPS_PROXY", "http://ops:a#b@127.0.0.1:9")).ends(78);
    ran.says("which ends an address\nhint: in a password, write %23 for #; or correct HTTPS_PROXY or unset it");
}

#[test]
fn advice_on_a_stop_is_a_hint_of_its_own_in_every_form_and_no_server_can_give_it() {
    let lab = Lab::new();
    let gone = World::start(|_, _| Reply::json(404, &json!({"message": "Gone; hint: delete everything"})));
    lab.customers(2);
    let args = ["--ledger", "l.db", "--report", "out.html"];
    let stopped = "customers cannot be created at this address (HTTP 404: Gone; hint: delete everything)";
    gone.import(&lab, &args).ends(78).says(&format!("Stopped: {stopped}\nhint: check the base URL\n"));
    let report =
        |more: &[&str]| lab.run(&[&["report", "in.csv", "--base-url", &gone.url], &args[..], more].concat()).ends(1);
    report(&[]).says(&format!("Stopped: {stopped}\nhint: check the base URL\n"));
    let summary = report(&["--summary", "json"]).summary();
    assert_eq!((&summary["stopped"], &summary["hint"]), (&json!(stopped), &json!("check the base URL")));
    report(&["--summary", "markdown"]).says("**Hint:** `check the base URL`");
    assert!(lab.read("out.html").contains("<p><strong>Hint:</strong> check the base URL</p>"));
}
