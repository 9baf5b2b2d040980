//! Data that others made to break readers, through the real program: nothing of it stops it, and
//! the neighbours are right. `fixtures/data/README.md` says where it is from, and where our verdict
//! differs from that of its makers.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::harness::{FAST, Lab, Server, customers, email, fixture, rows};
use crate::proxy::{Harm, Proxy};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(fixture("data").join(name)).unwrap()
}

fn table(name: &str) -> Vec<HashMap<String, String>> {
    csv::Reader::from_reader(&data(name)[..]).deserialize().map(Result::unwrap).collect()
}

fn person(n: usize) -> Value {
    json!({"name": format!("Person {n}"), "email": email(n), "phone": "+4917612345001", "country": "DEU"})
}

fn naughty_names() -> Vec<String> {
    serde_json::from_slice(&data("blns.json")).unwrap()
}

/// The naughty strings as names, each between two people, in NDJSON and in CSV.
fn write_naughty(lab: &Lab) {
    let mut lines = String::new();
    let mut cells = csv::Writer::from_path(lab.path("in.csv")).unwrap();
    cells.write_record(["name", "email", "phone", "country", "note"]).unwrap();
    for (n, name) in naughty_names().iter().enumerate() {
        let naughty = format!("n{n}@example.com");
        let mut record = person(n);
        lines.push_str(&format!("{record}\n"));
        cells.write_record([&format!("Person {n}"), &email(n), "+4917612345001", "DEU", ""]).unwrap();
        record["name"] = name.as_str().into();
        record["email"] = naughty.as_str().into();
        record["note"] = name.as_str().into();
        lines.push_str(&format!("{record}\n"));
        cells.write_record([name, &naughty, "+4917612345001", "DEU", name]).unwrap();
    }
    cells.flush().unwrap();
    lab.write("in.ndjson", lines);
}

#[test]
fn naughty_strings_as_names_break_nothing_and_csv_and_ndjson_agree_on_them() {
    let lab = Lab::new();
    write_naughty(&lab);
    let names = naughty_names();
    assert!(names.len() > 480);
    let mut verdicts = Vec::new();
    for input in ["in.csv", "in.ndjson"] {
        lab.run(&["check", input, "--keep", "note", "--report", "out.ndjson"]).ends(1);
        let report: Vec<Value> =
            lab.read("out.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(report.len(), 2 * names.len(), "{input}");
        for (n, name) in names.iter().enumerate() {
            assert_eq!(report[2 * n]["status"], "valid", "{input}: the neighbour before {name:?}");
            assert_eq!(report[2 * n + 1]["note"], name.as_str(), "{input}: carried as it was read");
        }
        verdicts.push(report.into_iter().map(|line| line["error_code"].clone()).collect::<Vec<_>>());
    }
    assert_eq!(verdicts[0], verdicts[1]);
    let mut counts = BTreeMap::new();
    for verdict in verdicts[0].iter().skip(1).step_by(2) {
        *counts.entry(verdict.as_str().unwrap_or_default()).or_insert(0) += 1;
    }
    let refused: usize = counts.iter().filter(|(code, _)| !code.is_empty()).map(|(_, count)| count).sum();
    let known = ["", "name.missing", "name.control_characters", "cell.spreadsheet_damage", "cell.null_marker"];
    assert!(counts.keys().all(|code| known.contains(code)), "{counts:?}");
    assert!(refused < 60, "names of many scripts and of much code are names: {counts:?}");
}

#[test]
fn naughty_names_arrive_at_the_server_letter_by_letter() {
    let lab = Lab::new();
    write_naughty(&lab);
    let server = Server::start(&lab, &[]);
    let proxy = Proxy::start(&server, Harm::None);
    lab.run(&[&["import", "in.ndjson", "--base-url", &proxy.url], &FAST[..]].concat()).ends(1);
    let report = rows(&lab.path("in.ndjson.report.csv"));
    let sent: HashMap<String, String> = proxy.seen(|seen| {
        let object = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        seen.bodies
            .iter()
            .map(object)
            .map(|body| (text(&body["customer_email"]), text(&body["customer_name"])))
            .collect()
    });
    for (n, name) in naughty_names().iter().enumerate() {
        assert_eq!(report[2 * n]["status"], "created");
        let naughty = &report[2 * n + 1];
        match sent.get(&naughty["customer_email"]) {
            Some(arrived) => {
                assert_eq!(naughty["status"], "created", "{name:?}");
                assert_eq!(arrived, &name.trim().nfc().collect::<String>());
            }
            None => assert_eq!(naughty["status"], "invalid", "{name:?}"),
        }
    }
}

#[test]
fn lines_of_the_json_test_suite_get_their_verdict_and_their_neighbours_theirs() {
    let lab = Lab::new();
    let cases = table("json-lines.csv");
    assert!(cases.len() > 300);
    let mut text: Vec<u8> = Vec::new();
    let mut lines = 0;
    let mut add = |line: &[u8]| {
        text.extend_from_slice(line);
        text.push(b'\n');
        lines += 1;
        lines
    };
    // More than 64 KiB of good records first: a file whose beginning cannot be decoded is refused
    // as a whole.
    for n in 0..900 {
        add(person(n).to_string().as_bytes());
    }
    let mut expected = HashMap::new();
    for (n, case) in cases.iter().enumerate() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&case["base64"]).unwrap();
        expected.insert(add(&bytes).to_string(), case);
        add(person(900 + n).to_string().as_bytes());
    }
    lab.write("in.ndjson", text);
    lab.run(&["check", "in.ndjson", "--report", "out.csv"]).ends(1);
    let mut report: HashMap<String, _> =
        rows(&lab.path("out.csv")).into_iter().map(|row| (row["line"].clone(), row)).collect();
    for (line, case) in expected {
        let verdict = report.remove(&line).map_or("(no record)".to_owned(), |row| row["error_code"].clone());
        assert_eq!(verdict, case["verdict"], "{}", case["case"]);
    }
    assert_eq!(report.len(), 900 + cases.len());
    assert!(report.values().all(|row| row["status"] == "valid"));
}

/// The table of verdicts is ours; this is what its makers say of the same lines.
#[test]
fn what_the_json_test_suite_accepts_we_read_and_what_it_refuses_we_refuse() {
    let unread = |verdict: &str| ["json.syntax", "row.encoding", "(no record)"].contains(&verdict);
    // Numbers that no 64-bit float holds, two values for one key, and nesting beyond our limit.
    let stricter =
        |case: &str| ["huge_exp", "_overflow", "duplicated_key", "500_nested"].iter().any(|words| case.contains(words));
    for row in table("json-lines.csv") {
        let (case, verdict) = (&row["case"], &row["verdict"]);
        match &case[..2] {
            "y_" if stricter(case) => {
                assert!(["json.syntax", "json.duplicate_key"].contains(&verdict.as_str()), "{case}")
            }
            "y_" => assert!(!unread(verdict), "{case}: {verdict}"),
            "n_" => assert!(unread(verdict), "{case}: {verdict}"),
            _ => assert!(!verdict.is_empty(), "{case}"),
        }
    }
}

#[test]
fn nesting_without_end_is_one_bad_line() {
    let lab = Lab::new();
    let deep = ["[".repeat(100_000), "[{\"\":".repeat(50_000)];
    let [array, object] = deep;
    let lines = [person(1).to_string(), array, person(2).to_string(), object, person(3).to_string()];
    lab.write("in.ndjson", lines.join("\n") + "\n");
    lab.run(&["check", "in.ndjson", "--report", "out.csv"]).ends(1);
    let codes: Vec<_> = rows(&lab.path("out.csv")).iter().map(|row| row["error_code"].clone()).collect();
    assert_eq!(codes, ["", "json.syntax", "", "json.syntax", ""]);
}

#[test]
fn every_cell_of_csv_spectrum_is_read_as_its_json_has_it() {
    for name in [
        "comma_in_quotes",
        "empty",
        "empty_crlf",
        "escaped_quotes",
        "json",
        "newlines",
        "newlines_crlf",
        "quotes_and_newlines",
        "simple",
        "simple_crlf",
        "utf8",
    ] {
        let lab = Lab::new();
        std::fs::write(lab.path("in.csv"), data(&format!("csv-spectrum/{name}.csv"))).unwrap();
        let expected: Value = serde_json::from_slice(&data(&format!("csv-spectrum/{name}.json"))).unwrap();
        let expected = if expected.is_array() { expected } else { json!([expected]) };
        let columns: Vec<&String> = expected[0].as_object().unwrap().keys().collect();
        let mut args = vec!["check", "in.csv", "--report", "out.ndjson"];
        for set in ["name=Ada", "email=ada@example.com", "phone=+4917612345001", "country=DEU"] {
            args.extend(["--set", set]);
        }
        columns.iter().for_each(|column| args.extend(["--keep", column]));
        lab.run(&args).ends(0);
        let read: Vec<Value> = lab.read("out.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), expected.as_array().unwrap().len(), "{name}");
        for (line, expected) in read.iter().zip(expected.as_array().unwrap()) {
            for column in &columns {
                assert_eq!(line[column.as_str()], expected[column.as_str()], "{name}: {column}");
            }
        }
    }
}

#[test]
fn what_spreadsheets_do_to_cells_has_its_verdict() {
    let lab = Lab::new();
    let cases = table("spreadsheet-damage.csv");
    let mut cells = csv::Writer::from_path(lab.path("in.csv")).unwrap();
    let columns = ["name", "email", "phone", "country", "customer_idNumber"];
    cells.write_record(columns).unwrap();
    for (n, case) in cases.iter().enumerate() {
        let own = email(n);
        let good = ["Ada King", &own, "+4917612345001", "DEU", ""];
        let row = columns.iter().zip(good).map(
            |(column, good)| {
                if *column == case["column"] { case["cell"].as_str() } else { good }
            },
        );
        cells.write_record(row).unwrap();
    }
    cells.flush().unwrap();
    lab.run(&["check", "in.csv", "--report", "out.csv"]).ends(1);
    let report = rows(&lab.path("out.csv"));
    assert_eq!(report.len(), cases.len());
    for (row, case) in report.iter().zip(&cases) {
        // The reserved domain of the invented addresses is expected.
        let warning = row["warning"].split(": ").find(|words| words.starts_with("name.")).unwrap_or_default();
        let verdict = if row["error_code"].is_empty() { warning } else { &row["error_code"] };
        assert_eq!(verdict, case["verdict"], "{} {:?} ({})", case["column"], case["cell"], case["why"]);
    }
}

#[test]
fn a_record_in_another_encoding_is_refused_and_its_neighbours_are_right() {
    let lab = Lab::new();
    let mut text = customers(2000).into_bytes();
    text.extend_from_slice(b"M\xfcller,m@example.com,+4917612345001,DEU\nAda,ada@example.com,+4917612345002,DEU\n");
    lab.write("in.csv", text);
    lab.run(&["check", "in.csv", "--report", "out.csv"]).ends(1).says("row.encoding");
    let report = rows(&lab.path("out.csv"));
    let codes: Vec<_> = report[1999..].iter().map(|row| row["error_code"].as_str()).collect();
    assert_eq!(codes, ["", "row.encoding", ""]);
}
