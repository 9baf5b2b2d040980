//! When going on would harm. Pure: what comes back goes in, a reason to stop comes out.

use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use super::patience::Patience;
use crate::domain::{AttemptResult, DoubtCause, Status, StopReason};

/// `--max-failures N|P%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FailureLimit {
    Count(u64),
    /// Of the records to send.
    Percent(f64),
}

#[derive(Clone, Copy, Debug)]
pub struct GuardPolicy {
    pub max_failures: Option<FailureLimit>,
    /// How long to go on without any conclusive answer, pauses that the server asked for aside.
    pub give_up_after: Duration,
}

/// Why to stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Halt {
    TooManyFailures(u64),
    /// Records in a row were rejected in the same words.
    RejectedAlike {
        times: u32,
        words: String,
    },
    Stop(StopReason),
}

const SAME_WORDS: u32 = 20;
const UNINTELLIGIBLE: u32 = 10;
const FORBIDDEN: u32 = 3;

#[derive(Debug)]
pub(super) struct Guard {
    patience: Patience,
    most_failures: Option<u64>,
    failures: u64,
    /// The words of the last rejection, and how many in a row said just that.
    words: Option<(String, u32)>,
    unintelligible: u32,
    forbidden: u32,
}

impl Guard {
    pub(super) fn new(policy: GuardPolicy, to_send: u64) -> Self {
        Self {
            patience: Patience::new(policy.give_up_after),
            most_failures: policy.max_failures.map(|limit| limit.of(to_send)),
            failures: 0,
            words: None,
            unintelligible: 0,
            forbidden: 0,
        }
    }

    /// The server answered something else than a request to create.
    pub(super) fn alive(&mut self) {
        self.patience.conclusive();
    }

    /// The server wants silence, whatever was asked of it.
    pub(super) fn throttled(&mut self, pause: Duration, now: Instant) -> Option<Halt> {
        self.patience.throttled(pause, now);
        self.out_of_patience(now)
    }

    /// An answer, or its absence.
    pub(super) fn answered(&mut self, result: &AttemptResult, now: Instant) -> Option<Halt> {
        self.watch_time(result, now);
        self.unintelligible = if is_unintelligible(result) { self.unintelligible + 1 } else { 0 };
        self.forbidden = if matches!(result, AttemptResult::Forbidden(_)) { self.forbidden + 1 } else { 0 };
        self.watch_words(result);
        self.reason().or_else(|| self.out_of_patience(now))
    }

    /// An outcome.
    pub(super) fn settled(&mut self, status: Status) -> Option<Halt> {
        if matches!(status, Status::Rejected | Status::Failed) {
            self.failures += 1;
        }
        self.most_failures.filter(|most| self.failures >= *most).map(|_| Halt::TooManyFailures(self.failures))
    }

    /// When to give up, unless a conclusive answer comes first.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patience.deadline()
    }

    /// The reason to give up, once it has come to that.
    pub(super) fn out_of_patience(&self, now: Instant) -> Option<Halt> {
        self.patience.is_over(now).map(|why| Halt::Stop(StopReason::Unreachable(why)))
    }

    fn watch_time(&mut self, result: &AttemptResult, now: Instant) {
        match result {
            AttemptResult::NotSent { .. } | AttemptResult::Unavailable { .. } => self.patience.failed(true, now),
            AttemptResult::Unanswered { .. } => self.patience.failed(false, now),
            AttemptResult::Throttled { pause } => {
                self.patience.throttled(*pause, now);
            }
            _ => self.patience.conclusive(),
        }
    }

    /// Rejections in the same words follow each other where nothing was created between them.
    fn watch_words(&mut self, result: &AttemptResult) {
        match (result, &mut self.words) {
            (AttemptResult::Rejected(complaint), Some((words, count))) if *words == complaint.message => *count += 1,
            (AttemptResult::Rejected(complaint), words) => *words = Some((complaint.message.clone(), 1)),
            (AttemptResult::Created { .. }, words) => *words = None,
            _ => {}
        }
    }

    fn reason(&self) -> Option<Halt> {
        let stop = match &self.words {
            Some((words, times @ SAME_WORDS..)) => {
                return Some(Halt::RejectedAlike { times: *times, words: words.clone() });
            }
            _ if self.unintelligible >= UNINTELLIGIBLE => StopReason::Unreachable(format!(
                "{UNINTELLIGIBLE} answers in a row could not be understood: is this really the API?"
            )),
            _ if self.forbidden >= FORBIDDEN => {
                StopReason::Credentials(format!("the API said \"forbidden\" (403) {FORBIDDEN} times in a row"))
            }
            _ => return None,
        };
        Some(Halt::Stop(stop))
    }
}

fn is_unintelligible(result: &AttemptResult) -> bool {
    matches!(result, AttemptResult::Unanswered { cause: DoubtCause::Unintelligible, .. })
}

impl FailureLimit {
    /// As a number of records; never zero, for nothing has failed before the first failure.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a record count is rounded up to a record count"
    )]
    fn of(self, records: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => ((records as f64 * percent / 100.0).ceil() as u64).max(1),
        }
    }
}

impl FromStr for FailureLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is neither a number of records above 0 nor a percentage such as 5%");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
                _ => Err(refused()),
            },
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count).ok_or_else(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Complaint, ComplaintCode, Receipt};

    fn guard(max_failures: Option<FailureLimit>) -> Guard {
        Guard::new(GuardPolicy { max_failures, give_up_after: Duration::from_secs(60) }, 200)
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
        AttemptResult::Unanswered { cause: DoubtCause::Unintelligible, complaint: complaint("?") }
    }

    fn feed(guard: &mut Guard, result: &AttemptResult, times: usize) -> Option<Halt> {
        (0..times).find_map(|_| guard.answered(result, Instant::now()))
    }

    #[test]
    fn twenty_rejections_in_the_same_words_stop_the_run() {
        let mut guard = guard(None);
        assert_eq!(feed(&mut guard, &rejected("name is bad"), 19), None);
        let halt = guard.answered(&rejected("name is bad"), Instant::now());
        assert_eq!(halt, Some(Halt::RejectedAlike { times: 20, words: "name is bad".to_owned() }));
    }

    #[test]
    fn other_words_or_a_creation_begin_the_count_anew() {
        for between in [rejected("other"), created()] {
            let mut guard = guard(None);
            feed(&mut guard, &rejected("same"), 19);
            guard.answered(&between, Instant::now());
            assert_eq!(feed(&mut guard, &rejected("same"), 19), None);
        }
    }

    #[test]
    fn ten_unintelligible_answers_in_a_row_stop_the_run() {
        let mut guard = guard(None);
        assert_eq!(feed(&mut guard, &unintelligible(), 9), None);
        guard.answered(&created(), Instant::now());
        assert_eq!(feed(&mut guard, &unintelligible(), 9), None);
        let halt = guard.answered(&unintelligible(), Instant::now());
        assert!(matches!(halt, Some(Halt::Stop(StopReason::Unreachable(_)))));
    }

    #[test]
    fn three_times_forbidden_stops_the_run() {
        let mut guard = guard(None);
        let halt = feed(&mut guard, &AttemptResult::Forbidden(complaint("no")), 3);
        assert!(matches!(halt, Some(Halt::Stop(StopReason::Credentials(_)))));
    }

    #[test]
    fn giving_up_counts_from_the_first_failure_after_a_conclusive_answer() {
        let mut guard = guard(None);
        let now = Instant::now();
        let refused = AttemptResult::NotSent { cause: String::new() };
        assert_eq!(guard.deadline(), None);
        guard.answered(&refused, now);
        guard.answered(&refused, now + Duration::from_secs(5));
        assert_eq!(guard.deadline(), Some(now + Duration::from_secs(60)));
        guard.answered(&created(), now);
        assert_eq!(guard.deadline(), None);
    }

    #[test]
    fn failures_are_counted_or_taken_as_a_share_and_doubts_are_not_failures() {
        for limit in [FailureLimit::Count(2), FailureLimit::Percent(1.0)] {
            let mut guard = guard(Some(limit));
            assert_eq!(guard.settled(Status::InDoubt), None);
            assert_eq!(guard.settled(Status::Failed), None);
            assert_eq!(guard.settled(Status::Rejected), Some(Halt::TooManyFailures(2)));
        }
    }

    #[test]
    fn a_failure_limit_is_read_as_written_or_refused() {
        assert_eq!("7".parse(), Ok(FailureLimit::Count(7)));
        assert_eq!("2.5%".parse(), Ok(FailureLimit::Percent(2.5)));
        for wrong in ["", "0", "-1", "0%", "101%", "NaN%", "x"] {
            assert!(wrong.parse::<FailureLimit>().is_err(), "{wrong}");
        }
    }
}
