//! What an answer to `POST {base}/customer` means. Pure: status and body judged together, in one table.

use super::envelope::Unreadable;
use super::said::{Said, hear};
use super::{Answer, Sent, pause};
use crate::domain::{AttemptResult, Complaint, ComplaintCode, DoubtCause, StopReason};

/// The table of answers. The order of the arms is part of it: what the status alone decides comes first, then what makes an answer
/// unbelievable, then what body and status say together, and doubt is what is left.
#[must_use]
pub fn classify(answer: &Answer, sent: Sent<'_>) -> AttemptResult {
    let (status, said) = hear(answer.status, &answer.body, sent);
    match (status, said) {
        (401, _) => AttemptResult::Unauthorized,
        (429, _) => AttemptResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) },
        (300..=399, _) => configuration(redirect(answer)),
        (502 | 504 | 520..=529, said) => gateway(answer, &said),

        (_, said @ (Said::Cut | Said::TooLong)) => silence(answer, &said),
        (_, said @ Said::Contradiction) => unintelligible(answer, &said),

        (200..=299, Said::Created { receipt, other_email }) => {
            AttemptResult::Created { receipt: *receipt, other_email }
        }

        (500, said) => AttemptResult::ServerError(complaint(ComplaintCode::ServerError, answer, &said)),
        (503, said) => AttemptResult::Unavailable {
            retry_after: pause::retry_after(&answer.headers, answer.received),
            complaint: complaint(ComplaintCode::ServerError, answer, &said),
        },
        (402 | 404 | 405 | 413 | 415, said) => configuration(shared_fault(status, answer, &said)),
        (403, said) => AttemptResult::Forbidden(complaint(ComplaintCode::Rejected, answer, &said)),
        (408 | 425, said) => AttemptResult::InProgress(complaint(ComplaintCode::NoAnswer, answer, &said)),

        (200..=299 | 400..=499, Said::KeyExpired) => AttemptResult::KeyExpired,
        (200..=299 | 400..=499, Said::KeyFault(words)) => configuration(key_fault(&words)),
        (200..=299 | 400..=499, Said::Busy(words)) => {
            AttemptResult::InProgress(Complaint { code: ComplaintCode::NoAnswer, message: words })
        }
        (200..=299 | 400..=499, Said::EmailExists(words)) => {
            AttemptResult::EmailExists(Complaint { code: ComplaintCode::EmailExists, message: words })
        }
        (200..=299 | 400..=499, Said::Fields(words)) => {
            AttemptResult::Rejected(Complaint { code: ComplaintCode::FieldRejected, message: words })
        }
        (200..=299 | 400..=499, Said::WentWrong(words)) => {
            AttemptResult::ServerError(Complaint { code: ComplaintCode::ServerError, message: words })
        }
        (400..=499, Said::Reason(words)) => {
            AttemptResult::Rejected(Complaint { code: ComplaintCode::Rejected, message: words })
        }

        (
            _,
            said @ (Said::Created { .. }
            | Said::NoId
            | Said::KeyExpired
            | Said::KeyFault(_)
            | Said::Busy(_)
            | Said::EmailExists(_)
            | Said::Fields(_)
            | Said::WentWrong(_)
            | Said::Reason(_)
            | Said::Nothing
            | Said::Unreadable(_)),
        ) => unintelligible(answer, &said),
    }
}

fn configuration(message: String) -> AttemptResult {
    AttemptResult::Stop(StopReason::Configuration(message))
}

/// The end of the connection came before the end of the answer: its status alone is no proof of anything.
fn silence(answer: &Answer, said: &Said) -> AttemptResult {
    let code = if *said == Said::Cut { ComplaintCode::NoAnswer } else { ComplaintCode::Unreadable };
    AttemptResult::Unanswered { cause: DoubtCause::Silence, complaint: complaint(code, answer, said) }
}

fn gateway(answer: &Answer, said: &Said) -> AttemptResult {
    let complaint = complaint(ComplaintCode::NoAnswer, answer, said);
    AttemptResult::Unanswered { cause: DoubtCause::Gateway, complaint }
}

fn unintelligible(answer: &Answer, said: &Said) -> AttemptResult {
    let complaint = complaint(ComplaintCode::Unreadable, answer, said);
    AttemptResult::Unanswered { cause: DoubtCause::Unintelligible, complaint }
}

pub(super) fn redirect(answer: &Answer) -> String {
    let to = answer.headers.location_host.as_deref().map(|host| format!(" to {host}")).unwrap_or_default();
    format!("the server redirects{to} instead of answering (HTTP {}); check the base URL", answer.status)
}

fn shared_fault(status: u16, answer: &Answer, said: &Said) -> String {
    let what = match status {
        402 => "the account needs a payment before it can create customers",
        404 | 405 => "customers cannot be created at this address; check the base URL",
        413 => "the server refuses requests of this size",
        _ => "the server refuses JSON",
    };
    format!("{what} ({})", describe(answer, said))
}

fn key_fault(words: &str) -> String {
    format!("the server refuses the idempotency key ({words}); does a proxy remove the Idempotency-Key header?")
}

fn complaint(code: ComplaintCode, answer: &Answer, said: &Said) -> Complaint {
    Complaint { code, message: describe(answer, said) }
}

/// `HTTP 502: an HTML page`.
fn describe(answer: &Answer, said: &Said) -> String {
    let what = match said {
        Said::KeyFault(words)
        | Said::Busy(words)
        | Said::EmailExists(words)
        | Said::Fields(words)
        | Said::WentWrong(words)
        | Said::Reason(words) => words,
        Said::Created { .. } | Said::Contradiction => "success and failure at once",
        Said::KeyExpired => "idempotency key expired",
        Said::NoId => "success, but no id of a customer",
        Said::Nothing => "JSON without a reason",
        Said::Cut => "the answer was cut short",
        Said::TooLong => "an answer longer than 1 MiB",
        Said::Unreadable(kind) => unreadable(*kind, answer),
    };
    format!("HTTP {}: {what}", answer.status)
}

/// A page may come in a body that does not look like one.
fn unreadable(kind: Unreadable, answer: &Answer) -> &'static str {
    let says_html = answer.headers.content_type.as_deref().is_some_and(|kind| kind.contains("text/html"));
    if says_html && kind == Unreadable::NotJson { Unreadable::Html.as_str() } else { kind.as_str() }
}

#[cfg(test)]
mod tests;
