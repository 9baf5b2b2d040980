//! A report that becomes a page.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;

use super::facts::PageFacts;
use super::page::{self, PageCounts};
use super::rows::{PageColumns, PageRows};
use crate::domain::{KnownBad, ReportLine, Status};
use crate::report::formats::writer::ReportWriter;

/// Keeps what the page shows, in bounded memory, and writes it at the end.
#[derive(Debug)]
pub(in crate::report::formats) struct HtmlReport<W> {
    output: W,
    facts: Arc<PageFacts>,
    counts: PageCounts,
    rows: PageRows,
}

impl<W: Write> HtmlReport<W> {
    pub(in crate::report::formats) fn new(output: W, facts: Arc<PageFacts>, columns: PageColumns) -> Self {
        Self { output, facts, counts: PageCounts::default(), rows: PageRows::new(columns) }
    }
}

impl<W: Write + Debug> ReportWriter<W> for HtmlReport<W> {
    fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        self.counts.tally.add(line.status);
        if line.status == Status::Created {
            self.counts.mails.add(line.send_kyc_mail);
        }
        self.counts.problems.add(line);
        self.counts.kyc.add(line);
        self.rows.add(line).map_err(io::Error::other)
    }

    fn note_known_bad(&mut self, known_bad: KnownBad) {
        self.counts.known_bad = known_bad.total();
    }

    fn finish(mut self: Box<Self>) -> io::Result<W> {
        let page = page::render(&self.facts, &self.counts, &self.rows, Timestamp::now()).map_err(io::Error::other)?;
        self.output.write_all(page.as_bytes())?;
        Ok(self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, Violation};
    use crate::report::formats::html::bounds::tests::line;

    /// What a page may have at most.
    const MOST_BYTES: usize = 3_000_000;

    fn page(facts: PageFacts, lines: impl IntoIterator<Item = ReportLine>) -> String {
        let mut report = Box::new(HtmlReport::new(Vec::new(), Arc::new(facts), PageColumns::default()));
        for line in lines {
            report.write(&line).unwrap();
        }
        String::from_utf8(report.finish().unwrap()).unwrap()
    }

    #[test]
    fn a_page_without_a_run_and_without_records_is_a_whole_page() {
        let text = page(PageFacts::default(), []);
        assert!(text.starts_with("<!DOCTYPE html>") && text.trim_end().ends_with("</html>"), "{text}");
        assert!(text.contains("Checked: 0 records, nothing wrong. Nothing was sent."), "{text}");
    }

    #[test]
    fn texts_that_escape_to_many_bytes_do_not_make_the_page_larger_than_3_mb() {
        let long = "\"<&".repeat(500);
        let lines = (0..20_000).map(|row| {
            let problem = Violation::new(Code::CountryUnknown, format!("{row}{long}"), long.clone(), long.clone());
            ReportLine {
                name: Some(long.clone().into()),
                email: long.clone(),
                problems: vec![problem],
                ..line(row, Status::Invalid, &long)
            }
        });
        let text = page(PageFacts { input: long.clone(), ..PageFacts::default() }, lines);
        assert!(text.len() < MOST_BYTES, "{} bytes", text.len());
        assert!(text.contains("are in the CSV report"), "the rest is named");
    }
}
