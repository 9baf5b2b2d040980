//! Rejects of CSV: the header, order and delimiter of the input, and the column `error`; if the
//! input has a column of that name, that one.
//!
//! The file is in UTF-8. It begins with a byte order mark in two cases. If the input was in another
//! encoding: the mark takes precedence over `--encoding`, so the same command line imports the
//! corrected file. If it has other text than ASCII: a spreadsheet needs the mark to read it. Bytes
//! that were not text stay as the reader marked them. A file with such bytes gets no mark for the
//! second reason, because `--encoding` may be what corrects it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error_cell::ErrorCell;
use super::writer::{ERROR, RejectsWriter, SURPLUS, table_cells};
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::RawRecord;
use crate::report::formats::formula::inert;

const MARK: &[u8] = "\u{feff}".as_bytes();

#[derive(Debug)]
pub(super) struct CsvRejects {
    writer: Box<csv::Writer<AtomicFile>>,
    place: ErrorCell,
    path: PathBuf,
    is_marked: bool,
    kind: TextKind,
}

/// What the cells so far are. Each kind includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TextKind {
    Ascii,
    Utf8,
    Bytes,
}

impl TextKind {
    fn of(cells: &[Vec<u8>]) -> Self {
        let kind = |cell: &Vec<u8>| match std::str::from_utf8(cell) {
            Ok(text) if text.is_ascii() => Self::Ascii,
            Ok(_) => Self::Utf8,
            Err(_) => Self::Bytes,
        };
        cells.iter().map(kind).max().unwrap_or(Self::Ascii)
    }
}

impl CsvRejects {
    pub(super) fn create(path: &Path, delimiter: u8, header: &[Vec<u8>], byte_order_mark: bool) -> io::Result<Self> {
        let mut file = AtomicFile::create(path)?;
        if byte_order_mark {
            file.write_all(MARK)?;
        }
        let writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(file);
        let place = ErrorCell::in_header(header);
        let (path, kind) = (path.to_owned(), TextKind::Ascii);
        let mut rejects = Self { writer: Box::new(writer), place, path, is_marked: byte_order_mark, kind };
        rejects.write_cells(&place.put(header, ERROR))?;
        Ok(rejects)
    }

    fn write_cells(&mut self, cells: &[Vec<u8>]) -> io::Result<()> {
        self.kind = self.kind.max(TextKind::of(cells));
        Ok(self.writer.write_record(cells)?)
    }
}

impl RejectsWriter for CsvRejects {
    fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        let (cells, is_as_meant) = table_cells(record)?;
        let mut row = self.place.put(cells, &inert(error));
        if !is_as_meant {
            // In a record that lacks cells it would make their number right.
            row.resize(row.len().max(self.place.width()), Vec::new());
            row.push(SURPLUS.into());
        }
        self.write_cells(&row)
    }

    fn finish(self: Box<Self>) -> io::Result<WholeFile> {
        let file = self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        if self.is_marked || self.kind != TextKind::Utf8 { file.finish() } else { marked(&self.path, file) }
    }
}

/// Returns a copy of the file with a byte order mark. Whether it needs one is known only at its
/// end.
fn marked(path: &Path, file: AtomicFile) -> io::Result<WholeFile> {
    let mut copy = AtomicFile::create(path)?;
    copy.write_all(MARK)?;
    io::copy(&mut file.into_reader()?, &mut copy)?;
    copy.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::formats::formula::tests::PAYLOADS;

    fn cells(values: &[&str]) -> Vec<Vec<u8>> {
        values.iter().map(|value| value.as_bytes().to_vec()).collect()
    }

    fn csv_of(header: &[&str], records: &[&[&str]], delimiter: u8) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.csv");
        let mut rejects = Box::new(CsvRejects::create(&path, delimiter, &cells(header), false).unwrap());
        for record in records {
            rejects.write(&RawRecord::Cells(cells(record)), "bad").unwrap();
        }
        rejects.finish().unwrap().put_in_place().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn cells_come_back_in_the_inputs_own_form_with_the_complaint_at_the_end() {
        let text = csv_of(&["name", "mail"], &[&["a;b", " x\ny "], &["\"q\"", ""]], b';');
        assert_eq!(text, "name;mail;error\n\"a;b\";\" x\ny \";bad\n\"\"\"q\"\"\";;bad\n");
    }

    #[test]
    fn a_complaint_is_no_formula_and_the_cells_are_as_they_were_read() {
        for payload in PAYLOADS {
            for header in [&["name", "mail"][..], &["name", "error"]] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("rejects.csv");
                let mut rejects = Box::new(CsvRejects::create(&path, b',', &cells(header), false).unwrap());
                rejects.write(&RawRecord::Cells(cells(&[payload, "x"])), payload).unwrap();
                rejects.finish().unwrap().put_in_place().unwrap();
                let record = csv::Reader::from_path(&path).unwrap().records().next().unwrap().unwrap();
                assert_eq!(&record[0], payload);
                assert_eq!(record[record.len() - 1], format!("'{payload}"));
            }
        }
    }

    #[test]
    fn an_error_column_of_the_input_is_replaced_where_it_stands() {
        let text = csv_of(&["Error", "name"], &[&["old", "a"]], b',');
        assert_eq!(text, "error,name\nbad,a\n");
    }

    #[test]
    fn a_misread_record_never_gets_the_right_number_of_cells() {
        for header in [&["a", "b", "c"][..], &["a", "b", "error"], &["error", "b", "c"], &["a", "error", "c"]] {
            for count in 1..7 {
                let (mut header, mut record) = (cells(header), RawRecord::Misread(cells(&vec!["x"; count])));
                for round in 0..4 {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("rejects.csv");
                    let mut rejects = Box::new(CsvRejects::create(&path, b',', &header, false).unwrap());
                    rejects.write(&record, "bad").unwrap();
                    rejects.finish().unwrap().put_in_place().unwrap();
                    let rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(&path).unwrap();
                    let rows: Vec<_> = rows.into_byte_records().map(Result::unwrap).collect();
                    assert!(rows[1].len() > rows[0].len(), "{header:?}, {count} cells, round {round}");
                    header = rows[0].iter().map(<[u8]>::to_vec).collect();
                    record = RawRecord::Cells(rows[1].iter().map(<[u8]>::to_vec).collect());
                }
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_there_if_the_text_is_not_plain_ascii() {
        assert!(!csv_of(&["name"], &[&["Jaeger"]], b',').starts_with('\u{feff}'));
        assert_eq!(csv_of(&["name"], &[&["a"], &["Jäger"]], b','), "\u{feff}name,error\na,bad\nJäger,bad\n");
        assert_eq!(csv_of(&["Größe"], &[], b';'), "\u{feff}Größe;error\n");
    }

    #[test]
    fn bytes_that_are_not_text_keep_the_file_without_a_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.csv");
        let mut rejects = Box::new(CsvRejects::create(&path, b',', &cells(&["name"]), false).unwrap());
        for name in [&b"J\xe4ger"[..], "Jäger".as_bytes()] {
            rejects.write(&RawRecord::Cells(vec![name.to_vec()]), "bad").unwrap();
        }
        rejects.finish().unwrap().put_in_place().unwrap();
        assert!(std::fs::read(path).unwrap().starts_with(b"name,error\nJ\xe4ger,bad\n"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
