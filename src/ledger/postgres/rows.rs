//! What the rows of statements say. A row that says what this program never writes is damage.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::clocks::{self, KeptMoment};
use super::trouble::DatabaseTrouble;
use crate::domain::{Data, MinuteTraffic, Receipt, Status, StopWords, Tally};
use crate::ledger::minute_codec::{self, EncodedMinute};
use crate::ledger::model::{
    CheckedStatus, InputName, Intent, PastOutcome, RunCounters, RunId, RunInfo, RunStart, StoredOutcome,
};
use crate::ledger::payload::PayloadHash;
use crate::ledger::record_state::RecordState;

/// The state of a record as a row shows it.
#[derive(Debug)]
pub(super) struct StateRow {
    /// Which record of the question it is.
    pub index: usize,
    pub state: RecordState,
    /// What decides when the open request may be followed by another one. `None` without one.
    pub sent: Option<SentRow>,
}

/// What a row shows of an open request beside its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentRow {
    pub epoch: i64,
    /// The process that sent it has ended, or its run has, so it sends nothing more.
    pub is_over: bool,
    /// `None` where only the time of sending was asked for.
    pub key_since: Option<KeptMoment>,
    pub sent_at: KeptMoment,
    pub token_until: Option<KeptMoment>,
}

/// Reads a row of [`STATES`](super::sql::STATES) or [`OUTCOMES`](super::sql::OUTCOMES). The moments
/// are those that the sender wrote.
pub(super) fn read_state(row: &Row) -> Result<StateRow, DatabaseTrouble> {
    let latest = match row.try_get::<_, Option<i64>>(4)? {
        Some(run) => Some(PastOutcome { run, status: read_status(row, 5)?, payload: read_hash(row, 6)? }),
        None => None,
    };
    let (open, sent) = match row.try_get::<_, Option<i64>>(7)? {
        Some(run) => {
            let (key_since, sent_at) = (read_moment(row, 15)?, read_moment(row, 17)?);
            let token_until = read_optional_moment(row, 19)?;
            let intent = Intent {
                generation: number(row, 8)?,
                key: row.try_get(9)?,
                payload: read_hash(row, 10)?,
                body: row.try_get(11)?,
                attempt: number(row, 12)?,
                key_since: key_since.written,
                sent_at: sent_at.written,
                token_until: token_until.map(|until| until.written),
            };
            let (epoch, is_over) = (row.try_get(13)?, row.try_get(14)?);
            (
                Some(Box::new((run, intent))),
                Some(SentRow { epoch, is_over, key_since: Some(key_since), sent_at, token_until }),
            )
        }
        None => (None, None),
    };
    let state = RecordState {
        generation: number(row, 1)?,
        claimed_run: row.try_get(2)?,
        claimed_row: number(row, 3)?,
        open,
        latest,
    };
    Ok(StateRow { index: read_index(row)?, state, sent })
}

/// Reads the columns that [`OUTCOMES`](super::sql::OUTCOMES) has beside the state.
pub(super) fn read_outcome(row: &Row) -> Result<StoredOutcome, DatabaseTrouble> {
    Ok(StoredOutcome {
        http_status: optional_number(row, 21)?,
        attempts: number(row, 22)?,
        error_code: row.try_get(23)?,
        error: row.try_get(24)?,
        warning: row.try_get(25)?,
        receipt: Receipt {
            id: row.try_get(26)?,
            customer_id: row.try_get(27)?,
            kyc_link: row.try_get(28)?,
            tos_link: row.try_get(29)?,
            kyc_status: row.try_get(30)?,
            tos_status: row.try_get(31)?,
            created_at: row.try_get(32)?,
            data: row.try_get::<_, Option<String>>(33)?.map_or(Data::None, Data::Kept),
        },
        checked: match row.try_get::<_, Option<Timestamp>>(36)? {
            Some(checked_at) => {
                Some(CheckedStatus { kyc_status: row.try_get(34)?, tos_status: row.try_get(35)?, checked_at })
            }
            None => None,
        },
    })
}

/// Reads a row of [`OPEN`](super::sql::OPEN): the e-mail, and when its request left.
pub(super) fn read_open(row: &Row) -> Result<(String, SentRow), DatabaseTrouble> {
    let sent = SentRow {
        key_since: None,
        sent_at: read_moment(row, 1)?,
        token_until: read_optional_moment(row, 3)?,
        epoch: row.try_get(5)?,
        is_over: row.try_get(6)?,
    };
    Ok((row.try_get(0)?, sent))
}

pub(super) fn read_run(row: &Row) -> Result<RunInfo, DatabaseTrouble> {
    Ok(RunInfo {
        id: RunId { number: row.try_get(0)?, name: row.try_get(1)? },
        counters: RunCounters {
            requests: number(row, 2)?,
            throttled: number(row, 3)?,
            retries: number(row, 4)?,
            recovered: number(row, 5)?,
        },
        started_at: row.try_get(6)?,
        ended_at: row.try_get(7)?,
        exit_code: optional_number(row, 8)?,
        stopped: row.try_get::<_, Option<String>>(9)?.as_deref().map(StopWords::from_text),
        start: RunStart { input: InputName(row.try_get(10)?), options: row.try_get(11)? },
        records_read: optional_number(row, 12)?,
        known_bad: optional_number(row, 13)?,
        is_completed: row.try_get(14)?,
    })
}

pub(super) fn read_minute(row: &Row) -> Result<MinuteTraffic, DatabaseTrouble> {
    let encoded = EncodedMinute { counts: row.try_get(1)?, latencies: row.try_get(2)? };
    minute_codec::decode(row.try_get(0)?, &encoded)
        .ok_or_else(|| DatabaseTrouble::damaged("unreadable counts of a minute"))
}

/// Adds up rows of a status and its count.
pub(super) fn read_tally(rows: &[Row]) -> Result<Tally, DatabaseTrouble> {
    let mut tally = Tally::default();
    for row in rows {
        tally.add_many(read_status(row, 0)?, number(row, 1)?);
    }
    Ok(tally)
}

/// Returns which value of the question a row is about. Places are counted from 1.
pub(super) fn read_index(row: &Row) -> Result<usize, DatabaseTrouble> {
    number::<usize>(row, 0)?.checked_sub(1).ok_or_else(|| DatabaseTrouble::damaged("a row without a place"))
}

/// Returns the only value of the only row.
pub(super) fn read_one<T: for<'a> tokio_postgres::types::FromSql<'a>>(rows: &[Row]) -> Result<T, DatabaseTrouble> {
    Ok(rows.first().ok_or_else(|| DatabaseTrouble::damaged("a question had no answer"))?.try_get(0)?)
}

pub(super) fn number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, DatabaseTrouble> {
    let value = row.try_get(column)?;
    T::try_from(value).map_err(|_| DatabaseTrouble::damaged(format!("the number {value} where none can be")))
}

fn optional_number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<Option<T>, DatabaseTrouble> {
    let is_there = row.try_get::<_, Option<i64>>(column)?.is_some();
    is_there.then(|| number(row, column)).transpose()
}

fn read_hash(row: &Row, column: usize) -> Result<PayloadHash, DatabaseTrouble> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map(PayloadHash).map_err(|_| DatabaseTrouble::damaged("the hash of a payload has another length"))
}

fn read_status(row: &Row, column: usize) -> Result<Status, DatabaseTrouble> {
    let text: &str = row.try_get(column)?;
    let found = Status::IMPORT.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| DatabaseTrouble::damaged(format!("unknown status {text:?}")))
}

/// A moment by the clocks of its writer, and in the next column its age in milliseconds.
fn read_moment(row: &Row, column: usize) -> Result<KeptMoment, DatabaseTrouble> {
    let written =
        clocks::decode(row.try_get(column)?).ok_or_else(|| DatabaseTrouble::damaged("an unreadable moment"))?;
    Ok(KeptMoment { written, age: SignedDuration::from_millis(row.try_get(column + 1)?) })
}

fn read_optional_moment(row: &Row, column: usize) -> Result<Option<KeptMoment>, DatabaseTrouble> {
    let is_there = row.try_get::<_, Option<&[u8]>>(column)?.is_some();
    is_there.then(|| read_moment(row, column)).transpose()
}
