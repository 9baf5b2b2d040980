//! A ledger in memory, for tests: the simplest store that keeps the promises of [`Store`], and one
//! that can crash between any two commits.
//!
//! What is committed lives in a [`MemoryLedger`], which outlives the stores that are opened over
//! it, as a disk outlives processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::claim::{Claim, ClaimPolicy, ClaimRequest, Decision, Ticket, decide};
use super::field_hashes::FieldHashes;
use super::keyed_hasher::{BadRecordDigest, KeyedHasher};
use super::model::{self, learnt, unheard};
use super::record_state::RecordState;
use super::store::{LedgerReader, NEVER_SENT, Op, OpReply, Settlement, Store};
use super::{
    CheckedStatus, Claimed, EndedRun, Intent, KnownRecord, LedgerError, Occupied, OpenRequest, PastOutcome,
    RunCounters, RunId, RunInfo, RunStart, RunState, SharedId, StoredOutcome, Target,
};
use crate::domain::{EmailKey, MinuteTraffic, Moment, Outcome, Receipt, Status, Tally};

/// The secret of every ledger in memory.
pub(super) const SECRET: [u8; 32] = [7; 32];

/// What is committed, shared by all stores and readers.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryLedger(Arc<Mutex<Committed>>);

#[derive(Debug, Default)]
struct Committed {
    targets: BTreeMap<(String, String), KeptTarget>,
    /// How many commits succeed before the next one crashes. `None`: all.
    commits_left: Option<u32>,
    /// The next operation crashes.
    fails_to_apply: bool,
    /// How many stores hold a ledger.
    holders: u32,
}

/// What is kept of a target.
#[derive(Clone, Debug, Default)]
struct KeptTarget {
    owner: Option<Vec<u8>>,
    runs: Vec<RunInfo>,
    /// By run and minute.
    minutes: BTreeMap<(i64, i64), MinuteTraffic>,
    /// By the completed run that reported them.
    bad_records: BTreeMap<i64, Vec<BadRecordDigest>>,
    records: BTreeMap<EmailKey, KeptRecord>,
}

#[derive(Clone, Debug)]
struct KeptRecord {
    generation: u32,
    claimed_run: i64,
    claimed_row: u64,
    /// The run and the row that sent it.
    open: Option<(i64, u64, Intent)>,
    outcomes: Vec<(PastOutcome, StoredOutcome, Option<FieldHashes>)>,
    checked: Option<CheckedStatus>,
}

impl MemoryLedger {
    pub(super) fn open(&self, target: &Target) -> MemoryStore {
        self.0.lock().unwrap().holders += 1;
        MemoryStore { ledger: self.clone(), target: name(target), batch: None, is_crashed: false }
    }

    pub(super) fn reader(&self, target: &Target) -> MemoryReader {
        let committed = self.0.lock().unwrap();
        let kept = committed.targets.get(&name(target)).cloned().unwrap_or_default();
        MemoryReader { kept, is_held: committed.holders > 0 }
    }

    /// Lets so many commits succeed. The store crashes in place of the next one: nothing of that
    /// batch is kept, and the store answers nothing any more.
    pub(super) fn crash_after(&self, commits: u32) {
        self.0.lock().unwrap().commits_left = Some(commits);
    }

    /// Lets the store crash within the next batch.
    pub(super) fn fail_to_apply(&self) {
        self.0.lock().unwrap().fails_to_apply = true;
    }

    /// The machine is up again.
    pub(super) fn restart(&self) {
        let mut committed = self.0.lock().unwrap();
        (committed.commits_left, committed.fails_to_apply) = (None, false);
    }
}

fn name(target: &Target) -> (String, String) {
    (target.base_url.clone(), target.account.clone())
}

#[derive(Debug)]
pub(super) struct MemoryStore {
    ledger: MemoryLedger,
    target: (String, String),
    /// What the open batch makes of what is committed.
    batch: Option<KeptTarget>,
    is_crashed: bool,
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.ledger.0.lock().unwrap().holders -= 1;
    }
}

fn crash() -> LedgerError {
    LedgerError::io(Path::new("memory"), "it crashed")
}

impl Store for MemoryStore {
    fn apply(&mut self, op: Op) -> Result<OpReply, LedgerError> {
        self.is_crashed |= self.ledger.0.lock().unwrap().fails_to_apply;
        if self.is_crashed {
            return Err(crash());
        }
        let committed = || self.ledger.0.lock().unwrap().targets.get(&self.target).cloned().unwrap_or_default();
        Ok(self.batch.get_or_insert_with(committed).apply(op))
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        let mut committed = self.ledger.0.lock().unwrap();
        self.is_crashed |= committed.commits_left == Some(0);
        if self.is_crashed {
            return Err(crash());
        }
        committed.commits_left = committed.commits_left.map(|left| left - 1);
        if let Some(batch) = self.batch.take() {
            committed.targets.insert(self.target.clone(), batch);
        }
        Ok(())
    }

    fn check_held(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn copy_to(&mut self, path: &Path) -> Result<(), LedgerError> {
        Err(LedgerError::io(path, "a ledger in memory makes no copies"))
    }
}

impl KeptTarget {
    fn apply(&mut self, op: Op) -> OpReply {
        match op {
            Op::BeginRun { name, start } => OpReply::Run(self.begin(name, start)),
            Op::EndRun { run, end } => {
                self.end(run, end);
                OpReply::Done
            }
            Op::AddMinute { run, traffic } => {
                let empty = || MinuteTraffic::new(traffic.minute);
                self.minutes.entry((run, traffic.minute)).or_insert_with(empty).merge(&traffic);
                OpReply::Done
            }
            Op::HasCreated => OpReply::Is(self.has_created()),
            Op::SentWithin { time, now } => OpReply::Sent(self.sent_within(time, now)),
            Op::Claim { run, requests, policy } => {
                OpReply::Claims(requests.into_iter().map(|request| self.claim(run, request, policy)).collect())
            }
            Op::Intend { run, email, row, intent } => {
                let record = self.record(&email);
                record.generation = record.generation.max(intent.generation);
                record.open = Some((run, row, Arc::unwrap_or_clone(intent)));
                OpReply::Done
            }
            Op::Settle { run, email, settlement } => {
                self.settle(run, &email, Arc::unwrap_or_clone(settlement));
                OpReply::Done
            }
            Op::HoldBack { .. } => OpReply::Done,
            Op::Release { email } => {
                self.record(&email).open = None;
                OpReply::Done
            }
            Op::Learn { run, customers } => {
                let learn = |(email, receipt)| u64::from(self.learn(run, &email, receipt));
                OpReply::Count(customers.into_iter().map(learn).sum())
            }
            Op::SettleByHand { run, email, ending } => {
                let open = self.records.get(&email).and_then(|record| record.open.clone());
                let Some((sent_by, _, intent)) = open else { return OpReply::Is(false) };
                if self.state(&email, i64::MAX).is_some_and(|state| state.untold_doubt(run).is_some()) {
                    self.settle(sent_by, &email, Settlement::unread(intent.payload, unheard()));
                }
                let fields = KeyedHasher::new(&SECRET).unwrap().fields(&email, &intent.body);
                for run in [sent_by, run] {
                    let outcome = Outcome {
                        ending: ending.clone(),
                        http_status: None,
                        attempts: intent.attempt,
                        warnings: vec![],
                    };
                    self.settle(run, &email, Settlement { payload: intent.payload, fields: fields.clone(), outcome });
                }
                self.record(&email).open = None;
                OpReply::Is(true)
            }
            Op::LearnStatus { customers } => {
                let learn = |(email, status)| match self.records.get_mut(&email) {
                    Some(record) => {
                        record.checked = Some(status);
                        1
                    }
                    None => 0,
                };
                OpReply::Count(customers.into_iter().map(learn).sum())
            }
            Op::ForgetEmail { email, person } => {
                self.bad_records.values_mut().for_each(|bad| bad.retain(|digest| !digest.0.starts_with(&person)));
                OpReply::Is(self.records.remove(&email).is_some())
            }
            Op::ForgetTarget => OpReply::Count(std::mem::take(self).records.len() as u64),
            Op::CheckOwner { owner } => OpReply::Is(*self.owner.get_or_insert_with(|| owner.clone()) == owner),
        }
    }

    fn record(&mut self, email: &EmailKey) -> &mut KeptRecord {
        self.records.get_mut(email).unwrap()
    }

    fn begin(&mut self, name: String, start: RunStart) -> i64 {
        let number = self.runs.last().map_or(1, |last| last.id.number + 1);
        self.runs.push(RunInfo {
            id: RunId { number, name },
            start,
            counters: RunCounters::default(),
            started_at: now(),
            ended_at: None,
            exit_code: None,
            stopped: None,
            records_read: None,
            known_bad: None,
            is_completed: false,
        });
        number
    }

    fn end(&mut self, run: i64, end: EndedRun) {
        let EndedRun { counters, exit_code, stopped, records_read, known_bad, is_completed, bad_records } = end;
        let info = self.runs.iter_mut().find(|info| info.id.number == run).unwrap();
        (info.counters, info.exit_code, info.stopped, info.ended_at) =
            (counters, Some(exit_code), stopped, Some(now()));
        (info.records_read, info.known_bad, info.is_completed) = (records_read, known_bad, is_completed);
        if is_completed {
            let input = info.start.input.clone();
            let of_input = self.runs.iter().filter(|info| info.start.input == input);
            of_input.for_each(|info| drop(self.bad_records.remove(&info.id.number)));
            self.bad_records.insert(run, bad_records);
        }
    }

    fn has_created(&self) -> bool {
        self.records.values().flat_map(|record| &record.outcomes).any(|(past, ..)| past.status == Status::Created)
    }

    fn sent_within(&self, time: Duration, now: Moment) -> Vec<(EmailKey, Moment)> {
        let open = self.records.iter().filter_map(|(email, record)| Some((email, record.open.as_ref()?)));
        let sent = open.map(|(email, (_, _, intent))| (email.clone(), intent.sent_at));
        sent.filter(|(_, sent_at)| now.surely_since(*sent_at) < time).collect()
    }

    fn claim(&mut self, run: i64, request: ClaimRequest, policy: ClaimPolicy) -> Claim {
        let known = self.state(&request.email, run);
        let decision = decide(known.as_ref(), &request, run, policy);
        if let Decision::Duplicate { of_row } = decision {
            return Claim::Duplicate { of_row };
        }
        let ClaimRequest { email, position, .. } = request;
        let record = self.records.entry(email.clone()).or_insert_with(KeptRecord::new);
        (record.claimed_run, record.claimed_row) = (run, position.row);
        let (generation, resumed) = match decision {
            Decision::Settled(status) => return Claim::Settled(status),
            Decision::Deliver { generation, resumed } => (generation, resumed),
            Decision::Duplicate { of_row } => return Claim::Duplicate { of_row },
        };
        if let Some((sent_by, intent)) = known.as_ref().and_then(|known| known.untold_doubt(run)) {
            self.settle(sent_by, &email, Settlement::unread(intent.payload, unheard()));
        }
        Claim::Deliver(Ticket { email, position, generation, resumed })
    }

    fn settle(&mut self, run: i64, email: &EmailKey, settlement: Settlement) {
        let Settlement { payload, fields, outcome } = settlement;
        let (status, stored) = model::stored(&outcome);
        let record = self.record(email);
        record.outcomes.push((PastOutcome { run, status, payload }, stored, fields));
        if status != Status::InDoubt {
            record.open = None;
        }
    }

    fn learn(&mut self, run: i64, email: &EmailKey, receipt: Receipt) -> bool {
        if self.state(email, i64::MAX).is_some_and(|state| state.is_settled()) {
            return false;
        }
        self.records.entry(email.clone()).or_insert_with(|| KeptRecord { claimed_run: run, ..KeptRecord::new() });
        self.settle(run, email, Settlement::unread(NEVER_SENT, learnt(receipt)));
        true
    }

    fn state(&self, email: &EmailKey, as_of: i64) -> Option<RecordState> {
        Some(self.known(email, as_of)?.0)
    }

    fn known(&self, email: &EmailKey, as_of: i64) -> Option<KnownRecord> {
        let record = self.records.get(email)?;
        let latest = record.outcomes.iter().rfind(|(past, ..)| past.run <= as_of);
        let state = RecordState {
            generation: record.generation,
            claimed_run: record.claimed_run,
            claimed_row: record.claimed_row,
            open: record.open.as_ref().map(|(run, _, intent)| Box::new((*run, intent.clone()))),
            latest: latest.map(|(past, ..)| *past),
        };
        let checked = record.checked.clone();
        Some((state, latest.map(|(_, stored, _)| StoredOutcome { checked, ..stored.clone() })))
    }
}

impl KeptRecord {
    fn new() -> Self {
        Self { generation: 0, claimed_run: 0, claimed_row: 0, open: None, outcomes: Vec::new(), checked: None }
    }
}

/// As precise as a store must be.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
}

/// A copy of what was committed when it was opened.
#[derive(Debug)]
pub(super) struct MemoryReader {
    kept: KeptTarget,
    is_held: bool,
}

impl MemoryReader {
    /// The runs of an input, the newest first.
    fn of_input(&self, input: &str) -> impl Iterator<Item = &RunInfo> {
        self.kept.runs.iter().rev().filter(move |info| info.start.input.0 == input)
    }
}

impl LedgerReader for MemoryReader {
    fn knows_any(&self) -> Result<bool, LedgerError> {
        Ok(!self.kept.records.is_empty())
    }

    fn states(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<RecordState>>, LedgerError> {
        Ok(emails.iter().map(|email| self.kept.state(email, as_of)).collect())
    }

    fn outcomes(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<KnownRecord>>, LedgerError> {
        Ok(emails.iter().map(|email| self.kept.known(email, as_of)).collect())
    }

    fn sent_fields(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<FieldHashes>>, LedgerError> {
        let fields = |email: &&EmailKey| {
            let outcomes = &self.kept.records.get(*email)?.outcomes;
            outcomes.iter().rfind(|(past, ..)| past.run <= as_of)?.2.clone()
        };
        Ok(emails.iter().map(fields).collect())
    }

    fn known_bad(&self, digests: &[BadRecordDigest]) -> Result<Vec<bool>, LedgerError> {
        let is_known = |digest| self.kept.bad_records.values().flatten().any(|known| known == digest);
        Ok(digests.iter().map(is_known).collect())
    }

    fn each_claimed(&self, run: i64, show: &mut dyn FnMut(Claimed) -> bool) -> Result<(), LedgerError> {
        let records = self.kept.records.iter();
        let mut claimed: Vec<_> = records
            .filter(|(_, record)| record.claimed_run == run && record.claimed_row > 0)
            .filter_map(|(email, record)| {
                let (state, outcome) = self.kept.known(email, run)?;
                Some(Claimed { row: record.claimed_row, email: email.as_str().to_owned(), state, outcome })
            })
            .collect();
        claimed.sort_by_key(|claimed| claimed.row);
        let _ = claimed.into_iter().all(show);
        Ok(())
    }

    fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.of_input(input).next().cloned())
    }

    fn runs_of(&self, input: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        Ok(self.of_input(input).take(most as usize).cloned().collect())
    }

    fn last_completed(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.of_input(input).find(|info| info.is_completed).cloned())
    }

    fn tally_of(&self, run: i64) -> Result<Tally, LedgerError> {
        let mut tally = Tally::default();
        for record in self.kept.records.values() {
            let is_open = record.open.as_ref().is_some_and(|(sent_by, ..)| *sent_by == run);
            let latest = record.outcomes.iter().rfind(|(past, ..)| past.run == run).map(|(past, ..)| past.status);
            latest.filter(|_| !is_open).or(is_open.then_some(Status::InDoubt)).into_iter().for_each(|it| tally.add(it));
        }
        Ok(tally)
    }

    fn minutes(&self, run: i64) -> Result<Vec<MinuteTraffic>, LedgerError> {
        Ok(self.kept.minutes.range((run, i64::MIN)..=(run, i64::MAX)).map(|(_, traffic)| traffic.clone()).collect())
    }

    fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.kept.runs.iter().find(|info| info.id.name == name).cloned())
    }

    fn open_requests(&self) -> Result<Vec<OpenRequest>, LedgerError> {
        let open = self.kept.records.iter().filter_map(|(email, record)| Some((email, record.open.as_ref()?)));
        let mut open: Vec<_> = open
            .map(|(email, (_, row, intent))| OpenRequest {
                email: email.clone(),
                row: *row,
                body: intent.body.clone(),
                sent_at: intent.sent_at.wall,
            })
            .collect();
        open.sort_by_key(|open| open.sent_at);
        Ok(open)
    }

    fn state_of(&self, run: &RunInfo) -> Result<RunState, LedgerError> {
        let is_newest = self.kept.runs.last().is_some_and(|newest| newest.id == run.id);
        Ok(match run.ended_at {
            Some(ended_at) => RunState::Ended(ended_at),
            None if is_newest && self.is_held => RunState::Running,
            None => RunState::CutOff,
        })
    }

    fn tally(&self) -> Result<Tally, LedgerError> {
        let mut tally = Tally::default();
        for record in self.kept.records.values() {
            let latest = record.outcomes.last().map_or(Status::NotAttempted, |(past, ..)| past.status);
            tally.add(if record.open.is_some() { Status::InDoubt } else { latest });
        }
        Ok(tally)
    }

    fn owner(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.kept.owner.clone())
    }

    fn check(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn holder(&self) -> Option<Occupied> {
        self.is_held.then(|| Occupied { ledger: Path::new("memory").into(), by: None })
    }

    fn runs(&self) -> Result<u64, LedgerError> {
        Ok(self.kept.runs.len() as u64)
    }

    fn shared_ids(&self, run: i64) -> Result<Vec<SharedId>, LedgerError> {
        let mut records = BTreeMap::<String, u64>::new();
        for record in self.kept.records.values() {
            let of_run = record.outcomes.iter().filter(|(past, ..)| past.run == run && past.status == Status::Created);
            let ids: std::collections::BTreeSet<_> =
                of_run.filter_map(|(_, stored, _)| stored.receipt.customer_id.clone()).collect();
            ids.into_iter().for_each(|id| *records.entry(id).or_default() += 1);
        }
        let mut shared: Vec<_> = records.into_iter().filter(|(_, records)| *records > 1).collect();
        shared.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
        Ok(shared.into_iter().take(10).map(|(customer_id, records)| SharedId { customer_id, records }).collect())
    }
}
