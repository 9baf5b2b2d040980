//! The records of an input as they stand there, one after the other, whatever its form.

use std::io::{self, BufRead};

use super::csv::slice::SliceReader;
use super::csv::{self, CsvReader, ReadFault, Record};
use super::ndjson::{self, LineReader};

/// The form of an input, as far as taking records out of it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Csv { delimiter: u8 },
    Ndjson { line_end: u8 },
}

/// Takes records out of an input.
pub(crate) enum Records<R> {
    Csv(Box<CsvReader<R>>),
    Ndjson(LineReader<R>),
}

/// A record as it was found.
#[derive(Clone, Copy)]
pub(crate) enum Scanned<'a> {
    /// `ended` is false for a last record without its line end.
    Cells {
        record: Record<'a>,
        ended: bool,
    },
    Line {
        bytes: &'a [u8],
        ended: bool,
    },
    /// It was skipped.
    TooLarge {
        limit: &'static str,
    },
}

impl<R: BufRead> Records<R> {
    /// `line` is the number of the first line that `input` gives.
    pub(crate) fn new(form: Form, input: R, line: u64) -> Self {
        match form {
            Form::Csv { delimiter } => Self::Csv(Box::new(CsvReader::new(input, delimiter, line))),
            Form::Ndjson { line_end } => Self::Ndjson(LineReader::new(input, line_end, line)),
        }
    }

    /// What was not read yet, and the number of the line that it begins with.
    pub(crate) fn into_rest(self) -> io::Result<(R, u64)> {
        match self {
            Self::Csv(reader) => reader.into_rest(),
            Self::Ndjson(reader) => Ok(reader.into_rest()),
        }
    }
}

/// Whatever gives one record after the other.
pub(crate) trait RecordReader {
    /// The next record and the line on which it begins; nothing at the end.
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault>;

    /// How many lines without anything and rows of nothing but delimiters were skipped so far.
    fn blank_rows(&self) -> u64;
}

impl<R: BufRead> RecordReader for Records<R> {
    fn next_record(&mut self) -> Result<Option<(u64, Scanned<'_>)>, ReadFault> {
        match self {
            Self::Csv(reader) => Ok(scanned(reader.advance()?, || reader.record())),
            Self::Ndjson(reader) => reader.next_record(),
        }
    }

    fn blank_rows(&self) -> u64 {
        match self {
            Self::Csv(reader) => reader.blank_rows(),
            Self::Ndjson(reader) => reader.blank_rows(),
        }
    }
}

impl RecordReader for SliceReader<'_> {
    // What is returned in memory and read at once is waited for.
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

#[inline(always)]
fn scanned<'a>(scan: csv::RecordScan, record: impl FnOnce() -> Record<'a>) -> Option<(u64, Scanned<'a>)> {
    match scan {
        csv::RecordScan::End => None,
        csv::RecordScan::TooLarge { line, limit } => Some((line, Scanned::TooLarge { limit })),
        csv::RecordScan::Record { line, ended } => Some((line, Scanned::Cells { record: record(), ended })),
    }
}
