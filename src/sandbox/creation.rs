//! `POST /customer`: saved once or not at all, and told truly or otherwise.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    accounts::Customer,
    answers,
    call::Call,
    config::IdempotencyMode,
    connection::Ending,
    exchange::{World, pass},
    faults::{Damage, Fault, Kind, Moment, Upset},
    form::{Form, Refusal},
    hold::hold,
    idempotency::Verdict,
    outcome::Outcome,
    record::Event,
    reply::Reply,
};

impl World {
    /// The request, with what happens to it on its way in and out.
    pub(super) async fn create(&self, n: u64, call: &Call, body: &[u8]) -> Outcome {
        let fault = self.faults.of_post(call.email.as_deref().unwrap_or_default());
        let kind = fault.map(Fault::kind);
        if let (Some(fault), Some(Kind::OnTheWay(Moment::Before, damage))) = (fault, kind) {
            return self.damaged(Outcome::refused(Reply::empty(200)), damage).struck_by(fault);
        }
        if let Some(Kind::Delay(Moment::Before, time)) = kind {
            pass(time).await;
        }
        let outcome = self.create_once(n, call, body, fault).await;
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

    /// What becomes of an answer on the way.
    fn damaged(&self, mut outcome: Outcome, damage: Damage) -> Outcome {
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
        }
        outcome
    }

    /// Answers from the key store, or works and stores the answer.
    async fn create_once(&self, n: u64, call: &Call, body: &[u8], fault: Option<&Fault>) -> Outcome {
        if self.config.idempotency == IdempotencyMode::None {
            return self.work(n, body, fault).await;
        }
        let Some(key) = call.key() else { return Outcome::refused(self.config.dialect.key_missing()) };
        match self.keys.open(key).await {
            Verdict::Replay(answer) => Outcome::replayed(answer),
            Verdict::Expired => Outcome::refused(answers::key_expired()),
            Verdict::Run(turn) => {
                let outcome = self.work(n, body, fault).await;
                turn.keep(outcome.answer()).await;
                outcome
            }
        }
    }

    /// The work itself: validate, save, tell.
    async fn work(&self, n: u64, body: &[u8], fault: Option<&Fault>) -> Outcome {
        let dialect = self.config.dialect;
        let form = match Form::read(body, dialect) {
            Ok(form) => form,
            Err(Refusal::Unreadable) => return Outcome::executed(answers::unreadable()),
            Err(Refusal::Invalid(complaints)) => return Outcome::executed(dialect.invalid(&complaints)),
        };
        let kind = fault.map(Fault::kind);
        if let (Some(fault), Some(Kind::Inside(Moment::Before, upset))) = (fault, kind) {
            return Outcome::executed(self.upset(upset, Value::Null)).struck_by(fault);
        }
        let Some(customer) = self.save(n, &form).await else {
            return match fault.filter(|_| kind == Some(Kind::TakenWords)) {
                Some(fault) => Outcome::executed(answers::taken()).struck_by(fault),
                None => Outcome::executed(dialect.duplicate()),
            };
        };
        let success = dialect.created(&customer);
        let outcome = match (fault, kind) {
            (Some(fault), Some(Kind::Inside(Moment::After, upset))) => {
                Outcome::executed(self.upset(upset, success)).struck_by(fault)
            }
            _ => Outcome::executed(Reply::json(dialect.created_status(), &success)),
        };
        Outcome { customer_id: Some(customer.customer_id.clone()), mail: form.mail, ..outcome }
    }

    /// What the application says when it is upset, where it would have told of a success.
    fn upset(&self, upset: Upset, success: Value) -> Reply {
        let dialect = self.config.dialect;
        match upset {
            Upset::Status(status) => dialect.status_fault(status),
            Upset::WentWrong => dialect.went_wrong(false),
            Upset::Seven => dialect.went_wrong(true),
            Upset::InnerFailure => answers::inner_failure(),
            Upset::OuterFailure => Reply::json(500, &success),
            Upset::NoId => Reply::json(dialect.created_status(), &without_ids(success)),
            Upset::OtherEmail => Reply::json(dialect.created_status(), &with_other_email(success)),
        }
    }

    /// Saves a customer whose e-mail is free. Check and save are one step, unless the server is racy.
    async fn save(&self, n: u64, form: &Form) -> Option<Arc<Customer>> {
        if self.config.racy {
            if self.ask_accounts(|accounts| accounts.with_email(&form.email) > 0) {
                return None;
            }
            pass(self.config.racy_gap).await;
        }
        let mut accounts = hold(&self.accounts);
        if !self.config.racy && accounts.with_email(&form.email) > 0 {
            return None;
        }
        let customer = accounts.add(form);
        // Still under the lock: nobody can be told of a customer before the log is.
        self.log.write(Event::Created {
            n,
            email: customer.email.clone(),
            customer_id: customer.customer_id.clone(),
            mail: form.mail,
        });
        Some(customer)
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
