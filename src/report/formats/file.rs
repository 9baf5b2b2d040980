//! A report file in the format that its name asks for.

use std::io;
use std::path::Path;

use super::csv::CsvReport;
use super::ndjson::NdjsonReport;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::ReportLine;

/// The format of a report file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Csv,
    Ndjson,
}

/// The path ends neither in `.csv` nor in `.ndjson`.
#[derive(Debug, thiserror::Error)]
#[error("a report ends in .csv or .ndjson")]
pub struct UnknownFormat;

impl ReportFormat {
    /// Returns the format that the path's ending asks for.
    ///
    /// # Errors
    /// If the path ends neither in `.csv` nor in `.ndjson`.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(UnknownFormat),
        }
    }
}

/// A report that is written beside its path and replaces the file there only when the caller puts
/// the finished file in place. A crash never leaves half a report.
#[derive(Debug)]
pub struct ReportFile(FormatWriter);

#[derive(Debug)]
enum FormatWriter {
    Csv(Box<CsvReport<AtomicFile>>),
    Ndjson(NdjsonReport<AtomicFile>),
}

impl ReportFile {
    /// Creates a report beside `path`, with the names of the kept columns.
    ///
    /// # Errors
    /// If the path has an unknown ending, or the file cannot be created or written.
    pub fn create(path: &Path, kept: &[String]) -> io::Result<Self> {
        let format = ReportFormat::of(path).map_err(io::Error::other)?;
        let file = AtomicFile::create(path)?;
        Ok(Self(match format {
            ReportFormat::Csv => FormatWriter::Csv(Box::new(CsvReport::new(file, kept)?)),
            ReportFormat::Ndjson => FormatWriter::Ndjson(NdjsonReport::new(file, kept)),
        }))
    }

    /// Writes one line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        match &mut self.0 {
            FormatWriter::Csv(report) => report.write(line),
            FormatWriter::Ndjson(report) => report.write(line),
        }
    }

    /// Returns the finished file, which the caller puts in place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> io::Result<WholeFile> {
        match self.0 {
            FormatWriter::Csv(report) => report.finish()?.finish(),
            FormatWriter::Ndjson(report) => report.finish().finish(),
        }
    }
}
