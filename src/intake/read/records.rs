//! Reads the records of an input one after the other, in any form.

use std::io::{self, BufRead};

use super::csv::slice::SliceReader;
use super::csv::{self, CsvReader, ReadFault, Record};
use super::ndjson::{self, LineReader};
use super::xlsx::sheet::{DamagedCell, SheetReader, SheetScan};
use crate::intake::limits::LONGEST_RECORD;

/// The form of a text, as far as reading records depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Csv { delimiter: u8 },
    Ndjson { line_end: u8 },
}

/// A reader for any form.
pub(crate) enum Records<R> {
    Csv(Box<CsvReader<R>>),
    Ndjson(LineReader<R>),
    Sheet(Box<SheetReader>),
}

/// What is left of an input.
pub(crate) enum Rest<R> {
    /// A text that can be cut into pieces, and the number of its first line.
    Text { input: R, line: u64 },
    /// A sheet, which one thread must read.
    Sheet(Box<SheetReader>),
}

/// A record exactly as it was found.
#[derive(Clone, Copy)]
pub(crate) enum Scanned<'a> {
    /// `ended` is false if the last record lacks its line end.
    Cells {
        record: Record<'a>,
        ended: bool,
    },
    Line {
        bytes: &'a [u8],
        ended: bool,
    },
    /// A row of a sheet.
    Row {
        record: Record<'a>,
        damaged: &'a [DamagedCell],
    },
    /// A record beyond the limit, which was skipped.
    TooLarge {
        limit: &'static str,
    },
}

impl Scanned<'_> {
    /// Returns the approximate size of the record in bytes.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Cells { record, .. } | Self::Row { record, .. } => record.size(),
            Self::Line { bytes, .. } => bytes.len(),
            Self::TooLarge { .. } => LONGEST_RECORD,
        }
    }
}

impl<R: BufRead> Records<R> {
    /// `line` is the number of the first line that `input` returns.
    pub(crate) fn new(form: Form, input: R, line: u64) -> Self {
        match form {
            Form::Csv { delimiter } => Self::Csv(Box::new(CsvReader::new(input, delimiter, line))),
            Form::Ndjson { line_end } => Self::Ndjson(LineReader::new(input, line_end, line)),
        }
    }

    /// Returns the rest of the input.
    pub(crate) fn into_rest(self) -> io::Result<Rest<R>> {
        let (input, line) = match self {
            Self::Csv(reader) => reader.into_rest()?,
            Self::Ndjson(reader) => reader.into_rest(),
            Self::Sheet(reader) => return Ok(Rest::Sheet(reader)),
        };
        Ok(Rest::Text { input, line })
    }

    /// Returns how many of the records so far are in rows that a filter hides.
    pub(crate) fn hidden_rows(&self) -> u64 {
        if let Self::Sheet(reader) = self { reader.hidden_rows() } else { 0 }
    }
}

/// Returns one record after the other.
pub(crate) trait RecordReader {
    /// Returns the next record and the line on which it begins, or `None` at the end.
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault>;

    /// Returns how many blank rows (empty lines, and rows of only delimiters) were skipped so far.
    fn blank_rows(&self) -> u64;
}

impl<R: BufRead> RecordReader for Records<R> {
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault> {
        match self {
            Self::Csv(reader) => Ok(scanned(reader.advance()?, || reader.record())),
            Self::Ndjson(reader) => reader.next_record(),
            Self::Sheet(reader) => reader.next_record(),
        }
    }

    fn blank_rows(&self) -> u64 {
        match self {
            Self::Csv(reader) => reader.blank_rows(),
            Self::Ndjson(reader) => reader.blank_rows(),
            Self::Sheet(reader) => reader.as_ref().blank_rows(),
        }
    }
}

impl RecordReader for SliceReader<'_> {
    // Inlined, because otherwise the result passes through memory and the caller waits to read it
    // back.
    #[inline(always)]
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault> {
        Ok(scanned(self.advance()?, || self.record()))
    }

    fn blank_rows(&self) -> u64 {
        self.blank_rows()
    }
}

impl<R: BufRead> RecordReader for LineReader<R> {
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault> {
        Ok(match self.advance()? {
            ndjson::LineScan::End => None,
            ndjson::LineScan::TooLarge { line } => Some((line, Scanned::TooLarge { limit: "1 MiB" })),
            ndjson::LineScan::Line { line, ended } => Some((line, Scanned::Line { bytes: self.bytes(), ended })),
        })
    }

    fn blank_rows(&self) -> u64 {
        self.blank_rows()
    }
}

impl RecordReader for SheetReader {
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault> {
        Ok(match self.advance()? {
            SheetScan::End => None,
            SheetScan::TooLarge { line, limit } => Some((line, Scanned::TooLarge { limit })),
            SheetScan::Record { line } => Some((line, Scanned::Row { record: self.record(), damaged: self.damaged() })),
        })
    }

    fn blank_rows(&self) -> u64 {
        self.blank_rows()
    }
}

#[inline(always)]
fn scanned<'a>(scan: csv::RecordScan, record: impl FnOnce() -> Record<'a>) -> Option<(u64, Scanned<'a>)> {
    match scan {
        csv::RecordScan::End => None,
        csv::RecordScan::TooLarge { line, limit } => Some((line, Scanned::TooLarge { limit })),
        csv::RecordScan::Record { line, ended } => Some((line, Scanned::Cells { record: record(), ended })),
    }
}
