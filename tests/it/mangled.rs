//! Files as people's programs leave them: the five languages of `fixtures/people`, saved in the ways
//! of spreadsheets and exports. A customer who is sent is who the file says, and all good rows are
//! sent; what cannot be read is refused with the way out.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Format, Workbook, Worksheet};

use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, fixture};
use crate::proxy::{Harm, Proxy};
use crate::words::{PEOPLE, expected, sent};

/// A table of people, its header first.
#[derive(Clone)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn of(file: &str) -> Self {
        let text = std::fs::read_to_string(fixture("people").join(file)).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
        Self(reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect())
    }

    fn width(&self) -> usize {
        self.0[0].len()
    }

    /// Changes each row; the header is row 0.
    fn each(mut self, change: impl Fn(usize, &mut Vec<String>)) -> Self {
        self.0.iter_mut().enumerate().for_each(|(n, row)| change(n, row));
        self
    }

    fn and(mut self, at: usize, row: Vec<String>) -> Self {
        self.0.insert(at, row);
        self
    }

    fn csv(&self, delimiter: u8, terminator: csv::Terminator, quotes: csv::QuoteStyle) -> String {
        let mut writer = csv::WriterBuilder::new();
        writer.delimiter(delimiter).terminator(terminator).quote_style(quotes).flexible(true);
        let mut writer = writer.from_writer(Vec::new());
        self.0.iter().for_each(|row| writer.write_record(row).unwrap());
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    /// As a German Excel saves "CSV UTF-8".
    fn excel(&self) -> Vec<u8> {
        format!("\u{feff}{}", self.csv(b';', csv::Terminator::CRLF, csv::QuoteStyle::Necessary)).into_bytes()
    }

    fn workbook(&self, change: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (line, row) in (0..).zip(&self.0) {
            sheet.write_row(line, 0, row).unwrap();
        }
        change(sheet);
        book.save_to_buffer().unwrap()
    }
}

fn empty(width: usize) -> Vec<String> {
    vec![String::new(); width]
}

/// Each way to save a table that loses nothing: its name, the name of the file, and its bytes.
fn harmless(table: &Table) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (width, last) = (table.width(), table.0.len());
    let plain = |table: &Table| table.csv(b',', csv::Terminator::Any(b'\n'), csv::QuoteStyle::Necessary);
    let tabs = format!("\u{feff}{}", table.csv(b'\t', csv::Terminator::CRLF, csv::QuoteStyle::Necessary));
    let numbered = table.clone().each(|n, row| row.insert(0, if n == 0 { String::new() } else { n.to_string() }));
    let total = |row: &mut Vec<String>| "Summe: 200".clone_into(&mut row[0]);
    let mut sum = empty(width);
    total(&mut sum);
    let spaced = table.clone().and(60, empty(width)).and(10, empty(width));
    let wide = table.clone().each(|n, row| row.extend((0..200).map(|column| format!("c{column} {}", n.min(1)))));
    vec![
        ("CSV UTF-8 of a German Excel", "in.csv", table.excel()),
        ("Unicode text", "in.txt", tabs.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("the separator named", "in.csv", [b"sep=;\r\n", &table.excel()[3..]].concat()),
        ("everything quoted", "in.csv", table.csv(b';', csv::Terminator::CRLF, csv::QuoteStyle::Always).into_bytes()),
        ("a total row", "in.csv", table.clone().and(last, sum.clone()).excel()),
        ("empty rows", "in.csv", spaced.excel()),
        ("the header again", "in.csv", table.clone().and(100, table.0[0].clone()).excel()),
        ("row numbers", "in.csv", numbered.excel()),
        ("a delimiter after each row", "in.csv", plain(&table.clone().each(|_, row| row.push(String::new()))).into()),
        ("200 more columns", "in.csv", plain(&wide).into()),
        ("a workbook", "in.xlsx", table.workbook(|_| {})),
        ("a workbook named CSV", "in.csv", table.workbook(|_| {})),
        (
            "a workbook with a filter, hidden columns and rows, row numbers, a total and a note",
            "in.xlsx",
            numbered.clone().and(50, empty(width + 1)).workbook(|sheet| {
                let columns = u16::try_from(width).unwrap();
                let end = u32::try_from(last + 1).unwrap();
                for row in 1..end {
                    sheet.write_number(row, 0, f64::from(row)).unwrap();
                }
                sheet.set_column_hidden(1).unwrap();
                sheet.set_row_hidden(7).unwrap();
                sheet.autofilter(0, 0, end - 1, columns).unwrap();
                sheet.write(end + 1, 0, "Summe").unwrap().write(end + 1, 1, 200).unwrap();
                sheet.insert_note(3, 3, &rust_xlsxwriter::Note::new("call back")).unwrap();
            }),
        ),
    ]
}

/// Imports a file. Returns the people of the requests, by their e-mail.
fn imported(lab: &Lab, file: &str, more: &[&str]) -> (Ran, BTreeMap<String, String>) {
    let server = Server::start(lab, &[]);
    let proxy = Proxy::start(&server, Harm::None);
    let ran = lab.run(&[&["import", file, "--base-url", &proxy.url], &FAST[..], more].concat());
    let bodies = proxy.seen(|seen| seen.bodies.clone());
    (ran, bodies.iter().map(|body| sent(body)).collect())
}

#[test]
fn however_a_table_is_saved_without_loss_all_its_people_are_sent_as_they_are() {
    for (language, (file, name)) in PEOPLE.into_iter().enumerate() {
        let source = Lab::new();
        source.write(file, std::fs::read(fixture("people").join(file)).unwrap());
        let expected = expected(&source, file);
        let forms = harmless(&Table::of(file));
        // The first form in each language, and each other one in one of them.
        let chosen = (0..).zip(forms).filter(|(form, _)| *form == 0 || form % PEOPLE.len() == language);
        for (_, (form, input, bytes)) in chosen {
            let lab = Lab::new();
            lab.write(input, bytes);
            let (ran, sent) = imported(&lab, input, &["--map", name]);
            assert_eq!(sent, expected, "{file}, {form}: {}{}", ran.stdout, ran.stderr);
            ran.ends(1);
        }
    }
}

const PHONE: [&str; 5] = ["Telefonnummer", "Teléfono", "Téléphone", "Cep Telefonu", "電話番号"];

/// From here on a spreadsheet shows a number with an exponent.
const SHOWN_WITH_EXPONENT: f64 = 1e11;

/// What a spreadsheet that takes a phone for a number shows, if it has room for six digits.
fn shown(number: f64, comma: &str) -> String {
    let (mantissa, exponent) =
        format!("{number:.5E}").split_once('E').map(|(m, e)| (m.to_owned(), e.to_owned())).unwrap();
    format!("{}E+{exponent:0>2}", mantissa.trim_end_matches('0').replace('.', comma))
}

#[test]
fn phones_that_became_numbers_are_refused_or_still_the_same() {
    for (language, (file, name)) in PEOPLE.into_iter().enumerate() {
        let source = Lab::new();
        source.write(file, std::fs::read(fixture("people").join(file)).unwrap());
        let expected = expected(&source, file);
        let table = Table::of(file);
        let phone = table.0[0].iter().position(|name| PHONE.contains(&name.as_str())).unwrap();
        let number = |cell: &str| cell.trim_start_matches('+').parse::<f64>().ok();
        let changed = |change: &dyn Fn(f64) -> String| {
            table.clone().each(|n, row| {
                if let (1.., Some(number)) = (n, number(&row[phone])) {
                    row[phone] = if number < SHOWN_WITH_EXPONENT { format!("{number}") } else { change(number) };
                }
            })
        };
        let digits = table.workbook(|sheet| {
            for (line, row) in (0..).zip(&table.0) {
                if let Some(number) = number(&row[phone]) {
                    sheet.write_number(line, u16::try_from(phone).unwrap(), number).unwrap();
                }
            }
        });
        let formatted = table.workbook(|sheet| {
            for (line, row) in (0..).zip(&table.0) {
                if let Some(number) = number(&row[phone]) {
                    let format = Format::new().set_num_format("0.00E+00");
                    sheet.write_number_with_format(line, u16::try_from(phone).unwrap(), number, &format).unwrap();
                }
            }
        });
        let forms = [
            ("exponents", "in.csv", changed(&|number| shown(number, ",")).excel()),
            ("exponents in English", "in.csv", changed(&|number| shown(number, ".")).excel()),
            ("saved once more", "in.csv", changed(&|number| format!("{}00000", (number / 1e5).round())).excel()),
            ("without plus", "in.csv", changed(&|number| format!("{number}")).excel()),
            ("numbers of a workbook", "in.xlsx", digits),
            ("numbers shown with an exponent", "in.xlsx", formatted),
        ];
        // All forms in German, and each of them in another language.
        let chosen = (0..).zip(forms).filter(|(form, _)| language == 0 || form % (PEOPLE.len() - 1) + 1 == language);
        for (_, (form, input, bytes)) in chosen {
            let lab = Lab::new();
            lab.write(input, bytes);
            let (ran, sent) = imported(&lab, input, &["--map", name]);
            assert!(sent.len() < expected.len(), "{file}, {form}: nothing was refused");
            for (email, person) in &sent {
                assert_eq!(Some(person), expected.get(email), "{file}, {form}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_words_that_help() {
    let lab = Lab::new();
    let table = Table::of("german.csv");
    let mut groups = empty(table.width());
    (groups[1], groups[4]) = ("Person".to_owned(), "Kontakt".to_owned());
    lab.write("in.csv", table.clone().and(0, groups.clone()).excel());
    lab.run(&["check", "in.csv"]).ends(65).says("line 2 looks like the header: delete the lines above it");
    lab.write(
        "in.xlsx",
        table.clone().and(0, groups).workbook(|sheet| {
            sheet.merge_range(0, 1, 0, 3, "Person", &Format::new()).unwrap();
            sheet.merge_range(0, 4, 0, 5, "Kontakt", &Format::new()).unwrap();
        }),
    );
    lab.run(&["check", "in.xlsx"]).ends(65).says("line 2 looks like the header: delete the lines above it");

    // Numbers puts its summary into a sheet of its own, and a title above each table.
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Export Summary").unwrap().write(0, 0, "This document was exported").unwrap();
    let sheet = book.add_worksheet().set_name("Sheet 1 - Customers").unwrap();
    for (line, row) in (0..).zip(customers(2).lines()) {
        sheet.write_row(line, 0, row.split(',')).unwrap();
    }
    lab.write("in.xlsx", book.save_to_buffer().unwrap());
    let refused = lab.run(&["check", "in.xlsx"]).ends(65).says("2 of its sheets have values");
    let commands = crate::hints::commands(&refused);
    lab.shell(commands.last().unwrap()).ends(0).says("2  to send");

    let long = format!("{HEADER}\nAda {},long@example.com,+4917612345001,DEU\n", "x".repeat(100_000));
    lab.write("in.csv", customers(2).replacen(&format!("{HEADER}\n"), &long, 1));
    lab.run(&["check", "in.csv"]).ends(1).says("row.too_large").says("64 KiB in one cell").says("2  to send");

    // An encrypted workbook is a file of the old kind; its directory may come after all its data.
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for padding in [512, 4 << 20] {
        lab.write("in.xlsx", [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &vec![b'x'; padding], &name].concat());
        lab.run(&["check", "in.xlsx"]).ends(65).says("remove").says("password").says("save it as .xlsx");
    }
}
