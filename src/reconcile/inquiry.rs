//! Which customers of an input `status` asks for.
//!
//! An inquiry is a run in the ledger, so that one that was stopped can continue: the next one
//! leaves out the customers that have an answer since the first unfinished one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::input::InputHandle;
use super::line::{AsOf, Reconciler};
use super::outputs::Outputs;
use super::{pass, survey};
use crate::domain::{EmailKey, ReportLine, Status};
use crate::failure::Failure;
use crate::ledger::{InputName, Reader, RunInfo, RunStart};
use crate::report::KycCounts;

/// What the runs of all inquiries are called in the ledger. Their inputs are in their options,
/// because a report looks for the last import by the name of its input. No `--input-name` should be
/// the same, or the last import of that input could not be found.
const RUNS: &str = "customer-import status";
/// The option that holds the name of the input.
const INPUT: &str = "input";

/// So many earlier inquiries are looked at.
const MOST_RUNS: u32 = 50;
/// An answer older than this is asked for again, even if its inquiry never finished.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// A customer of the input.
#[derive(Clone)]
pub(crate) struct KnownCustomer {
    /// As the input has it.
    pub email: String,
    pub customer_id: Option<String>,
}

/// Shows nothing, because it is a person.
impl std::fmt::Debug for KnownCustomer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownCustomer(..)")
    }
}

/// Whom to ask for.
#[derive(Debug, Default)]
pub(crate) struct InquiryScope {
    pub records: u64,
    /// The customers of the input, those with an answer included.
    pub customers: u64,
    pub to_ask: Vec<KnownCustomer>,
    /// The answers that an unfinished inquiry got, by status.
    pub answered: KycCounts,
    /// An unfinished inquiry is continued.
    pub continues: bool,
}

/// Returns what the run of an inquiry begins with.
pub(crate) fn run_start(input: &InputName) -> RunStart {
    RunStart { input: InputName(RUNS.to_owned()), options: Some(json!({INPUT: input.0}).to_string()) }
}

/// Returns whether a run was an inquiry.
pub(crate) fn is_one(run: &RunInfo) -> bool {
    run.start.input.0 == RUNS && asks_for(run).is_some()
}

/// Returns whether the API was ever asked for a status, so that reports show when.
pub(crate) fn was_ever_made(ledger: &Reader) -> Result<bool, Failure> {
    Ok(!ledger.runs_of(RUNS, 1)?.is_empty())
}

/// Reads the input, and returns its customers as the ledger knows them. They are kept in memory:
/// about 150 bytes each.
pub(crate) fn scope(input: &InputHandle, ledger: Reader, now: Timestamp) -> Result<InquiryScope, Failure> {
    let since = unfinished_since(&ledger.runs_of(RUNS, MOST_RUNS)?, &input.name(), now);
    let duplicates = survey::survey(input, true, None)?.duplicates;
    let reconciler = Reconciler::new(duplicates, Some(ledger), AsOf::Now);
    let mut scope = InquiryScope { continues: since.is_some(), ..InquiryScope::default() };
    let counted = pass::pass(input, &Outputs::default(), reconciler, |line, _| scope.add(line, since))?;
    scope.records = counted.tally.total();
    Ok(scope)
}

impl InquiryScope {
    fn add(&mut self, line: &ReportLine, since: Option<Timestamp>) {
        // Whatever else a record is, no customer of it is known.
        if !matches!(line.status, Status::AlreadyImported | Status::Changed | Status::Exists) {
            return;
        }
        self.customers += 1;
        let is_answered = line.kyc_checked_at.zip(since).is_some_and(|(checked_at, since)| checked_at >= since);
        if is_answered {
            self.answered.add(line.receipt.kyc_status.as_deref());
        } else {
            let customer_id = line.receipt.customer_id.clone();
            self.to_ask.push(KnownCustomer { email: line.email.clone(), customer_id });
        }
    }
}

impl KnownCustomer {
    pub(crate) fn key(&self) -> EmailKey {
        EmailKey::of(&self.email)
    }
}

/// Returns when the first of the latest inquiries of an input began that did not finish, at most a
/// day ago. `None` if the last one finished. `runs` are the newest first.
fn unfinished_since(runs: &[RunInfo], input: &InputName, now: Timestamp) -> Option<Timestamp> {
    let of_input = runs.iter().filter(|run| asks_for(run) == Some(input.0.clone()));
    let unfinished = of_input.take_while(|run| !run.is_completed);
    unfinished.map(|run| run.started_at).filter(|started_at| now.duration_since(*started_at) < LATEST).min()
}

/// Returns the name of the input of an inquiry, or `None` if the run is another one.
fn asks_for(run: &RunInfo) -> Option<String> {
    let options: Value = serde_json::from_str(run.start.options.as_deref()?).ok()?;
    Some(options.get(INPUT)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{RunCounters, RunId};

    fn run(input: &str, hours_ago: i64, is_completed: bool) -> RunInfo {
        RunInfo {
            id: RunId { number: 1, name: String::new() },
            start: run_start(&InputName(input.to_owned())),
            counters: RunCounters::default(),
            started_at: now() - SignedDuration::from_hours(hours_ago),
            ended_at: None,
            exit_code: None,
            stopped: None,
            records_read: None,
            known_bad: None,
            is_completed,
        }
    }

    fn now() -> Timestamp {
        "2026-11-30T03:00:00Z".parse().unwrap()
    }

    fn since(runs: &[RunInfo]) -> Option<i64> {
        let since = unfinished_since(runs, &InputName("a".to_owned()), now())?;
        Some(now().duration_since(since).as_hours())
    }

    #[test]
    fn an_inquiry_continues_those_of_its_input_that_did_not_finish_within_a_day() {
        let (stopped, done) = (|input, hours| run(input, hours, false), |input, hours| run(input, hours, true));
        assert_eq!(since(&[]), None);
        assert_eq!(since(&[stopped("a", 1), stopped("a", 3), done("a", 5), stopped("a", 7)]), Some(3));
        assert_eq!(since(&[done("a", 1), stopped("a", 3)]), None, "the last one finished");
        assert_eq!(since(&[done("b", 1), stopped("a", 2), stopped("b", 3)]), Some(2), "each input alone");
        assert_eq!(since(&[stopped("a", 1), stopped("a", 30)]), Some(1), "a day is too long");
        assert_eq!(since(&[stopped("b", 1)]), None);
    }

    #[test]
    fn only_customers_that_the_ledger_knows_are_asked_for_and_none_with_an_answer() {
        let mut scope = InquiryScope::default();
        let position = crate::domain::Position { row: 1, line: 2 };
        for status in Status::IMPORT {
            let mut line = ReportLine::new(position, status, "Ada@example.com".to_owned(), Vec::new());
            scope.add(&line, Some(now()));
            line.update(Some("approved".to_owned()), None, now());
            scope.add(&line, Some(now()));
            scope.add(&line, None);
        }
        // Of the three statuses each: without an answer, with one, and with one of before.
        assert_eq!((scope.customers, scope.to_ask.len()), (9, 6));
        assert_eq!(scope.answered.words(), "3 approved");
        assert_eq!(scope.to_ask[0].key(), EmailKey::of("ada@example.com"));
    }
}
