//! The effects of a batch as few statements.
//!
//! Effects on records are grouped: one statement takes all claims of a group, one all outcomes, and
//! so on, in this order. An effect that must come after a later kind begins a new group.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio_postgres::types::ToSql;

use super::clocks::{encode, later_of, millis_ahead};
use super::connect::Connected;
use super::effect::{Effect, NumberedOutcome};
use super::sql::{self, Statement};
use super::trouble::DatabaseTrouble;
use crate::domain::{EmailKey, Moment};
use crate::ledger::field_hashes::FieldHashes;
use crate::ledger::minute_codec::EncodedMinute;
use crate::ledger::model::{CheckedStatus, EndedRun, InputName, Intent, RunCounters, RunInfo, RunStart, StoredOutcome};
use crate::ledger::moved::{MovedIntent, MovedMinute, MovedOutcome, MovedRecord, MovedRows};

/// Whose records the statements are about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub id: i64,
    pub epoch: i64,
}

/// A statement with its values.
pub(super) struct Call {
    sql: &'static Statement,
    values: Vec<Box<dyn ToSql + Sync>>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values are people's data.
        f.debug_struct("Call").field("sql", &self.sql.text).finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn send<'a>(&'a self, connected: &'a Connected) -> LocalBoxFuture<'a, Result<(), DatabaseTrouble>> {
        async move {
            let values: Vec<_> = self.values.iter().map(Box::as_ref).collect();
            connected.run(self.sql, &values).await
        }
        .boxed_local()
    }
}

macro_rules! call {
    ($sql:expr, $($value:expr),* $(,)?) => {
        Call { sql: &$sql, values: vec![$(Box::new($value) as Box<dyn ToSql + Sync>),*] }
    };
}

/// Returns the statements that write the effects. `now` is the time at which they are sent.
pub(super) fn calls(effects: &[Effect], account: Account, now: Moment) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut group = Group::default();
    for effect in effects {
        if !group.take(effect) {
            group.flush(account, now, &mut calls);
            if !group.take(effect) {
                alone(effect, account, &mut calls);
            }
        }
    }
    group.flush(account, now, &mut calls);
    calls
}

/// Effects that have one order among themselves: claims and learnt records, outcomes, erased
/// requests, open requests.
#[derive(Default)]
struct Group<'a> {
    claims: BTreeMap<i64, BTreeMap<&'a EmailKey, u64>>,
    learnt: BTreeMap<i64, Vec<&'a EmailKey>>,
    outcomes: Vec<&'a NumberedOutcome>,
    erased: Vec<&'a EmailKey>,
    intents: BTreeMap<&'a EmailKey, (i64, u64, &'a Intent)>,
    held_until: Option<Moment>,
    /// Every record of the group, because a record that a second run claims begins a new group.
    claimed: HashSet<&'a EmailKey>,
}

impl<'a> Group<'a> {
    /// Returns whether the effect can join.
    fn take(&mut self, effect: &'a Effect) -> bool {
        match effect {
            Effect::Claim { run, email, row } => {
                if !self.claimed.insert(email) {
                    return false;
                }
                self.claims.entry(*run).or_default().insert(email, *row);
            }
            Effect::Learn { run, email } => {
                if !self.claimed.insert(email) {
                    return false;
                }
                self.learnt.entry(*run).or_default().push(email);
            }
            Effect::AddOutcome(outcome) => self.outcomes.push(outcome),
            Effect::Erase(email) if self.intents.contains_key(email) => return false,
            Effect::Erase(email) => self.erased.push(email),
            Effect::Intend { run, email, row, intent } => {
                self.intents.insert(email, (*run, *row, intent));
            }
            Effect::HoldBack(until) => {
                self.held_until = Some(self.held_until.map_or(*until, |held| later_of(held, *until)));
            }
            _ => return false,
        }
        true
    }

    fn flush(&mut self, account: Account, now: Moment, calls: &mut Vec<Call>) {
        let Self { claims, learnt, outcomes, erased, intents, held_until, .. } = std::mem::take(self);
        for (run, claims) in claims {
            let rows: Vec<_> = claims.values().map(|row| number(*row)).collect();
            calls.push(call!(sql::CLAIM, account.id, run, keys(claims.keys().copied()), rows));
        }
        for (run, emails) in learnt {
            calls.push(call!(sql::LEARN, account.id, run, keys(emails)));
        }
        if !outcomes.is_empty() {
            calls.push(add_outcomes(&outcomes, account));
        }
        if !erased.is_empty() {
            calls.push(call!(sql::ERASE, account.id, keys(erased)));
        }
        let grown: Vec<_> = intents.iter().filter(|(_, (.., intent))| intent.generation > 0).collect();
        if !grown.is_empty() {
            let generations: Vec<_> = grown.iter().map(|(_, (.., intent))| i64::from(intent.generation)).collect();
            calls.push(call!(sql::GENERATIONS, account.id, keys(grown.iter().map(|(email, _)| **email)), generations));
        }
        if !intents.is_empty() {
            calls.push(intend(&intents, account, now));
        }
        if let Some(until) = held_until {
            calls.push(call!(sql::HOLD_BACK, account.id, millis_ahead(until, now)));
        }
    }
}

fn add_outcomes(outcomes: &[&NumberedOutcome], account: Account) -> Call {
    let texts = |of: fn(&StoredOutcome) -> &str| -> Vec<String> {
        outcomes.iter().map(|outcome| text(of(&outcome.stored))).collect()
    };
    let options = |of: fn(&StoredOutcome) -> Option<&str>| -> Vec<Option<String>> {
        outcomes.iter().map(|outcome| of(&outcome.stored).map(text)).collect()
    };
    call!(
        sql::ADD_OUTCOMES,
        account.id,
        account.epoch,
        keys(outcomes.iter().map(|outcome| &outcome.email)),
        outcomes.iter().map(|outcome| outcome.seq).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| outcome.run).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| outcome.status.as_str().to_owned()).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| outcome.payload.0.to_vec()).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| outcome.stored.http_status.map(i64::from)).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| i64::from(outcome.stored.attempts)).collect::<Vec<_>>(),
        texts(|stored| &stored.error_code),
        texts(|stored| &stored.error),
        texts(|stored| &stored.warning),
        options(|stored| stored.receipt.id.as_deref()),
        options(|stored| stored.receipt.customer_id.as_deref()),
        options(|stored| stored.receipt.kyc_link.as_deref()),
        options(|stored| stored.receipt.tos_link.as_deref()),
        options(|stored| stored.receipt.kyc_status.as_deref()),
        options(|stored| stored.receipt.tos_status.as_deref()),
        options(|stored| stored.receipt.created_at.as_deref()),
        options(|stored| stored.receipt.data.text()),
        outcomes.iter().map(|outcome| outcome.fields.as_ref().map(|fields| fields.to_bytes())).collect::<Vec<_>>(),
        outcomes.iter().map(|outcome| outcome.settled_at).collect::<Vec<_>>(),
    )
}

fn intend(intents: &BTreeMap<&EmailKey, (i64, u64, &Intent)>, account: Account, now: Moment) -> Call {
    let each = || intents.values().map(|(.., intent)| *intent);
    let ahead =
        |of: fn(&Intent) -> Moment| -> Vec<i64> { each().map(|intent| millis_ahead(of(intent), now)).collect() };
    let own = |of: fn(&Intent) -> Moment| -> Vec<Vec<u8>> { each().map(|intent| encode(of(intent))).collect() };
    call!(
        sql::INTEND,
        account.id,
        account.epoch,
        keys(intents.keys().copied()),
        intents.values().map(|(run, ..)| *run).collect::<Vec<_>>(),
        intents.values().map(|(_, row, _)| number(*row)).collect::<Vec<_>>(),
        each().map(|intent| i64::from(intent.generation)).collect::<Vec<_>>(),
        each().map(|intent| intent.key.clone()).collect::<Vec<_>>(),
        each().map(|intent| intent.payload.0.to_vec()).collect::<Vec<_>>(),
        each().map(|intent| intent.body.clone()).collect::<Vec<_>>(),
        each().map(|intent| i64::from(intent.attempt)).collect::<Vec<_>>(),
        ahead(|intent| intent.key_since),
        ahead(|intent| intent.sent_at),
        each().map(|intent| intent.token_until.map(|until| millis_ahead(until, now))).collect::<Vec<_>>(),
        own(|intent| intent.key_since),
        own(|intent| intent.sent_at),
        each().map(|intent| intent.token_until.map(encode)).collect::<Vec<_>>(),
    )
}

/// Adds the statements of an effect that cannot join a group.
fn alone(effect: &Effect, account: Account, calls: &mut Vec<Call>) {
    let Account { id, epoch } = account;
    match effect {
        Effect::BeginRun { number, name, start: RunStart { input: InputName(input), options } } => {
            let options = options.as_deref().map(text);
            calls.push(call!(sql::BEGIN_RUN, id, *number, name.clone(), epoch, text(input), options));
            calls.push(call!(sql::NOTE_RUN, id, name.clone()));
        }
        Effect::EndRun { run, end } => end_run(id, *run, end, calls),
        Effect::SetMinute { run, minute, encoded: EncodedMinute { counts, latencies } } => {
            calls.push(call!(sql::SET_MINUTE, id, *run, *minute, counts.clone(), latencies.clone()));
        }
        Effect::SetChecks(checks) => calls.push(set_checks(id, checks)),
        Effect::SetOwner(owner) => calls.push(call!(sql::SET_OWNER, id, owner.clone())),
        Effect::Forget { email, person } => {
            let statements = [&sql::FORGET_INTENTS, &sql::FORGET_OUTCOMES, &sql::FORGET_CHECKS, &sql::FORGET_RECORD];
            calls.extend(statements.map(|sql| Call { sql, values: vec![Box::new(id), Box::new(key(email))] }));
            calls.push(call!(sql::FORGET_PERSON, id, person.to_vec()));
        }
        Effect::ForgetAll => {
            let statements = [
                &sql::FORGET_ALL_INTENTS,
                &sql::FORGET_ALL_OUTCOMES,
                &sql::FORGET_ALL_CHECKS,
                &sql::FORGET_ALL_RECORDS,
                &sql::FORGET_ALL_MINUTES,
                &sql::FORGET_ALL_BAD_RECORDS,
                &sql::FORGET_ALL_RUNS,
                &sql::FORGET_OWNER,
            ];
            calls.extend(statements.map(|sql| Call { sql, values: vec![Box::new(id)] }));
        }
        // These join a group that is empty.
        Effect::Claim { .. }
        | Effect::Learn { .. }
        | Effect::AddOutcome(_)
        | Effect::Erase(_)
        | Effect::HoldBack(_)
        | Effect::Intend { .. } => {}
    }
}

fn end_run(id: i64, run: i64, end: &EndedRun, calls: &mut Vec<Call>) {
    let EndedRun { counters, exit_code, stopped, records_read, known_bad, is_completed, bad_records } = end;
    let RunCounters { requests, throttled, retries, recovered } = *counters;
    let [requests, throttled, retries, recovered] = [requests, throttled, retries, recovered].map(number);
    let (records_read, known_bad) = (records_read.map(number), known_bad.map(number));
    calls.push(call!(
        sql::END_RUN,
        id,
        run,
        requests,
        throttled,
        retries,
        recovered,
        i64::from(*exit_code),
        stopped.as_ref().map(|stopped| text(&stopped.to_text())),
        records_read,
        known_bad,
        *is_completed
    ));
    if *is_completed {
        calls.push(call!(sql::DROP_BAD_RECORDS, id, run));
        let digests: Vec<_> = bad_records.iter().map(|digest| digest.0.to_vec()).collect();
        calls.push(call!(sql::ADD_BAD_RECORDS, id, run, digests));
    }
}

/// Of an e-mail that comes twice the last status counts: a statement cannot set a row twice.
fn set_checks(id: i64, checks: &[(EmailKey, CheckedStatus)]) -> Call {
    let last: BTreeMap<_, _> = checks.iter().map(|(email, status)| (email, status)).collect();
    call!(
        sql::SET_CHECKS,
        id,
        keys(last.keys().copied()),
        last.values().map(|status| status.kyc_status.as_deref().map(text)).collect::<Vec<_>>(),
        last.values().map(|status| status.tos_status.as_deref().map(text)).collect::<Vec<_>>(),
        last.values().map(|status| status.checked_at).collect::<Vec<_>>(),
    )
}

/// Returns the statements that add rows of a file.
pub(super) fn arrived_rows(rows: MovedRows, account: Account, now: Moment) -> Vec<Call> {
    let effects = match rows {
        MovedRows::Runs(runs) => return vec![add_runs(&runs, account)],
        MovedRows::Records(records) => return vec![add_records(&records, account)],
        MovedRows::Minutes(minutes) => return vec![add_minutes(minutes, account)],
        MovedRows::BadRecords(bad_records) => {
            let (digests, runs): (Vec<_>, Vec<_>) = bad_records.into_iter().map(|bad| (bad.digest, bad.run)).unzip();
            return vec![call!(sql::ADD_OLD_BAD_RECORDS, account.id, digests, runs)];
        }
        MovedRows::Checks(checks) => vec![Effect::SetChecks(checks)],
        MovedRows::Intents(intents) => intents.into_iter().map(open_request).collect(),
        MovedRows::Outcomes(outcomes) => outcomes.into_iter().map(old_outcome).collect(),
    };
    calls(&effects, account, now)
}

fn open_request(moved: MovedIntent) -> Effect {
    let MovedIntent { email, run, row, intent } = moved;
    Effect::Intend { run, email, row, intent: Arc::new(intent) }
}

fn old_outcome(moved: MovedOutcome) -> Effect {
    let MovedOutcome { number, email, run, status, payload, settled_at, stored, field_hashes } = moved;
    let fields = field_hashes.and_then(|bytes| FieldHashes::from_bytes(&bytes));
    let settled_at = Some(settled_at);
    Effect::AddOutcome(Box::new(NumberedOutcome {
        seq: number,
        run,
        email,
        payload,
        fields,
        status,
        stored,
        settled_at,
    }))
}

fn add_runs(runs: &[RunInfo], account: Account) -> Call {
    let counts =
        |of: fn(&RunCounters) -> u64| -> Vec<i64> { runs.iter().map(|run| number(of(&run.counters))).collect() };
    call!(
        sql::ADD_RUNS,
        account.id,
        runs.iter().map(|run| run.id.number).collect::<Vec<_>>(),
        runs.iter().map(|run| run.id.name.clone()).collect::<Vec<_>>(),
        runs.iter().map(|run| text(&run.start.input.0)).collect::<Vec<_>>(),
        runs.iter().map(|run| run.start.options.as_deref().map(text)).collect::<Vec<_>>(),
        runs.iter().map(|run| run.started_at).collect::<Vec<_>>(),
        runs.iter().map(|run| run.ended_at).collect::<Vec<_>>(),
        runs.iter().map(|run| run.exit_code.map(i64::from)).collect::<Vec<_>>(),
        runs.iter().map(|run| run.stopped.as_ref().map(|stopped| text(&stopped.to_text()))).collect::<Vec<_>>(),
        counts(|counters| counters.requests),
        counts(|counters| counters.throttled),
        counts(|counters| counters.retries),
        counts(|counters| counters.recovered),
        runs.iter().map(|run| run.records_read.map(number)).collect::<Vec<_>>(),
        runs.iter().map(|run| run.known_bad.map(number)).collect::<Vec<_>>(),
        runs.iter().map(|run| run.is_completed).collect::<Vec<_>>(),
    )
}

fn add_records(records: &[MovedRecord], account: Account) -> Call {
    call!(
        sql::ADD_RECORDS,
        account.id,
        keys(records.iter().map(|record| &record.email)),
        records.iter().map(|record| i64::from(record.generation)).collect::<Vec<_>>(),
        records.iter().map(|record| record.claimed_run).collect::<Vec<_>>(),
        records.iter().map(|record| number(record.claimed_row)).collect::<Vec<_>>(),
    )
}

fn add_minutes(minutes: Vec<MovedMinute>, account: Account) -> Call {
    let (runs, of): (Vec<_>, Vec<_>) = minutes.iter().map(|minute| (minute.run, minute.minute)).unzip();
    let encoded = minutes.into_iter().map(|minute| (minute.encoded.counts, minute.encoded.latencies));
    let (counts, latencies): (Vec<_>, Vec<_>) = encoded.unzip();
    call!(sql::ADD_MINUTES, account.id, runs, of, counts, latencies)
}

pub(super) fn keys<'a>(emails: impl IntoIterator<Item = &'a EmailKey>) -> Vec<String> {
    emails.into_iter().map(key).collect()
}

pub(super) fn key(email: &EmailKey) -> String {
    text(email.as_str())
}

/// Returns the text as PostgreSQL takes it: without zero bytes, which a server's words can hold.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Counts never come near the end of what the database can hold.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::effect::Numbering;
    use super::*;
    use crate::domain::{Complaint, ComplaintCode, Ending, Outcome};
    use crate::ledger::payload::PayloadHash;
    use crate::ledger::store::Settlement;

    fn email(name: &str) -> EmailKey {
        EmailKey::of(&format!("{name}@example.com"))
    }

    fn now() -> Moment {
        Moment { wall: Timestamp::from_second(1_700_000_000).unwrap(), boot: None }
    }

    fn intend(name: &str, generation: u32) -> Effect {
        let intent = Intent {
            generation,
            key: "k".to_owned(),
            payload: PayloadHash::of(b"x"),
            body: b"x".to_vec(),
            attempt: 1,
            key_since: now(),
            sent_at: now().later(Duration::from_secs(1)),
            token_until: None,
        };
        Effect::Intend { run: 1, email: email(name), row: 1, intent: Arc::new(intent) }
    }

    fn settle(name: &str) -> Vec<Effect> {
        let ending = Ending::Failed(Complaint { code: ComplaintCode::GaveUp, message: String::new() });
        let outcome = Outcome { ending, http_status: None, attempts: 1, warnings: Vec::new() };
        Numbering::default().settle(1, &email(name), Settlement::unread(PayloadHash::of(b"x"), outcome))
    }

    /// The tables that the statements write to, in their order.
    fn written(effects: &[Effect]) -> Vec<&'static str> {
        let calls = calls(effects, Account { id: 1, epoch: 1 }, now());
        let table = |call: &Call| {
            let (_, after) = call.sql.text.split_once("customer_import.").unwrap();
            after.split(|c: char| !c.is_alphanumeric()).next().unwrap()
        };
        calls.iter().map(table).collect()
    }

    #[test]
    fn records_that_go_their_way_side_by_side_take_three_statements_however_many_they_are() {
        let mut effects = Vec::new();
        for n in 0..50 {
            effects.extend(settle(&format!("old{n}")));
            effects.push(intend(&format!("new{n}"), 0));
        }
        assert_eq!(written(&effects), ["outcomes", "intents", "intents"]);
    }

    #[test]
    fn an_outcome_of_a_request_of_the_same_batch_is_written_after_it() {
        let effects: Vec<_> = [intend("a", 0)].into_iter().chain(settle("a")).chain([intend("b", 2)]).collect();
        assert_eq!(written(&effects), ["outcomes", "intents", "intents", "records", "intents"]);
    }

    #[test]
    fn the_latest_of_many_moments_is_kept_with_one_statement() {
        let until = |second| Effect::HoldBack(now().later(Duration::from_secs(second)));
        let effects = [intend("a", 0), until(2), intend("b", 0), until(9), until(3)];
        assert_eq!(written(&effects), ["intents", "accounts"]);
    }

    #[test]
    fn an_effect_on_something_else_keeps_its_place() {
        let effects: Vec<_> = settle("a").into_iter().chain([Effect::ForgetAll]).chain(settle("b")).collect();
        let written = written(&effects);
        assert_eq!(written[..3], ["outcomes", "intents", "intents"]);
        assert_eq!(written[written.len() - 2..], ["outcomes", "intents"]);
    }
}
