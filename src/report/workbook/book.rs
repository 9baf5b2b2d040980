//! A workbook that is written row by row.

use std::io::{self, Write};

use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::column::SheetColumn;
use super::latch::Latch;
use super::parts;

/// When the next sheet begins.
#[derive(Clone, Copy, Debug)]
struct SheetLimit {
    rows: u32,
    bytes: u64,
}

impl SheetLimit {
    /// The rows of Excel, and less than the 4 GiB that every reader of an archive can read.
    const EXCEL: Self = Self { rows: 1_048_576, bytes: 3 << 30 };
}

/// A workbook whose sheets all have the same columns. If a sheet is full, the rows continue on the
/// next one, which has the header again.
pub(in crate::report) struct WorkbookWriter<W: Write> {
    archive: ZipWriter<StreamWriter<Latch<W>>>,
    name: &'static str,
    columns: Vec<SheetColumn>,
    /// Names of the columns, and of one more.
    letters: Vec<String>,
    limit: SheetLimit,
    /// The rows of the sheets, headers included. The last sheet is under way.
    rows: Vec<u32>,
    /// The bytes of the last sheet.
    bytes: u64,
    xml: String,
}

impl<W: Write> std::fmt::Debug for WorkbookWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkbookWriter").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write> WorkbookWriter<W> {
    /// Begins a workbook whose first sheet has this name.
    pub(in crate::report) fn new(output: W, name: &'static str, columns: Vec<SheetColumn>) -> io::Result<Self> {
        Self::limited(output, name, columns, SheetLimit::EXCEL)
    }

    fn limited(output: W, name: &'static str, columns: Vec<SheetColumn>, limit: SheetLimit) -> io::Result<Self> {
        let archive = ZipWriter::new_stream(Latch::new(output));
        let letters = Vec::new();
        let mut book = Self { archive, name, columns, letters, limit, rows: Vec::new(), bytes: 0, xml: String::new() };
        // First, because programs that guess a type look at the first name in the archive.
        book.part("_rels/.rels", &parts::package_relations())?;
        book.begin_sheet()?;
        Ok(book)
    }

    /// Writes a row. Cells after the last column have no header and the look of an error.
    pub(in crate::report) fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let (rows, bytes) = (self.last_row(), self.bytes);
        if rows >= self.limit.rows || bytes >= self.limit.bytes {
            self.end_sheet()?;
            self.begin_sheet()?;
        }
        let styles = self.columns.iter().map(parts::style).chain(std::iter::repeat(parts::ERROR));
        let cells: Vec<_> = cells.zip(styles).collect();
        self.row(&cells)
    }

    /// Returns the output, with everything written.
    pub(in crate::report) fn finish(mut self) -> io::Result<W> {
        self.end_sheet()?;
        let (columns, sheets) = (self.columns.len(), self.rows.len());
        self.part("xl/workbook.xml", &parts::workbook(self.name, columns, &self.rows))?;
        self.part("xl/_rels/workbook.xml.rels", &parts::workbook_relations(sheets))?;
        self.part("xl/styles.xml", &parts::styles())?;
        self.part("[Content_Types].xml", &parts::content_types(sheets))?;
        Ok(self.archive.finish().map_err(without_frame)?.into_inner().into_inner())
    }

    fn last_row(&self) -> u32 {
        self.rows.last().copied().unwrap_or_default()
    }

    fn part(&mut self, path: &str, xml: &str) -> io::Result<()> {
        self.start(path)?;
        self.archive.write_all(xml.as_bytes())
    }

    fn start(&mut self, path: &str) -> io::Result<()> {
        // Without a time, so that a report made again is the same file.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.archive.start_file(path, options.compression_level(Some(LEVEL))).map_err(without_frame)
    }

    fn begin_sheet(&mut self) -> io::Result<()> {
        self.rows.push(0);
        self.bytes = 0;
        self.start(&parts::sheet_path(self.rows.len()))?;
        let start = parts::sheet_start(&self.columns, self.rows.len() == 1);
        self.archive.write_all(start.as_bytes())?;
        let names: Vec<_> = self.columns.iter().map(|column| column.name.clone()).collect();
        let header: Vec<_> = names.iter().map(|name| (name.as_str(), parts::HEADER)).collect();
        self.row(&header)
    }

    fn row(&mut self, cells: &[(&str, u8)]) -> io::Result<()> {
        for column in self.letters.len()..cells.len() {
            self.letters.push(parts::letters(column));
        }
        let row = self.last_row() + 1;
        self.xml.clear();
        parts::push_row(&mut self.xml, row, cells.iter().copied(), &self.letters);
        self.archive.write_all(self.xml.as_bytes())?;
        self.bytes += self.xml.len() as u64;
        if let Some(rows) = self.rows.last_mut() {
            *rows = row;
        }
        Ok(())
    }

    fn end_sheet(&mut self) -> io::Result<()> {
        let end = parts::sheet_end(self.columns.len(), self.last_row());
        self.archive.write_all(end.as_bytes())
    }
}

/// Returns the error of the file, without that of the archive around it.
fn without_frame(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => other.into(),
    }
}

/// How hard to compress: less than the default of 6, because time counts more here than size.
const LEVEL: i64 = 3;

#[cfg(test)]
pub(in crate::report) mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;
    use crate::report::workbook::column::ColumnLook;
    use crate::report::workbook::text::tests::unescaped;

    fn columns(names: &[&str]) -> Vec<SheetColumn> {
        let look = |name: &str| if name == "error" { ColumnLook::Error } else { ColumnLook::Plain };
        names.iter().map(|name| SheetColumn { name: (*name).to_owned(), look: look(name) }).collect()
    }

    fn part(file: &[u8], path: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
        let mut text = String::new();
        archive.by_name(path).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// The cells of a sheet by their references, as a spreadsheet reads them.
    pub(in crate::report) fn cells(file: &[u8], sheet: usize) -> Vec<(String, String)> {
        let xml = part(file, &parts::sheet_path(sheet));
        let cell = |text: &str| {
            let (reference, rest) = text.split_once('"').unwrap();
            assert!(rest.contains("t=\"inlineStr\""), "a cell that is no string: {text}");
            let (_, value) = rest.split_once("preserve\">").unwrap();
            (reference.to_owned(), unescaped(value.split_once("</t>").unwrap().0))
        };
        xml.split("<c r=\"").skip(1).map(cell).collect()
    }

    /// A sheet as lists of cells, the missing ones empty.
    pub(in crate::report) fn table(file: &[u8], sheet: usize) -> Vec<Vec<String>> {
        let mut table: Vec<Vec<String>> = Vec::new();
        for (reference, text) in cells(file, sheet) {
            let digits = reference.find(|c: char| c.is_ascii_digit()).unwrap();
            let (column, row) = (&reference[..digits], reference[digits..].parse::<usize>().unwrap());
            let column = (0..).find(|index| parts::letters(*index) == column).unwrap();
            table.resize_with(table.len().max(row), Vec::new);
            let cells = &mut table[row - 1];
            cells.resize(column, String::new());
            cells.push(text);
        }
        table
    }

    #[test]
    fn every_cell_is_a_text_and_nothing_is_a_formula_or_a_link() {
        let mut book = WorkbookWriter::new(Vec::new(), "report", columns(&["id", "error"])).unwrap();
        book.write(["=1+1", "https://example.com"].into_iter()).unwrap();
        book.write(["00123456789012345678", ""].into_iter()).unwrap();
        let file = book.finish().unwrap();
        assert_eq!(
            table(&file, 1),
            [vec!["id", "error"], vec!["=1+1", "https://example.com"], vec!["00123456789012345678"]]
        );
        let sheet = part(&file, "xl/worksheets/sheet1.xml");
        assert!(!sheet.contains("<f") && !sheet.contains("<v") && !sheet.contains("hyperlink"), "{sheet}");
        assert!(sheet.contains("state=\"frozen\"") && sheet.contains("<autoFilter ref=\"A1:B3\"/>"), "{sheet}");
        assert!(sheet.contains("<c r=\"B2\" s=\"3\""), "the error is marked: {sheet}");
        let styles = part(&file, "xl/styles.xml");
        assert_eq!(styles.matches("numFmtId=\"49\"").count(), 3, "{styles}");
    }

    #[test]
    fn rows_go_on_on_further_sheets_with_the_header_again() {
        for limit in [SheetLimit { rows: 3, bytes: u64::MAX }, SheetLimit { rows: u32::MAX, bytes: 250 }] {
            let mut book = WorkbookWriter::limited(Vec::new(), "report", columns(&["n"]), limit).unwrap();
            for n in 0..5 {
                book.write([n.to_string().as_str()].into_iter()).unwrap();
            }
            let file = book.finish().unwrap();
            assert_eq!(table(&file, 1), [["n"], ["0"], ["1"]], "{limit:?}");
            assert_eq!(table(&file, 2), [["n"], ["2"], ["3"]]);
            assert_eq!(table(&file, 3), [["n"], ["4"]]);
            let names = part(&file, "xl/workbook.xml");
            assert!(
                names.contains("name=\"report 3\" sheetId=\"3\"") && names.contains("'report 2'!$A$1:$A$3"),
                "{names}"
            );
        }
    }

    #[test]
    fn the_same_rows_make_the_same_file() {
        let file = || {
            let mut book = WorkbookWriter::new(Vec::new(), "report", columns(&["n"])).unwrap();
            book.write(["a"].into_iter()).unwrap();
            book.finish().unwrap()
        };
        assert_eq!(file(), file());
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_a_panic() {
        struct Small(usize);
        impl Write for Small {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for room in [0, 100, 600, 1000, 2000, 3000] {
            let written = || -> io::Result<()> {
                let mut book = WorkbookWriter::new(Small(room), "report", columns(&["n"]))?;
                for n in 0..1000_u32 {
                    book.write([n.wrapping_mul(2_654_435_761).to_string().as_str()].into_iter())?;
                }
                book.finish().map(drop)
            };
            assert_eq!(written().unwrap_err().kind(), io::ErrorKind::StorageFull, "{room}");
        }
    }
}
