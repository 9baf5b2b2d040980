//! Records as they stand in the input, numbered, some at a time: what one thread reads so that others can judge.

use std::io::BufRead;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::domain::Position;

use super::csv::{self, CsvFault, CsvReader, Record};
use super::error::IntakeError;
use super::ndjson::{self, LineReader};
use super::source::{InputIdentity, identity};

pub(super) type Input = Box<dyn BufRead + Send>;

pub(super) enum Reader {
    /// The header gives the names for messages.
    Csv {
        reader: Box<CsvReader<Input>>,
        header: Vec<String>,
    },
    Ndjson(LineReader<Input>),
}

/// Takes records out of the file, one after the other.
pub(super) struct Scanner {
    pub(super) reader: Reader,
    pub(super) path: PathBuf,
    /// The state of the file when it was opened, where it is a file.
    pub(super) identity: Option<InputIdentity>,
    row: u64,
    is_over: bool,
}

/// A record as the scan found it.
#[derive(Clone, Copy)]
pub(super) enum Scanned<'a> {
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

/// Some records in one buffer.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    found: Vec<Found>,
}

/// Where in the buffer a record lies.
struct Found {
    position: Position,
    kind: Kind,
    bytes: Range<usize>,
    ends: Range<usize>,
}

#[derive(Clone, Copy)]
enum Kind {
    Cells { ended: bool },
    Line { ended: bool },
    TooLarge { limit: &'static str },
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.found.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many records it holds, and in how many bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.found.len(), self.bytes.len())
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (Position, Scanned<'_>)> {
        self.found.iter().map(|found| {
            let bytes = &self.bytes[found.bytes.clone()];
            let scanned = match found.kind {
                Kind::Cells { ended } => {
                    Scanned::Cells { record: Record::new(bytes, &self.ends[found.ends.clone()]), ended }
                }
                Kind::Line { ended } => Scanned::Line { bytes, ended },
                Kind::TooLarge { limit } => Scanned::TooLarge { limit },
            };
            (found.position, scanned)
        })
    }

    fn add(&mut self, position: Position, kind: Kind, bytes: &[u8], ends: &[usize]) {
        let (first_byte, first_end) = (self.bytes.len(), self.ends.len());
        self.bytes.extend_from_slice(bytes);
        self.ends.extend_from_slice(ends);
        let (bytes, ends) = (first_byte..self.bytes.len(), first_end..self.ends.len());
        self.found.push(Found { position, kind, bytes, ends });
    }
}

impl Scanner {
    pub(super) fn new(reader: Reader, path: PathBuf, identity: Option<InputIdentity>) -> Self {
        Self { reader, path, identity, row: 0, is_over: false }
    }

    /// How many lines without anything and rows of nothing but delimiters were skipped so far.
    pub(super) fn blank_rows(&self) -> u64 {
        match &self.reader {
            Reader::Csv { reader, .. } => reader.blank_rows(),
            Reader::Ndjson(reader) => reader.blank_rows(),
        }
    }

    /// Adds the next record to a batch. `false`, or an error, is the end: nothing follows.
    pub(super) fn scan(&mut self, batch: &mut Batch) -> Result<bool, IntakeError> {
        if self.is_over {
            return Ok(false);
        }
        let found = self.read(batch);
        self.is_over = !matches!(found, Ok(true));
        match found {
            Ok(true) => Ok(true),
            Ok(false) => self.check_unchanged().map(|()| false),
            // A file that was written to meanwhile may look cut or damaged; that it changed is what explains it.
            Err(error) => Err(self.check_unchanged().err().unwrap_or(error)),
        }
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IntakeError> {
        let row = self.row + 1;
        match &mut self.reader {
            Reader::Csv { reader, header } => {
                match reader.advance().map_err(|fault| csv_error(fault, &self.path, header))? {
                    csv::Scan::End => return Ok(false),
                    csv::Scan::TooLarge { line, limit } => {
                        batch.add(Position { row, line }, Kind::TooLarge { limit }, &[], &[]);
                    }
                    csv::Scan::Record { line, ended } => {
                        let record = reader.record();
                        batch.add(Position { row, line }, Kind::Cells { ended }, record.bytes(), record.ends());
                    }
                }
            }
            Reader::Ndjson(reader) => {
                match reader.advance().map_err(|error| IntakeError::reading(&self.path, error))? {
                    ndjson::Scan::End => return Ok(false),
                    ndjson::Scan::TooLarge { line } => {
                        batch.add(Position { row, line }, Kind::TooLarge { limit: "1 MiB" }, &[], &[]);
                    }
                    ndjson::Scan::Line { line, ended } => {
                        batch.add(Position { row, line }, Kind::Line { ended }, reader.bytes(), &[]);
                    }
                }
            }
        }
        self.row = row;
        Ok(true)
    }

    /// A file that changed meanwhile was not read as one thing.
    fn check_unchanged(&self) -> Result<(), IntakeError> {
        match &self.identity {
            Some(then) if identity(&self.path).ok().as_ref() != Some(then) => {
                Err(IntakeError::Changed { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn csv_error(fault: CsvFault, path: &Path, header: &[String]) -> IntakeError {
    let path = path.to_owned();
    match fault {
        CsvFault::Read(error) => IntakeError::reading(&path, error),
        CsvFault::OpenQuote { line, cell } => IntakeError::OpenQuote { path, line, column: header.get(cell).cloned() },
    }
}
