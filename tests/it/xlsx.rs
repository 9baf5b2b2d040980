//! Excel workbooks as input: what a cell shows is what is sent, or the record is invalid.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;

use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

use crate::harness::{FAST, Lab, Ran, Server, email, exit_code, fixture, rows};

const HEADER: [&str; 6] = ["name", "email", "phone", "country", "customer_type", "ref"];
const SENDING: [&str; 2] = ["--extra", "reference=ref"];

/// Returns a workbook whose first sheet has the header and is filled by `fill`.
fn workbook(fill: impl FnOnce(&mut Worksheet)) -> Workbook {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Customers").unwrap();
    sheet.write_row(0, 0, HEADER).unwrap();
    fill(sheet);
    workbook
}

fn import<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    [&["import", "in.xlsx", "--base-url", &server.url], &FAST[..], more].concat()
}

fn person(sheet: &mut Worksheet, row: u32) {
    let email = email(row as usize);
    sheet.write_row(row, 0, ["Ada King", &email, "+4917612345678", "DEU", "business", "a-1"]).unwrap();
}

fn written(lab: &Lab, mut workbook: Workbook) -> PathBuf {
    lab.write("in.xlsx", workbook.save_to_buffer().unwrap())
}

/// Returns the bytes of a workbook whose only sheet has this XML within `sheetData`.
fn raw_sheet(rows: &str) -> Vec<u8> {
    raw_sheet_and(rows, "")
}

fn raw_sheet_and(rows: &str, after: &str) -> Vec<u8> {
    let plain = workbook(|_| {}).save_to_buffer().unwrap();
    let header: String = HEADER.iter().map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>")).collect();
    let sheet = format!(
        "<worksheet><dimension ref=\"A1:B2\"/><sheetData><row r=\"1\">{header}</row>{rows}</sheetData>{after}</worksheet>"
    );
    with_part(&plain, "xl/worksheets/sheet1.xml", sheet.as_bytes())
}

/// Returns a copy of a workbook with another content of one part.
fn with_part(workbook: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut copy = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let part_name = part.name().unwrap().into_owned();
        copy.start_file(part_name.clone(), zip::write::SimpleFileOptions::default()).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        copy.write_all(if part_name == name { content } else { &bytes }).unwrap();
    }
    copy.finish().unwrap().into_inner()
}

/// Returns the text of a row of raw XML, with the cells of [`HEADER`] in this order.
fn raw_row(line: usize, cells: &[&str]) -> String {
    format!("<row r=\"{line}\">{}</row>", cells.concat())
}

fn raw_text(text: &str) -> String {
    format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

#[test]
fn a_workbook_is_imported_from_a_path_and_from_standard_input() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let path = written(&lab, workbook(|sheet| (1..=3).for_each(|row| person(sheet, row))));
    lab.run(&import(&server, &[&["--report", "out.csv"], &SENDING[..]].concat())).ends(0);
    let report = rows(&lab.path("out.csv"));
    assert_eq!(
        report.iter().map(|row| (&*row["row"], &*row["line"], &*row["status"])).collect::<Vec<_>>(),
        [("1", "2", "created"), ("2", "3", "created"), ("3", "4", "created")]
    );
    // The bytes of the requests are those of the same table in CSV.
    let line = |row| format!("Ada King,{},+4917612345678,DEU,business,a-1\n", email(row));
    lab.write("in.csv", format!("{}\n{}", HEADER.join(","), (1..=3).map(line).collect::<String>()));
    let other = Server::start(&lab, &[]);
    lab.import(&other, &SENDING).ends(0);
    let hashes = |server: &Server| -> BTreeSet<String> {
        server.posts().iter().map(|post| post["body_sha256"].to_string()).collect()
    };
    assert_eq!(hashes(&server), hashes(&other));
    assert_eq!(hashes(&server).len(), 3);

    let mut check = lab.command(&["check", "-", "--report", "piped.csv"]);
    check.stdin(std::fs::File::open(path).unwrap());
    Ran::of(&mut check).ends(0).says("3  to send").says("(sheet)");
    assert_eq!(rows(&lab.path("piped.csv"))[2]["line"], "4");
}

#[test]
fn the_files_of_other_programs_are_read() {
    let lab = Lab::new();
    let path = |name: &str| fixture("foreign").join(name).to_str().unwrap().to_owned();
    lab.run(&["check", &path("customers.xlsx")]).ends(0).says("2  to send");
    let keep = ["--keep", "ref", "--keep", "since", "--keep", "balance", "--report", "out.csv"];
    lab.run(&[&["check", &path("libreoffice.xlsx")], &keep[..]].concat()).ends(1);
    let report = rows(&lab.path("out.csv"));
    let kept: Vec<_> = report.iter().map(|row| [&*row["ref"], &*row["since"], &*row["balance"]].join(" ")).collect();
    assert_eq!(kept, ["1001 2026-11-29 12.5", "1002 2025-02-01 1000", "1003 2024-02-29 0.25"]);
    let codes: Vec<_> = report.iter().map(|row| &*row["error_code"]).collect();
    assert_eq!(codes, ["", "", "name.control_characters"]);
}

#[test]
fn cells_are_read_as_they_are_shown() {
    let lab = Lab::new();
    let date = ExcelDateTime::from_ymd(2026, 11, 29).unwrap();
    let moment = ExcelDateTime::from_ymd(2026, 11, 29).unwrap().and_hms(18, 30, 0).unwrap();
    written(
        &lab,
        workbook(|sheet| {
            for row in 1..=6 {
                person(sheet, row);
            }
            sheet.write_string(1, 3, "USA").unwrap();
            sheet.write_number(1, 2, 2_015_550_123_f64).unwrap();
            sheet.write_number(1, 5, 1_234_567).unwrap();
            sheet.write_datetime_with_format(2, 5, &date, &Format::new().set_num_format("dd.mm.yyyy")).unwrap();
            sheet
                .write_datetime_with_format(3, 5, &moment, &Format::new().set_num_format("yyyy-mm-dd hh:mm;@"))
                .unwrap();
            sheet.write_boolean(4, 5, true).unwrap();
            sheet.write_formula(5, 5, Formula::new("=1+1").set_result("2")).unwrap();
            sheet.write_string(6, 5, "  a\n_x0041_ <&> é ").unwrap();
        }),
    );
    lab.run(&[&["check", "in.xlsx", "--keep", "ref", "--report", "out.csv"], &SENDING[..]].concat()).ends(0);
    let kept: Vec<_> = rows(&lab.path("out.csv")).iter().map(|row| row["ref"].clone()).collect();
    assert_eq!(kept, ["1234567", "2026-11-29", "2026-11-29T18:30:00", "true", "2", "  a\n_x0041_ <&> é "]);
}

#[test]
fn a_cell_that_shows_something_else_than_is_stored_makes_its_record_invalid() {
    let lab = Lab::new();
    let format = |code: &str| Format::new().set_num_format(code);
    let date = ExcelDateTime::from_ymd(2026, 11, 29).unwrap();
    written(
        &lab,
        workbook(|sheet| {
            for row in 1..=11 {
                person(sheet, row);
            }
            sheet.write_number_with_format(1, 5, 7, &format("0000")).unwrap();
            sheet.write_number_with_format(2, 5, 12.34, &format("0.0")).unwrap();
            sheet.write_number(3, 5, 1_234_567_890_123_456_f64).unwrap();
            sheet.write_number_with_format(4, 5, 0.5, &format("0%")).unwrap();
            sheet.write_number_with_format(5, 5, 491_761_234_567_f64, &format("0.00E+00")).unwrap();
            sheet.write_datetime_with_format(6, 5, &date, &format("d-mmm")).unwrap();
            sheet.write_formula(7, 5, Formula::new("=NA()").set_result("#N/A")).unwrap();
            sheet.write_number_with_format(8, 5, 5, &format(";;;")).unwrap();
            sheet.write_number_with_format(9, 5, 1.5, &format("[h]:mm")).unwrap();
            sheet.write_number_with_format(10, 2, 4_917_612_345_678_f64, &format("\"+\"0")).unwrap();
            sheet.write_string(11, 7, "a note").unwrap();
        }),
    );
    let ran = lab.run(&[&["check", "in.xlsx", "--report", "out.csv", "--rejects", "mend.csv"], &SENDING[..]].concat());
    ran.ends(1).says("format the column as text");
    let report = rows(&lab.path("out.csv"));
    for row in &report[..10] {
        assert_eq!((&*row["status"], &*row["error_code"]), ("invalid", "cell.spreadsheet_damage"), "{row:?}");
    }
    assert_eq!(report[10]["error_code"], "row.column_count");
    assert!(report[10]["error"].contains("column H"), "{:?}", report[10]);

    // Nothing was corrected, so nothing becomes valid.
    lab.run(&[&["check", "mend.csv", "--report", "again.csv"], &SENDING[..]].concat()).ends(1);
    let again = rows(&lab.path("again.csv"));
    assert_eq!(again.len(), 11);
    assert!(again.iter().all(|row| row["status"] == "invalid"), "{again:?}");
}

#[test]
fn a_damaged_cell_of_a_column_that_is_not_sent_is_no_problem() {
    let lab = Lab::new();
    written(
        &lab,
        workbook(|sheet| {
            person(sheet, 1);
            sheet.write_number_with_format(1, 5, 7, &Format::new().set_num_format("0000")).unwrap();
        }),
    );
    lab.run(&["check", "in.xlsx", "--keep", "ref", "--report", "out.csv"]).ends(0);
    assert_eq!(rows(&lab.path("out.csv"))[0]["ref"], "7");
}

#[test]
fn a_formula_without_its_result_is_a_problem_and_never_an_empty_cell() {
    let lab = Lab::new();
    let text = |text: &str| raw_text(text);
    let (name, phone, country) = (text("Ada King"), text("+4917612345678"), text("DEU"));
    let row = |line: usize, kind: &str| raw_row(line, &[&name, &text(&email(line)), &phone, &country, kind]);
    let sheet = [
        row(2, "<c><f>A1</f></c>"),
        row(3, "<c><f>A1</f><v></v></c>"),
        row(4, "<c><f>A1</f><v/></c>"),
        row(5, "<c t=\"str\"><f>A1</f></c>"),
        row(6, "<c t=\"str\"><f>A1</f><v></v></c>"),
        row(7, "<c/>"),
    ];
    lab.write("in.xlsx", raw_sheet(&sheet.concat()));
    lab.run(&["check", "in.xlsx", "--report", "out.csv"]).ends(1).says("formula without its result");
    let codes: Vec<_> = rows(&lab.path("out.csv")).iter().map(|row| row["error_code"].clone()).collect();
    let damage = "cell.spreadsheet_damage";
    assert_eq!(codes, [damage, damage, damage, damage, "", ""]);
}

#[test]
fn texts_of_all_kinds_arrive_whole_whatever_the_sheet_says_of_its_size() {
    let lab = Lab::new();
    let name =
        "<c t=\"inlineStr\"><is><r><t>Ada </t></r><r><rPr><b/></rPr><t>K&#105;ng</t></r><rPh><t>no</t></rPh></is></c>";
    let row = raw_row(2, &[name, &raw_text(&email(1)), &raw_text("+4917612345678"), &raw_text("<![CDATA[DEU]]>")]);
    lab.write("in.xlsx", raw_sheet(&row));
    lab.run(&["check", "in.xlsx", "--keep", "name", "--report", "out.csv"]).ends(0);
    assert_eq!(rows(&lab.path("out.csv"))[0]["name"], "Ada King");
}

#[test]
fn the_only_visible_sheet_with_values_is_read_and_others_must_be_named() {
    let lab = Lab::new();
    let sheets = |visible: bool| {
        let mut workbook = workbook(|sheet| person(sheet, 1));
        workbook.add_worksheet().set_name("Empty").unwrap();
        let other = workbook.add_worksheet();
        other.set_name("Old customers").unwrap();
        other.write_row(0, 0, HEADER).unwrap();
        (1..=2).for_each(|row| person(other, row));
        if !visible {
            other.set_hidden(true);
        }
        workbook
    };
    written(&lab, sheets(false));
    lab.run(&["check", "in.xlsx"]).ends(0).says("1  to send").says("Customers");
    lab.run(&["check", "in.xlsx", "--sheet", "old customers"]).ends(0).says("2  to send");

    written(&lab, sheets(true));
    let several = lab.run(&["check", "in.xlsx"]).ends(65);
    several.says("check in.xlsx --sheet Customers\n  or: ").says("check in.xlsx --sheet 'Old customers'");
    lab.run(&["check", "in.xlsx", "--sheet", "Old customers"]).ends(0).says("2  to send");
    lab.run(&["check", "in.xlsx", "--sheet", "New"])
        .ends(65)
        .says("\"New\"")
        .says("with --sheet, or leave --sheet out");
    lab.run(&["check", "in.xlsx", "--sheet", "Empty"]).ends(65).says("does not have a value");
    lab.write("sheet.toml", "sheet = \"Customers\"\n");
    lab.run(&["check", "in.xlsx", "--config", "sheet.toml"]).ends(0).says("1  to send");
    let mut with_environment = lab.command(&["check", "in.xlsx"]);
    with_environment.env("CUSTOMER_IMPORT_SHEET", "Old customers");
    Ran::of(&mut with_environment).ends(0).says("2  to send");
}

#[test]
fn options_that_do_not_fit_the_input_are_refused() {
    let lab = Lab::new();
    written(&lab, workbook(|sheet| person(sheet, 1)));
    lab.customers(1);
    lab.run(&["check", "in.csv", "--sheet", "Customers"]).ends(65).says("leave out --sheet");
    lab.run(&["check", "in.csv", "--format", "xlsx"]).ends(65).says("leave out --format");
    lab.run(&["check", "in.xlsx", "--format", "csv"]).ends(65).says("leave out --format");
    lab.run(&["check", "in.xlsx", "--format", "xlsx"]).ends(0);
}

#[test]
fn blank_rows_are_skipped_and_hidden_rows_are_read_and_both_are_told() {
    let lab = Lab::new();
    written(
        &lab,
        workbook(|sheet| {
            person(sheet, 3);
            person(sheet, 4);
            sheet.set_row_hidden(4).unwrap();
            sheet.write_blank(9, 0, &Format::new().set_bold()).unwrap();
        }),
    );
    let ran = lab.run(&["check", "in.xlsx", "--report", "out.csv"]).ends(0);
    ran.says("2  to send").says("2  blank rows skipped").says("1  of them in hidden rows");
    let lines: Vec<_> =
        rows(&lab.path("out.csv")).iter().map(|row| (row["row"].clone(), row["line"].clone())).collect();
    assert_eq!(lines, [("1".to_owned(), "4".to_owned()), ("2".to_owned(), "5".to_owned())]);
}

#[test]
fn a_title_above_the_header_and_merged_records_are_told() {
    let lab = Lab::new();
    let mut titled = Workbook::new();
    let sheet = titled.add_worksheet();
    sheet.merge_range(0, 0, 0, 5, "All customers", &Format::new()).unwrap();
    sheet.write_row(3, 0, HEADER).unwrap();
    person(sheet, 4);
    written(&lab, titled);
    lab.run(&["check", "in.xlsx"]).ends(65).says("line 4 looks like the header");

    written(
        &lab,
        workbook(|sheet| {
            (1..=3).for_each(|row| person(sheet, row));
            for row in 1..=3 {
                sheet.write_blank(row, 4, &Format::new().set_bold()).unwrap();
            }
            sheet.merge_range(1, 4, 3, 4, "business", &Format::new()).unwrap();
        }),
    );
    lab.run(&["check", "in.xlsx"]).ends(65).says("E2:E4 are merged").says("unmerge");
}

#[test]
fn a_merged_cell_of_the_header_is_named_with_what_to_do() {
    let lab = Lab::new();
    let merged = |range: (u32, u16, u32, u16), name: &str| {
        let mut workbook = workbook(|sheet| (1..=2).for_each(|row| person(sheet, row)));
        let sheet = workbook.worksheet_from_index(0).unwrap();
        for row in range.0..=range.2 {
            for column in range.1..=range.3 {
                sheet.write_blank(row, column, &Format::new().set_bold()).unwrap();
            }
        }
        sheet.merge_range(range.0, range.1, range.2, range.3, name, &Format::new()).unwrap();
        workbook
    };
    // The e-mail has no header of its own.
    written(&lab, merged((0, 0, 0, 1), "name"));
    let refused = lab.run(&["check", "in.xlsx"]).ends(65).says("no column for customer_email");
    refused.says("the header cells A1:B1 are merged").says("unmerge them").says("a name above each column");
    // All columns are found, but the name may stand in two of them.
    written(&lab, merged((0, 3, 0, 4), "country"));
    lab.run(&["check", "in.xlsx"]).ends(65).says("the header cells D1:E1 are merged").says("unmerge them");
    // The header reaches into the first record.
    written(&lab, merged((0, 5, 1, 5), "ref"));
    lab.run(&["check", "in.xlsx"]).ends(65).says("the header cells F1:F2 are merged").says("unmerge them");
    // Nothing of these columns is sent.
    let mut notes = merged((0, 4, 0, 5), "notes");
    notes.worksheet_from_index(0).unwrap().write(0, 6, "more").unwrap();
    written(&lab, notes);
    lab.run(&["check", "in.xlsx"]).ends(0).says("2  to send");
    lab.run(&["check", "in.xlsx", "--map", "customer_type=notes"]).ends(65).says("E1:F1 are merged");
}

#[test]
fn a_country_for_all_is_not_offered_while_a_column_of_the_sheet_looks_like_a_country() {
    let lab = Lab::new();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["name", "email", "phone", "Herkunft"]).unwrap();
    for (row, country) in (1..).zip(["DE", "Österreich", "CH"]) {
        sheet.write_row(row, 0, ["Ada", &email(row as usize), "+4917612345678", country]).unwrap();
    }
    written(&lab, book);
    let refused = lab.run(&["check", "in.xlsx"]).ends(65).says("--map customer_country=Herkunft");
    assert!(!refused.stderr.contains("--set"), "{}", refused.stderr);
}

#[test]
fn records_beyond_a_limit_are_skipped_and_the_next_one_is_read() {
    let lab = Lab::new();
    let long = "é".repeat(32_767);
    written(
        &lab,
        workbook(|sheet| {
            person(sheet, 1);
            person(sheet, 2);
            person(sheet, 3);
            person(sheet, 4);
            sheet.write_string(1, 5, "x".repeat(32_767)).unwrap();
            sheet.write_string(2, 5, "漢".repeat(32_767)).unwrap();
            sheet.write_string(3, 1030, "far").unwrap();
        }),
    );
    lab.run(&["check", "in.xlsx", "--report", "out.csv"]).ends(1);
    let codes: Vec<_> = rows(&lab.path("out.csv")).iter().map(|row| row["error_code"].clone()).collect();
    assert_eq!(codes, ["", "row.too_large", "row.too_large", ""]);

    let row = raw_row(2, &[&raw_text(&format!("{long}{long}"))]);
    lab.write("in.xlsx", raw_sheet(&row));
    lab.run(&["check", "in.xlsx"]).ends(1).says("64 KiB in one cell");
}

#[test]
fn an_element_without_end_is_stopped() {
    let lab = Lab::new();
    lab.write("in.xlsx", raw_sheet(&raw_row(2, &[&raw_text(&"x".repeat(2 << 20))])));
    lab.run(&["check", "in.xlsx"]).ends(65).says("1 MiB in one element");
}

#[test]
fn a_damaged_workbook_is_told() {
    let lab = Lab::new();
    let whole = workbook(|sheet| person(sheet, 1)).save_to_buffer().unwrap();
    let cut = &whole[..whole.len() / 2];
    let backwards = raw_sheet("<row r=\"5\"><c t=\"inlineStr\"><is><t>x</t></is></c></row><row r=\"4\"/>");
    let elsewhere = raw_sheet("<row r=\"5\"><c r=\"A9\"><v>1</v></c></row>");
    let disordered = raw_sheet("<row r=\"5\"><c r=\"B5\"><v>1</v></c><c r=\"A5\"><v>1</v></c></row>");
    let no_text = raw_sheet("<row r=\"5\"><c t=\"s\"><v>999999</v></c></row>");
    let document_type = with_part(&whole, "xl/workbook.xml", b"<!DOCTYPE a [<!ENTITY b \"c\">]><workbook/>");
    let entity = raw_sheet("<row r=\"5\"><c t=\"inlineStr\"><is><t>&b;</t></is></c></row>");
    for bytes in [cut, &backwards, &elsewhere, &disordered, &no_text, &document_type, &entity] {
        lab.write("in.xlsx", bytes);
        lab.run(&["check", "in.xlsx"]).ends(65).says("damaged").says("save it again as .xlsx");
    }
}

#[test]
fn nothing_is_sent_of_a_workbook_that_changed() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    written(&lab, workbook(|sheet| (1..=20_000).for_each(|row| person(sheet, row))));
    let mut import = lab.command(&import(&server, &[]));
    let running = import.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(3);
    written(&lab, workbook(|sheet| (30_000..=50_000).for_each(|row| person(sheet, row))));
    let output = running.wait_with_output().unwrap();
    assert_eq!(exit_code(output.status), 65, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.customers().keys().all(|sent| (1..=20_000).any(|row| *sent == email(row))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The exit code of a program that panics is 101.
    #[test]
    fn a_workbook_with_wrong_bytes_is_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let lab = Lab::new();
        let mut bytes = workbook(|sheet| (1..=3).for_each(|row| person(sheet, row))).save_to_buffer().unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        lab.write("in.xlsx", bytes);
        let ran = lab.run(&["check", "in.xlsx"]);
        prop_assert!([0, 1, 65].contains(&ran.code), "{}", ran.code);
    }
}
