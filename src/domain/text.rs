//! Text from outside, made safe to show: responses of the server, cells of the input, names of
//! files.
//!
//! Everything that goes to a terminal, a log or a report passes through here once. Characters that
//! control a terminal, change the direction of writing or are invisible are escaped, and long texts
//! are shortened.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path::Path;

/// Returns at most `most` characters of a text as one line, with `…` at the end if there were more.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most && is_printable_ascii(text) {
        return text.to_owned();
    }
    if let Some(begun) = text.get(..most).filter(|begun| is_printable_ascii(begun)) {
        return format!("{begun}…");
    }
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(most).flat_map(visible).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Does what [`shorten`] does, and does not copy a text that needs no change.
pub(crate) fn shortened(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    // A text has at least as many bytes as characters.
    if text.len() <= most && (is_printable_ascii(&text) || !text.contains(is_hidden)) {
        text
    } else {
        Cow::Owned(shorten(&text, most))
    }
}

/// Returns a whole text as one line.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    if is_printable_ascii(text) {
        return text.to_owned();
    }
    text.chars().flat_map(visible).collect()
}

/// Whether a text is printable ASCII, as most are, so that it can be shown as it is. Asks about all
/// bytes, because the compiler then asks about many at once.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().fold(true, |is_printable, byte| is_printable & matches!(byte, b' '..=b'~'))
}

/// Returns a character for display: escaped if it is hidden, controls the terminal or changes the
/// direction of writing.
pub fn visible(character: char) -> impl Iterator<Item = char> {
    let hidden = is_hidden(character);
    let escaped = hidden.then(|| character.escape_default());
    let plain = (!hidden).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// Whether a character is a control or format character, changes the direction of writing, or is an
/// invisible letter. Variation selectors are not included, because names in Chinese and Japanese
/// have them.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    // Nearly all letters.
    if matches!(character, ' '..='~' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{34e}') {
        return false;
    }
    character.is_control()
        || matches!(
            character,
            '\u{ad}' // soft hyphen
                | '\u{34f}' // grapheme joiner
                | '\u{61c}' // Arabic letter mark
                | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
                | '\u{17b4}' | '\u{17b5}' // Khmer vowels without a shape
                | '\u{180b}'..='\u{180f}' // Mongolian selectors
                | '\u{200b}'..='\u{200f}' // zero width, direction marks
                | '\u{2028}'..='\u{202e}' // line and paragraph separators, embeddings, overrides
                | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
                | '\u{feff}' // byte order mark
                | '\u{fff9}'..='\u{fffb}' // annotations
                | '\u{1bca0}'..='\u{1bca3}' // shorthand
                | '\u{1d173}'..='\u{1d17a}' // musical
                | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}' // tags
        )
}

/// Returns the name of a file for display, as one line.
#[must_use]
pub const fn shown(path: &Path) -> Shown<'_> {
    Shown(path)
}

/// The return value of [`shown`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string_lossy().chars().flat_map(visible).try_for_each(|character| f.write_char(character))
    }
}

/// Returns the text without leading and trailing white space.
#[inline]
pub(crate) fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        _ if trimmed(&text).len() == text.len() => text,
        Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
        Cow::Owned(text) => Cow::Owned(trimmed(&text).to_owned()),
    }
}

/// Does the same for a borrowed text. Nearly all texts need no trimming, and their first and last
/// byte show it.
#[inline(always)]
pub(crate) fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if begins_no_space(*first) && ends_no_space(*last) => text,
        _ => trimmed_by_letters(text),
    }
}

/// Not inlined, because it is rarely needed.
#[inline(never)]
fn trimmed_by_letters(text: &str) -> &str {
    let is_visible = |letter: Option<char>| letter.is_some_and(|letter| !letter.is_whitespace());
    let mut letters = text.chars();
    if is_visible(letters.next()) && is_visible(letters.next_back()) { text } else { text.trim() }
}

/// Whether no white space of Unicode begins with this byte in UTF-8.
const fn begins_no_space(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xc3..=0xe0 | 0xe4..)
}

/// Whether no white space of Unicode ends with this byte in UTF-8.
const fn ends_no_space(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0x8b..=0x9e | 0xa1..=0xa7 | 0xaa..=0xae | 0xb0..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_turns_the_writing_or_cannot_be_seen_is_escaped() {
        for (hidden, escaped) in [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\r\n\t\0", "\\r\\n\\t\\u{0}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            ("\u{61c}", "\\u{61c}"),
            ("\u{200b}\u{200d}\u{2060}\u{feff}", "\\u{200b}\\u{200d}\\u{2060}\\u{feff}"),
            ("\u{ad}\u{34f}\u{3164}\u{180e}", "\\u{ad}\\u{34f}\\u{3164}\\u{180e}"),
            ("\u{e0001}\u{e0041}\u{e007f}", "\\u{e0001}\\u{e0041}\\u{e007f}"),
            ("\u{2028}\u{85}", "\\u{2028}\\u{85}"),
        ] {
            assert_eq!(on_one_line(hidden), escaped);
            assert_eq!(shorten(hidden, 100), escaped);
            assert_eq!(shown(Path::new(hidden)).to_string(), escaped);
        }
        for plain in
            ["", "Ærøskøbing", "葛\u{e0100}城", "محمد", "नमस्ते", "👍\u{fe0f}", "a\u{300}", "\\u{1b}", "ab\u{a0}c"]
        {
            assert_eq!(on_one_line(plain), plain);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(shorten(&"é".repeat(61), 60), format!("{}…", "é".repeat(60)));
        assert_eq!(shorten("abc", 3), "abc");
        assert!(matches!(shortened(Cow::Borrowed("abc"), 3), Cow::Borrowed("abc")));
        assert!(matches!(shortened(Cow::Borrowed("äöü"), 6), Cow::Borrowed("äöü")));
        assert_eq!(shortened(Cow::Borrowed("äöü"), 3), "äöü");
        assert_eq!(shortened(Cow::Borrowed("ä\u{ad}"), 9), "ä\\u{ad}");
        assert_eq!(shortened(Cow::Borrowed("abcd"), 3), "abc…");
        assert_eq!(shortened(Cow::Borrowed("a\n"), 3), "a\\n");
        assert_eq!(shorten(&"\u{202e}".repeat(100_000), 200).len(), 200 * 8 + '…'.len_utf8());
    }

    #[test]
    fn white_space_of_any_kind_is_trimmed_and_nothing_else() {
        for character in '\0'..=char::MAX {
            let text = format!("{character}a{character}");
            assert_eq!(trimmed(&text), text.trim(), "{character:?}");
            assert_eq!(trimmed(&text[..character.len_utf8()]), text[..character.len_utf8()].trim());
        }
    }
}
