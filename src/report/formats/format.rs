//! The formats of reports, by the endings of their files.

use std::path::Path;

/// The format of a report file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Csv,
    Html,
    Ndjson,
    Xlsx,
}

/// The path has the ending of no format.
#[derive(Debug, thiserror::Error)]
#[error("a report ends in .csv, .html, .ndjson or .xlsx")]
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
            "html" => Ok(Self::Html),
            "ndjson" => Ok(Self::Ndjson),
            "xlsx" => Ok(Self::Xlsx),
            _ => Err(UnknownFormat),
        }
    }
}
