//! A number in E.164, and how the phone library reads one.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use super::written::{is_international, is_rounded, without_bracketed_zero};
use crate::domain::fields::byte_classes::{Signs, equal, within};
use crate::domain::fields::country_code::Country;
use crate::domain::fields::national_numbers::{LONGEST, in_use_at_home};
use crate::domain::fields::phone_ranges::in_use;
use crate::domain::violation::{Code, Flaw};

/// A number in E.164 (`+2349039395114`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone {
    /// The digits after the plus.
    pub(super) number: u64,
    /// The first three digits, which begin with the country code.
    pub(super) head: u16,
    /// Whether the number is in a range that is in use. A number with a valid length that is not
    /// may be newer than our tables.
    pub(super) assigned: bool,
}

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

impl Phone {
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
            let signs = Signs::of(text.as_bytes())?;
            let [digits, between] = signs.that(|signs| {
                let between = equal(signs, b' ') | equal(signs, b'-') | equal(signs, b'(') | equal(signs, b')');
                [within(signs, b'0', b'9'), between]
            });
            if between == 0 || digits | between != signs.all() {
                return None;
            }
            let found = in_use(text.bytes().filter(|byte| !is_between(byte)))?;
            without_bracketed_zero(text).is_none().then_some(found)
        };
        let (number, head) = in_use(text.bytes()).or_else(grouped)?;
        (number >= LEAST).then_some(Self { number, head, assigned: true })
    }

    /// Returns what [`Phone::parse`] returns for a number without `+` that has one meaning in its
    /// region, is in a range in use and has nothing to report, however its digits are grouped.
    /// Returns `None` for all others. It does not use the phone library either.
    #[must_use]
    pub fn national(text: &str, region: Country) -> Option<Self> {
        Self::dialed(TypedDigits::dialed(text)?.as_slice(), region)
    }

    /// Does the same for the digits of a text.
    pub(super) fn dialed(digits: &[u8], region: Country) -> Option<Self> {
        let digits = Some(digits).filter(|digits| digits.len() <= LONGEST)?;
        let number = in_use_at_home(digits, region).filter(|number| *number >= LEAST)?;
        Some(Self::of_number(number, true))
    }

    /// `number` has at least three digits.
    pub(super) fn of_number(number: u64, assigned: bool) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "three digits")]
        let head = (number / 10_u64.pow(number.ilog10().saturating_sub(2))) as u16;
        Self { number, head, assigned }
    }

    /// Whether the number is in a range that is in use.
    #[must_use]
    #[inline(always)]
    pub const fn is_assigned(&self) -> bool {
        self.assigned
    }

    /// Whether the number has another country code than `country`. Countries that share a code,
    /// such as +1, count as the same. Of a country without a code, no number is foreign.
    #[must_use]
    #[inline(always)]
    pub fn is_foreign(&self, country: Country) -> bool {
        !country_heads(country).contains(&self.head)
    }

    /// Whether the number has the country code of `country`.
    pub(super) fn has_code_of(&self, country: Country) -> bool {
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

/// The digits of a text that has nothing else but what people write between digits in ASCII.
pub(super) struct TypedDigits {
    digits: [u8; MOST_TYPED],
    count: usize,
    has_bracket: bool,
}

/// The most digits that the tables judge, of which the last ones may be too many.
const MOST_TYPED: usize = 20;

impl TypedDigits {
    /// Returns `None` if there is anything else, or if there are more than a number can have. It
    /// accepts no full stop, because a spreadsheet may have written it, and no slash after so many
    /// digits that another number may follow.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (mut digits, mut count, mut has_bracket) = ([0; MOST_TYPED], 0, false);
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' => {
                    *digits.get_mut(count)? = byte - b'0';
                    count += 1;
                }
                b' ' | b'-' => {}
                b'(' | b')' => has_bracket = true,
                b'/' if count < 7 => {}
                _ => return None,
            }
        }
        Some(Self { digits, count, has_bracket })
    }

    /// Does the same for a text without `+`. Returns `None` also for what a spreadsheet may have
    /// rounded, and for a zero in brackets, because it may not be part of the number.
    pub(super) fn dialed(text: &str) -> Option<Self> {
        let digits = Self::of(text)?;
        let is_doubtful = (digits.count == text.len() && is_rounded(text))
            || (digits.has_bracket && without_bracketed_zero(text).is_some());
        if is_doubtful { None } else { Some(digits) }
    }

    pub(super) const fn has_bracket(&self) -> bool {
        self.has_bracket
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.number)
    }
}

/// Seven digits, because no number with its country code is shorter.
pub(super) const LEAST: u64 = 1_000_000;
/// The most digits that E.164 allows, including the country code.
pub(super) const MOST_DIGITS: usize = 15;

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
    for (country, code) in calling_codes(include_str!("../calling_codes.txt")) {
        table[usize::from(country.index())] = heads_of(code).unwrap_or(ANY_HEAD);
    }
    table
});

/// Parses lines of a calling code and the countries that have it.
pub(super) fn calling_codes(list: &str) -> impl Iterator<Item = (Country, u16)> {
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
pub(super) fn number_of(e164: &str) -> Option<u64> {
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
pub(super) fn read(text: &str, region: Option<Region>) -> Result<Phone, Flaw> {
    PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| unparsable(&error, text)).and_then(|number| check(&number))
}

/// Returns the number if it can exist.
pub(super) fn check(number: &PhoneNumber) -> Result<Phone, Flaw> {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(impossible(LOCAL)),
        Err(error) => return Err(impossible(length_fault(error))),
    }
    let e164 = PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164);
    let assigned = PHONE_NUMBER_UTIL.is_valid_number(number);
    let number = number_of(&e164).ok_or_else(|| impossible(NOT_INTERNATIONAL))?;
    if !assigned && !reads_the_same(&e164) {
        return Err(impossible("has an extra zero or prefix after its country code"));
    }
    let head = e164.get(1..4).and_then(|head| head.parse().ok()).unwrap_or_default();
    Ok(Phone { number, head, assigned })
}

pub(super) const LOCAL: &str = "lacks its area code";
pub(super) const TOO_SHORT: &str = "has too few digits for its country";
pub(super) const TOO_LONG: &str = "has too many digits for its country";
pub(super) const UNUSED_LENGTH: &str = "has a number of digits that its country does not use";
pub(super) const TOO_MANY_TO_READ: &str = "has too many digits";
pub(super) const NOT_INTERNATIONAL: &str = "has too few or too many digits for an international number";

pub(super) fn impossible(hint: &'static str) -> Flaw {
    Flaw::new(Code::PhoneImpossible, hint)
}

pub(super) fn no_country_code(text: &str) -> &'static str {
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
        ParseError::TooLongNsn => impossible(TOO_MANY_TO_READ),
    }
}

fn length_fault(error: ValidationError) -> &'static str {
    match error {
        ValidationError::InvalidCountryCode => "begins with a country code that does not exist",
        ValidationError::TooShort => TOO_SHORT,
        ValidationError::TooLong => TOO_LONG,
        _ => UNUSED_LENGTH,
    }
}
