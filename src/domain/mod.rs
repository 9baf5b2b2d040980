//! What the rest of the program speaks of. Pure: no clock, no file, no network, no terminal, no database.
//!
//! A [`NewCustomer`] comes only from validation, so whatever holds one holds something that may be sent. What is wrong with a record is a
//! list of [`Violation`]s. What one request brought is an [`AttemptResult`]; how a record ended is an [`Outcome`]; how all of them ended
//! is a [`Tally`].

mod attempt;
mod country;
mod customer;
mod duplicates;
mod email;
mod kind;
mod moment;
mod name;
mod outcome;
mod phone;
mod phone_ranges;
mod record;
mod signs;
mod tally;
mod violation;

pub use attempt::{AttemptResult, DoubtCause, FoundCustomer, LookupResult, StopReason};
pub use country::Country;
pub use customer::{Field, NewCustomer};
pub use duplicates::{Duplicates, Earlier, Print, Printer, Prints};
pub use email::{Email, EmailKey};
pub use kind::CustomerType;
pub use moment::{BootTime, Moment};
pub use name::CustomerName;
pub use outcome::{Complaint, ComplaintCode, Ending, Outcome, Receipt, Status, Warning};
pub use phone::Phone;
pub use record::{InputForm, InputRecord, InputShape, Position, RawRecord, ReportLine, Verdict};
pub use tally::Tally;
pub use violation::{Code, Flaw, Severity, Violation, shorten, visible};

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
#[inline]
pub(crate) fn trimmed(text: &str) -> &str {
    let is_visible = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if is_visible(text.as_bytes().first()) && is_visible(text.as_bytes().last()) {
        return text;
    }
    match (text.chars().next(), text.chars().next_back()) {
        (Some(first), Some(last)) if !first.is_whitespace() && !last.is_whitespace() => text,
        _ => text.trim(),
    }
}
