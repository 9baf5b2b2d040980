//! The file as text, unpacked and decoded, and its beginning.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};

use super::decode::ToUtf8;
use super::unpack::{Packing, Unpacker};
use super::watched::InputFile;
use super::{decode, unsupported};
use crate::intake::error::IntakeError;
use crate::intake::limits::{HEAD, LONGEST_RECORD};

/// An opened input, of which the beginning was read.
pub(crate) struct InputSource {
    pub(crate) path: PathBuf,
    /// The first bytes as UTF-8, without a byte order mark. They include at least the first line,
    /// unless it is longer than all limits.
    pub(crate) head: Vec<u8>,
    /// Whether the head is the whole input.
    pub(crate) complete: bool,
    /// The encoding of the original text.
    pub(crate) encoding: &'static Encoding,
    /// Whether a copy needs a byte order mark, so that it is read as UTF-8 whatever the options
    /// say.
    pub(crate) wants_mark: bool,
    rest: Stream,
    /// The file that the text comes from, if it is a file.
    pub(crate) file: Option<Arc<InputFile>>,
}

pub(crate) type Stream = Box<dyn Read + Send>;

impl InputSource {
    /// Reads the beginning of a file. Returns an error if it is not text that could hold customers.
    pub(crate) fn of_file(file: &Arc<InputFile>, encoding: Option<&'static Encoding>) -> Result<Self, IntakeError> {
        let mut source = Self::over(file.path(), Box::new(file.reader()), encoding)?;
        source.file = Some(Arc::clone(file));
        Ok(source)
    }

    /// Turns bytes into text: unpacks them, refuses what is not text, and decodes the rest.
    pub(crate) fn over(path: &Path, file: Stream, named: Option<&'static Encoding>) -> Result<Self, IntakeError> {
        let broken = |error| IntakeError::reading(path, error);
        let unsupported = |(what, advice)| IntakeError::Foreign { path: path.to_owned(), what, advice };
        let bytes = unpacked(file).map_err(broken)?;
        let (start, mut bytes) = peek(bytes, HEAD).map_err(broken)?;
        if let Some(looks) = unsupported::by_signature(&start) {
            return Err(unsupported(looks));
        }
        let mark = decode::byte_order_mark(&start);
        skip(&mut bytes, mark.map_or(0, |(_, length)| length)).map_err(broken)?;
        let encoding = mark.map(|(encoding, _)| encoding).or(named).unwrap_or(UTF_8);
        if mark.is_none() {
            check_encoding(path, &start, encoding, named.is_some())?;
        }
        let mut rest = if encoding == UTF_8 {
            bytes
        } else {
            Box::new(ToUtf8::new(BufReader::with_capacity(HEAD, bytes), encoding))
        };
        let (head, complete) = read_head(&mut rest).map_err(broken)?;
        if complete && head.iter().all(u8::is_ascii_whitespace) {
            return Err(IntakeError::Empty { path: path.to_owned() });
        }
        if let Some(looks) = unsupported::by_text(&head) {
            return Err(unsupported(looks));
        }
        let wants_mark = mark.is_some() || encoding != UTF_8;
        Ok(Self { path: path.to_owned(), head, complete, encoding, wants_mark, rest, file: None })
    }

    /// Returns the whole input without the first `skip` bytes of the head.
    pub(crate) fn into_reader(self, skip: usize) -> Box<dyn BufRead + Send> {
        let mut head = Cursor::new(self.head);
        head.set_position(u64::try_from(skip).unwrap_or_default());
        Box::new(head.chain(BufReader::with_capacity(HEAD, self.rest)))
    }
}

fn unpacked(file: Stream) -> io::Result<Stream> {
    let (start, file) = peek(file, 4)?;
    Ok(match Packing::of(&start) {
        Some(packing) => Box::new(Unpacker::new(packing, file)?),
        None => file,
    })
}

/// Returns the first bytes, and a stream that returns all bytes from the beginning.
pub(crate) fn peek(mut input: Stream, length: usize) -> io::Result<(Vec<u8>, Stream)> {
    let mut start = Vec::with_capacity(length);
    input.by_ref().take(length as u64).read_to_end(&mut start)?;
    let again = Cursor::new(start.clone()).chain(input);
    Ok((start, Box::new(again)))
}

fn skip(input: &mut Stream, length: usize) -> io::Result<()> {
    io::copy(&mut input.take(length as u64), &mut io::sink()).map(drop)
}

/// Returns an error if the text is plainly not in the encoding in which it would be read.
fn check_encoding(path: &Path, start: &[u8], encoding: &'static Encoding, is_named: bool) -> Result<(), IntakeError> {
    let path = path.to_owned();
    match decode::unmarked_utf16(start) {
        Some(found) if found != encoding => return Err(IntakeError::Utf16 { path, found: found.name() }),
        _ => {}
    }
    // Letters of a code page are hardly ever valid UTF-8 by chance. In the other direction, each
    // letter would become two wrong ones.
    if is_named && encoding.is_single_byte() && is_utf8_beyond_ascii(start) {
        return Err(IntakeError::AlreadyUtf8 { path, named: encoding.name() });
    }
    Ok(())
}

/// Whether the text has characters beyond ASCII and all of them are UTF-8. The last one may be cut
/// off.
fn is_utf8_beyond_ascii(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(_) => start,
        Err(error) if error.error_len().is_none() => &start[..error.valid_up_to()],
        Err(_) => return false,
    };
    !text.is_ascii()
}

/// Returns the first bytes, and whether they are the whole input. If the first line is long, it
/// returns more bytes, up to a limit.
fn read_head(input: &mut Stream) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::with_capacity(HEAD);
    loop {
        let wanted = HEAD as u64;
        let read = input.take(wanted).read_to_end(&mut head)?;
        let complete = (read as u64) < wanted;
        let has_line = head.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if complete || has_line || head.len() > LONGEST_RECORD {
            return Ok((head, complete));
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_16LE, WINDOWS_1252};

    use super::*;
    use crate::intake::open::unpack::tests::{gzip, zst};

    fn open(bytes: &[u8]) -> Result<InputSource, IntakeError> {
        open_as(bytes, None)
    }

    fn open_as(bytes: &[u8], encoding: Option<&'static Encoding>) -> Result<InputSource, IntakeError> {
        InputSource::over(Path::new("customers.csv"), Box::new(Cursor::new(bytes.to_vec())), encoding)
    }

    fn text(source: InputSource) -> String {
        let mut text = String::new();
        source.into_reader(0).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn packed_and_encoded_inputs_are_the_same_text() {
        let text_of = |bytes: &[u8]| text(open(bytes).unwrap());
        let utf16: Vec<u8> = "\u{feff}näme😀".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text_of(&utf16), "näme😀");
        assert_eq!(text_of(&gzip(&utf16)), "näme😀");
        let utf16: Vec<u8> = "\u{feff}näme".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text_of(&zst(&utf16)), "näme");
        assert_eq!(text(open_as(b"n\xe4me", Some(WINDOWS_1252)).unwrap()), "näme");
    }

    #[test]
    fn a_mark_is_believed_before_an_option() {
        let source = open_as("\u{feff}näme".as_bytes(), Some(WINDOWS_1252)).unwrap();
        assert!(source.wants_mark);
        assert_eq!(text(source), "näme");
    }

    #[test]
    fn an_encoding_that_is_plainly_not_the_files_is_refused() {
        let utf16 = open(b"n\0a\0m\0e\0").err().unwrap();
        assert!(utf16.hint().unwrap().contains("--encoding UTF-16LE"), "{utf16}");
        assert!(open_as(b"n\0a\0m\0e\0", Some(UTF_16LE)).is_ok());
        let utf8 = open_as("näme".as_bytes(), Some(WINDOWS_1252)).err().unwrap();
        assert!(matches!(utf8, IntakeError::AlreadyUtf8 { .. }) && utf8.hint().is_some(), "{utf8}");
        assert!(open_as(b"Jos\xe9", Some(WINDOWS_1252)).is_ok(), "the last letter begins no UTF-8");
    }

    #[test]
    fn what_is_packed_twice_or_cut_off_is_told() {
        assert!(matches!(open(&gzip(&gzip(b"name"))), Err(IntakeError::Foreign { .. })));
        let packed = gzip(b"name,email\n");
        let cut = open(&packed[..packed.len() - 3]).err().unwrap();
        assert!(cut.to_string().contains("cut off") && cut.hint().is_some(), "{cut}");
    }

    #[test]
    fn an_empty_file_is_one_that_holds_only_space() {
        for bytes in [&b""[..], b"\xef\xbb\xbf", b" \r\n\n\t"] {
            assert!(matches!(open(bytes), Err(IntakeError::Empty { .. })));
        }
        assert_eq!(open(b"\xef\xbb\xbfname").unwrap().head, b"name");
    }

    #[test]
    fn the_head_reaches_to_the_end_of_a_long_first_line() {
        let long = [vec![b'a'; 3 * HEAD], b"\nrest".to_vec()].concat();
        let source = InputSource::over(Path::new("x"), Box::new(Cursor::new(long.clone())), None).unwrap();
        assert!(source.head.contains(&b'\n'));
        let mut all = Vec::new();
        source.into_reader(0).read_to_end(&mut all).unwrap();
        assert_eq!(all, long);
    }
}
