//! Takes one record apart and judges it. Pure: the same bytes give the same verdict on any thread.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::domain::{
    Code, Country, Field, Flaw, InputRecord, Json, JsonObject, NewCustomer, Position, RawRecord, RecordVerdict,
    Violation, Violations, counted, plural, shorten,
};

use super::given::given_text;
use super::glance::{Seen, see};
use super::no_record::NoRecord;
use super::repeated_header::repeated_header;
use super::validate::{hold, judge};
use crate::intake::columns::column_names::{Column, Place};
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::sources::TextSource;
use crate::intake::columns::template::{Cell, Row, cell_text};
use crate::intake::open::decode;
use crate::intake::open::decode::Undecodable;
use crate::intake::read::csv::{Record, line_ends};
use crate::intake::read::ndjson::{Item, Object, parse_object};
use crate::intake::read::records::Scanned;
use crate::intake::read::xlsx::sheet::DamagedCell;

/// With this many line breaks, a cell more likely has a stray quote than a long text.
const SUSPICIOUS_LINES: u64 = 10;

/// What all records of an input are judged by.
#[derive(Debug)]
pub(crate) struct Examiner {
    pub(crate) mapping: Mapping,
    /// The column names. Empty if the input does not have a header.
    pub(crate) header: Vec<String>,
    pub(crate) encoding: &'static Encoding,
    pub(crate) region: Option<Country>,
    /// The warnings that count as problems.
    pub(crate) held: Vec<Code>,
    pub(crate) want_raw: bool,
    pub(crate) may_be_cut: bool,
}

/// The result for one record.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and a box would be an allocation a row")]
pub(crate) enum Examined<'a> {
    /// There is nothing to report besides the customer.
    Plain(NewCustomer<'a>),
    /// A record without its raw cells, and what they are read from.
    Record(InputRecord<'a>, RawSource<'a>),
}

/// Copies a record as it was read, if the record is to be kept. Few copies of many bad records are
/// ever shown.
pub(crate) struct RawSource<'a> {
    examiner: &'a Examiner,
    scanned: Scanned<'a>,
    is_kept: bool,
}

impl RawSource<'_> {
    pub(crate) fn read(self) -> Option<RawRecord> {
        if self.is_kept { self.examiner.raw(self.scanned) } else { None }
    }
}

impl Examiner {
    /// Passes the result to `work`, because it may borrow from what was parsed. Returns an error,
    /// and does not call `work`, if the row is not a record.
    pub(crate) fn examine<T>(
        &self,
        position: Position,
        scanned: Scanned<'_>,
        work: impl FnOnce(Examined<'_>) -> T,
    ) -> Result<T, NoRecord> {
        let mut seen = Seen::Nothing;
        match self.at_a_glance(scanned, &mut seen) {
            Some(customer) => Ok(work(Examined::Plain(customer))),
            None => self.examine_closely(position, scanned, seen, work),
        }
    }

    /// Returns the customer of a row of CSV if there is nothing to report and nothing else to
    /// return. Nearly all rows are like this, and none of them pays for what the others need.
    /// `seen` receives what was seen of another row.
    #[inline(always)]
    pub(crate) fn at_a_glance<'a>(&'a self, scanned: Scanned<'a>, seen: &mut Seen<'a>) -> Option<NewCustomer<'a>> {
        let Scanned::Cells { record, ended } = scanned else { return None };
        let row = CellRow { record, text: record.text() };
        let is_cut_off = self.may_be_cut && !ended;
        if is_cut_off || !self.wants_only_customers() || !self.is_whole(&row) {
            return None;
        }
        see(&self.mapping, &row, self.region, seen)
    }

    /// Whether every row is a record, and nothing but its customer is wanted if that is plain.
    #[inline]
    fn wants_only_customers(&self) -> bool {
        !self.want_raw && self.mapping.kept.is_empty() && !self.selects()
    }

    /// Does what [`Examiner::examine`] does for a record with more to report than its customer.
    /// `seen` is what [`Examiner::at_a_glance`] left there. Not inlined, because it is rarely
    /// needed.
    #[inline(never)]
    pub(crate) fn examine_closely<'s, T>(
        &'s self,
        position: Position,
        scanned: Scanned<'s>,
        mut seen: Seen<'s>,
        work: impl FnOnce(Examined<'_>) -> T,
    ) -> Result<T, NoRecord> {
        Ok(match scanned {
            Scanned::Cells { record, ended } => {
                let row = CellRow { record, text: record.text() };
                // A truncated line of NDJSON is not an object, so it is reported in any case.
                let is_cut_off = self.may_be_cut && !ended;
                if self.selects() && !is_cut_off && self.is_left_out(&row) {
                    return Err(repeated_header(&self.header, &self.mapping, record).into());
                }
                // What a glance has not seen is not there.
                let was_seen = self.wants_only_customers() || is_cut_off || !self.is_whole(&row);
                let plain = if was_seen { None } else { see(&self.mapping, &row, self.region, &mut seen) };
                if let Some(customer) = plain {
                    work(self.plain_record(position, scanned, customer, &row))
                } else if let Some(judged) = self.judge_seen(seen, &row) {
                    // A row with a valid e-mail in its place does not repeat the header.
                    work(self.record(position, scanned, judged))
                } else {
                    if let Some(repeated) = repeated_header(&self.header, &self.mapping, record) {
                        return Err(repeated.into());
                    }
                    let judged = self.judge_cells(&row, position.line, ended);
                    work(self.record(position, scanned, if is_cut_off { judged.cut_off() } else { judged }))
                }
            }
            Scanned::Line { bytes, ended } => match self.object(bytes, ended) {
                Ok(object) => {
                    let row = ObjectRow(&object);
                    if self.selects() && !self.mapping.conditions.iter().all(|it| it.holds(row.cell(&it.column.place)))
                    {
                        return Err(NoRecord::NotSelected);
                    }
                    let mut seen = Seen::Nothing;
                    match see(&self.mapping, &row, self.region, &mut seen) {
                        Some(customer) => work(self.plain_record(position, scanned, customer, &row)),
                        None => {
                            let judged = self.judge_seen(seen, &row).unwrap_or_else(|| self.judge_object(&row));
                            work(self.record(position, scanned, judged))
                        }
                    }
                }
                Err(problem) => work(self.record(position, scanned, self.whole(*problem))),
            },
            Scanned::Row { record, damaged } => {
                let row = CellRow { record, text: record.text() };
                let is_whole = damaged.is_empty() && record.len() == self.header.len();
                if self.selects() && self.is_sheet_row_left_out(&row, damaged) {
                    return Err(repeated_header(&self.header, &self.mapping, record).into());
                }
                let plain = if is_whole { see(&self.mapping, &row, self.region, &mut seen) } else { None };
                if let Some(customer) = plain {
                    work(self.plain_record(position, scanned, customer, &row))
                } else if let Some(judged) = self.judge_seen(seen, &row) {
                    work(self.record(position, scanned, judged))
                } else {
                    if let Some(repeated) = repeated_header(&self.header, &self.mapping, record) {
                        return Err(repeated.into());
                    }
                    work(self.record(position, scanned, self.judge_sheet_row(&row, damaged)))
                }
            }
            Scanned::TooLarge { limit } => {
                work(self.record(position, scanned, self.whole(too_large(limit).at("", ""))))
            }
        })
    }

    /// Whether a row must hold something to be a record.
    #[inline]
    fn selects(&self) -> bool {
        !self.mapping.conditions.is_empty()
    }

    /// Whether a row can be read and does not hold what a record must hold. A row whose cells may
    /// be in the wrong place, or whose cell is not text, stays a record with this problem, because
    /// a customer may be in it.
    fn is_left_out(&self, row: &CellRow<'_>) -> bool {
        let can_be_read = row.record.len() == self.header.len() && self.escaped_quotes(row.record).is_none();
        can_be_read
            && self.mapping.conditions.iter().any(|condition| match row.cell(&condition.column.place) {
                Cell::Absent => false,
                cell => !condition.holds(cell),
            })
    }

    #[inline(always)]
    fn plain_record<'a>(
        &'a self,
        position: Position,
        scanned: Scanned<'a>,
        customer: NewCustomer<'a>,
        row: &impl Row<'a>,
    ) -> Examined<'a> {
        if !self.want_raw && self.mapping.kept.is_empty() {
            return Examined::Plain(customer);
        }
        let verdict = RecordVerdict::Valid { customer, warnings: Violations::default() };
        self.record(position, scanned, JudgedCells { verdict, kept: keep(&self.mapping, row) })
    }

    /// Judges the rest of a record of which a glance saw the other cells. Returns `None` if it saw
    /// too few.
    fn judge_seen<'a>(&'a self, seen: Seen<'a>, row: &impl Row<'a>) -> Option<JudgedCells<'a>> {
        let verdict = seen.judged(&self.mapping, row, self.region, &self.held)?;
        Some(JudgedCells { verdict, kept: keep(&self.mapping, row) })
    }

    fn record<'a>(&'a self, position: Position, scanned: Scanned<'a>, judged: JudgedCells<'a>) -> Examined<'a> {
        let JudgedCells { verdict, kept } = judged;
        let is_kept = self.want_raw || verdict.is_invalid();
        Examined::Record(
            InputRecord { position, verdict, kept, raw: None },
            RawSource { examiner: self, scanned, is_kept },
        )
    }

    /// Whether the row as a whole is in order, so that only its cells need to be judged.
    #[inline]
    fn is_whole(&self, row: &CellRow<'_>) -> bool {
        row.text.is_some()
            && row.record.len() == self.header.len()
            && !row.record.has_line_breaks()
            && row.record.escaped_quote().is_none()
    }

    fn judge_cells<'a>(&'a self, row: &CellRow<'a>, line: u64, ended: bool) -> JudgedCells<'a> {
        let record = row.record;
        let mut broken = Vec::new();
        if row.text.is_none() {
            broken.extend(self.encoding_problems(record, line));
        }
        let escaped = self.escaped_quotes(record);
        // Such a quote ends its cell early, so it explains too many cells.
        if record.len() != self.header.len() && escaped.is_none() {
            broken.push(self.column_count(record, ended));
        }
        broken.extend(escaped);
        let oddities = self.swallowed_lines(record, line);
        let verdict = if broken.is_empty() {
            judge(&self.mapping, row, self.region, oddities, &self.held)
        } else {
            broken.extend(oddities);
            hold(&mut broken, &self.held);
            self.given_up(row, broken)
        };
        JudgedCells { verdict, kept: keep(&self.mapping, row) }
    }

    /// Returns the verdict on a row whose cells may be in the wrong place, with the e-mail and the
    /// name that it seems to have.
    pub(super) fn given_up<'a>(&'a self, row: &impl Row<'a>, problems: Vec<Violation<'a>>) -> RecordVerdict<'a> {
        let [email, name] = [Field::Email, Field::Name].map(|field| given_text(&self.mapping, row, field));
        RecordVerdict::Invalid { email, name, problems: problems.into() }
    }

    /// Returns the record as it was read. Damaged cells are marked, so that a copy of the record
    /// stays invalid until someone corrects it.
    fn raw(&self, scanned: Scanned<'_>) -> Option<RawRecord> {
        match scanned {
            Scanned::Cells { record, .. } if record.escaped_quote().is_some() => {
                Some(RawRecord::Misread(cells(record)))
            }
            Scanned::Cells { record, .. } => Some(RawRecord::Cells(cells(record))),
            Scanned::Line { bytes, .. } => Some(RawRecord::Line(bytes.to_vec())),
            Scanned::Row { record, damaged } => {
                let mut cells = cells(record);
                for DamagedCell { index, damage } in self.needed(damaged) {
                    if let Some(cell) = cells.get_mut(index) {
                        *cell = damage.marked(cell);
                    }
                }
                Some(RawRecord::Cells(cells))
            }
            Scanned::TooLarge { .. } => None,
        }
    }

    fn judge_object<'a>(&'a self, row: &ObjectRow<'a>) -> JudgedCells<'a> {
        let verdict = judge(&self.mapping, row, self.region, Vec::new(), &self.held);
        JudgedCells { verdict, kept: keep(&self.mapping, row) }
    }

    /// Returns the object of a line, or why the line does not hold one.
    fn object<'a>(&self, line: &'a [u8], ended: bool) -> Result<Object<'a>, Box<Violation<'a>>> {
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            let hint = Undecodable::first(line, self.encoding).map(|found| not_text(found, self.encoding, ""));
            let flaw = Flaw::new(Code::RowEncoding, hint.unwrap_or_default());
            return Err(Box::new(flaw.at("", decode::shown(line, self.encoding))));
        };
        parse_object(text).map_err(|mut flaw| {
            if !ended && flaw.code == Code::JsonSyntax {
                flaw.hint.to_mut().push_str("; the file ends within this line");
            }
            Box::new(flaw.at("", text))
        })
    }

    /// Returns the verdict on a record that could not be taken apart. It has only this problem, and
    /// its kept cells are empty.
    fn whole<'a>(&self, problem: Violation<'a>) -> JudgedCells<'a> {
        let verdict = RecordVerdict::Invalid { email: None, name: None, problems: Violations::One(problem) };
        JudgedCells { verdict, kept: vec![String::new(); self.mapping.kept().len()] }
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.header.get(index).map_or("", String::as_str)
    }

    fn column_count(&self, record: Record<'_>, ended: bool) -> Violation<'static> {
        let (found, expected) = (record.len(), self.header.len());
        let optional;
        let cause = if found < expected && !ended {
            "the file ends within this row: is the file complete?"
        } else if found < expected && self.header[found..].iter().all(String::is_empty) {
            "if every row lacks the last column, which does not have a name, remove the delimiter at the end of the header"
        } else if found < expected && self.is_optional_from(found) {
            let names: Vec<_> = self.header[found..].iter().map(|name| shorten(name, 30)).collect();
            let missing = expected - found;
            let last =
                if missing == 1 { "the last cell is".to_owned() } else { format!("the last {missing} cells are") };
            optional = format!(
                "{last} missing ({}), as spreadsheets leave out empty ones: end the row with {missing} more \
                 {}, unless a line break within a cell cut it",
                names.join(", "),
                plural(missing as u64, "delimiter")
            );
            &optional
        } else if found < expected {
            "a line break or a missing delimiter?"
        } else if record.cells().skip(expected).all(<[u8]>::is_empty) {
            "if every row ends with delimiters, end the header with as many"
        } else {
            "a delimiter in a cell that is not in quotes?"
        };
        let hint = format!("has {} but the header has {expected}: {cause}", counted(found as u64, "cell"));
        Violation::new(Code::RowColumnCount, "", "", hint)
    }

    /// Whether no column from this index on feeds a field that every customer needs.
    fn is_optional_from(&self, index: usize) -> bool {
        let required = Field::ALL.into_iter().filter(|field| field.is_required());
        let mut columns =
            required.filter_map(|field| self.mapping.feeding(field).origin.as_ref()).flat_map(TextSource::columns);
        columns.all(|column| matches!(column.place, Place::Index(place) if place < index))
    }

    /// Returns the problem of the first cell with a quote that was written `\"`. The cells after it
    /// may have begun in the wrong place.
    fn escaped_quotes(&self, record: Record<'_>) -> Option<Violation<'_>> {
        let is_split = record.len() != self.header.len();
        let left_in = || record.cells().position(|cell| memchr::memmem::find(cell, b"\\\"").is_some());
        let index = record.escaped_quote().or_else(|| if is_split { left_in() } else { None })?;
        let hint = r#"quotes within a cell are written \" here: write them twice ("")"#;
        let cell = decode::shown(record.get(index).unwrap_or_default(), self.encoding);
        Some(Violation::new(Code::RowEscapedQuotes, self.name(index), cell, hint))
    }

    fn encoding_problems(&self, record: Record<'_>, line: u64) -> Vec<Violation<'_>> {
        let broken = record.cells().enumerate();
        let broken = broken.filter_map(|(index, cell)| Some((index, cell, Undecodable::first(cell, self.encoding)?)));
        broken
            .map(|(index, cell, found)| {
                let line = line + record.cells().take(index).map(line_ends).sum::<u64>();
                let hint = not_text(found, self.encoding, &format!(", line {line}"));
                Violation::new(Code::RowEncoding, self.name(index), decode::shown(cell, self.encoding), hint)
            })
            .collect()
    }

    fn swallowed_lines(&self, record: Record<'_>, line: u64) -> Vec<Violation<'_>> {
        if !record.has_line_breaks() {
            return Vec::new();
        }
        let long = record.cells().map(line_ends).enumerate().filter(|(_, ends)| *ends >= SUSPICIOUS_LINES);
        long.map(|(index, ends)| {
            let hint = format!("this cell holds {ends} line breaks, from line {line} on: is a closing quote missing?");
            Violation::new(Code::RowSwallowedLines, self.name(index), "", hint)
        })
        .collect()
    }
}

/// What was found in the cells of a record.
pub(super) struct JudgedCells<'a> {
    pub(super) verdict: RecordVerdict<'a>,
    pub(super) kept: Vec<String>,
}

impl JudgedCells<'_> {
    /// Makes the record invalid, because it may be only the beginning of a record and must not be
    /// sent.
    fn cut_off(self) -> Self {
        let hint = "the input ends in the middle of this line, so the record may be cut off; if it is whole, end it with a line break";
        let cut = Violation::new(Code::RowColumnCount, "", "", hint);
        let [email, name] =
            [self.verdict.email(), self.verdict.name()].map(|text| text.map(|text| Cow::Owned(text.to_owned())));
        let (RecordVerdict::Valid { warnings: mut problems, .. } | RecordVerdict::Invalid { mut problems, .. }) =
            self.verdict;
        problems.push(cut);
        Self { verdict: RecordVerdict::Invalid { email, name, problems }, ..self }
    }
}

fn too_large(limit: &str) -> Flaw {
    Flaw::new(Code::RowTooLarge, format!("has more than {limit} and was skipped: shorten it, and import it again"))
}

fn cells(record: Record<'_>) -> Vec<Vec<u8>> {
    record.cells().map(<[u8]>::to_vec).collect()
}

/// Returns a hint that says which byte of a cell or line is not text, where it is, and what to do.
fn not_text(found: Undecodable, encoding: &'static Encoding, place: &str) -> String {
    let Undecodable { byte, after_bytes, after_characters } = found;
    let name = encoding.name();
    if encoding == UTF_8 {
        format!(
            "byte {} (0x{byte:02X}{place}) is not {name}; correct it, or if the whole file is in Windows-1252, \
             give --encoding windows-1252",
            after_bytes + 1
        )
    } else {
        format!(
            "character {} (byte 0x{byte:02X}{place}) is not {name}; correct it, or give another --encoding",
            after_characters + 1
        )
    }
}

/// Returns the cells of the kept columns. A cell that is not text stays empty.
pub(super) fn keep<'a>(mapping: &Mapping, row: &impl Row<'a>) -> Vec<String> {
    let text = |column: &Column| match row.cell(&column.place) {
        Cell::Json(value @ (Json::Array(_) | Json::Object(_))) => value.to_string(),
        cell => cell_text(cell).into_owned(),
    };
    mapping.kept.iter().map(text).collect()
}

pub(super) struct CellRow<'a> {
    pub(super) record: Record<'a>,
    /// All cells as one text, if all are text.
    pub(super) text: Option<&'a str>,
}

impl<'a> Row<'a> for CellRow<'a> {
    #[inline(always)]
    fn cell(&self, place: &Place) -> Cell<'a> {
        let Place::Index(index) = place else { return Cell::Absent };
        let cell = match self.text {
            Some(text) => self.record.range(*index).and_then(|range| text.get(range)),
            None => self.record.get(*index).and_then(|cell| std::str::from_utf8(cell).ok()),
        };
        cell.map_or(Cell::Absent, Cell::Text)
    }
}

struct ObjectRow<'a>(&'a Object<'a>);

impl<'a> Row<'a> for ObjectRow<'a> {
    #[inline]
    fn cell(&self, place: &Place) -> Cell<'a> {
        let Place::Key { name, dot } = place else { return Cell::Absent };
        match self.0.get(name) {
            Some(Item::Text(text)) => Cell::Text(text),
            Some(Item::Other(value)) => cell_of(value),
            None => dot.and_then(|dot| within(self.0, name, dot)).map_or(Cell::Absent, cell_of),
        }
    }
}

fn cell_of(value: &Json) -> Cell<'_> {
    match value {
        Json::Null => Cell::Absent,
        Json::Text(text) => Cell::Text(text),
        other => Cell::Json(other),
    }
}

/// Returns the value at a dotted path through nested objects. `dot` is the position of the first
/// dot.
fn within<'a>(object: &'a Object<'a>, key: &str, dot: usize) -> Option<&'a Json> {
    let Item::Other(value) = object.get(key.get(..dot)?)? else { return None };
    find(members(value)?, key.get(dot + 1..)?)
}

/// Returns the value of a key, or of the path through nested objects that its dots name.
fn find<'a>(object: &'a JsonObject, key: &str) -> Option<&'a Json> {
    if let Some(value) = object.get(key) {
        return Some(value);
    }
    let (first, rest) = key.split_once('.')?;
    find(members(object.get(first)?)?, rest)
}

fn members(value: &Json) -> Option<&JsonObject> {
    if let Json::Object(members) = value { Some(members) } else { None }
}
