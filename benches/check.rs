//! How fast files are checked, beside a bare scan of the same file: `cargo bench --bench check`, or
//! `ROWS=1000000 cargo bench --bench check`.
//!
//! Machines are noisy, so all ways are measured in turns and the best of each is printed, as a
//! share of the bare scan: only such shares carry over to another machine. The file is made here:
//! names in many scripts, numbers of every country that the tables know. The last groups are files
//! as people have them, beside the clean one: numbers in national spelling, and rows that all have
//! the same warning or problem.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use customer_import::domain::InputRecord;
use customer_import::intake::{Feed, InputOptions, IntakeError};
use serde_json::value::RawValue;
use testkit::scan;

const NAMES: [&str; 12] = [
    "Ada Lovelace",
    "Nguyễn Thị Minh Khai",
    "Jürgen Groß",
    "Σοφία Παπαδοπούλου",
    "Мария Иванова",
    "李小龙",
    "山田 花子",
    "김민준",
    "محمد الفارسي",
    "प्रिया शर्मा",
    "Zoë O’Connor-Smith",
    "Ọlá Adébáyọ̀",
];

const ROUNDS: usize = 5;

/// A way to go through a file.
struct Way {
    name: &'static str,
    file: PathBuf,
    run: fn(&Path) -> u64,
}

fn main() {
    let rows: u64 = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000);
    let folder = tempfile::tempdir().unwrap();
    let (csv, e164, ndjson) =
        (folder.path().join("a.csv"), folder.path().join("e.csv"), folder.path().join("a.ndjson"));
    make(rows, &csv, &e164, &ndjson);
    let way = |name, file: &PathBuf, run| Way { name, file: file.clone(), run };
    let groups = [
        vec![
            way("csv: bare scan of the records", &csv, scan::scan),
            way("csv: read and judged, one thread", &csv, feed),
            way("csv: read and judged, all cores", &csv, parallel),
            way("csv: the program's check", &csv, check),
        ],
        vec![
            way("csv, all numbers in E.164: bare scan", &e164, scan::scan),
            way("csv, all numbers in E.164: the program's check", &e164, check),
        ],
        vec![
            way("ndjson: bare parse, borrowed", &ndjson, parse_ndjson),
            way("ndjson: read and judged, one thread", &ndjson, feed),
            way("ndjson: the program's check", &ndjson, check),
        ],
    ];
    let realistic = FORMS.iter().map(|form| (form.name, form.make(rows, folder.path())));
    let groups = groups.into_iter().chain([realistic.map(|(name, file)| way(name, &file, check)).collect()]);
    println!("{rows} rows, best of {ROUNDS}\n");
    for ways in groups {
        measure(rows, &ways);
        println!();
    }
}

/// A file whose rows all have one form, half of them of Germany and half of the United States.
struct Form {
    name: &'static str,
    /// The cells of a row with this number: name, e-mail, phone and country.
    german: fn(u64) -> [String; 4],
    american: fn(u64) -> [String; 4],
}

/// The first is clean. Each other one differs from it in one cell.
const FORMS: [Form; 14] = [
    Form { name: "check: clean, numbers in E.164", german, american },
    Form {
        name: "check: all numbers in national spelling",
        german: |row| with(german(row), 2, format!("0176 {:08}", row % 100_000_000)),
        american: |row| with(american(row), 2, format!("(415) {}-{:04}", 200 + row / 10_000 % 700, row % 10_000)),
    },
    Form {
        name: "check: a warning a row, reserved domain",
        german: |row| with(german(row), 1, format!("p{row}@example.com")),
        american: |row| with(american(row), 1, format!("p{row}@example.com")),
    },
    Form {
        name: "check: a warning a row, other country",
        german: |row| with(german(row), 3, "FR".to_owned()),
        american: |row| with(american(row), 3, "FR".to_owned()),
    },
    Form {
        name: "check: a warning a row, number not assigned",
        german: |row| with(german(row), 2, format!("+491100{:06}", row % 1_000_000)),
        american: |row| with(american(row), 2, format!("+1200555{:04}", row % 10_000)),
    },
    Form {
        name: "check: a warning a row, name looks garbled",
        german: |row| with(german(row), 0, format!("{}?", name(row))),
        american: |row| with(american(row), 0, format!("{}?", name(row))),
    },
    Form {
        name: "check: a warning a row, UTF-8 read as Windows-1252",
        german: |row| with(german(row), 0, format!("{} GroÃŸ", name(row))),
        american: |row| with(american(row), 0, format!("{} PÃ©rez", name(row))),
    },
    Form {
        name: "check: a problem a row, no name",
        german: |row| with(german(row), 0, String::new()),
        american: |row| with(american(row), 0, String::new()),
    },
    Form {
        name: "check: a problem a row, e-mail without @",
        german: |row| with(german(row), 1, format!("p{row}.post.zz")),
        american: |row| with(american(row), 1, format!("p{row}.post.zz")),
    },
    Form {
        name: "check: a problem a row, phone too long",
        german: |row| with(german(row), 2, format!("+49176{:08}123456", row % 100_000_000)),
        american: |row| with(american(row), 2, format!("+1415{:08}99", row % 100_000_000)),
    },
    Form {
        name: "check: a problem a row, national number too long",
        german: |row| with(german(row), 2, format!("0176 {:08}123456", row % 100_000_000)),
        american: |row| with(american(row), 2, format!("(415) {:08}99", row % 100_000_000)),
    },
    Form {
        name: "check: a problem a row, phone with letters",
        german: |row| with(german(row), 2, format!("+49176{:08} ext 5", row % 100_000_000)),
        american: |row| with(american(row), 2, format!("+1415{:07} ext 5", row % 10_000_000)),
    },
    Form {
        name: "check: a problem a row, unknown country",
        german: |row| with(german(row), 3, "Deutschlnd".to_owned()),
        american: |row| with(american(row), 3, "Atlantis".to_owned()),
    },
    // Ten times as many bytes as the clean file.
    Form {
        name: "check: a problem a row, name above 255 characters",
        german: |row| with(german(row), 0, name(row).repeat(30)),
        american: |row| with(american(row), 0, name(row).repeat(30)),
    },
];

fn german(row: u64) -> [String; 4] {
    [name(row), format!("p{row}@post.zz"), format!("+49176{:08}", row % 100_000_000), "DE".to_owned()]
}

fn american(row: u64) -> [String; 4] {
    let phone = format!("+1415{}{:04}", 200 + row / 10_000 % 700, row % 10_000);
    [name(row), format!("p{row}@post.zz"), phone, "US".to_owned()]
}

fn name(row: u64) -> String {
    let first = ["Ada", "Bea", "Carl", "Dora", "Emil"][(row % 5) as usize];
    format!("{first} {}", ["King", "Braun", "Keller"][(row % 3) as usize])
}

fn with(mut cells: [String; 4], index: usize, cell: String) -> [String; 4] {
    cells[index] = cell;
    cells
}

impl Form {
    fn make(&self, rows: u64, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.csv", self.name.replace(|letter: char| !letter.is_alphanumeric(), "-")));
        let mut file = BufWriter::new(File::create(&path).unwrap());
        writeln!(file, "customer_name,customer_email,customer_phone,customer_country").unwrap();
        for row in 0..rows {
            let cells = if row % 2 == 0 { (self.german)(row) } else { (self.american)(row) };
            writeln!(file, "{}", cells.join(",")).unwrap();
        }
        path
    }
}

fn measure(rows: u64, ways: &[Way]) {
    let mut best = vec![Duration::MAX; ways.len()];
    for _ in 0..ROUNDS {
        for (way, best) in ways.iter().zip(&mut best) {
            let begun = Instant::now();
            let found = (way.run)(&way.file);
            *best = begun.elapsed().min(*best);
            assert_eq!(found, rows, "{}", way.name);
        }
    }
    for (way, time) in ways.iter().zip(&best) {
        let (speed, share) = (rows as f64 / time.as_secs_f64(), best[0].as_secs_f64() / time.as_secs_f64());
        println!("{:<48} {speed:>12.0} rows/s  {share:.3} of the first", way.name);
    }
}

/// Every country's example number, in the spelling of its country and in E.164.
fn make(rows: u64, csv: &Path, e164: &Path, ndjson: &Path) {
    let table = include_str!("../fixtures/data/phones-by-region.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let phones: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let create = |path: &Path| BufWriter::new(File::create(path).unwrap());
    let (mut csv, mut e164, mut ndjson) = (create(csv), create(e164), create(ndjson));
    let header = "legacy_id,customer_name,customer_email,customer_phone,customer_country,note";
    writeln!(csv, "{header}").unwrap();
    writeln!(e164, "{header}").unwrap();
    for (row, (phone, name)) in (0..rows).zip(phones.iter().cycle().zip(NAMES.iter().cycle())) {
        let (country, number, national) = (&phone[0], &phone[3], &phone[5]);
        let spelt = if row % 2 == 0 { number } else { national };
        writeln!(csv, "{row},{name},p{row}@post.zz,\"{spelt}\",{country},\"kept, not sent\"").unwrap();
        writeln!(e164, "{row},{name},p{row}@post.zz,{number},{country},").unwrap();
        let person = serde_json::json!({
            "legacy_id": row, "customer_name": name, "customer_email": format!("p{row}@post.zz"),
            "customer_phone": number, "customer_country": country,
        });
        writeln!(ndjson, "{person}").unwrap();
    }
}

fn parse_ndjson(path: &Path) -> u64 {
    let (mut reader, mut line, mut rows) = (BufReader::new(File::open(path).unwrap()), String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 0 {
        black_box(serde_json::from_str::<BTreeMap<&str, &RawValue>>(&line).unwrap());
        line.clear();
        rows += 1;
    }
    rows
}

fn feed(path: &Path) -> u64 {
    count(Feed::open(path, &InputOptions::default()).unwrap())
}

fn parallel(path: &Path) -> u64 {
    let pieces = Feed::open(path, &InputOptions::default()).unwrap().in_parallel(Vec::<InputRecord<'_>>::new).unwrap();
    pieces.map(|records| black_box(records.unwrap()).len() as u64).sum()
}

fn count(records: impl Iterator<Item = Result<InputRecord<'static>, IntakeError>>) -> u64 {
    let mut rows = 0;
    for record in records {
        black_box(record.unwrap());
        rows += 1;
    }
    rows
}

/// With its start, its duplicates and its plan.
fn check(path: &Path) -> u64 {
    let output = Command::new(env!("CARGO_BIN_EXE_customer-import"))
        .args(["check", "--summary", "json"])
        .arg(path)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    plan["records_read"].as_u64().unwrap()
}
