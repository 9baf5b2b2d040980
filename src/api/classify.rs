//! Classifies responses to `POST {base}/customer` in one table that judges status and body
//! together. Pure.

use super::body_meaning::{BodyMeaning, JudgedBody, hear};
use super::envelope::Unreadable;
use super::pause;
use super::response::Response;
use super::wire::SentRequest;
use crate::domain::{
    AttemptResult, Complaint, ComplaintCode, DoubtCause, EmailWords, Refusal, RefusalScope, StopReason, StopWords,
    counted,
};

/// Returns what a response to a create request means.
///
/// The order of the arms is part of the table: first what the status alone decides, then what makes
/// a response unreliable, then what body and status say together. Everything else is doubt.
#[must_use]
pub fn classify(answer: &Response, sent: SentRequest<'_>) -> AttemptResult {
    let JudgedBody { status, said, by_application } = hear(answer, sent);
    match (status, said) {
        (401, _) => AttemptResult::Unauthorized,
        (429, _) => AttemptResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) },
        (300..=399, _) => AttemptResult::Stop(StopReason::Configuration(redirect(answer))),
        (_, BodyMeaning::Busy(words)) => {
            AttemptResult::InProgress(Complaint { code: ComplaintCode::NoAnswer, message: words })
        }
        (502..=504 | 520..=529, said) => gateway(answer, &said),

        (_, said @ (BodyMeaning::Cut | BodyMeaning::TooLong)) => silence(answer, &said),
        (_, said @ BodyMeaning::Contradiction) => unintelligible(answer, &said),

        (200..=299, BodyMeaning::Created { receipt, other_email }) => {
            AttemptResult::Created { receipt: *receipt, other_email }
        }

        (500, said) if by_application => {
            AttemptResult::ServerError(complaint(ComplaintCode::ServerError, answer, &said))
        }
        (500, said) => gateway(answer, &said),

        (413 | 414 | 431, said) => refused(RefusalScope::Record, by_application, too_large(answer, &said, sent), None),
        (402 | 404 | 405 | 410 | 415 | 419 | 421 | 426, said) => {
            let advice = matches!(status, 404 | 405 | 410).then_some(CHECK_URL);
            refused(RefusalScope::Endpoint, by_application, shared_fault(status, answer, &said), advice)
        }
        (403, said @ BodyMeaning::Unreadable(_)) => {
            refused(RefusalScope::Firewall, false, firewall(answer, &said), None)
        }
        (403, said) => refused(RefusalScope::Account, true, forbidden(answer, &said), None),
        (408 | 425, said) => AttemptResult::InProgress(complaint(ComplaintCode::NoAnswer, answer, &said)),

        (200..=299 | 400..=499, BodyMeaning::KeyExpired) => AttemptResult::KeyExpired,
        (200..=299 | 400..=499, BodyMeaning::KeyFault(words)) => {
            refused(RefusalScope::Endpoint, true, key_fault(&words), Some(CHECK_PROXY))
        }
        (200..=299 | 400..=499, BodyMeaning::Email(EmailWords::Exists, message)) => {
            email(EmailWords::Exists, Complaint { code: ComplaintCode::EmailExists, message })
        }
        (409, BodyMeaning::Email(_, message)) => {
            email(EmailWords::Conflict, Complaint { code: ComplaintCode::Rejected, message })
        }
        (409, said) => email(EmailWords::Conflict, complaint(ComplaintCode::Rejected, answer, &said)),
        (200..=299 | 400..=499, BodyMeaning::Email(words, message)) => {
            email(words, Complaint { code: ComplaintCode::FieldRejected, message })
        }
        (200..=299 | 400..=499, BodyMeaning::Fields(words)) => {
            AttemptResult::Rejected(Complaint { code: ComplaintCode::FieldRejected, message: words })
        }
        (200..=299 | 400..=499, BodyMeaning::WentWrong(words)) => {
            AttemptResult::ServerError(Complaint { code: ComplaintCode::ServerError, message: words })
        }
        (400..=499, BodyMeaning::Reason(words)) => {
            AttemptResult::Rejected(Complaint { code: ComplaintCode::Rejected, message: words })
        }

        (
            _,
            said @ (BodyMeaning::Created { .. }
            | BodyMeaning::NoId
            | BodyMeaning::KeyExpired
            | BodyMeaning::KeyFault(_)
            | BodyMeaning::Email(..)
            | BodyMeaning::Fields(_)
            | BodyMeaning::WentWrong(_)
            | BodyMeaning::Reason(_)
            | BodyMeaning::Nothing
            | BodyMeaning::Unreadable(_)),
        ) => unintelligible(answer, &said),
    }
}

fn email(words: EmailWords, complaint: Complaint) -> AttemptResult {
    AttemptResult::EmailRefused { complaint, words }
}

const CHECK_URL: &str = "check the base URL";
const CHECK_PROXY: &str = "check that no proxy removes the Idempotency-Key header";

fn refused(scope: RefusalScope, by_api: bool, message: String, advice: Option<&'static str>) -> AttemptResult {
    let complaint = Complaint { code: ComplaintCode::Refused, message };
    AttemptResult::Refused { complaint, refusal: Refusal { scope, by_api, advice } }
}

/// The connection ended before the response did, so the status alone does not prove anything.
fn silence(answer: &Response, said: &BodyMeaning) -> AttemptResult {
    let code = if *said == BodyMeaning::Cut { ComplaintCode::NoAnswer } else { ComplaintCode::Unreadable };
    unanswered(DoubtCause::Silence, complaint(code, answer, said))
}

/// A proxy or gateway answered. The application may still be working on the request.
fn gateway(answer: &Response, said: &BodyMeaning) -> AttemptResult {
    let complaint = complaint(ComplaintCode::NoAnswer, answer, said);
    let pause = if answer.status == 503 { pause::retry_after(&answer.headers, answer.received) } else { None };
    AttemptResult::Unanswered { cause: DoubtCause::Gateway, complaint, pause }
}

fn unintelligible(answer: &Response, said: &BodyMeaning) -> AttemptResult {
    unanswered(DoubtCause::Unintelligible, complaint(ComplaintCode::Unreadable, answer, said))
}

fn unanswered(cause: DoubtCause, complaint: Complaint) -> AttemptResult {
    AttemptResult::Unanswered { cause, complaint, pause: None }
}

pub(super) fn redirect(answer: &Response) -> StopWords {
    let to =
        answer.headers.location_host.as_deref().map(|host| format!(" to {}", answer.quote(host))).unwrap_or_default();
    let why = format!("the server redirects{to} instead of answering (HTTP {})", answer.status);
    StopWords::advising(why, CHECK_URL)
}

fn shared_fault(status: u16, answer: &Response, said: &BodyMeaning) -> String {
    let what = match status {
        402 => "the account needs a payment before it can create customers",
        404 | 405 | 410 => "customers cannot be created at this address",
        415 => "the server refuses JSON",
        426 => "the server requires another version of the protocol",
        _ => "the server refuses the request",
    };
    format!("{what} ({})", describe(answer, said))
}

fn too_large(answer: &Response, said: &BodyMeaning, sent: SentRequest<'_>) -> String {
    format!(
        "the server refuses a request of this size, a body of {} ({})",
        counted(sent.body.len() as u64, "byte"),
        describe(answer, said)
    )
}

fn forbidden(answer: &Response, said: &BodyMeaning) -> String {
    format!("the API forbids it ({})", describe(answer, said))
}

fn firewall(answer: &Response, said: &BodyMeaning) -> String {
    format!("a firewall in front of the API refuses this record ({})", describe(answer, said))
}

fn key_fault(words: &str) -> String {
    format!("the server refuses the idempotency key ({words})")
}

fn complaint(code: ComplaintCode, answer: &Response, said: &BodyMeaning) -> Complaint {
    Complaint { code, message: describe(answer, said) }
}

/// Returns the status with a short description of the body: `HTTP 502: an HTML page`.
fn describe(answer: &Response, said: &BodyMeaning) -> String {
    let what = match said {
        BodyMeaning::KeyFault(words)
        | BodyMeaning::Busy(words)
        | BodyMeaning::Email(_, words)
        | BodyMeaning::Fields(words)
        | BodyMeaning::WentWrong(words)
        | BodyMeaning::Reason(words) => words,
        BodyMeaning::Created { .. } | BodyMeaning::Contradiction => "success and failure at once",
        BodyMeaning::KeyExpired => "idempotency key expired",
        BodyMeaning::NoId => "a success without a customer id",
        BodyMeaning::Nothing => "JSON without a reason",
        BodyMeaning::Cut => "the response was cut short",
        BodyMeaning::TooLong => "a response longer than 1 MiB",
        BodyMeaning::Unreadable(kind) => unreadable(*kind, answer),
    };
    format!("HTTP {}: {what}", answer.status)
}

/// The headers may announce a page although the body does not look like one.
fn unreadable(kind: Unreadable, answer: &Response) -> &'static str {
    let says_html = answer.headers.content_type.as_deref().is_some_and(|kind| kind.contains("text/html"));
    if says_html && kind == Unreadable::NotJson { Unreadable::Html.as_str() } else { kind.as_str() }
}

#[cfg(test)]
mod tests;
