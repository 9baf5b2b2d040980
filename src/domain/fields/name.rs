//! The name of a customer.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::byte_classes::{Signs, equal, within};
use super::macintosh_text::is_caron_of_macintosh;
use super::name_oddity::{NameOddity, is_placeholder, is_python_bytes, windows_1252};
use super::normalized_letters::{is_apart, is_untroubled, is_untroubled_letter};
use crate::domain::count::grouped;
use crate::domain::text::{is_printable_ascii, trim};
use crate::domain::violation::{Code, Flaw};

/// A trimmed, NFC-normalized name without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerName<'a>(Cow<'a, str>);

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for CustomerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerName(..)")
    }
}

/// The longest name that the API's database accepts, in characters.
const LONGEST: usize = 255;

impl<'a> CustomerName<'a> {
    /// Trims and normalizes a name. Refuses a name that is empty, too long, or has characters that
    /// control the display.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `name.*` codes.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Flaw> {
        let text = trim(text.into());
        if is_plain(&text) { Ok(Self(text)) } else { Self::checked(text).map_err(NameRefusal::flaw) }
    }

    /// Returns what [`CustomerName::parse`] returns, and what is odd about the name.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `name.*` codes.
    pub fn judged(text: impl Into<Cow<'a, str>>) -> Result<(Self, Option<Flaw>), Flaw> {
        let text = trim(text.into());
        if is_plain(&text) {
            return Ok((Self(text), None));
        }
        let name = Self::checked(text).map_err(NameRefusal::flaw)?;
        let oddity = NameOddity::of(&name.0).map(NameOddity::flaw);
        Ok((name, oddity))
    }

    /// Checks a trimmed name that is not plain.
    fn checked(text: Cow<'a, str>) -> Result<Self, NameRefusal> {
        if text.is_empty() {
            return Err(NameRefusal::Missing);
        }
        if is_printable_ascii(&text) {
            return Self::limited(text);
        }
        let is_usual = text.chars().all(is_usual);
        let name = if is_usual { text } else { composed(text) };
        if !is_usual && let Some(character) = name.chars().find(|character| steers_display(*character)) {
            return Err(NameRefusal::Steering(character));
        }
        Self::limited(name)
    }

    fn limited(name: Cow<'a, str>) -> Result<Self, NameRefusal> {
        // A text has at least as many bytes as characters.
        let length = if name.len() <= LONGEST { name.len() } else { name.chars().count() };
        if length <= LONGEST { Ok(Self(name)) } else { Err(NameRefusal::TooLong(length)) }
    }

    /// Returns what [`CustomerName::parse`] returns, and what is odd about the name.
    /// Returns `None` for a text that is refused.
    #[must_use]
    #[inline(always)]
    pub fn at_a_glance(text: &'a str) -> Option<(Self, Option<NameOddity>)> {
        if is_plain(text) { Some((Self(Cow::Borrowed(text)), None)) } else { Self::examined(text) }
    }

    /// Does the same for a name that is not plain. Not inlined, because it is rarely needed.
    #[inline(never)]
    fn examined(text: &'a str) -> Option<(Self, Option<NameOddity>)> {
        let name = Self::checked(trim(text.into())).ok()?;
        let oddity = NameOddity::of(&name.0);
        Some((name, oddity))
    }

    #[must_use]
    pub fn into_owned(self) -> CustomerName<'static> {
        CustomerName(Cow::Owned(self.0.into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what is odd about a name that may still be sent.
    #[must_use]
    pub fn oddity(&self) -> Option<Flaw> {
        if is_plain(&self.0) { None } else { NameOddity::of(&self.0).map(NameOddity::flaw) }
    }
}

/// Why a name is refused. Kept without its words, because most refusals are only counted.
#[derive(Clone, Copy)]
enum NameRefusal {
    Missing,
    /// It holds this character, which controls the display.
    Steering(char),
    /// It has so many characters.
    TooLong(usize),
}

impl NameRefusal {
    fn flaw(self) -> Flaw {
        match self {
            Self::Missing => Flaw::new(Code::NameMissing, "every customer needs a name"),
            Self::Steering(character) => {
                let hint = format!(
                    "holds the invisible character U+{:04X}; remove it (a stray line break or a copied control \
                     character)",
                    u32::from(character)
                );
                Flaw::new(Code::NameControlCharacters, hint)
            }
            Self::TooLong(length) => {
                let hint = format!("has {} characters; the limit is {LONGEST}", grouped(length as u64));
                Flaw::new(Code::NameTooLong, hint)
            }
        }
    }
}

/// Whether a name is short, trimmed, normalized and has nothing odd in it. Nearly all names are
/// like this.
#[inline]
fn is_plain(name: &str) -> bool {
    let Some(signs) = Signs::of(name.as_bytes()) else { return false };
    let [plain, beyond_ascii] = signs.that(|signs| {
        // Every escape that `leftover` knows has one of the last two, or begins with `b`.
        let telling = equal(signs, b'?') | equal(signs, b'"') | equal(signs, b';') | equal(signs, b'\\');
        [within(signs, b' ', b'~') & !telling, within(signs, 0x80, 0xff)]
    });
    let is_trimmed = !(name.is_empty() || name.starts_with(' ') || name.ends_with(' '));
    let is_printable = plain | beyond_ascii == signs.all();
    is_trimmed
        && is_printable
        && !is_placeholder(name)
        && !is_python_bytes(name)
        && (beyond_ascii == 0 || is_plain_in_any_script(name, &signs))
}

/// Does the same for a name with letters beyond ASCII.
fn is_plain_in_any_script(name: &str, signs: &Signs<'_>) -> bool {
    let [mut begins, first, second] = signs.that(|signs| {
        let second = [0xc5, 0xc6, 0xcb, 0xe2].map(|byte| equal(signs, byte));
        let second = second.into_iter().fold(equal(signs, 0xc2), |any, one| any | one);
        [within(signs, 0xc0, 0xff), equal(signs, 0xc3), second]
    });
    // `is_mojibake` looks for pairs: in UTF-8 the first letter has two bytes and starts with C3,
    // and the letter after it starts with one of these bytes.
    if first & second >> 2 != 0 {
        return false;
    }
    while begins != 0 {
        let at = begins.trailing_zeros() as usize;
        begins &= begins - 1;
        if !is_untroubled_letter(&name.as_bytes()[at..]) {
            let Some(end) = end_of_plain_marks(name, at) else { return false };
            begins &= u64::MAX.unbounded_shl(end);
        }
    }
    true
}

/// Returns where the marks end that begin here, or `None` if normalization would change them after
/// the letter before them.
fn end_of_plain_marks(name: &str, begin: usize) -> Option<u32> {
    let end = name[begin..].find(is_untroubled).map_or(name.len(), |length| begin + length);
    let marks = &name[begin..end];
    let letter = name[..begin].chars().next_back().map_or(0, char::len_utf8);
    let is_caron = || is_plain_caron(name, begin, marks);
    let is_plain = is_apart(marks) || is_caron() || !marks.chars().any(is_odd) && is_nfc(&name[begin - letter..end]);
    u32::try_from(end).ok().filter(|_| is_plain)
}

/// Whether this is a single letter `Š` or `Ž` where names of Slavic and Baltic languages have one.
fn is_plain_caron(name: &str, begin: usize, marks: &str) -> bool {
    matches!(marks, "Š" | "Ž") && !is_caron_of_macintosh(name, begin)
}

/// Whether a name with this character may have something to report, whatever the other characters
/// are.
fn is_odd(character: char) -> bool {
    matches!(character, '?' | '"' | '\u{fffd}')
        || character.is_whitespace()
        || steers_display(character)
        || windows_1252(character).is_some()
}

/// Whether a character needs no normalization, whatever the characters beside it are, and does not
/// control the display.
fn is_usual(character: char) -> bool {
    is_untroubled(character) || matches!(character, '?' | '"')
}

fn composed(text: Cow<'_, str>) -> Cow<'_, str> {
    // Most names have letters that need no look at each other.
    let is_composed = text.chars().all(|letter| letter.is_ascii() || is_untroubled(letter)) || is_nfc(&text);
    if is_composed { text } else { Cow::Owned(text.nfc().collect()) }
}

/// Whether a character controls the display: control characters, bidirectional embeddings and
/// overrides, line separators, tags, noncharacters. The joiners U+200C and U+200D are needed to
/// spell Persian and Indic names, and the plain direction marks to spell right-to-left names, so
/// those are allowed.
fn steers_display(character: char) -> bool {
    // Nearly all letters.
    if matches!(character, ' '..='~' | '\u{a0}'..='\u{2027}') {
        return false;
    }
    character.is_control()
        || matches!(
            character,
            '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fffe}'..='\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> Option<Code> {
        CustomerName::parse(text).err().map(|flaw| flaw.code)
    }

    proptest! {
        #[test]
        fn a_glance_at_a_name_says_what_a_closer_look_says(
            name in "([ -~]|[À-ɏ]|[ -¿]|[\u{300}-\u{36f}]|[Α-я]|[ŒœŠšŽžŸƒˆ˜’“€]|[\u{620}-\u{6ff}]|[\u{900}-\u{97f}]|[\u{bbe}-\u{bd7}]|[\u{e30}-\u{e4f}]|[Ạ-ỹ]|[か-が]|[一-丐]|[가-각]|[\u{1100}\u{1161}\u{11a8}]|\u{3000}|\u{fffd}|\u{202e}){1,6}"
        ) {
            check_glance(&name);
            // The name as it looks after a wrong encoding.
            check_glance(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(name.as_bytes()).0);
        }
    }

    fn check_glance(name: &str) {
        let parsed = CustomerName::parse(name).ok().map(|name| {
            let oddity = NameOddity::of(&name.0);
            assert_eq!(name.oddity(), oddity.map(NameOddity::flaw), "{name:?}");
            (name, oddity)
        });
        assert_eq!(CustomerName::at_a_glance(name), parsed, "{name:?}");
        let judged = CustomerName::judged(name).map(|(name, oddity)| {
            assert_eq!(name.oddity(), oddity, "{name:?}");
            name
        });
        assert_eq!(judged, CustomerName::parse(name));
        assert_eq!(composed(name.into()), name.nfc().collect::<String>());
    }

    #[test]
    fn names_of_many_scripts_are_trimmed_and_composed() {
        for name in [
            "Zoë Müller",
            "Łukasz Żak",
            "Ольга Иванова",
            "Γιώργος Παππάς",
            "محمد",
            "יעל כהן",
            "सीता",
            "สมชาย",
            "王小明",
            "김민준",
        ] {
            assert_eq!(CustomerName::parse(format!("\u{a0} {name}\t")).unwrap().as_str(), name);
            assert_eq!(CustomerName::parse(name).unwrap().oddity(), None, "{name}");
        }
        assert_eq!(CustomerName::parse("Zoe\u{308}").unwrap().as_str(), "Zoë");
    }

    #[test]
    fn letters_of_the_usual_ranges_do_not_steer_the_display() {
        let is_usual = |character: char| matches!(character, ' '..='~' | '\u{a0}'..='\u{2027}');
        let found = ('\0'..='\u{ffff}').filter(|character| is_usual(*character) && character.is_control());
        assert_eq!(found.collect::<String>(), "");
        assert!(!is_usual('\u{7f}') && !is_usual('\u{9f}') && !is_usual('\u{2028}'));
    }

    #[test]
    fn usual_characters_are_composed_and_do_not_steer_the_display() {
        let usual = ('\0'..=char::MAX).filter(|character| is_usual(*character));
        for character in usual {
            assert!(!steers_display(character) && is_nfc(&character.to_string()), "{character:?}");
        }
    }

    #[test]
    fn joiners_stay_and_display_tricks_do_not() {
        assert_eq!(code("علی\u{200c}رضا"), None);
        for trick in ["a\u{202e}b", "a\nb", "a\u{0}b", "a\u{2066}b", "a\u{feff}b", "a\u{e0041}b"] {
            assert_eq!(code(trick), Some(Code::NameControlCharacters), "{trick:?}");
        }
    }

    #[test]
    fn the_limit_is_in_characters() {
        assert_eq!(code(&"é".repeat(255)), None);
        assert_eq!(code(&"é".repeat(256)), Some(Code::NameTooLong));
        assert_eq!(code(" \u{3000} "), Some(Code::NameMissing));
    }

    #[test]
    fn words_for_an_empty_value_are_noticed() {
        for word in [
            "NULL",
            "null null",
            "None",
            "N/A",
            "n/a N/A",
            "k.A.",
            "unbekannt",
            "Unknown",
            "-",
            "- -",
            "--",
            ".",
            "..",
            "undefined",
            "[object Object]",
        ] {
            let name = CustomerName(word.into());
            assert_eq!(name.oddity().map(|flaw| flaw.code), Some(Code::NamePlaceholder), "{word}");
            assert!(matches!(CustomerName::at_a_glance(word), Some((_, Some(_)))), "{word}");
        }
        for name in ["Null Ahmed", "Unknown Pleasures Ltd", "Na", "-x", "K. A. Smith"] {
            assert_eq!(CustomerName::parse(name).unwrap().oddity(), None, "{name}");
        }
    }

    #[test]
    fn mojibake_is_noticed_and_irish_is_not() {
        for garbled in [
            "JosÃ© GarcÃ\u{ad}a",
            "MÃ¼ller",
            "FranÃ§ois",
            "Ð\u{98}Ð²Ð°Ð½",
            "M\u{fffd}ller",
            "M?ller",
            "â€œMaxâ€\u{9d}",
            "\"Ada King\"",
            "Ada \\\"King\\\"",
            "O&#039;Brien",
            "O&#x27;Brien",
            "M&uuml;ller",
            "Smith &amp; Sons",
            "O\\'Neil",
            "b'Jose'",
            "b\"Jose\"",
            "Jos\\u00e9",
            "Jos\\xe9",
            "KrŸger",
            "S‡nchez",
            "JosŽ",
        ] {
            let name = CustomerName(garbled.into());
            assert_eq!(name.oddity().map(|flaw| flaw.code), Some(Code::NameLooksGarbled), "{garbled}");
            assert!(!matches!(CustomerName::at_a_glance(garbled), Some((_, None))), "{garbled}");
        }
        for fine in [
            "Ó’Briain",
            "O’Brien",
            "Ângela",
            "São João",
            "Ålesund",
            "Øyvind Ås",
            "\"Hacksaw\" Jim \"D\"",
            "Ada \"A\" King",
            "Nullson",
            "Nan",
            "Smith & Sons; Co",
            "AC\\DC",
            "Ba'al",
            "Nguyen Nguyen",
            "L'HAŸ",
            "Šimon BALÁŽ",
            "Max Müller †",
        ] {
            assert_eq!(CustomerName::parse(fine).unwrap().oddity(), None, "{fine}");
        }
    }
}
