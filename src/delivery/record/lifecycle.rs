//! The lifecycle of one record between claim and outcome, as a pure state machine: results go in,
//! the next step comes out.
//!
//! # The rules
//! - If a request surely had no effect, it is sent again with the same key.
//! - After *silence* (no response that can be trusted) nothing is sent before the settle time is
//!   over. Then, while the server still knows the key, the same key and body are sent again: that
//!   returns the stored response, or does the work for the first time. If the key is older, a
//!   look-up comes first. If a key got two meaningless responses, a look-up also comes first,
//!   because the server replays what it stored and would send a third.
//! - After an *answered failure* the server is done, so a look-up decides, a little later because
//!   replicas lag. If look-ups are not available, the same key is sent once more, because that may
//!   replay a success. Another failure leaves doubt, unless the user trusts the server's unique
//!   e-mail to guard a new key.
//! - A rejection says nothing about an earlier request whose effect is unknown. It is *kept* until
//!   a look-up decides: if the customer exists, that is the outcome; if it is absent, the rejection
//!   stands.
//! - A rejection of the e-mail may mean that the API already has the customer, whatever its message
//!   is; a look-up decides.
//! - Absence ends a doubt only if it is seen twice, a settle time apart, because a replica may lag
//!   and a request may still be in progress.
//! - A new key is used only if absence is proven, or if the user trusts the unique e-mail. In the
//!   second case the doubt stays.
//! - A customer that a look-up finds is `created` if it has our name and phone number, one of our
//!   requests was in doubt, and it is not older than the first of them. Otherwise it is `exists`.
//! - After giving up, a record is `failed` or `rejected` only if surely nothing was created, and
//!   `in_doubt` otherwise.

use std::time::Duration;

use super::retry::RetryPolicy;
use crate::domain::{
    AttemptResult, Complaint, ComplaintCode, EmailWords, Ending, FoundCustomer, Moment, Receipt, RefusalScope,
    StopReason, Warning, counted, shorten,
};

/// What to do next with the record.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Send { key: KeyChoice, after: Pause },
    LookUp { after: Pause },
    RenewToken,
    Finish(Finish),
    Stop(StopReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChoice {
    Same,
    /// The key of the next generation: earlier requests are proven to have had no effect, or the
    /// user trusts the unique e-mail.
    New,
}

/// How long to wait before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    Backoff { failures: u32, at_least: Duration },
    For(Duration),
}

/// The end of the lifecycle.
#[derive(Debug, PartialEq)]
pub(crate) struct Finish {
    pub ending: Ending,
    pub warnings: Vec<Warning>,
    /// A doubt ended with proof.
    pub recovered: bool,
    /// What must be shown first, if this rejection may apply to every record: it is an outcome only
    /// after another record's response shows otherwise.
    pub pending: Option<Proof>,
}

/// What shows that a rejection applies to one record alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The API judged the data of another record.
    OrdinaryAnswer,
    /// The API accepted another record. Needed if data may be judged before permissions are.
    Success,
}

/// What a look-up found for this record.
#[derive(Debug, PartialEq)]
pub(crate) enum LookupFinding {
    /// The customers with exactly this e-mail; if there are none, it is absent.
    Exactly(Vec<Sighting>),
    /// No customer with exactly this e-mail, and one whose e-mail a server may treat as equal.
    Lookalike(Box<FoundCustomer>),
    /// Look-ups are not available.
    Nothing,
}

/// A customer with exactly this e-mail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sighting {
    pub customer: FoundCustomer,
    /// It has our name and phone number.
    pub is_ours: bool,
}

/// Whether one of our requests may have created the customer, and how the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// A new key is in use because the user trusts the unique e-mail. An older request may have
    /// created the customer.
    Trusted,
    /// The server responded that it failed; it is done.
    Answered,
    /// No response that can be trusted; the server may still be working on it.
    Silent,
}

/// A rejection that waits for a look-up. It stands if the customer is absent.
#[derive(Clone, Debug, PartialEq)]
enum Kept {
    /// About the data.
    Data(Complaint),
    /// About the e-mail.
    Email(EmailWords, Complaint),
    /// About the request as such.
    Request(RefusalScope, Complaint),
}

impl Kept {
    fn complaint(&self) -> &Complaint {
        let (Self::Data(complaint) | Self::Email(_, complaint) | Self::Request(_, complaint)) = self;
        complaint
    }
}

/// The state of a record's delivery.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    policy: RetryPolicy,
    /// Counted attempts of this run.
    attempts: u32,
    /// Failures of any kind in a row, for the backoff.
    failures: u32,
    doubt: Doubt,
    /// A request since the last proof got no response, whatever came later.
    was_silent: bool,
    /// There was a doubt at some time in this lifecycle.
    ever_doubted: bool,
    /// When the first request of this lifecycle was sent, or the one of an earlier run that it
    /// resumes.
    first_sent: Option<Moment>,
    key_since: Option<Moment>,
    sent_at: Option<Moment>,
    /// The server no longer knows the current key.
    key_is_dead: bool,
    kept: Option<Kept>,
    /// The next look-up must find the customer absent twice.
    must_see_twice: bool,
    /// The current key was sent once more after an answered failure, because look-ups are not
    /// available.
    replayed: bool,
    /// When the first look-up did not find the customer.
    absent_since: Option<Moment>,
    /// Absence was proven in this lifecycle, so a customer that exists later came from one of our
    /// requests.
    was_absent: bool,
    /// How many complete but meaningless responses came in a row.
    unintelligible: u32,
    last: Option<Complaint>,
    http_status: Option<u16>,
}

/// So many meaningless responses to one key are enough.
const MEANINGLESS: u32 = 2;

/// How long replicas of the server may lag behind an answered failure.
const REPLICA_LAG: Duration = Duration::from_secs(5);

/// How much older than our request a customer may seem and still come from it, because `created_at`
/// and `Date` are whole seconds each, and the clocks of database and web server differ a little.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// Longest e-mail or id of another customer in a message, in characters.
const LONGEST_SHOWN: usize = 254;

impl Lifecycle {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            attempts: 0,
            failures: 0,
            doubt: Doubt::None,
            was_silent: false,
            ever_doubted: false,
            first_sent: None,
            key_since: None,
            sent_at: None,
            key_is_dead: false,
            kept: None,
            must_see_twice: false,
            replayed: false,
            absent_since: None,
            was_absent: false,
            unintelligible: 0,
            last: None,
            http_status: None,
        }
    }

    /// Returns the lifecycle of a record whose request of an earlier run has an unknown effect.
    pub(crate) fn resumed(policy: RetryPolicy, key_since: Moment, sent_at: Moment) -> Self {
        let mut lifecycle = Self::new(policy);
        (lifecycle.doubt, lifecycle.was_silent, lifecycle.ever_doubted, lifecycle.must_see_twice) =
            (Doubt::Silent, true, true, true);
        (lifecycle.first_sent, lifecycle.key_since, lifecycle.sent_at) =
            (Some(key_since), Some(key_since), Some(sent_at));
        let message = "the run that sent it ended before an answer came".to_owned();
        lifecycle.last = Some(Complaint { code: ComplaintCode::NoAnswer, message });
        lifecycle
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    pub(crate) fn key_since(&self) -> Option<Moment> {
        self.key_since
    }

    /// Returns true if ending now would leave a request whose effect is unknown.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt != Doubt::None
    }

    /// Returns true if a request left the record in doubt at some time.
    pub(crate) fn was_ever_in_doubt(&self) -> bool {
        self.ever_doubted
    }

    pub(crate) fn last_complaint(&self) -> Complaint {
        let unknown = || Complaint { code: ComplaintCode::GaveUp, message: "no answer yet".to_owned() };
        self.last.clone().unwrap_or_else(unknown)
    }

    /// Returns how long to wait between two look-ups if the first one failed.
    pub(crate) fn between_lookups(&self) -> Pause {
        Pause::For(self.policy.settle)
    }

    pub(crate) fn first_step(&self, now: Moment) -> Step {
        match self.sent_at {
            Some(_) => self.resolve_silence(now),
            None => Step::Send { key: KeyChoice::Same, after: Pause::None },
        }
    }

    /// Checks right before a send whether the wait has outlived the key. Returns the step to take
    /// instead, or `None`.
    pub(crate) fn last_check(&mut self, key: KeyChoice, now: Moment) -> Option<Step> {
        let outlived = key == KeyChoice::Same && self.in_doubt() && !self.key_is_young(now, Duration::ZERO);
        outlived.then(|| self.ask(Pause::None))
    }

    fn key_is_young(&self, now: Moment, wait: Duration) -> bool {
        !self.key_is_dead && self.key_since.is_some_and(|since| self.policy.key_is_fresh(since, now, wait))
    }

    /// Records that the next request is about to be written as an intent.
    pub(crate) fn sends(&mut self, key: KeyChoice, now: Moment) {
        if key == KeyChoice::New || self.key_since.is_none() {
            (self.key_since, self.key_is_dead, self.replayed) = (Some(now), false, false);
        }
        self.first_sent.get_or_insert(now);
        self.sent_at = Some(now);
    }

    /// Records that the intent is synced: from now on the request can have an effect.
    pub(crate) fn leaves(&mut self, now: Moment) {
        self.sent_at = Some(now);
    }

    /// Takes the result of a request and returns the next step. `counted` is false for probes of an
    /// open breaker; `lookups` says whether look-ups are available.
    pub(crate) fn answered(
        &mut self,
        result: AttemptResult,
        http_status: Option<u16>,
        counted: bool,
        lookups: bool,
        now: Moment,
    ) -> Step {
        self.http_status = http_status.or(self.http_status);
        if counted && result.costs_an_attempt() {
            self.attempts += 1;
        }
        self.failures += 1;
        self.unintelligible = if result.is_unintelligible() { self.unintelligible + 1 } else { 0 };
        match result {
            AttemptResult::Created { receipt, other_email } => {
                let warnings = other_email.map(Warning::AnswerOtherEmail).into_iter().collect();
                self.finish(Ending::Created(receipt), warnings)
            }
            AttemptResult::Rejected(complaint) => self.refused(Kept::Data(complaint), lookups, now),
            AttemptResult::EmailRefused { complaint, words } => {
                self.refused(Kept::Email(words, complaint), lookups, now)
            }
            AttemptResult::Refused { complaint, refusal } if refusal.by_api && !self.in_doubt() => {
                self.stands(Kept::Request(refusal.scope, complaint))
            }
            AttemptResult::Refused { complaint, refusal } => {
                self.refused(Kept::Request(refusal.scope, complaint), lookups, now)
            }
            AttemptResult::NotSent { cause, .. } => {
                self.hear(Complaint { code: ComplaintCode::NoAnswer, message: cause });
                self.again()
            }
            AttemptResult::Throttled { .. } => self.again(),
            AttemptResult::Unanswered { complaint, .. } | AttemptResult::InProgress(complaint) => {
                self.falls_silent(complaint, lookups, now)
            }
            AttemptResult::ServerError(complaint) => self.server_failed(complaint, lookups, now),
            AttemptResult::KeyExpired => self.key_expired(lookups, now),
            AttemptResult::Unauthorized => Step::RenewToken,
            AttemptResult::Stop(reason) => {
                self.doubt_a_stop(http_status, &reason);
                Step::Stop(reason)
            }
        }
    }

    /// Takes the result of a look-up and returns the next step.
    pub(crate) fn looked_up(&mut self, seen: LookupFinding, now: Moment) -> Step {
        match seen {
            LookupFinding::Nothing => self.undecidable(now),
            LookupFinding::Lookalike(customer) => match (&self.kept, self.in_doubt()) {
                // The API says that it has this e-mail, and means this customer.
                (Some(Kept::Email(..)), false) => {
                    let warning = Warning::OtherSpelling(shorten(customer.email.as_str(), LONGEST_SHOWN));
                    self.finish(Ending::Exists(customer.receipt), vec![warning])
                }
                _ => self.absent(now),
            },
            LookupFinding::Exactly(customers) => match <[_; 1]>::try_from(customers) {
                Ok([sighting]) => self.found(sighting, now),
                Err(several) if several.is_empty() => self.absent(now),
                Err(several) => self.found_several(several),
            },
        }
    }

    /// Ends the lifecycle because of an interrupt or a stop of the run. Returns `None` if there is
    /// nothing to report.
    pub(crate) fn abandon(&self) -> Option<Finish> {
        let ending = if self.in_doubt() {
            Ending::InDoubt(self.words())
        } else {
            Ending::NotAttempted(self.kept.as_ref().map(Kept::complaint).or(self.last.as_ref())?.clone())
        };
        Some(Finish { ending, warnings: Vec::new(), recovered: false, pending: None })
    }

    fn finish(&self, ending: Ending, warnings: Vec<Warning>) -> Step {
        Step::Finish(self.end(ending, warnings))
    }

    fn end(&self, ending: Ending, mut warnings: Vec<Warning>) -> Finish {
        if let Ending::Created(receipt) | Ending::Exists(receipt) = &ending {
            warnings.extend(receipt.data.warning());
        }
        let recovered = self.ever_doubted && !matches!(ending, Ending::InDoubt(_));
        Finish { ending, warnings, recovered, pending: None }
    }

    fn again(&self) -> Step {
        Step::Send { key: KeyChoice::Same, after: self.backoff() }
    }

    fn backoff(&self) -> Pause {
        Pause::Backoff { failures: self.failures, at_least: Duration::ZERO }
    }

    fn exhausted(&self) -> bool {
        self.attempts >= self.policy.max_attempts.get()
    }

    fn hear(&mut self, complaint: Complaint) {
        self.last = Some(complaint);
    }

    /// Returns the message that best says why a record ends in doubt: of a rejection that could not
    /// be trusted, else of the last result.
    fn words(&self) -> Complaint {
        self.kept.as_ref().map_or_else(|| self.last_complaint(), |kept| kept.complaint().clone())
    }

    fn doubts(&mut self, doubt: Doubt, complaint: Complaint) {
        (self.doubt, self.ever_doubted, self.must_see_twice) = (doubt, true, true);
        (self.absent_since, self.kept) = (None, None);
        self.hear(complaint);
    }

    /// Takes a rejection. It needs a look-up unless it is about the data and none of our requests
    /// is in doubt.
    fn refused(&mut self, kept: Kept, lookups: bool, now: Moment) -> Step {
        self.hear(kept.complaint().clone());
        let wait = match &kept {
            Kept::Data(_) if !self.in_doubt() => return self.stands(kept),
            Kept::Email(EmailWords::Conflict, _) => self.until_settled(now),
            _ => Duration::ZERO,
        };
        self.must_see_twice = self.in_doubt() || matches!(kept, Kept::Email(EmailWords::Conflict, _));
        (self.kept, self.absent_since) = (Some(kept), None);
        if lookups { Step::LookUp { after: Pause::For(wait) } } else { self.undecidable(now) }
    }

    /// Makes the rejection the outcome.
    fn stands(&self, kept: Kept) -> Step {
        let pending = match &kept {
            Kept::Request(RefusalScope::Endpoint | RefusalScope::Firewall, _) => Some(Proof::OrdinaryAnswer),
            Kept::Request(RefusalScope::Account, _) => Some(Proof::Success),
            Kept::Request(RefusalScope::Record, _) | Kept::Data(_) | Kept::Email(..) => None,
        };
        let complaint = match kept {
            Kept::Data(complaint) | Kept::Request(_, complaint) => complaint,
            Kept::Email(EmailWords::Exists, complaint) => not_listed(complaint),
            Kept::Email(_, complaint) => complaint,
        };
        Step::Finish(Finish { pending, ..self.end(Ending::Rejected(complaint), Vec::new()) })
    }

    fn falls_silent(&mut self, complaint: Complaint, lookups: bool, now: Moment) -> Step {
        self.doubts(Doubt::Silent, complaint);
        self.was_silent = true;
        let settled = Pause::For(self.until_settled(now));
        match (self.exhausted(), lookups) {
            (false, true) if self.unintelligible >= MEANINGLESS => self.ask(settled),
            (false, _) => self.resolve_silence(now),
            (true, true) => self.ask(settled),
            (true, false) => self.in_doubt_for_good(),
        }
    }

    /// Returns the same key while the server knows it, and a look-up otherwise; neither before the
    /// settle time is over.
    fn resolve_silence(&self, now: Moment) -> Step {
        let wait = self.until_settled(now);
        let after = Pause::For(wait);
        if self.key_is_young(now, wait) { Step::Send { key: KeyChoice::Same, after } } else { Step::LookUp { after } }
    }

    fn until_settled(&self, now: Moment) -> Duration {
        self.policy.settles_in(self.sent_at.unwrap_or(now), now)
    }

    fn server_failed(&mut self, complaint: Complaint, lookups: bool, now: Moment) -> Step {
        self.doubts(Doubt::Answered, complaint);
        let at_least = REPLICA_LAG.min(self.policy.settle);
        if lookups { self.ask(Pause::Backoff { failures: self.failures, at_least }) } else { self.undecidable(now) }
    }

    fn key_expired(&mut self, lookups: bool, now: Moment) -> Step {
        let message = "the server no longer knows the idempotency key".to_owned();
        self.last.get_or_insert(Complaint { code: ComplaintCode::NoAnswer, message });
        self.key_is_dead = true;
        if lookups { self.ask(Pause::None) } else { self.undecidable(now) }
    }

    /// Looks up the customer, to learn whether one of our requests created it.
    fn ask(&mut self, after: Pause) -> Step {
        (self.kept, self.absent_since) = (None, None);
        let once_is_enough = self.policy.trust_unique_email && !self.was_silent && self.doubt == Doubt::Answered;
        self.must_see_twice = self.in_doubt() && !once_is_enough;
        Step::LookUp { after }
    }

    fn found(&self, sighting: Sighting, now: Moment) -> Step {
        let Sighting { customer, is_ours } = sighting;
        let FoundCustomer { receipt, age, .. } = customer;
        let since_first_send = self.first_sent.map(|sent| now.surely_since(sent)).unwrap_or_default();
        let is_older = age.is_some_and(|age| age > since_first_send + CLOCK_SLACK);
        // This customer may be why our first request failed.
        let only_failures = matches!(self.doubt, Doubt::Answered | Doubt::Trusted) && !self.was_silent;
        let may_be_the_reason = only_failures && !self.was_absent && age.is_none();
        match (self.in_doubt() && is_ours && !is_older, may_be_the_reason) {
            (true, false) => self.finish(Ending::Created(receipt), vec![Warning::RecoveredByLookup]),
            (true, true) => self.finish(Ending::Exists(receipt), vec![Warning::PerhapsOurs]),
            (false, _) => self.finish(Ending::Exists(receipt), Vec::new()),
        }
    }

    /// Ends a record whose e-mail the server has more than once. If one of our requests may be the
    /// reason, a person must look.
    fn found_several(&self, several: Vec<Sighting>) -> Step {
        let ids = several.iter().filter_map(|seen| seen.customer.receipt.customer_id.as_deref());
        let ids: Vec<_> = ids.map(|id| shorten(id, LONGEST_SHOWN)).collect();
        // There may be more, because a look-up ends at the second one.
        let message = format!("the API has at least {} customers with this e-mail: {}", several.len(), ids.join(", "));
        match several.into_iter().next() {
            Some(first) if !self.in_doubt() => {
                self.finish(Ending::Exists(first.customer.receipt), vec![Warning::SeveralFound(message)])
            }
            _ => self.finish(Ending::InDoubt(Complaint { code: ComplaintCode::EmailExists, message }), Vec::new()),
        }
    }

    fn absent(&mut self, now: Moment) -> Step {
        let seen_before = self.absent_since.is_some();
        let wait = self.policy.settles_in(*self.absent_since.get_or_insert(now), now);
        if self.must_see_twice && !(seen_before && wait.is_zero()) {
            return Step::LookUp { after: Pause::For(wait) };
        }
        (self.doubt, self.was_silent, self.absent_since, self.first_sent) = (Doubt::None, false, None, None);
        self.was_absent = true;
        match self.kept.take() {
            Some(kept) => self.stands(kept),
            None if self.exhausted() => self.give_up(),
            None => self.with_new_key(),
        }
    }

    fn with_new_key(&self) -> Step {
        Step::Send { key: KeyChoice::New, after: self.backoff() }
    }

    /// Decides without a look-up.
    fn undecidable(&mut self, now: Moment) -> Step {
        match (self.doubt, self.kept.take()) {
            (Doubt::None, Some(Kept::Email(EmailWords::Exists, _))) => {
                self.finish(Ending::Exists(Receipt::default()), vec![Warning::LookupUnavailable])
            }
            (Doubt::None, Some(kept)) => self.stands(kept),
            (Doubt::None, None) if self.exhausted() => self.give_up(),
            (Doubt::None, None) => self.with_new_key(),
            (_, kept @ Some(_)) => {
                self.kept = kept;
                self.in_doubt_for_good()
            }
            (_, None) if self.exhausted() => self.in_doubt_for_good(),
            (Doubt::Silent, None) if self.key_is_young(now, self.until_settled(now)) => self.resolve_silence(now),
            (Doubt::Silent, None) => self.in_doubt_for_good(),
            (Doubt::Trusted | Doubt::Answered, None) => self.after_a_failure(now),
        }
    }

    /// Decides after an answered failure without a look-up: sends the same key once, because that
    /// may replay a success. After silence that has already been done.
    fn after_a_failure(&mut self, now: Moment) -> Step {
        let asked_again = std::mem::replace(&mut self.replayed, true) || self.was_silent;
        if !asked_again && self.key_is_young(now, Duration::ZERO) {
            self.again()
        } else if self.policy.trust_unique_email {
            self.doubt = Doubt::Trusted;
            self.with_new_key()
        } else {
            self.in_doubt_for_good()
        }
    }

    fn in_doubt_for_good(&self) -> Step {
        self.finish(Ending::InDoubt(self.words()), Vec::new())
    }

    fn give_up(&self) -> Step {
        let Complaint { message, .. } = self.last_complaint();
        let message = format!("gave up after {}; the last one: {message}", counted(self.attempts.into(), "attempt"));
        self.finish(Ending::Failed(Complaint { code: ComplaintCode::GaveUp, message }), Vec::new())
    }

    /// Notes a stop. A redirect from 300 to 306 may follow a customer that was saved; 307 and 308
    /// mean that nothing was done.
    fn doubt_a_stop(&mut self, http_status: Option<u16>, reason: &StopReason) {
        if let Some(status @ 300..=306) = http_status {
            let message = format!("the server answered {status}, which does not say whether the customer was created");
            self.doubts(Doubt::Silent, Complaint { code: ComplaintCode::Unreadable, message });
            self.was_silent = true;
        } else {
            self.hear(Complaint { code: ComplaintCode::Refused, message: reason.to_string() });
        }
    }
}

/// Explains a rejection if the API says that it has the e-mail but does not list the customer.
fn not_listed(complaint: Complaint) -> Complaint {
    const WHY: &str = "the API says that it has this e-mail, but does not list it: \
                       the customer was deleted, or belongs to another account";
    Complaint { message: format!("{WHY} ({})", complaint.message), ..complaint }
}

#[cfg(test)]
mod tests;
