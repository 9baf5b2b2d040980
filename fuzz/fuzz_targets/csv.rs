//! Every row and cell of a table comes back as it was written.
#![no_main]

use customer_import::intake::{Format, InputOptions};
use customer_import_fuzz::{cells, given, is_blank, read, table};
use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    rows: Vec<[String; 3]>,
    delimiter: u8,
    line_end: u8,
    all_quoted: bool,
    piece: u8,
}

fuzz_target!(|input: Input| {
    // A zero byte makes a binary file.
    if input.rows.iter().flatten().any(|cell| cell.contains('\0')) {
        return;
    }
    let delimiter = b",;\t|"[usize::from(input.delimiter % 4)];
    let line_end = [csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')];
    let quotes = if input.all_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let header = ["x", "y", "z"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = input.rows.into_iter().map(Vec::from).collect();
    let file =
        table(&[vec![header], rows.clone()].concat(), delimiter, line_end[usize::from(input.line_end % 3)], quotes);
    let options = InputOptions { format: Format::Csv, delimiter: Some(delimiter), ..given() };
    let mut feed = read(file, usize::from(input.piece), &options).expect("a table");
    let found: Vec<_> = feed.by_ref().map(|record| cells(&record.expect("a record"))).collect();
    let (blank, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_blank(row));
    assert_eq!(found, written);
    assert_eq!(feed.blank_rows(), blank.len() as u64);
});
