//! Rejects on their way through a spreadsheet program: opened, saved, imported.
//!
//! LibreOffice opens and saves the files, with German settings, in which `4,91761E+11` is a number.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::harness::{FAST, Lab, Server, rows, skipped};

/// Settings of a German user.
const PROFILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>de-DE</value></prop></item>
</oor:items>"#;

/// A spreadsheet program with a profile of its own.
struct Spreadsheet<'a>(&'a Lab);

/// CSV as a German user saves it: semicolons, a byte order mark, cells as they are shown.
const GERMAN_CSV: &str = "csv:Text - txt - csv (StarCalc):59,34,76,1,,1031,false,true,false,false,false,0,false,true";
/// CSV with each text as it is stored.
const TEXTS: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,false,false";
/// How a spreadsheet opens a CSV file with semicolons: numbers and dates are recognized.
const OPEN_GERMAN_CSV: &str = "--infilter=CSV:59,34,76,1,,1031,false,true";

impl<'a> Spreadsheet<'a> {
    /// `None` if there is no such program.
    fn open(lab: &'a Lab) -> Option<Self> {
        if Command::new("soffice").arg("--version").env("HOME", lab.path("home")).output().is_err() {
            skipped("there is no LibreOffice");
            return None;
        }
        let user = lab.path("profile/user");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::write(user.join("registrymodifications.xcu"), PROFILE).unwrap();
        Some(Self(lab))
    }

    /// Opens a file of the lab and saves it in a folder, under the same name but for the ending.
    fn save(&self, name: &str, folder: &str, format: &str, more: &[&str]) {
        let profile = format!("-env:UserInstallation=file://{}", self.0.path("profile").display());
        let mut command = Command::new("timeout");
        command.args(["300", "soffice", &profile, "--headless"]).args(more).args(["--convert-to", format, "--outdir"]);
        let saved = command.arg(self.0.path(folder)).arg(self.0.path(name)).env("HOME", self.0.path("home")).output();
        let saved = saved.unwrap();
        let is_there = std::fs::read_dir(self.0.path(folder)).is_ok_and(|mut files| files.next().is_some());
        assert!(saved.status.success() && is_there, "{}", String::from_utf8_lossy(&saved.stderr));
    }
}

/// Cells that a spreadsheet would like to change.
const CELLS: [[&str; 4]; 7] = [
    ["+4917612345001", "DEU", "00123", "4,91761E+11"],
    ["+44 20 7946 0018", "GBR", "12345678901234567890", "3-4"],
    ["0176 12345003", "DEU", "1.10", "01.02.2026"],
    ["(0176) 12345004", "DEU", "1e5", "TRUE"],
    ["+4917612345005", "DEU", "0x1F", "Jäger & Söhne <b>"],
    ["+4917612345006", "DEU", " 7 ", "a;b,c\td \"e\""],
    ["+4917612345007", "DEU", "-5", "_x000D_ 😀"],
];

/// A file whose names are missing, which `--set` corrects.
fn without_names(cells: &[[&str; 4]]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    let header = ["customer_name", "customer_email", "customer_phone", "customer_country", "id", "note"];
    writer.write_record(header).unwrap();
    for (n, [phone, country, id, note]) in cells.iter().enumerate() {
        writer.write_record(["", &format!("p{n}@example.com"), phone, country, id, note]).unwrap();
    }
    writer.into_inner().unwrap()
}

const CORRECTED: [&str; 4] = ["--set", "customer_name=Ada King", "--extra", "legacy.id=id"];

/// The body of each request by e-mail, as a hash, and the report of the import.
fn imported(lab: &Lab, input: &str, more: &[&str]) -> (BTreeMap<String, String>, Vec<BTreeMap<String, String>>) {
    let server = Server::start(lab, &[]);
    let log = server.posts().len();
    let ledger = lab.path(&format!("{}.db", input.replace('/', "-")));
    let args =
        ["import", input, "--base-url", &server.url, "--report", "out.csv", "--ledger", ledger.to_str().unwrap()];
    let ran = lab.run(&[&args, &FAST[..], &CORRECTED, more].concat());
    assert!([0, 1].contains(&ran.code), "{ran:?}");
    let text = |post: &serde_json::Value, name: &str| post[name].as_str().unwrap().to_owned();
    let posts = server.posts();
    let bodies = posts[log..].iter().map(|post| (text(post, "email"), text(post, "body_sha256"))).collect();
    (bodies, rows(&lab.path("out.csv")))
}

fn table(path: &Path) -> Vec<Vec<String>> {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).unwrap();
    reader.into_records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn rejects_as_xlsx_leave_a_spreadsheet_as_they_went_in_and_nothing_else_is_sent() {
    let lab = Lab::new();
    let Some(spreadsheet) = Spreadsheet::open(&lab) else { return };
    lab.write("in.csv", without_names(&CELLS));
    lab.run(&["check", "in.csv", "--rejects", "mend.xlsx"]).ends(1);
    spreadsheet.save("mend.xlsx", "saved", "xlsx", &[]);
    spreadsheet.save("saved/mend.xlsx", "texts", TEXTS, &[]);

    let saved = table(&lab.path("texts/mend.csv"));
    assert_eq!(saved.len(), CELLS.len() + 1);
    for (n, (row, cells)) in saved[1..].iter().zip(CELLS).enumerate() {
        assert_eq!(row[..6], [&["", &format!("p{n}@example.com")][..], &cells].concat());
        assert!(row[6].contains("every customer needs a name"), "{row:?}");
    }
    let (wanted, _) = imported(&lab, "in.csv", &[]);
    assert_eq!(wanted.len(), CELLS.len());
    assert_eq!(imported(&lab, "texts/mend.csv", &[]).0, wanted);
}

#[test]
fn rejects_as_xlsx_that_a_spreadsheet_saved_are_imported_as_they_are() {
    let lab = Lab::new();
    let Some(spreadsheet) = Spreadsheet::open(&lab) else { return };
    lab.write("in.csv", without_names(&CELLS));
    lab.run(&["check", "in.csv", "--rejects", "mend.xlsx"]).ends(1);
    spreadsheet.save("mend.xlsx", "saved", "xlsx", &[]);
    let (wanted, _) = imported(&lab, "in.csv", &[]);
    assert_eq!(imported(&lab, "saved/mend.xlsx", &[]).0, wanted);
}

/// The first row lacks its last cell, which no field needs; the second has one too many.
#[test]
fn a_row_of_a_workbook_with_a_cell_after_all_columns_is_invalid() {
    let lab = Lab::new();
    let row = |n: usize| format!("Ada King,p{n}@example.com,+4917612345001,DEU,{n}");
    let header = "customer_name,customer_email,customer_phone,customer_country,id,note";
    lab.write("in.csv", format!("{header}\n{}\n{},a,b\n", row(1), row(2)));
    lab.run(&["check", "in.csv", "--rejects", "mend.xlsx"]).ends(1);
    let (sent, report) = imported(&lab, "mend.xlsx", &[]);
    assert_eq!(sent.len(), 0);
    assert!(report.len() == 2 && report.iter().all(|row| row["error_code"].contains("row.column_count")), "{report:?}");
}

#[test]
fn rejects_as_csv_that_a_spreadsheet_damaged_are_problems_and_no_other_number_is_sent() {
    let lab = Lab::new();
    let Some(spreadsheet) = Spreadsheet::open(&lab) else { return };
    let damaged = [
        ["4,91761E+11", "DEU", "A-7", "ä"],
        ["+4917612345001", "DEU", "A-8", "ö"],
        ["017612345002", "DEU", "A-9", "ü"],
        ["+4917612345003", "DEU", "12345678901234567890", "ß"],
        ["+491761000000", "DEU", "A-10", "é"],
    ];
    lab.write("in.csv", without_names(&damaged));
    lab.run(&["check", "in.csv", "--rejects", "mend.csv"]).ends(1);
    assert!(lab.read("mend.csv").starts_with("\u{feff}customer_name;"), "a spreadsheet needs the mark");
    spreadsheet.save("mend.csv", "saved", GERMAN_CSV, &[OPEN_GERMAN_CSV]);

    let (wanted, _) = imported(&lab, "in.csv", &[]);
    let (sent, report) = imported(&lab, "saved/mend.csv", &[]);
    for (email, body) in &sent {
        assert_eq!(wanted.get(email), Some(body), "{email} was sent and is another customer now");
    }
    let codes: Vec<_> = report.iter().map(|row| row["error_code"].as_str()).collect();
    let without_plus = "phone.no_country_code";
    let id_and_plus = "phone.no_country_code;cell.spreadsheet_damage";
    assert_eq!(codes, ["phone.spreadsheet_damage", without_plus, "", id_and_plus, "phone.spreadsheet_damage"]);
    assert_eq!(sent.len(), 1);
}
