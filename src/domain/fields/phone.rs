//! Phone numbers. The only module that uses the phone library.
//!
//! Decisions: letters are refused, which includes vanity numbers (`1-800-FLOWERS`) and extensions
//! (`ext. 5`), because E.164 cannot hold them. A number with a decimal point or an exponent was
//! changed by a spreadsheet and may have lost digits, so it is refused before it is parsed.
//!
//! A cell can have several readings, because people write `00` for `+`, drop the `+`, or write the
//! `(0)` that is dialed only within the country. If two readings are known numbers and differ, the
//! cell is refused, because only a person can decide, and the wrong number reaches another person.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use super::country_code::Country;
use super::phone_ranges::in_use;
use crate::domain::text::trimmed;
use crate::domain::violation::{Code, Flaw};

/// A number in E.164 (`+2349039395114`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone {
    /// The digits after the plus.
    number: u64,
    /// The first three digits, which begin with the country code.
    head: u16,
    /// Whether the number is in a range that is in use. A number with a valid length that is not
    /// may be newer than our tables.
    assigned: bool,
}

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

impl Phone {
    /// Normalizes a number to E.164. `region` is the country whose rules apply to a number without
    /// `+`.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `phone.*` codes.
    pub fn parse(text: &str, region: Option<Country>) -> Result<Self, Flaw> {
        Self::of_record(text, region, None)
    }

    /// Normalizes the number of a record of `country` to E.164. `region` is the country whose rules
    /// apply to a number without `+`, if it is not the record's own.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `phone.*` codes.
    pub fn of_record(text: &str, country: Option<Country>, region: Option<Country>) -> Result<Self, Flaw> {
        // Spreadsheet users type an apostrophe first, so that a cell does not become a number.
        let text = trimmed(text);
        let text = text.strip_prefix('\'').map_or(text, str::trim);
        if text.is_empty() {
            return Err(Flaw::new(Code::PhoneMissing, "every customer needs a phone number"));
        }
        if let Some(number) = Self::plain(text) {
            return Ok(number);
        }
        check_damage(text)?;
        check_characters(text)?;
        let region = region.or(country);
        if !is_international(text) && region.is_none() {
            return Err(Flaw::new(Code::PhoneNoCountryCode, no_country_code(text)));
        }
        let region = region.and_then(|country| Region::from_code(country.alpha2()).ok());
        choose(read(text, region), &other_readings(text, region), country)
    }

    /// Returns what [`Phone::parse`] returns for a number that starts with `+`, is in a range in
    /// use and has nothing to report, however its digits are grouped. Returns `None` for all
    /// others. It does not use the phone library, which takes a hundred times as long. It does not
    /// accept full stops, because a spreadsheet may have written them, or a zero in brackets,
    /// because it may not be part of the number.
    #[must_use]
    pub fn plain(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+')?;
        let is_between = |byte: &u8| matches!(byte, b' ' | b'-' | b'(' | b')');
        // Most numbers have nothing between their digits.
        let grouped = || {
            let found = in_use(text.bytes().filter(|byte| !is_between(byte)))?;
            without_bracketed_zero(text).is_none().then_some(found)
        };
        let (number, head) = in_use(text.bytes()).or_else(grouped)?;
        (number >= LEAST).then_some(Self { number, head, assigned: true })
    }

    /// Whether the number has another country code than `country`. Countries that share a code,
    /// such as +1, count as the same. Of a country without a code, no number is foreign.
    #[must_use]
    #[inline]
    pub fn is_foreign(&self, country: Country) -> bool {
        !country_heads(country).contains(&self.head)
    }

    /// Whether the number has the country code of `country`.
    fn has_code_of(&self, country: Country) -> bool {
        let heads = country_heads(country);
        *heads != ANY_HEAD && heads.contains(&self.head)
    }

    /// Returns a warning if the number has another country code than the record's country. Then
    /// either of them may be wrong.
    #[must_use]
    pub fn foreign(&self, country: Country) -> Option<Flaw> {
        self.is_foreign(country).then(|| {
            Flaw::new(Code::PhoneOtherCountry, "does not have the country code of the record's country; check both")
        })
    }

    /// Returns what is odd about a number that may still be sent.
    #[must_use]
    pub fn oddity(&self) -> Option<Flaw> {
        (!self.assigned).then(|| {
            Flaw::new(Code::PhoneNotAssigned, "has a valid length but is not in a range known to be in use; check it")
        })
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.number)
    }
}

/// Seven digits, because no number with its country code is shorter.
const LEAST: u64 = 1_000_000;
/// The most digits that E.164 allows, including the country code.
const MOST_DIGITS: usize = 15;

/// The first three digits of all numbers.
const ANY_HEAD: Range<u16> = 0..1000;

/// Returns the first three digits of the numbers with a country's code, such as 490 to 499 for
/// Germany. Returns [`ANY_HEAD`] if the country does not have a code.
#[inline]
fn country_heads(country: Country) -> &'static Range<u16> {
    &COUNTRY_HEADS[usize::from(country.index())]
}

/// Read from a list of our own, because the phone library takes 9 MiB and some time to start, and
/// most files never need it.
static COUNTRY_HEADS: LazyLock<[Range<u16>; 256]> = LazyLock::new(|| {
    let mut table = [const { ANY_HEAD }; 256];
    for (country, code) in calling_codes(include_str!("calling_codes.txt")) {
        table[usize::from(country.index())] = heads_of(code).unwrap_or(ANY_HEAD);
    }
    table
});

/// Parses lines of a calling code and the countries that have it.
fn calling_codes(list: &str) -> impl Iterator<Item = (Country, u16)> {
    let lines = list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    lines.flat_map(|(code, countries)| {
        let code = code.parse().ok();
        countries.split(' ').filter_map(move |country| Country::plain(country).zip(code))
    })
}

fn heads_of(code: u16) -> Option<Range<u16>> {
    let scale = 10_u16.pow(2_u32.checked_sub(code.checked_ilog10()?)?);
    Some(code * scale..(code + 1) * scale)
}

/// Returns the number of a text that is already in E.164, or `None` if its length is invalid or its
/// first digit is zero.
fn number_of(e164: &str) -> Option<u64> {
    let digits =
        e164.strip_prefix('+').filter(|digits| digits.len() <= MOST_DIGITS && !digits.starts_with(['0', '+']))?;
    digits.parse().ok().filter(|number| *number >= LEAST)
}

/// Whether the server will read the same number. It reads `+252 0000014` as `+252 000014`, because
/// a zero before the area code is not part of a number.
fn reads_the_same(e164: &str) -> bool {
    let again = PHONE_NUMBER_UTIL.parse(e164, None);
    again.is_ok_and(|number| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164) == e164)
}

/// Reads a text by the rules of a region, or as an international number if it starts with `+`.
fn read(text: &str, region: Option<Region>) -> Result<Phone, Flaw> {
    PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| unparsable(&error, text)).and_then(|number| check(&number))
}

/// Returns the number if it can exist.
fn check(number: &PhoneNumber) -> Result<Phone, Flaw> {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(impossible("lacks its area code")),
        Err(error) => return Err(impossible(length_fault(error))),
    }
    let e164 = PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164);
    let assigned = PHONE_NUMBER_UTIL.is_valid_number(number);
    let number =
        number_of(&e164).ok_or_else(|| impossible("has too few or too many digits for an international number"))?;
    if !assigned && !reads_the_same(&e164) {
        return Err(impossible("has an extra zero or prefix after its country code"));
    }
    let head = e164.get(1..4).and_then(|head| head.parse().ok()).unwrap_or_default();
    Ok(Phone { number, head, assigned })
}

fn impossible(hint: &'static str) -> Flaw {
    Flaw::new(Code::PhoneImpossible, hint)
}

/// Refuses what spreadsheets make of numbers: `2.34904E+12`, `491512345678.0`, `="0301"`, `#N/A`.
fn check_damage(text: &str) -> Result<(), Flaw> {
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
fn is_rounded(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number && text.len() >= 11 && text.ends_with("00000")
}

/// Accepts digits of any script, one leading plus, and the characters that people write between
/// digits.
fn check_characters(text: &str) -> Result<(), Flaw> {
    let syntax = |hint: &'static str| Err(Flaw::new(Code::PhoneSyntax, hint));
    if text.chars().any(char::is_alphabetic) {
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

/// Whether people write this character between digits.
fn is_between(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{2212}' | '\u{30fc}'
                | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}'
        )
}

fn is_international(text: &str) -> bool {
    text.contains(['+', '\u{ff0b}'])
}

fn no_country_code(text: &str) -> &'static str {
    if text.starts_with("00") {
        "write + instead of 00, or give --region"
    } else {
        "write it with + and the country code, or give --region or the customer's country"
    }
}

fn unparsable(error: &ParseError, text: &str) -> Flaw {
    match error {
        ParseError::InvalidCountryCode if is_international(text) => {
            Flaw::new(Code::PhoneImpossible, "begins with a country code that does not exist")
        }
        ParseError::InvalidCountryCode => Flaw::new(Code::PhoneNoCountryCode, no_country_code(text)),
        ParseError::NotANumber(_) => Flaw::new(Code::PhoneSyntax, "is not a phone number"),
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => impossible("has too few digits"),
        ParseError::TooLongNsn => impossible("has too many digits"),
    }
}

fn length_fault(error: ValidationError) -> &'static str {
    match error {
        ValidationError::InvalidCountryCode => "begins with a country code that does not exist",
        ValidationError::TooShort => "has too few digits for its country",
        ValidationError::TooLong => "has too many digits for its country",
        _ => "has a number of digits that its country does not use",
    }
}

/// How a reading of a cell differs from the region's own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// `00` is read as `+`.
    TwoZeros,
    /// An export may have dropped the plus, as in `4915123456789` in Germany.
    LostPlus,
    /// The `(0)` of `+49 (0)30 123456` is not part of the number.
    BracketedZero,
}

/// Returns the numbers that a cell can mean besides what the region's rules make of it.
fn other_readings(text: &str, region: Option<Region>) -> Vec<(Reading, Phone)> {
    let mut found = Vec::new();
    let mut add = |reading, number: Option<Phone>| found.extend(number.map(|number| (reading, number)));
    let shorter = without_bracketed_zero(text);
    if let Some(shorter) = &shorter {
        add(Reading::BracketedZero, read(shorter, region).ok());
    }
    for text in std::iter::once(text).chain(shorter.as_deref()) {
        if let Some(rest) = after_two_zeros(text) {
            add(Reading::TwoZeros, read(&format!("+{rest}"), None).ok());
        }
        add(Reading::LostPlus, region.and_then(|region| lost_plus(text, region)));
    }
    found
}

/// Chooses between what the region's rules make of a cell and its other readings.
fn choose(own: Result<Phone, Flaw>, others: &[(Reading, Phone)], country: Option<Country>) -> Result<Phone, Flaw> {
    let is_known = |number: &Phone| number.assigned;
    let known = || others.iter().filter(|(_, number)| is_known(number));
    if let Ok(number) = own
        && is_known(&number)
    {
        let other = known().find(|(_, other)| *other != number);
        return other.map_or(Ok(number), |(reading, other)| Err(ambiguous(*reading, *other, number)));
    }
    let Some(&(reading, number)) = known().next() else {
        let Ok(number) = own else { return own };
        let other = others.iter().find(|(_, other)| *other != number);
        return other.map_or(own, |(reading, other)| Err(ambiguous(*reading, *other, number)));
    };
    if let Some((_, other)) = known().find(|(_, other)| *other != number) {
        return Err(ambiguous(reading, number, *other));
    }
    if reading != Reading::TwoZeros || country.is_some_and(|country| number.has_code_of(country)) {
        return Ok(number);
    }
    match own {
        Ok(own) => Err(ambiguous(reading, number, own)),
        Err(flaw) => Err(Flaw::new(flaw.code, format!("write + instead of 00 if it is {number}"))),
    }
}

fn ambiguous(reading: Reading, one: Phone, other: Phone) -> Flaw {
    let (code, advice) = match reading {
        Reading::TwoZeros => (Code::PhoneAmbiguous, "write + instead of 00"),
        Reading::BracketedZero => (Code::PhoneAmbiguous, "write the right one, without brackets around the zero"),
        Reading::LostPlus => (
            Code::PhoneNoCountryCode,
            "write it with + (if the whole column lacks it: --map 'customer_phone=+{COLUMN}')",
        ),
    };
    Flaw::new(code, format!("may mean {one} or {other}; {advice}"))
}

/// Returns the text after its first two digits if these are zeros.
fn after_two_zeros(text: &str) -> Option<&str> {
    let after_zero = |text: &str| text.trim_start_matches(is_between).strip_prefix(is_zero).map(str::len);
    let rest = &text[text.len() - after_zero(text)?..];
    let rest = &rest[rest.len() - after_zero(rest)?..];
    Some(rest.trim_start_matches(is_between))
}

/// Returns the text without its `(0)`, or `None` if it has none.
fn without_bracketed_zero(text: &str) -> Option<String> {
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

/// Returns the number with its plus restored, if it is a known number of the same country.
fn lost_plus(text: &str, region: Region) -> Option<Phone> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
    if is_international(text) || !may_begin_with(text, code) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None).ok()?;
    let number = if code == number.country_code { check(&number).ok()? } else { return None };
    number.assigned.then_some(number)
}

/// Whether the digits can begin with a country code. Few numbers do, so for most the second parsing
/// is avoided.
fn may_begin_with(text: &str, country_code: i32) -> bool {
    let digits: String = text.chars().filter(|sign| sign.is_numeric()).collect();
    !digits.is_ascii() || digits.starts_with(&country_code.to_string())
}

#[cfg(test)]
mod spellings;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn country(code: &str) -> Option<Country> {
        Some(Country::parse(code).unwrap())
    }

    /// Run with `UPDATE=1` to write the list again.
    #[test]
    fn the_list_of_calling_codes_is_that_of_the_phone_library() {
        let mut codes = std::collections::BTreeMap::<u16, Vec<String>>::new();
        for [first, second] in ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| [first, second])) {
            let alpha2 = format!("{first}{second}");
            let region = Region::from_code(&alpha2).ok().filter(|_| Country::plain(&alpha2).is_some());
            if let Some(code) = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region)) {
                codes.entry(u16::try_from(code).unwrap()).or_default().push(alpha2);
            }
        }
        let mut list =
            "# Calling codes, and the countries that have them, from the metadata of the phone library.\n".to_owned();
        list.extend(codes.into_iter().map(|(code, countries)| format!("{code} {}\n", countries.join(" "))));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/fields/calling_codes.txt"), &list).unwrap();
        } else {
            assert_eq!(list, include_str!("calling_codes.txt"));
        }
    }

    fn e164(text: &str, region: Option<Country>) -> Result<String, Code> {
        Phone::parse(text, region).map(|phone| phone.to_string()).map_err(|flaw| flaw.code)
    }

    #[test]
    fn what_is_short_of_its_area_code_is_refused_however_it_is_written() {
        // Canada has such numbers, for calls within Canada.
        for text in ["+13104384", "+1 310 4384", "+1 310/4384"] {
            assert_eq!(e164(text, None), Err(Code::PhoneImpossible), "{text}");
        }
    }

    #[test]
    fn every_example_normalises_to_its_e164_and_the_short_ones_are_refused() {
        let table = include_str!("../../../fixtures/data/phones-by-region.csv");
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(rows.len() > 150);
        for row in rows {
            let region = Country::parse(&row[0]).ok();
            let mobile = Ok(row[3].to_owned());
            assert_eq!(e164(&row[3], None), mobile, "{row:?}");
            assert_eq!(e164(&row[4], None), mobile, "{row:?}");
            assert_eq!(e164(&row[5], region), mobile, "{row:?}");
            assert_eq!(e164(&format!(" '{}", &row[3]), None), mobile, "{row:?}");
            assert!(Phone::parse(&row[3], None).unwrap().oddity().is_none(), "{row:?}");
            if !row[6].is_empty() {
                assert_eq!(e164(&row[6], None), Ok(row[6].to_owned()), "{row:?}");
            }
            if !row[7].is_empty() {
                // If a country also has shorter numbers, one digit less gives a possible number
                // outside all known ranges.
                let short = Phone::parse(&row[7], None);
                assert!(short.map_or(true, |phone| phone.oddity().is_some()), "{row:?}");
            }
        }
    }

    #[test]
    fn spreadsheet_damage_is_seen_before_anything_is_made_of_it() {
        for damaged in [
            "2.34904E+12",
            "2,34904E+12",
            "491512345678.0",
            "4.9e11",
            "1E5",
            "+4.9E11",
            "=\"0301\"",
            "=+49151",
            "#N/A",
            "0.5",
        ] {
            assert_eq!(e164(damaged, country("DE")), Err(Code::PhoneSpreadsheetDamage), "{damaged}");
        }
        assert_eq!(e164("0151.23456789", country("DE")), Ok("+4915123456789".to_owned()));
        assert_eq!(e164("201.555.0123", country("US")), Ok("+12015550123".to_owned()));
    }

    #[test]
    fn what_is_no_number_gets_its_own_code() {
        for (text, region, code) in [
            ("", None, Code::PhoneMissing),
            (" ' ", None, Code::PhoneMissing),
            ("1-800-FLOWERS", country("US"), Code::PhoneSyntax),
            ("+49 30 123456 ext. 5", None, Code::PhoneSyntax),
            ("+49 151 1 / +49 151 2", None, Code::PhoneSyntax),
            ("+", None, Code::PhoneSyntax),
            ("---", country("US"), Code::PhoneSyntax),
            ("030 123456", None, Code::PhoneNoCountryCode),
            ("0049 30 123456", None, Code::PhoneNoCountryCode),
            ("12345", country("AQ"), Code::PhoneNoCountryCode),
            ("+999 123 456 789", None, Code::PhoneImpossible),
            ("+49 1", None, Code::PhoneImpossible),
            ("+431110", None, Code::PhoneImpossible),
            ("+43 1110", None, Code::PhoneImpossible),
            ("+1 201 555 01234567", None, Code::PhoneImpossible),
        ] {
            assert_eq!(e164(text, region), Err(code), "{text}");
        }
    }

    #[test]
    fn national_and_dialled_spellings_follow_their_region() {
        for (text, region, expected) in [
            ("0049 30 123456", "DE", "+4930123456"),
            ("+44 (0)20 7946 0018", "GB", "+442079460018"),
            ("020 7946 0018", "GB", "+442079460018"),
            ("8 (912) 345-67-89", "RU", "+79123456789"),
            ("٠٥٠١٢٣٤٥٦٧", "AE", "+971501234567"),
            ("＋８１ ９０ １２３４ ５６７８", "JP", "+819012345678"),
        ] {
            assert_eq!(e164(text, country(region)), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_lost_plus_is_put_back_only_where_nothing_else_makes_sense() {
        for (text, region, expected) in [
            ("1 201 555 0123", "US", Ok("+12015550123")),
            ("5511961234567", "BR", Ok("+5511961234567")),
            ("919876543210", "IN", Ok("+919876543210")),
            // A valid number of Leer in Germany, and a valid German mobile number.
            ("4915123456789", "DE", Err(Code::PhoneNoCountryCode)),
            // National numbers without their leading zero.
            ("30 123456", "DE", Ok("+4930123456")),
            ("15123456789", "DE", Ok("+4915123456789")),
        ] {
            assert_eq!(e164(text, country(region)), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_number_that_the_next_reader_would_read_differently_is_refused() {
        // Each reader removes one zero.
        for (text, region) in [("0 000 0014", "SO"), ("+49 00 30 123456", "DE")] {
            assert_eq!(e164(text, country(region)), Err(Code::PhoneImpossible), "{text}");
        }
        assert_eq!(e164("06 698 12345", country("IT")), Ok("+390669812345".to_owned()));
    }

    #[test]
    fn a_possible_number_outside_known_ranges_is_sent_with_a_warning() {
        let phone = Phone::parse("+1 200 555 0123", None).unwrap();
        assert_eq!(phone.oddity().map(|flaw| flaw.code), Some(Code::PhoneNotAssigned));
    }

    /// Returns what the library's parser makes of a number.
    fn parsed(text: &str) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(text, None).ok()?;
        Some(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
    }

    fn examples() -> Vec<String> {
        let table = include_str!("../../../fixtures/data/phones-by-region.csv");
        csv::Reader::from_reader(table.as_bytes()).records().map(|row| row.unwrap()[3].to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_comes_out_is_e164(text in "[+0(]{0,2}[-0-9 ().]{0,20}", region in prop::sample::select(vec!["DE", "US", "IT", "NG", "JP", "SO"])) {
            if let Ok(phone) = Phone::parse(&text, country(region)) {
                let written = phone.to_string();
                prop_assert_eq!(number_of(&written), Some(phone.number), "{} from {}", written, text);
                prop_assert_eq!(e164(&written, None), Ok(written));
            }
        }

        #[test]
        fn grouping_changes_nothing(digits in "(43|49|98|1|44)[0-9]{4,12}", place in 1..5_usize) {
            let (plain, grouped) = (format!("+{digits}"), format!("+{} {}", &digits[..place], &digits[place..]));
            prop_assert_eq!(e164(&plain, None), e164(&grouped, None));
        }

        #[test]
        fn the_short_way_says_what_the_parser_says(
            example in prop::sample::select(examples()),
            groups in prop::collection::vec((any::<prop::sample::Index>(), "[-() 0]{1,2}"), 0..5),
        ) {
            let mut text = example;
            for (place, between) in groups {
                text.insert_str(1 + place.index(text.len()), &between);
            }
            if let Some(short) = Phone::plain(&text) {
                prop_assert_eq!(Some(short.to_string()), parsed(&text), "{}", text);
            }
        }

        #[test]
        fn only_what_begins_with_the_code_can_have_lost_its_plus(
            text in "(49|1|44|00)?[0-9 ()/.-]{4,14}|[٠-٩0-9]{6,12}",
            code in prop::sample::select(vec![49, 1, 44, 358]),
        ) {
            let parsed = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None);
            prop_assert!(may_begin_with(&text, code) || parsed.map_or(true, |number| number.country_code != code));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Phone::parse(&text, country("US"));
        }
    }
}
