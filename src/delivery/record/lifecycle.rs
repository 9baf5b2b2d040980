//! One record's life between claim and outcome, as a pure state machine: what came back goes in,
//! what to do next comes out.
//!
//! # The rules
//! - A request that surely did nothing is sent again with the same key.
//! - After *silence* (no answer that can be believed) nothing is sent before the settle time is
//!   over. Then, while the server still knows the key, the same key and bytes go again: that brings
//!   the stored answer, or does the work for the first time. With an older key a look-up comes
//!   first. A key that brought two answers without meaning will bring a third, since the server
//!   replays what it stored: then a look-up comes first too.
//! - After an *answered failure* the server is done, so a look-up decides, a little later, because
//!   replicas lag. If none can be had, the same key goes once more, because that may replay a
//!   success. Another failure leaves doubt, unless the user trusts the server's unique e-mail to
//!   guard a new key.
//! - A refusal says nothing about an earlier request whose effect is unknown. It is *kept* while a
//!   look-up finds out: if the customer is there, that is the outcome; if it is absent, the refusal
//!   stands.
//! - A refusal about the e-mail may mean that the API has the customer, in any words: a look-up
//!   decides.
//! - Absence that ends a doubt of ours must be seen twice, a settle time apart: a replica may lag,
//!   and a request may still be at work.
//! - A new key is made only where absence is proven, or on the user's trust in the unique e-mail.
//!   In the second case the doubt stays.
//! - A customer that a look-up finds is `created` if it carries our name and phone, one of our
//!   requests was in doubt, and it is not older than the first of them; any other is `exists`.
//! - Giving up is reported truthfully: `failed` and `rejected` only if surely nothing was created,
//!   `in_doubt` otherwise.

use std::time::Duration;

use super::retry::RetryPolicy;
use crate::domain::{
    AttemptResult, Complaint, ComplaintCode, EmailWords, Ending, FoundCustomer, Moment, Receipt, RefusalScope,
    StopReason, Warning, shorten,
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
    /// The next generation: what was sent before is proven to have had no effect, or the user
    /// trusts the unique e-mail.
    New,
}

/// How long to wait before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    Backoff { failures: u32, at_least: Duration },
    For(Duration),
}

/// The end of the life.
#[derive(Debug, PartialEq)]
pub(crate) struct Finish {
    pub ending: Ending,
    pub warnings: Vec<Warning>,
    /// A doubt of ours ended with proof.
    pub recovered: bool,
    /// A refusal that may be meant for every record: it is an outcome only after another record's
    /// answer shows that it is not.
    pub pending: Option<Proof>,
}

/// What shows that a refusal was meant for one record alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Another record's data was looked at.
    OrdinaryAnswer,
    /// Another record was taken: data may be judged before rights are.
    Success,
}

/// What a look-up brought, as far as this record is concerned.
#[derive(Debug, PartialEq)]
pub(crate) enum LookupFinding {
    /// The customers with exactly this e-mail; none means absent.
    Exactly(Vec<Sighting>),
    /// None with exactly this e-mail, and one that a server may call equal.
    Lookalike(Box<FoundCustomer>),
    /// No look-up can be had.
    Nothing,
}

/// A customer with exactly this e-mail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sighting {
    pub customer: FoundCustomer,
    /// It carries our name and phone.
    pub is_ours: bool,
}

/// Whether one of our requests may have created the customer, and what the last of them left us
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// A new key is in use because the user trusts the unique e-mail; an older request may have
    /// created the customer.
    Trusted,
    /// The server answered that it failed; it is done.
    Answered,
    /// No answer that can be believed; the server may still be at it.
    Silent,
}

/// A refusal that waits for a look-up: it stands if the customer is absent.
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

#[derive(Debug)]
pub(crate) struct Lifecycle {
    policy: RetryPolicy,
    /// Counted attempts of this run.
    attempts: u32,
    /// Failures of any kind in a row, for the backoff.
    failures: u32,
    doubt: Doubt,
    /// Some request since the last proof went unanswered, whatever was answered later.
    was_silent: bool,
    /// There was a doubt at some time in this life.
    ever_doubted: bool,
    /// When the first request of this life left, or that of an earlier run which it resumes.
    first_sent: Option<Moment>,
    key_since: Option<Moment>,
    sent_at: Option<Moment>,
    /// The server no longer knows the current key.
    key_is_dead: bool,
    kept: Option<Kept>,
    /// The look-up that is due must see the customer absent twice.
    must_see_twice: bool,
    /// The current key was asked once more after an answered failure, for want of a look-up.
    replayed: bool,
    /// When a first look-up did not find the customer.
    absent_since: Option<Moment>,
    /// Absence was proven in this life: who is there later came by a request of ours.
    was_absent: bool,
    /// Answers in a row that came whole and meant nothing.
    unintelligible: u32,
    last: Option<Complaint>,
    http_status: Option<u16>,
}

/// So many answers without meaning to one key are enough.
const MEANINGLESS: u32 = 2;

/// How long replicas of the server may lag behind an answered failure.
const REPLICA_LAG: Duration = Duration::from_secs(5);

/// By so much a customer may seem older than our request and still be its work: `created_at` and
/// `Date` are whole seconds each, and the database's clock and the web server's differ a little.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// The longest e-mail or id of another customer in a message, in characters.
const TOLD: usize = 254;

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

    /// The life of a record whose request of an earlier run has no known effect.
    pub(crate) fn resumed(policy: RetryPolicy, key_since: Moment, sent_at: Moment) -> Self {
        let mut life = Self::new(policy);
        (life.doubt, life.was_silent, life.ever_doubted, life.must_see_twice) = (Doubt::Silent, true, true, true);
        (life.first_sent, life.key_since, life.sent_at) = (Some(key_since), Some(key_since), Some(sent_at));
        let message = "the run that sent it ended before an answer came".to_owned();
        life.last = Some(Complaint { code: ComplaintCode::NoAnswer, message });
        life
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

    /// True if leaving now leaves a request whose effect is unknown.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt != Doubt::None
    }

    pub(crate) fn last_complaint(&self) -> Complaint {
        let unknown = || Complaint { code: ComplaintCode::GaveUp, message: "no answer yet".to_owned() };
        self.last.clone().unwrap_or_else(unknown)
    }

    /// How long to wait between two look-ups of which the first brought no answer.
    pub(crate) fn between_lookups(&self) -> Pause {
        Pause::For(self.policy.settle)
    }

    pub(crate) fn first_step(&self, now: Moment) -> Step {
        match self.sent_at {
            Some(_) => self.resolve_silence(now),
            None => Step::Send { key: KeyChoice::Same, after: Pause::None },
        }
    }

    /// A wait may have outlived the key. Asked at the last moment before a send.
    pub(crate) fn last_check(&mut self, key: KeyChoice, now: Moment) -> Option<Step> {
        let outlived = key == KeyChoice::Same && self.in_doubt() && !self.key_is_young(now, Duration::ZERO);
        outlived.then(|| self.ask(Pause::None))
    }

    fn key_is_young(&self, now: Moment, wait: Duration) -> bool {
        !self.key_is_dead && self.key_since.is_some_and(|since| self.policy.key_is_fresh(since, now, wait))
    }

    /// The next request is about to be intended.
    pub(crate) fn sends(&mut self, key: KeyChoice, now: Moment) {
        if key == KeyChoice::New || self.key_since.is_none() {
            (self.key_since, self.key_is_dead, self.replayed) = (Some(now), false, false);
        }
        self.first_sent.get_or_insert(now);
        self.sent_at = Some(now);
    }

    /// The intent is synced: from now on the request can have an effect.
    pub(crate) fn leaves(&mut self, now: Moment) {
        self.sent_at = Some(now);
    }

    /// What came of a request. `counted` is false for probes of an open breaker; `lookups` says
    /// whether look-ups can be had.
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

    /// What a look-up brought.
    pub(crate) fn looked_up(&mut self, seen: LookupFinding, now: Moment) -> Step {
        match seen {
            LookupFinding::Nothing => self.undecidable(now),
            LookupFinding::Lookalike(customer) => match (&self.kept, self.in_doubt()) {
                // The API says that it has this e-mail, and this is what it means by that.
                (Some(Kept::Email(..)), false) => {
                    let warning = Warning::OtherSpelling(shorten(customer.email.as_str(), TOLD));
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

    /// The life ends from outside, by an interrupt or a stop of the run. `None`: nothing came of it
    /// that is worth telling.
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

    /// The words that tell best why a record ends in doubt: those of a refusal that could not be
    /// believed, else of the last answer.
    fn words(&self) -> Complaint {
        self.kept.as_ref().map_or_else(|| self.last_complaint(), |kept| kept.complaint().clone())
    }

    fn doubts(&mut self, doubt: Doubt, complaint: Complaint) {
        (self.doubt, self.ever_doubted, self.must_see_twice) = (doubt, true, true);
        (self.absent_since, self.kept) = (None, None);
        self.hear(complaint);
    }

    /// A refusal. Unless it is about the data, and nothing of ours is in doubt, it needs a look-up.
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

    /// The refusal is the outcome.
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

    /// The same key again while the server knows it, a look-up otherwise; neither before the settle
    /// time is over.
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

    /// Looks the customer up, to learn whether a request of ours created it.
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
        // What made the very first request fail may have been the customer.
        let only_failures = matches!(self.doubt, Doubt::Answered | Doubt::Trusted) && !self.was_silent;
        let may_be_the_reason = only_failures && !self.was_absent && age.is_none();
        match (self.in_doubt() && is_ours && !is_older, may_be_the_reason) {
            (true, false) => self.finish(Ending::Created(receipt), vec![Warning::RecoveredByLookup]),
            (true, true) => self.finish(Ending::Exists(receipt), vec![Warning::PerhapsOurs]),
            (false, _) => self.finish(Ending::Exists(receipt), Vec::new()),
        }
    }

    /// The server has the e-mail more than once. If one of our requests may be behind it, a person
    /// must look.
    fn found_several(&self, several: Vec<Sighting>) -> Step {
        let ids = several.iter().filter_map(|seen| seen.customer.receipt.customer_id.as_deref());
        let ids: Vec<_> = ids.map(|id| shorten(id, TOLD)).collect();
        // A look-up ends at the second one.
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

    /// A question that no look-up can answer.
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

    /// After an answered failure without a look-up: the same key once, because that may replay a
    /// success. After silence that was done already.
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
        let message = format!("gave up after {} attempts; the last one: {message}", self.attempts);
        self.finish(Ending::Failed(Complaint { code: ComplaintCode::GaveUp, message }), Vec::new())
    }

    /// A redirect of the kinds 300 to 306 may well follow a customer that was saved; 307 and 308
    /// say that nothing was done here.
    fn doubt_a_stop(&mut self, http_status: Option<u16>, reason: &StopReason) {
        if let Some(status @ 300..=306) = http_status {
            let message = format!("the server answered {status}, which tells nothing of the customer");
            self.doubts(Doubt::Silent, Complaint { code: ComplaintCode::Unreadable, message });
            self.was_silent = true;
        } else {
            self.hear(Complaint { code: ComplaintCode::Refused, message: reason.to_string() });
        }
    }
}

/// The API says that it has the e-mail, and does not list the customer.
fn not_listed(complaint: Complaint) -> Complaint {
    const WHY: &str =
        "the API says that it has this e-mail, but its list does not: deleted there, or another account's";
    Complaint { message: format!("{WHY} ({})", complaint.message), ..complaint }
}

#[cfg(test)]
mod tests;
