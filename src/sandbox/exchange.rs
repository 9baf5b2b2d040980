//! Serves one request, from its arrival to its response.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    accounts::Accounts,
    answers,
    auth::Auth,
    call::{Call, Route},
    chance::roll,
    config::Config,
    faults::{Fault, FaultPlan, GrantFault, Kind, LookupFault},
    idempotency::KeyStore,
    outcome::Outcome,
    record::{AuthSeen, Author, Event, Log, Record},
    reply::{Ending, Reply},
    sync::lock_ignoring_poison,
    throttle::{Standing, Throttle},
};

/// Customers per page if the request does not say.
const PER_PAGE: usize = 20;

/// The state of the server.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Config,
    pub(super) base_url: String,
    pub(super) accounts: Mutex<Accounts>,
    pub(super) throttle: Mutex<Throttle>,
    pub(super) auth: Auth,
    pub(super) keys: KeyStore,
    pub(super) faults: FaultPlan,
    pub(super) log: Log,
    pub(super) requests: AtomicU64,
}

impl World {
    pub(super) fn new(config: Config, base_url: String) -> io::Result<Self> {
        Ok(Self {
            base_url,
            accounts: Mutex::new(Accounts::new(config.folded)),
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
        lock_ignoring_poison(&self.throttle).throttled()
    }

    pub(super) fn ask_accounts<T>(&self, question: impl FnOnce(&Accounts) -> T) -> T {
        question(&lock_ignoring_poison(&self.accounts))
    }

    /// Returns whether the next connection is reset on arrival.
    pub(super) fn refuses(&self) -> bool {
        let refuses = self.faults.refuses();
        if refuses {
            self.log.write(Event::Refused);
        }
        refuses
    }

    /// Returns the number of the next request.
    pub(super) fn number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Serves a request from its arrival to its response, and logs both.
    pub(super) async fn serve(&self, n: u64, call: &Call) -> Outcome {
        let auth = self.auth.judge(&call.headers, Instant::now());
        self.log.write(call.received(n, auth));
        // Half of the time passes before the work and half after it, so that a client can be lost
        // on either side.
        let half = self.config.latency.at(roll(self.config.seed, &["latency"], n)) / 2;
        pass(half).await;
        let standing = self.throttle(call);
        let mut outcome = self.answer(n, call, auth, standing).await;
        pass(half).await;
        if mistaken_for_a_browser(call, &outcome) {
            outcome.reply = Reply::to_login();
        }
        outcome.reply = answers::standing(self.dressed(outcome.reply, outcome.author), standing);
        self.log.write(outcome.answered(n));
        outcome
    }

    /// Returns the response after the server's settings have added notices or compressed it.
    fn dressed(&self, reply: Reply, author: Author) -> Reply {
        let has_notices = self.config.notices && author == Author::Application && reply.is_json();
        let reply = if has_notices { reply.noticed() } else { reply };
        if self.config.packed && !reply.is_packed() { reply.packed() } else { reply }
    }

    /// Counts the request, unless it asks for a token, because the account is unknown before that.
    fn throttle(&self, call: &Call) -> Standing {
        let mut throttle = lock_ignoring_poison(&self.throttle);
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
            Route::Refresh => self.refresh(call),
            Route::List => self.list(call),
            Route::Show(customer_id) => self.show(customer_id),
            Route::Create => self.create(n, call, call.fields(body)).await,
        }
    }

    fn log_in(&self, body: &[u8]) -> Outcome {
        let fault = self.faults.of_login();
        match fault.map(|fault| (fault, fault.kind())) {
            Some((fault, Kind::LogIn(GrantFault::Status(status)))) => return self.token_fault(status, fault),
            Some((fault, Kind::LogIn(GrantFault::NoToken))) => {
                return Outcome::executed(answers::no_token()).struck_by(fault);
            }
            _ => {}
        }
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| asked.get(field).and_then(Value::as_str).unwrap_or_default();
        let token = self.auth.log_in(text("account_id"), text("app_secret"), Instant::now());
        Outcome::executed(token.map_or_else(answers::wrong_credentials, |token| {
            answers::token(&token, self.auth.expires_in(), "Login successful")
        }))
    }

    fn refresh(&self, call: &Call) -> Outcome {
        let fault = self.faults.of_refresh();
        match fault.map(|fault| (fault, fault.kind())) {
            Some((fault, Kind::Refresh(GrantFault::Status(status)))) => return self.token_fault(status, fault),
            Some((_, Kind::Refresh(GrantFault::Revokes))) => self.auth.revoke(&call.headers, Instant::now()),
            _ => {}
        }
        let token = self.auth.issue(Instant::now());
        Outcome::executed(answers::token(&token, self.auth.expires_in(), "Token refreshed successfully"))
    }

    fn token_fault(&self, status: u16, fault: &Fault) -> Outcome {
        let reply = match status {
            429 => answers::too_many_attempts(Duration::from_secs(1)),
            401 => answers::wrong_credentials(),
            _ => self.config.dialect.status_fault(status),
        };
        Outcome::refused(reply).struck_by(fault)
    }

    fn list(&self, call: &Call) -> Outcome {
        if !self.config.lookup {
            return Outcome::refused(answers::wrong_method("GET", "POST"));
        }
        let query = call.query();
        let email = call.email.as_deref().filter(|text| !text.is_empty());
        let fault = self.faults.of_lookup(email.unwrap_or_default());
        let number = |name: &str, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let page = |email: Option<&str>| {
            let page =
                lock_ignoring_poison(&self.accounts).page(email, number("per_page", PER_PAGE), number("page", 1));
            Outcome::executed(answers::page(&page, &self.base_url))
        };
        match fault.map(|fault| (fault, fault.kind())) {
            Some((fault, Kind::Lookup(LookupFault::Status(status)))) => {
                Outcome::refused(self.config.dialect.status_fault(status)).struck_by(fault)
            }
            Some((fault, Kind::Lookup(LookupFault::Stall))) => {
                Outcome { ending: Ending::Never, author: Author::Nobody, ..page(email) }.struck_by(fault)
            }
            Some((fault, Kind::Lookup(LookupFault::IgnoresFilter))) => page(None).struck_by(fault),
            Some((fault, Kind::Lookup(LookupFault::IgnoresPage))) => {
                let whole = lock_ignoring_poison(&self.accounts).page(email, usize::MAX, 1);
                Outcome::executed(answers::whole_list(&whole)).struck_by(fault)
            }
            _ => page(email),
        }
    }

    fn show(&self, customer_id: &str) -> Outcome {
        if !self.config.lookup {
            return Outcome::refused(answers::wrong_method("GET", "PUT"));
        }
        let found = lock_ignoring_poison(&self.accounts).by_id(customer_id);
        let reply = found.as_ref().map_or_else(|| answers::not_found(true), |found| answers::customer(found));
        Outcome { customer_id: found.map(|found| found.customer_id.clone()), ..Outcome::executed(reply) }
    }
}

/// Returns whether the client did not ask for JSON and the response is an error. The framework then
/// redirects to the login page.
fn mistaken_for_a_browser(call: &Call, outcome: &Outcome) -> bool {
    let status = outcome.reply.status.as_u16();
    matches!(status, 400 | 401 | 422) && outcome.fault.is_none() && !call.wants_json()
}

/// Lets time pass. If there is none to pass, it does not even yield to the runtime.
pub(super) async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
