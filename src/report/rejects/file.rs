//! A rejects file in the form that its name and the input ask for.

use std::io;
use std::path::Path;

use super::csv::CsvRejects;
use super::ndjson::NdjsonRejects;
use super::object_sheet::ObjectSheet;
use super::table_sheet::TableSheet;
use super::writer::RejectsWriter;
use crate::atomic_file::WholeFile;
use crate::domain::{InputForm, InputShape, RawRecord};
use crate::report::formats::format::ReportFormat;

/// A rejects file that is written beside its path and put in place when it is finished.
#[derive(Debug)]
pub struct Rejects(Box<dyn RejectsWriter>);

impl Rejects {
    /// Creates the file, with a header but without records, so that an old file never misleads
    /// after a run without rejects. It is a workbook if the path ends in `.xlsx`, and otherwise in
    /// the form of the input.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path, shape: &InputShape) -> io::Result<Self> {
        let is_workbook = matches!(ReportFormat::of(path), Ok(ReportFormat::Xlsx));
        Ok(Self(match (&shape.form, is_workbook) {
            (InputForm::Csv { header, .. }, true) => Box::new(TableSheet::create(path, header)?),
            (InputForm::Ndjson, true) => Box::new(ObjectSheet::create(path)?),
            (InputForm::Csv { delimiter, header }, false) => {
                Box::new(CsvRejects::create(path, *delimiter, header, shape.byte_order_mark)?)
            }
            (InputForm::Ndjson, false) => Box::new(NdjsonRejects::create(path, shape.byte_order_mark)?),
        }))
    }

    /// Writes one record with its error.
    ///
    /// # Errors
    /// If the file cannot be written, or the record has another form than the input.
    pub fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        self.0.write(record, error)
    }

    /// Returns the finished file, which the caller puts in place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> io::Result<WholeFile> {
        self.0.finish()
    }
}
