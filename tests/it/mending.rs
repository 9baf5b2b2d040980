//! The way of a file with faults to a clean import: with what the program prints, and through
//! `--rejects`.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{FAST, Lab, Server, email, fixture, rows};

/// What `check` says of `fixtures/messy.csv`, row by row, and what a person does about it.
const MENDED: [(&str, &str, &str); 19] = [
    ("every customer needs a name", "\n,name.missing@", "\nAda King,name.missing@"),
    ("the limit is 255", "xxxxxxxxxx", ""),
    ("remove it (a stray line break", "\"Ada\nLovelace\"", "Ada Lovelace"),
    ("every customer needs an e-mail", "No Mail,,", "No Mail,no.mail@example.com,"),
    ("holds a space", "bad mail at example", "bad.mail@example.com"),
    ("the limit is 64", "aaaaaaaaaa", ""),
    ("every customer needs a phone number", "phone.missing@example.com,,", "phone.missing@example.com,+4915123456789,"),
    ("letters are not accepted: give the digits", "1-800-FLOWERS", "+1 201 555 0123"),
    ("has too few digits", "+49 1,", "+49 151 23456789,"),
    ("every customer needs a country", "030 123456,,", "030 123456,DEU,"),
    ("export the column as text from the original", "2.34904E+12", "+2348031234567"),
    ("write a code, such as DE or DEU", "Atlantis,,,,", "DEU,,,,"),
    ("write COD (Democratic Republic", ",Congo,", ",COD,"),
    ("write individual or business", ",company,", ",business,"),
    ("write true or false", ",maybe,", ",true,"),
    (
        "has 3 cells but the header has 8",
        "row.short@example.com,+4915123456789",
        "row.short@example.com,+4915123456789,DEU,,,,",
    ),
    ("has 9 cells but the header has 8", "M-18,one,two", "M-18,\"one,two\""),
    ("a spreadsheet's error value", "#N/A", "Anna Na"),
    ("", ",also bad,12,Atlantis,robot,perhaps,", "Bea,bea@example.com,+4915123456789,DEU,business,no,"),
];

#[test]
fn the_messy_file_becomes_a_clean_import_with_what_is_printed() {
    let lab = Lab::new();
    let mut text = std::fs::read_to_string(fixture("messy.csv")).unwrap();
    lab.write("messy.csv", &text);
    let said = lab.run(&["check", "messy.csv"]).ends(1).says("--rejects mend.csv").says("--report problems.csv").stderr;
    for (hint, wrong, right) in MENDED {
        assert!(said.contains(hint), "{hint:?} is not said:\n{said}");
        assert!(text.contains(wrong), "{wrong:?}");
        text = text.replace(wrong, right);
    }
    lab.write("messy.csv", &text);
    lab.run(&["check", "messy.csv"]).ends(0);
    lab.run(&["import", "messy.csv", "--sandbox"]).ends(0).says("26  created").says("2  duplicate");
}

#[test]
fn an_import_counts_problems_as_check_does_and_names_the_report_that_it_writes() {
    let lab = Lab::new();
    let bad = |n: usize| format!(",p{n}@example.com,{},DEU\n", if n < 20 { "12" } else { "+4917612345001" });
    let text: String = std::iter::once(format!("{}\n", crate::harness::HEADER)).chain((0..30).map(bad)).collect();
    lab.write("in.csv", text);
    let ran = lab.run(&["import", "in.csv", "--sandbox"]).ends(1);
    assert!(ran.stderr.contains("are shown; all of them go into in.report.csv"), "{}", ran.stderr);
    for (count, code) in [("30", "name.missing"), ("20", "phone.impossible")] {
        assert!(ran.stderr.contains(&format!("{count}  {code} (problem, first in row 1)")), "{}", ran.stderr);
        assert!(ran.stdout.contains(&format!("{count}  {code} (row 1)")), "{}", ran.stdout);
    }
}

#[test]
fn a_check_report_names_every_problem_in_csv_and_ndjson() {
    let lab = Lab::new();
    let bad = |n: usize| format!(",nobody{n},12,Atlantis\n");
    let text: String = std::iter::once(format!("{}\n", crate::harness::HEADER)).chain((0..30).map(bad)).collect();
    lab.write("in.csv", text);
    let args = ["check", "in.csv", "--report", "out.csv", "--report", "out.ndjson", "--summary", "json"];
    let ran = lab.run(&args).ends(1);
    assert_eq!(ran.summary()["outcomes"]["invalid"], 30);
    assert_eq!(ran.stderr.matches("in.csv:").count(), 15);
    let codes = "name.missing;email.syntax;country.unknown";
    let ran = ran.says("only 15 of 90 problems are shown").says("30  country.unknown (problem, first in row 1)");
    drop(ran);
    let report = rows(&lab.path("out.csv"));
    assert_eq!(report.len(), 30);
    assert!(report.iter().all(|row| row["error_code"] == codes), "{report:?}");
    let lines: Vec<Value> = lab.read("out.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 30);
    assert!(lines.iter().all(|line| line["error_code"] == codes), "{lines:?}");
}

/// A customer with one thing wrong, and with anything in a column that feeds no field.
#[derive(Clone, Debug)]
struct Faulty {
    note: String,
    fault: Option<(&'static str, &'static str)>,
}

fn faulty() -> impl Strategy<Value = Faulty> {
    let faults = [("name", ""), ("email", "no one"), ("phone", "12"), ("country", "Atlantis"), ("type", "robot")];
    let note = "[a-zA-Z0-9\"',;|=\\\\\n\r\t {}:éß字😀+-]{0,12}";
    (note, prop::option::of(prop::sample::select(faults.to_vec()))).prop_map(|(note, fault)| Faulty { note, fault })
}

const COLUMNS: [&str; 6] = ["name", "email", "phone", "country", "type", "note"];

impl Faulty {
    fn good(&self, n: usize) -> [String; 6] {
        let own = email(n);
        [&format!("Person {n}"), &own, "+4917612345001", "DEU", "individual", &self.note].map(str::to_owned)
    }

    fn cells(&self, n: usize) -> Vec<String> {
        let spoilt = |(column, good): (&&str, String)| match self.fault {
            Some((faulty, value)) if faulty == *column => value.to_owned(),
            _ => good,
        };
        COLUMNS.iter().zip(self.good(n)).map(spoilt).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn rejects_that_were_mended_are_imported_with_all_they_had(
        people in prop::collection::vec(faulty(), 1..12),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        is_ndjson in any::<bool>(),
    ) {
        let lab = Lab::new();
        let (name, again) = if is_ndjson { ("in.ndjson", "mend.ndjson") } else { ("in.csv", "mend.csv") };
        let faults: Vec<usize> = (0..people.len()).filter(|n| people[*n].fault.is_some()).collect();
        lab.write(name, if is_ndjson { as_ndjson(&people) } else { as_csv(&people, delimiter) });
        lab.run(&["check", name, "--rejects", again]).ends(i32::from(!faults.is_empty()));
        let mended = if is_ndjson {
            mend_ndjson(&lab.read(again), &people, &faults)
        } else {
            mend_csv(&std::fs::read(lab.path(again)).unwrap(), delimiter, &people, &faults)
        };
        lab.write(again, mended);
        if faults.is_empty() {
            return Ok(());
        }
        let server = Server::start(&lab, &[]);
        for input in [name, again] {
            let args = ["import", input, "--base-url", &server.url, "--keep", "note", "--report", "out.ndjson"];
            lab.run(&[&args, &FAST[..]].concat()).ends(i32::from(input == name));
        }
        server.has_each_once((0..people.len()).map(email));
        let report = lab.read("out.ndjson");
        let notes: Vec<Value> = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["note"].take()).collect();
        let expected: Vec<Value> = faults.iter().map(|n| people[*n].note.as_str().into()).collect();
        prop_assert_eq!(notes, expected);
    }
}

fn as_csv(people: &[Faulty], delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    writer.write_record(COLUMNS).unwrap();
    for (n, person) in people.iter().enumerate() {
        writer.write_record(person.cells(n)).unwrap();
    }
    writer.into_inner().unwrap()
}

fn as_ndjson(people: &[Faulty]) -> Vec<u8> {
    let object = |cells: Vec<String>| {
        Value::Object(COLUMNS.map(str::to_owned).into_iter().zip(cells.into_iter().map(Value::from)).collect())
    };
    let line = |(n, person): (usize, &Faulty)| format!("{}\n", object(person.cells(n)));
    people.iter().enumerate().map(line).collect::<String>().into_bytes()
}

/// Writes the right value over the wrong one, and nothing else.
fn mend_csv(rejects: &[u8], delimiter: u8, people: &[Faulty], faults: &[usize]) -> Vec<u8> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(rejects);
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, [&COLUMNS[..], &["error"]].concat());
    writer.write_record(&header).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), faults.len());
    for (record, n) in records.iter().zip(faults) {
        let person = &people[*n];
        let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
        assert_eq!(cells[..6], person.cells(*n), "the cells are as they were read");
        assert!(!cells[6].is_empty());
        let (column, _) = person.fault.unwrap();
        let at = COLUMNS.iter().position(|name| *name == column).unwrap();
        cells[at] = person.good(*n)[at].clone();
        writer.write_record(&cells).unwrap();
    }
    writer.into_inner().unwrap()
}

fn mend_ndjson(rejects: &str, people: &[Faulty], faults: &[usize]) -> Vec<u8> {
    let mend = |(line, n): (&str, &usize)| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        let person = &people[*n];
        for (name, cell) in COLUMNS.iter().zip(person.cells(*n)) {
            assert_eq!(object[name], cell);
        }
        let (column, _) = person.fault.unwrap();
        let at = COLUMNS.iter().position(|name| *name == column).unwrap();
        object[column] = json!(person.good(*n)[at]);
        format!("{object}\n")
    };
    assert_eq!(rejects.lines().count(), faults.len());
    rejects.lines().zip(faults).map(mend).collect::<String>().into_bytes()
}
