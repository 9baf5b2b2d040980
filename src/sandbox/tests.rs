//! Tests the sandbox as a client meets it: over a socket.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::{Value, json};

use super::*;

const ANN: &str = "ann@example.com";

/// A client that never follows redirects, uses no proxy, and waits no longer than a test should.
fn client() -> Client {
    let builder = Client::builder().tls_certs_only([]).redirect(redirect::Policy::none()).no_proxy();
    builder.timeout(Duration::from_secs(5)).build().unwrap()
}

async fn sandbox(config: Config) -> Sandbox {
    start(config, 0).await.unwrap()
}

async fn faulty(faults: &[&str]) -> Sandbox {
    faulty_with(Config::default(), faults).await
}

async fn faulty_with(config: Config, faults: &[&str]) -> Sandbox {
    sandbox(Config { faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(), ..config }).await
}

fn body(email: &str) -> Value {
    json!({"customer_name": "Ann Lee", "customer_email": email, "customer_phone": "+2349039395114",
        "customer_country": "NGA", "customer_type": "individual", "send_kyc_mail": true})
}

fn post(sandbox: &Sandbox, key: &str, body: &Value) -> RequestBuilder {
    let request = client().post(format!("{}/customer", sandbox.base_url())).bearer_auth("token");
    let request = request.header("accept", "application/json").header("content-type", "application/json");
    request.header("idempotency-key", key).body(body.to_string())
}

fn get(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    let request = client().get(format!("{}{path}", sandbox.base_url()));
    request.bearer_auth("token").header("accept", "application/json")
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

async fn send(request: RequestBuilder) -> (u16, Value) {
    read(request.send().await.unwrap()).await
}

/// The last `answered` line: status, executed, replayed, fault.
fn last_answered(sandbox: &Sandbox) -> (Option<u16>, bool, bool, Option<String>) {
    let found = sandbox.records().into_iter().rev().find_map(|record| match record.event {
        Event::Answered { status, executed, replayed, fault, .. } => Some((status, executed, replayed, fault)),
        _ => None,
    });
    found.unwrap()
}

#[tokio::test]
async fn the_seed_dialect_answers_200_with_two_ids_and_a_raw_link() {
    let sandbox = sandbox(Config::default()).await;
    let response = post(&sandbox, "k1", &body(ANN)).send().await.unwrap();
    assert_eq!(response.headers()["x-ratelimit-limit"], "6000");
    assert_eq!(response.headers()["x-ratelimit-remaining"], "5999");
    let (status, answer) = read(response).await;
    assert_eq!((status, &answer["status"], &answer["status_code"]), (200, &json!("success"), &json!(200)));
    let data = &answer["data"];
    assert_eq!(data["email"], ANN);
    assert_ne!(data["id"], data["customer_id"]);
    assert!(data["kyc_link"].as_str().unwrap().contains("&fields[developer_id]="));
    assert_eq!((sandbox.customers(), sandbox.mails_to(ANN)), (1, 1));

    let (status, answer) = send(post(&sandbox, "k2", &body("Ann@Example.com"))).await;
    assert_eq!((status, &answer["data"]["customer_email"][0]), (422, &json!("Customer email already exists.")));
    let (status, answer) = send(post(&sandbox, "k3", &json!({}))).await;
    assert_eq!((status, &answer["message"]), (400, &json!("Request failed.")));
    assert_eq!(answer["data"]["customer_name"][0], "The customer name field is required.");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_docs_dialect_answers_201_and_has_errors_maps() {
    let sandbox = sandbox(Config { dialect: Dialect::Docs, ..Config::default() }).await;
    let (status, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((status, &answer["data"]["customer_status"]), (201, &json!("active")));
    assert_eq!(answer["data"].get("id"), None);
    let made = answer["data"]["created_at"].as_str().unwrap();
    assert_eq!(made.len(), "2026-04-02T10:00:00.000000Z".len(), "{made}");
    let (status, answer) = send(post(&sandbox, "k2", &body(ANN))).await;
    assert_eq!((status, &answer["status"]), (422, &json!("error")));
    assert_eq!(answer["errors"]["customer_email"][0], "Customer email already exists.");
    let (status, answer) = send(post(&sandbox, "", &body(ANN))).await;
    assert_eq!((status, answer), (400, json!({"error": "Idempotency-Key is required for this request."})));
}

#[tokio::test]
async fn the_laravel_dialect_answers_200_around_201_and_stutters_a_seven() {
    let sandbox = faulty_with(Config { dialect: Dialect::Laravel, ..Config::default() }, &["error-400:bob*"]).await;
    let (status, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((status, &answer["status_code"]), (200, &json!(201)));
    let wrong = post(&sandbox, "k2", &body("bob@example.com")).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    let text = wrong.text().await.unwrap();
    assert!(text.starts_with("7{") && text.contains("Something went wrong, please try again later"), "{text}");
    let (status, answer) = send(post(&sandbox, "", &body(ANN))).await;
    assert_eq!((status, &answer["data"]["error"]), (400, &json!("Idempotency key missing")));
}

#[tokio::test]
async fn a_repeated_key_replays_the_answer_and_a_stored_failure() {
    let sandbox = faulty(&["500-after:first=1"]).await;
    let (status, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((status, answer), (500, json!({"message": "Server Error"})));
    assert_eq!(sandbox.customers(), 1);
    let (status, _) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!(status, 500, "the failure is replayed");
    assert_eq!(last_answered(&sandbox), (Some(500), false, true, None));
    let (status, _) = send(post(&sandbox, "k2", &body(ANN))).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn without_a_key_store_keys_are_not_asked_for() {
    let sandbox = sandbox(Config { idempotency: IdempotencyMode::None, ..Config::default() }).await;
    assert_eq!(send(post(&sandbox, "", &body(ANN))).await.0, 200);
    assert_eq!(send(post(&sandbox, "", &body(ANN))).await.0, 422);
}

#[tokio::test]
async fn an_expired_key_is_refused_by_the_docs_dialect() {
    let config = Config { dialect: Dialect::Docs, key_life: Duration::from_millis(50), ..Config::default() };
    let sandbox = sandbox(config).await;
    assert_eq!(send(post(&sandbox, "k1", &body(ANN))).await.0, 201);
    tokio::time::sleep(Duration::from_millis(60)).await;
    let (status, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((status, answer), (400, json!({"error": "Idempotency-Key expired. Please use a new key."})));
}

#[tokio::test]
async fn two_overlapping_requests_double_only_when_racy() {
    for (racy, customers) in [(true, 2), (false, 1)] {
        let sandbox = sandbox(Config { racy, ..Config::default() }).await;
        let (first, second) = (post(&sandbox, "k1", &body(ANN)), post(&sandbox, "k2", &body(ANN)));
        let _ = tokio::join!(send(first), send(second));
        assert_eq!(sandbox.customers_with(ANN), customers, "racy: {racy}");
        assert_eq!(sandbox.mails_to(ANN), customers);
    }
}

#[tokio::test]
async fn over_the_limit_is_429_with_the_time_to_wait() {
    let sandbox = sandbox(Config { limit: Limit::per_minute(1), ..Config::default() }).await;
    assert_eq!(send(post(&sandbox, "k1", &body(ANN))).await.0, 200);
    let response = get(&sandbox, "/customer").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((55..=60).contains(&wait), "{wait}");
    assert!(response.headers().contains_key("x-ratelimit-reset"));
    assert_eq!(read(response).await.1, json!({"message": "Too Many Attempts."}));
    assert_eq!(sandbox.throttled(), 1);
}

#[tokio::test]
async fn tokens_are_logged_in_for_refreshed_and_refused_when_old() {
    let credentials = Credentials { account_id: "acme".into(), app_secret: "secret".into() };
    let config = Config { token: Some("fixed".into()), credentials: Some(credentials), ..Config::default() };
    let sandbox = sandbox(Config { token_life: Duration::from_millis(300), ..config }).await;
    let login = |secret: &str| {
        let asked = json!({"account_id": "acme", "app_secret": secret}).to_string();
        let request = client().post(format!("{}/auth/login", sandbox.base_url()));
        request.header("accept", "application/json").body(asked)
    };
    let (status, answer) = send(login("wrong")).await;
    assert_eq!((status, &answer["data"]["error"]), (401, &json!("Invalid login credentials")));
    let (_, answer) = send(login("secret")).await;
    assert_eq!(answer["data"]["token_type"], "bearer");
    let token = answer["data"]["access_token"].as_str().unwrap().to_owned();
    let with = |path: &str, token: &str| {
        let request = client().get(format!("{}{path}", sandbox.base_url()));
        request.bearer_auth(token).header("accept", "application/json")
    };
    assert_eq!(send(with("/customer", &token)).await.0, 200);
    let (_, answer) = send(with("/auth/refresh-token", &token)).await;
    assert_ne!(answer["data"]["access_token"], token);
    tokio::time::sleep(Duration::from_millis(350)).await;
    let (status, answer) = send(with("/customer", &token)).await;
    assert_eq!((status, answer), (401, json!({"message": "Unauthenticated."})));
    assert_eq!(send(with("/customer", "fixed")).await.0, 200);
    assert_eq!(send(with("/customer", "unknown")).await.0, 401);
    let log = serde_json::to_string(&sandbox.records()).unwrap();
    assert!(!log.contains(&token) && !log.contains("fixed") && !log.contains("secret"), "{log}");
}

#[tokio::test]
async fn customers_are_looked_up_by_part_of_the_email_a_page_at_a_time() {
    let sandbox = sandbox(Config::default()).await;
    for n in 0..3 {
        send(post(&sandbox, &format!("k{n}"), &body(&format!("ann+{n}@example.com")))).await;
    }
    send(post(&sandbox, "kb", &body("bob@example.com"))).await;
    let (status, answer) = send(get(&sandbox, "/customer?email=ann%2B&per_page=2&page=2")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"][0]["customer_email"], "ann+2@example.com");
    let pages = &answer["pagination"];
    assert_eq!((&pages["total"], &pages["last_page"], &pages["current_page"]), (&json!(3), &json!(2), &json!(2)));
    assert_eq!(pages["next_page_url"], Value::Null);
    assert!(pages["prev_page_url"].as_str().unwrap().ends_with("/customer?page=1"));
    let id = answer["data"][0]["customer_id"].as_str().unwrap();
    let (status, one) = send(get(&sandbox, &format!("/customer/{id}"))).await;
    assert_eq!((status, &one["data"]), (200, &answer["data"][0]));
    assert_eq!(send(get(&sandbox, "/customer/unknown")).await.0, 404);
}

#[tokio::test]
async fn lookups_can_be_switched_off_and_go_wrong() {
    let off = sandbox(Config { lookup: false, ..Config::default() }).await;
    assert_eq!(send(get(&off, "/customer?email=ann")).await.0, 405);
    let wrong = faulty(&["lookup-503:bob*", "lookup-ignores-filter"]).await;
    send(post(&wrong, "k1", &body(ANN))).await;
    assert_eq!(get(&wrong, "/customer?email=bob@example.com").send().await.unwrap().status(), 503);
    let (_, answer) = send(get(&wrong, "/customer?email=carl@example.com")).await;
    assert_eq!(answer["data"][0]["customer_email"], ANN);
}

#[tokio::test]
async fn who_does_not_ask_for_json_is_sent_to_the_login_page_instead_of_an_error() {
    let sandbox = sandbox(Config::default()).await;
    let url = format!("{}/customer", sandbox.base_url());
    let plain = |key: &str| client().post(&url).bearer_auth("token").header("idempotency-key", key);
    let wrong = plain("k1").body("{}").send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), &wrong.headers()["location"]), (302, &"/login".parse().unwrap()));
    let right =
        plain("k2").header("content-type", "application/json").body(body(ANN).to_string()).send().await.unwrap();
    assert_eq!(right.status(), 200, "a success is a success");
    let root = url.trim_end_matches("/api/v1/customer").to_owned();
    let page = client().get(format!("{root}/login")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<title>Login</title>"));
    let nowhere = client().get(format!("{root}/nowhere")).send().await.unwrap();
    assert_eq!(nowhere.status(), 404);
}

#[tokio::test]
async fn a_body_not_announced_as_json_has_no_fields() {
    let sandbox = sandbox(Config::default()).await;
    let url = format!("{}/customer", sandbox.base_url());
    let request = client().post(url).bearer_auth("token").header("accept", "application/json");
    let (status, answer) = send(request.header("idempotency-key", "k1").body(body(ANN).to_string())).await;
    assert_eq!((status, answer["data"].as_object().unwrap().len()), (400, 4));
}

#[tokio::test]
async fn resets_come_before_or_after_saving_and_say_nothing() {
    let sandbox = faulty(&["reset-before:before*", "reset-after:after*"]).await;
    for (email, saved) in [("before@example.com", 0), ("after@example.com", 1)] {
        let error = post(&sandbox, email, &body(email)).send().await.unwrap_err();
        assert!(format!("{error:?}").contains("reset"), "{error:?}");
        assert_eq!(sandbox.customers_with(email), saved);
        assert_eq!(last_answered(&sandbox).0, None);
    }
}

#[tokio::test]
async fn a_reset_answer_is_replayed_to_the_same_key() {
    let sandbox = faulty(&["reset-after:first=1"]).await;
    post(&sandbox, "k1", &body(ANN)).send().await.unwrap_err();
    let (status, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((status, &answer["status"]), (200, &json!("success")));
    assert_eq!((sandbox.customers(), sandbox.mails_to(ANN)), (1, 1));
}

#[tokio::test]
async fn answers_are_cut_in_the_body_or_in_the_headers() {
    let sandbox = faulty(&["cut:body*", "cut-head:head*"]).await;
    let cut = post(&sandbox, "k1", &body("body@example.com")).send().await.unwrap();
    assert_eq!(cut.status(), 200);
    let (promised, mut got, mut broken) = (cut.content_length().unwrap(), 0, false);
    let mut cut = cut;
    loop {
        match cut.chunk().await {
            Ok(Some(part)) => got += part.len() as u64,
            Ok(None) => break,
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    assert!(broken && got == promised / 2, "{got} of {promised}");
    post(&sandbox, "k2", &body("head@example.com")).send().await.unwrap_err();
    assert_eq!(sandbox.customers(), 2);
    let (status, executed, replayed, fault) = last_answered(&sandbox);
    assert_eq!((status, executed, replayed, fault.as_deref()), (Some(200), true, false, Some("cut-head")));
}

#[tokio::test]
async fn a_stalled_request_was_saved_or_not_and_does_not_hold_up_the_stop() {
    let sandbox = faulty(&["stall-before:before*", "stall"]).await;
    for (email, saved) in [("before@example.com", 0), ("after@example.com", 1)] {
        let request = post(&sandbox, email, &body(email)).timeout(Duration::from_millis(200));
        assert!(request.send().await.unwrap_err().is_timeout());
        assert_eq!(sandbox.customers_with(email), saved);
    }
    let waiting = tokio::spawn(post(&sandbox, "k", &body("third@example.com")).send());
    while sandbox.customers() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(Duration::from_millis(900), sandbox.stop()).await.unwrap();
    waiting.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn work_goes_on_when_the_client_leaves() {
    let sandbox = faulty(&["late=200ms"]).await;
    let request = post(&sandbox, "k1", &body(ANN)).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(sandbox.customers(), 0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(sandbox.customers(), 1);
    assert_eq!(last_answered(&sandbox), (Some(200), true, false, Some("late=200ms".to_owned())));
}

#[tokio::test]
async fn refused_connections_are_reset_at_the_door() {
    let sandbox = faulty(&["refuse:first=1"]).await;
    post(&sandbox, "k1", &body(ANN)).send().await.unwrap_err();
    assert_eq!(sandbox.records()[0].event, Event::Refused);
    assert_eq!(send(post(&sandbox, "k1", &body(ANN))).await.0, 200);
}

#[tokio::test]
async fn each_status_comes_before_or_after_saving() {
    for status in [400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 425, 429, 500, 502, 503, 504, 520] {
        let sandbox = faulty(&[&format!("{status}:before*"), &format!("{status}-after:after*")]).await;
        for (email, saved) in [("before@example.com", 0), ("after@example.com", 1)] {
            let response = post(&sandbox, email, &body(email)).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(sandbox.customers_with(email), saved, "{status} {email}");
        }
    }
}

#[tokio::test]
async fn answers_are_spoiled_in_every_named_way() {
    // Kind, HTTP status, text in the response, customers afterwards.
    let table = [
        ("html", 200, "<html>", 0),
        ("html-after", 200, "<html>", 1),
        ("empty", 200, "", 0),
        ("empty-after", 200, "", 1),
        ("garbage", 200, "7{", 1),
        ("seven", 400, "7{", 0),
        ("seven-after", 400, "7{", 1),
        ("error-400", 400, "Something went wrong", 0),
        ("error-400-after", 400, "Something went wrong", 1),
        ("no-id", 200, "\"success\"", 1),
        ("other-email", 200, "somebody.else@example.com", 1),
        ("inner-failure", 200, "\"status_code\":422", 0),
        ("error-200", 200, "{\"message\":\"This customer cannot be accepted.\",\"status\":\"error\"}", 0),
        ("error-200-after", 200, "{\"message\":\"This customer cannot be accepted.\",\"status\":\"error\"}", 1),
        ("notice", 200, "<b>Deprecated</b>", 1),
        ("403-page", 403, "<h1>403 Forbidden</h1>", 0),
        ("soft-deleted", 422, "Customer email already exists.", 0),
        ("outer-failure", 500, "\"success\"", 1),
        ("redirect", 302, "login", 0),
        ("expired-key", 400, "Please use a new key", 0),
    ];
    for (kind, status, words, customers) in table {
        let sandbox = faulty(&[kind]).await;
        let response = post(&sandbox, "k1", &body(ANN)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{kind}");
        let text = response.text().await.unwrap();
        assert!(text.contains(words) && (words.is_empty() == text.is_empty()), "{kind}: {text}");
        assert_eq!(
            text.contains("\"customer_id\":"),
            ["garbage", "notice", "other-email", "outer-failure"].contains(&kind),
            "{kind}"
        );
        assert_eq!(sandbox.customers(), customers, "{kind}");
        assert_eq!(last_answered(&sandbox).3.as_deref(), Some(kind));
    }
}

#[tokio::test]
async fn taken_words_tell_a_duplicate_otherwise() {
    let sandbox = faulty(&["taken-words"]).await;
    assert_eq!(send(post(&sandbox, "k1", &body(ANN))).await.0, 200);
    let (status, answer) = send(post(&sandbox, "k2", &body(ANN))).await;
    assert_eq!((status, &answer["message"]), (400, &json!("The customer email has already been taken.")));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_logged_without_a_hash() {
    let sandbox = sandbox(Config { body_limit: 10, ..Config::default() }).await;
    let response = post(&sandbox, "k1", &body(ANN)).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(matches!(&sandbox.records()[0].event, Event::Received { body_sha256: None, .. }));
}

#[tokio::test]
async fn the_log_tells_of_arrival_saving_and_answer_in_that_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.ndjson");
    let sandbox = sandbox(Config { log: Some(path.clone()), ..Config::default() }).await;
    send(post(&sandbox, "k1", &body(ANN))).await;
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["received", "created", "answered"]);
    let received = &lines[0];
    assert_eq!((&received["method"], &received["path"]), (&json!("POST"), &json!("/customer")));
    assert_eq!((&received["key"], &received["email"], &received["auth"]), (&json!("k1"), &json!(ANN), &json!("ok")));
    assert_eq!(received["body_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(lines[1]["customer_id"], lines[2]["customer_id"]);
    assert_eq!(
        (&lines[2]["status"], &lines[2]["executed"], &lines[2]["mail"]),
        (&json!(200), &json!(true), &json!(true))
    );
    assert_eq!((&lines[2]["replayed"], &lines[2]["fault"]), (&json!(false), &Value::Null));
}

/// Waits until the application has finished work that outlived its response.
async fn done(sandbox: &Sandbox) -> Event {
    loop {
        let done = sandbox.records().into_iter().find(|record| matches!(record.event, Event::Done { .. }));
        match done {
            Some(record) => return record.event,
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

#[tokio::test]
async fn a_gateway_gives_up_at_once_and_the_work_goes_on() {
    for status in [500, 502, 503, 504, 520] {
        let sandbox = faulty(&[&format!("gateway-{status}=60ms:first=1")]).await;
        let response = post(&sandbox, "k1", &body(ANN)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), sandbox.customers()), (status, 0));
        let Some(Event::Answered { author, working, executed, .. }) = sandbox.records().pop().map(|last| last.event)
        else {
            panic!("no answer in the log")
        };
        assert_eq!((author, working, executed), (Author::Gateway, true, false));
        let Event::Done { executed, customer_id, .. } = done(&sandbox).await else { panic!() };
        assert!(executed && customer_id.is_some());
        assert_eq!(sandbox.customers(), 1);
        let (replayed, answer) = send(post(&sandbox, "k1", &body(ANN))).await;
        assert_eq!((replayed, &answer["status"]), (200, &json!("success")), "the store has the true answer");
    }
}

#[tokio::test]
async fn the_work_behind_a_gateway_goes_on_when_the_client_leaves() {
    let sandbox =
        faulty_with(Config { latency: "60ms".parse().unwrap(), ..Config::default() }, &["gateway-503=60ms"]).await;
    let request = post(&sandbox, "k1", &body(ANN)).timeout(Duration::from_millis(20));
    assert!(request.send().await.unwrap_err().is_timeout());
    done(&sandbox).await;
    assert_eq!(sandbox.customers(), 1);
    assert!(sandbox.records().iter().any(|record| matches!(record.event, Event::Left { n: 1 })));
}

#[tokio::test]
async fn a_second_request_during_the_work_doubles_only_at_a_racy_server() {
    for (racy, customers) in [(true, 2), (false, 1)] {
        let config = Config { racy, idempotency: IdempotencyMode::None, ..Config::default() };
        let sandbox = faulty_with(config, &["gateway-503=80ms:first=1"]).await;
        post(&sandbox, "k1", &body(ANN)).send().await.unwrap();
        post(&sandbox, "k2", &body(ANN)).send().await.unwrap();
        done(&sandbox).await;
        assert_eq!(sandbox.customers_with(ANN), customers, "racy: {racy}");
    }
}

#[tokio::test]
async fn gateways_differ_in_what_they_write() {
    for status in [500, 503, 504] {
        let sandbox = faulty(&[&format!("gateway-{status}=0s")]).await;
        let mut bodies = std::collections::BTreeSet::new();
        for n in 0..40 {
            let email = format!("p{n}@example.com");
            let response = post(&sandbox, &email, &body(&email)).send().await.unwrap();
            bodies.insert(response.text().await.unwrap());
        }
        assert!(bodies.len() >= 3, "{bodies:?}");
        assert!(
            !bodies.iter().any(|body| body.contains("status_code") || body.contains("Server Error\"")),
            "{bodies:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_got_its_answer_has_not_left() {
    let sandbox = sandbox(Config::default()).await;
    send(post(&sandbox, "k1", &body(ANN))).await;
    send(get(&sandbox, "/customer")).await;
    assert!(!sandbox.records().iter().any(|record| matches!(record.event, Event::Left { .. })));
}

#[tokio::test]
async fn with_keys_only_an_email_has_a_customer_for_each_key() {
    let sandbox = sandbox(Config { unique_email: false, ..Config::default() }).await;
    let (_, first) = send(post(&sandbox, "k1", &body(ANN))).await;
    let (_, again) = send(post(&sandbox, "k1", &body(ANN))).await;
    assert_eq!((first, sandbox.customers()), (again, 1));
    assert_eq!(send(post(&sandbox, "k2", &body(ANN))).await.0, 200);
    assert_eq!((sandbox.customers_with(ANN), sandbox.mails_to(ANN)), (2, 2));
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text).unwrap();
    text
}

#[tokio::test]
async fn answers_are_packed_by_a_switch_or_for_some() {
    let all = sandbox(Config { packed: true, ..Config::default() }).await;
    let some = faulty(&["gzip:ann*"]).await;
    for sandbox in [&all, &some] {
        let response = post(sandbox, "k1", &body(ANN)).send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert!(unpacked(&response.bytes().await.unwrap()).contains("\"customer_id\""));
    }
    let listed = get(&all, "/customer?email=ann").send().await.unwrap();
    assert!(unpacked(&listed.bytes().await.unwrap()).contains("\"pagination\""));
    let listed = get(&some, "/customer?email=ann").send().await.unwrap();
    assert!(!listed.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn notices_surround_what_the_application_writes_and_nothing_else() {
    let config = Config { notices: true, ..Config::default() };
    let sandbox = faulty_with(config, &["502:bob*"]).await;
    let text = post(&sandbox, "k1", &body(ANN)).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with("<br />\n<b>Deprecated</b>") && text.ends_with("queries -->\n"), "{text}");
    let listed = get(&sandbox, "/customer?email=ann").send().await.unwrap().text().await.unwrap();
    assert!(listed.starts_with("<br />"), "{listed}");
    let page = post(&sandbox, "k2", &body("bob@example.com")).send().await.unwrap().text().await.unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
}

#[tokio::test]
async fn a_soft_deleted_customer_is_taken_and_not_listed() {
    let sandbox = faulty(&["soft-deleted:gone*", "taken-409"]).await;
    let (status, answer) = send(post(&sandbox, "k1", &body("gone@example.com"))).await;
    assert_eq!((status, &answer["data"]["customer_email"][0]), (422, &json!("Customer email already exists.")));
    let (_, listed) = send(get(&sandbox, "/customer?email=gone")).await;
    assert_eq!((&listed["data"], sandbox.customers()), (&json!([]), 0));
}

#[tokio::test]
async fn duplicates_are_refused_in_other_words_and_other_codes() {
    let (conflicts, phones) = (faulty(&["taken-409"]).await, faulty(&["refuse-again"]).await);
    send(post(&conflicts, "k", &body(ANN))).await;
    send(post(&phones, "k", &body(ANN))).await;
    let mut words = std::collections::BTreeSet::new();
    for n in 0..60 {
        let (status, answer) = send(post(&conflicts, &format!("k{n}"), &body(ANN))).await;
        assert_eq!(status, 409);
        words.insert(answer.to_string());
    }
    assert!(words.contains("{}") && words.len() == 5, "{words:?}");
    let (status, answer) = send(post(&phones, "k2", &body(ANN))).await;
    assert_eq!((status, answer["data"].as_object().unwrap().keys().next().unwrap().as_str()), (422, "customer_phone"));
    assert_eq!((conflicts.customers(), phones.customers()), (1, 1));
}

#[tokio::test]
async fn pauses_are_written_as_times_and_as_lengths() {
    let now = || throttle::unix_millis_after(Duration::ZERO);
    let sandbox = faulty(&["throttle-unix=3s:a*", "throttle-millis=3s:b*", "unavailable=3s"]).await;
    let asked = now();
    let pause = async |email: &str, status: u16, name: &str| {
        let response = post(&sandbox, email, &body(email)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        response.headers()[name].to_str().unwrap().parse::<u64>().unwrap()
    };
    let seconds = pause("a@example.com", 429, "retry-after").await;
    assert!((asked / 1000 + 3..=now() / 1000 + 4).contains(&seconds), "{seconds}");
    let millis = pause("b@example.com", 429, "x-ratelimit-reset").await;
    assert!((asked + 3000..=now() + 3000).contains(&millis), "{millis}");
    assert_eq!(pause("c@example.com", 503, "retry-after").await, 3);
    assert_eq!(sandbox.customers(), 0);
}

#[tokio::test]
async fn a_list_can_come_whole_whatever_page_is_asked_for() {
    let sandbox = faulty(&["list-ignores-page"]).await;
    for n in 0..30 {
        let email = format!("p{n}@example.com");
        send(post(&sandbox, &email, &body(&email))).await;
    }
    for page in [1, 2, 99] {
        let (_, answer) = send(get(&sandbox, &format!("/customer?per_page=10&page={page}"))).await;
        assert_eq!((answer["data"].as_array().unwrap().len(), answer.get("pagination")), (30, None));
    }
}
