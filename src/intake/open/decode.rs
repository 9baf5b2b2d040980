//! Converts text in other encodings to UTF-8.
//!
//! Nothing is replaced. A byte that has no meaning in its encoding becomes two bytes that are
//! invalid in UTF-8 (F8 to FB, then 80 to BF), which carry its eight bits. So it is a problem of
//! its record like any other, and the message can still name the original byte.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The size of the buffer for decoded text, in bytes.
const ROOM: usize = 64 * 1024;
/// No encoding needs more bytes than this to detect an invalid sequence.
const REMEMBERED: usize = 8;

/// Returns the encoding that a byte order mark names, and the length of the mark.
pub(crate) fn byte_order_mark(head: &[u8]) -> Option<(&'static Encoding, usize)> {
    Encoding::for_bom(head)
}

/// Returns the most likely encoding of text that is not UTF-8, or `None` if it is one that nothing
/// here can read.
pub(crate) fn suggested(head: &[u8]) -> Option<&'static str> {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(head, false);
    let guess = detector.guess(None, chardetng::Utf8Detection::Deny);
    // The detector knows what the web uses, and takes older encodings of western text for this one.
    if guess == WINDOWS_1252 { western(head).map(Encoding::name) } else { Some(guess.name()) }
}

/// Tells the encodings of western text apart by the bytes within words: `ü` is `9F` in what an old
/// Excel for the Mac saves, `81` in "CSV (MS-DOS)", which nothing here can read, and `FC` otherwise.
/// In Windows-1252 the first two are `Ÿ` and nothing.
fn western(head: &[u8]) -> Option<&'static Encoding> {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic();
    let (mut windows, mut mac, mut dos) = (0, 0, 0);
    for word in head.windows(3).filter(|word| is_letter(word[0]) && is_letter(word[2])) {
        match word[1] {
            0xc0..=0xff => windows += 1,
            0x8e | 0x8f | 0x96 | 0x97 | 0x9a | 0x9c | 0x9f | 0xa7 => mac += 1,
            0x81 | 0x82 | 0x84 | 0x94 | 0xa0..=0xa4 => dos += 1,
            _ => {}
        }
    }
    if mac > windows + dos {
        Some(MACINTOSH)
    } else if dos > windows + mac {
        None
    } else {
        Some(WINDOWS_1252)
    }
}

/// Detects UTF-16 without a byte order mark: in Latin text every other byte is zero.
pub(crate) fn unmarked_utf16(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let is_half_zero = |here: usize, there: usize| here * 3 > head.len() && there * 20 < here;
    if is_half_zero(odd, even) {
        Some(UTF_16LE)
    } else if is_half_zero(even, odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// The first position in a cell that is not text: how many bytes and characters come before it, and
/// which byte the file has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable {
    pub(crate) byte: u8,
    pub(crate) after_bytes: usize,
    pub(crate) after_characters: usize,
}

impl Undecodable {
    /// Returns the first such position in a cell that was read from this encoding, or `None` if all
    /// of the cell is text.
    pub(crate) fn first(cell: &[u8], encoding: &'static Encoding) -> Option<Self> {
        let after_bytes = std::str::from_utf8(cell).err()?.valid_up_to();
        let (text, rest) = cell.split_at(after_bytes);
        let after_characters = String::from_utf8_lossy(text).chars().count();
        let byte = if encoding == UTF_8 { *rest.first()? } else { unmarked(rest) };
        Some(Self { byte, after_bytes, after_characters })
    }
}

/// Returns a cell for a message: text unchanged, and all other bytes as `\xF6`.
pub(crate) fn shown(cell: &[u8], encoding: &'static Encoding) -> String {
    let mut text = String::new();
    let mut rest = cell;
    while let Err(error) = std::str::from_utf8(rest) {
        let (valid, broken) = rest.split_at(error.valid_up_to());
        text.push_str(&String::from_utf8_lossy(valid));
        let (byte, length) = if encoding == UTF_8 { (broken[0], 1) } else { (unmarked(broken), 2) };
        text.push_str(&format!("\\x{byte:02X}"));
        rest = broken.get(length..).unwrap_or_default();
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

fn marked(byte: u8) -> [u8; 2] {
    [0xf8 | (byte >> 6), 0x80 | (byte & 0x3f)]
}

fn unmarked(mark: &[u8]) -> u8 {
    let (first, second) = (mark.first().copied().unwrap_or_default(), mark.get(1).copied().unwrap_or_default());
    (first << 6) | (second & 0x3f)
}

/// Reads text in another encoding and returns UTF-8.
pub(crate) struct ToUtf8<R> {
    input: R,
    decoder: Decoder,
    /// The last bytes that were decoded, because the decoder reports invalid bytes after it read
    /// them.
    recent: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    is_over: bool,
}

impl<R: BufRead> ToUtf8<R> {
    /// The caller must already have removed any byte order mark from `input`.
    pub(crate) fn new(input: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { input, decoder, recent: Vec::new(), text: Vec::new(), given: 0, is_over: false }
    }

    fn decode(&mut self) -> io::Result<()> {
        let chunk = self.input.fill_buf()?;
        let last = chunk.is_empty();
        self.text.resize(ROOM, 0);
        self.given = 0;
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(chunk, &mut self.text, last);
        remember(&mut self.recent, &chunk[..read]);
        self.input.consume(read);
        self.text.truncate(written);
        if self.decoder.encoding().is_single_byte() {
            mark_undefined(&mut self.text);
        }
        match result {
            DecoderResult::InputEmpty => self.is_over = last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, since) => {
                let end = self.recent.len().saturating_sub(usize::from(since));
                let start = end.saturating_sub(usize::from(length));
                self.text.extend(self.recent[start..end].iter().flat_map(|byte| marked(*byte)));
            }
        }
        Ok(())
    }
}

fn remember(recent: &mut Vec<u8>, read: &[u8]) {
    recent.extend_from_slice(&read[read.len().saturating_sub(REMEMBERED)..]);
    recent.drain(..recent.len().saturating_sub(REMEMBERED));
}

/// Marks bytes that have no meaning in a code page. encoding_rs decodes such a byte to the control
/// character with its number (0x81 to U+0081). Customers do not have such characters, but a file
/// that is read with the wrong code page has many.
fn mark_undefined(text: &mut [u8]) {
    for at in 1..text.len() {
        if text[at - 1] == 0xc2 && (0x80..0xa0).contains(&text[at]) {
            let [first, second] = marked(text[at]);
            (text[at - 1], text[at]) = (first, second);
        }
    }
}

impl<R: BufRead> Read for ToUtf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.is_over {
            self.decode()?;
        }
        let rest = &self.text[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use encoding_rs::{GB18030, SHIFT_JIS, WINDOWS_1251};

    use super::*;

    fn decoded(bytes: &[u8], encoding: &'static Encoding) -> Vec<u8> {
        let mut text = Vec::new();
        ToUtf8::new(bytes, encoding).read_to_end(&mut text).unwrap();
        for size in 1..5 {
            let mut pieces = Vec::new();
            ToUtf8::new(BufReader::with_capacity(size, bytes), encoding).read_to_end(&mut pieces).unwrap();
            assert_eq!(pieces, text, "pieces of {size}");
        }
        text
    }

    #[test]
    fn text_arrives_character_for_character() {
        assert_eq!(decoded(b"J\xf6rg \x80", WINDOWS_1252), "Jörg €".as_bytes());
        assert_eq!(decoded(b"\xc8\xe2\xe0\xed", WINDOWS_1251), "Иван".as_bytes());
        assert_eq!(decoded(b"\x93\xfa\x96{", SHIFT_JIS), "日本".as_bytes());
        assert_eq!(decoded(b"a\0\x3d\xd8\x00\xde", UTF_16LE), "a😀".as_bytes());
        assert_eq!(decoded(b"\0a\xd8\x3d\xde\x00", UTF_16BE), "a😀".as_bytes());
    }

    #[test]
    fn bytes_that_are_nothing_stay_nothing_and_can_be_named() {
        for (bytes, encoding, byte, after) in [
            (&b"J\x81rg"[..], WINDOWS_1252, 0x81, 1),
            (b"\x93\xfa\x85", SHIFT_JIS, 0x85, 1),
            (b"a\0\0\xdcb\0", UTF_16LE, 0x00, 1),
            (b"a\0b", UTF_16LE, b'b', 1),
            (b"ab\xff", GB18030, 0xff, 2),
        ] {
            let text = decoded(bytes, encoding);
            let found = Undecodable::first(&text, encoding).unwrap();
            assert_eq!((found.byte, found.after_characters), (byte, after), "{bytes:?}");
        }
        assert_eq!(shown(&decoded(b"J\x81\xf6", WINDOWS_1252), WINDOWS_1252), "J\\x81ö");
        assert_eq!(shown(b"\xc3\xb6 \xf6", UTF_8), "ö \\xF6");
        assert_eq!(Undecodable::first("ö".as_bytes(), UTF_8), None);
    }

    #[test]
    fn every_byte_that_is_nothing_comes_back() {
        for byte in 0..=255 {
            assert_eq!(unmarked(&marked(byte)), byte);
            assert!(std::str::from_utf8(&marked(byte)).is_err());
        }
    }

    #[test]
    fn utf16_without_a_mark_is_noticed_and_other_binary_is_not() {
        assert_eq!(unmarked_utf16(b"n\0a\0m\0e\0"), Some(UTF_16LE));
        assert_eq!(unmarked_utf16(b"\0n\0a\0m\0e"), Some(UTF_16BE));
        assert_eq!(unmarked_utf16(b"\0\0\0\0\0\0"), None);
        assert_eq!(unmarked_utf16(b"name,\0"), None);
    }

    #[test]
    fn an_encoding_is_suggested_for_what_is_no_utf8() {
        let german = "Jörg Müller;Köln\nÄnne Groß;Düsseldorf\n";
        let french = "Hélène d’Ormesson;Orléans\nÉmile Lefèvre “le grand”;Besançon\n";
        let spanish = "José Núñez;Cádiz\nMaría – Ángel López;Málaga\n";
        for text in [german, french, spanish] {
            for encoding in [WINDOWS_1252, MACINTOSH] {
                assert_eq!(suggested(&encoding.encode(text).0), Some(encoding.name()), "{text}");
            }
        }
        // "CSV (MS-DOS)".
        assert_eq!(suggested(b"J\x94rg M\x81ller;K\x94ln\n\x8enne Gro\xe1;D\x81sseldorf\n"), None);
        let cyrillic = WINDOWS_1251.encode("Иван Петров;Москва\nАнна Сидорова;Новгород\n").0.into_owned();
        assert_eq!(suggested(&cyrillic), Some("windows-1251"));
    }
}
