//! The ledger as a whole, over SQLite. What every store must keep is in `conformance`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::domain::{BootTime, Complaint, ComplaintCode, EmailKey, Ending, Moment, Outcome, Position, Receipt, Status};
use crate::ledger::*;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn target() -> Target {
        Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() }
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.path(), Self::target(), Creation::Allowed).unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path(), &Self::target()).unwrap()
    }
}

fn request(email: &str, body: &[u8], row: u64) -> ClaimRequest {
    let position = Position { row, line: row + 1 };
    ClaimRequest { email: EmailKey::of(email), payload: PayloadHash::of(body), position }
}

async fn begin(ledger: &Ledger) -> RunId {
    ledger.begin_run(RunStart::without_input("/customers.csv")).await.unwrap()
}

async fn claim_one(ledger: &Ledger, run: &RunId, email: &str, body: &[u8], row: u64) -> Claim {
    let requests = vec![request(email, body, row)];
    ledger.claim(run, requests, ClaimPolicy::default()).await.unwrap().pop().unwrap()
}

async fn ticket(ledger: &Ledger, run: &RunId, email: &str, body: &[u8]) -> Ticket {
    match claim_one(ledger, run, email, body, 1).await {
        Claim::Deliver(ticket) => ticket,
        other => panic!("expected a ticket, got {other:?}"),
    }
}

fn intent(ledger: &Ledger, ticket: &Ticket, body: &[u8]) -> Intent {
    let boot = BootTime { boot: 7 << 100, uptime: Duration::from_millis(1234) };
    let now = Moment { wall: Timestamp::from_millisecond(1_700_000_000_000).unwrap(), boot: Some(boot) };
    let payload = PayloadHash::of(body);
    let key = ledger.key(ticket, payload, 0);
    Intent {
        generation: 0,
        key,
        payload,
        body: body.to_vec(),
        attempt: 1,
        key_since: now,
        sent_at: Moment { boot: None, ..now },
        token_until: None,
    }
}

fn created(id: &str) -> Outcome {
    let receipt = Receipt { customer_id: Some(id.to_owned()), ..Receipt::default() };
    Outcome { ending: Ending::Created(receipt), http_status: Some(200), attempts: 1, warnings: Vec::new() }
}

#[tokio::test]
async fn a_created_record_is_known_to_the_next_run_with_its_id() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), created("c-1")).await.unwrap();
    drop(ledger);

    let ledger = world.open();
    let next = begin(&ledger).await;
    let claim = claim_one(&ledger, &next, "A@EXAMPLE.com", b"x", 1).await;
    assert!(matches!(claim, Claim::Settled(Status::AlreadyImported)));
    let (standing, told) = world.reader().outcome(&EmailKey::of("a@example.com"), None).unwrap().unwrap();
    assert_eq!(standing.status(run.number, PayloadHash::of(b"x")), Status::Created);
    assert_eq!(told.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
}

#[tokio::test]
async fn i5_the_same_attempt_has_the_same_key_and_bytes_after_a_crash() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let before = ticket(&ledger, &run, "a@example.com", b"x").await;
    let sent = intent(&ledger, &before, b"x");
    ledger.intend(&run, &before, sent.clone()).await.unwrap();
    drop(ledger);

    let ledger = world.open();
    let run = begin(&ledger).await;
    let mut after = ticket(&ledger, &run, "a@example.com", b"edited").await;
    assert_eq!(after.take_resumed(), Some(sent.clone()));
    assert_eq!(ledger.key(&after, PayloadHash::of(b"x"), 0), sent.key);
}

#[tokio::test]
async fn doubt_stays_open_until_an_outcome_ends_it_and_erases_the_body() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
    let complaint = Complaint { code: ComplaintCode::NoAnswer, message: "timeout".to_owned() };
    let doubt = Outcome { ending: Ending::InDoubt(complaint), ..created("") };
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), doubt).await.unwrap();
    assert_eq!(world.reader().open_requests().unwrap().len(), 1);
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), created("c-1")).await.unwrap();
    assert_eq!(world.reader().open_requests().unwrap().len(), 0);
}

#[tokio::test]
async fn an_outcome_is_in_the_queue_before_anybody_waits_for_it_and_written_before_what_is_handed_in_later() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
    let committed = ledger.settle(&run, &ticket, SentPayload::of(b"x"), created("c-1"));
    let open = ledger.sent_within(Duration::MAX, intent(&ledger, &ticket, b"x").key_since);
    let (open, committed) = tokio::join!(open, committed);
    assert_eq!((open.unwrap().len(), committed.is_ok()), (0, true));
}

#[tokio::test]
async fn damage_in_what_the_server_said_is_noticed_and_no_wrong_link_is_shown() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    let receipt = Receipt { kyc_link: Some("https://example.com/kyc?token=12345678".to_owned()), ..Receipt::default() };
    let outcome = Outcome { ending: Ending::Created(receipt), ..created("") };
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), outcome).await.unwrap();
    drop(ledger);
    let meddling = rusqlite::Connection::open(world.path()).unwrap();
    let change = "UPDATE outcomes SET receipt = CAST(substr(receipt, 1, 30) || x'00' || substr(receipt, 32) AS BLOB)";
    assert_eq!(meddling.execute(change, []).unwrap(), 1);
    let read = world.reader().outcome(&EmailKey::of("a@example.com"), None);
    assert!(matches!(read, Err(LedgerError::Damaged { .. })), "{read:?}");
}

/// Of 300 records the middle ones belong to another account; some ended twice, and some are in
/// doubt.
async fn grown(world: &World) -> i64 {
    let other = Target { account: "other".to_owned(), ..World::target() };
    let mut run = 0;
    for (target, rows) in [(World::target(), 0..100), (other, 100..200), (World::target(), 200..300)] {
        let ledger = Ledger::open(&world.path(), target, Creation::Allowed).unwrap();
        for half in [rows.start..rows.start + 50, rows.start + 50..rows.end] {
            let begun = begin(&ledger).await;
            for row in half {
                let email = format!("p{row}@example.com");
                let ticket = ticket(&ledger, &begun, &email, b"x").await;
                if row % 7 == 0 {
                    ledger.intend(&begun, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
                }
                for time in 0..=row % 5 / 4 {
                    let outcome = created(&format!("c{row}-{time}"));
                    drop(ledger.settle(&begun, &ticket, SentPayload::of(b"x"), outcome));
                }
                if row % 11 == 0 {
                    ledger.intend(&begun, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
                }
            }
            run = begun.number;
        }
    }
    run
}

#[tokio::test]
async fn records_that_were_read_ahead_are_those_that_a_search_finds_whatever_the_order_of_the_questions() {
    let world = World::new();
    let last = grown(&world).await;
    let (reader, searcher) = (world.reader(), world.reader());
    // Another question in between, so that nothing is read ahead.
    let found = |email: &EmailKey, run| {
        searcher.outcome(email, Some(i64::MAX - 1)).unwrap();
        searcher.outcome(email, run).unwrap()
    };
    let orders = prop_oneof![
        Just((0..310).collect::<Vec<_>>()),
        Just((0..310).rev().collect()),
        prop::collection::vec(0..310, 0..200),
        (0..300_i32, 1..40_usize).prop_map(|(begin, step)| (begin..310).step_by(step).chain(0..begin).collect()),
    ];
    let mut runner = proptest::test_runner::TestRunner::default();
    let check = |(order, as_of): (Vec<i32>, Option<i64>)| {
        let emails: Vec<_> = order.iter().map(|row| EmailKey::of(&format!("p{row}@example.com"))).collect();
        let asked: Vec<_> = emails.iter().collect();
        let expected: Vec<_> = asked.iter().map(|email| found(email, as_of)).collect();
        let states: Vec<_> = expected.iter().map(|known| known.as_ref().map(|(state, _)| state.clone())).collect();
        prop_assert_eq!(reader.outcomes(&asked, as_of).unwrap(), expected);
        prop_assert_eq!(reader.states(&asked, as_of).unwrap(), states);
        Ok(())
    };
    runner.run(&(orders, prop_oneof![Just(None), (0..=last).prop_map(Some)]), check).unwrap();
}

#[tokio::test]
async fn a_reader_goes_on_seeing_what_was_there_when_it_came_and_hinders_no_writer() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let (reader, email) = (world.reader(), EmailKey::of("a@example.com"));
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), created("c-1")).await.unwrap();
    assert!(reader.state(&email, None).unwrap().is_none());
    assert!(world.reader().state(&email, None).unwrap().unwrap().latest().is_some());
}

#[tokio::test]
async fn a_report_as_of_a_run_tells_of_its_outcome_and_of_no_later_one() {
    let world = World::new();
    let ledger = world.open();
    let complaint = Complaint { code: ComplaintCode::GaveUp, message: "gave up".to_owned() };
    let failed = Outcome { ending: Ending::Failed(complaint), ..created("") };
    let mut runs = Vec::new();
    for outcome in [failed, created("c-1")] {
        let run = begin(&ledger).await;
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.settle(&run, &ticket, SentPayload::of(b"x"), outcome).await.unwrap();
        runs.push(run.number);
    }
    let (reader, email) = (world.reader(), EmailKey::of("a@example.com"));
    let told = |run| reader.outcome(&email, Some(run)).unwrap().unwrap();
    assert!(told(0).1.is_none(), "the record is known, and nothing of how it ended");
    assert_eq!(told(runs[0]).1.unwrap().error, "gave up");
    assert_eq!(told(runs[1]).1.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
}

#[tokio::test]
async fn the_second_row_of_an_email_is_a_duplicate_of_the_first() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    assert!(matches!(claim_one(&ledger, &run, "a@example.com", b"x", 4).await, Claim::Deliver(_)));
    assert!(matches!(claim_one(&ledger, &run, "a@example.com", b"y", 9).await, Claim::Duplicate { of_row: 4 }));
}

#[tokio::test]
async fn i10_after_the_first_error_every_job_is_refused() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let meddling = rusqlite::Connection::open(world.path()).unwrap();
    meddling.execute_batch("ALTER TABLE targets RENAME TO elsewhere").unwrap();
    let broken = ledger.check_owner("somebody");
    assert!(broken.await.is_err());
    let refused = ledger.claim(&run, vec![request("a@example.com", b"x", 1)], ClaimPolicy::default()).await;
    assert!(matches!(refused, Err(LedgerError::Io { .. })));
}

/// The ledger is renamed while a request is in flight.
#[cfg(unix)]
#[tokio::test]
async fn a_ledger_without_its_name_permits_nothing_more_and_takes_what_is_in_flight() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let first = ticket(&ledger, &run, "a@example.com", b"x").await;
    let second = ticket(&ledger, &run, "b@example.com", b"x").await;
    ledger.intend(&run, &first, intent(&ledger, &first, b"x")).await.unwrap();
    std::fs::rename(world.path(), world.folder.path().join("b.db")).unwrap();
    let refused = ledger.intend(&run, &second, intent(&ledger, &second, b"x")).await.unwrap_err();
    assert!(refused.is_without_name(), "{refused}");
    ledger.settle(&run, &first, SentPayload::of(b"x"), created("c-1")).await.unwrap();
    std::fs::rename(world.folder.path().join("b.db"), world.path()).unwrap();
    let still = ledger.intend(&run, &second, intent(&ledger, &second, b"x")).await;
    assert!(still.is_err(), "a name that came back does not tell what happened meanwhile");
    ledger.end_run(&run, EndedRun { exit_code: 74, ..EndedRun::default() }).await.unwrap();

    let copy = world.folder.path().join("copy.db");
    ledger.copy_to(copy.clone()).await.unwrap();
    let reader = Reader::open(&copy, &World::target()).unwrap();
    let (_, told) = reader.outcome(&EmailKey::of("a@example.com"), None).unwrap().unwrap();
    assert_eq!(told.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
}

/// Its log stays behind under the old name, so the file itself must have everything.
#[cfg(unix)]
#[tokio::test]
async fn a_renamed_ledger_is_whole_without_its_log_and_another_files_log_is_left_alone() {
    let world = World::new();
    let ledger = world.open();
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
    ledger.settle(&run, &ticket, SentPayload::of(b"x"), created("c-1")).await.unwrap();
    let (log, renamed) = (world.folder.path().join("a.db-wal"), world.folder.path().join("b.db"));
    std::fs::rename(world.path(), &renamed).unwrap();
    std::fs::remove_file(&log).unwrap();
    std::fs::write(&log, "another ledger's").unwrap();
    drop(ledger);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "another ledger's");
    let reader = Reader::open(&renamed, &World::target()).unwrap();
    assert!(reader.outcome(&EmailKey::of("a@example.com"), None).unwrap().unwrap().1.is_some());
}

#[test]
fn two_runs_on_one_ledger_are_refused() {
    let world = World::new();
    let _held = world.open();
    let second = Ledger::open(&world.path(), World::target(), Creation::Allowed);
    assert!(matches!(second, Err(LedgerError::Locked(_))));
}

#[test]
fn a_required_ledger_is_not_made() {
    let world = World::new();
    let opened = Ledger::open(&world.path(), World::target(), Creation::Refused);
    assert!(matches!(opened, Err(LedgerError::Missing(_))));
    assert!(!world.path().exists());
}
