//! A checker that finds nothing proves nothing. So here is a little client that does it right, and the same client with one thing done
//! wrong, each of which the checker must catch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checker::{Input, Log, Memory, Verdict, check_end, check_midway};
use crate::harness::{Lab, Server, customers};

/// Longer than the server ever works on a request here.
const SETTLE: Duration = Duration::from_millis(150);
/// Shorter than the server keeps an answer back.
const PATIENCE: Duration = Duration::from_millis(60);
/// Shorter than the time between check and save of a racy server, too.
const IMPATIENCE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    FreshKeyPerSend,
    IntentAfterSend,
    NoSync,
    BlindRetryAfterTimeout,
    ResumeByLineNumber,
    RefusalCountsAsCreated,
    TimeoutCountsAsCreated,
    ReportLeavesARowOut,
    NeverAsksAgain,
}

/// Where the client is killed: at the row of this number, just before or just after its request left.
#[derive(Clone, Copy, Debug)]
enum Death {
    Never,
    AfterSend(usize),
}

/// What outlives a death.
#[derive(Default)]
struct Disk {
    /// The key of every request that may have left.
    intents: BTreeMap<String, String>,
    /// How a record ended: status and id.
    outcomes: BTreeMap<String, (&'static str, String)>,
    lines_done: usize,
}

struct Client<'a> {
    flaw: Flaw,
    server: &'a Server,
    disk: Disk,
    /// Written and not synced; a death takes it away.
    unsynced: Vec<(String, String)>,
    keys: u32,
}

struct Died;

/// What a request brought, to a client that knows little.
enum Answer {
    Created(String),
    Taken,
    Refused,
    Nothing,
}

impl<'a> Client<'a> {
    fn new(flaw: Flaw, server: &'a Server) -> Self {
        Self { flaw, server, disk: Disk::default(), unsynced: Vec::new(), keys: 0 }
    }

    fn run(&mut self, emails: &[String], death: Death) -> Result<(), Died> {
        self.unsynced.clear();
        let skipped = if self.flaw == Flaw::ResumeByLineNumber { self.disk.lines_done } else { 0 };
        for (row, email) in emails.iter().enumerate().skip(skipped) {
            let dies = matches!(death, Death::AfterSend(at) if at == row);
            if !self.disk.outcomes.contains_key(email) {
                self.deliver(email, dies)?;
            }
            self.disk.lines_done = row + 1;
        }
        self.disk.intents.extend(self.unsynced.drain(..));
        Ok(())
    }

    fn deliver(&mut self, email: &str, dies: bool) -> Result<(), Died> {
        let known = self.disk.intents.get(email).cloned();
        if known.is_some() {
            // The request of an earlier life may still be at work.
            std::thread::sleep(SETTLE);
        }
        let mut key = known.unwrap_or_else(|| self.new_key());
        for _ in 0..10 {
            if self.flaw == Flaw::FreshKeyPerSend {
                key = self.new_key();
            }
            self.intend(email, &key);
            let answer = self.send(email, &key);
            if dies {
                return Err(Died);
            }
            if self.flaw == Flaw::IntentAfterSend {
                self.disk.intents.insert(email.to_owned(), key.clone());
            }
            let end = match answer {
                Answer::Created(id) => Some(("created", id)),
                Answer::Taken if self.flaw == Flaw::FreshKeyPerSend => Some(("rejected", String::new())),
                Answer::Taken => Some(("exists", String::new())),
                Answer::Refused if self.flaw == Flaw::RefusalCountsAsCreated => Some(("created", "?".to_owned())),
                Answer::Refused => Some(("rejected", String::new())),
                Answer::Nothing => match self.flaw {
                    Flaw::TimeoutCountsAsCreated => Some(("created", "?".to_owned())),
                    Flaw::NeverAsksAgain => Some(("failed", String::new())),
                    Flaw::BlindRetryAfterTimeout => {
                        key = self.new_key();
                        None
                    }
                    _ => {
                        std::thread::sleep(SETTLE);
                        None
                    }
                },
            };
            if let Some(end) = end {
                self.disk.outcomes.insert(email.to_owned(), end);
                return Ok(());
            }
        }
        Ok(())
    }

    fn intend(&mut self, email: &str, key: &str) {
        match self.flaw {
            Flaw::IntentAfterSend => {}
            Flaw::NoSync => self.unsynced.push((email.to_owned(), key.to_owned())),
            _ => drop(self.disk.intents.insert(email.to_owned(), key.to_owned())),
        }
    }

    fn new_key(&mut self) -> String {
        self.keys += 1;
        format!("00000000-0000-4000-8000-{:012}", self.keys)
    }

    fn send(&self, email: &str, key: &str) -> Answer {
        // One e-mail is refused for its data, so that there is a refusal to get wrong.
        let phone = if email.starts_with("refused") { "" } else { "+4917612345678" };
        let body =
            json!({"customer_name": "A", "customer_email": email, "customer_phone": phone, "customer_country": "DEU"});
        let patience = if self.flaw == Flaw::BlindRetryAfterTimeout { IMPATIENCE } else { PATIENCE };
        let answer = exchange(&self.server.url, key, &body.to_string(), patience);
        let Some((status, body)) = answer else { return Answer::Nothing };
        let id = body["data"]["customer_id"].as_str().or(body["customer_id"].as_str());
        match (status, id) {
            (200..300, Some(id)) => Answer::Created(id.to_owned()),
            (400..500, _) if body.to_string().contains("already") => Answer::Taken,
            (400..500, _) => Answer::Refused,
            _ => Answer::Nothing,
        }
    }

    fn memory(&self) -> Memory {
        let emails = self.disk.intents.keys().chain(self.disk.outcomes.keys()).cloned().collect();
        Memory { emails, unanswered: BTreeSet::new() }
    }

    fn report(&self, lab: &Lab, emails: &[String]) {
        let mut report = "row,customer_email,status,customer_id\n".to_owned();
        for (row, email) in emails.iter().enumerate() {
            let unknown = ("not_attempted", String::new());
            let (status, id) = self.disk.outcomes.get(email).unwrap_or(&unknown);
            if self.flaw != Flaw::ReportLeavesARowOut || row != 1 {
                writeln!(report, "{},{email},{status},{id}", row + 1).unwrap();
            }
        }
        lab.write("report.csv", report);
    }
}

/// One request on a connection of its own. `None`: no whole answer in time.
fn exchange(url: &str, key: &str, body: &str, patience: Duration) -> Option<(u16, Value)> {
    let address = url.strip_prefix("http://")?.split('/').next()?;
    let path = url.strip_prefix("http://")?.strip_prefix(address)?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let length = body.len();
    let head = format!(
        "POST {path}/customer HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer any\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// The life of a client: a death, an input that was sorted the other way meanwhile, a run to the end, a report.
fn life(flaw: Flaw, server_options: &[&str], death: Death, extra: &[&str]) -> (Verdict, Verdict) {
    let lab = Lab::new();
    let server = Server::start(&lab, server_options);
    let mut emails: Vec<String> =
        (0..6).map(crate::harness::email).chain(extra.iter().map(|email| (*email).to_owned())).collect();
    let input = |emails: &[String]| {
        let header = customers(0);
        let rows: String = emails.iter().map(|email| format!("A,{email},+4917612345678,DEU\n")).collect();
        Input::read(&lab.write("in.csv", format!("{header}{rows}")))
    };
    let log = || Log::read(&lab.path("server.log"));
    let mut client = Client::new(flaw, &server);
    let died = client.run(&emails, death).is_err();
    assert_eq!(died, !matches!(death, Death::Never));
    // What is at work is worked on to its end; the log is complete then.
    std::thread::sleep(SETTLE);
    let midway = check_midway(&input(&emails), &log(), &client.memory());
    emails.reverse();
    let _ = client.run(&emails, Death::Never);
    std::thread::sleep(SETTLE);
    client.report(&lab, &emails);
    let end = check_end(&input(&emails), &log(), &client.memory(), &lab.path("report.csv"));
    (midway, end)
}

/// A server that answers the first request of one customer too late, after it saved it.
const SLOW_ONCE: [&str; 4] = ["--latency", "10ms", "--fault", "stall:p2@example.com:first=1"];
/// A server that takes its time, and checks e-mails before it saves them.
const SLOW_AND_RACY: [&str; 3] = ["--latency", "100ms", "--racy"];

#[test]
fn a_client_that_does_it_right_is_found_faultless() {
    for death in [Death::Never, Death::AfterSend(0), Death::AfterSend(3), Death::AfterSend(5)] {
        let (midway, end) = life(Flaw::None, &["--fault", "reset-after:p2@example.com:first=1"], death, &[]);
        assert!(midway.is_clean() && end.is_clean(), "{death:?}: {midway:?} {end:?}");
    }
}

#[test]
fn a_fresh_key_for_every_send_is_caught() {
    let (_, end) = life(Flaw::FreshKeyPerSend, &SLOW_ONCE, Death::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn an_intent_that_is_written_after_the_send_is_caught() {
    let (midway, _) = life(Flaw::IntentAfterSend, &[], Death::AfterSend(3), &[]);
    assert_eq!(midway.unannounced, ["p3@example.com"]);
}

#[test]
fn an_intent_that_is_not_synced_is_caught() {
    let (midway, _) = life(Flaw::NoSync, &[], Death::AfterSend(3), &[]);
    assert_eq!(midway.unannounced, ["p3@example.com"]);
}

#[test]
fn a_blind_retry_after_a_timeout_is_caught() {
    let (_, end) = life(Flaw::BlindRetryAfterTimeout, &SLOW_AND_RACY, Death::Never, &[]);
    assert!(!end.overlapping.is_empty() && !end.doubled.is_empty(), "{end:?}");
}

#[test]
fn resuming_by_line_number_is_caught() {
    let (_, end) = life(Flaw::ResumeByLineNumber, &[], Death::AfterSend(3), &[]);
    assert!(!end.lost.is_empty(), "{end:?}");
}

#[test]
fn a_refusal_that_counts_as_created_is_caught() {
    let (_, end) = life(Flaw::RefusalCountsAsCreated, &[], Death::Never, &["refused@example.com"]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_timeout_that_counts_as_created_is_caught() {
    let (_, end) = life(Flaw::TimeoutCountsAsCreated, &SLOW_ONCE, Death::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_timeout_that_counts_as_failed_is_caught() {
    let (_, end) = life(Flaw::NeverAsksAgain, &SLOW_ONCE, Death::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_row_that_is_missing_in_the_report_is_caught() {
    let (_, end) = life(Flaw::ReportLeavesARowOut, &[], Death::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}
