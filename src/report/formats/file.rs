//! A report file in the format that its name asks for.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::columns::MoreColumns;
use super::csv::CsvReport;
use super::format::ReportFormat;
use super::html::facts::PageFacts;
use super::html::rows::PageColumns;
use super::html::writer::HtmlReport;
use super::ndjson::NdjsonReport;
use super::writer::ReportWriter;
use super::xlsx::XlsxReport;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::{KnownBad, ReportLine};

/// How the user wants the reports.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// The delimiter of CSV reports for a spreadsheet. With `None` they are for programs.
    pub delimiter: Option<u8>,
    /// Whether pages show the links of customers.
    pub include_links: bool,
    /// Whether the API was ever asked for KYC statuses, so that the reports say when.
    pub has_checks: bool,
    /// What pages say beside the lines.
    pub facts: Arc<PageFacts>,
}

/// A report that is written beside its path and replaces the file there only when the caller puts
/// the finished file in place. A crash never leaves half a report.
#[derive(Debug)]
pub struct ReportFile(Box<dyn ReportWriter<AtomicFile>>);

impl ReportFile {
    /// Creates a report beside `path`, with the names of the kept columns.
    ///
    /// # Errors
    /// If the path has an unknown ending, or the file cannot be created or written.
    pub fn create(path: &Path, kept: &[String], options: &ReportOptions) -> io::Result<Self> {
        let format = ReportFormat::of(path).map_err(io::Error::other)?;
        let file = AtomicFile::create(path)?;
        let more = MoreColumns { has_checks: options.has_checks, kept };
        let columns = PageColumns { links: options.include_links, checks: options.has_checks };
        Ok(Self(match format {
            ReportFormat::Csv => Box::new(CsvReport::new(file, more, options.delimiter)?),
            ReportFormat::Html => Box::new(HtmlReport::new(file, Arc::clone(&options.facts), columns)),
            ReportFormat::Ndjson => Box::new(NdjsonReport::new(file, more)),
            ReportFormat::Xlsx => Box::new(XlsxReport::new(file, more)?),
        }))
    }

    /// Writes one line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        self.0.write(line)
    }

    /// Takes note of the records that a completed run before had reported as bad, before the end.
    pub fn note_known_bad(&mut self, known_bad: KnownBad) {
        self.0.note_known_bad(known_bad);
    }

    /// Returns the finished file, which the caller puts in place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> io::Result<WholeFile> {
        self.0.finish()?.finish()
    }
}
