//! Rejects of NDJSON as a workbook: a column for each name, every value a text.
//!
//! The names are known only at the end, because each object can have others. Until then the records
//! wait in a temporary file beside the workbook, as private as the workbook itself.

use std::collections::HashMap;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::flatten::flatten;
use super::table_sheet::NAME;
use super::writer::{ERROR, RejectsWriter, other_form};
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::RawRecord;
use crate::report::workbook::book::WorkbookWriter;
use crate::report::workbook::column::{ColumnLook, SheetColumn};
use crate::report::workbook::text;

/// The column with the whole line of a record that does not fit into the other columns.
const LINE: &str = "input";

/// The most columns for names; an import reads no more than 1,024. Records with further names are
/// kept as a line.
const MOST_NAMES: usize = 1000;

#[derive(Debug)]
pub(super) struct ObjectSheet {
    path: PathBuf,
    waiting: AtomicFile,
    names: SheetNames,
}

impl ObjectSheet {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), waiting: AtomicFile::create(path)?, names: SheetNames::default() })
    }
}

impl RejectsWriter for ObjectSheet {
    fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        let RawRecord::Line(line) = record else { return Err(other_form()) };
        self.names.add(line);
        for text in [line.as_slice(), error.as_bytes()] {
            self.waiting.write_all(&(text.len() as u64).to_le_bytes())?;
            self.waiting.write_all(text)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<WholeFile> {
        let Self { path, waiting, names } = *self;
        let mut book = WorkbookWriter::new(AtomicFile::create(&path)?, NAME, names.columns())?;
        let mut waiting = waiting.into_reader()?;
        while let Some(line) = next(&mut waiting)? {
            let error = next(&mut waiting)?.unwrap_or_default();
            let row = names.row(&line, String::from_utf8_lossy(&error).into_owned());
            book.write(row.iter().map(String::as_str))?;
        }
        book.finish()?.finish()
    }
}

/// The columns of a sheet with objects.
#[derive(Debug, Default)]
struct SheetNames {
    columns: HashMap<String, usize>,
    /// Whether a record is kept as a line.
    has_lines: bool,
}

impl SheetNames {
    fn add(&mut self, line: &[u8]) {
        let cells = fitting(line).unwrap_or_default();
        let is_new = |name: &String| !self.columns.contains_key(name);
        let new: Vec<_> = cells.into_iter().map(|(name, _)| name).filter(is_new).collect();
        if self.columns.len() + new.len() <= MOST_NAMES {
            for name in new {
                self.columns.insert(name, self.columns.len());
            }
        }
        self.has_lines |= self.cells(line).is_none();
    }

    /// Returns the cells of a record by column, or `None` if only a line can hold it.
    fn cells(&self, line: &[u8]) -> Option<Vec<(usize, String)>> {
        fitting(line)?.into_iter().map(|(name, text)| Some((*self.columns.get(&name)?, text))).collect()
    }

    fn row(&self, line: &[u8], error: String) -> Vec<String> {
        let mut row = vec![String::new(); self.columns.len() + usize::from(self.has_lines)];
        match self.cells(line) {
            Some(cells) => cells.into_iter().for_each(|(column, text)| row[column] = text),
            None => row[self.columns.len()] = String::from_utf8_lossy(line).into_owned(),
        }
        row.push(error);
        row
    }

    fn columns(&self) -> Vec<SheetColumn> {
        let mut names = vec![""; self.columns.len()];
        for (name, column) in &self.columns {
            names[*column] = name;
        }
        let column = |name: &str, look| SheetColumn { name: name.to_owned(), look };
        let names = names.into_iter().map(|name| column(name, ColumnLook::Plain));
        let line = self.has_lines.then(|| column(LINE, ColumnLook::Wide));
        names.chain(line).chain([column(ERROR, ColumnLook::Error)]).collect()
    }
}

/// Returns the values of an object by name, or `None` if it has none or cells cannot hold them all.
fn fitting(line: &[u8]) -> Option<Vec<(String, String)>> {
    flatten(line).filter(|cells| !cells.is_empty() && cells.iter().all(|(_, value)| text::fits(value)))
}

/// Returns the next text, or `None` at the end.
fn next(waiting: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match waiting.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u64::from_le_bytes(length);
    let mut text = Vec::new();
    waiting.take(length).read_to_end(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::workbook::book::tests::table;

    fn sheet(lines: &[&str]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.xlsx");
        let mut rejects = Box::new(ObjectSheet::create(&path).unwrap());
        for line in lines {
            rejects.write(&RawRecord::Line(line.as_bytes().to_vec()), "bad").unwrap();
        }
        rejects.finish().unwrap().put_in_place().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        table(&std::fs::read(path).unwrap(), 1)
    }

    #[test]
    fn every_name_of_every_object_has_a_column() {
        let found = sheet(&[r#"{"name":"A","n":1.50}"#, r#"{"name":"=B","more":{"x":"007"},"error":"old"}"#]);
        assert_eq!(
            found,
            [vec!["name", "n", "more.x", "error"], vec!["A", "1.50", "", "bad"], vec!["=B", "", "007", "bad"]]
        );
        assert_eq!(sheet(&[]), [["error"]]);
    }

    #[test]
    fn what_does_not_fit_is_kept_as_a_line_and_feeds_no_field() {
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(32_768));
        let many = format!("{{{}}}", (0..1001).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
        for line in ["[1", r#"{"name":"A","name":"B"}"#, "{}", &many] {
            let found = sheet(&[r#"{"name":"A"}"#, line]);
            assert_eq!(found, [vec!["name", "input", "error"], vec!["A", "", "bad"], vec!["", line, "bad"]]);
        }
        let found = sheet(&[r#"{"name":"A"}"#, &long]);
        assert_eq!((found[2][0].as_str(), &found[2][1][..10]), ("", &long[..10]));
    }
}
