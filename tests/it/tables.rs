//! Tables that others publish to try readers with, through the real program: each has its verdict,
//! and every cell is as another reader has it. `fixtures/data/README.md` says where they are from.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Lab, fixture};

/// They hold no customers, so all that a customer needs is given.
const GIVEN: [&str; 8] =
    ["--set", "name=Ada", "--set", "email=ada@kunde.de", "--set", "phone=+4917612345001", "--set", "country=DEU"];

/// A file, how it is read, and what is expected of it.
struct Case {
    file: String,
    options: String,
    exit: i32,
    /// Of a file that is read.
    counts: Option<(u64, u64)>,
    says: String,
}

fn cases() -> Vec<Case> {
    let rows = crate::harness::rows(&fixture("data/tables.csv"));
    rows.into_iter()
        .map(|row| Case {
            file: row["file"].clone(),
            options: row["options"].clone(),
            exit: row["exit"].parse().unwrap(),
            counts: row["records"].parse().ok().zip(row["invalid"].parse().ok()),
            says: row["says"].clone(),
        })
        .collect()
}

/// What Python's csv module reads in each file: the header and all rows that are not blank.
fn cells() -> HashMap<(String, String), Vec<Vec<String>>> {
    let text = std::fs::read_to_string(fixture("data/tables-cells.ndjson")).unwrap();
    let line = |line: &str| {
        let read: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| read[key].as_str().unwrap().to_owned();
        ((text("file"), text("options")), serde_json::from_value(read["rows"].clone()).unwrap())
    };
    text.lines().map(line).collect()
}

impl Case {
    fn args(&self) -> Vec<String> {
        let path = fixture("data").join(&self.file);
        let mut args = vec!["check".to_owned(), path.to_str().unwrap().to_owned()];
        args.extend(GIVEN.map(str::to_owned));
        args.extend(self.options.split_whitespace().map(str::to_owned));
        args
    }
}

/// The columns of a header that `--keep` can name: those with a name of their own.
fn named(header: &[String]) -> Vec<(usize, &str)> {
    let alike = |name: &str| header.iter().filter(|other| other.trim().eq_ignore_ascii_case(name.trim())).count();
    let names = header.iter().enumerate().filter(|(_, name)| !name.trim().is_empty() && alike(name) == 1);
    names.map(|(index, name)| (index, name.trim())).collect()
}

fn read_report(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_published_table_has_its_verdict_and_all_its_cells() {
    let cells = cells();
    let cases = cases();
    assert!(cases.len() > 110);
    for case in &cases {
        let lab = Lab::new();
        let mut args = case.args();
        args.extend(["--summary", "json", "--report", "out.ndjson"].map(str::to_owned));
        let rows = cells.get(&(case.file.clone(), case.options.clone()));
        let columns = rows.map(|rows| named(&rows[0])).unwrap_or_default();
        columns.iter().for_each(|(_, name)| args.extend(["--keep".to_owned(), (*name).to_owned()]));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = lab.run(&args).ends(case.exit).says(&case.says);
        let Some((records, invalid)) = case.counts else {
            assert!(ran.stderr.contains("hint:"), "{}: {}", case.file, ran.stderr);
            continue;
        };
        let summary = ran.summary();
        assert_eq!(summary["records_read"], records, "{}", case.file);
        assert_eq!(summary["outcomes"]["invalid"], invalid, "{}", case.file);
        let report = read_report(&lab.path("out.ndjson"));
        assert_eq!(report.len() as u64, records, "{}", case.file);
        for (line, row) in report.iter().zip(rows.into_iter().flatten().skip(1)) {
            for (index, name) in &columns {
                // A name that the report has too is carried under another.
                let kept = line.get(format!("input_{name}")).or_else(|| line.get(*name)).unwrap();
                let cell = row.get(*index).map_or("", String::as_str);
                assert_eq!(kept, cell, "{}: row {}, column {name}", case.file, line["row"]);
            }
        }
    }
}
