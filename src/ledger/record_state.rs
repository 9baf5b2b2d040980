//! What the ledger knows of one record, and what that means for a claim or a report. Pure.

use super::model::{Intent, PastOutcome, StoredOutcome};
use super::payload::PayloadHash;
use crate::domain::Status;

/// What the ledger knows of one record as of some run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordState {
    pub(super) generation: u32,
    pub(super) claimed_run: i64,
    pub(super) claimed_row: u64,
    /// A request whose effect is unknown, and the run that sent it. Rare, and large.
    pub(super) open: Option<Box<(i64, Intent)>>,
    pub(super) latest: Option<PastOutcome>,
}

/// What is known of a record: its state, and the rest of its last outcome if it has one.
pub type KnownRecord = (RecordState, Option<StoredOutcome>);

/// What is known of a record that a run claimed.
#[derive(Debug)]
pub struct Claimed {
    pub row: u64,
    /// The key of the e-mail. The input alone has it as it was typed.
    pub email: String,
    pub state: RecordState,
    pub outcome: Option<StoredOutcome>,
}

impl RecordState {
    /// The row of `run`'s input that claimed the record; the first valid one of its e-mail.
    #[must_use]
    pub(super) fn claimed_row(&self, run: i64) -> Option<u64> {
        (self.claimed_run == run).then_some(self.claimed_row)
    }

    /// A request whose effect is unknown, or an outcome that says that the customer is there:
    /// whatever is learnt later changes nothing.
    pub(super) fn is_settled(&self) -> bool {
        let is_there = |latest: &PastOutcome| matches!(latest.status, Status::Created | Status::Exists);
        self.open.is_some() || self.latest.as_ref().is_some_and(is_there)
    }

    /// It was tried, and surely nothing came of it; the server may have stored its answer under the
    /// key.
    pub(super) fn came_to_nothing(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| matches!(latest.status, Status::Failed | Status::NotAttempted))
    }

    /// The run that sent the open request, where no outcome tells of its doubt yet: it ended before
    /// it could.
    pub(super) fn untold_doubt(&self, now_in: i64) -> Option<(i64, &Intent)> {
        let (sent_by, intent) = self.open.as_deref()?;
        let told = self.latest.as_ref().is_some_and(|latest| latest.run == *sent_by);
        (*sent_by != now_in && !told).then_some((*sent_by, intent))
    }

    /// Whether `run` tried the record, ended before it, and left nothing open: its last outcome
    /// then says what came of the trying.
    #[must_use]
    pub fn was_left_by(&self, run: i64) -> bool {
        self.latest.is_some_and(|latest| latest.status == Status::NotAttempted && latest.run == run)
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    #[must_use]
    pub fn latest(&self) -> Option<&PastOutcome> {
        self.latest.as_ref()
    }

    /// What a report as of `run` says of a record with this payload.
    #[must_use]
    pub fn status(&self, run: i64, payload: PayloadHash) -> Status {
        if self.open.as_ref().is_some_and(|open| open.0 <= run) {
            return Status::InDoubt;
        }
        let Some(latest) = &self.latest else { return Status::NotAttempted };
        let (of_this_run, same_data) = (latest.run == run, latest.payload == payload);
        match latest.status {
            Status::Created if !same_data => Status::Changed,
            Status::Created if of_this_run => Status::Created,
            Status::Created => Status::AlreadyImported,
            Status::Rejected if !same_data => Status::NotAttempted,
            Status::Failed if !of_this_run => Status::NotAttempted,
            other => other,
        }
    }

    /// What a report as of `run` says of a record that this run claimed and whose input is not at
    /// hand. What an earlier run found out about other data proves nothing, so a refusal counts
    /// only if it is of this run.
    #[must_use]
    pub fn status_without_data(&self, run: i64) -> Status {
        match &self.latest {
            Some(latest) if latest.status == Status::Rejected && latest.run != run && self.open.is_none() => {
                Status::NotAttempted
            }
            Some(latest) => self.status(run, latest.payload),
            None => self.status(run, PayloadHash([0; 32])),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Moment;

    pub(in crate::ledger) fn standing(run: i64, status: Status, body: &[u8]) -> RecordState {
        let latest = PastOutcome { run, status, payload: PayloadHash::of(body) };
        RecordState { generation: 0, claimed_run: run, claimed_row: 1, open: None, latest: Some(latest) }
    }

    pub(in crate::ledger) fn sent_by(run: i64, mut standing: RecordState) -> RecordState {
        let now = Moment { wall: jiff::Timestamp::UNIX_EPOCH, boot: None };
        let intent = Intent {
            generation: 0,
            key: String::new(),
            payload: PayloadHash::of(b"x"),
            body: b"x".to_vec(),
            attempt: 1,
            key_since: now,
            sent_at: now,
            token_until: None,
        };
        standing.open = Some(Box::new((run, intent)));
        standing
    }

    #[test]
    fn a_report_speaks_as_of_its_run() {
        let (mine, other) = (PayloadHash::of(b"x"), PayloadHash::of(b"y"));
        let table = [
            (Status::Created, 2, mine, Status::Created),
            (Status::Created, 1, mine, Status::AlreadyImported),
            (Status::Created, 2, other, Status::Changed),
            (Status::Created, 1, other, Status::Changed),
            (Status::Exists, 1, other, Status::Exists),
            (Status::Rejected, 2, mine, Status::Rejected),
            (Status::Rejected, 1, mine, Status::Rejected),
            (Status::Rejected, 1, other, Status::NotAttempted),
            (Status::Failed, 2, mine, Status::Failed),
            (Status::Failed, 1, mine, Status::NotAttempted),
            (Status::InDoubt, 1, mine, Status::InDoubt),
            (Status::NotAttempted, 1, mine, Status::NotAttempted),
            (Status::NotAttempted, 2, other, Status::NotAttempted),
        ];
        for (was, by, payload, expected) in table {
            assert_eq!(standing(by, was, b"x").status(2, payload), expected, "{was} in run {by}");
        }
    }

    #[test]
    fn without_the_data_of_the_input_a_refusal_of_an_earlier_run_proves_nothing() {
        let table = [
            (Status::Created, 2, Status::Created),
            (Status::Created, 1, Status::AlreadyImported),
            (Status::Exists, 1, Status::Exists),
            (Status::Rejected, 2, Status::Rejected),
            (Status::Rejected, 1, Status::NotAttempted),
            (Status::Failed, 2, Status::Failed),
            (Status::Failed, 1, Status::NotAttempted),
        ];
        for (was, by, expected) in table {
            assert_eq!(standing(by, was, b"x").status_without_data(2), expected, "{was} in run {by}");
        }
        assert_eq!(sent_by(2, standing(1, Status::Rejected, b"x")).status_without_data(2), Status::InDoubt);
        let nothing = RecordState { latest: None, ..standing(2, Status::Created, b"x") };
        assert_eq!(nothing.status_without_data(2), Status::NotAttempted);
    }

    #[test]
    fn an_open_request_is_doubt_whatever_was_known_before() {
        let open = sent_by(2, standing(1, Status::Failed, b"x"));
        assert_eq!(open.status(2, PayloadHash::of(b"x")), Status::InDoubt);
        assert_eq!(open.status(1, PayloadHash::of(b"x")), Status::Failed, "the first run knew nothing of it");
    }
}
