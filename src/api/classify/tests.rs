//! Tests the table of responses, row by row.

use std::time::{Duration, SystemTime};

use super::*;
use crate::api::headers::ResponseHeaders;
use crate::api::response::Body;
use crate::api::wire::SentRequest;
use crate::domain::{Data, Receipt};

/// Its field names are what counts. Some are called `error` and `message`, but an error under these
/// names is about the whole request.
const SENT: SentRequest<'static> = SentRequest {
    email: "ada@example.org",
    body: br#"{"customer_address":"","customer_country":"","customer_email":"","customer_name":"","customer_phone":"",
               "customer_type":"","send_kyc_mail":"","error":"","message":""}"#,
};

fn answer(status: u16, body: impl AsRef<[u8]>) -> Response {
    Response {
        status,
        headers: ResponseHeaders::default(),
        body: Body::Whole(body.as_ref().to_vec()),
        received: SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000),
        secrets: crate::redact::Redactor::default(),
    }
}

fn result(status: u16, body: &str) -> AttemptResult {
    classify(&answer(status, body), SENT)
}

/// Returns the class of a result in one word, with the server's words if they matter.
fn class(result: &AttemptResult) -> String {
    match result {
        AttemptResult::NotSent { .. } => "not sent".to_owned(),
        AttemptResult::Created { .. } => "created".to_owned(),
        AttemptResult::EmailRefused { complaint, words: EmailWords::Exists } => {
            format!("exists: {}", complaint.message)
        }
        AttemptResult::EmailRefused { complaint, words: EmailWords::Unclear } => {
            format!("unclear: {}", complaint.message)
        }
        AttemptResult::EmailRefused { words: EmailWords::Conflict, .. } => "conflict".to_owned(),
        AttemptResult::Rejected(complaint) => format!("{}: {}", complaint.code.as_str(), complaint.message),
        AttemptResult::Unanswered { cause, .. } => format!("{cause:?}"),
        AttemptResult::ServerError(_) => "server error".to_owned(),
        AttemptResult::KeyExpired => "key expired".to_owned(),
        AttemptResult::InProgress(_) => "in progress".to_owned(),
        AttemptResult::Throttled { .. } => "throttled".to_owned(),
        AttemptResult::Unauthorized => "unauthorized".to_owned(),
        AttemptResult::Refused { refusal: Refusal { scope, by_api: true, .. }, .. } => format!("{scope:?}"),
        AttemptResult::Refused { refusal: Refusal { scope, by_api: false, .. }, .. } => format!("{scope:?} by a page"),
        AttemptResult::Stop(StopReason::Configuration(_)) => "stop".to_owned(),
        AttemptResult::Stop(other) => format!("{other:?}"),
    }
}

fn table(rows: &[(u16, &str, &str)]) {
    for (status, body, expected) in rows {
        assert_eq!(class(&result(*status, body)), *expected, "{status} {body}");
    }
}

const DOCUMENT: &str = r#"{"status":"success","status_code":200,"message":"Customer created successfully","data":{"id":"21fe7601","full_name":"Ada","email":"ADA@example.org","type":"individual","kyc_link":"https://bridge.withpersona.com/verify?fields[developer_id]=a&redirect-uri=https%3A%2F%2Fx","tos_link":"https://dashboard.bridge.xyz/accept?customer_id=1","kyc_status":"approved","rejection_reasons":[],"tos_status":"pending","created_at":"2024-12-01T18:46:15.392Z","customer_id":"7d5b9315","persona_inquiry_type":"gov_id_db"}}"#;
const REFERENCE: &str = r#"{"status":"success","message":"ok","data":{"customer_id":"c1","customer_name":"Ada","customer_email":"ada@example.org","customer_status":"active","created_at":"2026-04-02T10:00:00.000000Z"}}"#;
const SOURCE: &str = r#"{"status":"success","status_code":201,"message":"ok","data":{"customer_id":"c1"}}"#;
const EXISTS: &str = r#"{"status":"failed","status_code":422,"message":"Request failed.","data":{"customer_email":["Customer email already exists."]}}"#;
const WENT_WRONG: &str = r#"{"status":"failed","status_code":400,"message":"Request failed.","data":{"error":"Something went wrong, please try again later"}}"#;

#[test]
fn success_is_recognised_in_every_dialect() {
    table(&[
        (200, DOCUMENT, "created"),
        (201, DOCUMENT, "created"),
        (201, REFERENCE, "created"),
        (200, SOURCE, "created"),
        (200, &format!("7{SOURCE}\n"), "created"),
        (200, &format!("\u{feff}{SOURCE}"), "created"),
        (200, r#"{"data":{"id":7}}"#, "created"),
        (200, r#"{"customer_id":"c1"}"#, "created"),
        (200, r#"{"status":"success","data":[{"customer_id":"c1"}]}"#, "created"),
        (200, r#"{"status":"success","customer_id":"c1","data":"done"}"#, "created"),
    ]);
}

#[test]
fn the_receipt_is_carried_byte_for_byte() {
    let AttemptResult::Created { receipt, other_email } = result(200, DOCUMENT) else { panic!("not created") };
    let data = &DOCUMENT[DOCUMENT.find("{\"id\"").unwrap()..DOCUMENT.len() - 1];
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        receipt,
        Receipt {
            id: text("21fe7601"),
            customer_id: text("7d5b9315"),
            kyc_link: text("https://bridge.withpersona.com/verify?fields[developer_id]=a&redirect-uri=https%3A%2F%2Fx"),
            tos_link: text("https://dashboard.bridge.xyz/accept?customer_id=1"),
            kyc_status: text("approved"),
            tos_status: text("pending"),
            created_at: text("2024-12-01T18:46:15.392Z"),
            data: Data::Kept(data.to_owned()),
        }
    );
    assert_eq!(other_email, None, "case does not make another e-mail");
}

#[test]
fn another_email_in_the_answer_is_told() {
    let body = r#"{"status":"success","data":{"id":"1","email":"eve@example.org"}}"#;
    let AttemptResult::Created { other_email, .. } = result(200, body) else { panic!("not created") };
    assert_eq!(other_email.as_deref(), Some("eve@example.org"));
}

#[test]
fn a_2xx_without_proof_is_doubt() {
    table(&[
        (200, r#"{"status":"success","status_code":200,"data":{}}"#, "Unintelligible"),
        (200, r#"{"status":"success","data":{"id":null,"customer_id":"  "}}"#, "Unintelligible"),
        (200, r#"{"status":"success","data":{"id":["1"]}}"#, "Unintelligible"),
        (200, r#"{"status":"success","data":{"id":1.5}}"#, "Unintelligible"),
        (200, r#"{"status":"success","data":[{"id":"1"},{"id":"2"}]}"#, "Unintelligible"),
        (200, r#"{"status":"pending","data":{"id":"1"}}"#, "Unintelligible"),
        (200, r#"{"status":"success","status_code":422,"data":{"id":"1"}}"#, "Unintelligible"),
        (202, "", "Unintelligible"),
        (204, "", "Unintelligible"),
        (200, "<html>hotel network</html>", "Unintelligible"),
        (200, r#"{"status":"success","data":{"id":"1"}"#, "Unintelligible"),
        (200, r#"{"status":"success","data":{"id":"1"}} trailing"#, "Unintelligible"),
        (101, SOURCE, "Unintelligible"),
    ]);
}

#[test]
fn a_failure_within_a_2xx_is_judged_by_its_own_code() {
    table(&[
        (200, EXISTS, "exists: Customer email already exists."),
        (200, WENT_WRONG, "server error"),
        (201, r#"{"status":"failed","status_code":401,"data":{"error":"Unauthenticated"}}"#, "unauthorized"),
        (200, r#"{"status":"failed","status_code":429,"message":"Too Many Attempts."}"#, "throttled"),
        (200, r#"{"status":"failed","status_code":500,"message":"Server Error"}"#, "server error"),
        (200, r#"{"status":"failed","status_code":503}"#, "Gateway"),
        (200, r#"{"status":"failed","status_code":400,"message":"Too young"}"#, "api.rejected: Too young"),
        (200, r#"{"status_code":400,"message":"Too young"}"#, "api.rejected: Too young"),
        (200, r#"{"status":"failed","data":{"customer_email":"is taken"}}"#, "exists: is taken"),
        (200, r#"{"status":"failed","data":{"customer_phone":"bad"}}"#, "api.field_rejected: customer_phone: bad"),
        (200, r#"{"status":"failed","message":"Something went wrong"}"#, "server error"),
        (200, r#"{"status":"failed","message":"Too young"}"#, "api.rejected: Too young"),
        (200, r#"{"status":"error","message":"Email is in use"}"#, "exists: Email is in use"),
        (200, r#"{"success":false,"error":"Kein Zugang"}"#, "api.rejected: Kein Zugang"),
        (200, r#"{"status":"failed","status_code":404,"message":"x"}"#, "Endpoint"),
        (200, r#"{"status":"failed","status_code":409,"message":"x"}"#, "conflict"),
        (200, r#"{"status":"failed","data":{"id":"1"}}"#, "Unintelligible"),
    ]);
}

#[test]
fn a_success_within_another_status_is_doubt() {
    for status in [400, 402, 403, 404, 408, 409, 413, 422, 451, 500, 501] {
        assert_eq!(class(&result(status, REFERENCE)), "Unintelligible", "{status}");
        assert_eq!(class(&result(status, SOURCE)), "Unintelligible", "{status}");
    }
    // The status decides these, whatever the body says.
    table(&[
        (401, SOURCE, "unauthorized"),
        (429, SOURCE, "throttled"),
        (302, SOURCE, "stop"),
        (502, SOURCE, "Gateway"),
        (503, SOURCE, "Gateway"),
    ]);
}

#[test]
fn an_email_in_use_is_recognised_wherever_the_server_says_so() {
    let in_data = "exists: Customer email already exists.";
    let taken = "exists: The customer email has already been taken.";
    table(&[
        (400, EXISTS, in_data),
        (409, EXISTS, in_data),
        (422, EXISTS, in_data),
        (
            422,
            r#"{"status":"error","message":"Validation failed","errors":{"customer_email":["The customer email has already been taken."]}}"#,
            taken,
        ),
        (422, r#"{"message":"The customer email has already been taken."}"#, taken),
        (409, r#"{"message":"Customer already exists"}"#, "exists: Customer already exists"),
        (400, r#"{"status":"failed","message":"Request failed.","data":"Customer email already exists."}"#, in_data),
        (422, r#"{"data":{"customer_email":"Already registered"}}"#, "exists: Already registered"),
        (422, r#"{"errors":{"email":["taken"]}}"#, "exists: taken"),
        (422, r#"{"data":{"error":"Customer email already exists."}}"#, in_data),
        (422, r#"{"errors":{"customer_name":["too long"],"customer_email":["taken"]}}"#, "exists: taken"),
    ]);
}

#[test]
fn what_only_sounds_like_an_email_in_use_is_not() {
    table(&[
        (
            422,
            r#"{"message":"The customer phone has already been taken.","errors":{"customer_phone":["The customer phone has already been taken."]}}"#,
            "api.field_rejected: customer_phone: The customer phone has already been taken.",
        ),
        (
            422,
            r#"{"message":"Customer already exists","errors":{"customer_phone":["taken"]}}"#,
            "api.field_rejected: customer_phone: taken",
        ),
        (400, r#"{"message":"This phone is already registered"}"#, "api.rejected: This phone is already registered"),
        (422, r#"{"message":"Already exists"}"#, "api.rejected: Already exists"),
        (
            422,
            r#"{"data":{"customer_email":["The email domain does not exist."]}}"#,
            "api.field_rejected: customer_email: The email domain does not exist.",
        ),
        (409, r#"{"message":"A request for this customer is already in progress"}"#, "in progress"),
    ]);
}

#[test]
fn any_other_complaint_about_the_email_and_any_other_409_may_mean_that_it_is_in_use() {
    table(&[
        (
            422,
            r#"{"data":{"customer_email":["ist bereits vergeben"]}}"#,
            "unclear: customer_email: ist bereits vergeben",
        ),
        (400, r#"{"errors":{"email":["ya está en uso"]}}"#, "unclear: email: ya está en uso"),
        (422, r#"{"message":"E-Mail wird bereits verwendet"}"#, "unclear: E-Mail wird bereits verwendet"),
        (422, r#"{"message":"El correo ya existe"}"#, "unclear: El correo ya existe"),
        (
            422,
            r#"{"errors":{"customer_email":["no"],"customer_name":["too long"]}}"#,
            "unclear: customer_email: no; customer_name: too long",
        ),
        (422, r#"{"errors":{"customer_email":["must be unique"]}}"#, "exists: must be unique"),
        (409, r#"{"message":"Email is in use"}"#, "exists: Email is in use"),
        (409, r#"{"message":"Conflict"}"#, "conflict"),
        (409, r#"{"errors":{"customer_phone":["taken"]}}"#, "conflict"),
        (409, r#"{"message":"Something went wrong"}"#, "conflict"),
        (409, "", "conflict"),
        (409, "<html></html>", "conflict"),
        (
            422,
            r#"{"data":{"customer_email":["The email format is invalid."]}}"#,
            "api.field_rejected: customer_email: The email format is invalid.",
        ),
        (400, r#"{"message":"The email is invalid"}"#, "api.rejected: The email is invalid"),
    ]);
}

#[test]
fn words_of_in_progress_win_over_any_status_that_may_come_from_the_application() {
    let body = r#"{"message":"A request with this idempotency key is still being processed"}"#;
    for status in [400, 402, 403, 404, 409, 413, 422, 500, 502, 503, 504] {
        assert_eq!(class(&result(status, body)), "in progress", "{status}");
    }
}

#[test]
fn complaints_about_fields_reject_in_the_words_of_the_server() {
    table(&[
        (
            400,
            r#"{"status":"failed","status_code":400,"message":"Request failed.","data":{"customer_name":["The customer name field is required."]}}"#,
            "api.field_rejected: customer_name: The customer name field is required.",
        ),
        (
            422,
            r#"{"errors":{"customer_phone":["bad","too short"],"customer_name":"odd"}}"#,
            "api.field_rejected: customer_phone: bad, too short; customer_name: odd",
        ),
        (
            422,
            r#"{"errors":{"customer_address.city":["required"]}}"#,
            "api.field_rejected: customer_address.city: required",
        ),
        (
            422,
            r#"{"message":"Something went wrong","errors":{"customer_phone":["bad"]}}"#,
            "api.field_rejected: customer_phone: bad",
        ),
        // Not complaints: other names, notes, and the request repeated.
        (422, r#"{"errors":{"account":["suspended"]}}"#, "api.rejected: account: suspended"),
        (422, r#"{"data":{"message":"no"}}"#, "api.rejected: no"),
        (422, r#"{"errors":{"customer_phone":[]},"message":"no"}"#, "api.rejected: no"),
        (
            400,
            r#"{"message":"Limit reached","data":{"customer_name":"Ada","customer_email":"ada@example.org"}}"#,
            "api.rejected: Limit reached",
        ),
    ]);
}

#[test]
fn an_exception_on_the_server_is_doubt_with_an_answer() {
    table(&[
        (400, WENT_WRONG, "server error"),
        (400, &format!("7{WENT_WRONG}"), "server error"),
        (422, r#"{"message":"Something went wrong"}"#, "server error"),
        (500, r#"{"message":"Server Error"}"#, "server error"),
        (500, &format!("7{}", r#"{"status":"failed","status_code":500,"message":"x"}"#), "server error"),
        (500, EXISTS, "server error"),
    ]);
}

#[test]
fn a_500_that_the_application_did_not_write_and_every_503_prove_nothing() {
    let envelope = r#"{"status":"failed","status_code":503,"message":"down"}"#;
    table(&[
        (500, "<html>oops</html>", "Gateway"),
        (500, "", "Gateway"),
        (500, r#"{"message":"Internal server error"}"#, "Gateway"),
        (500, r#"{"message":"Server Error","exception":"x"}"#, "Gateway"),
        (500, r#"{"status":"failed"}"#, "Gateway"),
        (503, r#"{"message":"Service Unavailable"}"#, "Gateway"),
        (503, r#"{"message":"Server Error"}"#, "Gateway"),
        (503, envelope, "Gateway"),
        (503, "", "Gateway"),
    ]);
}

#[test]
fn the_fate_of_the_key_is_told_apart() {
    table(&[
        (400, r#"{"error":"Idempotency-Key expired. Please use a new key."}"#, "key expired"),
        (400, r#"{"error":"Idempotency-Key is required for this request."}"#, "Endpoint"),
        (400, r#"{"status":"failed","status_code":400,"data":{"error":"Idempotency key missing"}}"#, "Endpoint"),
        (422, r#"{"error":{"message":"Idempotency-Key was used with another payload"}}"#, "Endpoint"),
        (409, r#"{"error":"A request with this Idempotency-Key is being processed"}"#, "in progress"),
    ]);
}

#[test]
fn what_the_status_decides() {
    table(&[
        (302, "", "stop"),
        (304, "", "stop"),
        (307, "<html></html>", "stop"),
        (401, r#"{"message":"Unauthenticated."}"#, "unauthorized"),
        (401, "", "unauthorized"),
        (402, "", "Endpoint by a page"),
        (402, r#"{"status":"failed","status_code":402,"message":"pay"}"#, "Endpoint"),
        (403, "<html></html>", "Firewall by a page"),
        (403, "", "Firewall by a page"),
        (403, r#"{"message":"Forbidden"}"#, "Account"),
        (404, r#"{"message":"Not Found"}"#, "Endpoint by a page"),
        (405, "", "Endpoint by a page"),
        (408, "", "in progress"),
        (410, r#"{"message":"Gone"}"#, "Endpoint by a page"),
        (413, "<html></html>", "Record by a page"),
        (413, r#"{"status":"failed","status_code":413,"message":"x"}"#, "Record"),
        (414, "", "Record by a page"),
        (415, "", "Endpoint by a page"),
        (419, r#"{"message":"Page Expired"}"#, "Endpoint by a page"),
        (421, "", "Endpoint by a page"),
        (425, "", "in progress"),
        (426, "", "Endpoint by a page"),
        (429, "<html></html>", "throttled"),
        (431, "", "Record by a page"),
        (502, "<html></html>", "Gateway"),
        (504, "", "Gateway"),
        (520, "", "Gateway"),
        (524, r#"{"message":"x"}"#, "Gateway"),
        (529, "", "Gateway"),
        (501, r#"{"message":"x"}"#, "Unintelligible"),
        (530, "", "Unintelligible"),
    ]);
}

#[test]
fn other_refusals_need_a_readable_reason() {
    table(&[
        (400, r#"{"error":"Invalid request"}"#, "api.rejected: Invalid request"),
        (400, r#"{"errors":["a","b"]}"#, "api.rejected: a, b"),
        (418, r#"{"data":"Too young"}"#, "api.rejected: Too young"),
        (400, r#"{"message":"Request failed.","data":{"error":"Account locked"}}"#, "api.rejected: Account locked"),
        (400, r#"{"message":"<html>no</html>"}"#, "api.rejected: an HTML page"),
        (400, r#"{"status":"failed","status_code":400}"#, "Unintelligible"),
        (400, r#"{"foo":1}"#, "Unintelligible"),
        (400, r#"["Invalid request"]"#, "Unintelligible"),
        (422, "<html></html>", "Unintelligible"),
    ]);
}

#[test]
fn a_body_that_does_not_end_is_silence_unless_the_status_is_enough() {
    for body in [Body::Cut, Body::TooLong] {
        for status in 100..=599 {
            let answer = Response { body: body.clone(), ..answer(status, "") };
            let expected = match status {
                401 => "unauthorized",
                429 => "throttled",
                300..=399 => "stop",
                502..=504 | 520..=529 => "Gateway",
                _ => "Silence",
            };
            assert_eq!(class(&classify(&answer, SENT)), expected, "{status}");
        }
    }
}

/// Returns the class of a status with a body that says nothing. `is_json` is whether that body is
/// JSON.
fn by_status_alone(status: u16, is_json: bool) -> &'static str {
    match status {
        300..=399 => "stop",
        402 | 404 | 405 | 410 | 415 | 419 | 421 | 426 => "Endpoint by a page",
        413 | 414 | 431 => "Record by a page",
        401 => "unauthorized",
        403 if is_json => "Account",
        403 => "Firewall by a page",
        408 | 425 => "in progress",
        409 => "conflict",
        429 => "throttled",
        500 | 502..=504 | 520..=529 => "Gateway",
        _ => "Unintelligible",
    }
}

#[test]
fn every_status_with_every_kind_of_body_has_its_class() {
    for status in 100..=599 {
        for body in ["", "<html></html>", "7", "{", r#"{"foo":[]}"#, "\0\u{1b}"] {
            assert_eq!(
                class(&result(status, body)),
                by_status_alone(status, body.len() > 8 && body.starts_with('{')),
                "{status} {body}"
            );
        }
        let good = match status {
            200..=299 => "created",
            300..=399 | 401 | 429 | 502..=504 | 520..=529 => by_status_alone(status, true),
            _ => "Unintelligible",
        };
        assert_eq!(class(&result(status, REFERENCE)), good, "{status}");
        let silent = by_status_alone(status, true);
        let refused = match status {
            200..=299 => "api.rejected: Invalid request",
            400..=499 if silent == "Unintelligible" => "api.rejected: Invalid request",
            500 => "server error",
            _ => silent.trim_end_matches(" by a page"),
        };
        let envelope = r#"{"status":"error","status_code":400,"error":"Invalid request"}"#;
        assert_eq!(class(&result(status, envelope)), refused, "{status}");
    }
}

#[test]
fn pauses_come_from_the_headers() {
    let headers = ResponseHeaders {
        retry_after: Some("17".to_owned()),
        rate_limit_reset: Some("2000000030".to_owned()),
        ..ResponseHeaders::default()
    };
    let pause = Duration::from_secs(17);
    let with = |status, headers: &ResponseHeaders| {
        classify(&Response { headers: headers.clone(), ..answer(status, "") }, SENT)
    };
    assert_eq!(with(429, &headers), AttemptResult::Throttled { pause });
    let asked = |result| match result {
        AttemptResult::Unanswered { pause, .. } => pause,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(with(503, &headers)), Some(pause));
    assert_eq!(asked(with(502, &headers)), None);
    let reset_only = ResponseHeaders { retry_after: None, ..headers };
    assert_eq!(with(429, &reset_only), AttemptResult::Throttled { pause: Duration::from_secs(30) });
    assert_eq!(asked(with(503, &reset_only)), None);
    assert_eq!(result(429, ""), AttemptResult::Throttled { pause: Duration::from_secs(60) });
}

#[test]
fn a_redirect_names_the_host_it_points_to() {
    let headers = ResponseHeaders { location_host: Some("login.example.org".to_owned()), ..ResponseHeaders::default() };
    let AttemptResult::Stop(reason) = classify(&Response { headers, ..answer(302, "") }, SENT) else {
        panic!("no stop")
    };
    assert!(reason.to_string().contains("redirects to login.example.org"), "{reason}");
}

#[test]
fn words_of_the_server_are_tamed() {
    let body = format!(r#"{{"error":"a\nb\u001b[31m{}"}}"#, "x".repeat(500));
    let AttemptResult::Rejected(complaint) = result(400, &body) else { panic!("not rejected") };
    assert!(complaint.message.starts_with("a\\nb\\u{1b}[31mx"), "{}", complaint.message);
    assert!(complaint.message.chars().count() < 230);
}

#[test]
fn a_request_that_is_too_large_is_refused_with_its_size() {
    let AttemptResult::Refused { complaint, .. } = result(413, "<html></html>") else { panic!("not refused") };
    assert!(complaint.message.contains(&format!("{} bytes", SENT.body.len())), "{}", complaint.message);
}

#[test]
fn doubts_say_what_came() {
    let message = |answer: &Response| match classify(answer, SENT) {
        AttemptResult::Unanswered { complaint, .. } => complaint.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message(&answer(502, "<html></html>")), "HTTP 502: an HTML page");
    assert_eq!(message(&answer(200, "")), "HTTP 200: an empty body");
    let plain_page =
        ResponseHeaders { content_type: Some("text/html; charset=UTF-8".to_owned()), ..Default::default() };
    assert_eq!(message(&Response { headers: plain_page, ..answer(200, "<p>hi") }), "HTTP 200: an HTML page");
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(status: u16, bytes: Vec<u8>, text: String) {
        let json = serde_json::json!({"status": &text, "message": &text, "data": {"customer_email": &text}, "errors": [&text]});
        for body in [bytes, text.into_bytes(), json.to_string().into_bytes()] {
            let result = class(&classify(&answer(status, body), SENT));
            proptest::prop_assert!(!["created", "not sent"].contains(&result.as_str()));
        }
    }
}

#[test]
fn data_above_64_kib_is_not_kept_and_its_size_is_told() {
    let kept = |size: usize| {
        let rest = r#"{"customer_id":"c1","more":""}"#.len();
        let data = format!(r#"{{"customer_id":"c1","more":"{}"}}"#, "x".repeat(size - rest));
        match result(200, &format!(r#"{{"status":"success","data":{data}}}"#)) {
            AttemptResult::Created { receipt, .. } => {
                assert_eq!(receipt.customer_id.as_deref(), Some("c1"));
                receipt.data
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(kept(64 * 1024), Data::Kept(text) if text.len() == 64 * 1024));
    assert_eq!(kept(64 * 1024 + 1), Data::TooLarge(64 * 1024 + 1));
    assert_eq!(kept(1000 * 1024), Data::TooLarge(1000 * 1024));
}

#[test]
fn a_secret_is_hidden_before_the_words_around_it_are_shortened() {
    let (secret, long) = ("s3cret/of-ours", "x".repeat(195));
    let body = format!(
        r#"{{"status":"success","data":{{"id":"{secret}","kyc_status":"{long}{secret}","tos_status":"a {secret}","created_at":"a {secret}"}}}}"#
    );
    let answer = answer(200, body);
    answer.secrets.learn(secret);
    let AttemptResult::Created { receipt, .. } = classify(&answer, SENT) else { panic!("not created") };
    assert_eq!(receipt.id.as_deref(), Some(secret), "ids are never touched");
    assert_eq!(receipt.kyc_status, Some(format!("{long}***")), "not the beginning of the secret");
    assert_eq!((receipt.tos_status.as_deref(), receipt.created_at.as_deref()), (Some("a ***"), Some("a ***")));
}

#[test]
fn what_the_server_says_of_a_customer_beside_ids_and_links_is_short_and_shows_what_it_hides() {
    let long = "x".repeat(100_000);
    let body = format!(
        r#"{{"status":"success","data":{{"id":"a\u001b","kyc_status":"{long}","tos_status":"ok\u202e","created_at":"\u001b[2J"}}}}"#
    );
    let AttemptResult::Created { receipt, .. } = result(200, &body) else { panic!("not created") };
    assert_eq!(receipt.id.as_deref(), Some("a\u{1b}"), "ids are never touched");
    assert_eq!(receipt.kyc_status, Some(format!("{}…", "x".repeat(200))));
    assert_eq!(
        (receipt.tos_status.as_deref(), receipt.created_at.as_deref()),
        (Some("ok\\u{202e}"), Some("\\u{1b}[2J"))
    );
}
