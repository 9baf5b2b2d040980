//! Delivers one record, from its claim to its outcome.
//!
//! - `deliver` is the task of a record: it does what `lifecycle` decides, and waits when
//!   `lifecycle` says so.
//! - `lifecycle` holds all rules of retries and doubts, pure.
//! - `retry` has the limits: how often and how long a record is retried.
//! - `slots` says how many records can be under way: with an intent, and in flight.
//! - `apart` keeps records with look-alike e-mails from being in flight at the same time.

pub(super) mod apart;
pub(super) mod deliver;
pub(super) mod lifecycle;
pub(super) mod retry;
pub(super) mod slots;
