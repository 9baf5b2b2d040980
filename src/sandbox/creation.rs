//! `POST /customer`: saves a customer once or not at all, and responds truthfully or not.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    accounts::{Accounts, Customer},
    answers,
    call::Call,
    chance::roll,
    config::IdempotencyMode,
    exchange::{World, pass},
    faults::{Damage, DuplicateWords, Fault, Kind, Moment, Struck, Upset},
    form::{Form, Refusal},
    idempotency::Verdict,
    outcome::Outcome,
    record::{Author, Event},
    reply::{Ending, Reply},
    sync::lock_ignoring_poison,
};

impl World {
    /// Handles a create request, with the faults on its way in and out.
    pub(super) async fn create(&self, n: u64, call: &Call, body: &[u8]) -> Outcome {
        let struck = self.faults.of_post(call.email.as_deref().unwrap_or_default());
        let fault = struck.fault;
        let kind = fault.map(Fault::kind);
        if let (Some(fault), Some(Kind::Gateway(status, time))) = (fault, kind) {
            let reply = answers::gateway(status, roll(self.config.seed, &["gateway"], n));
            return Outcome::given_up(reply, time).struck_by(fault);
        }
        if let (Some(fault), Some(Kind::OnTheWay(Moment::Before, damage))) = (fault, kind) {
            return self.damaged(Outcome::refused(Reply::empty(200)), damage).struck_by(fault);
        }
        if let Some(Kind::Delay(Moment::Before, time)) = kind {
            pass(time).await;
        }
        let outcome = self.create_once(n, call, body, struck, Duration::ZERO).await;
        match (fault, kind) {
            (Some(fault), Some(Kind::OnTheWay(Moment::After, damage))) => {
                self.damaged(outcome, damage).struck_by(fault)
            }
            (Some(fault), Some(Kind::Delay(Moment::After, time))) => {
                pass(time).await;
                outcome.struck_by(fault)
            }
            (Some(fault), Some(Kind::Delay(Moment::Before, _))) => outcome.struck_by(fault),
            _ => outcome,
        }
    }

    /// Finishes the work on a request after a gateway gave up on it.
    pub(super) async fn work_on(&self, n: u64, call: &Call, time: Duration) {
        let Some(body) = &call.body else { return };
        let outcome = self.create_once(n, call, call.fields(body), Struck::default(), time).await;
        self.log.write(outcome.done(n));
    }

    /// Changes a response as the damage on its way back does.
    fn damaged(&self, mut outcome: Outcome, damage: Damage) -> Outcome {
        outcome.author = author(damage);
        match damage {
            Damage::Reset => outcome.ending = Ending::Reset,
            Damage::Stall => outcome.ending = Ending::Never,
            Damage::CutBody => outcome.ending = Ending::CutBody,
            Damage::CutHead => outcome.ending = Ending::CutHead,
            Damage::Status(status) => outcome.reply = self.config.dialect.status_fault(status),
            Damage::Html => outcome.reply = Reply::html(200, "Welcome"),
            Damage::Empty => outcome.reply = Reply::empty(200),
            Damage::Garbage => outcome.reply = outcome.reply.prefixed("7"),
            Damage::Redirect => outcome.reply = Reply::to_login(),
            Damage::ExpiredKey => outcome.reply = answers::key_expired(),
            Damage::Firewall => outcome.reply = Reply::html(403, "403 Forbidden"),
            Damage::ThrottleUnix(time) => outcome.reply = answers::throttled_until(time),
            Damage::ThrottleMillis(time) => outcome.reply = answers::throttled_until_millis(time),
            Damage::Unavailable(time) => outcome.reply = answers::unavailable(time),
            Damage::Gzip => outcome.reply = outcome.reply.packed(),
            Damage::Notice => outcome.reply = outcome.reply.noticed(),
        }
        outcome
    }

    /// Returns the stored response to a key, or works for at least `time` and stores the response.
    async fn create_once(&self, n: u64, call: &Call, body: &[u8], struck: Struck<'_>, time: Duration) -> Outcome {
        if self.config.idempotency == IdempotencyMode::None {
            return self.work(n, body, struck, time).await;
        }
        let Some(key) = call.key() else { return Outcome::refused(self.config.dialect.key_missing()) };
        match self.keys.open(key).await {
            Verdict::Replay(answer) => Outcome::replayed(answer),
            Verdict::Expired => Outcome::refused(answers::key_expired()),
            Verdict::Run(turn) => {
                let outcome = self.work(n, body, struck, time).await;
                turn.keep(outcome.answer()).await;
                outcome
            }
        }
    }

    /// Does the work: validates, saves, responds.
    async fn work(&self, n: u64, body: &[u8], struck: Struck<'_>, time: Duration) -> Outcome {
        let dialect = self.config.dialect;
        let form = match Form::read(body, dialect) {
            Ok(form) => form,
            Err(Refusal::Unreadable) => return Outcome::executed(answers::unreadable()),
            Err(Refusal::Invalid(complaints)) => return Outcome::executed(dialect.invalid(&complaints)),
        };
        let fault = struck.fault;
        let kind = fault.map(Fault::kind);
        if let (Some(fault), Some(Kind::Inside(Moment::Before, upset))) = (fault, kind) {
            return Outcome::executed(self.upset(upset, Value::Null)).struck_by(fault);
        }
        let Some(customer) = self.save(n, &form, time).await else { return self.duplicate(n, struck.words) };
        let success = dialect.created(&customer);
        let outcome = match (fault, kind) {
            (Some(fault), Some(Kind::Inside(Moment::After, upset))) => {
                Outcome::executed(self.upset(upset, success)).struck_by(fault)
            }
            _ => Outcome::executed(Reply::json(dialect.created_status(), &success)),
        };
        Outcome { customer_id: Some(customer.customer_id.clone()), mail: form.mail, ..outcome }
    }

    /// Refuses a duplicate, in the usual words or in those of a fault.
    fn duplicate(&self, n: u64, words: Option<&Fault>) -> Outcome {
        let reply = match words.map(Fault::kind) {
            Some(Kind::Duplicates(DuplicateWords::Taken)) => answers::taken(),
            Some(Kind::Duplicates(DuplicateWords::Conflict)) => {
                answers::conflict(roll(self.config.seed, &["conflict"], n))
            }
            Some(Kind::Duplicates(DuplicateWords::Phone)) => self.config.dialect.phone_taken(),
            _ => self.config.dialect.duplicate(),
        };
        match words {
            Some(words) => Outcome::executed(reply).struck_by(words),
            None => Outcome::executed(reply),
        }
    }

    /// Returns the response of an application with a fault, instead of `success`.
    fn upset(&self, upset: Upset, success: Value) -> Reply {
        let dialect = self.config.dialect;
        match upset {
            Upset::Status(status) => dialect.status_fault(status),
            Upset::WentWrong => dialect.went_wrong(false),
            Upset::Seven => dialect.went_wrong(true),
            Upset::InnerFailure => answers::inner_failure(),
            Upset::OuterFailure => Reply::json(500, &success),
            Upset::ErrorWords => answers::error_words(),
            Upset::SoftDeleted => dialect.duplicate(),
            Upset::NoId => Reply::json(dialect.created_status(), &without_ids(success)),
            Upset::OtherEmail => Reply::json(dialect.created_status(), &with_other_email(success)),
        }
    }

    /// Saves a customer after `time`, or returns `None` if the e-mail is taken. Check and save are
    /// one step, unless the server is racy: then the time passes between them.
    async fn save(&self, n: u64, form: &Form, time: Duration) -> Option<Arc<Customer>> {
        let is_taken = |accounts: &Accounts| self.config.unique_email && accounts.with_email(&form.email) > 0;
        if self.config.racy && self.ask_accounts(is_taken) {
            return None;
        }
        pass(if self.config.racy { time.max(self.config.racy_gap) } else { time }).await;
        let mut accounts = lock_ignoring_poison(&self.accounts);
        if !self.config.racy && is_taken(&accounts) {
            return None;
        }
        let customer = accounts.add(form);
        // The accounts are still locked, so the log has the customer before any response does.
        self.log.write(Event::Created {
            n,
            email: customer.email.clone(),
            customer_id: customer.customer_id.clone(),
            mail: form.mail,
        });
        Some(customer)
    }
}

/// Returns who wrote the response that the client receives.
fn author(damage: Damage) -> Author {
    match damage {
        Damage::Reset | Damage::Stall | Damage::CutBody | Damage::CutHead => Author::Nobody,
        Damage::Status(_)
        | Damage::Html
        | Damage::Empty
        | Damage::Redirect
        | Damage::Firewall
        | Damage::ThrottleUnix(_)
        | Damage::ThrottleMillis(_)
        | Damage::Unavailable(_) => Author::Gateway,
        Damage::Garbage | Damage::ExpiredKey | Damage::Gzip | Damage::Notice => Author::Application,
    }
}

fn without_ids(mut success: Value) -> Value {
    if let Some(Value::Object(data)) = success.get_mut("data") {
        data.remove("id");
        data.remove("customer_id");
    }
    success
}

fn with_other_email(mut success: Value) -> Value {
    if let Some(Value::Object(data)) = success.get_mut("data") {
        let name = if data.contains_key("email") { "email" } else { "customer_email" };
        data.insert(name.to_owned(), json!("somebody.else@example.com"));
    }
    success
}
