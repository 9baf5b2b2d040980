//! Classifies responses to a login or a refresh. Pure.

use std::time::Duration;

use serde_json_borrow::{ObjectAsVec, Value};

use super::body_meaning::went_wrong;
use super::envelope::{Envelope, StatusClaim, text_of};
use super::pause;
use super::response::{Body, Response};
use super::token::Token;
use crate::domain::StopReason;

/// The longest life that is believed. A longer one is a mistake of the server, and renewing once a
/// day does no harm.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The result of one request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantResult {
    Granted {
        token: Token,
        /// Counted from the start of the request. `None` if the response does not say or says
        /// nonsense.
        life: Option<Duration>,
    },
    /// The API refused the credentials.
    Refused(String),
    /// A success without a token that could be sent.
    NoToken,
    /// The API does not offer it: redirect, 404, 405.
    NotOffered(String),
    Throttled {
        pause: Duration,
    },
    /// No response, 5xx, or unreadable. Worth another attempt.
    Failed(Failing),
    /// The same for every request: the server cannot be trusted.
    Stop(StopReason),
}

/// A request for a token that failed and may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub cause: String,
    pub retry_after: Option<Duration>,
    /// Whether nothing of the API itself answered.
    pub is_down: bool,
}

pub(super) fn grant(answer: &Response) -> GrantResult {
    let envelope = match &answer.body {
        Body::Whole(bytes) => Envelope::read(bytes).ok(),
        Body::Cut | Body::TooLong | Body::Packed => None,
    };
    let claim = envelope.as_ref().map(Envelope::claim);
    let reason = || envelope.as_ref().and_then(|envelope| envelope.sentences().into_iter().next());
    let status = match (answer.status, claim) {
        (200..=299, Some(StatusClaim::Failure(Some(inner)))) => inner,
        (status, _) => status,
    };
    let is_exception = || reason().is_some_and(|reason| went_wrong(&reason.to_lowercase()));
    let described = || match reason() {
        Some(reason) => format!("HTTP {status}: {}", answer.quote(&reason)),
        None => format!("HTTP {status}"),
    };
    match (status, claim) {
        (429, _) => GrantResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) },
        (300..=399 | 404 | 405, _) => GrantResult::NotOffered(described()),
        (401, _) => GrantResult::Refused(described()),
        // Worth another attempt, as for a customer.
        (200..=299 | 400, Some(StatusClaim::Failure(_) | StatusClaim::Silent)) if is_exception() => {
            GrantResult::Failed(failing(answer, status, described()))
        }
        (200..=299, Some(StatusClaim::Success | StatusClaim::Silent)) => {
            envelope.as_ref().and_then(granted).unwrap_or(GrantResult::NoToken)
        }
        (200..=299, Some(StatusClaim::Failure(_))) if reason().is_some() => GrantResult::Refused(described()),
        (408 | 425, _) | (200..=299 | 500.., _) => GrantResult::Failed(failing(answer, status, described())),
        (400..=499, Some(StatusClaim::Failure(_) | StatusClaim::Silent)) if reason().is_some() => {
            GrantResult::Refused(described())
        }
        _ => GrantResult::Failed(failing(answer, status, described())),
    }
}

fn failing(answer: &Response, status: u16, cause: String) -> Failing {
    Failing {
        cause,
        retry_after: pause::retry_after(&answer.headers, answer.received),
        is_down: matches!(status, 502..=504 | 520..=529),
    }
}

fn granted(envelope: &Envelope<'_>) -> Option<GrantResult> {
    let place = envelope.data().into_iter().chain([envelope.root()]).find(|map| map.contains_key("access_token"))?;
    let token = Token::parse(&text_of(place, "access_token")?).ok()?;
    Some(GrantResult::Granted { token, life: life(place) })
}

/// Returns `expires_in` in seconds, a number or a text. Returns `None` for anything else.
fn life(map: &ObjectAsVec<'_>) -> Option<Duration> {
    let seconds = match map.get("expires_in")? {
        Value::Number(number) => number.as_f64()?,
        Value::Str(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds >= 1.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_LIFE.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::api::headers::ResponseHeaders;
    use crate::redact::Redactor;

    fn of(status: u16, body: &str) -> GrantResult {
        let headers = ResponseHeaders { retry_after: Some("7".to_owned()), ..ResponseHeaders::default() };
        let body = Body::Whole(body.as_bytes().to_vec());
        let secrets = Redactor::default();
        secrets.learn("me");
        grant(&Response { status, headers, body, received: SystemTime::UNIX_EPOCH, secrets })
    }

    fn kind(result: &GrantResult) -> &'static str {
        match result {
            GrantResult::Granted { .. } => "granted",
            GrantResult::Refused(_) => "refused",
            GrantResult::NoToken => "no token",
            GrantResult::NotOffered(_) => "not offered",
            GrantResult::Throttled { .. } => "throttled",
            GrantResult::Failed(Failing { is_down: true, .. }) => "down",
            GrantResult::Failed(_) => "failed",
            GrantResult::Stop(_) => "stop",
        }
    }

    #[test]
    fn status_and_body_are_judged_together() {
        const TOKEN: &str = r#"{"status":"success","status_code":200,"data":{"access_token":"t","expires_in":600}}"#;
        const NO: &str = r#"{"status":"failed","status_code":401,"data":{"error":"Invalid login credentials"}}"#;
        for (status, body, expected) in [
            (200, TOKEN, "granted"),
            (201, r#"{"access_token":"t"}"#, "granted"),
            (200, r#"7{"data":{"access_token":"t"}}"#, "granted"),
            (401, NO, "refused"),
            (200, NO, "refused"),
            (401, "", "refused"),
            (403, "<html>", "failed"),
            (403, r#"{"message":"Forbidden"}"#, "refused"),
            (
                400,
                r#"{"status":"failed","status_code":400,"data":{"error":"Something went wrong, please try again later"}}"#,
                "failed",
            ),
            (
                200,
                r#"{"status":"failed","status_code":400,"data":{"error":"Something went wrong, please try again later"}}"#,
                "failed",
            ),
            (422, r#"{"message":"Validation failed","errors":{"account_id":["required"]}}"#, "refused"),
            (400, r#"{"error":"Invalid request"}"#, "refused"),
            (200, r#"{"status":"failed","message":"no"}"#, "refused"),
            (400, "<html>", "failed"),
            (200, r#"{"status":"success","data":{}}"#, "no token"),
            (200, r#"{"status":"success","data":{"access_token":"two words"}}"#, "no token"),
            (200, r#"{"status":"success","data":{"access_token":null}}"#, "no token"),
            (200, "<html>", "failed"),
            (200, "", "failed"),
            (401, TOKEN, "refused"),
            (500, TOKEN, "failed"),
            (500, r#"{"message":"Server Error"}"#, "failed"),
            (408, "", "failed"),
            (502, "<html>", "down"),
            (503, "", "down"),
            (429, r#"{"message":"Too Many Attempts."}"#, "throttled"),
            (302, "", "not offered"),
            (404, r#"{"message":"Not Found"}"#, "not offered"),
            (405, "", "not offered"),
        ] {
            assert_eq!(kind(&of(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_life_is_a_number_of_seconds_however_it_is_written_and_nonsense_tells_nothing() {
        for (written, seconds) in [
            ("600", Some(600.0)),
            ("\"600\"", Some(600.0)),
            ("1.5", Some(1.5)),
            ("3", Some(3.0)),
            ("0", None),
            ("-1", None),
            ("1e-9", None),
            ("null", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
            ("[600]", None),
            ("1e300", Some(86_400.0)),
            ("\"inf\"", Some(86_400.0)),
            ("99999999999999999999999999", Some(86_400.0)),
        ] {
            let body = format!(r#"{{"data":{{"access_token":"t","expires_in":{written}}}}}"#);
            let GrantResult::Granted { life, .. } = of(200, &body) else { panic!("{written}") };
            assert_eq!(life, seconds.map(Duration::from_secs_f64), "{written}");
        }
    }

    #[test]
    fn the_words_of_a_refusal_are_shown_without_the_account() {
        let GrantResult::Refused(words) = of(401, r#"{"message":"me is unknown"}"#) else { panic!("not refused") };
        assert_eq!(words, "HTTP 401: *** is unknown");
    }
}
