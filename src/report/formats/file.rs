//! A report file in the format that its name asks for.

use std::io;
use std::path::Path;

use super::csv::CsvReport;
use super::ndjson::NdjsonReport;
use super::writer::ReportWriter;
use super::xlsx::XlsxReport;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::ReportLine;

/// The format of a report file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Csv,
    Ndjson,
    Xlsx,
}

/// The path has the ending of no format.
#[derive(Debug, thiserror::Error)]
#[error("a report ends in .csv, .ndjson or .xlsx")]
pub struct UnknownFormat;

impl ReportFormat {
    /// Returns the format that the path's ending asks for.
    ///
    /// # Errors
    /// If the path has another ending.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "xlsx" => Ok(Self::Xlsx),
            _ => Err(UnknownFormat),
        }
    }
}

/// How the user wants the reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportOptions {
    /// The delimiter of CSV reports for a spreadsheet. With `None` they are for programs.
    pub delimiter: Option<u8>,
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
    pub fn create(path: &Path, kept: &[String], options: ReportOptions) -> io::Result<Self> {
        let format = ReportFormat::of(path).map_err(io::Error::other)?;
        let file = AtomicFile::create(path)?;
        Ok(Self(match format {
            ReportFormat::Csv => Box::new(CsvReport::new(file, kept, options.delimiter)?),
            ReportFormat::Ndjson => Box::new(NdjsonReport::new(file, kept)),
            ReportFormat::Xlsx => Box::new(XlsxReport::new(file, kept)?),
        }))
    }

    /// Writes one line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        self.0.write(line)
    }

    /// Returns the finished file, which the caller puts in place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> io::Result<WholeFile> {
        self.0.finish()?.finish()
    }
}
