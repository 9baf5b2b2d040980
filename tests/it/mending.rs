//! The way of a file with faults to a clean import: with what the program prints, and through
//! `--rejects`.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, email, fixture, rows};

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
    let said =
        lab.run(&["check", "messy.csv"]).ends(1).says("--rejects mend.csv\n").says("--report problems.csv").stderr;
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

/// The command that is printed below a line that ends so.
#[track_caller]
fn printed_below(text: &str, line: &str) -> String {
    let mut lines = text.lines();
    assert!(lines.any(|found| found.ends_with(line)), "{line:?} is missing in:\n{text}");
    lines.next().unwrap().to_owned()
}

const INTO_MEND: &str = "To get only those rows into a file, mend.csv, run:";
const FROM_MEND: &str = "Fix the 2 rows in mend.csv, then run:";

/// A lab whose second customer has a bad e-mail, and a server that rejects the fourth once.
fn lab_to_mend() -> (Lab, Server) {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p3@example.com:first=1"]);
    let rows = customers(5).replace("p1@", "p1").replace(HEADER, "Full Name,E-Mail,Phone,Land");
    lab.write("it's.csv", rows.replace(',', ";"));
    (lab, server)
}

fn mend(lab: &Lab) {
    let text = lab.read("mend.csv");
    lab.write("mend.csv", text.replace("p1example", "p1@example").replace("Person 3", "Person Three"));
}

#[test]
fn the_commands_for_rows_to_fix_work_as_they_are_printed_by_import() {
    let (lab, server) = lab_to_mend();
    let options = ["--map", "customer_name=Full Name", "--map=customer_country=Land", "--account", "a b"];
    let typed = [&["import", "it's.csv", "--base-url", &server.url, "--ledger", "l.db"], &options[..], &FAST[..]];
    let first = lab.run(&typed.concat()).ends(1).says("Fix the 2 rows in it's.csv and import it again");
    let second = lab.shell(&printed_below(&first.stdout, INTO_MEND)).ends(1);
    let command = printed_below(&second.stdout, FROM_MEND);
    assert!(!command.contains("--rejects"), "{command}");
    mend(&lab);
    lab.shell(&command).ends(0).says("2  created");
    assert_eq!(rows(&lab.path("it's.report.csv")).len(), 5, "the report of the input stays");
    server.has_each_once((0..5).map(email));
}

#[test]
fn the_commands_for_rows_to_fix_work_as_they_are_printed_by_check_and_report() {
    let (lab, server) = lab_to_mend();
    let map = ["--map", "customer_name=Full Name", "--map", "customer_country=Land"];
    let checked = lab.run(&[&["check", "it's.csv"], &map[..]].concat()).ends(1);
    let into_mend = INTO_MEND.replace("those rows", "that row");
    let checked = lab.shell(&printed_below(&checked.stdout, &into_mend)).ends(1);
    let command = printed_below(&checked.stdout, "Fix the row in mend.csv, then run:");
    mend(&lab);
    lab.shell(&command).ends(0).says("1  record read");
    std::fs::remove_file(lab.path("mend.csv")).unwrap();

    let target = [&["--base-url", &server.url, "--ledger", "l.db"], &map[..]].concat();
    lab.run(&[&["import", "it's.csv"], &FAST[..], &target].concat()).ends(1);
    let reported = lab.run(&[&["report", "it's.csv", "--run", "last"], &target[..]].concat()).ends(1);
    let reported = lab.shell(&printed_below(&reported.stdout, INTO_MEND)).ends(1);
    let command = printed_below(&reported.stdout, FROM_MEND);
    mend(&lab);
    lab.shell(&command).ends(0).says("2  created");
    server.has_each_once((0..5).map(email));
}

#[test]
fn rows_to_fix_never_overwrite_what_a_configuration_names_or_a_user_is_fixing() {
    let (lab, server) = lab_to_mend();
    let config = "report = \"all.csv\"\nrejects = \"mend.csv\"\nrate = \"500/s\"\n\
                  [map]\ncustomer_name = \"Full Name\"\ncustomer_country = \"Land\"\n";
    lab.write("n.toml", format!("base-url = \"{}\"\n{config}", server.url));
    let first = lab.run(&["--config", "n.toml", "import", "it's.csv", "--ledger", "l.db"]).ends(1);
    let command = printed_below(&first.stdout, FROM_MEND);
    assert!(command.ends_with(" --rejects mend2.csv --report mend.report.csv"), "{command}");
    mend(&lab);
    lab.shell(&command).ends(0).says("2  created");
    assert_eq!((rows(&lab.path("all.csv")).len(), rows(&lab.path("mend.report.csv")).len()), (5, 2));

    // Two files of rejects are there now.
    let first = lab.run(&["check", "it's.csv", "--map", "customer_name=Full Name", "--map", "customer_country=Land"]);
    first.ends(1).says("To get only that row into a file, mend3.csv, run:");
}

#[test]
fn rows_to_fix_of_ndjson_and_of_a_pipe_are_written_as_they_came() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let line = |email: &str| json!({"customer_name": "Ada King", "customer_email": email, "customer_phone": "+4915123456789", "customer_country": "DE"});
    lab.write("in.ndjson", format!("{}\n{}\n", line("p0@example.com"), line("p1")));
    let open = || std::fs::File::open(lab.path("in.ndjson")).unwrap();
    let checked = Ran::of(lab.command(&["check", "-"]).stdin(open())).ends(1);
    assert!(!checked.stdout.contains("run:"), "a check keeps no spool to name: {}", checked.stdout);
    let checked = Ran::of(lab.command(&["check", "-", "--rejects", "r.ndjson"]).stdin(open())).ends(1);
    lab.shell(&printed_below(&checked.stdout, "Fix the row in r.ndjson, then run:")).ends(1).says("1  record read");
    let typed = [&["import", "-", "--base-url", &server.url, "--ledger", "l.db"], &FAST[..]].concat();
    let first = Ran::of(lab.command(&typed).stdin(open())).ends(1);
    let command = printed_below(&first.stdout, "To get only that row into a file, mend.ndjson, run:");
    let second = lab.shell(&command).ends(1);
    let command = printed_below(&second.stdout, "Fix the row in mend.ndjson, then run:");
    lab.write("mend.ndjson", lab.read("mend.ndjson").replace("\"p1\"", "\"p1@example.com\""));
    lab.shell(&command).ends(0).says("1  created");
    server.has_each_once((0..2).map(email));
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
