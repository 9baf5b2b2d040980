//! A server that is several times faster than what is measured with it, in a process of its own.
//!
//! It speaks just enough HTTP/1.1 for clients that behave, answers every `POST` with a new customer
//! of 902 bytes, and notes when the first and the last one came. The raw client beside it shows its
//! ceiling: no library, one connection for each place in flight, the same bytes again and again.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Makes a bench serve instead of measure.
const SERVE: &str = "serve-fast";
/// As long as an answer of the document's sample.
const BODY: usize = 902;

/// A running server, and the process that it is. It ends with this value, and with the process that
/// started it.
#[derive(Debug)]
pub struct FastServer {
    pub url: String,
    process: Child,
    _stdin: Option<ChildStdin>,
}

impl FastServer {
    /// Starts the program that calls this once more, which must call [`serve_if_asked`] first.
    ///
    /// # Panics
    /// If the process does not start.
    #[must_use]
    pub fn start(latency: Duration) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([SERVE, &latency.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let stdin = process.stdin.take();
        Self { url: format!("http://127.0.0.1:{}", port.trim()), process, _stdin: stdin }
    }

    /// Returns how many customers were created since this was last asked, and the time from the
    /// first request to the last answer.
    ///
    /// # Panics
    /// If the server is gone.
    #[must_use]
    pub fn take_span(&self) -> (u64, Duration) {
        let mut stream = std::net::TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        stream.write_all(b"GET /span HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (count, micros) = answer.rsplit_once("\r\n\r\n").unwrap().1.split_once(' ').unwrap();
        (count.parse().unwrap(), Duration::from_micros(micros.parse().unwrap()))
    }
}

impl Drop for FastServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Serves until its standard input ends, if this process was started to do so.
///
/// # Panics
/// If it gets no port.
pub fn serve_if_asked() {
    let args: Vec<String> = std::env::args().collect();
    let [_, SERVE, latency, ..] = &args.iter().map(String::as_str).collect::<Vec<_>>()[..] else { return };
    let latency = Duration::from_millis(latency.parse().unwrap());
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, serve(latency));
    std::process::exit(0);
}

#[derive(Debug, Default)]
struct Seen {
    count: Cell<u64>,
    /// Not taken back, because ids must differ.
    created: Cell<u64>,
    first: Cell<Option<Instant>>,
    last: Cell<Option<Instant>>,
}

async fn serve(latency: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr().unwrap().port()).unwrap();
    stdout.flush().unwrap();
    let seen = Rc::new(Seen::default());
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Rc::clone(&seen);
        tokio::task::spawn_local(async move { drop(talk(stream, &seen, latency).await) });
    }
}

async fn talk(mut stream: TcpStream, seen: &Seen, latency: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    let mut answer = Vec::with_capacity(2048);
    loop {
        let Some((head, whole)) = whole_message(&buffer) else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        answer.clear();
        if buffer.starts_with(b"POST") {
            if seen.first.get().is_none() {
                seen.first.set(Some(Instant::now()));
            }
            // Counted at once, because others come while this one waits.
            let number = seen.created.replace(seen.created.get() + 1);
            write_customer(&mut answer, &buffer[head..whole], number);
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            seen.count.set(seen.count.get() + 1);
            seen.last.set(Some(Instant::now()));
        } else if buffer.starts_with(b"GET /span") {
            let span = seen.first.take().zip(seen.last.take()).map(|(first, last)| last - first);
            let body = format!("{} {}", seen.count.take(), span.unwrap_or_default().as_micros());
            write!(answer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
            stream.write_all(&answer).await?;
            return Ok(());
        } else {
            let body = r#"{"status":"success","status_code":200,"message":"ok","data":[]}"#;
            write!(
                answer,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
        stream.write_all(&answer).await?;
        buffer.drain(..whole);
    }
}

/// Returns where the head and the body of the first message end, or `None` if it is not whole yet.
fn whole_message(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = 4 + buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let length = content_length(&buffer[..head]);
    (buffer.len() >= head + length).then_some((head, head + length))
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    let lines = head.split(|&byte| byte == b'\n');
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    values.next().and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok()).unwrap_or(0)
}

/// Writes a customer with the e-mail of the request, in the shape of the document's sample.
fn write_customer(answer: &mut Vec<u8>, body: &[u8], number: u64) {
    const EMAIL: &[u8] = br#""customer_email":""#;
    let email = body.windows(EMAIL.len()).position(|part| part == EMAIL).map(|at| &body[at + EMAIL.len()..]);
    let email = email.and_then(|rest| rest.split(|&byte| byte == b'"').next()).unwrap_or_default();
    let email = String::from_utf8_lossy(email);
    let scrambled = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (id, customer) = (uuid(number, scrambled), uuid(number, !scrambled));
    let mut json = format!(
        concat!(
            r#"{{"status":"success","status_code":201,"message":"Customer created successfully","data":{{"id":"{id}","#,
            r#""full_name":"Person of the bench","email":"{email}","type":"individual","#,
            r#""kyc_link":"https://bridge.withpersona.example.com/verify?inquiry-template-id=itmpl_NtPvoQBTGmAtzmGiJLoLR3RTK2n4"#,
            r#"&fields[developer_id]={customer}&fields[iqt_token]={scrambled:016x}{number:016x}&reference-id={customer}"#,
            r#"&redirect-uri=https%3A%2F%2Fapp.example.com%2Fkyc&environment-id=env_gBfGXvRLmmJ6GHJSWKc2bFrLEdpD","#,
            r#""tos_link":"https://dashboard.bridge.example.com/accept-terms-of-service?customer_id={customer}","#,
            r#""kyc_status":"not_started","rejection_reasons":[],"tos_status":"pending","#,
            r#""created_at":"2026-04-02T10:00:00.000Z","customer_id":"{customer}","persona_inquiry_type":"gov_id_db""#
        ),
        id = id,
        email = email,
        customer = customer,
        scrambled = scrambled,
        number = number
    );
    json.push_str(r#","note":""#);
    let missing = BODY.saturating_sub(json.len() + 3);
    json.extend(std::iter::repeat_n('.', missing));
    json.push_str("\"}}");
    drop(write!(
        answer,
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nx-ratelimit-limit: 1000000\r\n\
         x-ratelimit-remaining: 999999\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    ));
}

fn uuid(high: u64, low: u64) -> String {
    let (a, b, c) = (low >> 32, (low >> 16) & 0xffff, low & 0xfff);
    format!("{a:08x}-{b:04x}-4{c:03x}-8{:03x}-{:012x}", low >> 52, high & 0xffff_ffff_ffff)
}

/// Sends the same request again and again, each place on a connection of its own, and returns how
/// many were answered in a second.
///
/// # Panics
/// If the server does not answer.
#[must_use]
pub fn ceiling(url: &str, places: usize, requests: usize) -> f64 {
    let address = url.trim_start_matches("http://").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let left = Rc::new(Cell::new(requests));
    let begun = Instant::now();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let places: Vec<_> =
            (0..places).map(|_| tokio::task::spawn_local(send_raw(address.clone(), Rc::clone(&left)))).collect();
        for place in places {
            place.await.unwrap();
        }
    });
    requests as f64 / begun.elapsed().as_secs_f64()
}

async fn send_raw(address: String, left: Rc<Cell<usize>>) {
    let body = r#"{"customer_name":"Person","customer_email":"p@post.example.com","customer_phone":"+4917612345678","customer_country":"DEU","customer_type":"individual","send_kyc_mail":true}"#;
    let request = format!(
        "POST /customer HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer any\r\naccept: application/json\r\n\
         content-type: application/json\r\nidempotency-key: 0123456789abcdef\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(4096);
    while left.get() > 0 {
        left.set(left.get() - 1);
        stream.write_all(request.as_bytes()).await.unwrap();
        buffer.clear();
        while whole_message(&buffer).is_none() {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the server hung up");
        }
    }
}
