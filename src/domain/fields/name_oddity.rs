//! What is odd about a name: it stands for an empty value, or a wrong encoding or another language
//! left its signs in it.

use super::macintosh_text::is_macintosh_text;
use crate::domain::violation::{Code, Flaw};

/// What is odd about a name that may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOddity {
    Placeholder,
    ReplacementCharacter,
    QuestionMark,
    QuotesOfACell,
    Utf8AsWindows1252,
    MacintoshAsWindows1252,
    HtmlEntity,
    BackslashEscape,
    PythonBytes,
}

impl NameOddity {
    /// Returns what is odd about a name that is not plain.
    pub(super) fn of(name: &str) -> Option<Self> {
        let is_ascii = name.is_ascii();
        let has = |byte: u8| name.as_bytes().contains(&byte);
        if is_placeholder(name) {
            Some(Self::Placeholder)
        } else if !is_ascii && has(FIRST_OF_REPLACEMENT) && name.contains('\u{fffd}') {
            Some(Self::ReplacementCharacter)
        } else if has(b'?') {
            Some(Self::QuestionMark)
        } else if has(b'"') && (name.contains("\\\"") || is_quoted(name)) {
            Some(Self::QuotesOfACell)
        } else if !is_ascii && is_mojibake(name) {
            Some(Self::Utf8AsWindows1252)
        } else if !is_ascii && is_macintosh_text(name) {
            Some(Self::MacintoshAsWindows1252)
        } else if has_html_entity(name) {
            Some(Self::HtmlEntity)
        } else if has_backslash_escape(name) {
            Some(Self::BackslashEscape)
        } else {
            is_python_bytes(name).then_some(Self::PythonBytes)
        }
    }

    /// Returns the warning about it.
    #[must_use]
    pub fn flaw(self) -> Flaw {
        let hint = match self {
            Self::Placeholder => {
                return Flaw::new(Code::NamePlaceholder, "stands for an empty value: is it a real name?");
            }
            Self::ReplacementCharacter => {
                "holds the replacement character U+FFFD: letters were lost before this file was written"
            }
            Self::QuestionMark => "holds a question mark: perhaps a letter was lost before this file was written",
            Self::QuotesOfACell => {
                "holds quotes that look like those around a cell: write a quote within a cell twice (\"\"), and nothing before the first one"
            }
            Self::Utf8AsWindows1252 => {
                "looks like UTF-8 that was read as Windows-1252 (`Ã©` for `é`); export it again as UTF-8"
            }
            Self::MacintoshAsWindows1252 => {
                "looks like Macintosh text that was read as Windows-1252 (`KrŸger` for `Krüger`): give --encoding macintosh, or export it again as UTF-8"
            }
            Self::HtmlEntity => "holds an HTML entity (`&#039;` for `'`): decode it in the export",
            Self::BackslashEscape => {
                "holds an escape of a program (`\\'` for `'`, `\\u00e9` for `é`): decode it in the export"
            }
            Self::PythonBytes => "is how Python prints bytes (`b'…'`): decode it in the export",
        };
        Flaw::new(Code::NameLooksGarbled, hint)
    }
}

/// The first byte of U+FFFD, which few names have. Looking for the whole character takes longer.
const FIRST_OF_REPLACEMENT: u8 = 0xef;

/// Whether this word, or this word twice, stands for an empty value. Some of the words can be
/// names, so they are sent with a warning.
pub(super) fn is_placeholder(name: &str) -> bool {
    const WORDS: [&str; 10] =
        ["null", "none", "n/a", "k.a.", "unbekannt", "unknown", "undefined", "[object object]", "-", "."];
    // Rules out most names.
    if !matches!(name.as_bytes(), [b'n' | b'N' | b'k' | b'K' | b'u' | b'U' | b'-' | b'.' | b'[', ..]) {
        return false;
    }
    let is_one = |text: &str| WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_sign = |text: &str| matches!(text, "-" | ".");
    is_one(name)
        || name.split_once(' ').is_some_and(|(one, other)| is_one(one) && one.eq_ignore_ascii_case(other))
        || name.split_at_checked(1).is_some_and(|(one, other)| is_sign(one) && one == other)
}

/// Whether a text holds an entity of HTML, such as `&amp;`, `&#39;` or `&#xE9;`.
fn has_html_entity(text: &str) -> bool {
    text.split('&').skip(1).filter_map(|rest| rest.split_once(';')).any(|(entity, _)| {
        let is_of =
            |text: &str, fits: fn(&u8) -> bool| (1..=8).contains(&text.len()) && text.bytes().all(|byte| fits(&byte));
        match entity.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(digits) => is_of(digits, u8::is_ascii_hexdigit),
                None => is_of(number, u8::is_ascii_digit),
            },
            None => entity.len() > 1 && is_of(entity, u8::is_ascii_alphanumeric),
        }
    })
}

/// Whether a text holds `\'`, or a letter as `\u00e9` or `\xe9`.
fn has_backslash_escape(text: &str) -> bool {
    text.split('\\').skip(1).any(|rest| {
        let digits = |from: usize, to: usize| {
            rest.get(from..to).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        match rest.as_bytes() {
            [b'\'', ..] => true,
            [b'u', ..] => digits(1, 5),
            [b'x', ..] => digits(1, 3),
            _ => false,
        }
    })
}

pub(super) fn is_python_bytes(name: &str) -> bool {
    matches!(name.as_bytes(), [b'b', b'\'', .., b'\''] | [b'b', b'"', .., b'"'])
}

/// Whether quotes enclose the whole name. A space before the first quote makes the quotes part of
/// the cell.
fn is_quoted(name: &str) -> bool {
    name.len() > 1 && name.starts_with('"') && name.ends_with('"') && name.matches('"').count() == 2
}

/// Whether a run of characters, encoded as Windows-1252, is a letter in UTF-8.
fn is_mojibake(name: &str) -> bool {
    let mut rest = name.chars();
    while let Some(first) = rest.next() {
        let length = match first {
            '\u{c2}'..='\u{df}' => 2,
            '\u{e0}'..='\u{ef}' => 3,
            '\u{f0}'..='\u{f4}' => 4,
            _ => continue,
        };
        // `Ó’` is Irish and not garbled. Only after `Ã` is the quotation mark more likely the
        // second half of a letter.
        if length == 2 && first != 'Ã' && rest.clone().next() == Some('\u{2019}') {
            continue;
        }
        let mut bytes = [0; 4];
        let run = std::iter::once(first).chain(rest.clone()).map(windows_1252);
        let found =
            bytes[..length].iter_mut().zip(run).map_while(|(byte, known)| known.map(|known| *byte = known)).count();
        if found == length && std::str::from_utf8(&bytes[..length]).is_ok() {
            return true;
        }
    }
    false
}

/// Returns the byte beyond ASCII that encodes this character in Windows-1252, or `None` if there is
/// none.
pub(super) fn windows_1252(character: char) -> Option<u8> {
    const C1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match u32::from(character) {
        code @ 0xa0..=0xff => u8::try_from(code).ok(),
        _ => C1.iter().position(|&known| known == character).and_then(|index| u8::try_from(0x80 + index).ok()),
    }
}
