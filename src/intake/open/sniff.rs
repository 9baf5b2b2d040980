//! Detects format, delimiter and undecodable records from the first bytes.

use crate::intake::options::{Format, is_delimiter};
use crate::intake::read::csv::RecordScan;
use crate::intake::read::csv::slice::SliceReader;

/// The delimiters to try, the most likely first.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many records are compared to choose a delimiter.
const SAMPLED: usize = 100;

/// Returns the form of an input, decided by its first visible byte.
pub(crate) fn format(head: &[u8]) -> Format {
    if head.trim_ascii_start().first() == Some(&b'{') { Format::Ndjson } else { Format::Csv }
}

/// Returns the delimiter that Excel's `sep=` line names, and the length of that line in bytes.
/// Returns `None` if the head does not begin with such a line.
pub(crate) fn separator_line(head: &[u8]) -> Option<(u8, usize)> {
    let rest = head.get(..4).filter(|start| start.eq_ignore_ascii_case(b"sep=")).and_then(|_| head.get(4..))?;
    let (delimiter, length) = match rest {
        [delimiter, b'\r', b'\n', ..] => (*delimiter, 7),
        [delimiter, b'\n' | b'\r', ..] => (*delimiter, 6),
        _ => return None,
    };
    is_delimiter(delimiter).then_some((delimiter, length))
}

/// Returns the byte that ends the lines of NDJSON: LF, or CR if there is no LF at all.
pub(crate) fn line_end(head: &[u8]) -> u8 {
    if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' }
}

/// Returns the delimiter that fits the head best: the one with most known names in the header, then
/// the one that splits most records into as many cells as the header, then the one with most
/// columns. If no delimiter fits, returns a comma.
pub(crate) fn delimiter(head: &[u8], complete: bool, is_known: impl Fn(&str) -> bool) -> u8 {
    let mut best = (b',', (0, 0, 1));
    for delimiter in DELIMITERS {
        let score = score(head, complete, delimiter, &is_known);
        if score.2 > 1 && score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// Returns how many names in the header are known, how many of a thousand records have as many
/// cells as the header, and how many cells that is.
fn score(head: &[u8], complete: bool, delimiter: u8, is_known: &impl Fn(&str) -> bool) -> (usize, usize, usize) {
    let mut reader = SliceReader::new(head, delimiter, 1);
    let Ok(RecordScan::Record { .. }) = reader.advance() else { return (0, 0, 0) };
    let header = reader.record();
    let width = header.len();
    let known = header.cells().filter_map(|cell| std::str::from_utf8(cell).ok()).filter(|name| is_known(name)).count();
    let mut widths = Vec::new();
    while widths.len() < SAMPLED {
        match reader.advance() {
            Ok(RecordScan::Record { .. }) => widths.push(reader.record().len()),
            Ok(RecordScan::TooLarge { .. }) => {}
            Ok(RecordScan::End) | Err(_) => break,
        }
    }
    // The head may end within the last record.
    if !complete && widths.len() < SAMPLED {
        widths.pop();
    }
    let fitting = widths.iter().filter(|found| **found == width).count();
    (known, (fitting * 1000).checked_div(widths.len()).unwrap_or(1000), width)
}

/// How many of the records in the head cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EncodingErrors {
    pub(crate) undecodable: u64,
    pub(crate) of: u64,
    pub(crate) first_line: u64,
}

impl EncodingErrors {
    fn add(&mut self, is_utf8: bool, line: u64) {
        self.of += 1;
        if !is_utf8 {
            self.undecodable += 1;
            self.first_line = if self.undecodable == 1 { line } else { self.first_line };
        }
    }

    /// Whether more than one record in a hundred cannot be decoded. Then the file as a whole must
    /// be in another encoding.
    pub(crate) fn is_systematic(self) -> bool {
        self.undecodable * 100 > self.of
    }
}

/// Counts the undecodable records of a CSV file, without the header. `line` is the number of the
/// first line.
pub(crate) fn csv_decay(head: &[u8], complete: bool, delimiter: u8, line: u64) -> EncodingErrors {
    let mut decay = EncodingErrors::default();
    let mut reader = SliceReader::new(head, delimiter, line);
    let mut pending = None;
    let _header = reader.advance();
    while let Ok(RecordScan::Record { line, .. }) = reader.advance() {
        if let Some((is_utf8, line)) = pending.replace((reader.record().is_utf8(), line)) {
            decay.add(is_utf8, line);
        }
    }
    // The head may end within the last record, or even within a character of it.
    if let Some((is_utf8, line)) = pending.filter(|_| complete) {
        decay.add(is_utf8, line);
    }
    decay
}

/// Returns how many columns at the end of the header do not have a name and are missing in every
/// record of the head: the header ends with that many delimiters too many. Returns 0 if only some
/// records lack them.
pub(crate) fn surplus_columns(head: &[u8], complete: bool, delimiter: u8) -> usize {
    let mut reader = SliceReader::new(head, delimiter, 1);
    let Ok(RecordScan::Record { .. }) = reader.advance() else { return 0 };
    let header: Vec<Vec<u8>> = reader.record().cells().map(<[u8]>::to_vec).collect();
    let width = header.len();
    let unnamed = header.iter().rev().take_while(|name| name.trim_ascii().is_empty()).count();
    if unnamed == 0 {
        return 0;
    }
    let mut widths = Vec::new();
    while let Ok(RecordScan::Record { ended, .. }) = reader.advance() {
        let is_repeated = reader.record().len() == width && header.iter().eq(reader.record().cells());
        if (ended || complete) && !is_repeated {
            widths.push(reader.record().len());
        }
    }
    let Some(&found) = widths.first() else { return 0 };
    let surplus = width.saturating_sub(found);
    if surplus <= unnamed && widths.iter().all(|&each| each == found) { surplus } else { 0 }
}

/// Counts the undecodable lines of an NDJSON file.
pub(crate) fn ndjson_decay(head: &[u8], complete: bool) -> EncodingErrors {
    let mut decay = EncodingErrors::default();
    for (line, bytes) in whole_lines(head, complete) {
        decay.add(std::str::from_utf8(bytes).is_ok(), line);
    }
    decay
}

/// Returns the lines of the head that are not blank, with their numbers. A last line that may
/// continue beyond the head is left out.
pub(crate) fn whole_lines(head: &[u8], complete: bool) -> impl Iterator<Item = (u64, &[u8])> {
    let line_end = line_end(head);
    let end =
        if complete { head.len() } else { head.iter().rposition(|byte| *byte == line_end).map_or(0, |at| at + 1) };
    (1..).zip(head[..end].split(move |byte| *byte == line_end)).filter(|(_, line)| !line.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> u8 {
        delimiter(text.as_bytes(), true, |name| ["name", "email", "phone"].contains(&name))
    }

    #[test]
    fn known_names_in_the_header_decide() {
        assert_eq!(sniffed("name;email;phone\na,b,c;d;e\nf,g,h;i;j\n"), b';');
        assert_eq!(sniffed("name\temail\tphone\nx, y\tz\tw\n"), b'\t');
        assert_eq!(sniffed("name|email\na|b\n"), b'|');
    }

    #[test]
    fn without_known_names_the_steadier_width_decides() {
        assert_eq!(sniffed("Vorname;Zu, Nach;Ort\na;b;c\nd;e;f\n"), b';');
        assert_eq!(sniffed("a,b\n\"1;2\",3\n\"4;5;6\",7\n"), b',');
        assert_eq!(sniffed("single\nvalue\n"), b',');
    }

    #[test]
    fn formats_are_told_by_the_first_visible_byte() {
        assert_eq!(format(b" \n {\"a\":1}"), Format::Ndjson);
        assert_eq!(format(b"name,email"), Format::Csv);
    }

    #[test]
    fn the_separator_line_of_excel_is_read() {
        assert_eq!(separator_line(b"sep=;\r\nname"), Some((b';', 7)));
        assert_eq!(separator_line(b"SEP=\t\nname"), Some((b'\t', 6)));
        assert_eq!(separator_line(b"sep=|\rname"), Some((b'|', 6)));
        assert_eq!(separator_line(b"separator,x\n"), None);
        assert_eq!(separator_line(b"sep=\"\nname"), None);
    }

    #[test]
    fn a_cut_last_record_counts_neither_as_text_nor_as_none() {
        let head = "n\né\né".as_bytes();
        let cut = &head[..head.len() - 1];
        assert_eq!(csv_decay(cut, false, b',', 1), EncodingErrors { undecodable: 0, of: 1, first_line: 0 });
        assert_eq!(csv_decay(cut, true, b',', 1), EncodingErrors { undecodable: 1, of: 2, first_line: 3 });
        assert!(csv_decay(cut, true, b',', 1).is_systematic());
    }
}
