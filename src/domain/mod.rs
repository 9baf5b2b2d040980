//! What the rest of the program speaks of. Pure: no clock, no file, no network, no terminal, no
//! database.
//!
//! A [`NewCustomer`] comes only from validation, so whatever holds one holds something that may be
//! sent. What is wrong with a record is a list of [`Violation`]s. What one request brought is an
//! [`AttemptResult`]; how a record ended is an [`Outcome`]; how all of them ended is a [`Tally`].

mod attempt;
mod customer;
mod fields;
mod json;
mod lookalike;
mod moment;
mod outcome;
mod record;
mod tally;
mod text;
mod violation;
mod yes_no;

pub use attempt::{
    AttemptResult, DoubtCause, EmailWords, FoundCustomer, LookupResult, Matches, Refusal, RefusalScope, StopReason,
};
pub use customer::{Field, NewCustomer};
pub use fields::country::Country;
pub use fields::email::{Email, EmailKey};
pub use fields::kind::CustomerType;
pub use fields::name::CustomerName;
pub use fields::phone::Phone;
pub use json::{Json, JsonObject};
pub use lookalike::lookalike;
pub use moment::{BootTime, Moment};
pub use outcome::{Complaint, ComplaintCode, Data, Ending, Outcome, Receipt, Status, Warning};
pub use record::{InputForm, InputRecord, InputShape, Position, RawRecord, RecordVerdict, ReportLine};
pub use tally::Tally;
pub use text::{Shown, is_hidden, on_one_line, shorten, shown, visible};
pub(crate) use text::{trim, trimmed};
pub use violation::{Code, Flaw, Severity, Violation};
pub use yes_no::parse_yes_no;
