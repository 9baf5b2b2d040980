//! What only this store keeps.

use std::sync::Arc;
use std::time::Duration;

use testkit::postgres::Database;

use super::connect::Connected;
use super::{PostgresReader, PostgresStore, sql};
use crate::domain::{Complaint, ComplaintCode, EmailKey, Ending, Outcome, Position};
use crate::ledger::claim::{ClaimPolicy, ClaimRequest};
use crate::ledger::error::DatabaseProblem;
use crate::ledger::location::{DatabaseSettings, DatabaseUrl, PasswordSource};
use crate::ledger::model::{RunStart, Stay};
use crate::ledger::payload::PayloadHash;
use crate::ledger::store::{LedgerReader as _, Op, Settlement, Store as _};
use crate::ledger::{Creation, LedgerError, Target};

pub(in crate::ledger) fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        url: DatabaseUrl::parse(url).unwrap().unwrap(),
        password: PasswordSource::PasswordFile,
        ca_file: None,
        lease: Duration::from_secs(6),
        wait: Duration::ZERO,
        grace: Duration::from_secs(1),
        settle: Duration::from_secs(1),
        patience: Duration::from_secs(30),
        holder: None,
    }
}

#[tokio::test]
async fn every_statement_prepares() {
    let Some(database) = Database::new() else { return };
    let settings = settings(&database.url());
    assert_eq!(super::migrate(&settings).unwrap(), (0, 2));
    assert_eq!(super::migrate(&settings).unwrap(), (2, 2), "there is nothing left to do");
    let connected = Connected::open(&settings).await.unwrap();
    for (name, statement) in sql::ALL {
        let prepared = connected.client.prepare_typed(statement.text, statement.types).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(prepared.params().len(), statement.types.len(), "{name}");
    }
}

fn target() -> Target {
    Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() }
}

fn open(database: &Database) -> Result<PostgresStore, LedgerError> {
    PostgresStore::open(&settings(&database.url()), &target(), Creation::Allowed, Stay::Run)
}

fn begin(name: &str) -> Op {
    Op::BeginRun { name: name.to_owned(), start: RunStart::without_input("i") }
}

#[test]
fn s1_nothing_is_committed_once_another_term_holds_the_lease() {
    let Some(database) = Database::new() else { return };
    let mut store = open(&database).unwrap();
    let refused = open(&database).unwrap_err();
    assert!(matches!(&refused, LedgerError::Locked(by) if by.by.is_some()), "{refused}");
    store.apply(begin("one")).unwrap();
    store.commit().unwrap();
    let taken = "UPDATE customer_import.accounts SET epoch = epoch + 1, term = gen_random_uuid(), \
                 holder = '{\"host\": \"b\", \"process\": 7}'";
    for is_open in [true, false] {
        // In the middle of a batch, and between two.
        let Some(database) = Database::new() else { return };
        let mut store = open(&database).unwrap();
        store.apply(begin("one")).unwrap();
        store.commit().unwrap();
        store.apply(Op::Release { email: EmailKey::of("a@example.com") }).unwrap();
        database.sql(taken);
        let lost = if is_open { store.commit().map(drop) } else { store.apply(begin("two")).map(drop) };
        let lost = lost.unwrap_err();
        assert!(lost.is_taken_over(), "{lost}");
        assert!(lost.to_string().contains("taken over by process 7 on b"), "{lost}");
        assert!(store.apply(begin("three")).is_err() && store.commit().is_err(), "nothing is written any more");
        drop(store);
        assert_eq!(database.sql("SELECT count(*), max(name) FROM customer_import.runs"), "1|one");
        assert_eq!(database.sql("SELECT term IS NOT NULL FROM customer_import.accounts"), "t", "the other's lease");
    }
}

#[test]
fn the_lease_is_renewed_while_nothing_is_written() {
    let Some(database) = Database::new() else { return };
    let store = open(&database).unwrap();
    database.wait_for("SELECT last_batch >= 1 AND lease_until > clock_timestamp() FROM customer_import.accounts", "t");
    drop(store);
    assert_eq!(database.sql("SELECT term IS NULL FROM customer_import.accounts"), "t");
}

#[test]
fn words_with_zero_bytes_are_kept_without_them() {
    let Some(database) = Database::new() else { return };
    let mut store = open(&database).unwrap();
    let run = store.apply(begin("one")).unwrap().run().unwrap();
    let (email, payload) = (EmailKey::of("a@example.com"), PayloadHash::of(b"x"));
    let requests = vec![ClaimRequest { email: email.clone(), payload, position: Position { row: 1, line: 2 } }];
    store.apply(Op::Claim { run, requests, policy: ClaimPolicy::default() }).unwrap();
    let ending = Ending::Rejected(Complaint { code: ComplaintCode::Rejected, message: "no\0t so".to_owned() });
    let outcome = Outcome { ending, http_status: None, attempts: 1, warnings: Vec::new() };
    store
        .apply(Op::Settle { run, email: email.clone(), settlement: Arc::new(Settlement::unread(payload, outcome)) })
        .unwrap();
    store.commit().unwrap();
    let reader = PostgresReader::open(&settings(&database.url()), &target()).unwrap();
    let (_, stored) = reader.outcomes(&[&email], run).unwrap().pop().flatten().unwrap();
    assert_eq!(stored.unwrap().error, "no\u{fffd}t so");
}

#[test]
fn a_database_that_is_no_ledger_yet_is_missing() {
    let Some(database) = Database::new() else { return };
    assert!(!super::exists(&settings(&database.url())).unwrap());
    let missing = PostgresReader::open(&settings(&database.url()), &target()).unwrap_err();
    assert!(missing.is_missing(), "{missing}");
    assert!(matches!(missing, LedgerError::Database { problem: DatabaseProblem::Missing, .. }));
}
