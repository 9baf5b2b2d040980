//! The responses, in the words and shapes of each dialect.

use std::time::Duration;

use axum::http::{HeaderName, header};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    accounts::{Customer, Page},
    config::Dialect,
    form::Complaints,
    reply::Reply,
    throttle::{Standing, unix_millis_after, unix_second_after, whole_seconds},
};

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(super) const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

impl Dialect {
    /// Returns the HTTP status of a success.
    pub(super) fn created_status(self) -> u16 {
        match self {
            Self::Seed | Self::Laravel => 200,
            Self::Docs => 201,
        }
    }

    /// Returns the body of a success.
    pub(super) fn created(self, customer: &Customer) -> Value {
        match self {
            Self::Seed => success(200, "Customer created successfully", seed_customer(customer)),
            Self::Docs => success(201, "Customer created successfully", docs_customer(customer)),
            Self::Laravel => success(201, "Customer created successfully", laravel_customer(customer)),
        }
    }

    /// Returns the response to a body that breaks the rules.
    pub(super) fn invalid(self, complaints: &Complaints) -> Reply {
        match self {
            Self::Seed | Self::Laravel => Reply::json(400, &failed(400, json!(complaints))),
            Self::Docs => Reply::json(422, &docs_invalid(&json!(complaints))),
        }
    }

    /// Returns the response to an e-mail that the account has already.
    pub(super) fn duplicate(self) -> Reply {
        let complaints = json!({"customer_email": ["Customer email already exists."]});
        match self {
            Self::Seed | Self::Laravel => Reply::json(422, &failed(422, complaints)),
            Self::Docs => Reply::json(422, &docs_invalid(&complaints)),
        }
    }

    /// Returns the response to a phone that is taken. Some servers refuse a second request for one
    /// customer this way.
    pub(super) fn phone_taken(self) -> Reply {
        let complaints = json!({"customer_phone": ["The customer phone has already been taken."]});
        match self {
            Self::Seed | Self::Laravel => Reply::json(422, &failed(422, complaints)),
            Self::Docs => Reply::json(422, &docs_invalid(&complaints)),
        }
    }

    /// Returns the response to a caught exception. The public source always prints a stray `7`
    /// before it; the other dialects do if `stray`.
    pub(super) fn went_wrong(self, stray: bool) -> Reply {
        let error = json!({"error": "Something went wrong, please try again later"});
        let reply = Reply::json(400, &failed(400, error));
        if stray || self == Self::Laravel { reply.prefixed("7") } else { reply }
    }

    /// Returns the response to a request without `Idempotency-Key`.
    pub(super) fn key_missing(self) -> Reply {
        match self {
            Self::Docs => Reply::json(400, &json!({"error": "Idempotency-Key is required for this request."})),
            Self::Seed | Self::Laravel => Reply::json(400, &failed(400, json!({"error": "Idempotency key missing"}))),
        }
    }

    /// Returns the response to a missing, wrong or expired token.
    pub(super) fn unauthenticated(self) -> Reply {
        match self {
            Self::Seed | Self::Laravel => Reply::json(401, &json!({"message": "Unauthenticated."})),
            Self::Docs => Reply::json(401, &failed(401, json!({"error": "Unauthenticated"}))),
        }
    }

    /// Returns the response of a fault that is named by its status.
    pub(super) fn status_fault(self, status: u16) -> Reply {
        match status {
            400 => self.field_fault("The customer name field format is invalid.", 400),
            401 => self.unauthenticated(),
            402 => Reply::json(402, &failed(402, json!({"error": "Insufficient balance"}))),
            409 => Reply::json(409, &json!({"message": "A request with this Idempotency-Key is in progress."})),
            422 => self.field_fault("The customer name field format is invalid.", 422),
            429 => too_many_attempts(Duration::from_secs(1)),
            500 => Reply::json(500, &json!({"message": "Server Error"})),
            503 => Reply::html(503, "503 Service Temporarily Unavailable").with(header::RETRY_AFTER, 1_u64),
            408 | 413 | 501.. => Reply::html(status, &title(status)),
            _ => Reply::json(status, &json!({"message": reason(status)})),
        }
    }

    fn field_fault(self, words: &str, status: u16) -> Reply {
        let complaints = json!({"customer_name": [words]});
        match self {
            Self::Docs => Reply::json(status, &docs_invalid(&complaints)),
            Self::Seed | Self::Laravel => Reply::json(status, &failed(status, complaints)),
        }
    }
}

/// Returns the response to a key that is older than the store keeps keys.
pub(super) fn key_expired() -> Reply {
    Reply::json(400, &json!({"error": "Idempotency-Key expired. Please use a new key."}))
}

/// Returns the response to a body that is not a JSON object.
pub(super) fn unreadable() -> Reply {
    Reply::json(400, &json!({"error": "Invalid request"}))
}

/// Returns the refusal of a duplicate in other words.
pub(super) fn taken() -> Reply {
    let message = "The customer email has already been taken.";
    Reply::json(400, &json!({"status": "failed", "status_code": 400, "message": message}))
}

/// Returns the refusal of a duplicate as a conflict. `choice` (0 to 1) picks the words: other
/// words, other languages, none at all.
pub(super) fn conflict(choice: f64) -> Reply {
    let message = |words: &str| json!({"message": words});
    let bodies = [
        message("Email is in use"),
        message("customer_email must be unique"),
        message("Diese E-Mail-Adresse wird bereits verwendet."),
        message("El correo electr\u{f3}nico ya est\u{e1} en uso."),
        json!({}),
    ];
    Reply::json(409, pick(&bodies, choice))
}

/// Returns what a gateway answers after it has waited long enough. `choice` (0 to 1) picks one of
/// the usual gateways.
pub(super) fn gateway(status: u16, choice: f64) -> Reply {
    let replies = match status {
        500 => vec![
            Reply::html(500, "500 Internal Server Error"),
            Reply::json(500, &json!({"message": "Internal server error"})),
            Reply::empty(500),
        ],
        503 => vec![
            Reply::json(503, &json!({"message": "Service Unavailable"})),
            Reply::html(503, "Application error"),
            Reply::html(503, "503 Backend fetch failed"),
            Reply::text(503, "upstream connect error or disconnect/reset before headers. reset reason: overflow"),
        ],
        504 => vec![
            Reply::html(504, "504 Gateway Time-out"),
            Reply::json(504, &json!({"message": "Endpoint request timed out"})),
            Reply::text(504, "upstream request timeout"),
        ],
        _ => vec![Reply::html(status, &title(status))],
    };
    pick(&replies, choice).clone()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among a few")]
fn pick<T>(choices: &[T], choice: f64) -> &T {
    let place = (choice * choices.len() as f64) as usize;
    &choices[place.min(choices.len() - 1)]
}

/// Returns a refusal in an HTTP success, without a code.
pub(super) fn error_words() -> Reply {
    Reply::json(200, &json!({"status": "error", "message": "This customer cannot be accepted."}))
}

/// Returns a response to a request over the limit, with the end of the pause in `Retry-After`
/// instead of its length.
pub(super) fn throttled_until(wait: Duration) -> Reply {
    Reply::json(429, &json!({"message": "Too Many Attempts."})).with(header::RETRY_AFTER, unix_second_after(wait))
}

/// Returns a response to a request over the limit, with the end of the pause in milliseconds.
pub(super) fn throttled_until_millis(wait: Duration) -> Reply {
    Reply::json(429, &json!({"message": "Too Many Attempts."})).with(RATE_RESET, unix_millis_after(wait))
}

/// Returns a response of a server that is down for a while and says for how long.
pub(super) fn unavailable(wait: Duration) -> Reply {
    Reply::html(503, "503 Service Temporarily Unavailable").with(header::RETRY_AFTER, whole_seconds(wait))
}

/// Returns a failure in an HTTP success.
pub(super) fn inner_failure() -> Reply {
    Reply::json(200, &failed(422, json!({"customer_name": ["The customer name field format is invalid."]})))
}

/// Returns the response to a request over the limit.
pub(super) fn too_many_attempts(wait: Duration) -> Reply {
    Reply::json(429, &json!({"message": "Too Many Attempts."}))
        .with(header::RETRY_AFTER, whole_seconds(wait))
        .with(RATE_RESET, unix_second_after(wait))
}

/// Adds the headers that every response carries.
pub(super) fn standing(reply: Reply, standing: Standing) -> Reply {
    reply.with(RATE_LIMIT, standing.limit).with(RATE_REMAINING, standing.remaining)
}

/// Returns the response to a path that does not exist.
pub(super) fn not_found(wants_json: bool) -> Reply {
    if wants_json { Reply::json(404, &json!({"message": "Not Found"})) } else { Reply::html(404, "404 Not Found") }
}

/// Returns the response to a path that exists, but not for this method.
pub(super) fn wrong_method(method: &str, allowed: &str) -> Reply {
    let message = format!("The {method} method is not supported for this route. Supported methods: {allowed}.");
    Reply::json(405, &json!({"message": message}))
}

/// Returns the response to a login or a refresh, with a token.
pub(super) fn token(token: &str, expires_in: u64, message: &str) -> Reply {
    let data = json!({"access_token": token, "token_type": "bearer", "expires_in": expires_in});
    Reply::json(200, &success(200, message, data))
}

/// Returns the response to a successful login without a token.
pub(super) fn no_token() -> Reply {
    Reply::json(200, &success(200, "Login successful", json!({"token_type": "bearer"})))
}

/// Returns the response to a wrong secret.
pub(super) fn wrong_credentials() -> Reply {
    Reply::json(401, &failed(401, json!({"error": "Invalid login credentials"})))
}

/// Returns one page of customers. As in the framework, its links to other pages lose the e-mail
/// that was asked for.
pub(super) fn page(page: &Page, base_url: &str) -> Reply {
    let link = |number: usize| format!("{base_url}/customer?page={number}");
    let last = page.last();
    let pagination = json!({
        "total": page.total,
        "per_page": page.per_page,
        "current_page": page.number,
        "last_page": last,
        "next_page_url": (page.number < last).then(|| link(page.number + 1)),
        "prev_page_url": (page.number > 1).then(|| link(page.number - 1)),
    });
    let rows: Vec<Value> = page.rows.iter().map(|row| listed_customer(row)).collect();
    let mut body = success(200, "Records retrieved successfully", json!(rows));
    body["pagination"] = pagination;
    Reply::json(200, &body)
}

/// Returns all customers at once, as a server without pages does.
pub(super) fn whole_list(page: &Page) -> Reply {
    let rows: Vec<Value> = page.rows.iter().map(|row| listed_customer(row)).collect();
    Reply::json(200, &success(200, "Records retrieved successfully", json!(rows)))
}

/// Returns one customer.
pub(super) fn customer(customer: &Customer) -> Reply {
    Reply::json(200, &success(200, "Record retrieved successfully", listed_customer(customer)))
}

fn success(status_code: u16, message: &str, data: Value) -> Value {
    json!({"status": "success", "status_code": status_code, "message": message, "data": data})
}

fn failed(status_code: u16, data: Value) -> Value {
    json!({"status": "failed", "status_code": status_code, "message": "Request failed.", "data": data})
}

fn docs_invalid(errors: &Value) -> Value {
    json!({"status": "error", "status_code": 422, "message": "Validation failed", "errors": errors})
}

fn title(status: u16) -> String {
    format!("{status} {}", reason(status))
}

fn reason(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Web server is returning an unknown error")
}

fn seed_customer(customer: &Customer) -> Value {
    let Customer { id, customer_id, .. } = customer;
    // The square brackets are not encoded and the link holds secrets, as in the document's own
    // sample.
    let kyc_link = format!(
        "https://bridge.withpersona.com/verify?inquiry-template-id=itmpl_sandbox&fields[developer_id]={id}\
         &fields[iqt_token]={customer_id}&reference-id={customer_id}\
         &redirect-uri=https%3A%2F%2Fbridge.withpersona.com%2Fverify%2Fdone&environment-id=env_sandbox"
    );
    json!({
        "id": id,
        "full_name": customer.name,
        "email": customer.email,
        "type": customer.kind,
        "kyc_link": kyc_link,
        "tos_link": format!("https://dashboard.bridge.xyz/accept-terms-of-service?customer_id={customer_id}"),
        "kyc_status": "not_started",
        "rejection_reasons": [],
        "tos_status": "pending",
        "created_at": created_at(customer, "%Y-%m-%dT%H:%M:%S.%3fZ"),
        "customer_id": customer_id,
        "persona_inquiry_type": "gov_id_db",
    })
}

fn docs_customer(customer: &Customer) -> Value {
    json!({
        "customer_id": customer.customer_id,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "customer_country": customer.country,
        "customer_type": customer.kind,
        "customer_status": "active",
        "created_at": created_at(customer, "%Y-%m-%dT%H:%M:%S.%6fZ"),
    })
}

fn laravel_customer(customer: &Customer) -> Value {
    json!({
        "customer_id": customer.customer_id,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "customer_country": customer.country,
    })
}

fn listed_customer(customer: &Customer) -> Value {
    json!({
        "customer_id": customer.customer_id,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "customer_country": customer.country,
        "customer_status": "active",
        "customer_kyc_status": "not_started",
    })
}

fn created_at(customer: &Customer, format: &str) -> String {
    customer.created_at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}
