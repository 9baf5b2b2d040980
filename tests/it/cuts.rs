//! Connections cut after every byte, idle connections closed under a request, answers whose framing
//! lies.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::harness::{HEADER, Lab, Ran, Server};
use crate::many;
use crate::proxy::{End, Exchange, Harm, Proxy};

const SETTLE: Duration = Duration::from_millis(500);

/// A repeat sooner than this after a silence did not wait. It is below the settle time, which runs
/// from just before the intent is synced, while the proxy sees the request after that.
const HASTY: Duration = Duration::from_millis(50);

/// All of these have the same length, so that a byte's place means the same in each exchange.
fn customer(n: usize) -> String {
    format!("cut{n:05}@example.com")
}

/// What is left of a trial for the check at its end, when the server's log is read once for all.
type Told = Mutex<Vec<(String, String)>>;

/// Imports one customer through a harmed exchange, into a ledger of its own.
fn import_one(server: &Server, n: usize, harm: &Harm, more: &[&str]) -> (Lab, Proxy, Ran) {
    let (lab, proxy) = (Lab::new(), Proxy::start(server, harm.clone()));
    lab.write("in.csv", format!("{HEADER}\nPerson,{},+4917612345678,DEU\n", customer(n)));
    let settle = format!("{}ms", SETTLE.as_millis());
    let args = ["-v", "import", "in.csv", "--base-url", &proxy.url, "--rate", "500/s", "--settle", &settle];
    let ran = lab.run(&[&args, more].concat());
    (lab, proxy, ran)
}

/// The lengths of an exchange that nothing happens to.
fn measured(server: &Server) -> (usize, usize) {
    let (_lab, proxy, ran) = import_one(server, 99_999, &Harm::None, &[]);
    ran.ends(0);
    proxy.seen(|seen| (seen.request_length, seen.answer_length))
}

/// Harms one exchange for each case; every record must end `created`, and no silence may be
/// followed by a request at once.
#[track_caller]
fn every_record_ends_created(server: &Server, cases: &[Harm], more: &[&str]) {
    let (told, begun) = (Told::default(), Instant::now());
    let numbered: Vec<_> = cases.iter().enumerate().collect();
    many::each(&numbered, |(n, harm)| {
        let (lab, proxy, ran) = import_one(server, *n, harm, more);
        let said = ran.ends(0).stderr;
        let row = lab.report().pop().unwrap();
        assert_eq!(row["status"], "created", "{harm:?}: {row:?}");
        proxy.seen(|seen| {
            assert!(!seen.posts.is_empty());
            let hasty = seen.posts.windows(2).any(|pair| pair[1] - pair[0] < HASTY);
            assert!(!hasty, "{harm:?}: sent again without waiting, {:?}\n{said}", seen.posts);
        });
        told.lock().unwrap().push((row["customer_email"].clone(), row["customer_id"].clone()));
    });
    let told = told.into_inner().unwrap();
    assert_eq!(told.len(), cases.len());
    same_at_the_server(server, &told);
    many::note(format_args!("{} exchanges harmed in {:.1} s", cases.len(), begun.elapsed().as_secs_f32()));
}

/// Exactly one customer each, with the reported id, made by requests that all carried one key.
#[track_caller]
fn same_at_the_server(server: &Server, told: &[(String, String)]) {
    let customers = server.customers();
    for (email, id) in told {
        assert_eq!(customers[email], std::slice::from_ref(id), "{email}");
    }
    let mut keys = std::collections::HashMap::<_, std::collections::HashSet<_>>::new();
    for post in server.posts().iter().filter(|post| post["email"].is_string()) {
        keys.entry(post["email"].to_string()).or_default().insert(post["key"].to_string());
    }
    let renewed: Vec<_> = keys.iter().filter(|(_, keys)| keys.len() != 1).collect();
    assert!(renewed.is_empty(), "silence is no reason for a new key: {renewed:?}");
}

/// Every byte in the long form; else every seventh, and all around the borders of head and body.
fn points(length: usize, borders: &[usize]) -> Vec<usize> {
    let near = |n: usize| borders.iter().any(|border| n.abs_diff(*border) <= 3);
    (0..=length).filter(|n| many::long() || n % 7 == 0 || near(*n)).collect()
}

fn both_ends(points: &[usize], harm: fn(usize, End) -> Harm) -> Vec<Harm> {
    let of = |end| points.iter().map(move |n| harm(*n, end));
    of(End::Close).chain(of(End::Reset)).collect()
}

#[test]
fn a_request_cut_after_any_byte_ends_created_once() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let (length, _) = measured(&server);
    // The body is about two hundred bytes; where exactly it begins does not matter to a stride that
    // is finer than its fields.
    let points = points(length, &[0, length]);
    every_record_ends_created(&server, &both_ends(&points, Harm::CutRequest), &[]);
}

#[test]
fn an_answer_cut_after_any_byte_ends_created_once() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let (_, length) = measured(&server);
    let points = points(length, &[0, length]);
    every_record_ends_created(&server, &both_ends(&points, Harm::CutAnswer), &[]);
}

#[test]
fn an_answer_that_stops_midway_on_an_open_connection_is_not_waited_for_forever() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let (_, length) = measured(&server);
    let cases: Vec<_> = [0, 1, 12, 17, 100, length / 2, length - 1].map(Harm::Stall).into();
    every_record_ends_created(&server, &cases, &["--timeout", "400ms"]);
}

/// A name, and what it makes of an answer.
type Lie = (&'static str, fn(Exchange) -> Vec<u8>);

/// Every way to say wrongly where a body ends, or to say too much.
const LIES: [Lie; 14] = [
    ("a length that is too long", |answer| {
        answer.framed(&format!("content-length: {}", answer.body.len() + 7), &answer.body)
    }),
    ("a length that is too short", |answer| {
        answer.framed(&format!("content-length: {}", answer.body.len() - 7), &answer.body)
    }),
    ("no length and half a body", |answer| answer.framed("connection: close", &answer.body[..answer.body.len() / 2])),
    ("two lengths", |answer| {
        let length = answer.body.len();
        answer.framed(&format!("content-length: {length}\r\ncontent-length: {}", length / 2), &answer.body)
    }),
    ("a length that is no number", |answer| answer.framed("content-length: many", &answer.body)),
    ("a chunk size that is no number", |answer| answer.framed("transfer-encoding: chunked", chunk("zz", &answer.body))),
    ("a chunk that is longer than said", |answer| {
        answer.framed("transfer-encoding: chunked", chunk("5", &answer.body))
    }),
    ("a chunk that is shorter than said", |answer| {
        answer.framed("transfer-encoding: chunked", chunk("ffff", &answer.body))
    }),
    ("chunks without the last", |answer| {
        let whole = chunk(&format!("{:x}", answer.body.len()), &answer.body);
        answer.framed("transfer-encoding: chunked", &whole[..whole.len() - 5])
    }),
    ("a length beside chunks", |answer| {
        let whole = chunk(&format!("{:x}", answer.body.len()), &answer.body);
        answer.framed("content-length: 10\r\ntransfer-encoding: chunked", whole)
    }),
    ("two bodies", |answer| {
        let twice = [&answer.body[..], &answer.body].concat();
        answer.framed(&format!("content-length: {}", twice.len()), twice)
    }),
    ("two answers", |answer| {
        let once = answer.framed(&format!("content-length: {}", answer.body.len()), &answer.body);
        [&once[..], &once].concat()
    }),
    ("a body and no head", |answer| answer.body),
    ("a head that never ends", |answer| {
        [answer.bare_head().as_bytes(), "x-more: and more\r\n".repeat(20_000).as_bytes()].concat()
    }),
];

fn chunk(size: &str, body: &[u8]) -> Vec<u8> {
    [size.as_bytes(), b"\r\n", body, b"\r\n0\r\n\r\n"].concat()
}

#[test]
fn an_answer_whose_framing_lies_ends_created_once_with_the_right_id() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    every_record_ends_created(&server, &LIES.map(|(_, lie)| Harm::Reshape(lie)), &[]);
}

#[test]
fn a_broken_success_for_a_request_that_the_server_never_got_is_not_believed() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let body = br#"{"status":"success","status_code":200,"message":"Request successful","data":{"id":"forged","customer_id":"forged"}}"#;
    let forged = Exchange { head: "HTTP/1.1 200 OK\r\n\r\n".to_owned(), body: body.to_vec() };
    // Left out: those that hold a whole, well-framed success. A client cannot see that the server
    // had no part in it.
    let whole = ["a length beside chunks", "two answers"];
    let lies = LIES.iter().filter(|(name, _)| !whole.contains(name));
    let cases: Vec<_> = lies.map(|(_, lie)| Harm::Forge(lie(forged.clone()))).collect();
    assert_eq!(cases.len(), LIES.len() - whole.len());
    every_record_ends_created(&server, &cases, &[]);
}

#[test]
fn a_second_answer_on_the_wire_is_not_taken_for_the_answer_to_the_next_request() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let rounds: Vec<_> = (0..if many::long() { 100 } else { 20 }).collect();
    many::each(&rounds, |round| {
        let lab = Lab::new();
        // The proxy keeps this connection open: the program must throw it away by itself.
        let proxy = Proxy::start(&server, Harm::AnswerTwice);
        let emails = [0, 1, 2].map(|n| format!("twice{round}-{n}@example.com"));
        let rows = emails.iter().map(|email| format!("Person,{email},+4917612345678,DEU\n")).collect::<String>();
        lab.write("in.csv", format!("{HEADER}\n{rows}"));
        let args = ["import", "in.csv", "--base-url", &proxy.url, "--rate", "500/s", "--settle", "200ms"];
        lab.run(&[&args[..], &["--concurrency", "1"]].concat()).ends(0);
        let customers = server.customers();
        for row in lab.report() {
            assert_eq!(row["status"], "created", "{row:?}");
            assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()], "{row:?}");
        }
    });
}

#[test]
fn a_kept_connection_that_closes_under_a_request_leads_to_no_silent_second_one() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let ends = [End::Close, End::Reset];
    let rounds: Vec<_> =
        (0..if many::long() { 50 } else { 8 }).flat_map(|round| ends.map(|end| (round, end))).collect();
    many::each(&rounds, |(round, end)| {
        let (lab, proxy) = (Lab::new(), Proxy::start(&server, Harm::CloseOnReuse(*end)));
        let emails = [0, 1].map(|n| format!("kept{round}-{end:?}-{n}@example.com").to_lowercase());
        let rows = emails.iter().map(|email| format!("Person,{email},+4917612345678,DEU\n")).collect::<String>();
        lab.write("in.csv", format!("{HEADER}\n{rows}"));
        let args = ["import", "in.csv", "--base-url", &proxy.url, "--rate", "500/s", "--settle", "200ms"];
        lab.run(&[&args[..], &["--concurrency", "1"]].concat()).ends(0);
        let customers = server.customers();
        for row in lab.report() {
            assert_eq!(row["status"], "created", "{row:?}");
            assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()], "{row:?}");
        }
        proxy.seen(|seen| {
            // Two requests, and a third for the one whose connection closed; that only after its
            // settle time.
            assert_eq!(seen.posts.len(), 3, "the harm did not strike");
            assert!(seen.posts[2] - seen.posts[1] >= HASTY, "sent again at once: {:?}", seen.posts);
        });
    });
}
