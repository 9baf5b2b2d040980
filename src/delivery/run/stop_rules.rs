//! Decides when going on would do harm. Pure: results go in, a reason to stop comes out.

use std::time::Duration;

use tokio::time::Instant;

use super::give_up::GiveUpTimer;
use crate::domain::{AttemptResult, Complaint, CountOrShare, RefusalScope, Status, StopReason, StopWords};

#[derive(Clone, Copy, Debug)]
pub struct GuardPolicy {
    /// A share is one of the records to send.
    pub max_failures: Option<CountOrShare>,
    /// How long to go on without a conclusive response, not counting pauses that the server asked
    /// for.
    pub give_up_after: Duration,
}

/// Why to stop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Halt {
    TooManyFailures(u64),
    /// Records in a row were rejected with the same message.
    RejectedAlike {
        times: u32,
        words: String,
    },
    Stop(StopReason),
}

const SAME_WORDS: u32 = 20;
const UNINTELLIGIBLE: u32 = 10;
/// So many records in a row that the API forbids (403), or rejects for reasons that are not about
/// their data.
const REFUSED: u32 = 3;
/// So many records in a row that a firewall rejects.
const FIREWALLED: u32 = 20;
/// So many records in a row that the application failed.
const BROKEN: u32 = 10;
/// How long a host name that does not exist, or credentials that a proxy rejects, are retried.
const HOPELESS: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct StopRules {
    give_up: GiveUpTimer,
    most_failures: Option<u64>,
    failures: u64,
    /// The message of the last rejection, and how many in a row had it.
    words: Option<(String, u32)>,
    unintelligible: u32,
    /// A customer was created at this target, by this run or an earlier one, so the endpoint exists
    /// and accepts customers.
    ever_created: bool,
    /// Records in a row whose requests were rejected as such; each kind counts separately.
    refused: InARow,
    forbidden: InARow,
    firewalled: InARow,
    broken: InARow,
    /// Since when the API cannot be reached for a lasting reason. Counts only while there was no
    /// response at all.
    hopeless_since: Option<Instant>,
    was_answered: bool,
}

/// Counts different records in a row.
#[derive(Debug, Default)]
struct InARow {
    rows: Vec<u64>,
}

impl InARow {
    /// Adds a record. Returns how many different ones there are.
    fn add(&mut self, row: u64) -> u32 {
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        self.count()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    fn end(&mut self) {
        self.rows.clear();
    }
}

impl StopRules {
    /// `ever_created` says whether the ledger has a customer that was ever created at this target.
    pub(crate) fn new(policy: GuardPolicy, to_send: u64, ever_created: bool) -> Self {
        Self {
            give_up: GiveUpTimer::new(policy.give_up_after),
            most_failures: policy.max_failures.map(|limit| most_failures(limit, to_send)),
            failures: 0,
            words: None,
            unintelligible: 0,
            ever_created,
            refused: InARow::default(),
            forbidden: InARow::default(),
            firewalled: InARow::default(),
            broken: InARow::default(),
            hopeless_since: None,
            was_answered: false,
        }
    }

    /// Records a response to a request other than a `POST`. It proves nothing about an application
    /// that fails every `POST`.
    pub(crate) fn alive(&mut self) {
        self.was_answered = true;
        if self.broken.count() < BROKEN {
            self.give_up.conclusive();
        }
    }

    /// Records that a request other than a `POST` got no connection.
    pub(crate) fn unreached(&mut self, cause: &str, now: Instant) -> Option<Halt> {
        self.give_up.failed(true, cause, now);
        self.out_of_patience(now)
    }

    /// Records that the server asked for a pause, whatever the request was.
    pub(crate) fn throttled(&mut self, pause: Duration, now: Instant) -> Option<Halt> {
        self.was_answered = true;
        self.give_up.throttled(pause, now);
        self.out_of_patience(now)
    }

    /// Records the result of a `POST` for a row. Returns a reason to stop, if there is one.
    pub(crate) fn answered(&mut self, row: u64, result: &AttemptResult, now: Instant) -> Option<Halt> {
        self.was_answered |= !matches!(result, AttemptResult::NotSent { .. });
        self.watch_refusals(row, result);
        self.watch_time(row, result, now);
        self.unintelligible = if result.is_unintelligible() { self.unintelligible + 1 } else { 0 };
        if let AttemptResult::Rejected(complaint) = result {
            self.rejected(&complaint.message);
        }
        self.words_of_one_kind()
            .or_else(|| self.one_refusal_for_all(result))
            .or_else(|| self.nothing_understood(result))
            .or_else(|| self.beyond_hope(result, now))
            .or_else(|| self.out_of_patience(now))
    }

    /// Records a rejection that only a look-up confirmed.
    pub(crate) fn rejected_after_all(&mut self, words: &str) -> Option<Halt> {
        self.rejected(words);
        self.words_of_one_kind()
    }

    /// Records an outcome.
    pub(crate) fn settled(&mut self, status: Status) -> Option<Halt> {
        if matches!(status, Status::Rejected | Status::Failed) {
            self.failures += 1;
        }
        self.most_failures.filter(|most| self.failures >= *most).map(|_| Halt::TooManyFailures(self.failures))
    }

    /// Returns when to give up if no conclusive response comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.give_up.deadline()
    }

    /// Returns why nothing gets through at the moment, and when the run gives up.
    pub(crate) fn trouble(&self) -> Option<(&str, Instant)> {
        let (cause, gives_up_at) = self.give_up.cause().zip(self.give_up.gives_up_at())?;
        let no_hope_at = self.hopeless_since.map(|since| since + HOPELESS);
        Some((cause, no_hope_at.map_or(gives_up_at, |at| at.min(gives_up_at))))
    }

    /// Returns the reason to give up, if the time is over.
    pub(crate) fn out_of_patience(&self, now: Instant) -> Option<Halt> {
        self.give_up.is_over(now).map(|why| Halt::Stop(StopReason::Unreachable(why.into())))
    }

    fn watch_time(&mut self, row: u64, result: &AttemptResult, now: Instant) {
        match result {
            AttemptResult::NotSent { cause, .. } => self.give_up.failed(true, cause, now),
            AttemptResult::Unanswered { complaint, pause, .. } => {
                if let Some(pause) = pause {
                    self.give_up.throttled(*pause, now);
                }
                self.give_up.failed(false, &failing(complaint), now);
            }
            AttemptResult::Throttled { pause } => self.give_up.throttled(*pause, now),
            AttemptResult::ServerError(complaint) if self.broken.add(row) >= BROKEN => {
                self.give_up.failed(false, &failing(complaint), now);
            }
            _ => self.give_up.conclusive(),
        }
    }

    fn watch_refusals(&mut self, row: u64, result: &AttemptResult) {
        match result {
            AttemptResult::Refused { refusal, .. } => match refusal.scope {
                RefusalScope::Record => {}
                RefusalScope::Endpoint => drop(self.refused.add(row)),
                RefusalScope::Account => drop(self.forbidden.add(row)),
                RefusalScope::Firewall => drop(self.firewalled.add(row)),
            },
            AttemptResult::Created { .. } | AttemptResult::EmailRefused { .. } => {
                self.ever_created |= is_created(result);
                self.words = self.words.take().filter(|_| !is_created(result));
                self.forbidden.end();
                self.end_of_refusals();
            }
            // Not a success, because data may be judged before permissions are.
            result if is_ordinary(result) => self.end_of_refusals(),
            _ => {}
        }
    }

    fn end_of_refusals(&mut self) {
        self.refused.end();
        self.firewalled.end();
        self.broken.end();
    }

    /// Counts rejections with the same message, unless a customer is created between them.
    fn rejected(&mut self, message: &str) {
        match &mut self.words {
            Some((words, count)) if *words == message => *count += 1,
            words => *words = Some((message.to_owned(), 1)),
        }
    }

    fn words_of_one_kind(&self) -> Option<Halt> {
        let (words, times) = self.words.as_ref().filter(|(_, times)| *times >= SAME_WORDS)?;
        Some(Halt::RejectedAlike { times: *times, words: words.clone() })
    }

    fn one_refusal_for_all(&self, result: &AttemptResult) -> Option<Halt> {
        let AttemptResult::Refused { complaint: Complaint { message, .. }, refusal } = result else { return None };
        let configuration = |words| Some(Halt::Stop(StopReason::Configuration(words)));
        let words = StopWords { why: message.clone(), advice: refusal.advice.map(str::to_owned) };
        match refusal.scope {
            RefusalScope::Endpoint if !self.ever_created => configuration(words),
            RefusalScope::Endpoint if self.refused.count() >= REFUSED => {
                configuration(words.and(&format!(", for {REFUSED} records in a row")))
            }
            RefusalScope::Account if self.forbidden.count() >= REFUSED => {
                Some(Halt::Stop(StopReason::Credentials(words.and(&format!(", for {REFUSED} records in a row")))))
            }
            RefusalScope::Firewall if self.firewalled.count() >= FIREWALLED => {
                configuration(words.and(&format!(", and {FIREWALLED} in a row")))
            }
            _ => None,
        }
    }

    fn nothing_understood(&self, result: &AttemptResult) -> Option<Halt> {
        let AttemptResult::Unanswered { complaint, .. } = result else { return None };
        (self.unintelligible >= UNINTELLIGIBLE).then(|| {
            let why = format!(
                "{UNINTELLIGIBLE} responses in a row could not be understood (the last one: {}), so this is probably not the API",
                complaint.message
            );
            Halt::Stop(StopReason::Unreachable(why.into()))
        })
    }

    /// Stops if a host name never existed, or a proxy rejected us from the start.
    fn beyond_hope(&mut self, result: &AttemptResult, now: Instant) -> Option<Halt> {
        let AttemptResult::NotSent { cause, hopeless } = result else { return None };
        if self.was_answered || !hopeless {
            self.hopeless_since = None;
            return None;
        }
        let since = *self.hopeless_since.get_or_insert(now);
        (now.saturating_duration_since(since) >= HOPELESS).then(|| {
            let why = format!("{cause}, for {} s", HOPELESS.as_secs());
            Halt::Stop(StopReason::Configuration(StopWords::advising(
                why,
                "check the base URL, and the proxy if there is one",
            )))
        })
    }
}

/// Returns whether the response shows that the API is there, accepts our credentials and judges
/// data.
pub(crate) fn is_ordinary(result: &AttemptResult) -> bool {
    matches!(result, AttemptResult::Created { .. } | AttemptResult::EmailRefused { .. } | AttemptResult::Rejected(_))
}

/// Returns the cause of a failure despite a connection.
fn failing(complaint: &Complaint) -> String {
    format!("the API fails ({})", complaint.message)
}

fn is_created(result: &AttemptResult) -> bool {
    matches!(result, AttemptResult::Created { .. })
}

/// Returns the limit as a number of records. Never zero, because zero would stop the run before the
/// first failure.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a record count is rounded up to a record count"
)]
fn most_failures(limit: CountOrShare, records: u64) -> u64 {
    match limit {
        CountOrShare::Count(count) => count,
        CountOrShare::Percent(percent) => ((records as f64 * percent / 100.0).ceil() as u64).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ComplaintCode, DoubtCause, Receipt, Refusal};
    use crate::exit::Exit;

    fn guard(max_failures: Option<CountOrShare>) -> StopRules {
        StopRules::new(GuardPolicy { max_failures, give_up_after: Duration::from_secs(600) }, 200, true)
    }

    fn complaint(words: &str) -> Complaint {
        Complaint { code: ComplaintCode::FieldRejected, message: words.to_owned() }
    }

    fn rejected(words: &str) -> AttemptResult {
        AttemptResult::Rejected(complaint(words))
    }

    fn created() -> AttemptResult {
        AttemptResult::Created { receipt: Receipt::default(), other_email: None }
    }

    fn unintelligible() -> AttemptResult {
        AttemptResult::Unanswered { cause: DoubtCause::Unintelligible, complaint: complaint("?"), pause: None }
    }

    /// So many records get the same result.
    fn feed(guard: &mut StopRules, result: &AttemptResult, times: u64) -> Option<Halt> {
        (0..times).find_map(|row| guard.answered(row, result, Instant::now()))
    }

    fn refused(scope: RefusalScope) -> AttemptResult {
        AttemptResult::Refused {
            complaint: complaint("no"),
            refusal: Refusal { scope, by_api: true, advice: Some("do this") },
        }
    }

    fn is_stop(halt: Option<&Halt>, code: Exit) -> bool {
        matches!(halt, Some(Halt::Stop(reason)) if Exit::from(reason) == code)
    }

    #[test]
    fn twenty_rejections_in_the_same_words_stop_the_run() {
        let mut guard = guard(None);
        assert_eq!(feed(&mut guard, &rejected("name is bad"), 19), None);
        let halt = guard.answered(99, &rejected("name is bad"), Instant::now());
        assert_eq!(halt, Some(Halt::RejectedAlike { times: 20, words: "name is bad".to_owned() }));
    }

    #[test]
    fn other_words_or_a_creation_begin_the_count_anew() {
        for between in [rejected("other"), created()] {
            let mut guard = guard(None);
            feed(&mut guard, &rejected("same"), 19);
            guard.answered(98, &between, Instant::now());
            assert_eq!(feed(&mut guard, &rejected("same"), 19), None);
        }
    }

    #[test]
    fn ten_unintelligible_answers_in_a_row_stop_the_run() {
        let mut guard = guard(None);
        assert_eq!(feed(&mut guard, &unintelligible(), 9), None);
        guard.answered(98, &created(), Instant::now());
        assert_eq!(feed(&mut guard, &unintelligible(), 9), None);
        let halt = guard.answered(99, &unintelligible(), Instant::now());
        assert!(matches!(halt, Some(Halt::Stop(StopReason::Unreachable(words))) if words.why.contains('?')));
    }

    #[test]
    fn three_records_that_the_api_forbids_without_a_success_stop_the_run_and_one_record_never_does() {
        let forbidden = refused(RefusalScope::Account);
        let mut guard = guard(None);
        assert!((0..9).all(|_| guard.answered(1, &forbidden, Instant::now()).is_none()), "one record, nine times");
        guard.answered(2, &forbidden, Instant::now());
        guard.answered(3, &rejected("data is judged before rights are"), Instant::now());
        assert!(is_stop(guard.answered(4, &forbidden, Instant::now()).as_ref(), Exit::Credentials));
        let mut guard = super::tests::guard(None);
        for row in 0..30 {
            let result = if row % 3 == 2 { created() } else { forbidden.clone() };
            assert_eq!(guard.answered(row, &result, Instant::now()), None, "{row}");
        }
    }

    #[test]
    fn an_endpoint_that_refuses_stops_at_once_if_it_never_worked_and_else_after_three_records_in_a_row() {
        let gone = refused(RefusalScope::Endpoint);
        let mut fresh = StopRules::new(GuardPolicy { max_failures: None, give_up_after: Duration::MAX }, 1, false);
        assert!(is_stop(fresh.answered(1, &gone, Instant::now()).as_ref(), Exit::Configuration));
        let mut fresh = StopRules::new(GuardPolicy { max_failures: None, give_up_after: Duration::MAX }, 1, false);
        fresh.answered(1, &created(), Instant::now());
        assert_eq!(feed(&mut fresh, &gone, 2), None, "it worked in this run");
        let mut known = guard(None);
        assert_eq!(feed(&mut known, &gone, 2), None);
        known.answered(5, &rejected("x"), Instant::now());
        assert_eq!(feed(&mut known, &gone, 2), None);
        assert!(is_stop(known.answered(7, &gone, Instant::now()).as_ref(), Exit::Configuration));
    }

    #[test]
    fn records_that_are_too_large_never_stop_a_run_and_twenty_in_a_row_at_a_firewall_do() {
        let mut guard = guard(None);
        assert_eq!(feed(&mut guard, &refused(RefusalScope::Record), 100), None);
        assert_eq!(feed(&mut guard, &refused(RefusalScope::Firewall), 19), None);
        assert!(is_stop(
            guard.answered(99, &refused(RefusalScope::Firewall), Instant::now()).as_ref(),
            Exit::Configuration
        ));
    }

    #[test]
    fn a_name_that_does_not_exist_is_tried_for_a_minute_unless_something_was_ever_answered() {
        let nowhere = AttemptResult::NotSent { cause: "cannot reach x (name not found)".to_owned(), hopeless: true };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut from_the_start = guard(None);
        assert_eq!(from_the_start.answered(1, &nowhere, start), None);
        assert_eq!(from_the_start.trouble(), Some(("cannot reach x (name not found)", after(60))));
        assert_eq!(from_the_start.answered(1, &nowhere, after(59)), None);
        assert!(is_stop(from_the_start.answered(1, &nowhere, after(60)).as_ref(), Exit::Configuration));
        let mut later = guard(None);
        later.answered(1, &created(), start);
        later.answered(2, &nowhere, start);
        assert_eq!(later.answered(2, &nowhere, after(300)), None);
        let halt = later.answered(2, &nowhere, after(601));
        assert!(
            matches!(halt, Some(Halt::Stop(StopReason::Unreachable(words))) if words.why.contains("name not found"))
        );
    }

    #[test]
    fn an_application_that_fails_at_every_record_is_given_up_on_however_well_look_ups_work() {
        let (mut guard, start) = (guard(None), Instant::now());
        let failed = AttemptResult::ServerError(complaint("HTTP 500"));
        let outage = |guard: &mut StopRules| {
            (0..9000).find_map(|second| {
                guard.alive();
                guard.answered(second, &failed, start + Duration::from_secs(second))
            })
        };
        let halt = outage(&mut guard);
        assert!(
            matches!(&halt, Some(Halt::Stop(StopReason::Unreachable(words))) if words.why.contains("HTTP 500")),
            "{halt:?}"
        );
        let mut one = super::tests::guard(None);
        let halt = (0..9000).find_map(|second| {
            one.alive();
            one.answered(1, &failed, start + Duration::from_secs(second))
        });
        assert_eq!(halt, None, "one record proves nothing of the server");
    }

    #[test]
    fn giving_up_counts_from_the_first_failure_after_a_conclusive_answer() {
        let mut guard = guard(None);
        let now = Instant::now();
        let refused = AttemptResult::NotSent { cause: "refused".to_owned(), hopeless: false };
        assert_eq!((guard.deadline(), guard.trouble()), (None, None));
        guard.answered(1, &refused, now);
        guard.answered(2, &refused, now + Duration::from_secs(5));
        let deadline = now + Duration::from_secs(600);
        assert_eq!((guard.deadline(), guard.trouble()), (Some(deadline), Some(("refused", deadline))));
        guard.answered(1, &created(), now);
        assert_eq!(guard.deadline(), None);
    }

    #[test]
    fn failures_are_counted_or_taken_as_a_share_and_doubts_are_not_failures() {
        for limit in [CountOrShare::Count(2), CountOrShare::Percent(1.0)] {
            let mut guard = guard(Some(limit));
            assert_eq!(guard.settled(Status::InDoubt), None);
            assert_eq!(guard.settled(Status::Failed), None);
            assert_eq!(guard.settled(Status::Rejected), Some(Halt::TooManyFailures(2)));
        }
    }
}
