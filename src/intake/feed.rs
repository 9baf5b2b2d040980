//! The records of one file, one after the other.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{InputForm, InputRecord, InputShape, Json, JsonObject, Position, SkippedRows};
use encoding_rs::{Encoding, UTF_8};

use super::columns::column_names::ColumnNames;
use super::columns::fault::FormAdvice;
use super::columns::mapping::{Mapping, is_known};
use super::country_columns::{self, ColumnCells};
use super::error::IntakeError;
use super::judge::examine::{Examined, Examiner};
use super::judge::no_record::NoRecord;
use super::judge::repeated_header::RepeatedHeader;
use super::limits::{DEEPEST, HEAD, MOST_COLUMNS};
use super::open::header_problem::{HeaderProblem, LOOKED_AT, is_header};
use super::open::sniff::EncodingErrors;
use super::open::source::{InputSource, peek};
use super::open::unpack::UnpackFault;
use super::open::watched::InputFile;
use super::open::{decode, sniff, unsupported};
use super::options::{Format, InputOptions};
use super::origin::{Origin, broken};
use super::parallel::{Gather, Parallel};
use super::read::csv::{CsvReader, ReadFault, RecordScan};
use super::read::ndjson::{Item, parse_object};
use super::read::pieces::{BoxedInput, Cutter};
use super::read::records::{Form, RecordReader as _, Records, Rest};
use super::read::xlsx::archive::OpenInput;
use super::read::xlsx::fault::{UNMERGE_HEADER, WorkbookFault};
use super::read::xlsx::sheet::{SheetReader, SheetScan};
use super::read::xlsx::workbook::Workbook;

/// How a zip archive begins, which every workbook is.
const ZIP: &[u8] = b"PK\x03\x04";

/// An iterator over the records of a file. Nothing follows after an error.
pub struct Feed {
    origin: Origin,
    form: Form,
    sheet: Option<String>,
    records: Records<BoxedInput>,
    examiner: Examiner,
    shape: InputShape,
    row: u64,
    repeated_headers: u64,
    not_selected: u64,
    is_over: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("path", &self.origin.path).finish_non_exhaustive()
    }
}

impl Feed {
    /// Returns a feed of a file. It reads only the beginning of the file, to detect its form and
    /// to match columns with fields.
    ///
    /// # Errors
    /// Returns an error if the file cannot hold customers.
    pub fn open(path: &Path, options: &InputOptions) -> Result<Self, IntakeError> {
        Self::of_file(&InputFile::open(path)?, options)
    }

    /// Returns a feed of a file that is already open. Each feed reads it from the beginning.
    ///
    /// # Errors
    /// Returns an error if the file cannot hold customers, or if it changed since it was opened.
    pub fn of_file(file: &Arc<InputFile>, options: &InputOptions) -> Result<Self, IntakeError> {
        let again = Arc::clone(file);
        let open: OpenInput = Box::new(move || Box::new(again.reader()));
        let opened = Opened::of_workbook(file.path(), Some(Arc::clone(file)));
        match Self::over_workbook(opened, open, options) {
            Some(feed) => feed,
            None => Self::over(InputSource::of_file(file, options.encoding)?, options),
        }
    }

    /// Returns a feed of an input that is not a file. It can be read only once, and changes to it
    /// are not detected. Messages use `name`. A workbook is read into memory as a whole.
    ///
    /// # Errors
    /// Returns an error if the input cannot hold customers.
    pub fn of(name: &Path, input: impl Read + Send + 'static, options: &InputOptions) -> Result<Self, IntakeError> {
        let broken = |error| IntakeError::reading(name, error);
        let (start, mut input) = peek(Box::new(input), ZIP.len()).map_err(broken)?;
        if start == ZIP {
            let mut all = Vec::new();
            input.read_to_end(&mut all).map_err(broken)?;
            let all: Arc<[u8]> = all.into();
            let again = Arc::clone(&all);
            let open: OpenInput = Box::new(move || Box::new(Cursor::new(Arc::clone(&again))));
            if let Some(feed) = Self::over_workbook(Opened::of_workbook(name, None), open, options) {
                return feed;
            }
            input = Box::new(Cursor::new(all));
        }
        Self::over(InputSource::over(name, input, options.encoding)?, options)
    }

    /// Returns a feed of a workbook, or `None` if the input is not one, or is to be read as text.
    fn over_workbook(opened: Opened, open: OpenInput, options: &InputOptions) -> Option<Result<Self, IntakeError>> {
        if !matches!(options.format, Format::Auto | Format::Xlsx) {
            return None;
        }
        let mut head = Vec::with_capacity(HEAD);
        match open().take(HEAD as u64).read_to_end(&mut head) {
            Ok(_) if head.starts_with(ZIP) => {}
            Ok(_) => return None,
            Err(error) => return Some(Err(opened.broken(error))),
        }
        match Workbook::open(open) {
            Ok(Some(workbook)) => Some(Self::over_sheet(opened, workbook, options)),
            Err(error) if unsupported::looks_like_a_workbook(&head) => Some(Err(opened.broken(error))),
            Err(error) if unsupported::looks_like_any_archive(&head) => Some(Err(opened.broken(of_archive(error)))),
            Ok(None) | Err(_) => None,
        }
    }

    fn over_sheet(opened: Opened, workbook: Workbook, options: &InputOptions) -> Result<Self, IntakeError> {
        let broken = |error| opened.broken(error);
        let (name, mut reader) = workbook.sheet(options.sheet.as_deref()).map_err(broken)?;
        let raw: Vec<Vec<u8>> = match reader.advance().map_err(broken)? {
            SheetScan::Record { .. } => reader.record().cells().map(<[u8]>::to_vec).collect(),
            SheetScan::TooLarge { line, limit } => {
                return Err(IntakeError::HeaderTooLarge { path: opened.path.clone(), line, what: limit });
            }
            SheetScan::End => return Err(IntakeError::Empty { path: opened.path.clone() }),
        };
        let header = names_of(&raw);
        reader.set_width(header.len());
        let mapping = match opened.mapping(&ColumnNames::Header(header.clone()), options) {
            Ok(mapping) => mapping,
            Err(error) => {
                let SheetLooks { problem, countries } =
                    SheetLooks::of(&mut reader, &header, options).map_err(broken)?;
                return Err(error.advised(problem).with_countries(|| countries));
            }
        };
        let is_sent = |index: &usize| mapping.sent_columns().any(|column| column.is_at(*index));
        reader.set_sent((0..header.len()).filter(is_sent).collect());
        // Copies of its records are text with commas.
        const DELIMITER: u8 = b',';
        let shape = InputForm::Csv { delimiter: DELIMITER, header: raw };
        let form = Form::Csv { delimiter: DELIMITER };
        let feed = Self::new(opened, form, Records::Sheet(Box::new(reader)), header, mapping, shape, options);
        Ok(Self { sheet: Some(name), ..feed })
    }

    fn over(source: InputSource, options: &InputOptions) -> Result<Self, IntakeError> {
        if options.format == Format::Xlsx {
            return Err(IntakeError::NotAWorkbook { path: source.path });
        }
        if options.sheet.is_some() {
            return Err(IntakeError::WithoutSheets { path: source.path });
        }
        let unsupported_json = if options.format == Format::Csv { None } else { unsupported::other_json(&source.head) };
        if let Some((what, advice)) = unsupported_json {
            return Err(IntakeError::Foreign { path: source.path, what, advice });
        }
        let format = if options.format == Format::Auto { sniff::format(&source.head) } else { options.format };
        match format {
            Format::Ndjson => Self::over_ndjson(source, options),
            Format::Csv | Format::Auto | Format::Xlsx => Self::over_csv(source, options),
        }
    }

    fn over_csv(source: InputSource, options: &InputOptions) -> Result<Self, IntakeError> {
        let opened = Opened::of(&source);
        let separator = sniff::separator_line(&source.head);
        let (skip, line) = separator.map_or((0, 1), |(_, skip)| (skip, 2));
        let text = &source.head[skip..];
        let delimiter = options
            .delimiter
            .or(separator.map(|(delimiter, _)| delimiter))
            .unwrap_or_else(|| sniff::delimiter(text, source.complete, |name| is_known(name.trim(), options)));
        opened.check(sniff::csv_decay(text, source.complete, delimiter, line), &source.head)?;
        let suggestion = opened.suggestion(&source.head);
        let surplus = sniff::surplus_columns(text, source.complete, delimiter);
        // Kept only to explain the failure if the columns are not found.
        let text = text.to_vec();

        let mut reader = Box::new(CsvReader::new(source.into_reader(skip), delimiter, line));
        let mut raw = opened.read_header(&mut reader, suggestion)?;
        raw.truncate(raw.len() - surplus.min(raw.len()));
        let header = names_of(&raw);
        let mapping = opened.mapping(&ColumnNames::Header(header.clone()), options).map_err(|error| {
            let header_problem = HeaderProblem::of(&text, delimiter, line, |name| is_known(name, options));
            let countries = || country_columns::of_csv(&text, delimiter);
            error.advised(header_problem.as_ref().map(HeaderProblem::advice)).with_countries(countries)
        })?;
        let shape = InputForm::Csv { delimiter, header: raw };
        Ok(Self::new(opened, Form::Csv { delimiter }, Records::Csv(reader), header, mapping, shape, options))
    }

    fn over_ndjson(source: InputSource, options: &InputOptions) -> Result<Self, IntakeError> {
        let opened = Opened::of(&source);
        opened.check(sniff::ndjson_decay(&source.head, source.complete), &source.head)?;
        let keys = sample_keys(&source.head, source.complete);
        let has_keys = !keys.is_empty();
        let mapping = opened.mapping(&ColumnNames::Keys(keys), options).map_err(|error| {
            let no_object = if has_keys { None } else { no_object(&source.head, source.complete) };
            let countries = || country_columns::of_ndjson(&source.head, source.complete);
            error
                .advised(no_object.map(FormAdvice::new))
                .within(unsupported::array_of_objects(&source.head))
                .with_countries(countries)
        })?;
        let form = Form::Ndjson { line_end: sniff::line_end(&source.head) };
        let records = Records::new(form, source.into_reader(0), 1);
        Ok(Self::new(opened, form, records, Vec::new(), mapping, InputForm::Ndjson, options))
    }

    fn new(
        opened: Opened,
        form: Form,
        records: Records<BoxedInput>,
        header: Vec<String>,
        mapping: Mapping,
        shape: InputForm,
        options: &InputOptions,
    ) -> Self {
        let Opened { path, file, encoding, wants_mark } = opened;
        let InputOptions { region, want_raw, may_be_cut, .. } = *options;
        let held = options.holds.iter().map(|rule| rule.0).collect();
        Self {
            origin: Origin { path, file },
            form,
            sheet: None,
            records,
            examiner: Examiner { mapping, header, encoding, region, held, want_raw, may_be_cut },
            shape: InputShape { form: shape, byte_order_mark: wants_mark },
            row: 0,
            repeated_headers: 0,
            not_selected: 0,
            is_over: false,
        }
    }

    /// Reads, judges and gathers the records on all cores. The results come in the order of the
    /// input.
    ///
    /// # Errors
    /// Returns an error if the input cannot be read, or if the system cannot start a thread.
    pub fn in_parallel<T, G>(self, gather: G) -> Result<Parallel<T>, IntakeError>
    where
        T: Gather + Send + 'static,
        G: Fn() -> T + Send + Sync + 'static,
    {
        let skipped = self.skipped();
        let Self { origin, form, records, examiner, .. } = self;
        let rest = records.into_rest().map_err(|error| origin.explain(error.into(), &examiner.header))?;
        let cutter = match rest {
            Rest::Text { input, line } => Cutter::new(form, input, line, T::PIECE),
            Rest::Sheet(reader) => return Ok(Parallel::over_uncut(origin, Records::Sheet(reader), examiner, gather)),
        };
        Parallel::start(origin, cutter, skipped, examiner, gather).map_err(IntakeError::NoThread)
    }

    /// Returns which column feeds which field, for display.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.examiner.mapping
    }

    /// Returns the form of the input, for writing records back in the same form.
    #[must_use]
    pub fn shape(&self) -> InputShape {
        self.shape.clone()
    }

    /// Returns the name of the sheet that is read, or `None` if the input does not have sheets.
    #[must_use]
    pub fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    /// Returns the names of the kept columns as the input spells them.
    #[must_use]
    pub fn kept_names(&self) -> &[String] {
        self.examiner.mapping.kept()
    }

    /// Returns how many rows were skipped so far.
    #[must_use]
    pub fn skipped(&self) -> SkippedRows {
        SkippedRows {
            blank_rows: self.records.blank_rows(),
            repeated_headers: self.repeated_headers,
            not_selected: self.not_selected,
            hidden_rows: self.records.hidden_rows(),
        }
    }
}

impl Iterator for Feed {
    type Item = Result<InputRecord<'static>, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = loop {
            let (line, scanned) = match self.records.next_record() {
                Ok(Some(found)) => found,
                Ok(None) => break self.origin.check_unchanged().map(|()| None),
                Err(fault) => break Err(self.origin.explain(fault, &self.examiner.header)),
            };
            let position = Position { row: self.row + 1, line };
            let examined = self.examiner.examine(position, scanned, |examined| match examined {
                Examined::Plain(customer) => InputRecord::plain(position, customer).into_owned(),
                Examined::Record(record, raw) => InputRecord { raw: raw.read(), ..record.into_owned() },
            });
            match examined {
                Ok(record) => {
                    self.row += 1;
                    break Ok(Some(record));
                }
                Err(NoRecord::NotSelected) => {
                    self.row += 1;
                    self.not_selected += 1;
                }
                Err(NoRecord::Header(RepeatedHeader::SameOrder)) => self.repeated_headers += 1,
                Err(NoRecord::Header(RepeatedHeader::OtherOrder)) => {
                    break Err(self.origin.explain(ReadFault::OtherHeader { line }, &self.examiner.header));
                }
            }
        };
        self.is_over = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl std::iter::FusedIterator for Feed {}

/// What is known about an input before its columns are matched.
struct Opened {
    path: PathBuf,
    file: Option<Arc<InputFile>>,
    encoding: &'static Encoding,
    wants_mark: bool,
}

impl Opened {
    fn of(source: &InputSource) -> Self {
        let InputSource { path, file, encoding, wants_mark, .. } = source;
        Self { path: path.clone(), file: file.clone(), encoding, wants_mark: *wants_mark }
    }

    /// Of a workbook, which is always UTF-8.
    fn of_workbook(path: &Path, file: Option<Arc<InputFile>>) -> Self {
        Self { path: path.to_owned(), file, encoding: UTF_8, wants_mark: true }
    }

    /// Returns the error for a failed read. If the file changed, that is the error.
    fn broken(&self, error: io::Error) -> IntakeError {
        let changed = self.file.as_ref().and_then(|file| file.check_unchanged().err());
        changed.unwrap_or_else(|| IntakeError::reading(&self.path, error))
    }

    fn mapping(&self, names: &ColumnNames, options: &InputOptions) -> Result<Mapping, IntakeError> {
        let mapping = if options.is_unmapped {
            Mapping::keeping_all(names, &options.where_rules)
        } else {
            Mapping::resolve(names, options)
        };
        mapping.map_err(|fault| IntakeError::Columns { path: self.path.clone(), fault })
    }

    /// Returns an error if so many records cannot be decoded that the whole input must be in
    /// another encoding.
    fn check(&self, decay: EncodingErrors, head: &[u8]) -> Result<(), IntakeError> {
        let EncodingErrors { undecodable, of, first_line } = decay;
        if decay.is_systematic() {
            let (path, encoding, suggestion) = (self.path.clone(), self.encoding.name(), self.suggestion(head));
            return Err(IntakeError::Encoding { path, undecodable, of, line: first_line, encoding, suggestion });
        }
        Ok(())
    }

    /// Returns the encoding to suggest, or `None` if the text was already decoded, because then its
    /// original bytes are gone.
    fn suggestion(&self, head: &[u8]) -> Option<&'static str> {
        let is_undecoded = self.encoding == UTF_8 && std::str::from_utf8(head).is_err();
        is_undecoded.then(|| decode::suggested(head)).flatten()
    }

    /// Returns the cells of the header exactly as they were read.
    fn read_header(
        &self,
        reader: &mut CsvReader<BoxedInput>,
        suggestion: Option<&'static str>,
    ) -> Result<Vec<Vec<u8>>, IntakeError> {
        let path = self.path.clone();
        match reader.advance().map_err(|fault| broken(fault, &path, &[]))? {
            RecordScan::Record { line, .. } if !reader.record().is_utf8() => {
                Err(IntakeError::HeaderEncoding { path, line, encoding: self.encoding.name(), suggestion })
            }
            RecordScan::Record { .. } => Ok(reader.record().cells().map(<[u8]>::to_vec).collect()),
            RecordScan::TooLarge { line, limit } => Err(IntakeError::HeaderTooLarge { path, line, what: limit }),
            RecordScan::End => Err(IntakeError::Empty { path }),
        }
    }
}

/// Returns the error for a zip archive that may hold anything: what is damaged is not a workbook.
fn of_archive(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(WorkbookFault::Damaged(why)) => io::Error::other(UnpackFault::Archive(why.clone())),
        _ => error,
    }
}

/// Returns the column names for the cells of a header.
fn names_of(header: &[Vec<u8>]) -> Vec<String> {
    header.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

/// What a sheet looks like whose columns were not found.
struct SheetLooks {
    /// What is wrong with the form of the sheet, if that is the reason.
    problem: Option<FormAdvice>,
    /// The columns that hold countries.
    countries: Vec<String>,
}

impl SheetLooks {
    /// Looks at the first records below the header: a row with more known names than the header has
    /// is the header itself. Only the end of a sheet says which of its cells are merged.
    fn of(reader: &mut SheetReader, header: &[String], options: &InputOptions) -> io::Result<Self> {
        let is_name = |name: &str| is_known(name.trim(), options);
        let known = header.iter().filter(|name| is_name(name)).count();
        let mut cells = ColumnCells::of(header.iter().cloned());
        for record in 0..country_columns::LOOKED_AT {
            let SheetScan::Record { line } = reader.advance()? else { break };
            let names = reader.record().cells().filter_map(|cell| std::str::from_utf8(cell).ok());
            if record < LOOKED_AT && is_header(names.filter(|name| is_name(name)).count(), known) {
                let problem = Some(HeaderProblem::HeaderBelow { line }.advice());
                return Ok(Self { problem, countries: Vec::new() });
            }
            cells.add(reader.record().cells());
        }
        let merged = reader.merged_header()?;
        let merged = merged.map(|range| format!("the header cells {range} are merged: {UNMERGE_HEADER}"));
        Ok(Self { problem: merged.map(FormAdvice::new), countries: cells.countries() })
    }
}

/// Returns the keys of the objects in the head. The key of a nested object is its path, joined by
/// dots.
fn sample_keys(head: &[u8], complete: bool) -> Vec<String> {
    let mut keys = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (_, line) in sniff::whole_lines(head, complete) {
        let Some(object) = std::str::from_utf8(line).ok().and_then(|line| parse_object(line).ok()) else { continue };
        let mut found = |key: String| {
            if keys.len() < MOST_COLUMNS && seen.insert(key.clone()) {
                keys.push(key);
            }
        };
        for (key, item) in object.entries() {
            if let Item::Other(Json::Object(inner)) = item {
                collect_keys(inner, key, DEEPEST, &mut found);
            }
            found(key.to_owned());
        }
    }
    keys
}

/// Returns the hint for a file in which no line is an object, with the reason from the first line
/// that is text. Returns `None` if none of the lines is text.
fn no_object(head: &[u8], complete: bool) -> Option<String> {
    let (line, flaw) = sniff::whole_lines(head, complete)
        .find_map(|(line, bytes)| Some((line, parse_object(std::str::from_utf8(bytes).ok()?).err()?)))?;
    Some(format!("line {line} is not a JSON object ({}): write one object per line and nothing after it", flaw.hint))
}

fn collect_keys(object: &JsonObject, prefix: &str, depth: u8, found: &mut dyn FnMut(String)) {
    for (key, value) in object {
        let name = format!("{prefix}.{key}");
        if let Json::Object(inner) = value
            && depth > 0
        {
            collect_keys(inner, &name, depth - 1, found);
        }
        found(name);
    }
}

#[cfg(test)]
mod tests;
