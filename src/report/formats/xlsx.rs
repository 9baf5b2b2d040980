//! Writes a report as a workbook: the columns of the CSV report with their exact values as text.
//!
//! No cell is made inert, because a spreadsheet runs formula cells, and these are texts.

use std::fmt::Debug;
use std::io::{self, Write};

use super::columns::{MoreColumns, ReportCell, cells, kept_columns};
use super::writer::ReportWriter;
use crate::domain::ReportLine;
use crate::report::workbook::book::WorkbookWriter;
use crate::report::workbook::column::{ColumnLook, SheetColumn};

/// The name of the first sheet.
const NAME: &str = "report";

#[derive(Debug)]
pub(super) struct XlsxReport<W: Write> {
    book: WorkbookWriter<W>,
    has_checks: bool,
}

impl<W: Write> XlsxReport<W> {
    pub(super) fn new(output: W, more: MoreColumns<'_>) -> io::Result<Self> {
        let own = more.own().map(|name| SheetColumn { name: name.to_owned(), look: look(name) });
        let kept = kept_columns(more.kept).into_iter().map(|name| SheetColumn { name, look: ColumnLook::Plain });
        let book = WorkbookWriter::new(output, NAME, own.chain(kept).collect())?;
        Ok(Self { book, has_checks: more.has_checks })
    }
}

impl<W: Write + Debug> ReportWriter<W> for XlsxReport<W> {
    fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        let cells: Vec<_> = cells(line, self.has_checks).collect();
        self.book.write(cells.iter().map(ReportCell::text))
    }

    fn finish(self: Box<Self>) -> io::Result<W> {
        self.book.finish()
    }
}

fn look(column: &str) -> ColumnLook {
    match column {
        "row" | "line" | "http_status" | "attempts" => ColumnLook::Narrow,
        "warning" => ColumnLook::Wide,
        "error" => ColumnLook::Error,
        _ => ColumnLook::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Receipt, Status};
    use crate::report::formats::csv::CsvReport;
    use crate::report::formats::formula::tests::PAYLOADS;
    use crate::report::workbook::book::tests::table;

    fn lines() -> Vec<ReportLine> {
        let line = |(row, payload): (u64, &str)| {
            let text = || payload.to_owned();
            let position = Position { row, line: row + 1 };
            let receipt =
                Receipt { id: Some("00123456789012345678".to_owned()), kyc_status: Some(text()), ..Receipt::default() };
            let line = ReportLine::new(position, Status::Created, "a@example.com".to_owned(), vec![text()]);
            ReportLine { receipt, error: text(), ..line }
        };
        (1..).zip(PAYLOADS).map(line).collect()
    }

    #[test]
    fn rows_and_columns_are_those_of_the_csv_report_and_values_are_exact() {
        let kept = ["=legacy".to_owned(), "status".to_owned()];
        let more = MoreColumns { has_checks: true, kept: &kept };
        let (mut xlsx, mut csv) = (
            Box::new(XlsxReport::new(Vec::new(), more).unwrap()),
            Box::new(CsvReport::new(Vec::new(), more, None).unwrap()),
        );
        for line in lines() {
            xlsx.write(&ReportLine { kept: vec![line.kept[0].clone(), "x".to_owned()], ..line.clone() }).unwrap();
            csv.write(&ReportLine { kept: vec![line.kept[0].clone(), "x".to_owned()], ..line }).unwrap();
        }
        let table = table(&xlsx.finish().unwrap(), 1);
        let csv = csv.finish().unwrap();
        let records = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_slice()).into_records();
        let records: Vec<Vec<String>> = records.map(|record| record.unwrap().iter().map(read_back).collect()).collect();
        assert_eq!(table, records);
        assert_eq!(table.len(), PAYLOADS.len() + 1);
        assert_eq!((table[1][4].as_str(), table[1][14].as_str()), ("00123456789012345678", PAYLOADS[0]));
    }

    fn read_back(cell: &str) -> String {
        crate::report::formats::formula::tests::read_back(cell).to_owned()
    }
}
