//! Two little hosts with one ledger that do it right, and four that do one thing wrong, each of
//! which the checker of the campaign must catch.
//!
//! Their database is a lock in this process: what it holds under the lock is a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::takeovers::{self, Open, Takeover, Trespasses, Waits};
use testkit::witness::{Witness, now};

use crate::checker::{Memory, Rules, Verdict, check_end};
use crate::harness::{Lab, Server};
use crate::mutants::{exchange_as, people, planned, whole_log};

const LEASE: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_millis(100);
/// Longer than the slow server works on a request.
const SETTLE: Duration = Duration::from_millis(600);
/// How late a request may be seen here.
const LATENESS: Duration = Duration::from_millis(60);
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    NoFence,
    FenceInAnotherTransaction,
    RenewWithoutTerm,
    NoWaitAfterTakeover,
}

/// What befalls the first host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// It is stopped before it writes down the request for this row, until its lease is another's
    /// and the grace is over.
    StopBefore(usize),
    /// It dies while the server works on the request for this row.
    DeathAfterSend(usize),
}

#[derive(Default)]
struct Tables {
    epoch: i64,
    term: Option<u32>,
    lease_until: Option<Instant>,
    /// The requests whose effect is unknown: key and epoch.
    intents: BTreeMap<String, (String, i64)>,
    outcomes: BTreeMap<String, (&'static str, String)>,
    takeovers: Vec<Takeover>,
}

struct Host<'a> {
    flaw: Flaw,
    name: &'static str,
    term: u32,
    epoch: i64,
    taken_at: Instant,
    tables: &'a Mutex<Tables>,
    url: &'a str,
}

/// The lease is another host's, or this one died.
struct Ended;

impl<'a> Host<'a> {
    /// Waits for the lease.
    fn new(flaw: Flaw, name: &'static str, term: u32, tables: &'a Mutex<Tables>, url: &'a str) -> Self {
        loop {
            let mut now_held = tables.lock().unwrap();
            if now_held.lease_until.is_none_or(|until| until < Instant::now()) {
                now_held.epoch += 1;
                now_held.lease_until = Some(Instant::now() + LEASE);
                let was_free = now_held.term.replace(term).is_none();
                let epoch = now_held.epoch;
                let open = |email: &String| Open { email: email.clone(), is_over: false, token_until: None };
                let open = now_held.intents.keys().map(open).collect();
                now_held.takeovers.push(Takeover { at: now(), epoch, who: name.to_owned(), was_free, open });
                return Self { flaw, name, term, epoch, taken_at: Instant::now(), tables, url };
            }
            drop(now_held);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn run(&self, emails: &[String], blow: Option<Blow>) -> Result<(), Ended> {
        for (row, email) in emails.iter().enumerate() {
            let is_stopped = blow == Some(Blow::StopBefore(row));
            let known = self.tables.lock().unwrap().outcomes.contains_key(email);
            // The stopped one had decided before that it sends this.
            if known && !is_stopped {
                continue;
            }
            let key = self.key_of(email);
            self.write(is_stopped, |tables| {
                tables.intents.insert(email.clone(), (key.clone(), self.epoch));
            })?;
            if blow == Some(Blow::DeathAfterSend(row)) {
                self.send(email, &key, Duration::from_millis(10));
                return Err(Ended);
            }
            let end = self.send(email, &key, PATIENCE).ok_or(Ended)?;
            self.write(false, |tables| {
                tables.intents.remove(email);
                tables.outcomes.insert(email.clone(), end);
            })?;
        }
        Ok(())
    }

    /// The key of the request, after the waits for an earlier one.
    fn key_of(&self, email: &str) -> String {
        let open = self.tables.lock().unwrap().intents.get(email).cloned();
        let Some((key, epoch)) = open else { return format!("key-of-{email}") };
        if epoch < self.epoch && self.flaw != Flaw::NoWaitAfterTakeover {
            std::thread::sleep((GRACE + SETTLE).saturating_sub(self.taken_at.elapsed()));
            // It goes on renewing its lease meanwhile.
            drop(self.write(false, |_| ()));
        }
        key
    }

    /// One transaction, if nothing is wrong: the fence, and then the change.
    fn write(&self, is_stopped: bool, change: impl FnOnce(&mut Tables)) -> Result<(), Ended> {
        let stop = || {
            if is_stopped {
                self.sleep_through_the_takeover();
            }
        };
        if self.flaw != Flaw::FenceInAnotherTransaction {
            stop();
        }
        let mut tables = self.tables.lock().unwrap();
        let holds = tables.epoch == self.epoch && tables.term == Some(self.term);
        match self.flaw {
            Flaw::NoFence => {}
            Flaw::RenewWithoutTerm => tables.lease_until = Some(Instant::now() + LEASE),
            _ if !holds => return Err(Ended),
            _ => tables.lease_until = Some(Instant::now() + LEASE),
        }
        if self.flaw == Flaw::FenceInAnotherTransaction {
            drop(tables);
            stop();
            tables = self.tables.lock().unwrap();
        }
        change(&mut tables);
        Ok(())
    }

    fn sleep_through_the_takeover(&self) {
        while self.tables.lock().unwrap().epoch == self.epoch {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(GRACE + 2 * LATENESS);
    }

    /// Returns how the record ends, or `None` without an answer.
    fn send(&self, email: &str, key: &str, patience: Duration) -> Option<(&'static str, String)> {
        let body = json!({
            "customer_name": "A", "customer_email": email, "customer_phone": "+4917612345678", "customer_country": "DEU",
        });
        let head = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        let answer = exchange_as(self.name, self.url, "POST", "", &head, &body.to_string(), patience)?;
        let id = answer.1["data"]["customer_id"].as_str().or(answer.1["customer_id"].as_str());
        Some(id.map_or(("exists", String::new()), |id| ("created", id.to_owned())))
    }
}

/// Two hosts, the first of which a blow befalls, and what the checker says of them.
fn fight(flaw: Flaw, blow: Blow) -> (Verdict, Trespasses) {
    let lab = Lab::new();
    let latency = if matches!(blow, Blow::DeathAfterSend(_)) { "500ms" } else { "20ms" };
    let server = Server::start(&lab, &["--email-only", "--racy", "--latency", latency]);
    let witness = Witness::before(&server.url);
    let emails = people(&[]);
    let tables = Mutex::new(Tables::default());
    std::thread::scope(|scope| {
        let first = Host::new(flaw, "first", 1, &tables, &witness.url);
        let second = scope.spawn(|| {
            let second = Host::new(flaw, "second", 2, &tables, &witness.url);
            assert!(second.run(&emails, None).is_ok() || flaw == Flaw::RenewWithoutTerm);
        });
        drop(first.run(&emails, Some(blow)));
        second.join().unwrap();
    });
    let tables = tables.into_inner().unwrap();
    let mut report = "row,customer_email,status,customer_id\n".to_owned();
    for (row, email) in emails.iter().enumerate() {
        let (status, id) = &tables.outcomes[email];
        writeln!(report, "{},{email},{status},{id}", row + 1).unwrap();
    }
    let known: BTreeSet<String> = tables.intents.keys().chain(tables.outcomes.keys()).cloned().collect();
    let memory = Memory { emails: known, unanswered: BTreeSet::new() };
    let (log, rules) = (whole_log(&lab), Rules { settle: SETTLE, is_blind: true });
    let verdict = check_end(&planned(&lab, &emails), &log, &memory, &lab.write("report.csv", report), rules);
    let waits = Waits {
        settle: SETTLE,
        grace: GRACE,
        connect: Duration::ZERO,
        lateness: LATENESS,
        furthest_token_end: Duration::ZERO,
    };
    (verdict, takeovers::check(&tables.takeovers, &witness.sent(), waits))
}

#[test]
fn two_hosts_that_do_it_right_are_found_faultless() {
    for blow in [Blow::StopBefore(0), Blow::StopBefore(3), Blow::DeathAfterSend(1)] {
        let (verdict, found) = fight(Flaw::None, blow);
        assert!(verdict.is_clean() && found.outlived.is_empty() && found.too_soon.is_empty(), "{verdict:?} {found:?}");
    }
}

#[test]
fn a_host_that_writes_without_the_fence_is_caught() {
    let (_, found) = fight(Flaw::NoFence, Blow::StopBefore(3));
    assert!(!found.outlived.is_empty(), "{found:?}");
}

#[test]
fn a_host_that_checks_the_fence_in_another_transaction_is_caught() {
    let (_, found) = fight(Flaw::FenceInAnotherTransaction, Blow::StopBefore(3));
    assert!(!found.outlived.is_empty(), "{found:?}");
}

#[test]
fn a_host_that_renews_the_lease_without_its_term_is_caught() {
    let (_, found) = fight(Flaw::RenewWithoutTerm, Blow::StopBefore(3));
    assert!(!found.outlived.is_empty(), "{found:?}");
}

#[test]
fn a_host_that_does_not_wait_after_a_takeover_is_caught() {
    let (verdict, found) = fight(Flaw::NoWaitAfterTakeover, Blow::DeathAfterSend(1));
    assert!(!verdict.overlapping.is_empty() && !found.too_soon.is_empty(), "{verdict:?} {found:?}");
}
