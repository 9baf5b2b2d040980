//! The types that the rest of the program uses. Pure: no clock, no file, no network, no terminal,
//! no database.
//!
//! - `customer`, `fields`: a customer that may be sent, and the rules of each field
//! - `record`, `violation`: a record of the input, and what is wrong or odd about it
//! - `attempt`, `outcome`, `tally`: what one request brought, how a record ended, and how all of
//!   them ended
//! - `stop_words`: why a run stopped, and what the user can do about it
//! - `request`, `minute`, `latency_histogram`: how requests ended, and what a run did in a minute
//! - `changed_fields`: what differs from the data that was sent
//! - `lookalike`: which e-mails a server may call equal
//! - `moment`: a point in time on two clocks
//! - `plain_word`, `value_words`: what spellings of a word share, and words for kinds of values
//! - `text`, `count`, `json`, `yes_no`: text and counts for people, JSON values, yes or no
//!
//! # Rules
//!
//! - A [`NewCustomer`] comes only from validation, so code that has one may send it.
//! - A bad record is data: it has a list of [`Violation`]s, each with a stable [`Code`] and a hint.
//! - Every [`AttemptResult`] says whether something was created, surely not created, or unknown.
//! - Every record ends with one [`Status`], and a [`Tally`] of them sums to the records that were
//!   read.
//! - The `Debug` output of fields, customers, records and flaws leaves out people's data, so that
//!   it stays out of logs and panics.
//!
//! # Example
//!
//! ```
//! use customer_import::domain::{Code, Country, EmailKey, Phone};
//!
//! let germany = Country::parse("Germany").unwrap();
//! let phone = Phone::parse("030 123456", Some(germany)).unwrap();
//! assert_eq!(phone.to_string(), "+4930123456");
//!
//! // A flaw has a code for programs and a hint for people.
//! let flaw = Phone::parse("1.23457E+11", Some(germany)).unwrap_err();
//! assert_eq!(flaw.code, Code::PhoneSpreadsheetDamage);
//!
//! // Two spellings of one e-mail have the same key, so they are one customer.
//! assert_eq!(EmailKey::of("Ada@Example.org"), EmailKey::of(" ada@example.ORG "));
//! ```

mod attempt;
mod changed_fields;
mod count;
mod customer;
mod fields;
mod json;
mod known_bad;
mod latency_histogram;
mod lookalike;
mod minute;
mod moment;
mod outcome;
mod plain_word;
mod record;
mod request;
mod share;
mod stop_words;
mod tally;
mod text;
mod value_words;
mod violation;
mod yes_no;

pub use attempt::{
    AttemptResult, DoubtCause, EmailWords, FoundCustomer, LookupResult, Matches, Refusal, RefusalScope, StopReason,
};
pub use changed_fields::ChangedFields;
pub use count::{counted, grouped, plural};
pub use customer::{Field, NewCustomer};
pub use fields::country_code::Country;
pub use fields::email::{Email, EmailKey};
pub use fields::kind::CustomerType;
pub use fields::name::CustomerName;
pub use fields::name_oddity::NameOddity;
pub use fields::phone::Phone;
pub use json::{Json, JsonObject};
pub use known_bad::KnownBad;
pub use latency_histogram::LatencyHistogram;
pub use lookalike::lookalike;
pub use minute::MinuteTraffic;
pub use moment::{BootTime, Moment};
pub use outcome::{Complaint, ComplaintCode, Data, Ending, Outcome, Receipt, Status, Warning};
pub(crate) use plain_word::{folded_word, is_plain_form, plain_initial, plain_word};
pub use record::{InputForm, InputRecord, InputShape, Position, RawRecord, RecordVerdict, ReportLine};
pub use request::{Request, ResponseClass};
pub use share::CountOrShare;
pub use stop_words::StopWords;
pub use tally::{SkippedRows, Tally};
pub use text::{Shown, is_hidden, on_one_line, shorten, shown, visible};
pub(crate) use text::{trim, trimmed};
pub(crate) use value_words::usual_meaning;
pub use violation::{Code, Flaw, Severity, Violation, Violations};
pub use yes_no::parse_yes_no;
