//! Where an input comes from, for messages about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::IntakeError;
use super::open::watched::InputFile;
use super::read::csv::ReadFault;

/// The path of an input, and the file if it is one.
pub(super) struct Origin {
    pub(super) path: PathBuf,
    /// The file to watch for changes, if the input is a file.
    pub(super) file: Option<Arc<InputFile>>,
}

impl Origin {
    /// Returns [`IntakeError::Changed`] if the file changed since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), IntakeError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check_unchanged())
    }

    /// Returns the error to report for `fault`. If the file changed while it was read, that is the
    /// error, because a file that another program writes to may look cut off or damaged.
    pub(super) fn explain(&self, fault: ReadFault, header: &[String]) -> IntakeError {
        self.check_unchanged().err().unwrap_or_else(|| broken(fault, &self.path, header))
    }
}

/// Returns the error for a record that cannot be read.
pub(super) fn broken(fault: ReadFault, path: &Path, header: &[String]) -> IntakeError {
    match fault {
        ReadFault::Read(error) => IntakeError::reading(path, error),
        ReadFault::OtherHeader { line } => IntakeError::OtherHeader { path: path.to_owned(), line },
        ReadFault::OpenQuote { line, cell } => {
            IntakeError::OpenQuote { path: path.to_owned(), line, column: header.get(cell).cloned() }
        }
    }
}
