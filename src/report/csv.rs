//! The report as CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{COLUMNS, kept_columns};
use crate::domain::ReportLine;

#[derive(Debug)]
pub(super) struct CsvReport<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> CsvReport<W> {
    pub(super) fn new(output: W, kept: &[String]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        let kept = kept_columns(kept);
        let names = COLUMNS.into_iter().map(str::to_owned).chain(kept.iter().map(|name| inert(name).into_owned()));
        writer.write_record(names)?;
        Ok(Self { writer })
    }

    pub(super) fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
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

    pub(super) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// A cell that a spreadsheet would run as a formula, made plain text by an apostrophe. Numbers and phone numbers are no formulas.
fn inert(cell: &str) -> Cow<'_, str> {
    let starts_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if starts_formula && !is_number(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['+', '-']);
    cell.len() - digits.len() <= 1
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ". ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Receipt, Status};

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
    fn formulas_are_defused_and_numbers_left_alone() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("+4917612345678", "+4917612345678"),
            ("-5.20", "-5.20"),
            ("--5", "'--5"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(inert(cell), expected);
        }
    }

    #[test]
    fn emails_and_ids_are_never_touched() {
        let receipt = Receipt { id: Some("=id".to_owned()), ..Receipt::default() };
        let text =
            written(&ReportLine { email: "+a@example.com".to_owned(), receipt, error: "=x".to_owned(), ..line() });
        assert!(text.contains(",+a@example.com,=id,"), "{text}");
        assert!(text.contains(",'=x,"));
    }
}
