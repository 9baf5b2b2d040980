//! Reads records of CSV from bytes that are all in memory.
//!
//! For a line without quotes and lone carriage returns it is enough to find the delimiters, 64
//! bytes at a time. The cells of such a line are not copied. csv-core reads all other lines.

use simdutf8::basic::from_utf8;
use wide::u8x16;

use super::{CsvReader, ReadFault, Record, RecordScan};
use crate::intake::limits::{LONGEST_CELL, MOST_COLUMNS};

/// Reads one record after the other.
pub(in crate::intake) struct SliceReader<'s> {
    csv: CsvReader<&'s [u8]>,
    /// All bytes, if all are text.
    text: Option<&'s str>,
    /// The last record, if it is a plain line.
    plain: Option<SimpleLine<'s>>,
}

#[derive(Clone, Copy)]
struct SimpleLine<'s> {
    bytes: &'s [u8],
    text: Option<&'s str>,
    cells: usize,
}

impl<'s> SliceReader<'s> {
    /// `line` is the number of the first line of `bytes`.
    pub(in crate::intake) fn new(bytes: &'s [u8], delimiter: u8, line: u64) -> Self {
        let text = from_utf8(bytes).ok();
        Self { csv: CsvReader::new(bytes, delimiter, line), text, plain: None }
    }

    /// Like [`CsvReader::blank_rows`].
    pub(in crate::intake) fn blank_rows(&self) -> u64 {
        self.csv.blank_rows
    }

    /// Like [`CsvReader::record`].
    #[inline(always)]
    pub(in crate::intake) fn record(&self) -> Record<'_> {
        match self.plain {
            Some(SimpleLine { bytes, text, cells }) => {
                Record { bytes, text, ends: &self.csv.ends[..cells], gap: 1, escaped_quote: None }
            }
            None => self.csv.record(),
        }
    }

    /// Like [`CsvReader::advance`].
    pub(in crate::intake) fn advance(&mut self) -> Result<RecordScan, ReadFault> {
        loop {
            match self.csv.input.first() {
                Some(b'\n' | b'\r') => self.csv.skip_line_ends()?,
                Some(_) => {}
                None => return Ok(RecordScan::End),
            }
            let line = self.csv.lines.line;
            self.plain = self.read_simple_line();
            let scan = match self.plain {
                Some(_) => RecordScan::Record { line, ended: true },
                None => self.csv.read_record()?,
            };
            match scan {
                RecordScan::Record { .. } if self.record().is_blank() => self.csv.blank_rows += 1,
                scan => return Ok(scan),
            }
        }
    }

    /// Reads the next line if it is plain. Returns `None` if it is not, or if its end is missing;
    /// in that case nothing is consumed.
    fn read_simple_line(&mut self) -> Option<SimpleLine<'s>> {
        let (rest, delimiter) = (self.csv.input, self.csv.delimiter);
        let mut cells = 0;
        for block in (0..rest.len().min(LONGEST_CELL)).step_by(BLOCK) {
            let mut marks = marks(&rest[block..], delimiter);
            while marks != 0 {
                let at = block + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                if cells == MOST_COLUMNS {
                    return None;
                }
                self.csv.ends[cells] = at;
                cells += 1;
                if rest[at] != delimiter {
                    let after = at + line_end(&rest[at..])?;
                    return Some(self.take_simple_line(at, after, cells));
                }
            }
        }
        None
    }

    fn take_simple_line(&mut self, end: usize, after: usize, cells: usize) -> SimpleLine<'s> {
        let rest = self.csv.input;
        let bytes = &rest[..end];
        let text = match self.text {
            Some(text) => text.get(text.len() - rest.len()..).and_then(|text| text.get(..end)),
            None => std::str::from_utf8(bytes).ok(),
        };
        self.csv.input = &rest[after..];
        self.csv.lines.line += 1;
        self.csv.lines.after_return = false;
        SimpleLine { bytes, text, cells }
    }
}

/// Returns the length of the line ending at the start of `bytes`, or `None` if there is none that
/// the fast path handles.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// How many bytes are checked together: one for each bit of an integer.
const BLOCK: usize = 64;

/// Returns one bit for each of the first bytes, set if the byte ends a cell or is a quote.
fn marks(bytes: &[u8], delimiter: u8) -> u64 {
    match bytes.first_chunk() {
        Some(block) => marks_of_block(block, delimiter),
        None => {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            marks_of_block(&block, delimiter)
        }
    }
}

fn marks_of_block(block: &[u8; BLOCK], delimiter: u8) -> u64 {
    let (delimiter, feed, carriage_return, quote) =
        (u8x16::splat(delimiter), u8x16::splat(b'\n'), u8x16::splat(b'\r'), u8x16::splat(b'"'));
    let (parts, _) = block.as_chunks();
    let mut marks = 0;
    for part in parts.iter().rev() {
        let part = u8x16::new(*part);
        let marked = part.simd_eq(delimiter) | part.simd_eq(feed) | part.simd_eq(carriage_return) | part.simd_eq(quote);
        marks = marks << 16 | u64::from(marked.to_bitmask());
    }
    marks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of an input: its records with their lines, whether each one ended, their
    /// cells and whether these are text; then how the input ended.
    type Read = (Vec<(RecordScan, Vec<Vec<u8>>, bool)>, Option<String>, u64);

    macro_rules! read {
        ($reader:expr) => {{
            let mut reader = $reader;
            let mut records = Vec::new();
            let fault = loop {
                match reader.advance() {
                    Ok(RecordScan::End) => break None,
                    Ok(scan @ RecordScan::Record { .. }) => {
                        let cells = reader.record().cells().map(<[u8]>::to_vec).collect();
                        records.push((scan, cells, reader.record().text().is_some()));
                    }
                    Ok(scan) => records.push((scan, Vec::new(), false)),
                    Err(fault) => break Some(format!("{fault:?}")),
                }
            };
            (records, fault, reader.blank_rows())
        }};
    }

    fn by_csv_core(input: &[u8], delimiter: u8) -> Read {
        read!(CsvReader::new(input, delimiter, 1))
    }

    fn by_slices(input: &[u8], delimiter: u8) -> Read {
        read!(SliceReader::new(input, delimiter, 1))
    }

    proptest! {
        /// Few different characters, so that all combinations that matter occur, and long enough
        /// for several blocks.
        #[test]
        fn a_slice_holds_the_records_that_a_stream_holds(
            parts in prop::collection::vec("[a,\"\n\r; é]{0,12}|[a-z]{20,80}|(a,b\r\n){1,9}", 0..12),
            broken in any::<Option<prop::sample::Index>>(),
        ) {
            let mut input = parts.concat().into_bytes();
            if let (Some(place), false) = (broken, input.is_empty()) {
                let place = place.index(input.len());
                input[place] = 0xff;
            }
            for delimiter in [b',', b';'] {
                prop_assert_eq!(by_csv_core(&input, delimiter), by_slices(&input, delimiter));
            }
        }
    }

    #[test]
    fn limits_are_the_same() {
        let cell = |length| "x".repeat(length);
        for length in [LONGEST_CELL - 1, LONGEST_CELL, LONGEST_CELL + 1] {
            let input = format!("a,{}\nb,c\n{},d\n", cell(length), cell(length));
            assert!(by_csv_core(input.as_bytes(), b',') == by_slices(input.as_bytes(), b','), "{length}");
        }
        for columns in [MOST_COLUMNS - 1, MOST_COLUMNS, MOST_COLUMNS + 1] {
            let input = format!("a{}\nb\n", ",".repeat(columns));
            assert!(by_csv_core(input.as_bytes(), b',') == by_slices(input.as_bytes(), b','), "{columns}");
        }
    }
}
