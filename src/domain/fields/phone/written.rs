//! How people write phone numbers, and what spreadsheets make of them.

use std::borrow::Cow;

use rlibphonenumber::PHONE_NUMBER_UTIL;

use crate::domain::violation::{Code, Flaw};

/// Refuses what spreadsheets make of numbers: `2.34904E+12`, `491512345678.0`, `="0301"`, `#N/A`.
pub(super) fn check_damage(text: &str) -> Result<(), Flaw> {
    let hint = if text.starts_with('=') {
        "is a spreadsheet formula; export the column as text"
    } else if text.starts_with('#') && text.len() > 1 && text[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        "is a spreadsheet's error value"
    } else if is_decimal(text) {
        "was turned into a number by a spreadsheet and digits may be lost; export the column as text from the original"
    } else if is_rounded(text) {
        "ends in zeros as if a spreadsheet had rounded it; export the column as text from the original, or write it \
         with + if it is right"
    } else {
        return Ok(());
    };
    Err(Flaw::new(Code::PhoneSpreadsheetDamage, hint))
}

/// Whether a text is digits with one decimal sign, or with an exponent. A leading zero never comes
/// from a spreadsheet's number, so `0151.2345678` is a phone number.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    if !digits(whole) || !fraction.is_none_or(digits) {
        return false;
    }
    match exponent {
        Some(exponent) => digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => fraction.is_some() && (!whole.starts_with('0') || whole.len() == 1),
    }
}

/// Whether a text is what remains of `4,91761E+11` if a spreadsheet saves it as `491761000000`:
/// eleven or more bare digits, of which it kept at most the first ones.
pub(super) fn is_rounded(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number && text.len() >= 11 && text.ends_with("00000")
}

/// What people and programs write before a number, in small letters: `Tel. 030 …`, `Mobile: +1 …`,
/// `tel:+49…`. Not a fax, because that is not the customer's phone.
const LABELS: &str = "tel tél telephone téléphone telefon telefonnummer telefono teléfono telefone telefoon phone \
                      mobile mobil mobiltelefon mob móvil movil celular cel cell handy gsm portable whatsapp callto 電話";

/// Returns the number without the word before it that only says that it is one.
pub(super) fn without_label(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return text;
    }
    let word = word.to_lowercase();
    if !LABELS.split(' ').any(|label| label == word) {
        return text;
    }
    rest.trim_start_matches(|character: char| character.is_whitespace() || matches!(character, '.' | ':' | '：'))
}

/// Accepts digits of any script, one leading plus, and the characters that people write between
/// digits.
pub(super) fn check_characters(text: &str) -> Result<(), Flaw> {
    let syntax = |hint: &'static str| Err(Flaw::new(Code::PhoneSyntax, hint));
    if text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("fax")) {
        return syntax("is a fax number: give a phone number");
    }
    // A Japanese keyboard writes a letter for a hyphen: `090ー1234ー5678`.
    if text.chars().any(|character| character.is_alphabetic() && !is_between(character)) {
        return syntax("letters are not accepted: give the digits, without an extension");
    }
    let is_plus = |character: char| matches!(character, '+' | '\u{ff0b}');
    if !text.chars().all(|character| character.is_numeric() || is_plus(character) || is_between(character)) {
        return syntax("only digits, spaces, ( ) - . / and a leading + are accepted");
    }
    if text.chars().skip_while(|&character| is_between(character)).skip(1).any(is_plus) {
        return syntax("a + is allowed only at the beginning; give one number");
    }
    if !text.chars().any(char::is_numeric) {
        return syntax("holds no digits");
    }
    Ok(())
}

/// Whether people write this character between digits. Not a tilde, after which the library takes
/// the digits for an extension and leaves them out.
pub(super) fn is_between(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '.' | '/' | '(' | ')' | '[' | ']' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{2212}' | '\u{30fc}'
                | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}'
        )
}

/// Returns the text with a plain space for each other space and invisible character, because the
/// library knows only some of them: French writes `\u{202f}` between digits.
pub(super) fn with_plain_spaces(text: &str) -> Cow<'_, str> {
    let is_other = |character: char| {
        character != ' '
            && (character.is_whitespace()
                || matches!(
                    character,
                    '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}'
                ))
    };
    if text.contains(is_other) { Cow::Owned(text.replace(is_other, " ")) } else { Cow::Borrowed(text) }
}

pub(super) fn is_international(text: &str) -> bool {
    text.contains(['+', '\u{ff0b}'])
}

/// Returns the text after its first two digits if these are zeros.
pub(super) fn after_two_zeros(text: &str) -> Option<&str> {
    let after_zero = |text: &str| text.trim_start_matches(is_between).strip_prefix(is_zero).map(str::len);
    let rest = &text[text.len() - after_zero(text)?..];
    let rest = &rest[rest.len() - after_zero(rest)?..];
    Some(rest.trim_start_matches(is_between))
}

/// Returns the text without its `(0)`, or `None` if it has none.
pub(super) fn without_bracketed_zero(text: &str) -> Option<String> {
    // Rules out most numbers.
    if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b' ' | b'-')) {
        return None;
    }
    let is_opening = |character: char| matches!(character, '(' | '[' | '\u{ff08}');
    text.match_indices(is_opening).find_map(|(start, opening)| {
        let rest = text[start + opening.len()..].trim_start().strip_prefix(is_zero)?;
        let rest = rest.trim_start().strip_prefix([')', ']', '\u{ff09}'])?;
        Some(format!("{}{rest}", &text[..start]))
    })
}

/// Whether a character is a zero of any script.
fn is_zero(character: char) -> bool {
    character == '0'
        || (!character.is_ascii()
            && character.is_numeric()
            && PHONE_NUMBER_UTIL.normalize_digits_only(character.to_string()) == "0")
}
