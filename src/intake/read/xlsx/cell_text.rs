//! From the stored value of a cell to its text, or to the reason why there is none.

use std::borrow::Cow;

use super::date::{self, DayZero};
use super::number_format::{Digits, NumberFormat, Shows};

/// Spreadsheets keep 15 digits of a number and replace all others by zeros.
const FIRST_WITH_LOST_DIGITS: f64 = 1e15;
/// As many characters does a cell without a format show of a number with decimals.
const GENERAL_WIDTH: usize = 11;

/// Why a cell cannot be read as what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::intake) enum CellDamage {
    /// The number has more digits than a spreadsheet keeps.
    LostDigits,
    /// The number format shows another text than the stored number.
    ShownDifferently,
    /// The number is shown as a part of a date, as a length of time, or as an uncertain day.
    UnclearDate,
    /// The cell shows an error such as `#N/A`.
    Error,
    /// The cell has a formula whose result is not stored.
    NoResult,
    /// What is stored is not a value of its kind.
    NotAValue,
}

impl CellDamage {
    /// Returns what is wrong with the cell and what to do about it.
    pub(in crate::intake) fn hint(self) -> &'static str {
        match self {
            Self::LostDigits => {
                "has more digits than a spreadsheet keeps: format the column as text in the spreadsheet and type the number again"
            }
            Self::ShownDifferently => {
                "is stored like this but shown in another way: format the column as text in the spreadsheet and type what is right"
            }
            Self::UnclearDate => {
                "is a number that is shown as part of a date or as a duration: format the column as text in the spreadsheet and type \
                 what is right"
            }
            Self::Error => "is a spreadsheet's error value, not data; correct the formula or type the value",
            Self::NoResult => {
                "is a formula without its result: open the file in the spreadsheet and save it, or replace the formula by its value"
            }
            Self::NotAValue => {
                "is not a value of its kind: format the column as text in the spreadsheet and type it again"
            }
        }
    }

    /// Returns the text for a copy of the record. It is no text that any field accepts, so a copy
    /// that was not corrected is invalid again.
    pub(in crate::intake) fn marked(self, text: &[u8]) -> Vec<u8> {
        if self == Self::Error { text.to_vec() } else { [b"=\"", text, b"\""].concat() }
    }
}

/// Returns the text of a number. If the number is damaged, the text is what is stored.
pub(super) fn number<'a>(stored: &'a str, format: NumberFormat, zero: DayZero) -> (Cow<'a, str>, Option<CellDamage>) {
    let stored = stored.trim();
    let as_stored = |damage| (Cow::Borrowed(stored), Some(damage));
    let Some(value) = stored.parse::<f64>().ok().filter(|value| value.is_finite() && begins_as_number(stored)) else {
        return as_stored(CellDamage::NotAValue);
    };
    if format.is_for_positive && value <= 0.0 {
        return as_stored(CellDamage::ShownDifferently);
    }
    match format.shows {
        Shows::Date(parts) => match date::iso(value, parts, zero) {
            Some(text) => (Cow::Owned(text), None),
            None => as_stored(CellDamage::UnclearDate),
        },
        Shows::Elapsed => as_stored(CellDamage::UnclearDate),
        Shows::Other => as_stored(CellDamage::ShownDifferently),
        Shows::General | Shows::Digits(_) if value.abs() >= FIRST_WITH_LOST_DIGITS => as_stored(CellDamage::LostDigits),
        Shows::General | Shows::Digits(_) => {
            let plain = value.to_string();
            let is_shown = match format.shows {
                Shows::Digits(digits) => shows_all(digits, &plain),
                _ => is_whole(value) || plain.len() <= GENERAL_WIDTH,
            };
            if is_shown { (Cow::Owned(plain), None) } else { (Cow::Owned(plain), Some(CellDamage::ShownDifferently)) }
        }
    }
}

/// Whether a text begins as programs write numbers, because Rust also reads words such as `inf`.
fn begins_as_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0
}

/// Whether a format of digits shows a number exactly as it is.
fn shows_all(format: Digits, plain: &str) -> bool {
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let whole = whole.trim_start_matches('-');
    let fits_whole = whole.len() >= format.least && (format.least > 0 || whole != "0");
    let is_grouped = format.is_grouped && whole.len() > 3;
    fits_whole && !is_grouped && (format.least_decimals..=format.most_decimals).contains(&decimals.len())
}

/// Returns the text of a boolean as `true` or `false`.
pub(super) fn boolean(stored: &str) -> (Cow<'_, str>, Option<CellDamage>) {
    match stored.trim() {
        "1" | "true" => (Cow::Borrowed("true"), None),
        "0" | "false" => (Cow::Borrowed("false"), None),
        other => (Cow::Borrowed(other), Some(CellDamage::NotAValue)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stored: &str, code: &str, text: &str, damage: Option<CellDamage>) {
        let (found, why) = number(stored, NumberFormat::of(code), DayZero::Of1900);
        assert_eq!((&*found, why), (text, damage), "{stored} as {code}");
    }

    #[test]
    fn a_number_that_is_shown_as_it_is_stored_is_its_digits() {
        for (stored, code, text) in [
            ("491761234567", "General", "491761234567"),
            ("491761234567", "0", "491761234567"),
            ("491761234567", "@", "491761234567"),
            ("4.91761234567E+11", "General", "491761234567"),
            ("123456789012345", "0", "123456789012345"),
            ("276", "000", "276"),
            ("276", "#,##0", "276"),
            ("0", "General", "0"),
            ("-5", "General", "-5"),
            ("12.5", "General", "12.5"),
            ("12.5", "0.0", "12.5"),
            ("12.5", "0.0#", "12.5"),
            ("7.0", "0", "7"),
        ] {
            check(stored, code, text, None);
        }
    }

    #[test]
    fn a_number_that_is_shown_in_another_way_is_damaged() {
        for (stored, code, text) in [
            ("40", "000", "40"),
            ("1761234567", "00000000000", "1761234567"),
            ("1234.5", "0", "1234.5"),
            ("12.5", "0.00", "12.5"),
            ("491761234567", "0.00", "491761234567"),
            ("1234", "#,##0", "1234"),
            ("0", "#", "0"),
            ("0.123456789012", "General", "0.123456789012"),
            ("5", "0%", "5"),
            ("5", ";;;", "5"),
            ("-5", "0;0", "-5"),
            ("491761234567", "\"+\"0", "491761234567"),
            ("491761234567", "0.00E+00", "491761234567"),
        ] {
            check(stored, code, text, Some(CellDamage::ShownDifferently));
        }
    }

    #[test]
    fn digits_beyond_the_fifteenth_are_lost() {
        for stored in ["1234567890123456", "1.2345678901234568E+17", "1000000000000000"] {
            check(stored, "0", stored, Some(CellDamage::LostDigits));
            check(stored, "General", stored, Some(CellDamage::LostDigits));
        }
    }

    #[test]
    fn dates_are_iso_and_parts_of_dates_are_damaged() {
        check("46355", "dd.mm.yyyy", "2026-11-29", None);
        check("46355.5", "dd.mm.yyyy hh:mm", "2026-11-29T12:00:00", None);
        check("46355", "d-mmm", "46355", Some(CellDamage::UnclearDate));
        check("1.5", "[h]:mm", "1.5", Some(CellDamage::UnclearDate));
    }

    #[test]
    fn what_is_not_a_number_is_told() {
        for stored in ["", "inf", "NaN", "1,5", "0x10", "+5", "1e999"] {
            check(stored, "General", stored, Some(CellDamage::NotAValue));
        }
    }

    proptest! {
        #[test]
        fn a_text_without_damage_is_the_number(whole in 0u64..1_000_000_000_000_000, code in "[0#,.]{1,8}|General|@|0%") {
            let stored = whole.to_string();
            let (text, damage) = number(&stored, NumberFormat::of(&code), DayZero::Of1900);
            prop_assert!(damage.is_some() || *text == *stored, "{text} of {stored}");
        }
    }
}
