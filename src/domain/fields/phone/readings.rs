//! The readings of a cell: what its writer may have meant besides what the region's rules make of
//! it. Chooses one, or refuses the cell if only a person can choose.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use super::number::{
    LEAST, LOCAL, MOST_DIGITS, NOT_INTERNATIONAL, Phone, TOO_LONG, TOO_MANY_TO_READ, TOO_SHORT, TypedDigits,
    UNUSED_LENGTH, check, impossible, read,
};
use super::written::{after_two_zeros, is_international, without_bracketed_zero};
use crate::domain::fields::country_code::Country;
use crate::domain::fields::phone_ranges::in_use;
use crate::domain::fields::possible_numbers::{Length, length_of};
use crate::domain::fields::wrong_lengths::wrong_length_at_home;
use crate::domain::violation::{Code, Flaw};

/// How a reading of a cell differs from the region's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `00` is read as `+`.
    TwoZeros,
    /// An export may have dropped the plus, as in `4915123456789` in Germany.
    LostPlus,
    /// The `(0)` of `+49 (0)30 123456` is not part of the number.
    BracketedZero,
}

impl Phone {
    /// Returns what [`Phone::parse`] returns for a number that starts with `+`, however its digits
    /// are grouped, if its length alone decides about it unless it is in use. Returns `None` for
    /// all others.
    pub(super) fn by_length(text: &str) -> Option<Result<Self, Flaw>> {
        let judged = judged_by_length(text)?;
        Some(judged.map_err(|WrongLength { fault, digits, code }| {
            let digits: String = digits.as_slice().iter().map(|digit| char::from(digit + b'0')).collect();
            with_surplus(impossible(fault), &digits, code)
        }))
    }
}

/// The longest text that the phone library reads.
const LONGEST_TEXT: usize = 250;

/// Returns what [`Phone::of_record`] returns for a number without `+`, however its digits are
/// grouped, if it is in use, or if the count of its digits alone decides about it. Returns `None`
/// for all others.
pub(super) fn judged_at_home(text: &str, home: Country) -> Option<Result<Phone, Flaw>> {
    let digits = TypedDigits::dialed(text)?;
    let digits = digits.as_slice();
    if let Some(number) = Phone::dialed(digits, home) {
        return Some(Ok(number));
    }
    let length = wrong_length_at_home(digits, home, may_have_lost_plus).filter(|_| text.len() <= LONGEST_TEXT)?;
    Some(Err(impossible(fault(length))))
}

/// A number whose length shows that it cannot exist.
pub(super) struct WrongLength {
    fault: &'static str,
    digits: TypedDigits,
    /// How many of the digits are the country code.
    code: usize,
}

/// Does what [`Phone::by_length`] does, without the words of a refusal.
pub(super) fn judged_by_length(text: &str) -> Option<Result<Phone, WrongLength>> {
    let text = text.strip_prefix('+')?;
    let typed = TypedDigits::of(text)?;
    let digits = typed.as_slice();
    let (code, length) =
        length_of(digits).filter(|_| !typed.has_bracket() || without_bracketed_zero(text).is_none())?;
    let number = number_of_length(digits, length);
    Some(number.ok_or_else(|| WrongLength { fault: fault(length), digits: typed, code }))
}

/// Returns the number with these digits, of which the first ones are its country code. Returns
/// `None` if it cannot exist, because it has this length.
fn number_of_length(digits: &[u8], length: Length) -> Option<Phone> {
    if length != Length::Possible || digits.len() > MOST_DIGITS {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit));
    let is_in_use = || in_use(digits.iter().map(|digit| digit + b'0')).is_some();
    (number >= LEAST).then(|| Phone::of_number(number, is_in_use()))
}

/// Returns why a number with this length is refused.
const fn fault(length: Length) -> &'static str {
    match length {
        Length::Possible => NOT_INTERNATIONAL,
        Length::Local => LOCAL,
        Length::TooShort => TOO_SHORT,
        Length::TooLong => TOO_LONG,
        Length::Unused => UNUSED_LENGTH,
        Length::TooManyToRead => TOO_MANY_TO_READ,
    }
}

/// Whether digits may be a number in use that lost its plus. If only the phone library can say
/// that, they may be.
fn may_have_lost_plus(digits: &[u8]) -> bool {
    length_of(digits).is_none_or(|(_, length)| number_of_length(digits, length).is_some_and(|number| number.assigned))
}

/// Returns the numbers that a cell can mean besides what the region's rules make of it.
pub(super) fn other_readings(text: &str, region: Option<Region>) -> Vec<(Reading, Phone)> {
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
pub(super) fn choose(
    own: Result<Phone, Flaw>,
    others: &[(Reading, Phone)],
    country: Option<Country>,
) -> Result<Phone, Flaw> {
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

/// What people write after a country code although it is only dialed within the country, or was
/// dialed once: the `1` of `+52 1 …`, the `0` of `+34 0 …`.
const DIALED: [&str; 6] = ["0", "1", "8", "01", "044", "045"];

/// Adds to a refusal of a number with `+` what makes it too long, if exactly one known number is
/// left without it. Only a person can know whether it is meant. `digits` are those after the plus,
/// of which the first `code` are the country code.
pub(super) fn with_surplus(flaw: Flaw, digits: &str, code: usize) -> Flaw {
    let (code, national) = digits.split_at(code);
    let without = |surplus: &str| {
        let (number, _) = in_use(code.bytes().chain(national.strip_prefix(surplus)?.bytes()))?;
        (number >= LEAST).then(|| Phone::of_number(number, true))
    };
    let mut left = DIALED.into_iter().chain([code]).filter_map(|surplus| Some(surplus).zip(without(surplus)));
    let Some((surplus, number)) = left.next() else { return flaw };
    if left.any(|(_, other)| other != number) {
        return flaw;
    }
    Flaw::new(
        flaw.code,
        format!("{}; without the {surplus} after +{code} it is {number}: write that if it is meant", flaw.hint),
    )
}

/// Does the same for a text that the library refused.
pub(super) fn with_surplus_of(flaw: Flaw, text: &str) -> Flaw {
    if flaw.code != Code::PhoneImpossible || !is_international(text) {
        return flaw;
    }
    let digits = PHONE_NUMBER_UTIL.normalize_digits_only(text).to_string();
    let Ok(number) = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None) else { return flaw };
    let code = number.country_code.to_string();
    if digits.starts_with(&code) { with_surplus(flaw, &digits, code.len()) } else { flaw }
}

/// Returns the number with its plus restored, if it is a known number of the same country.
pub(super) fn lost_plus(text: &str, region: Region) -> Option<Phone> {
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
pub(super) fn may_begin_with(text: &str, country_code: i32) -> bool {
    let digits: String = text.chars().filter(|sign| sign.is_numeric()).collect();
    !digits.is_ascii() || digits.starts_with(&country_code.to_string())
}
