//! Reads records of CSV in bounded memory, with the line on which each begins.
//!
//! csv-core decides where cells begin and end. This module feeds it, counts lines and enforces the
//! limits. If a cell exceeds its limit while a quote is still open in it, reading ends, because
//! what follows cannot be trusted. In any other case only the record is skipped.

use std::io::{self, BufRead};

use csv_core::{Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter, memchr2};

mod escaped_quotes;
pub(crate) mod slice;

use escaped_quotes::first_escaped_quote;

use crate::intake::limits::{LONGEST_CELL, LONGEST_RECORD, MOST_COLUMNS};

/// Reads one record after the other into its own buffer.
pub(crate) struct CsvReader<R> {
    input: R,
    core: Core,
    delimiter: u8,
    lines: LineCounter,
    /// The cells of the current record, without separators.
    bytes: Vec<u8>,
    filled: usize,
    /// The current record as it was read, with its quotes.
    raw: Vec<u8>,
    /// The first cell of the current record that has a quote written `\"`.
    escaped_quote: Option<usize>,
    /// The end of each cell in `bytes`.
    ends: Vec<usize>,
    cells: usize,
    blank_rows: u64,
}

/// csv-core's reader, created only when it is needed, because that takes as long as reading a
/// hundred plain lines.
struct Core {
    reader: Option<Reader>,
    delimiter: u8,
}

impl Core {
    fn get(&mut self) -> &mut Reader {
        self.reader.get_or_insert_with(|| {
            let mut reader = ReaderBuilder::new().delimiter(self.delimiter).build();
            // At the beginning csv-core would remove a byte order mark, but this may be the middle
            // of a file.
            let _ = reader.read_record(b"\n", &mut [], &mut []);
            reader
        })
    }
}

/// What the next read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordScan {
    /// A record that begins on this line. [`CsvReader::record`] returns its cells. `ended` is false
    /// if the last record lacks its line end.
    Record {
        line: u64,
        ended: bool,
    },
    /// A record beyond a limit, which was skipped.
    TooLarge {
        line: u64,
        limit: &'static str,
    },
    End,
}

/// Why reading cannot continue.
#[derive(Debug)]
pub(crate) enum ReadFault {
    Read(io::Error),
    /// A quote that opens on this line, in the cell with this index, is not closed.
    OpenQuote {
        line: u64,
        cell: usize,
    },
    /// The row on this line is a header with its columns in another order.
    OtherHeader {
        line: u64,
    },
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The cells of one record.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    bytes: &'a [u8],
    /// The same bytes, if they are known to be text.
    text: Option<&'a str>,
    ends: &'a [usize],
    /// The number of bytes between two cells: 0 if quotes were removed, 1 (the delimiter) if the
    /// line is kept as it is.
    gap: usize,
    escaped_quote: Option<usize>,
}

impl<'a> Record<'a> {
    /// Returns the record of cells that are one text. `ends` has the end of each.
    pub(crate) fn of_text(text: &'a str, ends: &'a [usize]) -> Self {
        Self { bytes: text.as_bytes(), text: Some(text), ends, gap: 0, escaped_quote: None }
    }

    /// Whether a cell may hold a line break. A line that is kept as it is does not have any.
    pub(crate) fn has_line_breaks(self) -> bool {
        self.gap == 0 && memchr2(b'\n', b'\r', self.bytes).is_some()
    }

    /// Returns the index of the first cell in which a quote was written `\"`, or `None` if the
    /// record is as RFC 4180 has it.
    pub(crate) fn escaped_quote(self) -> Option<usize> {
        self.escaped_quote
    }

    /// Returns the size in bytes, of which each cell without text counts as one.
    pub(crate) fn size(self) -> usize {
        self.bytes.len() + self.ends.len()
    }

    pub(crate) fn len(self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(self, index: usize) -> Option<&'a [u8]> {
        self.range(index).map(|range| &self.bytes[range])
    }

    pub(crate) fn cells(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }

    /// Returns all cells as one text, or `None` if a cell is not text. This checks all bytes at
    /// once, and then whether a cell ends within a character.
    pub(crate) fn text(self) -> Option<&'a str> {
        if self.text.is_some() {
            return self.text;
        }
        let text = simdutf8::basic::from_utf8(self.bytes).ok()?;
        let is_cut_well = self.gap > 0 || self.ends.iter().all(|&end| text.is_char_boundary(end));
        is_cut_well.then_some(text)
    }

    pub(crate) fn is_utf8(self) -> bool {
        self.text().is_some()
    }

    /// Returns the range of a cell in the bytes, or `None` if the record has fewer cells.
    pub(crate) fn range(self, index: usize) -> Option<std::ops::Range<usize>> {
        let end = *self.ends.get(index)?;
        Some(if index == 0 { 0 } else { self.ends[index - 1] + self.gap }..end)
    }

    /// Whether the record has only spaces and delimiters.
    fn is_blank(self) -> bool {
        self.cells().all(|cell| cell.iter().all(u8::is_ascii_whitespace))
    }
}

impl<R: BufRead> CsvReader<R> {
    /// `line` is the number of the first line that `input` returns.
    pub(crate) fn new(input: R, delimiter: u8, line: u64) -> Self {
        Self {
            input,
            core: Core { reader: None, delimiter },
            delimiter,
            lines: LineCounter { line, after_return: false },
            bytes: Vec::new(),
            filled: 0,
            raw: Vec::new(),
            escaped_quote: None,
            ends: vec![0; MOST_COLUMNS + 1],
            cells: 0,
            blank_rows: 0,
        }
    }

    /// Returns the rest of the input, and the number of its first line.
    pub(crate) fn into_rest(mut self) -> io::Result<(R, u64)> {
        // The second half of the last line end belongs to the previous record.
        if self.lines.after_return && self.input.fill_buf()?.first() == Some(&b'\n') {
            self.input.consume(1);
        }
        Ok((self.input, self.lines.line))
    }

    /// Returns how many blank rows (empty lines, and rows of only spaces and delimiters) were
    /// skipped so far.
    pub(crate) fn blank_rows(&self) -> u64 {
        self.blank_rows
    }

    /// Returns the record of the last [`RecordScan::Record`].
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            bytes: &self.bytes[..self.filled],
            text: None,
            ends: &self.ends[..self.cells],
            gap: 0,
            escaped_quote: self.escaped_quote,
        }
    }

    /// Reads the next record. Blank rows are not records, even before the header.
    pub(crate) fn advance(&mut self) -> Result<RecordScan, ReadFault> {
        loop {
            match self.read_record()? {
                RecordScan::Record { .. } if self.record().is_blank() => self.blank_rows += 1,
                scan => return Ok(scan),
            }
        }
    }

    fn read_record(&mut self) -> Result<RecordScan, ReadFault> {
        self.skip_line_ends()?;
        let line = self.lines.line;
        (self.filled, self.cells) = (0, 0);
        self.raw.clear();
        loop {
            let ceiling = self.ceiling();
            if self.bytes.len() < ceiling {
                self.bytes.resize(ceiling, 0);
            }
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return self.finish(line);
            }
            let (result, read, written, ended) =
                self.core.get().read_record(chunk, &mut self.bytes[self.filled..ceiling], &mut self.ends[self.cells..]);
            self.lines.count(&chunk[..read]);
            self.raw.extend_from_slice(&chunk[..read]);
            self.input.consume(read);
            self.filled += written;
            self.cells += ended;
            match result {
                csv_core::ReadRecordResult::Record => return Ok(self.whole(line, true)),
                csv_core::ReadRecordResult::End => return Ok(RecordScan::End),
                _ => {}
            }
            if let Some(limit) = self.limit_reached() {
                // The record is lost in either case, so one more cell in it is harmless.
                if limit == CELL_LIMIT && is_in_quotes(self.core.get(), self.delimiter) {
                    return Err(self.open_quote(line));
                }
                return self.skip_record(line, limit);
            }
        }
    }

    /// Handles the end of the input. Feeds one more line end, which completes the last record if
    /// there is one and no quote is open.
    fn finish(&mut self, line: u64) -> Result<RecordScan, ReadFault> {
        if self.core.reader.is_none() {
            // Nothing was fed, so nothing is pending.
            return Ok(RecordScan::End);
        }
        let (is_quoted, result, ended) = probe(self.core.get(), b'\n', &mut self.ends[self.cells..]);
        if is_quoted {
            return Err(self.open_quote(line));
        }
        self.cells += ended;
        let is_record = matches!(result, csv_core::ReadRecordResult::Record);
        Ok(if is_record { self.whole(line, false) } else { RecordScan::End })
    }

    fn whole(&mut self, line: u64, ended: bool) -> RecordScan {
        let has_backslash = memchr(b'\\', &self.bytes[..self.filled]).is_some();
        self.escaped_quote = if has_backslash { first_escaped_quote(&self.raw, self.delimiter) } else { None };
        if self.cells > MOST_COLUMNS {
            RecordScan::TooLarge { line, limit: COLUMN_LIMIT }
        } else {
            RecordScan::Record { line, ended }
        }
    }

    /// Returns how far to fill the buffer before the limits are checked again: one byte more than a
    /// cell or a record may have. csv-core stops there, so the result does not depend on the size
    /// of the reads.
    fn ceiling(&self) -> usize {
        (self.last_end() + LONGEST_CELL + 1).min(LONGEST_RECORD + 1)
    }

    fn last_end(&self) -> usize {
        if self.cells == 0 { 0 } else { self.ends[self.cells - 1] }
    }

    fn limit_reached(&self) -> Option<&'static str> {
        if self.filled - self.last_end() > LONGEST_CELL {
            Some(CELL_LIMIT)
        } else if self.filled > LONGEST_RECORD {
            Some("1 MiB")
        } else if self.cells > MOST_COLUMNS {
            Some(COLUMN_LIMIT)
        } else {
            None
        }
    }

    /// Reads to the end of a record without keeping it. An open quote is detected here too, cell by
    /// cell.
    fn skip_record(&mut self, line: u64, limit: &'static str) -> Result<RecordScan, ReadFault> {
        let mut cell = self.cells;
        let mut length = 0;
        let mut opened = self.lines.line;
        loop {
            let chunk = self.input.fill_buf()?;
            let at_end = chunk.is_empty();
            if at_end || length > LONGEST_CELL {
                // At the end of the input the added line end also ends the record.
                let is_quoted = if at_end {
                    probe(self.core.get(), b'\n', &mut [0; 2]).0
                } else {
                    is_in_quotes(self.core.get(), self.delimiter)
                };
                if is_quoted {
                    return Err(ReadFault::OpenQuote { line: opened, cell });
                }
                length = 0;
            }
            if at_end {
                return Ok(RecordScan::TooLarge { line, limit });
            }
            let (result, read, written, ended) =
                self.core.get().read_record(chunk, &mut self.bytes, &mut self.ends[..1]);
            self.lines.count(&chunk[..read]);
            self.input.consume(read);
            length += written;
            if ended > 0 {
                (cell, length, opened) = (cell + 1, 0, self.lines.line);
            }
            if matches!(result, csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End) {
                return Ok(RecordScan::TooLarge { line, limit });
            }
        }
    }

    fn open_quote(&self, line: u64) -> ReadFault {
        let mut lines = LineCounter { line, after_return: false };
        lines.count(&self.bytes[..self.last_end()]);
        ReadFault::OpenQuote { line: lines.line, cell: self.cells }
    }

    /// Skips the line ends between records, so that the line on which the next record begins is
    /// known.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        let before = self.lines.line;
        loop {
            let chunk = self.input.fill_buf()?;
            let count = chunk.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.lines.count(&chunk[..count]);
            let found_more = chunk.is_empty() || count < chunk.len();
            self.input.consume(count);
            if found_more {
                self.blank_rows += self.lines.line - before;
                return Ok(());
            }
        }
    }
}

/// Feeds one byte that is not in the input. csv-core does not show its state, and a copy of its
/// reader loses it, but a delimiter or a line end is part of the cell only inside quotes. Returns
/// whether it was part of the cell, and what csv-core returned if it was not.
fn probe(core: &mut Reader, byte: u8, ends: &mut [usize]) -> (bool, csv_core::ReadRecordResult, usize) {
    let (result, _, written, ended) = core.read_record(&[byte], &mut [0; 2], ends);
    (written > 0, result, ended)
}

/// Whether a quote is open. Leaves the reader inside a cell, so that a following quote does not
/// open one.
fn is_in_quotes(core: &mut Reader, delimiter: u8) -> bool {
    let (is_quoted, ..) = probe(core, delimiter, &mut [0; 2]);
    if !is_quoted {
        probe(core, b'x', &mut [0; 2]);
    }
    is_quoted
}

pub(super) const CELL_LIMIT: &str = "64 KiB in one cell";
pub(super) const COLUMN_LIMIT: &str = "1,024 cells";

/// Counts LF, CR and CRLF, each as one line end.
struct LineCounter {
    line: u64,
    after_return: bool,
}

impl LineCounter {
    fn count(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let is_second_half = self.after_return && bytes.starts_with(b"\n");
        let feeds = memchr_iter(b'\n', bytes).count() - usize::from(is_second_half);
        let lone_returns = memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count();
        self.line += (feeds + lone_returns) as u64;
        self.after_return = *last == b'\r';
    }
}

/// Returns the number of line ends in a cell, or in whole records.
pub(crate) fn line_ends(bytes: &[u8]) -> u64 {
    let mut lines = LineCounter { line: 0, after_return: false };
    lines.count(bytes);
    lines.line
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn reader(text: &str) -> CsvReader<&[u8]> {
        CsvReader::new(text.as_bytes(), b',', 1)
    }

    fn lines(text: &str) -> Vec<u64> {
        let mut reader = reader(text);
        std::iter::from_fn(|| match reader.advance().unwrap() {
            RecordScan::Record { line, .. } | RecordScan::TooLarge { line, .. } => Some(line),
            RecordScan::End => None,
        })
        .collect()
    }

    #[test]
    fn lines_are_those_on_which_records_begin() {
        assert_eq!(lines("a\nb\nc"), [1, 2, 3]);
        assert_eq!(lines("a\r\nb\r\n\r\nc\r\n"), [1, 2, 4]);
        assert_eq!(lines("a\rb\r\rc"), [1, 2, 4]);
        assert_eq!(lines("\n\n\"a\nb\r\nc\",d\ne"), [3, 6]);
        assert_eq!(lines(""), [0u64; 0]);
    }

    #[test]
    fn blank_rows_are_counted_and_the_end_of_the_last_record_is_none() {
        for (text, count) in
            [("a\nb\n", 0), ("\n\na\r\n\r\nb\r\n", 3), ("a\n\n\n", 2), ("\r\ra\rb\r\r", 3), (",,\na\n\"\", \n ", 3)]
        {
            let mut reader = reader(text);
            while reader.advance().unwrap() != RecordScan::End {}
            assert_eq!(reader.blank_rows(), count, "{text:?}");
        }
    }

    #[test]
    fn a_last_record_without_its_line_end_is_told() {
        let mut reader = reader("a\n\"b\"");
        assert_eq!(reader.advance().unwrap(), RecordScan::Record { line: 1, ended: true });
        assert_eq!(reader.advance().unwrap(), RecordScan::Record { line: 2, ended: false });
    }

    #[test]
    fn lines_do_not_depend_on_how_the_input_comes_in_pieces() {
        let text = "a,\"x\r\ny\"\r\n\r\nb\r\nc\r\n";
        for size in 1..8 {
            let mut reader = CsvReader::new(BufReader::with_capacity(size, text.as_bytes()), b',', 1);
            let mut found = Vec::new();
            while let RecordScan::Record { line, .. } = reader.advance().unwrap() {
                found.push(line);
            }
            assert_eq!(found, [1, 4, 5], "pieces of {size}");
        }
    }

    #[test]
    fn an_open_quote_at_the_end_is_a_fault_that_names_its_line_and_cell() {
        let mut reader = reader("a,b\nc,\"d\ne\",\"f\ng,h\ni");
        assert_eq!(reader.advance().unwrap(), RecordScan::Record { line: 1, ended: true });
        assert!(matches!(reader.advance(), Err(ReadFault::OpenQuote { line: 3, cell: 2 })));
    }

    #[test]
    fn an_open_quote_over_an_endless_input_stops_at_the_limit() {
        let endless = b"a,b\n\"".chain(io::repeat(b'x'));
        let mut reader = CsvReader::new(BufReader::new(endless), b',', 1);
        assert_eq!(reader.advance().unwrap(), RecordScan::Record { line: 1, ended: true });
        assert!(matches!(reader.advance(), Err(ReadFault::OpenQuote { line: 2, cell: 0 })));
        assert!(reader.bytes.len() <= LONGEST_RECORD + 1);
    }

    #[test]
    fn records_beyond_a_limit_are_skipped_and_the_next_one_is_read() {
        let wide = ["x"; 1200].join(",");
        let heavy = vec!["y".repeat(60_000); 30].join(",");
        let long = "z".repeat(300_000);
        let text = format!("a\n{wide}\n{heavy}\n{long},1\nb,c\n");
        let mut reader = reader(&text);
        let mut found = Vec::new();
        loop {
            match reader.advance().unwrap() {
                RecordScan::End => break,
                scan => found.push(scan),
            }
        }
        assert_eq!(
            found,
            [
                RecordScan::Record { line: 1, ended: true },
                RecordScan::TooLarge { line: 2, limit: "1,024 cells" },
                RecordScan::TooLarge { line: 3, limit: "1 MiB" },
                RecordScan::TooLarge { line: 4, limit: "64 KiB in one cell" },
                RecordScan::Record { line: 5, ended: true },
            ]
        );
        assert!(reader.bytes.len() <= LONGEST_RECORD + 1);
    }

    #[test]
    fn a_quote_within_a_cell_that_is_too_long_opens_nothing() {
        for length in LONGEST_CELL - 1..LONGEST_CELL + 4 {
            let text = format!("{}\" here,1\nb,\"c\"\n", "x".repeat(length));
            let mut reader = reader(&text);
            assert!(matches!(reader.advance().unwrap(), RecordScan::TooLarge { line: 1, .. }), "{length}");
            assert_eq!(reader.advance().unwrap(), RecordScan::Record { line: 2, ended: true }, "{length}");
        }
    }

    #[test]
    fn after_a_record_that_is_too_large_nothing_follows_at_the_end() {
        for end in ["", ",b", "\n"] {
            let text = format!("{}{end}", "x".repeat(3 * LONGEST_RECORD));
            let mut reader = reader(&text);
            assert!(matches!(reader.advance().unwrap(), RecordScan::TooLarge { line: 1, .. }), "{end:?}");
            assert_eq!(reader.advance().unwrap(), RecordScan::End, "{end:?}");
        }
    }

    #[test]
    fn a_quoted_cell_of_exactly_the_limit_is_read() {
        let text = format!("\"{}\",b\n", "x".repeat(LONGEST_CELL));
        assert_eq!(reader(&text).advance().unwrap(), RecordScan::Record { line: 1, ended: true });
        let text = format!("\"{}\",b\n", "x".repeat(LONGEST_CELL + 1));
        assert!(matches!(reader(&text).advance(), Err(ReadFault::OpenQuote { line: 1, cell: 0 })));
    }

    #[test]
    fn a_character_cut_by_a_cell_is_no_text() {
        let mut reader = CsvReader::new(&b"\xc3,\xa9\n"[..], b',', 1);
        reader.advance().unwrap();
        assert!(!reader.record().is_utf8());
    }
}
