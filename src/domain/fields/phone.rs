//! Phone numbers. The only module that uses the phone library.
//!
//! Decisions: letters are refused, which includes vanity numbers (`1-800-FLOWERS`) and extensions
//! (`ext. 5`), because E.164 cannot hold them. A number with a decimal point or an exponent was
//! changed by a spreadsheet and may have lost digits, so it is refused before it is parsed.

use std::fmt;

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
        if !is_international(text) && region.is_none() {
            return Err(Flaw::new(Code::PhoneNoCountryCode, no_country_code(text)));
        }
        let region = region.and_then(|country| Region::from_code(country.alpha2()).ok());
        let number = PHONE_NUMBER_UTIL.parse(text, region);
        let number = match region.and_then(|region| lost_plus(text, region)) {
            Some(other) => choose(number.ok(), other)?,
            None => number.map_err(|error| unparsable(&error, text))?,
        };
        match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
            Ok(NumberLengthType::IsPossible) => {}
            Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(impossible("lacks its area code")),
            Err(error) => return Err(impossible(length_fault(error))),
        }
        let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
        let assigned = PHONE_NUMBER_UTIL.is_valid_number(&number);
        let number =
            number_of(&e164).ok_or_else(|| impossible("has too few or too many digits for an international number"))?;
        if !assigned && !reads_the_same(&e164) {
            return Err(impossible("has an extra zero or prefix after its country code"));
        }
        Ok(Self { number, assigned })
    }

    /// Returns what [`Phone::parse`] returns for a number that starts with `+`, is in a range in
    /// use and has nothing to report, however its digits are grouped. Returns `None` for all
    /// others. It does not use the phone library, which takes a hundred times as long. It does not
    /// accept full stops, because a spreadsheet may have written them.
    #[must_use]
    pub fn plain(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+')?;
        let is_between = |byte: &u8| matches!(byte, b' ' | b'-' | b'(' | b')');
        // Most numbers have nothing between their digits.
        let number = in_use(text.bytes()).or_else(|| in_use(text.bytes().filter(|byte| !is_between(byte))))?;
        (number >= LEAST).then_some(Self { number, assigned: true })
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

/// Accepts digits of any script, one leading plus, and the characters that people write between
/// digits.
fn check_characters(text: &str) -> Result<(), Flaw> {
    let syntax = |hint: &'static str| Err(Flaw::new(Code::PhoneSyntax, hint));
    if text.chars().any(char::is_alphabetic) {
        return syntax("letters are not accepted: give the digits, without an extension");
    }
    let is_plus = |character: char| matches!(character, '+' | '\u{ff0b}');
    let is_between = |character: char| {
        character.is_whitespace()
            || matches!(
                character,
                '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}'
                    | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{2212}' | '\u{30fc}'
                    | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}'
            )
    };
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

/// Returns the number with its plus restored, for example `4915123456789` in Germany, if it is a
/// valid number of the same country. An export may have dropped the plus.
fn lost_plus(text: &str, region: Region) -> Option<PhoneNumber> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
    if is_international(text) || !may_begin_with(text, code) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None).ok()?;
    (code == number.country_code && PHONE_NUMBER_UTIL.is_valid_number(&number)).then_some(number)
}

/// Whether the digits can begin with a country code. Few numbers do, so for most the second parsing
/// is avoided.
fn may_begin_with(text: &str, country_code: i32) -> bool {
    let digits: String = text.chars().filter(|sign| sign.is_numeric()).collect();
    !digits.is_ascii() || digits.starts_with(&country_code.to_string())
}

/// Chooses between the number as it is and the number with its plus restored. If both are valid and
/// differ, it returns a flaw, because only a person can decide, and the wrong number reaches
/// another person.
fn choose(as_it_stands: Option<PhoneNumber>, with_plus: PhoneNumber) -> Result<PhoneNumber, Flaw> {
    let e164 = |number: &PhoneNumber| PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned();
    match as_it_stands.filter(|number| PHONE_NUMBER_UTIL.is_valid_number(number)) {
        Some(number) if e164(&number) != e164(&with_plus) => {
            let hint = format!(
                "may mean {} or {}; write it with + (if the whole column lacks it: --map 'customer_phone=+{{COLUMN}}')",
                e164(&with_plus),
                e164(&number)
            );
            Err(Flaw::new(Code::PhoneNoCountryCode, hint))
        }
        _ => Ok(with_plus),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn country(code: &str) -> Option<Country> {
        Some(Country::parse(code).unwrap())
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
