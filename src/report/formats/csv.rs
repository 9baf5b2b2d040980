//! Writes a report as CSV. Cells that a spreadsheet could run as a formula are made inert.

use std::io::{self, Write};

use super::columns::{COLUMNS, kept_columns};
use super::formula::inert;
use crate::domain::ReportLine;

#[derive(Debug)]
pub(crate) struct CsvReport<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> CsvReport<W> {
    pub(crate) fn new(output: W, kept: &[String]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        let kept = kept_columns(kept);
        let names = COLUMNS.into_iter().map(str::to_owned).chain(kept.iter().map(|name| inert(name).into_owned()));
        writer.write_record(names)?;
        Ok(Self { writer })
    }

    pub(crate) fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        let text = |value: &Option<String>| inert(value.as_deref().unwrap_or_default()).into_owned();
        let receipt = &line.receipt;
        let own = [
            line.position.row.to_string(),
            line.position.line.to_string(),
            line.status.to_string(),
            line.email.clone(),
            text(&receipt.id),
            text(&receipt.customer_id),
            text(&receipt.kyc_link),
            text(&receipt.tos_link),
            text(&receipt.kyc_status),
            text(&receipt.tos_status),
            text(&receipt.created_at),
            line.http_status.map(|status| status.to_string()).unwrap_or_default(),
            line.attempts.to_string(),
            line.error_code.clone(),
            inert(&line.error).into_owned(),
            inert(&line.warning).into_owned(),
        ];
        let kept = line.kept.iter().map(|value| inert(value).into_owned());
        self.writer.write_record(own.into_iter().chain(kept))?;
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<W> {
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

    fn written(line: &ReportLine) -> String {
        let mut report = CsvReport::new(Vec::new(), &["legacy_id".to_owned()]).unwrap();
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
