//! Writes a report as CSV. Cells that a spreadsheet could run as a formula are made inert.

use std::fmt::Debug;
use std::io::{self, Write};

use super::columns::{MoreColumns, ReportCell, cells, kept_columns};
use super::formula::inert;
use super::writer::ReportWriter;
use crate::domain::ReportLine;

#[derive(Debug)]
pub(super) struct CsvReport<W: Write> {
    writer: csv::Writer<W>,
    has_checks: bool,
}

impl<W: Write> CsvReport<W> {
    /// Begins a report: with commas for programs, or with another delimiter and a byte order mark,
    /// with which a spreadsheet opens the file by a double click.
    pub(super) fn new(mut output: W, more: MoreColumns<'_>, delimiter: Option<u8>) -> io::Result<Self> {
        if delimiter.is_some() {
            output.write_all("\u{feff}".as_bytes())?;
        }
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter.unwrap_or(b',')).from_writer(output);
        let kept = kept_columns(more.kept);
        let names = more.own().map(str::to_owned).chain(kept.iter().map(|name| inert(name).into_owned()));
        writer.write_record(names)?;
        Ok(Self { writer, has_checks: more.has_checks })
    }
}

impl<W: Write + Debug> ReportWriter<W> for CsvReport<W> {
    fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        // Field by field, because a record of texts would need a copy of each.
        for cell in cells(line, self.has_checks) {
            match cell {
                ReportCell::Own(text) => self.writer.write_field(text.as_bytes())?,
                ReportCell::Foreign(text) => self.writer.write_field(inert(text).as_bytes())?,
            }
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn finish(self: Box<Self>) -> io::Result<W> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Receipt, Status};
    use crate::report::formats::formula::tests::{PAYLOADS, read_back};

    fn line() -> ReportLine {
        let position = Position { row: 1, line: 2 };
        ReportLine::new(position, Status::Created, "a@example.com".to_owned(), vec!["L-1".to_owned()])
    }

    fn more(kept: &[String]) -> MoreColumns<'_> {
        MoreColumns { has_checks: false, kept }
    }

    fn written(line: &ReportLine) -> String {
        delimited(line, None)
    }

    fn delimited(line: &ReportLine, delimiter: Option<u8>) -> String {
        let mut report = Box::new(CsvReport::new(Vec::new(), more(&["legacy_id".to_owned()]), delimiter).unwrap());
        report.write(line).unwrap();
        String::from_utf8(report.finish().unwrap()).unwrap()
    }

    #[test]
    fn the_columns_are_the_contract_and_the_kept_ones_follow() {
        let text = written(&line());
        assert_eq!(
            text.lines().next().unwrap(),
            "row,line,status,customer_email,id,customer_id,kyc_link,tos_link,kyc_status,tos_status,created_at,\
             http_status,attempts,error_code,error,warning,legacy_id"
        );
        assert_eq!(text.lines().nth(1).unwrap(), "1,2,created,a@example.com,,,,,,,,,0,,,,L-1");
    }

    #[test]
    fn once_the_api_was_asked_a_column_says_when() {
        let mut checked = line();
        checked.update(Some("approved".to_owned()), None, "2026-11-30T02:15:03.5Z".parse().unwrap());
        let kept = ["legacy_id".to_owned()];
        let mut report =
            Box::new(CsvReport::new(Vec::new(), MoreColumns { has_checks: true, kept: &kept }, None).unwrap());
        report.write(&checked).unwrap();
        report.write(&line()).unwrap();
        let text = String::from_utf8(report.finish().unwrap()).unwrap();
        assert!(text.lines().next().unwrap().ends_with(",warning,kyc_checked_at,legacy_id"), "{text}");
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "1,2,created,a@example.com,,,,,approved,,,,0,,,,2026-11-30T02:15:03Z,L-1");
        assert_eq!(lines[1], "1,2,created,a@example.com,,,,,,,,,0,,,,,L-1");
    }

    #[test]
    fn a_named_delimiter_comes_with_a_byte_order_mark() {
        let text = delimited(&ReportLine { kept: vec!["L;1".to_owned()], ..line() }, Some(b';'));
        assert!(text.starts_with("\u{feff}row;line;status;"), "{text}");
        assert!(text.ends_with("1;2;created;a@example.com;;;;;;;;;0;;;;\"L;1\"\n"), "{text}");
        let comma = delimited(&line(), Some(b','));
        assert!(comma.strip_prefix('\u{feff}').is_some_and(|rest| rest == written(&line())), "{comma}");
    }

    #[test]
    fn a_link_is_carried_byte_for_byte() {
        let link = "https://x.example/verify?fields[a]=1&redirect-uri=https%3A%2F%2Fy";
        let receipt = Receipt { kyc_link: Some(link.to_owned()), ..Receipt::default() };
        assert!(written(&ReportLine { receipt, ..line() }).contains(&format!(",{link},")));
    }

    #[test]
    fn whatever_somebody_else_chose_is_no_formula_and_can_be_read_back() {
        for payload in PAYLOADS {
            let some = || Some(payload.to_owned());
            let receipt = Receipt {
                id: some(),
                customer_id: some(),
                kyc_link: some(),
                tos_link: some(),
                kyc_status: some(),
                tos_status: some(),
                created_at: some(),
                ..Receipt::default()
            };
            let (error, warning, kept) = (payload.to_owned(), payload.to_owned(), vec![payload.to_owned()]);
            let text = written(&ReportLine { receipt, error, warning, kept, ..line() });
            let cells = csv::Reader::from_reader(text.as_bytes()).records().next().unwrap().unwrap();
            for cell in [4, 5, 6, 7, 8, 9, 10, 14, 15, 16].map(|column| &cells[column]) {
                assert_eq!((cell, read_back(cell)), (format!("'{payload}").as_str(), payload));
            }
        }
    }

    #[test]
    fn emails_are_never_touched() {
        assert!(written(&ReportLine { email: "+a@example.com".to_owned(), ..line() }).contains(",+a@example.com,"));
    }
}
