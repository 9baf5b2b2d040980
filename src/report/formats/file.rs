//! A report in the format that its name asks for.

use std::io;
use std::path::Path;

use super::csv::CsvReport;
use super::ndjson::NdjsonReport;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::ReportLine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Csv,
    Ndjson,
}

/// The ending names no format.
#[derive(Debug, thiserror::Error)]
#[error("a report ends in .csv or .ndjson")]
pub struct UnknownFormat;

impl ReportFormat {
    /// The format that a path's ending asks for.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(UnknownFormat),
        }
    }
}

/// A report that appears when it is finished and put in place.
#[derive(Debug)]
pub struct ReportFile(FormatWriter);

#[derive(Debug)]
enum FormatWriter {
    Csv(Box<CsvReport<AtomicFile>>),
    Ndjson(NdjsonReport<AtomicFile>),
}

impl ReportFile {
    pub fn create(path: &Path, kept: &[String]) -> io::Result<Self> {
        let format = ReportFormat::of(path).map_err(io::Error::other)?;
        let file = AtomicFile::create(path)?;
        Ok(Self(match format {
            ReportFormat::Csv => FormatWriter::Csv(Box::new(CsvReport::new(file, kept)?)),
            ReportFormat::Ndjson => FormatWriter::Ndjson(NdjsonReport::new(file, kept)),
        }))
    }

    pub fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        match &mut self.0 {
            FormatWriter::Csv(report) => report.write(line),
            FormatWriter::Ndjson(report) => report.write(line),
        }
    }

    pub fn finish(self) -> io::Result<WholeFile> {
        match self.0 {
            FormatWriter::Csv(report) => report.finish()?.finish(),
            FormatWriter::Ndjson(report) => report.finish().finish(),
        }
    }
}
