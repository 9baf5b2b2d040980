//! The boundary: what the ledger asks of the database that keeps it.
//!
//! Writes are values ([`Op`]), so a store can hold, repeat or replay them. The queue above decides
//! when a batch is committed and in which order its operations come; a store decides only how they
//! become durable. Reads come a piece of the input at a time ([`LedgerReader`]), because a question
//! per record would cost a round trip each if the database is another machine.
//!
//! An operation shares what is large with the task that asked. The task drops it last, because an
//! allocator is slow if one thread frees what another one allocated.
//!
//! A store is opened for one target, so no operation names it. Records go by their e-mail key;
//! whatever rows and ids a store has beside that are its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::claim::{Claim, ClaimPolicy, ClaimRequest};
use super::field_hashes::{FieldHash, FieldHashes};
use super::keyed_hasher::BadRecordDigest;
use super::model::{CheckedStatus, EndedRun, Intent, OpenRequest, RunInfo, RunStart, RunState, SharedId};
use super::payload::PayloadHash;
use super::record_state::{Claimed, KnownRecord, RecordState};
use super::store_link::StoreLink;
use super::{LedgerError, Occupied};
use crate::domain::{EmailKey, Ending, MinuteTraffic, Moment, Outcome, Receipt, Tally};

/// The payload hash of customers that were learnt and never sent. No payload has it.
pub(super) const NEVER_SENT: PayloadHash = PayloadHash([0; 32]);

/// One operation on the ledger. The variants say what is true once their batch is committed.
#[derive(Debug)]
pub(super) enum Op {
    /// The run exists. Answers with its number, which is larger than that of every earlier run.
    BeginRun { name: String, start: RunStart },
    /// The run has ended like this. If it completed, the records that it reported as bad are known,
    /// and those that earlier runs of the same input reported are forgotten, both or neither.
    EndRun { run: i64, end: EndedRun },
    /// The minute of the run has this traffic in addition. After a crash it may lack the last
    /// minutes of a run, and no record depends on them.
    AddMinute { run: i64, traffic: Box<MinuteTraffic> },
    /// Nothing changes. Answers whether any run ever created a customer of this target.
    HasCreated,
    /// Nothing changes. Answers with the open requests that left within `time` before `now`.
    SentWithin { time: Duration, now: Moment },
    /// The records belong to these rows of the run, unless an earlier row of it has them. A request
    /// of a killed run whose doubt no outcome mentions gets that outcome.
    Claim { run: i64, requests: Vec<ClaimRequest>, policy: ClaimPolicy },
    /// The request is open. It replaces an older open request of the same record.
    Intend { run: i64, email: EmailKey, row: u64, intent: Arc<Intent> },
    /// The outcome is the record's last one, and no request is open unless it leaves doubt.
    Settle { run: i64, email: EmailKey, settlement: Arc<Settlement> },
    /// No request of the record is open. There is no outcome.
    Release { email: EmailKey },
    /// No process sends to the target before this moment. A store that processes of one machine
    /// share need not keep it, because there the next run begins later than the pace allows.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only a shared ledger keeps it"))]
    HoldBack { until: Moment },
    /// Each customer that was not settled has the outcome `exists`. Answers how many those were.
    Learn { run: i64, customers: Vec<(EmailKey, Receipt)> },
    /// The record in doubt has this ending, as of the run that sent the request and as of this one.
    /// Answers whether it was in doubt; if not, nothing changes.
    SettleByHand { run: i64, email: EmailKey, ending: Ending },
    /// Each known customer has this status, and nothing else of it has changed; the others stay
    /// unknown. Answers how many are known.
    LearnStatus { customers: Vec<(EmailKey, CheckedStatus)> },
    /// Nothing of the record is left, nor of bad records whose digests begin with `person`. Answers
    /// whether it was known.
    ForgetEmail { email: EmailKey, person: FieldHash },
    /// Nothing of the target is left. Answers how many records it had.
    ForgetTarget,
    /// The target has an owner. Answers whether it is this one.
    CheckOwner { owner: Vec<u8> },
}

/// How a record ended.
#[derive(Clone, Debug)]
pub(super) struct Settlement {
    pub payload: PayloadHash,
    /// Those of the payload. `None` if no later run compares them with the input.
    pub fields: Option<FieldHashes>,
    pub outcome: Outcome,
}

impl Settlement {
    /// Returns one that no later run compares with the input field by field.
    pub(super) fn unread(payload: PayloadHash, outcome: Outcome) -> Self {
        Self { payload, fields: None, outcome }
    }
}

/// What an operation answers.
#[derive(Debug)]
pub(super) enum OpReply {
    Done,
    Run(i64),
    Is(bool),
    Count(u64),
    Sent(Vec<(EmailKey, Moment)>),
    Claims(Vec<Claim>),
}

impl OpReply {
    pub(super) fn done(self) -> Option<()> {
        matches!(self, Self::Done).then_some(())
    }

    pub(super) fn run(self) -> Option<i64> {
        if let Self::Run(number) = self { Some(number) } else { None }
    }

    pub(super) fn is(self) -> Option<bool> {
        if let Self::Is(is) = self { Some(is) } else { None }
    }

    pub(super) fn count(self) -> Option<u64> {
        if let Self::Count(count) = self { Some(count) } else { None }
    }

    pub(super) fn sent(self) -> Option<Vec<(EmailKey, Moment)>> {
        if let Self::Sent(sent) = self { Some(sent) } else { None }
    }

    pub(super) fn claims(self) -> Option<Vec<Claim>> {
        if let Self::Claims(claims) = self { Some(claims) } else { None }
    }
}

/// A database that keeps the ledger of one target. It belongs to one thread, which stops using it
/// after the first error.
///
/// Whatever ends the process, the next one finds exactly the batches whose [`commit`](Self::commit)
/// succeeded, and perhaps the one whose commit was under way; of that one all or nothing.
pub(super) trait Store: Send {
    /// Does one operation in the open batch, and opens a batch if there is none. Later operations
    /// of the batch see what earlier ones did.
    ///
    /// After a crash nothing of the batch is there before `commit` returned. The answer shows only
    /// what earlier batches committed and what this batch did, so only an answer that permits
    /// nothing may leave before the commit.
    fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError>;

    /// Commits the open batch. When this returns, the batch survives a power cut; if it fails, the
    /// batch is there as a whole or not at all, and which of the two only the next opening shows.
    fn commit(&mut self) -> Result<(), LedgerError>;

    /// Fails if this process no longer holds the ledger, so that nothing new may be permitted. What
    /// was permitted before can still be applied and committed. It changes nothing.
    fn check_held(&self) -> Result<(), LedgerError>;

    /// Returns what the rest of the program shares with the store while its thread works.
    fn link(&self) -> StoreLink {
        StoreLink::default()
    }

    /// Writes all that is committed to a new file that an SQLite reader opens. It is called between
    /// two batches and changes nothing in the ledger. After a crash the file may be incomplete.
    fn copy_to(&mut self, path: &Path) -> Result<(), LedgerError>;
}

/// A view of the committed ledger of one target, as it was when the view was opened. Writers and
/// readers do not wait for each other, and a reader writes nothing, so a crash of it harms nothing.
pub(super) trait LedgerReader: std::fmt::Debug + Send {
    /// Returns whether any record of the target is known.
    fn knows_any(&self) -> Result<bool, LedgerError>;

    /// Returns the states of these records as of a run, in the order of the question; `None` for an
    /// unknown one. Ask for at most [`PIECE`](super::reader::PIECE) at a time.
    fn states(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<RecordState>>, LedgerError>;

    /// The same, with the rest of each last outcome.
    fn outcomes(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<KnownRecord>>, LedgerError>;

    /// Returns the fields that were sent for the last outcomes of these records as of a run, in the
    /// order of the question; `None` where nothing was sent, or by an earlier version. Ask for at
    /// most a piece at a time.
    fn sent_fields(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<FieldHashes>>, LedgerError>;

    /// Returns whether the last completed run of an input of this target reported these records, in
    /// the order of the question. Ask for at most a piece at a time.
    fn known_bad(&self, digests: &[BadRecordDigest]) -> Result<Vec<bool>, LedgerError>;

    /// Shows what is known, as of the run, of each record that it claimed, in the order of its
    /// rows, until `show` returns false.
    fn each_claimed(&self, run: i64, show: &mut dyn FnMut(Claimed) -> bool) -> Result<(), LedgerError>;

    /// Returns the newest run over this input.
    fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError>;

    /// Returns the newest runs over this input, at most so many, the newest first.
    fn runs_of(&self, input: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError>;

    /// Returns the newest run over this input that completed.
    fn last_completed(&self, input: &str) -> Result<Option<RunInfo>, LedgerError>;

    /// Counts the records by the last outcome that the run itself brought, and those with an open
    /// request of it as in doubt. Records that it found settled are not among them.
    fn tally_of(&self, run: i64) -> Result<Tally, LedgerError>;

    /// Returns the minutes of a run in which something happened, in their order.
    fn minutes(&self, run: i64) -> Result<Vec<MinuteTraffic>, LedgerError>;

    /// Returns the run of this name.
    fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError>;

    /// Returns the requests whose effect is unknown, the oldest first.
    fn open_requests(&self) -> Result<Vec<OpenRequest>, LedgerError>;

    /// Returns how far a run is. A run that did not end is alive if it is the newest of the ledger
    /// and some process holds that. One that is not alive may have ended after this view was
    /// opened, so only another view can show that it was cut off.
    fn state_of(&self, run: &RunInfo) -> Result<RunState, LedgerError>;

    /// Counts the records by their last outcome; those with an open request count as in doubt.
    fn tally(&self) -> Result<Tally, LedgerError>;

    /// Returns the digest of the first owner of the target, or `None` if none was noted.
    fn owner(&self) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Checks the whole ledger, each index against its table. Fails if anything is damaged. This
    /// takes seconds for each gigabyte.
    fn check(&self) -> Result<(), LedgerError>;

    /// Returns the run that holds the ledger for writing, or `None` if none does.
    fn holder(&self) -> Option<Occupied>;

    /// Counts the runs.
    fn runs(&self) -> Result<u64, LedgerError>;

    /// Returns the ids that a run got for more than one record, at most ten, the most frequent
    /// first.
    fn shared_ids(&self, run: i64) -> Result<Vec<SharedId>, LedgerError>;
}
