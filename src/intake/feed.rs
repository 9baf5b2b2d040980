//! The records of one file, one after the other.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::domain::{Code, Country, Flaw, InputRecord, InputShape, Position, RawRecord, Verdict, Violation};

use super::columns::{Cell, Column, Mapping, Place, Roster, Row, cell_text, is_known};
use super::csv::{CsvFault, CsvReader, Record, Scan, line_ends};
use super::error::IntakeError;
use super::ndjson::{self, LineReader, parse_object};
use super::options::{Format, InputOptions};
use super::sniff::{self, Decay};
use super::source::{InputIdentity, Source, identity};
use super::validate::{email_cell, judge};
use super::{DEEPEST, MOST_COLUMNS};

/// A cell with so many line breaks is more likely a stray quote than a text.
const SUSPICIOUS_LINES: u64 = 10;

/// An iterator over the records of a file. After an error nothing follows.
pub struct Feed {
    reader: Reader,
    mapping: Mapping,
    shape: InputShape,
    path: PathBuf,
    /// The state of the file when it was opened, where it is a file.
    identity: Option<InputIdentity>,
    region: Option<Country>,
    want_raw: bool,
    row: u64,
    is_over: bool,
}

type Input = Box<dyn BufRead + Send>;

enum Reader {
    Csv { reader: CsvReader<Input>, header: Vec<String> },
    Ndjson(LineReader<Input>),
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("path", &self.path).field("row", &self.row).finish_non_exhaustive()
    }
}

impl Feed {
    /// Reads the beginning of a file, finds out its form and which column feeds which field; nothing more.
    ///
    /// # Errors
    /// Where the file cannot be customers.
    pub fn open(path: &Path, options: &InputOptions) -> Result<Self, IntakeError> {
        Self::over(Source::open(path)?, options)
    }

    fn over(source: Source, options: &InputOptions) -> Result<Self, IntakeError> {
        let foreign = if options.format == Format::Csv { None } else { sniff::other_json(&source.head) };
        if let Some((what, advice)) = foreign {
            return Err(IntakeError::Foreign { path: source.path, what, advice });
        }
        let format = if options.format == Format::Auto { sniff::format(&source.head) } else { options.format };
        match format {
            Format::Ndjson => Self::over_ndjson(source, options),
            Format::Csv | Format::Auto => Self::over_csv(source, options),
        }
    }

    fn over_csv(source: Source, options: &InputOptions) -> Result<Self, IntakeError> {
        let path = source.path.clone();
        let identity = source.identity.clone();
        let separator = sniff::separator_line(&source.head);
        let (skip, line) = separator.map_or((0, 1), |(_, skip)| (skip, 2));
        let text = &source.head[skip..];
        let delimiter = options
            .delimiter
            .or(separator.map(|(delimiter, _)| delimiter))
            .unwrap_or_else(|| sniff::delimiter(text, source.complete, |name| is_known(name.trim(), options)));
        check_decay(&path, sniff::csv_decay(text, source.complete, delimiter, line))?;

        let mut reader = CsvReader::new(source.into_reader(skip), delimiter, line);
        let raw = read_header(&mut reader, &path)?;
        let header: Vec<String> = raw.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let mapping = Mapping::resolve(&Roster::Header(header.clone()), options)
            .map_err(|fault| IntakeError::Columns { path: path.clone(), fault })?;
        let shape = InputShape::Csv { delimiter, header: raw };
        Ok(Self::new(Reader::Csv { reader, header }, mapping, shape, path, identity, options))
    }

    fn over_ndjson(source: Source, options: &InputOptions) -> Result<Self, IntakeError> {
        let path = source.path.clone();
        let identity = source.identity.clone();
        check_decay(&path, sniff::ndjson_decay(&source.head, source.complete))?;
        let roster = Roster::Keys(sample_keys(&source.head, source.complete));
        let mapping =
            Mapping::resolve(&roster, options).map_err(|fault| IntakeError::Columns { path: path.clone(), fault })?;
        let reader = Reader::Ndjson(LineReader::new(source.into_reader(0)));
        Ok(Self::new(reader, mapping, InputShape::Ndjson, path, identity, options))
    }

    fn new(
        reader: Reader,
        mapping: Mapping,
        shape: InputShape,
        path: PathBuf,
        identity: Option<InputIdentity>,
        options: &InputOptions,
    ) -> Self {
        let (region, want_raw) = (options.region, options.want_raw);
        Self { reader, mapping, shape, path, identity, region, want_raw, row: 0, is_over: false }
    }

    /// Which column feeds what, for display.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The form of the input, for whoever writes records back in it.
    #[must_use]
    pub fn shape(&self) -> InputShape {
        self.shape.clone()
    }

    /// The names of the kept columns as the input has them.
    #[must_use]
    pub fn kept_names(&self) -> &[String] {
        self.mapping.kept()
    }

    /// The state of the file when it was opened.
    #[must_use]
    pub fn identity(&self) -> Option<&InputIdentity> {
        self.identity.as_ref()
    }

    fn read(&mut self) -> Result<Option<InputRecord>, IntakeError> {
        let (line, judged) = match &mut self.reader {
            Reader::Csv { reader, header } => loop {
                match reader.advance().map_err(|fault| csv_error(fault, &self.path, header))? {
                    Scan::End => return Ok(None),
                    Scan::TooLarge { line, limit } => {
                        break (line, Judged::whole(&self.mapping, too_large(limit), "", None));
                    }
                    Scan::Record { line } if reader.record().is_blank() => drop(line),
                    Scan::Record { line } => {
                        let context = CsvContext { mapping: &self.mapping, header, line, region: self.region };
                        break (line, context.judge(reader.record(), self.want_raw));
                    }
                }
            },
            Reader::Ndjson(reader) => {
                match reader.advance().map_err(|source| IntakeError::Read { path: self.path.clone(), source })? {
                    ndjson::Scan::End => return Ok(None),
                    ndjson::Scan::TooLarge { line } => {
                        (line, Judged::whole(&self.mapping, too_large("1 MiB"), "", None))
                    }
                    ndjson::Scan::Line { line, ended } => {
                        let raw = self.want_raw.then(|| RawRecord::Line(reader.bytes().to_vec()));
                        (line, judge_line(&self.mapping, reader.bytes(), ended, self.region, raw))
                    }
                }
            }
        };
        self.row += 1;
        Ok(Some(judged.into_record(Position { row: self.row, line })))
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

impl Iterator for Feed {
    type Item = Result<InputRecord, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = match self.read() {
            Ok(None) => self.check_unchanged().err().map(Err),
            Ok(Some(record)) => Some(Ok(record)),
            Err(error) => Some(Err(error)),
        };
        self.is_over = !matches!(item, Some(Ok(_)));
        item
    }
}

impl std::iter::FusedIterator for Feed {}

fn check_decay(path: &Path, decay: Decay) -> Result<(), IntakeError> {
    let Decay { undecodable, of, first_line } = decay;
    if decay.is_systematic() {
        return Err(IntakeError::Encoding { path: path.to_owned(), undecodable, of, line: first_line });
    }
    Ok(())
}

/// The cells of the header as they stand there.
fn read_header(reader: &mut CsvReader<Input>, path: &Path) -> Result<Vec<Vec<u8>>, IntakeError> {
    let path = || path.to_owned();
    match reader.advance().map_err(|fault| csv_error(fault, &path(), &[]))? {
        Scan::Record { line } if !reader.record().is_utf8() => Err(IntakeError::HeaderEncoding { path: path(), line }),
        Scan::Record { .. } => Ok(reader.record().cells().map(<[u8]>::to_vec).collect()),
        Scan::TooLarge { line, limit } => Err(IntakeError::HeaderTooLarge { path: path(), line, what: limit }),
        Scan::End => Err(IntakeError::Empty { path: path() }),
    }
}

fn csv_error(fault: CsvFault, path: &Path, header: &[String]) -> IntakeError {
    let path = path.to_owned();
    match fault {
        CsvFault::Read(source) => IntakeError::Read { path, source },
        CsvFault::OpenQuote { line, cell } => IntakeError::OpenQuote { path, line, column: header.get(cell).cloned() },
    }
}

/// The keys of the objects in the head; those of nested objects with their way, joined by dots.
fn sample_keys(head: &[u8], complete: bool) -> Vec<String> {
    let mut keys = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (_, line) in sniff::whole_lines(head, complete) {
        if let Ok(object) = parse_object(line) {
            collect_keys(&object, "", DEEPEST, &mut |key| {
                if keys.len() < MOST_COLUMNS && seen.insert(key.clone()) {
                    keys.push(key);
                }
            });
        }
    }
    keys
}

fn collect_keys(object: &Map<String, Value>, prefix: &str, depth: u8, found: &mut dyn FnMut(String)) {
    for (key, value) in object {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Value::Object(inner) = value
            && depth > 0
        {
            collect_keys(inner, &name, depth - 1, found);
        }
        found(name);
    }
}

/// All of an [`InputRecord`] but its position.
struct Judged {
    verdict: Verdict,
    kept: Vec<String>,
    raw: Option<RawRecord>,
}

impl Judged {
    /// A record that could not be taken apart: only one thing can be said of it, and its kept cells are empty.
    fn whole(mapping: &Mapping, flaw: Flaw, value: &str, raw: Option<RawRecord>) -> Self {
        let verdict = Verdict::Invalid { email: None, problems: vec![flaw.at("", value)] };
        Self { verdict, kept: vec![String::new(); mapping.kept().len()], raw }
    }

    fn into_record(self, position: Position) -> InputRecord {
        InputRecord { position, verdict: self.verdict, kept: self.kept, raw: self.raw }
    }
}

fn too_large(limit: &str) -> Flaw {
    Flaw::new(Code::RowTooLarge, format!("has more than {limit} and was skipped"))
}

/// What a record of CSV is judged by.
struct CsvContext<'a> {
    mapping: &'a Mapping,
    header: &'a [String],
    line: u64,
    region: Option<Country>,
}

impl CsvContext<'_> {
    fn judge(&self, record: Record<'_>, want_raw: bool) -> Judged {
        let raw = want_raw.then(|| RawRecord::Cells(record.cells().map(<[u8]>::to_vec).collect()));
        let row = CsvRow(record);
        let kept = keep(self.mapping, &row);
        let mut broken = Vec::new();
        if !record.is_utf8() {
            broken.extend(self.encoding_problems(record));
        }
        if record.len() != self.header.len() {
            broken.push(self.column_count(record));
        }
        let verdict = if broken.is_empty() {
            judge(self.mapping, &row, self.region, self.swallowed_lines(record))
        } else {
            broken.extend(self.swallowed_lines(record));
            Verdict::Invalid { email: email_cell(self.mapping, &row), problems: broken }
        };
        Judged { verdict, kept, raw }
    }

    fn name(&self, index: usize) -> &str {
        self.header.get(index).map_or("", String::as_str)
    }

    fn column_count(&self, record: Record<'_>) -> Violation {
        let (found, expected) = (record.len(), self.header.len());
        let cause = if found < expected {
            "a line break or a missing delimiter?"
        } else {
            "a delimiter in a cell that is not in quotes?"
        };
        let hint = format!("has {found} cells where the header has {expected}: {cause}");
        Violation::new(Code::RowColumnCount, "", "", hint)
    }

    fn encoding_problems(&self, record: Record<'_>) -> Vec<Violation> {
        let undecodable = record.cells().enumerate().filter_map(|(index, cell)| Some((index, cell, bad_byte(cell)?)));
        undecodable
            .map(|(index, cell, (at, byte))| {
                let line = self.line + record.cells().take(index).map(line_ends).sum::<u64>();
                Violation::new(
                    Code::RowEncoding,
                    self.name(index),
                    &cell.escape_ascii().to_string(),
                    not_utf8(byte, at, line),
                )
            })
            .collect()
    }

    fn swallowed_lines(&self, record: Record<'_>) -> Vec<Violation> {
        let long = record.cells().map(line_ends).enumerate().filter(|(_, ends)| *ends >= SUSPICIOUS_LINES);
        long.map(|(index, ends)| {
            let hint =
                format!("this cell holds {ends} line breaks, from line {} on: is a quote missing its end?", self.line);
            Violation::new(Code::RowSwallowedLines, self.name(index), "", hint)
        })
        .collect()
    }
}

/// Where a cell stops being UTF-8, and by which byte.
fn bad_byte(bytes: &[u8]) -> Option<(usize, u8)> {
    let at = std::str::from_utf8(bytes).err()?.valid_up_to();
    Some((at, bytes[at]))
}

fn not_utf8(byte: u8, at: usize, line: u64) -> String {
    format!(
        "byte {} (0x{byte:02X}, line {line}) is not UTF-8; the text may be in Windows-1252: save it as UTF-8",
        at + 1
    )
}

/// The cells of the kept columns; one that is no text stays empty.
fn keep(mapping: &Mapping, row: &dyn Row) -> Vec<String> {
    let text = |column: &Column| match row.cell(&column.place) {
        Cell::Json(value @ (Value::Array(_) | Value::Object(_))) => value.to_string(),
        cell => cell_text(cell).into_owned(),
    };
    mapping.kept.iter().map(text).collect()
}

struct CsvRow<'a>(Record<'a>);

impl Row for CsvRow<'_> {
    fn cell(&self, place: &Place) -> Cell<'_> {
        let Place::Index(index) = place else { return Cell::Absent };
        self.0.get(*index).and_then(|cell| std::str::from_utf8(cell).ok()).map_or(Cell::Absent, Cell::Text)
    }
}

struct ObjectRow<'a>(&'a Map<String, Value>);

impl Row for ObjectRow<'_> {
    fn cell(&self, place: &Place) -> Cell<'_> {
        let Place::Key(key) = place else { return Cell::Absent };
        match find(self.0, key) {
            None | Some(Value::Null) => Cell::Absent,
            Some(Value::String(text)) => Cell::Text(text),
            Some(other) => Cell::Json(other),
        }
    }
}

/// A key as it stands, or the way through nested objects that its dots name.
fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(key) {
        return Some(value);
    }
    let (first, rest) = key.split_once('.')?;
    find(object.get(first)?.as_object()?, rest)
}

fn judge_line(mapping: &Mapping, line: &[u8], ended: bool, region: Option<Country>, raw: Option<RawRecord>) -> Judged {
    if let Some((at, byte)) = bad_byte(line) {
        let hint =
            format!("byte {} (0x{byte:02X}) is not UTF-8; the text may be in Windows-1252: save it as UTF-8", at + 1);
        return Judged::whole(mapping, Flaw::new(Code::RowEncoding, hint), &line.escape_ascii().to_string(), raw);
    }
    match parse_object(line) {
        Ok(object) => {
            let row = ObjectRow(&object);
            Judged { verdict: judge(mapping, &row, region, Vec::new()), kept: keep(mapping, &row), raw }
        }
        Err(mut flaw) => {
            if !ended && flaw.code == Code::JsonSyntax {
                flaw.hint.push_str("; the file ends within this line");
            }
            Judged::whole(mapping, flaw, &String::from_utf8_lossy(line), raw)
        }
    }
}
