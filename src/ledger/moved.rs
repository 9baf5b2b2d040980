//! What a file tells a database when its ledger moves there. Data only.

use jiff::Timestamp;

use super::Target;
use super::minute_codec::EncodedMinute;
use super::model::{CheckedStatus, Intent, RunInfo, StoredOutcome};
use super::payload::PayloadHash;
use crate::domain::{EmailKey, Status};

/// An account of a file.
#[derive(Clone, Debug)]
pub(super) struct MovedAccount {
    pub target: Target,
    /// A hash of whom the first token belonged to.
    pub owner: Option<Vec<u8>>,
}

/// Some rows of one table. They come in the order of these variants.
#[derive(Debug)]
pub(super) enum MovedRows {
    Runs(Vec<RunInfo>),
    Records(Vec<MovedRecord>),
    Intents(Vec<MovedIntent>),
    Outcomes(Vec<MovedOutcome>),
    Minutes(Vec<MovedMinute>),
    BadRecords(Vec<MovedBadRecord>),
    Checks(Vec<(EmailKey, CheckedStatus)>),
}

#[derive(Debug)]
pub(super) struct MovedRecord {
    pub email: EmailKey,
    pub generation: u32,
    pub claimed_run: i64,
    pub claimed_row: u64,
}

#[derive(Debug)]
pub(super) struct MovedIntent {
    pub email: EmailKey,
    pub run: i64,
    pub row: u64,
    pub intent: Intent,
}

#[derive(Debug)]
pub(super) struct MovedOutcome {
    /// Later outcomes have larger numbers.
    pub number: i64,
    pub email: EmailKey,
    pub run: i64,
    pub status: Status,
    pub payload: PayloadHash,
    pub settled_at: Timestamp,
    pub stored: StoredOutcome,
    pub field_hashes: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct MovedMinute {
    pub run: i64,
    pub minute: i64,
    pub encoded: EncodedMinute,
}

#[derive(Debug)]
pub(super) struct MovedBadRecord {
    pub digest: Vec<u8>,
    pub run: i64,
}

/// How many rows of each table an account has, in the order of [`MovedRows`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TableCounts(pub [u64; 7]);

/// What the counts are of, for people.
const TABLES: [&str; 7] = ["runs", "records", "requests in doubt", "outcomes", "minutes", "bad records", "checks"];

impl TableCounts {
    pub(super) fn differing(self, other: Self) -> Option<String> {
        let pairs = self.0.into_iter().zip(other.0).zip(TABLES);
        let differing = pairs.into_iter().find(|((one, other), _)| one != other);
        differing.map(|((there, here), table)| format!("it has {there} {table} where the file has {here}"))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|table| self.0[table] + other.0[table]))
    }
}
