//! Every row and cell of a table comes back as it was written, on one core and on all, and every
//! name is judged as the name alone is.
#![no_main]

use customer_import::domain::{Code, CustomerName, InputRecord, RecordVerdict};
use customer_import::intake::{Format, InputOptions};
use customer_import_fuzz::{cells, given, is_blank, read, table};
use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// The first cell is a name in UTF-16, so that two bytes are a letter of any script.
    rows: Vec<(Vec<u16>, [String; 2])>,
    delimiter: u8,
    line_end: u8,
    all_quoted: bool,
    piece: u8,
    /// Seldom, for starting threads takes longer than all else.
    on_all_cores: u8,
}

/// What the whole way from bytes to a verdict says of a name is what the name says of itself.
fn check_name(record: &InputRecord<'_>, cell: &str) {
    let found: Vec<_> = record.verdict.violations().iter().map(|violation| violation.code).collect();
    match (CustomerName::parse(cell), &record.verdict) {
        // A cell in which a spreadsheet left an error.
        (_, RecordVerdict::Invalid { .. }) if found == [Code::CellSpreadsheetDamage] => {}
        (Ok(name), RecordVerdict::Valid { customer, .. }) => {
            assert!(customer.name == name && name.oddity().is_some() == found.contains(&Code::NameLooksGarbled));
        }
        (Err(flaw), _) if flaw.code == Code::NameMissing => assert!(!record.verdict.is_invalid()),
        (Err(flaw), RecordVerdict::Invalid { .. }) => assert_eq!(found[0], flaw.code),
        (name, verdict) => panic!("{name:?} {:?}", verdict.violations()),
    }
}

fuzz_target!(|input: Input| {
    let rows = input.rows.into_iter().map(|(name, [y, z])| vec![String::from_utf16_lossy(&name), y, z]);
    let rows: Vec<Vec<String>> = rows.collect();
    // A zero byte makes a binary file.
    if rows.iter().flatten().any(|cell| cell.contains('\0')) {
        return;
    }
    let delimiter = b",;\t|"[usize::from(input.delimiter % 4)];
    let line_end = [csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')];
    let quotes = if input.all_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let header = ["x", "y", "z"].map(str::to_owned).to_vec();
    let file =
        table(&[vec![header], rows.clone()].concat(), delimiter, line_end[usize::from(input.line_end % 3)], quotes);
    let mut options = InputOptions { format: Format::Csv, delimiter: Some(delimiter), ..given() };
    options.maps.push("name=x".parse().expect("a rule"));
    let feed = || read(file.clone(), usize::from(input.piece), &options).expect("a table");
    let mut one = feed();
    let found: Vec<_> = one.by_ref().map(|record| record.expect("a record")).collect();
    if input.on_all_cores % 16 == 1 {
        let mut many = feed().in_parallel(Vec::<InputRecord<'_>>::new).expect("a table");
        let parallel: Vec<_> = many.by_ref().flat_map(|records| records.expect("records")).collect();
        let told =
            |records: &[InputRecord<'_>]| format!("{records:?} {:?}", records.iter().map(cells).collect::<Vec<_>>());
        assert_eq!((told(&found), one.blank_rows()), (told(&parallel), many.blank_rows()));
    }
    let (blank, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_blank(row));
    assert_eq!(found.iter().map(cells).collect::<Vec<_>>(), written);
    assert_eq!(one.blank_rows(), blank.len() as u64);
    found.iter().zip(&written).for_each(|(record, row)| check_name(record, &row[0]));
});
