//! What the ledger keeps and what it answers, whichever store keeps it. Data only.

use jiff::Timestamp;

use super::keyed_hasher::BadRecordDigest;
use super::payload::PayloadHash;
use crate::domain::{Complaint, ComplaintCode, Data, EmailKey, Ending, Moment, Outcome, Receipt, Status, StopWords};

/// An account of a server. A ledger keeps each target's runs and records apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Normalised.
    pub base_url: String,
    pub account: String,
}

/// A run, by its place in the order of runs and by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    pub number: i64,
    pub name: String,
}

/// The input as the ledger remembers it: what the user calls it, an absolute path, or the name of a
/// spooled standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputName(pub String);

/// What is known of a run when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    pub input: InputName,
    /// How the input is read, as JSON that only its writer reads: the options, and the size and
    /// time of the file. `None` for a run without an input. Never a secret.
    pub options: Option<String>,
}

impl RunStart {
    /// Returns the start of a run that reads no input: the name is that of its command.
    #[must_use]
    pub fn without_input(command: &str) -> Self {
        Self { input: InputName(command.to_owned()), options: None }
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedRun {
    pub counters: RunCounters,
    pub exit_code: u8,
    /// Why it stopped before its end.
    pub stopped: Option<StopWords>,
    /// How many records its input has. `None` if it has none, or if it could not be read again.
    pub records_read: Option<u64>,
    /// How many records a completed run before it had reported as bad, with the same cells and
    /// codes.
    pub known_bad: Option<u64>,
    /// Every record of the input ended: nothing stopped the run, `--limit` included.
    pub is_completed: bool,
    /// The records that it reported as bad. They take the place of those of earlier runs of the
    /// same input if the run completed, and are ignored if not.
    pub bad_records: Vec<BadRecordDigest>,
}

/// What a run counted beside its outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounters {
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
}

/// A request that may leave as soon as this is durable.
#[derive(Clone, PartialEq, Eq)]
pub struct Intent {
    pub generation: u32,
    pub key: String,
    pub payload: PayloadHash,
    pub body: Vec<u8>,
    /// Which attempt of the run it is, counted from 1.
    pub attempt: u32,
    /// When this key was first used.
    pub key_since: Moment,
    /// It left no later than this, if it left.
    pub sent_at: Moment,
    /// From this moment on the server refuses the token of this request. `None` if that is unknown.
    pub token_until: Option<Moment>,
}

/// Leaves out the body, because it is a person's data.
impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent").field("key", &self.key).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// Whether a missing ledger may be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    Allowed,
    Refused,
}

/// How long a process means to hold the ledger. It says so to others, because a run that finds the
/// ledger held waits for a moment, and not for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Run,
    /// To write what is at hand.
    Moment,
}

/// The last outcome of a record, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastOutcome {
    pub(super) run: i64,
    pub status: Status,
    pub(super) payload: PayloadHash,
}

/// The rest of the last outcome. It is most of what the ledger holds, and only reports and people
/// read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOutcome {
    pub receipt: Receipt,
    pub http_status: Option<u16>,
    pub attempts: u32,
    pub error_code: String,
    pub error: String,
    pub warning: String,
    /// What the API said of the customer when it was last asked, whichever outcome came before.
    pub checked: Option<CheckedStatus>,
}

/// What the API said of a customer's checks when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedStatus {
    pub kyc_status: Option<String>,
    pub tos_status: Option<String>,
    /// To the millisecond.
    pub checked_at: Timestamp,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    pub id: RunId,
    pub start: RunStart,
    pub counters: RunCounters,
    pub started_at: Timestamp,
    /// Absent while it runs, and after a kill.
    pub ended_at: Option<Timestamp>,
    pub exit_code: Option<u8>,
    pub stopped: Option<StopWords>,
    /// `None` as well if an earlier version of this program ran it.
    pub records_read: Option<u64>,
    pub known_bad: Option<u64>,
    pub is_completed: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Ended(Timestamp),
    Running,
    /// It was killed, or the machine went down.
    CutOff,
}

/// What was moved from a file into a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MovedLedger {
    pub accounts: u64,
    pub runs: u64,
    pub records: u64,
    /// Records in doubt.
    pub doubts: u64,
    /// An earlier call of the command had moved everything.
    pub was_there: bool,
    /// An earlier call had moved everything too, and the database has lost it since.
    pub was_lost: bool,
}

/// An id that the server gave to several records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedId {
    pub customer_id: String,
    pub records: u64,
}

/// A request whose effect is unknown.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenRequest {
    pub email: EmailKey,
    pub row: u64,
    pub body: Vec<u8>,
    pub sent_at: Timestamp,
}

impl std::fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenRequest").field("row", &self.row).field("sent_at", &self.sent_at).finish_non_exhaustive()
    }
}

/// The outcome of a request whose run was killed before an answer came.
pub(super) fn unheard() -> Outcome {
    let message = "the run that sent it ended before an answer came".to_owned();
    let complaint = Complaint { code: ComplaintCode::NoAnswer, message };
    Outcome { ending: Ending::InDoubt(complaint), http_status: None, attempts: 1, warnings: Vec::new() }
}

/// The outcome of a customer that a page of the API showed and that this program never sent.
pub(super) fn learnt(receipt: Receipt) -> Outcome {
    let warnings = receipt.data.warning().into_iter().collect();
    Outcome { ending: Ending::Exists(receipt), http_status: None, attempts: 0, warnings }
}

/// An outcome as a store keeps it.
pub(super) struct OutcomeParts<'a> {
    pub status: Status,
    /// `None` unless there is a customer.
    pub receipt: Option<&'a Receipt>,
    pub error_code: &'static str,
    pub error: &'a str,
    /// The warnings in one line.
    pub warning: String,
}

impl<'a> OutcomeParts<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        let (receipt, error_code, error) = match &outcome.ending {
            Ending::Created(receipt) | Ending::Exists(receipt) => (Some(receipt), "", ""),
            Ending::Rejected(complaint)
            | Ending::Failed(complaint)
            | Ending::InDoubt(complaint)
            | Ending::NotAttempted(complaint) => (None, complaint.code.as_str(), complaint.message.as_str()),
        };
        let warning = outcome.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { status: outcome.ending.status(), receipt, error_code, error, warning }
    }
}

/// Returns the status of an outcome, and what readers get of it.
pub(super) fn stored(outcome: &Outcome) -> (Status, StoredOutcome) {
    let OutcomeParts { status, receipt, error_code, error, warning } = OutcomeParts::of(outcome);
    let mut receipt = receipt.cloned().unwrap_or_default();
    if matches!(receipt.data, Data::TooLarge(_)) {
        receipt.data = Data::None;
    }
    let &Outcome { http_status, attempts, .. } = outcome;
    let (error_code, error) = (error_code.to_owned(), error.to_owned());
    (status, StoredOutcome { receipt, http_status, attempts, error_code, error, warning, checked: None })
}
