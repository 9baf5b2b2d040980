//! A checker that finds nothing proves nothing. So here is a little client that does it right, and
//! the same client with one thing done wrong, each of which the checker must catch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::checker::{Input, Log, Memory, Rules, Verdict, check_end, check_midway};
use crate::harness::{HEADER, Lab, Server};

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
    StatusProvesTheEnd,
    RefusalEndsADoubt,
    NewKeyAfterAnyFailure,
    SendsWhatItFinds,
    GoesOnWithoutItsLock,
    GatewayMeansFailed,
    HastyAfterAGateway,
}

/// What happens to the client: it is killed just after the request of this row left; or, before
/// that row, another process changes the input or removes its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Never,
    DeathAfterSend(usize),
    ChangeBefore(usize),
    LockGoneBefore(usize),
}

/// What outlives a death.
#[derive(Clone, Default)]
struct Disk {
    /// The key of every request that may have left.
    intents: BTreeMap<String, String>,
    /// How a record ended: status and id.
    outcomes: BTreeMap<String, (&'static str, String)>,
    lines_done: usize,
}

struct Client<'a> {
    flaw: Flaw,
    url: &'a str,
    disk: Disk,
    /// Written and not synced; a death takes it away.
    unsynced: Vec<(String, String)>,
    keys: u32,
}

/// Why a run ended before its input did.
#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    Died,
    /// The input is another than the one that was planned.
    InputChanged,
    LockGone,
}

/// What a request brought, to a client that knows little.
enum Answer {
    Created(String),
    /// Refused, in words that say that there is such a customer or in others.
    Taken,
    Refused,
    /// The application says that it failed: its work is over, whatever came of it.
    Failed,
    /// Something in front of the application says so: its work may go on.
    Gateway,
    Nothing,
}

/// What a look-up brought.
enum Found {
    Id(String),
    Absent,
    /// Look-ups are not to be had.
    Unknown,
}

impl<'a> Client<'a> {
    fn new(flaw: Flaw, server: &'a Server) -> Self {
        Self { flaw, url: &server.url, disk: Disk::default(), unsynced: Vec::new(), keys: 0 }
    }

    fn run(&mut self, lab: &Lab, planned: &[String], blow: Blow) -> Result<(), Stopped> {
        self.unsynced.clear();
        let skipped = if self.flaw == Flaw::ResumeByLineNumber { self.disk.lines_done } else { 0 };
        for row in skipped..planned.len() {
            if blow == Blow::ChangeBefore(row) {
                lab.write("in.csv", file_of(&strangers(planned.len())));
            }
            if blow == Blow::LockGoneBefore(row) && self.flaw != Flaw::GoesOnWithoutItsLock {
                return Err(Stopped::LockGone);
            }
            let found = emails_in(&lab.read("in.csv"));
            if found != planned && self.flaw != Flaw::SendsWhatItFinds {
                return Err(Stopped::InputChanged);
            }
            let email = &found[row];
            if !self.disk.outcomes.contains_key(email) {
                self.deliver(email, blow == Blow::DeathAfterSend(row))?;
            }
            self.disk.lines_done = row + 1;
        }
        self.disk.intents.extend(self.unsynced.drain(..));
        Ok(())
    }

    fn deliver(&mut self, email: &str, dies: bool) -> Result<(), Stopped> {
        let known = self.disk.intents.get(email).cloned();
        let mut is_in_doubt = known.is_some();
        if is_in_doubt {
            // The request of an earlier life may still be at work.
            std::thread::sleep(SETTLE);
        }
        let mut key = known.unwrap_or_else(|| self.new_key());
        for _ in 0..10 {
            if self.flaw == Flaw::FreshKeyPerSend {
                key = self.new_key();
            }
            self.intend(email, &key);
            let begun = Instant::now();
            let answer = self.send(email, &key);
            if dies {
                return Err(Stopped::Died);
            }
            if self.flaw == Flaw::IntentAfterSend {
                self.disk.intents.insert(email.to_owned(), key.clone());
            }
            if let Some(end) = self.judge(email, &answer, is_in_doubt) {
                self.disk.outcomes.insert(email.to_owned(), end);
                return Ok(());
            }
            is_in_doubt = true;
            match (answer, self.flaw) {
                (Answer::Nothing, Flaw::BlindRetryAfterTimeout) | (Answer::Gateway, Flaw::StatusProvesTheEnd) => {
                    key = self.new_key();
                }
                (Answer::Gateway, Flaw::HastyAfterAGateway) => {}
                (Answer::Failed, Flaw::NewKeyAfterAnyFailure) => key = self.new_key(),
                (Answer::Failed, _) => match self.look_up_twice(email, begun) {
                    Found::Id(id) => {
                        self.disk.outcomes.insert(email.to_owned(), ("created", id));
                        return Ok(());
                    }
                    Found::Absent => {
                        (key, is_in_doubt) = (self.new_key(), false);
                    }
                    Found::Unknown => {}
                },
                _ => settle(begun),
            }
        }
        let end = if is_in_doubt { "in_doubt" } else { "failed" };
        self.disk.outcomes.insert(email.to_owned(), (end, String::new()));
        Ok(())
    }

    /// How the record ends with this answer, if it does.
    fn judge(&self, email: &str, answer: &Answer, is_in_doubt: bool) -> Option<(&'static str, String)> {
        let nobody = String::new();
        let trusts_refusals = self.flaw == Flaw::RefusalEndsADoubt;
        match (answer, self.flaw) {
            (Answer::Created(id), _) => Some(("created", id.clone())),
            (Answer::Taken, Flaw::FreshKeyPerSend) => Some(("rejected", nobody)),
            (Answer::Refused, Flaw::RefusalCountsAsCreated) => Some(("created", "?".to_owned())),
            (Answer::Taken | Answer::Refused, _) if is_in_doubt && !trusts_refusals => {
                Some(match self.look_up_twice(email, Instant::now()) {
                    Found::Id(id) => ("created", id),
                    Found::Absent => ("rejected", nobody),
                    Found::Unknown => ("in_doubt", nobody),
                })
            }
            (Answer::Taken, _) => Some(match self.look_up(email) {
                Found::Id(id) => ("exists", id),
                Found::Absent => ("rejected", nobody),
                Found::Unknown => ("exists", nobody),
            }),
            (Answer::Refused, _) => Some(("rejected", nobody)),
            (Answer::Nothing, Flaw::TimeoutCountsAsCreated) => Some(("created", "?".to_owned())),
            (Answer::Nothing, Flaw::NeverAsksAgain) | (Answer::Gateway, Flaw::GatewayMeansFailed) => {
                Some(("failed", nobody))
            }
            (Answer::Failed | Answer::Gateway | Answer::Nothing, _) => None,
        }
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
        let head = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        let answer = exchange(self.url, "POST", "", &head, &body.to_string(), patience);
        let Some((status, body)) = answer else { return Answer::Nothing };
        let id = body["data"]["customer_id"].as_str().or(body["customer_id"].as_str());
        match (status, id) {
            (200..300, Some(id)) => Answer::Created(id.to_owned()),
            (400..500, _) if body.to_string().contains("already exists") => Answer::Taken,
            (400..500, _) => Answer::Refused,
            (500, _) if body == json!({"message": "Server Error"}) => Answer::Failed,
            (500.., _) => Answer::Gateway,
            _ => Answer::Nothing,
        }
    }

    /// An e-mail counts as absent only if two look-ups do not find it.
    fn look_up_twice(&self, email: &str, begun: Instant) -> Found {
        settle(begun);
        match self.look_up(email) {
            Found::Absent => {
                std::thread::sleep(SETTLE);
                self.look_up(email)
            }
            told => told,
        }
    }

    fn look_up(&self, email: &str) -> Found {
        let query = format!("?email={}", email.replace('@', "%40"));
        let answer = exchange(self.url, "GET", &query, "", "", 10 * PATIENCE);
        let Some((200, body)) = answer else { return Found::Unknown };
        let rows = body["data"].as_array().into_iter().flatten();
        let id = rows.filter(|row| row["customer_email"] == email).find_map(|row| row["customer_id"].as_str());
        id.map_or(Found::Absent, |id| Found::Id(id.to_owned()))
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

fn settle(begun: Instant) {
    std::thread::sleep(SETTLE.saturating_sub(begun.elapsed()));
}

fn exchange(url: &str, method: &str, query: &str, more: &str, body: &str, patience: Duration) -> Option<(u16, Value)> {
    exchange_as("any", url, method, query, more, body, patience)
}

/// One request on a connection of its own, with a token. `None`: no whole answer in time.
pub(crate) fn exchange_as(
    token: &str,
    url: &str,
    method: &str,
    query: &str,
    more: &str,
    body: &str,
    patience: Duration,
) -> Option<(u16, Value)> {
    let address = url.strip_prefix("http://")?.split('/').next()?;
    let path = url.strip_prefix("http://")?.strip_prefix(address)?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path}/customer{query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Accept: application/json\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // What is not JSON still has a status.
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

fn file_of(emails: &[String]) -> String {
    let rows: String = emails.iter().map(|email| format!("A,{email},+4917612345678,DEU\n")).collect();
    format!("{HEADER}\n{rows}")
}

fn emails_in(file: &str) -> Vec<String> {
    file.lines().skip(1).filter_map(|line| line.split(',').nth(1)).map(str::to_owned).collect()
}

/// As many e-mails as there are rows, none of them planned.
fn strangers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("stranger{n}@example.com")).collect()
}

pub(crate) fn people(extra: &[&str]) -> Vec<String> {
    (0..6).map(crate::harness::email).chain(extra.iter().map(|email| (*email).to_owned())).collect()
}

pub(crate) fn planned(lab: &Lab, emails: &[String]) -> Input {
    Input::read(&lab.write("planned.csv", file_of(emails)))
}

/// The log after all work is over.
pub(crate) fn whole_log(lab: &Lab) -> Log {
    loop {
        let log = Log::read(&lab.path("server.log"));
        if !log.is_at_work() {
            return log;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The life of a client: a blow, an input that was sorted the other way meanwhile, a run to the
/// end, a report.
fn life(flaw: Flaw, server_options: &[&str], blow: Blow, extra: &[&str]) -> (Verdict, Verdict) {
    let lab = Lab::new();
    let server = Server::start(&lab, server_options);
    let rules = Rules { settle: SETTLE, is_blind: server_options.contains(&"--no-lookup") };
    let mut emails = people(extra);
    lab.write("in.csv", file_of(&emails));
    let mut client = Client::new(flaw, &server);
    let stopped = client.run(&lab, &emails, blow).err();
    assert_eq!(stopped == Some(Stopped::Died), matches!(blow, Blow::DeathAfterSend(_)));
    let midway = check_midway(&planned(&lab, &emails), &whole_log(&lab), &client.memory(), rules);
    emails.reverse();
    lab.write("in.csv", file_of(&emails));
    let _ = client.run(&lab, &emails, Blow::Never);
    client.report(&lab, &emails);
    let end = check_end(&planned(&lab, &emails), &whole_log(&lab), &client.memory(), &lab.path("report.csv"), rules);
    (midway, end)
}

/// Two clients with one ledger: the lock of the first is removed before its third row, and the
/// second starts at once from what the disk holds then.
fn two_at_once(flaw: Flaw) -> Verdict {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--email-only", "--racy", "--latency", "40ms"]);
    let emails = people(&[]);
    lab.write("in.csv", file_of(&emails));
    let mut first = Client::new(flaw, &server);
    for email in &emails[..2] {
        first.deliver(email, false).unwrap();
    }
    let mut second = Client { disk: first.disk.clone(), keys: 100, ..Client::new(flaw, &server) };
    std::thread::scope(|scope| {
        scope.spawn(|| drop(first.run(&lab, &emails, Blow::LockGoneBefore(0))));
        scope.spawn(|| second.run(&lab, &emails, Blow::Never).unwrap());
    });
    second.report(&lab, &emails);
    let memory = second.memory();
    check_end(
        &planned(&lab, &emails),
        &whole_log(&lab),
        &memory,
        &lab.path("report.csv"),
        Rules { settle: SETTLE, is_blind: false },
    )
}

/// A server that answers the first request of one customer too late, after it saved it.
const SLOW_ONCE: [&str; 4] = ["--latency", "10ms", "--fault", "stall:p2@example.com:first=1"];
/// A server that takes its time, and checks e-mails before it saves them.
const SLOW_AND_RACY: [&str; 3] = ["--latency", "100ms", "--racy"];
/// A gateway in front of a server that honours only the e-mail, and that checks before it saves.
const GATEWAY_AND_RACY: [&str; 4] = ["--email-only", "--racy", "--fault", "gateway-503=60ms:p2@example.com:first=1"];
/// A gateway that answers with an error page, or with words that look like the application's.
const GATEWAY_500: [&str; 2] = ["--fault", "gateway-500=60ms:p*:first=1"];
/// A lost answer, and a second request that is refused for the phone.
const LOST_AND_REFUSED: [&str; 5] =
    ["--email-only", "--fault", "reset-after:p2@example.com:first=1", "--fault", "refuse-again"];
/// A server that honours only the key, saves and then fails.
const FAILS_AND_HONOURS_KEYS: [&str; 3] = ["--key-only", "--fault", "500-after:p2@example.com:first=1"];

#[test]
fn a_client_that_does_it_right_is_found_faultless() {
    for blow in [
        Blow::Never,
        Blow::DeathAfterSend(0),
        Blow::DeathAfterSend(3),
        Blow::DeathAfterSend(5),
        Blow::ChangeBefore(2),
        Blow::LockGoneBefore(2),
    ] {
        let (midway, end) = life(Flaw::None, &["--fault", "reset-after:p2@example.com:first=1"], blow, &[]);
        assert!(midway.is_clean() && end.is_clean(), "{blow:?}: {midway:?} {end:?}");
    }
    let end = two_at_once(Flaw::None);
    assert!(end.is_clean(), "{end:?}");
}

#[test]
fn a_client_that_does_it_right_is_found_faultless_in_the_worlds_of_the_wrong_ones() {
    let blind = [&FAILS_AND_HONOURS_KEYS[..], &["--no-lookup"]].concat();
    for world in [&GATEWAY_AND_RACY[..], &GATEWAY_500, &LOST_AND_REFUSED, &FAILS_AND_HONOURS_KEYS, &SLOW_ONCE, &blind] {
        let (midway, end) = life(Flaw::None, world, Blow::Never, &[]);
        assert!(midway.is_clean() && end.is_clean(), "{world:?}: {midway:?} {end:?}");
        let unresolved: &[&str] = if world == blind { &["p2@example.com"] } else { &[] };
        assert_eq!(end.unresolved, unresolved, "{world:?}");
    }
}

#[test]
fn a_fresh_key_for_every_send_is_caught() {
    let (_, end) = life(Flaw::FreshKeyPerSend, &SLOW_ONCE, Blow::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn an_intent_that_is_written_after_the_send_is_caught() {
    let (midway, _) = life(Flaw::IntentAfterSend, &[], Blow::DeathAfterSend(3), &[]);
    assert_eq!(midway.unannounced, ["p3@example.com"]);
}

#[test]
fn an_intent_that_is_not_synced_is_caught() {
    let (midway, _) = life(Flaw::NoSync, &[], Blow::DeathAfterSend(3), &[]);
    assert_eq!(midway.unannounced, ["p3@example.com"]);
}

#[test]
fn a_blind_retry_after_a_timeout_is_caught() {
    let (_, end) = life(Flaw::BlindRetryAfterTimeout, &SLOW_AND_RACY, Blow::Never, &[]);
    assert!(!end.overlapping.is_empty() && !end.doubled.is_empty(), "{end:?}");
}

#[test]
fn resuming_by_line_number_is_caught() {
    let (_, end) = life(Flaw::ResumeByLineNumber, &[], Blow::DeathAfterSend(3), &[]);
    assert!(!end.lost.is_empty(), "{end:?}");
}

#[test]
fn a_refusal_that_counts_as_created_is_caught() {
    let (_, end) = life(Flaw::RefusalCountsAsCreated, &[], Blow::Never, &["refused@example.com"]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_timeout_that_counts_as_created_is_caught() {
    let (_, end) = life(Flaw::TimeoutCountsAsCreated, &SLOW_ONCE, Blow::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_timeout_that_counts_as_failed_is_caught() {
    let (_, end) = life(Flaw::NeverAsksAgain, &SLOW_ONCE, Blow::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_row_that_is_missing_in_the_report_is_caught() {
    let (_, end) = life(Flaw::ReportLeavesARowOut, &[], Blow::Never, &[]);
    assert!(!end.untrue.is_empty(), "{end:?}");
}

#[test]
fn a_503_that_counts_as_the_end_of_the_work_is_caught() {
    let (_, end) = life(Flaw::StatusProvesTheEnd, &GATEWAY_AND_RACY, Blow::Never, &[]);
    assert!(!end.doubled.is_empty() && !end.overlapping.is_empty() && !end.too_soon.is_empty(), "{end:?}");
}

#[test]
fn a_retry_before_the_settle_time_after_a_gateways_answer_is_caught() {
    // Same key, and a server that waits with it: no customer is doubled, and yet it was too soon.
    let (_, end) = life(Flaw::HastyAfterAGateway, &GATEWAY_500, Blow::Never, &[]);
    assert!(end.doubled.is_empty() && !end.overlapping.is_empty() && end.too_soon.len() == 6, "{end:?}");
}

#[test]
fn a_gateways_500_that_counts_as_failed_is_caught_by_work_that_ends_later() {
    let (_, end) = life(Flaw::GatewayMeansFailed, &GATEWAY_500, Blow::Never, &[]);
    assert_eq!(end.untrue.len(), 6, "{end:?}");
}

#[test]
fn a_refusal_that_ends_a_doubt_is_caught() {
    let (_, end) = life(Flaw::RefusalEndsADoubt, &LOST_AND_REFUSED, Blow::Never, &[]);
    assert_eq!(end.untrue.len(), 1, "{end:?}");
}

#[test]
fn a_new_key_after_a_failure_at_a_server_that_honours_only_keys_is_caught() {
    let (_, end) = life(Flaw::NewKeyAfterAnyFailure, &FAILS_AND_HONOURS_KEYS, Blow::Never, &[]);
    assert_eq!(end.doubled.len(), 1, "{end:?}");
}

#[test]
fn sending_what_was_read_after_the_input_changed_is_caught() {
    let (midway, _) = life(Flaw::SendsWhatItFinds, &[], Blow::ChangeBefore(2), &[]);
    assert_eq!(midway.unplanned, (2..6).map(|n| format!("stranger{n}@example.com")).collect::<Vec<_>>());
    assert_eq!(midway.unexpected.len(), 4, "{midway:?}");
}

#[test]
fn going_on_without_the_lock_is_caught() {
    let end = two_at_once(Flaw::GoesOnWithoutItsLock);
    assert!(!end.overlapping.is_empty() && !end.doubled.is_empty(), "{end:?}");
}
