//! Tests the client against scripted sockets on this machine.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::domain::{DoubtCause, StopReason};

const SENT: SentRequest<'static> = SentRequest { email: "ada@example.org", body: BODY };
const BODY: &[u8] = br#"{"customer_email":"ada@example.org","customer_name":"Ada","customer_phone":"+1"}"#;

fn config(address: SocketAddr) -> ClientConfig {
    ClientConfig {
        base: BaseUrl::parse(&format!("http://{address}/api/v1")).unwrap(),
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(10),
        ca_file: None,
        concurrency: 8,
        route: Route::default(),
    }
}

/// Short time limits, for tests in which no response comes.
fn impatient(address: SocketAddr) -> ClientConfig {
    ClientConfig { timeout: Duration::from_millis(600), connect_timeout: Duration::from_millis(300), ..config(address) }
}

fn token() -> Token {
    Token::parse("t0ken").unwrap()
}

fn at_any_time() -> Departure {
    Departure::while_in_time(|| true)
}

async fn create(config: ClientConfig) -> CreateResponse {
    let client = Client::new(config).unwrap();
    client.create(&token(), "key-1", BODY.to_vec(), SENT, &at_any_time()).await
}

async fn request_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") || (bytes.starts_with(b"POST") && !bytes.ends_with(b"}")) {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await.unwrap() {
            0 => break,
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Answers the first request with these bytes, waits a little and closes. Returns the request, and
/// how many connections came in all.
async fn server(answer: impl Into<Vec<u8>>, open: Duration) -> (SocketAddr, JoinHandle<(String, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request_of(&mut stream).await;
        // The client may close first, as it does if a response is too long.
        let _ = stream.write_all(&answer).await;
        tokio::time::sleep(open).await;
        drop(stream);
        let mut connections = 1;
        while tokio::time::timeout(Duration::from_millis(150), listener.accept()).await.is_ok() {
            connections += 1;
        }
        (request, connections)
    });
    (address, serving)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn is_silence(result: &AttemptResult) -> bool {
    matches!(result, AttemptResult::Unanswered { cause: DoubtCause::Silence, .. })
}

#[tokio::test]
async fn a_customer_is_posted_once_with_all_headers() {
    let body = r#"{"status":"success","status_code":201,"data":{"customer_id":"c1"}}"#;
    let (address, serving) = server(http("201 Created", "X-RateLimit-Limit: 60\r\n", body), Duration::ZERO).await;
    let answer = create(config(address)).await;
    assert!(matches!(answer.result, AttemptResult::Created { .. }), "{answer:?}");
    assert_eq!((answer.http_status, answer.allowance.limit.map(|limit| limit.get())), (Some(201), Some(60)));
    let (request, connections) = serving.await.unwrap();
    assert_eq!(connections, 1);
    let request = request.to_lowercase();
    assert!(request.starts_with("post /api/v1/customer http/1.1\r\n"), "{request}");
    for header in [
        "authorization: bearer t0ken\r\n",
        "content-type: application/json\r\n",
        "accept: application/json\r\n",
        "idempotency-key: key-1\r\n",
        "user-agent: customer-import/",
    ] {
        assert!(request.contains(header), "{header} {request}");
    }
    assert!(!request.contains("referer"));
    assert!(request.ends_with(&String::from_utf8_lossy(BODY).to_lowercase()));
}

#[tokio::test]
async fn a_refused_connection_is_surely_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = create(config(address)).await;
    assert!(
        matches!(&answer.result, AttemptResult::NotSent { cause, hopeless: false } if cause.contains("(connection refused)")),
        "{answer:?}"
    );
    assert_eq!(answer.http_status, None);
}

#[tokio::test]
async fn a_host_without_an_address_is_surely_not_sent() {
    // The resolver itself rejects a label this long, so no query leaves this machine.
    let config = ClientConfig {
        base: BaseUrl::parse(&format!("https://{}.invalid/x", "a".repeat(64))).unwrap(),
        ..config("127.0.0.1:9".parse().unwrap())
    };
    // Without the system's certificates there is no client for `https`, so there is nothing to
    // test.
    let Ok(client) = Client::new(config) else { return };
    let answer = client.create(&token(), "k", BODY.to_vec(), SENT, &at_any_time()).await;
    assert!(matches!(answer.result, AttemptResult::NotSent { .. }), "{answer:?}");
    assert!(!format!("{answer:?}").contains("invalid/x"), "{answer:?}");
}

#[tokio::test]
async fn a_tls_handshake_that_fails_is_surely_not_sent() {
    for open in [Duration::ZERO, Duration::from_secs(5)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::time::sleep(open).await;
            drop(stream);
        });
        let base = BaseUrl::parse(&format!("https://{address}")).unwrap();
        // Without the system's certificates there is no client for `https`, so there is nothing to
        // test.
        let Ok(client) = Client::new(ClientConfig { base, ..impatient(address) }) else { return };
        let answer = client.create(&token(), "k", BODY.to_vec(), SENT, &at_any_time()).await;
        assert!(matches!(answer.result, AttemptResult::NotSent { .. }), "{answer:?}");
        serving.abort();
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_silence_and_is_not_tried_again() {
    let (address, serving) = server("", Duration::ZERO).await;
    let answer = create(config(address)).await;
    assert!(is_silence(&answer.result), "{answer:?}");
    assert_eq!(serving.await.unwrap().1, 1);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_silence() {
    let (address, serving) = server("", Duration::from_secs(5)).await;
    let answer = create(impatient(address)).await;
    assert!(
        matches!(&answer.result, AttemptResult::Unanswered { complaint, .. } if complaint.message == "no answer in time"),
        "{answer:?}"
    );
    serving.abort();
}

#[tokio::test]
async fn the_time_limit_covers_the_body() {
    let (address, serving) = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Duration::from_secs(5)).await;
    let answer = create(impatient(address)).await;
    assert!(is_silence(&answer.result), "{answer:?}");
    assert_eq!(answer.http_status, Some(200));
    serving.abort();
}

#[tokio::test]
async fn bad_framing_is_silence() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"customer_id\":\"1\"}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 2",
    ] {
        let (address, _serving) = server(bytes, Duration::ZERO).await;
        let answer = create(config(address)).await;
        assert!(is_silence(&answer.result), "{bytes}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_not_read() {
    let long = "x".repeat((1 << 20) + 1);
    let open_end = format!("HTTP/1.1 200 OK\r\n\r\n{long}");
    for bytes in [http("200 OK", "", &long), open_end] {
        let (address, _serving) = server(bytes, Duration::ZERO).await;
        let answer = create(config(address)).await;
        assert!(is_silence(&answer.result), "{answer:?}");
    }
    let page = "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 99999999\r\n\r\n";
    let (address, _serving) = server(page, Duration::ZERO).await;
    let throttled = AttemptResult::Throttled { pause: Duration::from_secs(3) };
    assert_eq!(create(config(address)).await.result, throttled);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, other) = server(http("200 OK", "", r#"{"customer_id":"1"}"#), Duration::ZERO).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: http://{elsewhere}/login?email=ada@example.org\r\n");
        let (address, serving) = server(http(status, &location, ""), Duration::ZERO).await;
        let answer = create(config(address)).await;
        let AttemptResult::Stop(StopReason::Configuration(words)) = answer.result else { panic!("{answer:?}") };
        assert!(words.why.contains("127.0.0.1") && !words.why.contains("ada@"), "{words}");
        assert_eq!(serving.await.unwrap().1, 1);
    }
    assert!(!other.is_finished());
    other.abort();
}

#[tokio::test]
async fn a_key_that_fits_no_header_stops_the_run_before_anything_is_sent() {
    let client = Client::new(config("127.0.0.1:9".parse().unwrap())).unwrap();
    let answer = client.create(&token(), "a\r\nb", BODY.to_vec(), SENT, &at_any_time()).await;
    assert!(matches!(answer.result, AttemptResult::Stop(StopReason::Configuration(_))), "{answer:?}");
}

#[tokio::test]
async fn a_look_up_encodes_the_email_and_names_the_page() {
    let body = r#"{"status":"success","data":[]}"#;
    let (address, serving) = server(http("200 OK", "X-RateLimit-Limit: 60\r\n", body), Duration::ZERO).await;
    let client = Client::new(config(address)).unwrap();
    let answer = client.lookup_page(&token(), "a+b&c=%_@é.org", 2).await;
    assert!(
        matches!(&answer.page, PageResult::Rows { found, extent } if found.exact.is_empty() && extent.last_page == Some(2))
    );
    assert_eq!((answer.http_status, answer.allowance.limit.map(|limit| limit.get())), (Some(200), Some(60)));
    let (request, _) = serving.await.unwrap();
    let line = "GET /api/v1/customer?email=a%2Bb%26c%3D%25_%40%C3%A9.org&per_page=100&page=2 HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
}

#[tokio::test]
async fn a_look_up_without_an_answer_failed() {
    let (address, _serving) = server("", Duration::ZERO).await;
    let answer = Client::new(config(address)).unwrap().lookup_page(&token(), "a@b.c", 1).await;
    assert!(matches!(answer.page, PageResult::Failed { .. }), "{answer:?}");
    assert!(!format!("{answer:?}").contains("a@b.c"));
}

#[test]
fn a_certificate_file_must_hold_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let base = BaseUrl::parse("https://localhost:1").unwrap();
    let config = |path: &Path| ClientConfig {
        base: base.clone(),
        ca_file: Some(path.to_owned()),
        ..config("127.0.0.1:9".parse().unwrap())
    };
    assert!(matches!(Client::new(config(&path)), Err(ClientError::CaFile { .. })));
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Client::new(config(&path)), Err(ClientError::NoCertificate { .. })), "{text}");
    }
}

fn account() -> AppAccount {
    AppAccount::new(&"id-1".into(), &"s3cret".into()).unwrap()
}

#[tokio::test]
async fn a_login_posts_the_account_once_and_bears_no_token() {
    let body = r#"{"status":"success","data":{"access_token":"abc","token_type":"bearer","expires_in":600}}"#;
    let (address, serving) = server(http("200 OK", "X-RateLimit-Limit: 5\r\n", body), Duration::ZERO).await;
    let result = Client::new(config(address)).unwrap().log_in(&account()).await;
    let granted = GrantResult::Granted { token: Token::parse("abc").unwrap(), life: Some(Duration::from_secs(600)) };
    assert_eq!(result, granted);
    assert!(!format!("{result:?}").contains("abc"));
    let (request, connections) = serving.await.unwrap();
    assert_eq!(connections, 1);
    assert!(request.ends_with(r#"{"account_id":"id-1","app_secret":"s3cret"}"#), "{request}");
    let request = request.to_lowercase();
    assert!(request.starts_with("post /api/v1/auth/login http/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n") && request.contains("accept: application/json\r\n"));
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_refresh_bears_the_current_token() {
    let (address, serving) = server(http("200 OK", "", r#"{"data":{"access_token":"new"}}"#), Duration::ZERO).await;
    let result = Client::new(config(address)).unwrap().refresh(&token(), &account()).await;
    assert_eq!(result, GrantResult::Granted { token: Token::parse("new").unwrap(), life: None });
    let request = serving.await.unwrap().0.to_lowercase();
    assert!(request.starts_with("get /api/v1/auth/refresh-token http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: bearer t0ken\r\n"), "{request}");
}

#[tokio::test]
async fn a_login_without_an_answer_failed_and_nothing_of_the_account_is_shown() {
    let (address, _serving) = server("", Duration::ZERO).await;
    let cut = Client::new(config(address)).unwrap().log_in(&account()).await;
    assert!(matches!(&cut, GrantResult::Failed(Failing { is_down: false, .. })), "{cut:?}");
    let gone = Client::new(config("127.0.0.1:9".parse().unwrap())).unwrap().log_in(&account()).await;
    assert!(matches!(&gone, GrantResult::Failed(Failing { is_down: true, .. })), "{gone:?}");
    assert!(!format!("{cut:?}{gone:?}").contains("s3cret"));
}

/// Answers every request as created and returns what it read, once the client has hung up.
async fn reading_server() -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = http("201 Created", "", r#"{"status":"success","status_code":201,"data":{"customer_id":"c1"}}"#);
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = String::new();
        loop {
            let request = request_of(&mut stream).await;
            if request.is_empty() {
                return read;
            }
            read.push_str(&request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, serving)
}

#[tokio::test]
async fn s2_a_request_that_is_late_is_surely_not_sent_on_a_new_connection_and_on_a_kept_one() {
    for earlier in [0, 1] {
        let (address, serving) = reading_server().await;
        let client = Client::new(config(address)).unwrap();
        for _ in 0..earlier {
            let answer = client.create(&token(), "early", BODY.to_vec(), SENT, &at_any_time()).await;
            assert!(matches!(answer.result, AttemptResult::Created { .. }), "{answer:?}");
        }
        let late = Departure::while_in_time(|| false);
        let answer = client.create(&token(), "late", BODY.to_vec(), SENT, &late).await;
        assert!(late.is_missed());
        assert!(matches!(answer.result, AttemptResult::NotSent { hopeless: false, .. }), "{answer:?}");
        assert_eq!(answer.http_status, None);
        drop(client);
        let read = serving.await.unwrap();
        assert_eq!((read.matches("POST").count(), read.contains("late")), (earlier, false), "{read}");
    }
}

#[tokio::test]
async fn s2_the_departure_is_asked_once_and_after_the_connection_is_made() {
    let (address, serving) = reading_server().await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&asked);
    let leave = Departure::while_in_time(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        true
    });
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unreached = Client::new(config(nowhere)).unwrap();
    let answer = unreached.create(&token(), "k", BODY.to_vec(), SENT, &leave).await;
    assert!(matches!(answer.result, AttemptResult::NotSent { .. }), "{answer:?}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 0, "no connection, so nothing could leave");
    let client = Client::new(config(address)).unwrap();
    client.create(&token(), "k", BODY.to_vec(), SENT, &leave).await;
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    drop(client);
    let read = serving.await.unwrap().to_lowercase();
    assert!(read.contains(&format!("content-length: {}\r\n", BODY.len())) && !read.contains("chunked"), "{read}");
}
