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
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use proptest::prelude::*;

    use crate::domain::{Code, Field, NewCustomer, RawRecord, RecordVerdict, Severity};

    use super::*;
    use crate::intake::open::unpack::tests::gzip;

    fn feed(bytes: &[u8], options: &InputOptions) -> Result<Feed, IntakeError> {
        Feed::of(Path::new("customers"), Cursor::new(bytes.to_vec()), options)
    }

    fn read(text: &str) -> Vec<InputRecord<'static>> {
        read_with(text.as_bytes(), &InputOptions::default())
    }

    fn read_with(bytes: &[u8], options: &InputOptions) -> Vec<InputRecord<'static>> {
        feed(bytes, options).unwrap().map(Result::unwrap).collect()
    }

    fn fixture(name: &str, options: &InputOptions) -> Vec<InputRecord<'static>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        Feed::open(&path, options).unwrap().map(Result::unwrap).collect()
    }

    fn codes(record: &InputRecord<'_>) -> Vec<Code> {
        record.verdict.violations().iter().map(|violation| violation.code).collect()
    }

    fn customer<'a, 'b>(record: &'b InputRecord<'a>) -> &'b NewCustomer<'a> {
        match &record.verdict {
            RecordVerdict::Valid { customer, .. } => customer,
            RecordVerdict::Invalid { problems, .. } => panic!("{problems:?}"),
        }
    }

    const HEADER: &str = "name,email,phone,country\n";
    const GOOD: &str = "Ada,ada@kunde.de,+4915123456789,DE\n";

    #[test]
    fn the_good_fixtures_hold_the_same_customers_and_no_problem() {
        let options = InputOptions { keep: vec!["legacy_id".to_owned()], ..InputOptions::default() };
        let (csv, ndjson) = (fixture("customers.csv", &options), fixture("customers.ndjson", &options));
        assert_eq!(csv.len(), 41);
        assert_eq!(ndjson.len(), csv.len());
        for (one, other) in csv.iter().zip(&ndjson) {
            assert!(customer(one) == customer(other), "row {}", one.position.row);
            assert_eq!(one.kept, other.kept);
            assert_eq!(one.position.line, one.position.row + 1);
            assert_eq!(codes(one), [Code::EmailReservedDomain], "row {}", one.position.row);
        }
    }

    #[test]
    fn the_messy_fixtures_show_every_code_that_a_small_file_can_hold() {
        let options = InputOptions::default();
        let records: Vec<_> =
            ["messy.csv", "messy.ndjson"].into_iter().flat_map(|name| fixture(name, &options)).collect();
        let shown: BTreeSet<Code> = records.iter().flat_map(codes).collect();
        let elsewhere = [Code::RowTooLarge, Code::RowEncoding, Code::RowEscapedQuotes, Code::DuplicateDiffers];
        let missing: Vec<_> =
            Code::ALL.iter().filter(|code| !shown.contains(code) && !elsewhere.contains(code)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(records.iter().filter(|record| matches!(record.verdict, RecordVerdict::Valid { .. })).count() >= 10);
    }

    #[test]
    fn rows_and_lines_are_right_to_the_end_of_the_file() {
        let text = "\u{feff}name,email,phone,country,note\r\nA,a@b.de,1,DE,\"x\r\ny\"\r\n\r\n,,,,\r\nB,b@b.de,1,DE,z";
        let positions: Vec<_> = read(text).iter().map(|record| (record.position.row, record.position.line)).collect();
        assert_eq!(positions, [(1, 2), (2, 6)]);
    }

    #[test]
    fn every_problem_of_a_record_is_told_with_its_column() {
        let records = read("Full Name,E-Mail,Mobile,Country\n,nobody,12,Atlantis\n");
        let RecordVerdict::Invalid { email, problems, .. } = &records[0].verdict else { panic!() };
        let told: Vec<_> = problems.iter().map(|found| (found.code, found.column.as_str())).collect();
        assert_eq!(
            told,
            [
                (Code::NameMissing, "Full Name"),
                (Code::EmailSyntax, "E-Mail"),
                (Code::CountryUnknown, "Country"),
                (Code::PhoneNoCountryCode, "Mobile"),
            ]
        );
        let consequences: Vec<_> =
            problems.iter().filter(|found| found.is_consequence).map(|found| found.code).collect();
        assert_eq!(consequences, [Code::PhoneNoCountryCode]);
        assert_eq!(email.as_deref(), Some("nobody"));
    }

    #[test]
    fn records_of_another_width_are_told_and_the_next_one_is_read() {
        let records = read(&format!("{HEADER}Ada,ada@kunde.de\n{GOOD}a,b,c,d,e\n{GOOD}"));
        assert_eq!(codes(&records[0]), [Code::RowColumnCount]);
        assert_eq!(codes(&records[2]), [Code::RowColumnCount]);
        assert_eq!(records.iter().filter(|record| codes(record).is_empty()).count(), 2);
    }

    #[test]
    fn a_file_without_one_object_is_told_by_its_first_line() {
        let hint = |text: &str| feed(text.as_bytes(), &InputOptions::default()).unwrap_err().hint().unwrap_or_default();
        assert!(
            hint("{\"name\":\"Ada\"},\n{\"name\":\"Bo\"},\n")
                .contains("line 1 is not a JSON object (ends with a comma: remove it with sed")
        );
        assert!(hint("{\"name\":\"Ada\"},\n{\"name\":\"Bo\"}\n").contains("--map"));
    }

    #[test]
    fn a_row_in_which_the_file_ends_is_told_from_one_that_lacks_cells() {
        let hint = |text: &str| read(&format!("{HEADER}{text}"))[0].verdict.violations()[0].hint.to_string();
        assert!(hint("Ada").starts_with("has 1 cell but the header has 4: the file ends within this row"));
        assert!(hint("Ada,a@kunde.de\n").starts_with("has 2 cells but the header has 4: a line break"));
    }

    #[test]
    fn undecodable_cells_are_told_and_not_replaced() {
        let mut bytes = format!("{HEADER}{}", GOOD.repeat(150)).into_bytes();
        bytes.extend_from_slice(b"J\xf6rg,j@kunde.de,+4915123456789,DE\n");
        let records = read_with(&bytes, &InputOptions { want_raw: true, ..InputOptions::default() });
        let last = records.last().unwrap();
        let RecordVerdict::Invalid { problems, .. } = &last.verdict else { panic!() };
        assert_eq!(problems[0].code, Code::RowEncoding);
        assert!(problems[0].hint.contains("0xF6, line 152"), "{}", problems[0].hint);
        let Some(RawRecord::Cells(cells)) = &last.raw else { panic!() };
        assert_eq!(cells[0], b"J\xf6rg");
    }

    #[test]
    fn a_file_in_another_encoding_is_refused_as_a_whole() {
        let bytes = [HEADER.as_bytes(), GOOD.as_bytes(), b"J\xf6rg,j@kunde.de,+4915123456789,DE\n"].concat();
        let error = feed(&bytes, &InputOptions::default()).unwrap_err();
        assert!(matches!(error, IntakeError::Encoding { undecodable: 1, of: 2, line: 3, .. }), "{error}");
        let header = feed(b"n\xe4me,email\n", &InputOptions::default()).unwrap_err();
        assert!(matches!(header, IntakeError::HeaderEncoding { line: 1, .. }));
    }

    #[test]
    fn an_open_quote_ends_the_feed_and_names_its_place() {
        let mut feed =
            feed(format!("{HEADER}{GOOD}Ada,\"ada@kunde.de,1,DE\n{GOOD}").as_bytes(), &InputOptions::default())
                .unwrap();
        assert!(feed.next().unwrap().is_ok());
        let error = feed.next().unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "customers, line 3: a quote opens here and is not closed, or not within 64 KiB (column email)"
        );
        assert!(feed.next().is_none());
    }

    #[test]
    fn a_record_beyond_a_limit_is_told_and_the_next_one_is_read() {
        let records = read(&format!("{HEADER}{},b,c,d\n{GOOD}", "x".repeat(70_000)));
        assert_eq!(codes(&records[0]), [Code::RowTooLarge]);
        assert_eq!(codes(&records[1]), []);
        let long = format!(
            "{{\"name\":\"A\",\"email\":\"a@b.de\",\"phone\":\"+4915123456789\",\"country\":\"DE\"}}\n{{\"x\":\"{}\"}}\n",
            "x".repeat(1 << 21)
        );
        assert_eq!(read(&long).iter().map(codes).collect::<Vec<_>>(), [vec![], vec![Code::RowTooLarge]]);
    }

    #[test]
    fn templates_fixed_values_and_extras_make_a_customer() {
        let text = "First,Last,Mail,Tel,City,customer_idType,secret\nAda,King,ada@kunde.de,0151 23456789,Köln,,x\n";
        let options = InputOptions {
            maps: vec!["name={First} {Last}".parse().unwrap()],
            sets: vec!["country=DE".parse().unwrap(), "type=business".parse().unwrap()],
            extras: vec!["customer_address.city=City".parse().unwrap()],
            keep: vec!["secret".to_owned()],
            ..InputOptions::default()
        };
        let records = read_with(text.as_bytes(), &options);
        let customer = customer(&records[0]);
        assert_eq!((customer.name.as_str(), &*customer.phone.to_string()), ("Ada King", "+4915123456789"));
        assert_eq!(customer.kind.as_str(), "business");
        assert!(customer.send_kyc_mail);
        assert_eq!(
            Json::Object(*customer.extra.clone().unwrap()),
            serde_json::json!({"customer_address": {"city": "Köln"}}).into()
        );
        assert_eq!(records[0].kept, ["x"]);
    }

    #[test]
    fn an_export_of_a_shop_is_read_with_a_few_maps() {
        let text = "Customer ID,First Name,Last Name,Email,Default Address Country Code,Default Address Phone,Phone,Note\n\
                    '77,Ada,King,ada@kunde.de,DE,,'+4915123456789,\n";
        let refused = feed(text.as_bytes(), &InputOptions::default()).unwrap_err();
        assert_eq!(
            refused.hint().unwrap(),
            "--map 'customer_name={First Name} {Last Name}' --map 'customer_country=Default Address Country Code'"
        );
        let maps = ["customer_name={First Name} {Last Name}", "customer_country=Default Address Country Code"];
        let options =
            InputOptions { maps: maps.iter().map(|typed| typed.parse().unwrap()).collect(), ..InputOptions::default() };
        assert_eq!(customer(&read_with(text.as_bytes(), &options)[0]).phone.to_string(), "+4915123456789");
    }

    #[test]
    fn what_spreadsheets_leave_behind_is_never_sent() {
        let text = "name,email,phone,country,customer_idNumber\n\
                    #N/A,ada@kunde.de,+4915123456789,DE,1\n\
                    Ada,ada@kunde.de,+4915123456789,DE,\"=\"\"0123\"\"\"\n\
                    Ada,#REF!,#VALUE!,#N/A,\n";
        let found: Vec<_> = read(text).iter().map(codes).collect();
        assert_eq!(found[0], [Code::CellSpreadsheetDamage]);
        assert_eq!(found[1], [Code::CellSpreadsheetDamage]);
        assert_eq!(found[2], [Code::EmailSyntax, Code::CountryUnknown, Code::PhoneSpreadsheetDamage]);
    }

    #[test]
    fn structures_and_numbers_are_no_texts() {
        let text = r#"{"name":["A"],"email":7,"phone":4.9e11,"country":true}"#;
        assert_eq!(
            codes(&read(text)[0]),
            [Code::NameMissing, Code::EmailSyntax, Code::CountryUnknown, Code::PhoneSpreadsheetDamage,]
        );
    }

    #[test]
    fn numbers_are_kept_and_sent_digit_for_digit() {
        let numbers = [
            "98765432109876543210987",
            "4503599627370496.123456",
            "1e2",
            "1E+2",
            "-0",
            "-0.0",
            "1.0",
            "0.10",
            "7",
            "-7",
            "18446744073709551615",
            "18446744073709551616",
        ];
        for number in numbers {
            let nested = format!(r#"{{"a":[{number},{{"b":{number},"c":[],"d":"\u00e9","e":null,"f":true}}]}}"#);
            let text = format!(
                r#"{{"name":"Ada","email":"ada@kunde.de","phone":"+4915123456789","country":"DE","n":{number},"o": {nested}}}"#
            );
            let options = InputOptions {
                extras: vec!["x.n=n".parse().unwrap(), "x.o=o".parse().unwrap()],
                keep: ["n", "o", "o.a"].map(str::to_owned).to_vec(),
                ..InputOptions::default()
            };
            let records = read_with(text.as_bytes(), &options);
            let nested = nested.replace("\\u00e9", "é");
            let array = nested.strip_prefix(r#"{"a":"#).unwrap().strip_suffix('}').unwrap();
            assert_eq!(records[0].kept, [number, &nested, array]);
            let extra = Json::Object(*customer(&records[0]).extra.clone().unwrap());
            assert_eq!(extra.to_string(), format!(r#"{{"x":{{"n":{number},"o":{nested}}}}}"#));
        }
    }

    #[test]
    fn numbers_that_a_float_would_make_one_are_other_data() {
        let row = |number: &str| {
            format!(r#"{{"name":"Ada","email":"ada@kunde.de","phone":"+4915123456789","country":"DE","n":{number}}}"#)
        };
        let text = [row("98765432109876543210987"), row("98765432109876543210988")].join("\n");
        let options = InputOptions { extras: vec!["n=n".parse().unwrap()], ..InputOptions::default() };
        let records = read_with(text.as_bytes(), &options);
        assert_ne!(customer(&records[0]).extra, customer(&records[1]).extra);
    }

    #[test]
    fn json_values_keep_their_type_and_keys_may_be_nested() {
        let text = r#"{"profile":{"name":" Ada "},"email":"ada@kunde.de","phone":12015550123,"country":"US","send_kyc_mail":false,"customer_idNumber":12,"customer_address":{"city":"Köln","unit":5}}"#;
        let options = InputOptions { maps: vec!["name=profile.name".parse().unwrap()], ..InputOptions::default() };
        let records = read_with(text.as_bytes(), &options);
        let customer = customer(&records[0]);
        assert_eq!((customer.name.as_str(), &*customer.phone.to_string()), ("Ada", "+12015550123"));
        assert!(!customer.send_kyc_mail);
        let expected = serde_json::json!({"customer_idNumber": 12, "customer_address": {"city": "Köln"}});
        assert_eq!(Json::Object(*customer.extra.clone().unwrap()), expected.into());
    }

    #[test]
    fn a_key_that_the_first_objects_lack_is_used_when_it_comes() {
        let first = r#"{"name":"A","email":"a@b.de","phone":"+4915123456789","country":"DE"}"#;
        let padding = format!("{first}\n").repeat(1000);
        let last =
            r#"{"name":"B","email":"b@b.de","phone":"+4915123456789","country":"DE","customer_type":"business"}"#;
        let records = read(&format!("{padding}{last}"));
        assert_eq!(customer(records.last().unwrap()).kind.as_str(), "business");
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers.csv");
        std::fs::write(&path, format!("{HEADER}{GOOD}")).unwrap();
        let mut feed = Feed::open(&path, &InputOptions::default()).unwrap();
        assert!(feed.next().unwrap().is_ok());
        std::fs::write(&path, format!("{HEADER}{GOOD}{GOOD}")).unwrap();
        let rest: Vec<_> = feed.collect();
        assert!(matches!(rest.last(), Some(Err(IntakeError::Changed { .. }))));
    }

    #[test]
    fn a_packed_file_that_changes_is_told_as_changed_and_not_as_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers.csv.gz");
        let rows: String =
            (0..30_000u32).map(|n| format!("Ada{},a@b.de,1,DE\n", n.wrapping_mul(2_654_435_761))).collect();
        let packed = gzip(format!("{HEADER}{rows}").as_bytes());
        std::fs::write(&path, &packed).unwrap();
        let mut feed = Feed::open(&path, &InputOptions::default()).unwrap();
        assert!(feed.next().unwrap().is_ok());
        std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
        assert!(matches!(feed.last(), Some(Err(IntakeError::Changed { .. }))));
    }

    #[test]
    fn other_json_is_refused_with_the_way_out() {
        let error = feed(b"[{\"name\":\"A\"}]", &InputOptions::default()).unwrap_err();
        assert!(error.hint().unwrap().contains("jq -c '.[]'"), "{error}");
    }

    #[test]
    fn debug_output_holds_no_persons_data() {
        let options = InputOptions { want_raw: true, keep: vec!["name".to_owned()], ..InputOptions::default() };
        let records = read_with(format!("{HEADER}{GOOD}Grace,grace,1,DE\n").as_bytes(), &options);
        let shown = format!("{records:?}");
        assert!(!["Ada", "ada@", "Grace", "grace", "4915"].iter().any(|data| shown.contains(data)), "{shown}");
    }

    /// Fixes every field by `--set`, so that any bytes can be read as records.
    fn anything_goes(want_raw: bool) -> InputOptions {
        let sets = ["name=A", "email=a@b.de", "phone=+4915123456789", "country=DE"];
        InputOptions {
            sets: sets.iter().map(|typed| typed.parse().unwrap()).collect(),
            want_raw,
            ..InputOptions::default()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_bytes_are_read_without_panic_and_rows_count_up(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                prop::collection::vec(prop::sample::select(b"a,;\"\r\n{}[]:1\xc3\xa9".to_vec()), 0..300),
            ],
            format in prop::sample::select(vec![Format::Auto, Format::Csv, Format::Ndjson]),
        ) {
            let options = InputOptions { format, ..anything_goes(true) };
            if let Ok(feed) = feed(&bytes, &options) {
                let (mut row, mut line) = (0, 0);
                for record in feed {
                    let Ok(record) = record else { break };
                    row += 1;
                    prop_assert_eq!(record.position.row, row);
                    prop_assert!(record.position.line > line);
                    line = record.position.line;
                    let bad = codes(&record).iter().any(|code| code.severity() == Severity::Problem);
                    prop_assert_eq!(bad, matches!(record.verdict, RecordVerdict::Invalid { .. }));
                }
            }
        }

        #[test]
        fn what_the_csv_crate_writes_comes_back_cell_for_cell(
            rows in prop::collection::vec(prop::collection::vec("[a-zA-Z\"',; |\n\r\té字]{0,12}", 3), 1..20),
            delimiter in prop::sample::select(b",;\t|".to_vec()),
        ) {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(["x", "y", "z"]).unwrap();
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let options = InputOptions { delimiter: Some(delimiter), format: Format::Csv, ..anything_goes(true) };
            let read = read_with(&text, &options);
            let written: Vec<_> = rows.iter().filter(|row| row.iter().any(|cell| !cell.trim_ascii().is_empty())).collect();
            prop_assert_eq!(read.len(), written.len());
            for (record, row) in read.iter().zip(written) {
                let cells: Vec<Vec<u8>> = row.iter().map(|cell| cell.clone().into_bytes()).collect();
                prop_assert!(record.raw == Some(RawRecord::Cells(cells)));
            }
        }
    }

    #[test]
    fn mapping_words_tell_what_feeds_each_field() {
        let feed = feed(b"name,email,phone,country,x\n", &InputOptions::default()).unwrap();
        let fields: Vec<_> = feed.mapping().fields().collect();
        assert_eq!(fields[0], (Field::Name, "column \"name\"".to_owned()));
        assert_eq!(fields[4], (Field::Type, "no column: individual".to_owned()));
        assert_eq!(feed.mapping().unused(), ["x"]);
    }

    #[test]
    fn quotes_within_a_cell_that_are_written_with_a_backslash_are_refused() {
        for cell in [
            r#""Dwayne \"Rock\" Jay""#,
            r#""\"Rock\" Jay""#,
            r#""Ada \"King\"""#,
            r#""Screen 15\" wide""#,
            r#""Ada \"King, Countess\"""#,
        ] {
            let records = read(&format!("{HEADER}{cell},ada@kunde.de,+4915123456789,DE\n{GOOD}"));
            assert_eq!(codes(&records[0]), [Code::RowEscapedQuotes], "{cell}");
            assert_eq!(codes(&records[1]), [], "{cell}");
        }
        for cell in
            [r#""Dwayne ""Rock"" Jay""#, r"AC\DC", r#""AC\DC""#, r#""{""a"":""b\\c""}""#, r#""Ada ""the\King""""#]
        {
            let records = read(&format!("{HEADER}{cell},ada@kunde.de,+4915123456789,DE\n"));
            assert!(!records[0].verdict.is_invalid(), "{cell}: {:?}", codes(&records[0]));
        }
        // JSON in a column that nothing uses.
        let json = read(&format!("note,{HEADER}\"{{\"\"a\"\":\"\"b\\\"\"c\\\"\"\"\"}}\",{GOOD}"));
        assert_eq!(codes(&json[0]), []);
    }

    #[test]
    fn a_column_without_a_name_that_every_row_lacks_is_not_a_column() {
        let records = read(&format!("name,email,phone,country,,\n{GOOD}{GOOD}name,email,phone,country,,\n{GOOD}"));
        assert_eq!(records.iter().map(codes).collect::<Vec<_>>(), vec![vec![]; 3]);
        // The rows of a file that has the column now and then are judged one by one.
        let records = read(&format!("name,email,phone,country,\n{GOOD}Ada,ada@kunde.de,+4915123456789,DE,\n"));
        assert_eq!(codes(&records[0]), [Code::RowColumnCount]);
        assert_eq!(codes(&records[1]), []);
        let hint = &records[0].verdict.violations()[0].hint;
        assert!(hint.contains("remove the delimiter at the end of the header"), "{hint}");
    }

    #[test]
    fn a_row_that_lacks_its_last_cells_says_which() {
        let records = read(&format!("name,email,phone,country,note,vip\n{GOOD}Ada,ada@kunde.de,DE\n"));
        let hints: Vec<_> = records.iter().map(|record| record.verdict.violations()[0].hint.clone()).collect();
        let missing = "has 4 cells but the header has 6: the last 2 cells are missing (note, vip), as spreadsheets leave \
                       out empty ones: end the row with 2 more delimiters";
        assert!(hints[0].starts_with(missing), "{}", hints[0]);
        assert!(hints[1].ends_with("a line break or a missing delimiter?"), "{}", hints[1]);
    }
}
