//! Anything is read the same however it comes in pieces, and a plain table is found out.
#![no_main]

use customer_import::domain::RawRecord;
use customer_import::intake::InputOptions;
use customer_import_fuzz::{cells, given, is_blank, read, table};
use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    Anything { bytes: Vec<u8>, piece: u8 },
    Table { rows: Vec<[String; 3]>, delimiter: u8, piece: u8 },
}

/// Everything that is said of a file, in order.
fn told(bytes: &[u8], piece: usize, options: &InputOptions) -> Vec<String> {
    let mut row = 0;
    match read(bytes.to_vec(), piece, options) {
        Err(error) => vec![error.to_string(), error.hint().unwrap_or_default()],
        Ok(feed) => feed
            .map(|found| match found {
                Err(error) => error.to_string(),
                Ok(record) => {
                    row += 1;
                    assert_eq!(record.position.row, row);
                    let raw = match &record.raw {
                        Some(RawRecord::Cells(cells) | RawRecord::Misread(cells)) => format!("{cells:?}"),
                        Some(RawRecord::Line(line)) => format!("{line:?}"),
                        None => String::new(),
                    };
                    format!("{:?} {raw} {:?}", record.position, record.verdict.violations().len())
                }
            })
            .collect(),
    }
}

fuzz_target!(|input: Input| match input {
    Input::Anything { bytes, piece } => {
        for options in [given(), InputOptions::default()] {
            assert_eq!(told(&bytes, usize::from(piece), &options), told(&bytes, 1 << 20, &options));
        }
    }
    Input::Table { rows, delimiter, piece } => {
        if rows.iter().flatten().any(|cell| cell.contains('\0')) {
            return;
        }
        let delimiter = b",;\t|"[usize::from(delimiter % 4)];
        let header = ["name", "email", "phone"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
        let all = [vec![header], rows.clone()].concat();
        let file = table(&all, delimiter, csv::Terminator::Any(b'\n'), csv::QuoteStyle::Necessary);
        let feed = read(file, usize::from(piece), &given()).expect("a table");
        let found: Vec<_> = feed.map(|record| cells(&record.expect("a record"))).collect();
        assert_eq!(found, rows.into_iter().filter(|row| !is_blank(row)).collect::<Vec<_>>());
    }
});
