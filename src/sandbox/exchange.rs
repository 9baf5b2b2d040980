//! One request, from its arrival to its answer.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    accounts::{Accounts, Customer},
    answers,
    auth::Auth,
    call::{Call, Route},
    chance::roll,
    config::{Config, IdempotencyMode},
    connection::Ending,
    faults::{Damage, Fault, FaultPlan, Kind, LookupFault, Moment, Upset},
    form::{Form, Refusal},
    hold::hold,
    idempotency::{KeyStore, Verdict},
    outcome::Outcome,
    record::{AuthSeen, Event, Log, Record},
    reply::Reply,
    throttle::{Standing, Throttle},
};

/// Customers on a page when none are asked for.
const PER_PAGE: usize = 20;

/// Everything the server remembers.
#[derive(Debug)]
pub(super) struct World {
    config: Config,
    base_url: String,
    accounts: Mutex<Accounts>,
    throttle: Mutex<Throttle>,
    auth: Auth,
    keys: KeyStore,
    faults: FaultPlan,
    log: Log,
    requests: AtomicU64,
}

impl World {
    pub(super) fn new(config: Config, base_url: String) -> io::Result<Self> {
        Ok(Self {
            base_url,
            accounts: Mutex::default(),
            throttle: Mutex::new(Throttle::new(config.limit)),
            auth: Auth::new(&config),
            keys: KeyStore::new(&config),
            faults: FaultPlan::new(config.seed, config.faults.clone()),
            log: Log::open(config.log.as_deref())?,
            requests: AtomicU64::new(0),
            config,
        })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) fn body_limit(&self) -> usize {
        self.config.body_limit
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.log.recent()
    }

    pub(super) fn throttled(&self) -> u64 {
        hold(&self.throttle).throttled()
    }

    pub(super) fn ask_accounts<T>(&self, question: impl FnOnce(&Accounts) -> T) -> T {
        question(&hold(&self.accounts))
    }

    /// Whether the next connection is to be reset at the door.
    pub(super) fn refuses(&self) -> bool {
        let refuses = self.faults.refuses();
        if refuses {
            self.log.write(Event::Refused);
        }
        refuses
    }

    /// Serves a request from its arrival to its answer, and leaves both in the log.
    pub(super) async fn serve(&self, call: &Call) -> Outcome {
        let n = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let auth = self.auth.judge(&call.headers, Instant::now());
        self.log.write(call.received(n, auth));
        // Half of the time passes before the work and half after it, so that a client can be lost on either side.
        let half = self.config.latency.at(roll(self.config.seed, &["latency"], n)) / 2;
        pass(half).await;
        let standing = self.throttle(call);
        let mut outcome = self.answer(n, call, auth, standing).await;
        pass(half).await;
        if mistaken_for_a_browser(call, &outcome) {
            outcome.reply = Reply::to_login();
        }
        outcome.reply = answers::standing(outcome.reply, standing);
        self.log.write(outcome.answered(n));
        outcome
    }

    /// Counts the request, unless it asks for a token: nobody's limit is known before that.
    fn throttle(&self, call: &Call) -> Standing {
        let mut throttle = hold(&self.throttle);
        match call.route() {
            Route::LogIn | Route::LoginPage => throttle.standing(),
            _ => throttle.hit(Instant::now()),
        }
    }

    async fn answer(&self, n: u64, call: &Call, auth: AuthSeen, standing: Standing) -> Outcome {
        if let Some(wait) = standing.wait {
            return Outcome::refused(answers::too_many_attempts(wait));
        }
        let Some(body) = &call.body else { return Outcome::refused(self.config.dialect.status_fault(413)) };
        match call.route() {
            Route::LogIn => self.log_in(body),
            Route::LoginPage => Outcome::executed(Reply::html(200, "Login")),
            Route::Nowhere => Outcome::refused(answers::not_found(call.wants_json())),
            Route::WrongMethod { allowed } => Outcome::refused(answers::wrong_method(call.method.as_str(), allowed)),
            _ if auth != AuthSeen::Ok => Outcome::refused(self.config.dialect.unauthenticated()),
            Route::Refresh => self.refresh(),
            Route::List => self.list(call),
            Route::Show(customer_id) => self.show(customer_id),
            Route::Create => self.create(n, call, body).await,
        }
    }

    fn log_in(&self, body: &[u8]) -> Outcome {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| asked.get(field).and_then(Value::as_str).unwrap_or_default();
        let token = self.auth.log_in(text("account_id"), text("app_secret"), Instant::now());
        Outcome::executed(token.map_or_else(answers::wrong_credentials, |token| {
            answers::token(&token, self.auth.expires_in(), "Login successful")
        }))
    }

    fn refresh(&self) -> Outcome {
        let token = self.auth.issue(Instant::now());
        Outcome::executed(answers::token(&token, self.auth.expires_in(), "Token refreshed successfully"))
    }

    fn list(&self, call: &Call) -> Outcome {
        if !self.config.lookup {
            return Outcome::refused(answers::wrong_method("GET", "POST"));
        }
        let mut query = call.query();
        let email = query.remove("email").filter(|text| !text.is_empty());
        let fault = self.faults.of_lookup(email.as_deref().unwrap_or_default());
        let number = |name: &str, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let page = |email: Option<&str>| {
            let page = hold(&self.accounts).page(email, number("per_page", PER_PAGE), number("page", 1));
            Outcome::executed(answers::page(&page, &self.base_url))
        };
        match fault.map(|fault| (fault, fault.kind())) {
            Some((fault, Kind::Lookup(LookupFault::Status(status)))) => {
                Outcome::refused(self.config.dialect.status_fault(status)).struck_by(fault)
            }
            Some((fault, Kind::Lookup(LookupFault::Stall))) => {
                Outcome { ending: Ending::Never, ..page(email.as_deref()) }.struck_by(fault)
            }
            Some((fault, Kind::Lookup(LookupFault::IgnoresFilter))) => page(None).struck_by(fault),
            _ => page(email.as_deref()),
        }
    }

    fn show(&self, customer_id: &str) -> Outcome {
        if !self.config.lookup {
            return Outcome::refused(answers::wrong_method("GET", "PUT"));
        }
        let found = hold(&self.accounts).by_id(customer_id);
        let reply = found.as_ref().map_or_else(|| answers::not_found(true), |found| answers::customer(found));
        Outcome { customer_id: found.map(|found| found.customer_id.clone()), ..Outcome::executed(reply) }
    }

    /// `POST /customer`, with what happens to it on its way in and out.
    async fn create(&self, n: u64, call: &Call, body: &[u8]) -> Outcome {
        let fault = self.faults.of_post(&call.email().unwrap_or_default());
        let kind = fault.map(Fault::kind);
        if let (Some(fault), Some(Kind::OnTheWay(Moment::Before, damage))) = (fault, kind) {
            return self.damaged(Outcome::refused(Reply::empty(200)), damage).struck_by(fault);
        }
        if let Some(Kind::Delay(Moment::Before, time)) = kind {
            pass(time).await;
        }
        let mut outcome = self.create_once(n, call, body, fault).await;
        match (fault, kind) {
            (Some(fault), Some(Kind::OnTheWay(Moment::After, damage))) => {
                outcome = self.damaged(outcome, damage).struck_by(fault);
            }
            (Some(fault), Some(Kind::Delay(moment, time))) => {
                if moment == Moment::After {
                    pass(time).await;
                }
                outcome = outcome.struck_by(fault);
            }
            _ => {}
        }
        outcome
    }

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

/// Whether this error goes to somebody who never asked for JSON, and becomes a way to the login page.
fn mistaken_for_a_browser(call: &Call, outcome: &Outcome) -> bool {
    let status = outcome.reply.status.as_u16();
    matches!(status, 400 | 401 | 422) && outcome.fault.is_none() && !call.wants_json()
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

/// Lets time pass; none of it costs not even a turn of the runtime.
async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
