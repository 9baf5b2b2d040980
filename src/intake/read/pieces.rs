//! Cuts an input into pieces that end at the end of a record, so that threads can read them
//! independently.
//!
//! In CSV a line end ends a record unless it is inside quotes, and a quote opens a cell only at the
//! start of one. So it is enough to find the quotes, which is many times faster than reading the
//! cells.

use std::io::{self, BufRead, Cursor, Read as _};

use memchr::{memchr, memchr_iter, memrchr, memrchr2};

use super::csv;
use super::records::Form;
use crate::intake::limits::LONGEST_RECORD;

/// The rest of an input.
pub(crate) type BoxedInput = Box<dyn BufRead + Send>;

/// A buffer that had to grow beyond this is shrunk before it is used again.
const SPARE: usize = 128 * 1024;
/// A piece that would be larger than this holds a record beyond all limits.
const LARGEST: usize = 4 * LONGEST_RECORD;

/// Whole records. The last record of an input may lack its line end.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// The number of the first line.
    pub(crate) line: u64,
}

pub(crate) enum Cut {
    Piece(Piece),
    /// The rest of the input, which begins with a record that is too large for a piece. A reader
    /// that keeps no more of a record than its limit must read it from here to the end.
    Uncut {
        input: BoxedInput,
        line: u64,
    },
    End,
}

pub(crate) struct Cutter {
    input: BoxedInput,
    form: Form,
    /// What was read beyond the end of the last piece.
    ahead: Vec<u8>,
    line: u64,
    /// The approximate size of a piece, in bytes.
    size: usize,
}

impl Cutter {
    /// `line` is the number of the first line that `input` returns.
    pub(crate) fn new(form: Form, input: BoxedInput, line: u64, size: usize) -> Self {
        Self { input, form, ahead: Vec::new(), line, size }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Returns the next piece, and the cutter for the one after it (`None` at the end). `bytes` is
    /// a buffer to reuse; its content is discarded.
    pub(crate) fn cut(mut self, mut bytes: Vec<u8>) -> io::Result<(Cut, Option<Self>)> {
        bytes.clear();
        bytes.append(&mut self.ahead);
        let mut size = self.size;
        loop {
            let room = size.saturating_sub(bytes.len());
            bytes.reserve_exact(room);
            let read = self.input.by_ref().take(room as u64).read_to_end(&mut bytes)?;
            if read < room {
                let piece = Piece { bytes, line: self.line };
                return Ok((if piece.bytes.is_empty() { Cut::End } else { Cut::Piece(piece) }, None));
            }
            if let Some(end) = last_record_end(self.form, &bytes) {
                self.ahead.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                let line = self.line;
                self.line += line_ends(self.form, &bytes);
                return Ok((Cut::Piece(Piece { bytes, line }), Some(self)));
            }
            if size >= LARGEST {
                let input = Box::new(Cursor::new(bytes).chain(self.input));
                return Ok((Cut::Uncut { input, line: self.line }, None));
            }
            size *= 2;
        }
    }
}

impl Piece {
    /// Returns the buffer, to be used for another piece.
    pub(crate) fn into_spare(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes.clear();
        bytes.shrink_to(SPARE);
        bytes
    }
}

/// Returns where the last complete record ends. `bytes` must begin with a record.
fn last_record_end(form: Form, bytes: &[u8]) -> Option<usize> {
    match form {
        Form::Ndjson { line_end } => memrchr(line_end, bytes).map(|at| at + 1),
        Form::Csv { delimiter } => last_csv_end(delimiter, bytes),
    }
}

fn last_csv_end(delimiter: u8, all: &[u8]) -> Option<usize> {
    // The last byte may be the first half of a line end or of an escaped quote. Only the following
    // byte decides which.
    let bytes = &all[..all.len().saturating_sub(1)];
    let (mut begin, mut last) = (0, None);
    loop {
        let opening = opening_quote(delimiter, bytes, begin);
        let unquoted = &bytes[begin..opening.unwrap_or(bytes.len())];
        if let Some(at) = memrchr2(b'\n', b'\r', unquoted) {
            last = Some(begin + at + 1);
        }
        match opening.and_then(|opening| closing_quote(bytes, opening)) {
            Some(closing) => begin = closing + 1,
            None => break,
        }
    }
    last.map(|end| if all[end - 1] == b'\r' && all.get(end) == Some(&b'\n') { end + 1 } else { end })
}

/// Returns the position of the next quote that opens a cell. If a quoted cell ended at `begin`, no
/// cell begins there.
fn opening_quote(delimiter: u8, bytes: &[u8], begin: usize) -> Option<usize> {
    let begins_cell = |at: usize| match at.checked_sub(1) {
        None => true,
        Some(before) => before >= begin && (bytes[before] == delimiter || matches!(bytes[before], b'\n' | b'\r')),
    };
    memchr_iter(b'"', &bytes[begin..]).map(|at| begin + at).find(|at| begins_cell(*at))
}

/// Returns the position of the quote that closes the one at `opening`. Two quotes in a row are one
/// quote in the text.
fn closing_quote(bytes: &[u8], opening: usize) -> Option<usize> {
    let mut from = opening + 1;
    loop {
        let at = from + memchr(b'"', &bytes[from..])?;
        match bytes.get(at + 1) {
            Some(b'"') => from = at + 2,
            Some(_) => return Some(at),
            // Whether another quote follows is not known yet.
            None => return None,
        }
        if from >= bytes.len() {
            return None;
        }
    }
}

/// Counts line ends in the same way as the readers.
fn line_ends(form: Form, bytes: &[u8]) -> u64 {
    match form {
        Form::Ndjson { line_end } => memchr_iter(line_end, bytes).count() as u64,
        Form::Csv { .. } => csv::line_ends(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::intake::read::records::{RecordReader, Records, Scanned};

    /// Returns the cells of each record, and its line.
    fn cells(mut records: impl RecordReader) -> Vec<(u64, Vec<Vec<u8>>)> {
        let mut found = Vec::new();
        while let Some((line, scanned)) = records.next_record().ok().flatten() {
            let cells = match scanned {
                Scanned::Cells { record, .. } | Scanned::Row { record, .. } => {
                    record.cells().map(<[u8]>::to_vec).collect()
                }
                Scanned::Line { bytes, .. } => vec![bytes.to_vec()],
                Scanned::TooLarge { .. } => Vec::new(),
            };
            found.push((line, cells));
        }
        found
    }

    fn cut_anywhere(form: Form, text: &[u8]) {
        let whole = cells(Records::new(form, text, 1));
        for length in 0..=text.len() {
            let Some(end) = last_record_end(form, &text[..length]) else { continue };
            assert!(end <= length);
            let (first, second) = text.split_at(end);
            let mut parts = cells(Records::new(form, first, 1));
            parts.extend(cells(Records::new(form, second, 1 + line_ends(form, first))));
            assert!(parts == whole, "{:?} cut at {end}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        /// Few different characters, so that all combinations that matter occur.
        #[test]
        fn a_piece_ends_where_a_record_ends(text in "[a,\"\n\r; ]{0,40}") {
            cut_anywhere(Form::Csv { delimiter: b',' }, text.as_bytes());
            cut_anywhere(Form::Csv { delimiter: b';' }, text.as_bytes());
            cut_anywhere(Form::Ndjson { line_end: b'\n' }, text.as_bytes());
            cut_anywhere(Form::Ndjson { line_end: b'\r' }, text.as_bytes());
        }
    }

    const SIZE: usize = 16 * 1024;

    fn pieces(form: Form, text: Vec<u8>) -> Vec<usize> {
        let mut cutter = Some(Cutter::new(form, Box::new(Cursor::new(text)), 1, SIZE));
        let mut sizes = Vec::new();
        while let Some(next) = cutter.take() {
            let (cut, rest) = next.cut(Vec::new()).unwrap();
            cutter = rest;
            sizes.extend(if let Cut::Piece(piece) = cut { Some(piece.bytes.len()) } else { None });
        }
        sizes
    }

    #[test]
    fn pieces_are_of_about_one_size_and_all_that_there_is() {
        let text = "a,\"b\nc\",d\n".repeat(200_000).into_bytes();
        let length = text.len();
        let sizes = pieces(Form::Csv { delimiter: b',' }, text);
        assert_eq!(sizes.iter().sum::<usize>(), length);
        assert!(sizes.iter().all(|size| *size <= SIZE), "{sizes:?}");
    }

    #[test]
    fn what_begins_with_a_record_without_end_is_not_cut() {
        let endless = [b"a,b\n\"".to_vec(), vec![b'x'; 2 * LARGEST]].concat();
        assert_eq!(pieces(Form::Csv { delimiter: b',' }, endless), [4]);
    }
}
