//! The rows of a sheet as records.

use std::borrow::Cow;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use quick_xml::events::{BytesStart, Event};

use super::archive::PartReader;
use super::cell_text::{self, CellDamage};
use super::context::SheetContext;
use super::fault::WorkbookFault;
use super::shared_strings::RichText;
use super::xml::{CellText, XmlPart, attribute, is_true};
use crate::intake::limits::{LONGEST_CELL, LONGEST_RECORD, MOST_COLUMNS};
use crate::intake::read::csv::{CELL_LIMIT, COLUMN_LIMIT, Record};

/// The most columns of a sheet.
const MOST_SHEET_COLUMNS: usize = 16_384;

/// What the next read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::intake) enum SheetScan {
    /// A record in this row of the sheet. [`SheetReader::record`] returns its cells.
    Record {
        line: u64,
    },
    /// A record beyond a limit, which was skipped.
    TooLarge {
        line: u64,
        limit: &'static str,
    },
    End,
}

/// A cell that cannot be read as what it shows. The record has what is stored in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::intake) struct DamagedCell {
    pub(in crate::intake) index: usize,
    pub(in crate::intake) damage: CellDamage,
}

/// Reads one row after the other into its own buffer.
pub(in crate::intake) struct SheetReader {
    xml: XmlPart,
    context: Arc<SheetContext>,
    place: SheetPlace,
    /// The number of the last row that was begun.
    line: u64,
    /// The row of the header: the first one that has a value.
    header_line: Option<u64>,
    /// How many cells the header has. Every record has at least as many.
    width: usize,
    /// The columns whose cells are sent.
    sent: Vec<usize>,
    /// The first range of merged cells that has a cell of the header.
    merged_header: Option<String>,
    row: RowCells,
    cell: CellParts,
    counts: RowCounts,
}

/// Where in a sheet the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SheetPlace {
    BeforeRows,
    Rows,
    AfterRows,
    Over,
}

#[derive(Default)]
struct RowCounts {
    /// Blank rows that another row follows. The last rows of a sheet are often formatted and empty.
    blank: u64,
    blank_at_end: u64,
    hidden: u64,
}

/// The cells of the current row.
#[derive(Default)]
struct RowCells {
    texts: String,
    /// The end of each cell in `texts`.
    ends: Vec<usize>,
    damaged: Vec<DamagedCell>,
    /// One more than the index of the last cell that was read, whether it has a value or not.
    next: usize,
    limit: Option<&'static str>,
}

impl RowCells {
    fn clear(&mut self) {
        self.texts.clear();
        self.ends.clear();
        self.damaged.clear();
        (self.next, self.limit) = (0, None);
    }

    fn is_blank(&self) -> bool {
        self.texts.bytes().all(|byte| byte.is_ascii_whitespace()) && self.damaged.is_empty() && self.limit.is_none()
    }

    /// Adds a cell. Cells without a value are added when one with a value follows.
    fn add(&mut self, index: usize, text: &str, damage: Option<CellDamage>) {
        if text.is_empty() && damage.is_none() || self.limit.is_some() {
            return;
        }
        if index >= MOST_COLUMNS {
            self.limit = Some(COLUMN_LIMIT);
        } else if self.texts.len() + text.len() > LONGEST_RECORD {
            self.limit = Some("1 MiB");
        } else {
            self.widen(index);
            self.texts.push_str(text);
            self.ends.push(self.texts.len());
            self.damaged.extend(damage.map(|damage| DamagedCell { index, damage }));
        }
    }

    /// Adds empty cells until there are as many cells.
    fn widen(&mut self, width: usize) {
        if self.ends.len() < width {
            self.ends.resize(width, self.texts.len());
        }
    }
}

/// What was found in the current cell.
#[derive(Default)]
struct CellParts {
    kind: CellKind,
    style: Option<String>,
    has_formula: bool,
    has_value: bool,
    is_value: bool,
    /// How many elements of an inline text are open.
    inline: usize,
    rich: RichText,
    text: CellText,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CellKind {
    #[default]
    Number,
    SharedText,
    InlineText,
    FormulaText,
    Boolean,
    Error,
    Date,
    Unknown,
}

impl SheetReader {
    pub(super) fn new(part: PartReader, context: Arc<SheetContext>) -> Self {
        Self {
            xml: XmlPart::new(part),
            context,
            place: SheetPlace::BeforeRows,
            line: 0,
            header_line: None,
            width: 0,
            sent: Vec::new(),
            merged_header: None,
            row: RowCells::default(),
            cell: CellParts::default(),
            counts: RowCounts::default(),
        }
    }

    /// Sets how many cells every record has at least.
    pub(in crate::intake) fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Sets the columns whose cells are sent. Their names must be in cells of their own.
    pub(in crate::intake) fn set_sent(&mut self, columns: Vec<usize>) {
        self.sent = columns;
    }

    /// Reads to the end of the sheet. Returns the first range of merged cells that has a cell of
    /// the header, or `None` if none has one.
    pub(in crate::intake) fn merged_header(&mut self) -> io::Result<Option<String>> {
        loop {
            match self.advance() {
                Ok(SheetScan::End) => return Ok(self.merged_header.take()),
                Ok(_) => {}
                Err(error) => return self.merged_header.take().map(Some).ok_or(error),
            }
        }
    }

    /// Returns the record of the last [`SheetScan::Record`].
    pub(in crate::intake) fn record(&self) -> Record<'_> {
        Record::of_text(&self.row.texts, &self.row.ends)
    }

    /// Returns the cells of the record that cannot be read as what they show.
    pub(in crate::intake) fn damaged(&self) -> &[DamagedCell] {
        &self.row.damaged
    }

    /// Returns how many blank rows were skipped so far.
    pub(in crate::intake) fn blank_rows(&self) -> u64 {
        self.counts.blank
    }

    /// Returns how many of the records so far are in hidden rows.
    pub(in crate::intake) fn hidden_rows(&self) -> u64 {
        self.counts.hidden
    }

    /// Reads the next record. Blank rows are not records, even before the header.
    ///
    /// # Errors
    /// Returns an error if the sheet cannot be read, and at its end if cells of records or of the
    /// header are merged, because all but one of them seem to have a value that they do not have.
    pub(in crate::intake) fn advance(&mut self) -> io::Result<SheetScan> {
        while self.place != SheetPlace::Over {
            match self.xml.next_event()? {
                Event::Eof if self.place == SheetPlace::AfterRows => self.place = SheetPlace::Over,
                Event::Eof => return Err(WorkbookFault::damaged("a sheet without rows")),
                Event::Start(element) => match (self.place, element.local_name().into_inner()) {
                    (SheetPlace::AfterRows, "sheetData") => {
                        return Err(WorkbookFault::damaged("a sheet has its rows twice"));
                    }
                    (SheetPlace::BeforeRows, "sheetData") => self.place = SheetPlace::Rows,
                    (SheetPlace::Rows, "row") => {
                        let row = RowStart::of(&element)?;
                        if let Some(scan) = self.read_row(row)? {
                            return Ok(scan);
                        }
                    }
                    (SheetPlace::AfterRows, "mergeCell") => {
                        if let Some(range) = attribute(&element, "ref")? {
                            let range = range.into_owned();
                            self.check_merged(&range)?;
                        }
                    }
                    _ => {}
                },
                Event::End(element) if element.local_name().into_inner() == "sheetData" => {
                    self.place = SheetPlace::AfterRows;
                }
                _ => {}
            }
        }
        Ok(SheetScan::End)
    }

    fn read_row(&mut self, start: RowStart) -> io::Result<Option<SheetScan>> {
        let line = start.line.unwrap_or(self.line + 1);
        if line <= self.line {
            return Err(WorkbookFault::damaged(format!("row {line} follows row {}", self.line)));
        }
        self.counts.blank_at_end += line - self.line - 1;
        self.line = line;
        self.row.clear();
        self.read_cells()?;
        if self.row.is_blank() {
            self.counts.blank_at_end += 1;
            return Ok(None);
        }
        self.counts.blank += std::mem::take(&mut self.counts.blank_at_end);
        if self.header_line.is_none() {
            self.header_line = Some(line);
        } else {
            self.counts.hidden += u64::from(start.is_hidden);
        }
        if let Some(limit) = self.row.limit {
            return Ok(Some(SheetScan::TooLarge { line, limit }));
        }
        self.row.widen(self.width);
        Ok(Some(SheetScan::Record { line }))
    }

    fn read_cells(&mut self) -> io::Result<()> {
        loop {
            match self.xml.next_event()? {
                Event::Start(element) if element.local_name().into_inner() == "c" => {
                    let (line, next) = (self.line, self.row.next);
                    let index = self.cell.start(&element, line)?.unwrap_or(next);
                    if index < next || index >= MOST_SHEET_COLUMNS {
                        return Err(WorkbookFault::damaged(format!("the cells of row {line} are not in order")));
                    }
                    self.row.next = index + 1;
                    self.read_cell()?;
                    self.end_cell(index)?;
                }
                Event::End(element) if element.local_name().into_inner() == "row" => return Ok(()),
                Event::Eof => return Err(WorkbookFault::damaged("a row without an end")),
                _ => {}
            }
        }
    }

    fn read_cell(&mut self) -> io::Result<()> {
        loop {
            let event = self.xml.next_event()?;
            match &event {
                Event::End(element) if element.local_name().into_inner() == "c" => return Ok(()),
                Event::Eof => return Err(WorkbookFault::damaged("a cell without an end")),
                event => self.cell.add(event)?,
            }
        }
    }

    fn end_cell(&mut self, index: usize) -> io::Result<()> {
        let Self { row, cell, context, .. } = self;
        if !cell.text.is_too_long() {
            let (text, damage) = cell.text(context)?;
            if text.len() <= LONGEST_CELL {
                row.add(index, &text, damage);
                return Ok(());
            }
        }
        row.limit = row.limit.or(Some(CELL_LIMIT));
        Ok(())
    }

    /// Returns an error if a merged range reaches into a record, or if a column that is sent has
    /// its name in a merged cell: the name may be meant for the columns beside it, too.
    fn check_merged(&mut self, range: &str) -> io::Result<()> {
        let merged = MergedRange::of(range).ok_or_else(|| WorkbookFault::damaged("a range of merged cells"))?;
        let Some(header) = self.header_line else { return Ok(()) };
        let is_tall = merged.first.line <= header && merged.reaches_into(header + 1..=self.line, self.width);
        if is_tall || merged.reaches_into(header..=header, self.width) {
            self.merged_header.get_or_insert_with(|| range.to_owned());
            let is_sent = self.sent.iter().any(|column| merged.has_column(*column));
            if is_tall || is_sent && merged.is_wide() {
                return Err(WorkbookFault::MergedHeader { range: range.to_owned() }.into());
            }
        }
        if merged.reaches_into(header + 1..=self.line, self.width) {
            return Err(WorkbookFault::Merged { range: range.to_owned() }.into());
        }
        Ok(())
    }
}

/// What the element of a row says.
struct RowStart {
    line: Option<u64>,
    is_hidden: bool,
}

impl RowStart {
    fn of(element: &BytesStart<'_>) -> io::Result<Self> {
        let (mut line, mut is_hidden) = (None, false);
        for attribute in attributes(element) {
            let (name, value) = attribute?;
            match name {
                "r" => {
                    let number = value.parse::<u32>().ok().filter(|number| *number > 0);
                    line = Some(u64::from(number.ok_or_else(|| WorkbookFault::damaged("a row without a number"))?));
                }
                "hidden" => is_hidden = is_true(&value),
                _ => {}
            }
        }
        Ok(Self { line, is_hidden })
    }
}

/// Returns the attributes of an element that do not have a prefix, as they are written. None of
/// those that are read here needs an escape.
fn attributes<'a>(element: &'a BytesStart<'_>) -> impl Iterator<Item = io::Result<(&'a str, Cow<'a, str>)>> {
    element.attributes().map(|attribute| match attribute {
        Ok(attribute) => Ok((attribute.key.into_inner(), attribute.value)),
        Err(error) => Err(WorkbookFault::damaged(error.to_string())),
    })
}

impl CellParts {
    /// Starts a cell. Returns the index of its column, or `None` if the cell does not say it.
    fn start(&mut self, element: &BytesStart<'_>, line: u64) -> io::Result<Option<usize>> {
        *self = Self { text: std::mem::take(&mut self.text), ..Self::default() };
        self.text.clear();
        let mut index = None;
        for attribute in attributes(element) {
            let (name, value) = attribute?;
            match name {
                "r" => {
                    let place = CellPlace::of(&value).filter(|place| place.line == line);
                    let place =
                        place.ok_or_else(|| WorkbookFault::damaged(format!("a cell of row {line} is elsewhere")))?;
                    index = Some(place.column);
                }
                "s" => self.style = Some(value.into_owned()),
                "t" => self.kind = CellKind::of(&value),
                _ => {}
            }
        }
        Ok(index)
    }

    fn add(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Start(element) => match element.local_name().into_inner() {
                "f" if self.inline == 0 => self.has_formula = true,
                "v" if self.inline == 0 => (self.is_value, self.has_value) = (true, true),
                "is" => self.inline += 1,
                _ => {}
            },
            Event::End(element) => match element.local_name().into_inner() {
                "v" => self.is_value = false,
                "is" => self.inline = self.inline.saturating_sub(1),
                _ => {}
            },
            event if self.is_value => self.text.add(event)?,
            _ => {}
        }
        if self.inline > 0 {
            self.rich.add(event, &mut self.text)?;
        }
        Ok(())
    }

    /// Returns the text of the cell, and why it is damaged, if it is.
    fn text<'a>(&'a mut self, context: &'a SheetContext) -> io::Result<(Cow<'a, str>, Option<CellDamage>)> {
        let is_empty = self.text.as_str().trim().is_empty();
        let is_text = matches!(self.kind, CellKind::FormulaText | CellKind::InlineText);
        if self.has_formula && (!self.has_value || is_empty && !is_text) {
            return Ok((Cow::Borrowed(""), Some(CellDamage::NoResult)));
        }
        if matches!(self.kind, CellKind::InlineText | CellKind::FormulaText) {
            self.text.unescape();
        }
        let stored = self.text.as_str();
        Ok(match self.kind {
            CellKind::InlineText | CellKind::FormulaText | CellKind::Date => (Cow::Borrowed(stored), None),
            _ if is_empty => (Cow::Borrowed(""), None),
            CellKind::SharedText => {
                let text = stored.trim().parse().ok().and_then(|index| context.strings.get(index));
                (Cow::Borrowed(text.ok_or_else(|| WorkbookFault::damaged("a text of a cell is missing"))?), None)
            }
            CellKind::Number => cell_text::number(stored, context.styles.format(self.style.as_deref()), context.zero),
            CellKind::Boolean => cell_text::boolean(stored),
            CellKind::Error => (Cow::Borrowed(stored), Some(CellDamage::Error)),
            CellKind::Unknown => (Cow::Borrowed(stored), Some(CellDamage::NotAValue)),
        })
    }
}

impl CellKind {
    fn of(name: &str) -> Self {
        match name {
            "n" => Self::Number,
            "s" => Self::SharedText,
            "inlineStr" => Self::InlineText,
            "str" => Self::FormulaText,
            "b" => Self::Boolean,
            "e" => Self::Error,
            "d" => Self::Date,
            _ => Self::Unknown,
        }
    }
}

/// The place of a cell: `B7` is the second column (1) of row 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CellPlace {
    column: usize,
    line: u64,
}

impl CellPlace {
    fn of(name: &str) -> Option<Self> {
        let letters = name.bytes().take_while(u8::is_ascii_uppercase).count();
        let (letters, digits) = name.split_at(letters);
        if letters.is_empty() || letters.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let column = letters.bytes().fold(0, |column, letter| column * 26 + usize::from(letter - b'A') + 1);
        Some(Self { column: column - 1, line: digits.parse::<u32>().ok()?.into() })
    }
}

/// Returns the letters of a column: `B` for 1.
pub(in crate::intake) fn column_letters(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.into_iter().rev().collect()
}

/// A range of merged cells. Only the first of them has a value.
struct MergedRange {
    first: CellPlace,
    last: CellPlace,
}

impl MergedRange {
    fn of(range: &str) -> Option<Self> {
        let (one, other) = range.split_once(':').unwrap_or((range, range));
        let (one, other) = (CellPlace::of(one)?, CellPlace::of(other)?);
        let first = CellPlace { column: one.column.min(other.column), line: one.line.min(other.line) };
        let last = CellPlace { column: one.column.max(other.column), line: one.line.max(other.line) };
        Some(Self { first, last })
    }

    fn has_column(&self, column: usize) -> bool {
        (self.first.column..=self.last.column).contains(&column)
    }

    fn is_wide(&self) -> bool {
        self.last.column > self.first.column
    }

    /// Whether a cell other than the first is in one of these rows and of the first `width`
    /// columns.
    fn reaches_into(&self, lines: RangeInclusive<u64>, width: usize) -> bool {
        let from = self.first.line.max(*lines.start());
        let to = self.last.line.min(*lines.end());
        let has_other = to > self.first.line || self.is_wide();
        from <= to && has_other && self.first.column < width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_range_matters_if_a_record_has_one_of_its_empty_cells() {
        for (range, reaches) in [
            ("A2:A5", true),
            ("B3:C3", true),
            ("A1:C1", false),
            ("A1:A2", true),
            ("A9:A1048576", true),
            ("A10:A12", false),
            ("A10:B12", true),
            ("A11:B12", false),
            ("D2:D5", false),
            ("A3:A3", false),
        ] {
            let merged = MergedRange::of(range).unwrap();
            assert_eq!(merged.reaches_into(2..=10, 3), reaches, "{range}");
        }
    }

    #[test]
    fn places_are_letters_and_a_number() {
        for (name, column, line) in [("A1", 0, 1), ("Z9", 25, 9), ("AA10", 26, 10), ("XFD1048576", 16_383, 1_048_576)] {
            assert_eq!(CellPlace::of(name), Some(CellPlace { column, line }));
            assert_eq!(format!("{}{line}", column_letters(column)), name);
        }
        for wrong in ["", "A", "1", "a1", "A1B", "AAAA1", "A99999999999", "$A$1"] {
            assert_eq!(CellPlace::of(wrong), None, "{wrong}");
        }
    }
}
