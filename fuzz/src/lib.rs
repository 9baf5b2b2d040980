//! What the targets share: reading bytes as the program reads a file.

use std::io::{self, Cursor, Read};
use std::path::Path;

use customer_import::domain::{InputRecord, RawRecord};
use customer_import::intake::{Feed, InputOptions, IntakeError};

/// Gives so many bytes at once.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.1.min(buffer.len());
        self.0.read(&mut buffer[..size])
    }
}

/// The records of a file that comes in pieces of this size.
pub fn read(file: Vec<u8>, piece: usize, options: &InputOptions) -> Result<Feed, IntakeError> {
    Feed::of(Path::new("customers"), Pieces(Cursor::new(file), piece.max(1)), options)
}

/// Every field given, so that all cells are free.
pub fn given() -> InputOptions {
    let sets = ["name=A", "email=a@b.de", "phone=+4915123456789", "country=DE"];
    InputOptions {
        sets: sets.iter().map(|typed| typed.parse().expect("a rule")).collect(),
        want_raw: true,
        ..InputOptions::default()
    }
}

/// The cells as they were read.
pub fn cells(record: &InputRecord) -> Vec<String> {
    match &record.raw {
        Some(RawRecord::Cells(cells) | RawRecord::Misread(cells)) => {
            cells.iter().map(|cell| String::from_utf8(cell.clone()).expect("text")).collect()
        }
        _ => panic!("no cells"),
    }
}

/// Rows of nothing but space are no records.
pub fn is_blank(row: &[String]) -> bool {
    row.iter().all(|cell| cell.trim_ascii().is_empty())
}

/// A table as CSV, every cell in quotes or only those that need it.
pub fn table(rows: &[Vec<String>], delimiter: u8, line_end: csv::Terminator, quotes: csv::QuoteStyle) -> Vec<u8> {
    let mut builder = csv::WriterBuilder::new();
    let mut writer = builder.delimiter(delimiter).terminator(line_end).quote_style(quotes).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("a row of the same width");
    }
    writer.into_inner().expect("memory")
}
