//! `kill -9` as an ordinary test, and the signals that ask politely.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Lab, Server, email, exit_code, skipped, wait_until};
use crate::{machine, many};

/// Starts an import and waits until the server has seen so many posts; the server's log is the
/// event that is waited for.
fn start_and_wait(lab: &Lab, server: &Server, more: &[&str], posts: usize) -> Child {
    start_with(lab, server, &lab.import_args(server, more), posts)
}

fn start_with(lab: &Lab, server: &Server, args: &[&str], posts: usize) -> Child {
    let mut child = lab.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("no such post came", || server.posts().len() >= posts || child.try_wait().unwrap().is_some());
    child
}

fn signal(child: &Child, signal: Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn killed_ten_times_in_a_row_every_customer_is_created_once_and_reported_with_the_right_id() {
    let lab = Lab::new();
    let server = Server::start(
        &lab,
        &["--latency", "5ms..30ms", "--seed", "3", "--fault", "reset-after:0.03", "--fault", "500:0.03"],
    );
    let rows = if many::long() { 2000 } else { 300 };
    lab.customers(rows);
    for round in 1..=10 {
        let mut child = start_and_wait(&lab, &server, &[], round * rows / 15);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    lab.import(&server, &["--max-attempts", "20"]).ends(0);
    server.has_each_once((0..rows).map(email));
    let customers = server.customers();
    let report = lab.report();
    assert_eq!(report.len(), rows);
    for row in report {
        assert!(["created", "already_imported"].contains(&row["status"].as_str()), "{row:?}");
        assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()]);
    }
}

/// At a pace at which no answer comes during a commit no intent is written ahead; otherwise at most
/// twice as many as there are places.
#[test]
fn i7_after_a_kill_the_unanswered_intents_are_at_most_the_concurrency() {
    for (rate, most) in [("50/s", 4), ("1000000/s", 12)] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "20ms"]);
        lab.customers(200);
        let args =
            ["import", "in.csv", "--base-url", &server.url, "--concurrency", "4", "--ledger", "l.db", "--rate", rate];
        let mut child = start_with(&lab, &server, &args, 60);
        child.kill().unwrap();
        child.wait().unwrap();
        lab.run(&["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"]);
        let in_doubt = lab.statuses().iter().filter(|status| *status == "in_doubt").count();
        assert!(in_doubt <= most, "{in_doubt} in doubt at {rate}");
    }
}

#[test]
fn the_first_signal_drains_and_reports_and_says_how_to_resume() {
    for (sent, code, words) in [
        (Signal::INT, 130, "SIGINT (interrupt)"),
        (Signal::TERM, 143, "SIGTERM (termination)"),
        (Signal::HUP, 129, "SIGHUP (hangup)"),
    ] {
        if machine::is_ignored(sent) {
            skipped(&format!("this test was started with {words} ignored, and so is what it starts"));
            continue;
        }
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "20ms"]);
        lab.customers(300);
        let child = start_and_wait(&lab, &server, &[], 10);
        signal(&child, sent);
        let output = child.wait_with_output().unwrap();
        assert_eq!(exit_code(output.status), code);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("stopped by {words}")), "{said}");
        assert!(said.contains("import in.csv"), "the resume command is missing:\n{said}");
        let statuses = lab.statuses();
        assert_eq!(statuses.len(), 300);
        assert!(statuses.iter().all(|status| status == "created" || status == "not_attempted"), "{statuses:?}");
        lab.import(&server, &[]).ends(0);
        server.has_each_once((0..300).map(email));
    }
}

#[test]
fn the_second_signal_leaves_at_once_and_the_next_run_resolves() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "stall:p5@example.com:first=1"]);
    lab.customers(20);
    let child = start_and_wait(&lab, &server, &[], 20);
    // Two of the same kind could become one on the way. If INT is ignored here, HUP is the other
    // one.
    let other = if machine::is_ignored(Signal::INT) { Signal::HUP } else { Signal::INT };
    signal(&child, other);
    signal(&child, Signal::TERM);
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "the stalled answer (75 s) was waited for");
    assert!([129, 130, 143].contains(&exit_code(output.status)));
    lab.import(&server, &[]).ends(0);
    server.has_each_once((0..20).map(email));
}

#[test]
fn a_report_of_a_killed_run_still_tells_its_doubts_after_another_run_resolved_them() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "stall:p1@example.com:first=1"]);
    lab.customers(2);
    let mut child = start_and_wait(&lab, &server, &["--concurrency", "1"], 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let report = ["report", "in.csv", "--base-url", &server.url, "--summary", "json"];
    let of_the_killed = lab.run(&report).ends(4).summary();
    let doubtful = lab.report();
    assert_eq!(doubtful[1]["status"], "in_doubt");
    assert_eq!(doubtful[1]["error_code"], "api.no_answer");
    lab.import(&server, &[]).ends(0);
    let run = of_the_killed["run"].as_str().unwrap();
    lab.run(&[&report[..], &["--run", run]].concat()).ends(4);
    assert_eq!(lab.statuses(), ["created", "in_doubt"]);
}

/// A server that cannot be connected to until [`Self::open`], because its queue of connections is
/// full.
struct Crowded {
    listener: std::net::TcpListener,
    crowd: Vec<std::net::TcpStream>,
}

impl Crowded {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(1).unwrap().into_std().unwrap()
        });
        listener.set_nonblocking(false).unwrap();
        let (address, short) = (listener.local_addr().unwrap(), Duration::from_millis(200));
        let mut crowd = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, short) {
            crowd.push(stream);
            assert!(crowd.len() < 100, "the queue never fills");
        }
        Self { listener, crowd }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    fn open(&mut self) {
        for _ in self.crowd.drain(..) {
            drop(self.listener.accept().unwrap());
        }
    }

    /// Answers the first request that comes; connections that bring none are closed by the client.
    fn answer(&self, arrived: impl FnOnce()) {
        use std::io::{Read as _, Write as _};
        loop {
            let (mut stream, _) = self.listener.accept().unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).unwrap_or(0) == 0 {
                continue;
            }
            arrived();
            let body = r#"{"status":"success","status_code":201,"data":{"customer_id":"c1"}}"#;
            let length = body.len();
            write!(stream, "HTTP/1.1 201 Created\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
            return;
        }
    }
}

/// The connection comes about while the program is stopped. When it goes on, the time that its
/// intent names is over, so it must write down another intent before anything leaves.
#[cfg(target_os = "linux")]
#[test]
fn s2_a_program_that_was_stopped_while_it_connected_sends_nothing_that_its_ledger_calls_over() {
    const CONNECT: &str = "2s";
    let (lab, mut server) = (Lab::new(), Crowded::new());
    lab.customers(1);
    let url = server.url();
    let args = ["import", "in.csv", "--base-url", &url, "--ledger", "l.db", "--connect-timeout", CONNECT];
    let quiet = ["--timeout", "60s", "--rate", "10/s", "--no-lookup"];
    let child =
        lab.command(&[&args[..], &quiet].concat()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sent_at = || -> Option<i64> {
        let ledger = rusqlite::Connection::open(lab.path("l.db")).ok()?;
        ledger.query_row("SELECT sent_at FROM intents", [], |row| row.get(0)).ok()
    };
    let patience = Instant::now() + Duration::from_secs(30);
    while !lab.path("l.db").exists() || sent_at().is_none() {
        assert!(Instant::now() < patience, "no intent was written down");
        std::thread::sleep(Duration::from_millis(5));
    }
    let first = sent_at().unwrap();
    signal(&child, Signal::STOP);
    server.open();
    std::thread::sleep(Duration::from_secs(5));
    signal(&child, Signal::CONT);
    server.answer(|| {
        let (now, known) = (jiff::Timestamp::now().as_millisecond(), sent_at().unwrap());
        assert!(known > first, "the intent of before the stop is still the one of this request");
        assert!(now - known < 2000, "it came {} ms after the moment that the ledger knows", now - known);
    });
    let ran = crate::harness::Ran::from(child.wait_with_output().unwrap()).ends(0);
    assert_eq!(lab.statuses(), ["created"], "{}", ran.stderr);
}
