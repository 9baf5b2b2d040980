//! Rejects of CSV as a workbook: the columns of the input and `error`, every cell a text.
//!
//! A sheet has no rows of the wrong length, and a cell cannot hold every text. If a record cannot
//! be shown as it was, its row gets one more cell, after all columns. So it stays invalid until the
//! user corrects it and deletes that cell.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::writer::{ERROR, RejectsWriter, SURPLUS, is_error, table_cells};
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::RawRecord;
use crate::report::workbook::book::WorkbookWriter;
use crate::report::workbook::column::{ColumnLook, SheetColumn};
use crate::report::workbook::text;

/// The name of the first sheet.
pub(super) const NAME: &str = "rejects";

#[derive(Debug)]
pub(super) struct TableSheet {
    book: WorkbookWriter<AtomicFile>,
    /// The columns of the input.
    columns: usize,
    /// The index of the column `error`: the input's own, or one after its columns.
    error: usize,
}

impl TableSheet {
    pub(super) fn create(path: &Path, header: &[Vec<u8>]) -> io::Result<Self> {
        let own = header.iter().position(|name| is_error(name));
        let error = own.unwrap_or(header.len());
        let mut names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        names.resize(names.len().max(error + 1), String::new());
        ERROR.clone_into(&mut names[error]);
        let look = |index| if index == error { ColumnLook::Error } else { ColumnLook::Plain };
        let columns = names.into_iter().enumerate().map(|(index, name)| SheetColumn { name, look: look(index) });
        let book = WorkbookWriter::new(AtomicFile::create(path)?, NAME, columns.collect())?;
        Ok(Self { book, columns: header.len(), error })
    }

    /// Returns the cells of a row. `is_as_meant` is false if they are not what their writer meant.
    fn row<'a>(&self, cells: &'a [Vec<u8>], is_as_meant: bool, error: &'a str) -> Vec<Cow<'a, str>> {
        let width = self.columns.max(self.error + 1);
        let is_exact = |cell: &Vec<u8>| std::str::from_utf8(cell).is_ok_and(text::fits);
        let is_whole = is_as_meant && cells.len() == self.columns && cells.iter().all(is_exact);
        let mut row: Vec<_> = cells.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
        // More cells than the sheet has columns: the error after them keeps the row too long.
        let place = if cells.len() > self.columns { row.len().max(width) } else { self.error };
        row.resize(row.len().max(place + 1).max(width), Cow::Borrowed(""));
        row[place] = Cow::Borrowed(error);
        if !is_whole {
            row.push(Cow::Borrowed(SURPLUS));
        }
        row
    }
}

impl RejectsWriter for TableSheet {
    fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        let (cells, is_as_meant) = table_cells(record)?;
        let row = self.row(cells, is_as_meant, error);
        self.book.write(row.iter().map(AsRef::as_ref))
    }

    fn finish(self: Box<Self>) -> io::Result<WholeFile> {
        self.book.finish()?.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::formats::formula::tests::PAYLOADS;
    use crate::report::workbook::book::tests::table;

    fn cells(values: &[&str]) -> Vec<Vec<u8>> {
        values.iter().map(|value| value.as_bytes().to_vec()).collect()
    }

    fn sheet(header: &[&str], records: &[Vec<Vec<u8>>]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.xlsx");
        let mut rejects = Box::new(TableSheet::create(&path, &cells(header)).unwrap());
        for record in records {
            rejects.write(&RawRecord::Cells(record.clone()), "bad").unwrap();
        }
        rejects.finish().unwrap().put_in_place().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        table(&std::fs::read(path).unwrap(), 1)
    }

    #[test]
    fn cells_are_as_they_were_read_and_the_error_is_after_them() {
        let records = PAYLOADS.map(|payload| cells(&[payload, "+4917612345001", " x\ny "]));
        let found = sheet(&["name", "phone", "note"], &records);
        assert_eq!(found[0], ["name", "phone", "note", "error"]);
        for (row, payload) in found[1..].iter().zip(PAYLOADS) {
            assert_eq!(row, &[payload, "+4917612345001", " x\ny ", "bad"]);
        }
    }

    #[test]
    fn an_error_column_of_the_input_is_replaced_where_it_stands() {
        assert_eq!(sheet(&["Error", "name"], &[cells(&["old", "a"])]), [vec!["error", "name"], vec!["bad", "a"]]);
    }

    #[test]
    fn a_row_that_was_not_corrected_is_the_same_in_the_next_round() {
        let first = sheet(&["a", "b", "note"], &[cells(&["x", "y"])]);
        assert_eq!(first[1], ["x", "y", "", "bad", SURPLUS]);
        let read: Vec<_> = first[1].iter().map(|cell| cell.as_bytes().to_vec()).collect();
        assert_eq!(sheet(&["a", "b", "note", "error"], &[read])[1], first[1]);
    }

    #[test]
    fn a_record_that_cannot_be_shown_as_it_was_has_more_cells_than_the_header() {
        for header in [&["a", "b", "c"][..], &["a", "b", "error"], &["error", "b", "c"]] {
            let ragged = (0..7).filter(|count| *count != 3).map(|count| vec![b"x".to_vec(); count]);
            let long = cells(&["x", "x", &"x".repeat(40_000)]);
            let broken = vec![b"x".to_vec(), b"J\xe4ger".to_vec(), b"x".to_vec()];
            for record in ragged.chain([long, broken]) {
                let found = sheet(header, &[record]);
                let (columns, row) = (found[0].len(), &found[1]);
                assert!(row.len() > columns && row.iter().any(|cell| cell == "bad"), "{header:?}: {row:?}");
                assert!(row.ends_with(&[SURPLUS.to_owned()]));
            }
        }
    }
}
