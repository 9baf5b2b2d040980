//! What the rest of the program speaks of. Pure: no clock, no file, no network, no terminal, no database.
//!
//! A [`NewCustomer`] comes only from validation, so whatever holds one holds something that may be sent. What is wrong with a record is a
//! list of [`Violation`]s. What one request brought is an [`AttemptResult`]; how a record ended is an [`Outcome`]; how all of them ended
//! is a [`Tally`].

mod attempt;
mod country;
mod customer;
mod email;
mod json;
mod kind;
mod letters;
mod lookalike;
mod moment;
mod name;
mod outcome;
mod phone;
mod phone_ranges;
mod record;
mod signs;
mod tally;
mod text;
mod violation;

pub use attempt::{
    AttemptResult, DoubtCause, EmailWords, FoundCustomer, LookupResult, Matches, Refusal, RefusalScope, StopReason,
};
pub use country::Country;
pub use customer::{Field, NewCustomer};
pub use email::{Email, EmailKey};
pub use json::{Json, JsonObject};
pub use kind::CustomerType;
pub use lookalike::lookalike;
pub use moment::{BootTime, Moment};
pub use name::CustomerName;
pub use outcome::{Complaint, ComplaintCode, Data, Ending, Outcome, Receipt, Status, Warning};
pub use phone::Phone;
pub use record::{InputForm, InputRecord, InputShape, Position, RawRecord, ReportLine, Verdict};
pub use tally::Tally;
pub use text::{Shown, is_hidden, on_one_line, shorten, shown, visible};
pub use violation::{Code, Flaw, Severity, Violation};

/// The text without the white space around it.
#[inline]
pub(crate) fn trim(text: std::borrow::Cow<'_, str>) -> std::borrow::Cow<'_, str> {
    use std::borrow::Cow;
    match text {
        _ if trimmed(&text).len() == text.len() => text,
        Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
        Cow::Owned(text) => Cow::Owned(trimmed(&text).to_owned()),
    }
}

/// The same of a borrowed text. Nearly all have nothing around them, and then their ends tell so.
#[inline(always)]
pub(crate) fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if begins_no_space(*first) && ends_no_space(*last) => text,
        _ => trimmed_by_letters(text),
    }
}

/// Out of line, for it is seldom needed.
#[inline(never)]
fn trimmed_by_letters(text: &str) -> &str {
    let is_visible = |letter: Option<char>| letter.is_some_and(|letter| !letter.is_whitespace());
    let mut letters = text.chars();
    if is_visible(letters.next()) && is_visible(letters.next_back()) { text } else { text.trim() }
}

/// Whether no white space of Unicode has this first byte.
const fn begins_no_space(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xc3..=0xe0 | 0xe4..)
}

/// Whether none has this last byte.
const fn ends_no_space(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0x8b..=0x9e | 0xa1..=0xa7 | 0xaa..=0xae | 0xb0..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_any_kind_is_trimmed_and_nothing_else() {
        for character in '\0'..=char::MAX {
            let text = format!("{character}a{character}");
            assert_eq!(trimmed(&text), text.trim(), "{character:?}");
            assert_eq!(trimmed(&text[..character.len_utf8()]), text[..character.len_utf8()].trim());
        }
    }
}
