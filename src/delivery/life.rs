//! One record's life between claim and outcome, as a pure state machine: what came back goes in, what to do next comes out.
//!
//! # The rules
//! - A request that surely did nothing is sent again with the same key.
//! - After *silence* (no answer that can be believed) nothing is sent before the settle time is over. Then, while the server still knows the
//!   key, the same key and bytes go again: that brings the stored answer, or does the work for the first time. With an older key a look-up
//!   comes first, and only two look-ups a settle time apart prove that the customer is absent. A key that brought two answers without
//!   meaning will bring a third, since the server replays what it stored: then a look-up comes first too.
//! - After an *answered failure* the server is done, so one look-up decides. Where none is to be had the same key goes once more, for it
//!   may replay a success, and then a new one, which the server's unique e-mail guards.
//! - A new key is made only where absence is proven, or where nothing but the server's refusal of a second customer can be at stake.
//! - What the API says it has already is compared with what we sent, if one of our requests may have created it: ours is `created`,
//!   anybody else's is `exists`.
//! - Whoever gives up says so truthfully: `failed` only where surely nothing was created, `in_doubt` otherwise.

use std::time::Duration;

use super::retry::RetryPolicy;
use crate::domain::{
    AttemptResult, Complaint, ComplaintCode, DoubtCause, Ending, FoundCustomer, Moment, Receipt, StopReason, Warning,
};

/// What to do next with the record.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Send { key: KeyChoice, after: Pause },
    LookUp { after: Pause },
    RenewToken,
    Finish(Finish),
    Stop(StopReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyChoice {
    Same,
    /// The next generation: what was sent before is proven to have had no effect, or is guarded by the server's unique e-mail.
    New,
}

/// How long to wait before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    None,
    Backoff { failures: u32, at_least: Duration },
    For(Duration),
}

/// The end of the life.
#[derive(Debug, PartialEq)]
pub(super) struct Finish {
    pub ending: Ending,
    pub warnings: Vec<Warning>,
    /// A doubt of ours ended with knowledge.
    pub recovered: bool,
}

/// What a look-up brought, as far as this record is concerned.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// The customers with exactly this e-mail, each with the answer to "does it carry our name and phone?"
    Customers(Vec<(FoundCustomer, bool)>),
    /// No look-up is to be had.
    Nothing,
}

/// Whether one of our requests may have created the customer, and what the last of them left us with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// 503 or 402 should mean that nothing was done, but it may be a proxy that says so, after it passed the request on.
    Slight,
    /// The server answered that it failed; it is done.
    Answered,
    /// No answer that can be believed; the server may still be at it.
    Silent,
}

/// What made the look-up necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Did the request that went unanswered, or failed, create the customer?
    DidItWork,
    /// The API says that it has this e-mail: who is it?
    WhoIsIt,
}

#[derive(Debug)]
pub(super) struct Life {
    policy: RetryPolicy,
    /// Counted attempts of this run.
    attempts: u32,
    /// Failures of any kind in a row, for the backoff.
    failures: u32,
    doubt: Doubt,
    /// Some request since the last proof went unanswered, whatever was answered later.
    was_silent: bool,
    key_since: Option<Moment>,
    sent_at: Option<Moment>,
    question: Question,
    /// It began with the open request of an earlier run.
    resumed: bool,
    /// An answered failure was asked again with its own key, for want of a look-up.
    replayed: bool,
    /// When a first look-up, after silence, did not find the customer.
    absent_since: Option<Moment>,
    /// Answers in a row that came whole and meant nothing.
    unintelligible: u32,
    last: Option<Complaint>,
    http_status: Option<u16>,
}

/// So many answers without meaning to one key are enough.
const MEANINGLESS: u32 = 2;

impl Life {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            attempts: 0,
            failures: 0,
            doubt: Doubt::None,
            was_silent: false,
            key_since: None,
            sent_at: None,
            question: Question::DidItWork,
            resumed: false,
            replayed: false,
            absent_since: None,
            unintelligible: 0,
            last: None,
            http_status: None,
        }
    }

    /// The life of a record whose request of an earlier run has no known effect.
    pub(super) fn resumed(policy: RetryPolicy, key_since: Moment, sent_at: Moment) -> Self {
        let mut life = Self::new(policy);
        (life.doubt, life.was_silent, life.resumed) = (Doubt::Silent, true, true);
        (life.key_since, life.sent_at) = (Some(key_since), Some(sent_at));
        let message = "the run that sent it ended before an answer came".to_owned();
        life.last = Some(Complaint { code: ComplaintCode::NoAnswer, message });
        life
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    pub(super) fn key_since(&self) -> Option<Moment> {
        self.key_since
    }

    /// True where leaving now leaves a request whose effect is unknown.
    pub(super) fn in_doubt(&self) -> bool {
        self.doubt != Doubt::None
    }

    pub(super) fn last_complaint(&self) -> Complaint {
        let unknown = || Complaint { code: ComplaintCode::GaveUp, message: "no answer yet".to_owned() };
        self.last.clone().unwrap_or_else(unknown)
    }

    pub(super) fn first_step(&self, now: Moment) -> Step {
        match self.sent_at {
            Some(_) => self.resolve_silence(now),
            None => Step::Send { key: KeyChoice::Same, after: Pause::None },
        }
    }

    /// A wait may have outlived the key. Asked at the last moment before a send.
    pub(super) fn last_check(&self, key: KeyChoice, now: Moment) -> Option<Step> {
        let outlived = key == KeyChoice::Same && self.was_silent && self.key_is_old(now);
        outlived.then_some(Step::LookUp { after: Pause::None })
    }

    fn key_is_old(&self, now: Moment) -> bool {
        self.key_since.is_some_and(|since| !self.policy.key_is_fresh(since, now, Duration::ZERO))
    }

    /// The next request is about to be intended.
    pub(super) fn sends(&mut self, key: KeyChoice, now: Moment) {
        if key == KeyChoice::New || self.key_since.is_none() {
            self.key_since = Some(now);
        }
        self.sent_at = Some(now);
    }

    /// The intent is synced: from now on the request can have an effect.
    pub(super) fn leaves(&mut self, now: Moment) {
        self.sent_at = Some(now);
    }

    /// What came of a request. `counted` is false for probes of an open breaker; `lookups` says whether look-ups are to be had.
    pub(super) fn answered(
        &mut self,
        result: AttemptResult,
        http_status: Option<u16>,
        counted: bool,
        lookups: bool,
        now: Moment,
    ) -> Step {
        self.http_status = http_status.or(self.http_status);
        if counted && costs_an_attempt(&result) {
            self.attempts += 1;
        }
        self.failures += 1;
        self.unintelligible = if means_nothing(&result) { self.unintelligible + 1 } else { 0 };
        match result {
            AttemptResult::Created { receipt, other_email } => {
                let warnings = other_email.map(Warning::AnswerOtherEmail).into_iter().collect();
                self.finish(Ending::Created(receipt), warnings)
            }
            AttemptResult::EmailExists(complaint) => self.ask_who(complaint, lookups),
            AttemptResult::Rejected(complaint) => self.finish(Ending::Rejected(complaint), Vec::new()),
            AttemptResult::NotSent { .. } | AttemptResult::Throttled { .. } => self.again(Duration::ZERO),
            AttemptResult::Unavailable { retry_after, complaint } => {
                self.last = Some(complaint);
                self.doubt_slightly();
                self.again_unless_exhausted(retry_after.unwrap_or_default(), lookups, now)
            }
            AttemptResult::Forbidden(complaint) => {
                self.last = Some(complaint);
                self.again_unless_exhausted(Duration::ZERO, lookups, now)
            }
            AttemptResult::Unanswered { complaint, .. } | AttemptResult::InProgress(complaint) => {
                self.falls_silent(complaint, lookups, now)
            }
            AttemptResult::ServerError(complaint) => self.server_failed(complaint, lookups, now),
            AttemptResult::KeyExpired => self.key_expired(lookups),
            AttemptResult::Unauthorized => Step::RenewToken,
            AttemptResult::Stop(reason) => {
                self.doubt_a_stop(http_status);
                Step::Stop(reason)
            }
        }
    }

    /// What a look-up brought.
    pub(super) fn looked_up(&mut self, seen: Seen, now: Moment) -> Step {
        match (self.question, seen) {
            (Question::WhoIsIt, Seen::Nothing) => self.exists_unseen(),
            (Question::DidItWork, Seen::Nothing) => self.undecidable(now),
            (question, Seen::Customers(customers)) => match <[_; 1]>::try_from(customers) {
                Ok([(customer, ours)]) => self.found(customer.receipt, ours),
                Err(several) if several.len() > 1 => self.found_several(several),
                Err(_) if question == Question::WhoIsIt => self.exists_unseen(),
                Err(_) => self.absent(now),
            },
        }
    }

    /// The life ends from outside, by an interrupt or a stop of the run. `None`: nothing is known of the record that was not known before.
    pub(super) fn abandon(&self) -> Option<Finish> {
        let ending = if self.question == Question::WhoIsIt {
            Ending::Exists(Receipt::default())
        } else if self.in_doubt() {
            Ending::InDoubt(self.last_complaint())
        } else if self.attempts > 0 || self.resumed {
            Ending::Failed(self.last_complaint())
        } else {
            return None;
        };
        let unproven = self.question == Question::WhoIsIt && self.in_doubt();
        let warnings = if unproven { vec![Warning::ProbablyOurs] } else { Vec::new() };
        Some(Finish { ending, warnings, recovered: false })
    }

    fn finish(&self, ending: Ending, warnings: Vec<Warning>) -> Step {
        let open = matches!(self.doubt, Doubt::Answered | Doubt::Silent);
        let recovered = open && !matches!(ending, Ending::InDoubt(_));
        Step::Finish(Finish { ending, warnings, recovered })
    }

    fn again(&self, at_least: Duration) -> Step {
        Step::Send { key: KeyChoice::Same, after: self.backoff(at_least) }
    }

    fn backoff(&self, at_least: Duration) -> Pause {
        Pause::Backoff { failures: self.failures, at_least }
    }

    fn exhausted(&self) -> bool {
        self.attempts >= self.policy.max_attempts.get()
    }

    fn again_unless_exhausted(&mut self, at_least: Duration, lookups: bool, now: Moment) -> Step {
        match (self.exhausted(), self.in_doubt()) {
            (false, _) => self.again(at_least),
            (true, false) => self.give_up(),
            (true, true) if lookups => self.ask(Question::DidItWork, self.backoff(Duration::ZERO)),
            (true, true) => self.undecidable(now),
        }
    }

    fn falls_silent(&mut self, complaint: Complaint, lookups: bool, now: Moment) -> Step {
        (self.doubt, self.was_silent) = (Doubt::Silent, true);
        self.absent_since = None;
        self.last = Some(complaint);
        match (self.exhausted(), lookups) {
            (false, true) if self.unintelligible >= MEANINGLESS => {
                self.ask(Question::DidItWork, Pause::For(self.until_settled(now)))
            }
            (false, _) => self.resolve_silence(now),
            (true, true) => self.ask(Question::DidItWork, Pause::For(self.until_settled(now))),
            (true, false) => self.undecidable(now),
        }
    }

    /// The same key again while the server knows it, a look-up otherwise; neither before the settle time is over.
    fn resolve_silence(&self, now: Moment) -> Step {
        let wait = self.until_settled(now);
        let after = Pause::For(wait);
        match self.key_since {
            Some(since) if self.policy.key_is_fresh(since, now, wait) => Step::Send { key: KeyChoice::Same, after },
            _ => Step::LookUp { after },
        }
    }

    fn until_settled(&self, now: Moment) -> Duration {
        self.policy.settles_in(self.sent_at.unwrap_or(now), now)
    }

    fn server_failed(&mut self, complaint: Complaint, lookups: bool, now: Moment) -> Step {
        self.doubt = Doubt::Answered;
        self.last = Some(complaint);
        if lookups { self.ask(Question::DidItWork, self.backoff(Duration::ZERO)) } else { self.undecidable(now) }
    }

    fn key_expired(&mut self, lookups: bool) -> Step {
        let message = "the server no longer knows the idempotency key".to_owned();
        match (self.in_doubt(), lookups) {
            (false, false) => self.with_new_key(),
            (true, false) => {
                let complaint = Complaint { code: ComplaintCode::NoAnswer, message };
                self.finish(Ending::InDoubt(complaint), Vec::new())
            }
            (_, true) => {
                self.last.get_or_insert(Complaint { code: ComplaintCode::NoAnswer, message });
                // A look-up that is not to be had after all must not send this key again.
                self.replayed = true;
                self.ask(Question::DidItWork, Pause::None)
            }
        }
    }

    fn ask_who(&mut self, complaint: Complaint, lookups: bool) -> Step {
        self.last = Some(complaint);
        if lookups { self.ask(Question::WhoIsIt, Pause::None) } else { self.exists_unseen() }
    }

    fn ask(&mut self, question: Question, after: Pause) -> Step {
        self.question = question;
        Step::LookUp { after }
    }

    fn found(&self, receipt: Receipt, ours: bool) -> Step {
        if self.in_doubt() && ours {
            self.finish(Ending::Created(receipt), vec![Warning::RecoveredByLookup])
        } else {
            self.finish(Ending::Exists(receipt), Vec::new())
        }
    }

    /// The server has the e-mail more than once. If one of our requests may be behind it, a person must look.
    fn found_several(&self, customers: Vec<(FoundCustomer, bool)>) -> Step {
        let ids: Vec<_> =
            customers.iter().filter_map(|(customer, _)| customer.receipt.customer_id.as_deref()).collect();
        let message = format!("the API has {} customers with this e-mail: {}", customers.len(), ids.join(", "));
        match customers.into_iter().next() {
            Some((first, _)) if !self.in_doubt() => {
                self.finish(Ending::Exists(first.receipt), vec![Warning::SeveralFound(message)])
            }
            _ => self.finish(Ending::InDoubt(Complaint { code: ComplaintCode::EmailExists, message }), Vec::new()),
        }
    }

    fn absent(&mut self, now: Moment) -> Step {
        let seen_before = self.absent_since.is_some();
        let wait = self.policy.settles_in(*self.absent_since.get_or_insert(now), now);
        if self.was_silent && !(seen_before && wait.is_zero()) {
            return Step::LookUp { after: Pause::For(wait) };
        }
        (self.doubt, self.was_silent, self.absent_since, self.replayed) = (Doubt::None, false, None, false);
        if self.exhausted() { self.give_up() } else { self.with_new_key() }
    }

    fn with_new_key(&self) -> Step {
        Step::Send { key: KeyChoice::New, after: self.backoff(Duration::ZERO) }
    }

    /// A question that no look-up can answer.
    fn undecidable(&mut self, now: Moment) -> Step {
        let too_old = self.was_silent && self.key_is_old(now);
        match self.doubt {
            Doubt::None if self.exhausted() => self.give_up(),
            Doubt::None => self.with_new_key(),
            // The server answered and is done: the same key once more, then a new one, which its unique e-mail guards.
            Doubt::Slight | Doubt::Answered if !self.exhausted() && !too_old => {
                if std::mem::replace(&mut self.replayed, true) {
                    self.with_new_key()
                } else {
                    self.again(Duration::ZERO)
                }
            }
            Doubt::Slight | Doubt::Answered | Doubt::Silent => {
                self.finish(Ending::InDoubt(self.last_complaint()), Vec::new())
            }
        }
    }

    fn exists_unseen(&self) -> Step {
        let warnings = if self.in_doubt() { vec![Warning::ProbablyOurs] } else { Vec::new() };
        self.finish(Ending::Exists(Receipt::default()), warnings)
    }

    fn give_up(&self) -> Step {
        let Complaint { message, .. } = self.last_complaint();
        let message = format!("gave up after {} attempts; the last one: {message}", self.attempts);
        self.finish(Ending::Failed(Complaint { code: ComplaintCode::GaveUp, message }), Vec::new())
    }

    fn doubt_slightly(&mut self) {
        if self.doubt == Doubt::None {
            self.doubt = Doubt::Slight;
        }
    }

    /// A 302 or 303 may well follow a customer that was saved, and so may a 402; 307 and 308 say that nothing was done here.
    fn doubt_a_stop(&mut self, http_status: Option<u16>) {
        if let Some(status @ (300..=306 | 402)) = http_status {
            (self.doubt, self.was_silent) = (Doubt::Silent, true);
            let message = format!("the server answered {status}, which tells nothing of the customer");
            self.last = Some(Complaint { code: ComplaintCode::Unreadable, message });
        }
    }
}

fn means_nothing(result: &AttemptResult) -> bool {
    matches!(result, AttemptResult::Unanswered { cause: DoubtCause::Unintelligible, .. })
}

/// Attempts that surely changed nothing, and for which the record cannot be blamed, cost it nothing.
fn costs_an_attempt(result: &AttemptResult) -> bool {
    !matches!(
        result,
        AttemptResult::NotSent { .. }
            | AttemptResult::Throttled { .. }
            | AttemptResult::Unauthorized
            | AttemptResult::Stop(_)
    )
}

/// The health that the breaker sees.
pub(super) fn health(result: &AttemptResult) -> super::Health {
    use super::Health;
    match result {
        AttemptResult::NotSent { .. }
        | AttemptResult::Unavailable { .. }
        | AttemptResult::Unanswered { cause: DoubtCause::Gateway, .. } => Health::Failing,
        AttemptResult::Unanswered { cause: DoubtCause::Silence | DoubtCause::Unintelligible, .. } => Health::Unclear,
        AttemptResult::Created { .. }
        | AttemptResult::EmailExists(_)
        | AttemptResult::Rejected(_)
        | AttemptResult::ServerError(_)
        | AttemptResult::KeyExpired
        | AttemptResult::InProgress(_)
        | AttemptResult::Throttled { .. }
        | AttemptResult::Unauthorized
        | AttemptResult::Forbidden(_)
        | AttemptResult::Stop(_) => Health::Conclusive,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::{BootTime, EmailKey};

    const SETTLE: i64 = 90;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            max_attempts: NonZeroU32::new(5).unwrap(),
            settle: Duration::from_secs(90),
            key_validity: Duration::from_secs(45 * 60),
        }
    }

    fn at(seconds: i64) -> Moment {
        by_clocks(seconds, seconds)
    }

    /// Seconds by the wall clock, and by the boot clock.
    fn by_clocks(wall: i64, boot: i64) -> Moment {
        let uptime = Duration::from_secs(u64::try_from(1_000_000 + boot).unwrap());
        let wall = Timestamp::from_second(1_700_000_000 + wall).unwrap();
        Moment { wall, boot: Some(BootTime { boot: 1, uptime }) }
    }

    fn wait(seconds: i64) -> Pause {
        Pause::For(Duration::from_secs(seconds.unsigned_abs()))
    }

    fn words(code: ComplaintCode) -> Complaint {
        Complaint { code, message: "words".to_owned() }
    }

    fn silence() -> AttemptResult {
        AttemptResult::Unanswered { cause: DoubtCause::Silence, complaint: words(ComplaintCode::NoAnswer) }
    }

    fn failure() -> AttemptResult {
        AttemptResult::ServerError(words(ComplaintCode::ServerError))
    }

    fn taken() -> AttemptResult {
        AttemptResult::EmailExists(words(ComplaintCode::EmailExists))
    }

    fn receipt() -> Receipt {
        Receipt { customer_id: Some("c-1".to_owned()), ..Receipt::default() }
    }

    fn customer(ours: bool) -> Seen {
        Seen::Customers(vec![(
            FoundCustomer { email: EmailKey::of("a@example.com"), receipt: receipt(), name: None, phone: None },
            ours,
        )])
    }

    fn nobody() -> Seen {
        Seen::Customers(Vec::new())
    }

    /// A life that has sent its first request at second 0.
    fn sent() -> Life {
        let mut life = Life::new(policy());
        life.sends(KeyChoice::Same, at(0));
        life
    }

    fn answer(life: &mut Life, result: AttemptResult, lookups: bool, second: i64) -> Step {
        life.answered(result, None, true, lookups, at(second))
    }

    fn same_key_after(seconds: i64) -> Step {
        Step::Send { key: KeyChoice::Same, after: wait(seconds) }
    }

    fn is_new_key(step: &Step) -> bool {
        matches!(step, Step::Send { key: KeyChoice::New, .. })
    }

    fn ending(step: Step) -> Ending {
        match step {
            Step::Finish(finish) => finish.ending,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    #[test]
    fn silence_waits_for_the_settle_time_and_sends_the_same_key_again() {
        let mut life = sent();
        assert_eq!(answer(&mut life, silence(), true, 75), same_key_after(SETTLE - 75));
    }

    #[test]
    fn silence_with_an_old_key_looks_up_twice_before_a_new_key() {
        let mut life = Life::resumed(policy(), at(-3600), at(-3600));
        assert_eq!(life.first_step(at(0)), Step::LookUp { after: wait(0) });
        assert_eq!(life.looked_up(nobody(), at(0)), Step::LookUp { after: wait(SETTLE) });
        assert!(is_new_key(&life.looked_up(nobody(), at(SETTLE))));
        assert!(!life.in_doubt());
    }

    #[test]
    fn a_key_that_grew_old_while_waiting_is_not_sent() {
        let mut life = sent();
        answer(&mut life, silence(), true, 1);
        assert_eq!(life.last_check(KeyChoice::Same, at(90)), None);
        assert_eq!(life.last_check(KeyChoice::Same, at(45 * 60)), Some(Step::LookUp { after: Pause::None }));
    }

    #[test]
    fn two_answers_without_meaning_to_one_key_are_enough() {
        let meaningless = || AttemptResult::Unanswered {
            cause: DoubtCause::Unintelligible,
            complaint: words(ComplaintCode::Unreadable),
        };
        let mut life = sent();
        assert_eq!(answer(&mut life, meaningless(), true, 1), same_key_after(SETTLE - 1));
        assert_eq!(answer(&mut life, meaningless(), true, 2), Step::LookUp { after: wait(SETTLE - 2) });
    }

    #[test]
    fn a_send_from_the_future_is_waited_for_from_now() {
        let life = Life::resumed(policy(), at(500), at(500));
        assert_eq!(life.first_step(at(0)), Step::LookUp { after: wait(SETTLE) });
    }

    #[test]
    fn a_wall_clock_that_was_set_makes_the_key_old_and_the_wait_neither_shorter_nor_longer() {
        for wall in [-86_400, 86_400] {
            let mut life = sent();
            let step = life.answered(silence(), None, true, true, by_clocks(wall, 75));
            assert_eq!(step, Step::LookUp { after: wait(SETTLE - 75) }, "{wall}");
            let (first, second) = (by_clocks(wall, SETTLE), by_clocks(wall, 2 * SETTLE));
            assert_eq!(life.looked_up(nobody(), first), Step::LookUp { after: wait(SETTLE) }, "{wall}");
            assert!(is_new_key(&life.looked_up(nobody(), second)), "{wall}");
        }
    }

    #[test]
    fn a_machine_that_slept_has_waited_and_its_keys_have_aged() {
        let mut life = sent();
        assert_eq!(answer(&mut life, silence(), true, 600), same_key_after(0));
        let mut life = sent();
        assert_eq!(answer(&mut life, silence(), true, 2 * 3600), Step::LookUp { after: wait(0) });
    }

    #[test]
    fn an_answered_failure_looks_up_once_and_renews_the_key() {
        let mut life = sent();
        let step = answer(&mut life, failure(), true, 1);
        assert!(matches!(step, Step::LookUp { after: Pause::Backoff { .. } }));
        assert!(is_new_key(&life.looked_up(nobody(), at(2))));
    }

    #[test]
    fn an_answered_failure_that_had_saved_is_created() {
        let mut life = sent();
        answer(&mut life, failure(), true, 1);
        let Step::Finish(finish) = life.looked_up(customer(true), at(2)) else { panic!("not finished") };
        assert_eq!(finish.ending, Ending::Created(receipt()));
        assert_eq!(finish.warnings, [Warning::RecoveredByLookup]);
        assert!(finish.recovered);
    }

    #[test]
    fn an_answered_failure_without_look_ups_tries_the_same_key_once_then_a_new_one() {
        let mut life = sent();
        assert!(matches!(answer(&mut life, failure(), false, 1), Step::Send { key: KeyChoice::Same, .. }));
        assert!(is_new_key(&answer(&mut life, failure(), false, 2)));
    }

    #[test]
    fn an_unrecoverable_failure_without_look_ups_ends_in_doubt() {
        let mut life = sent();
        for second in 1..5 {
            assert!(matches!(answer(&mut life, failure(), false, second), Step::Send { .. }));
        }
        assert!(matches!(ending(answer(&mut life, failure(), false, 5)), Ending::InDoubt(_)));
    }

    #[test]
    fn an_email_that_the_api_has_is_looked_up_for_its_id() {
        let mut life = sent();
        assert_eq!(answer(&mut life, taken(), true, 1), Step::LookUp { after: Pause::None });
        assert_eq!(ending(life.looked_up(customer(true), at(1))), Ending::Exists(receipt()), "none of ours was open");
    }

    #[test]
    fn an_email_that_the_api_has_after_our_silence_is_ours_when_name_and_phone_agree() {
        for (ours, expected) in [(true, Ending::Created(receipt())), (false, Ending::Exists(receipt()))] {
            let mut life = sent();
            answer(&mut life, silence(), true, 1);
            life.sends(KeyChoice::Same, at(SETTLE));
            answer(&mut life, taken(), true, SETTLE);
            assert_eq!(ending(life.looked_up(customer(ours), at(SETTLE))), expected);
        }
    }

    #[test]
    fn an_email_that_the_api_has_exists_even_when_nobody_can_look() {
        for lookups in [true, false] {
            let mut life = sent();
            answer(&mut life, silence(), lookups, 1);
            let mut step = answer(&mut life, taken(), lookups, 2);
            if lookups {
                step = life.looked_up(Seen::Nothing, at(2));
            }
            let Step::Finish(finish) = step else { panic!("not finished") };
            assert_eq!(finish.ending, Ending::Exists(Receipt::default()));
            assert_eq!(finish.warnings, [Warning::ProbablyOurs]);
        }
    }

    #[test]
    fn several_customers_after_a_doubt_of_ours_need_a_person() {
        let mut life = sent();
        answer(&mut life, failure(), true, 1);
        let Seen::Customers(one) = customer(true) else { unreachable!() };
        let two = Seen::Customers(one.iter().cloned().chain(one.iter().cloned()).collect());
        assert!(matches!(ending(life.looked_up(two, at(2))), Ending::InDoubt(_)));
    }

    #[test]
    fn an_old_key_and_no_look_up_is_in_doubt() {
        let mut life = Life::resumed(policy(), at(-3600), at(-3600));
        life.first_step(at(0));
        assert!(matches!(ending(life.looked_up(Seen::Nothing, at(0))), Ending::InDoubt(_)));
    }

    #[test]
    fn an_expired_key_looks_up_and_then_renews() {
        let mut life = sent();
        answer(&mut life, failure(), true, 1);
        assert_eq!(answer(&mut life, AttemptResult::KeyExpired, true, 2), Step::LookUp { after: Pause::None });
        assert!(is_new_key(&life.looked_up(nobody(), at(2))));
    }

    #[test]
    fn an_expired_key_after_silence_without_look_ups_is_in_doubt() {
        let mut life = sent();
        answer(&mut life, silence(), false, 1);
        assert!(matches!(ending(answer(&mut life, AttemptResult::KeyExpired, false, 91)), Ending::InDoubt(_)));
    }

    fn unavailable() -> AttemptResult {
        AttemptResult::Unavailable { retry_after: None, complaint: words(ComplaintCode::ServerError) }
    }

    #[test]
    fn a_server_that_was_never_available_fails_only_where_a_look_up_proves_it() {
        for lookups in [true, false] {
            let mut life = sent();
            for second in 1..5 {
                let step = answer(&mut life, unavailable(), lookups, second);
                assert!(matches!(step, Step::Send { key: KeyChoice::Same, .. }));
            }
            let mut step = answer(&mut life, unavailable(), lookups, 5);
            if lookups {
                assert!(matches!(step, Step::LookUp { .. }));
                step = life.looked_up(nobody(), at(6));
            }
            let expected = if lookups { Ending::Failed as fn(_) -> _ } else { Ending::InDoubt };
            let (found, wanted) = (ending(step).status(), expected(words(ComplaintCode::GaveUp)).status());
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn an_email_taken_after_a_503_is_compared_with_ours() {
        let mut life = sent();
        answer(&mut life, unavailable(), true, 1);
        answer(&mut life, taken(), true, 2);
        assert_eq!(ending(life.looked_up(customer(true), at(2))), Ending::Created(receipt()));
    }

    #[test]
    fn silence_then_a_failure_then_an_old_key_ends_instead_of_going_round() {
        let mut life = sent();
        answer(&mut life, silence(), true, 1);
        answer(&mut life, failure(), true, 100);
        let step = life.last_check(KeyChoice::Same, at(3600));
        assert_eq!(step, Some(Step::LookUp { after: Pause::None }));
        assert!(matches!(ending(life.looked_up(Seen::Nothing, at(3600))), Ending::InDoubt(_)));
        assert_eq!(life.last_check(KeyChoice::New, at(3600)), None, "a new key is young");
    }

    #[test]
    fn a_life_that_is_cut_short_tells_what_is_known() {
        let mut life = sent();
        assert_eq!(life.abandon(), None);
        answer(&mut life, taken(), true, 1);
        assert!(matches!(life.abandon(), Some(Finish { ending: Ending::Exists(_), .. })));
        let mut life = Life::resumed(policy(), at(-3600), at(-3600));
        assert!(matches!(life.abandon(), Some(Finish { ending: Ending::InDoubt(_), .. })));
        life.looked_up(nobody(), at(0));
        life.looked_up(nobody(), at(SETTLE));
        assert!(matches!(life.abandon(), Some(Finish { ending: Ending::Failed(_), .. })), "proven absent");
    }

    #[test]
    fn the_last_silence_is_looked_up_and_absence_seen_twice_is_a_failure() {
        let mut life = sent();
        for second in 1..5 {
            answer(&mut life, silence(), true, second);
        }
        assert_eq!(answer(&mut life, silence(), true, 5), Step::LookUp { after: wait(SETTLE - 5) });
        life.looked_up(nobody(), at(100));
        assert!(matches!(ending(life.looked_up(nobody(), at(100 + SETTLE))), Ending::Failed(_)));
    }

    #[test]
    fn the_last_silence_without_look_ups_is_in_doubt() {
        let mut life = sent();
        for second in 1..5 {
            answer(&mut life, silence(), false, second);
        }
        assert!(matches!(ending(answer(&mut life, silence(), false, 5)), Ending::InDoubt(_)));
    }

    #[test]
    fn neither_throttling_nor_refused_connections_nor_probes_cost_an_attempt() {
        let mut life = sent();
        answer(&mut life, AttemptResult::Throttled { pause: Duration::from_secs(60) }, true, 1);
        answer(&mut life, AttemptResult::NotSent { cause: "refused".to_owned() }, true, 1);
        answer(&mut life, AttemptResult::Unauthorized, true, 1);
        life.answered(silence(), None, false, true, at(1));
        assert_eq!(life.attempts(), 0);
        answer(&mut life, silence(), true, 1);
        assert_eq!(life.attempts(), 1);
    }

    #[test]
    fn a_redirect_that_may_follow_a_save_leaves_doubt_and_one_that_cannot_leaves_none() {
        for (status, doubt) in [(302, true), (303, true), (402, true), (307, false), (308, false), (404, false)] {
            let mut life = sent();
            let stop = AttemptResult::Stop(StopReason::Configuration("elsewhere".to_owned()));
            life.answered(stop, Some(status), true, true, at(1));
            assert_eq!(life.in_doubt(), doubt, "{status}");
        }
    }
}
