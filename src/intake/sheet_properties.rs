//! Properties of every workbook: texts arrive code point for code point, on one thread and through
//! a parallel feed, and whatever its parts hold, it is read or refused.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use rust_xlsxwriter::{Format as CellFormat, Formula, Workbook};

use crate::domain::{InputRecord, RawRecord};

use super::error::IntakeError;
use super::feed::Feed;
use super::options::InputOptions;

const HEADER: [&str; 4] = ["name", "email", "phone", "country"];

fn feed(bytes: Vec<u8>) -> Result<Feed, IntakeError> {
    let options = InputOptions { want_raw: true, ..InputOptions::default() };
    Feed::of(Path::new("customers.xlsx"), Cursor::new(bytes), &options)
}

fn cells(record: &InputRecord<'_>) -> Vec<String> {
    let Some(RawRecord::Cells(cells)) = &record.raw else { panic!("no cells") };
    cells.iter().map(|cell| String::from_utf8(cell.clone()).unwrap()).collect()
}

fn table(rows: &[Vec<String>]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, HEADER).unwrap();
    for (row, cells) in (1..).zip(rows) {
        sheet.write_row(row, 0, cells).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

/// Returns a workbook with a cell of each kind.
fn varied() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, HEADER).unwrap();
    for row in 1..4 {
        sheet.write_row(row, 0, ["Ada & King", "ada@example.com", "+4917612345678", "DEU"]).unwrap();
    }
    sheet.write_number_with_format(2, 2, 17.5, &CellFormat::new().set_num_format("0.0;-0.0")).unwrap();
    sheet.write_boolean(2, 3, true).unwrap();
    sheet.write_formula(3, 3, Formula::new("=A1").set_result("DEU")).unwrap();
    sheet.merge_range(6, 0, 7, 1, "end", &CellFormat::new()).unwrap();
    workbook.save_to_buffer().unwrap()
}

/// Returns a copy of a workbook, with one part as `edit` returns it. Sizes and checksums fit.
fn edited(workbook: &[u8], part: Index, edit: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut copy = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let edited = part.index(archive.len());
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        copy.start_file(part.name().unwrap().into_owned(), zip::write::SimpleFileOptions::default()).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        copy.write_all(&if index == edited { edit(bytes) } else { bytes }).unwrap();
    }
    copy.finish().unwrap().into_inner()
}

#[derive(Clone, Debug)]
enum Edit {
    Remove(Index, usize),
    Repeat(Index, usize),
    Write(Index, u8),
}

impl Edit {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        let range = |index: &Index, length: usize| {
            let from = index.index(bytes.len());
            from..(from + length).min(bytes.len())
        };
        match self {
            Self::Remove(index, length) => drop(bytes.drain(range(index, *length))),
            Self::Repeat(index, length) => {
                let range = range(index, *length);
                let (at, again) = (range.end, bytes[range].to_vec());
                bytes.splice(at..at, again);
            }
            Self::Write(index, byte) => {
                let at = index.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        bytes
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), 1usize..60).prop_map(|(index, length)| Edit::Remove(index, length)),
        (any::<Index>(), 1usize..60).prop_map(|(index, length)| Edit::Repeat(index, length)),
        (any::<Index>(), prop::sample::select(b"<>/\"'&;= \x0019AZrstcvf\xff".to_vec()))
            .prop_map(|(index, byte)| Edit::Write(index, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(index, byte)| Edit::Write(index, byte)),
    ]
}

/// Reads all of a workbook. A test fails if this panics or does not end.
fn read(bytes: Vec<u8>) -> usize {
    feed(bytes).map_or(0, |feed| feed.filter(Result::is_ok).count())
}

proptest! {
    #[test]
    fn texts_arrive_code_point_for_code_point(
        rows in prop::collection::vec(prop::collection::vec("[a-z_x00-9A\n\t<&>\"' é漢😀\u{0}-\u{1f}]{1,12}", 4), 1..6),
    ) {
        // XML turns a carriage return into a line feed, so it is written as an escape.
        let rows: Vec<Vec<String>> = rows;
        let expected: Vec<_> = rows.iter().filter(|row| !row.iter().all(|cell| cell.trim_ascii().is_empty())).collect();
        let found: Vec<_> = feed(table(&rows)).unwrap().map(|record| cells(&record.unwrap())).collect();
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn whatever_the_parts_of_a_workbook_hold_it_is_read_or_refused(
        part in any::<Index>(),
        edits in prop::collection::vec(edit(), 1..5),
    ) {
        read(edited(&varied(), part, |bytes| edits.iter().fold(bytes, |bytes, edit| edit.apply(bytes))));
    }

    #[test]
    fn whatever_the_archive_of_a_workbook_holds_it_is_read_or_refused(edits in prop::collection::vec(edit(), 1..5)) {
        read(edits.iter().fold(varied(), |bytes, edit| edit.apply(bytes)));
    }
}

#[test]
fn a_parallel_feed_returns_the_records_of_the_plain_one() {
    let person = |row: usize| match row % 7 {
        0 => vec![String::new(); 4],
        1 => HEADER.map(str::to_owned).to_vec(),
        2 => vec!["Ada".to_owned()],
        _ => vec!["Ada".to_owned(), format!("p{row}@example.com"), "+4917612345678".to_owned(), "DEU".to_owned()],
    };
    let bytes = table(&(0..3000).map(person).collect::<Vec<_>>());
    let shown = |record: InputRecord<'_>| format!("{record:?} {:?}", cells(&record));
    let mut plain = feed(bytes.clone()).unwrap();
    let one: Vec<_> = plain.by_ref().map(|record| shown(record.unwrap())).collect();
    let mut parallel = feed(bytes).unwrap().in_parallel(Vec::<InputRecord<'static>>::new).unwrap();
    let many: Vec<_> = parallel.by_ref().flat_map(Result::unwrap).map(shown).collect();
    assert!(one == many, "{} records and {}", one.len(), many.len());
    assert_eq!(plain.skipped(), parallel.skipped());
    assert_eq!(plain.skipped().repeated_headers, 429);
}
