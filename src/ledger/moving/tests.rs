//! A file that has everything a ledger can have, and what the database knows after it has moved.

use std::path::PathBuf;

use testkit::postgres::Database;

use super::*;
use crate::domain::{EmailKey, Ending};
use crate::ledger::conformance::{
    begin, completed, created, doubt, email, intent, minute, moment, receipt, settle, target, ticket,
};
use crate::ledger::location::LedgerLocation;
use crate::ledger::model::{CheckedStatus, Intent, RunStart};
use crate::ledger::payload::PayloadHash;
use crate::ledger::postgres::tests::settings;
use crate::ledger::{Claim, ClaimPolicy, ClaimRequest, Creation, InputName, Ledger, Reader, SentPayload, Ticket};

struct World {
    folder: tempfile::TempDir,
    database: Database,
}

impl World {
    fn new() -> Option<Self> {
        Some(Self { folder: tempfile::tempdir().unwrap(), database: Database::new()? })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn settings(&self) -> DatabaseSettings {
        settings(&self.database.url())
    }

    fn there(&self) -> LedgerLocation {
        LedgerLocation::Database(std::sync::Arc::new(self.settings()))
    }

    fn move_it(&self) -> Result<MovedLedger, LedgerError> {
        move_ledger(&self.file(), &self.settings())
    }

    fn open(&self, target: &Target) -> Ledger {
        Ledger::open(&self.file(), target.clone(), Creation::Allowed).unwrap()
    }

    fn count(&self, table: &str) -> String {
        self.database.sql(&format!("SELECT count(*) FROM customer_import.{table}"))
    }
}

fn other() -> Target {
    Target { account: "other".to_owned(), ..target() }
}

const SENT: &[u8] = br#"{"customer_name":"Ada","customer_phone":"+1"}"#;

/// Two accounts, whose runs take turns, with doubts of two runs.
async fn fill(world: &World) {
    let ledger = world.open(&target());
    let options = Some(r#"{"map":["a=b"]}"#.to_owned());
    let first = ledger.begin_run(RunStart { input: InputName("/a.csv".to_owned()), options }).await.unwrap();
    let known = ticket(&ledger, &first, "a", 1).await;
    ledger.settle(&first, &known, SentPayload::of(SENT), created()).await.unwrap();
    let open = ticket(&ledger, &first, "open", 2).await;
    ledger.intend(&first, &open, intent(&ledger, &open)).await.unwrap();
    settle(&ledger, &first, &open, doubt()).await;
    let grown = ticket(&ledger, &first, "grown", 3).await;
    let token_until = Some(moment(600, true));
    let sent_at = moment(61, true);
    let again = Intent { generation: 2, body: vec![0, 255], sent_at, token_until, ..intent(&ledger, &grown) };
    ledger.intend(&first, &grown, again).await.unwrap();
    ledger.learn(&first, vec![(email("learnt"), receipt())]).await.unwrap();
    let status = |kyc: &str| CheckedStatus {
        kyc_status: Some(kyc.to_owned()),
        tos_status: None,
        checked_at: moment(7, false).wall,
    };
    ledger.learn_status(vec![(email("a"), status("approved"))]).await.unwrap();
    (0..3).for_each(|at| ledger.add_minute(&first, minute(at, 2)));
    let bad = ledger.hasher().bad_record(Some(&email("bad")), [&b"cell"[..]], "phone.syntax");
    ledger.end_run(&first, completed(vec![bad])).await.unwrap();
    ledger.check_owner("somebody").await.unwrap();
    drop(ledger);
    let ledger = world.open(&other());
    let run = begin(&ledger).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, created()).await;
    drop(ledger);
    let ledger = world.open(&target());
    let last = begin(&ledger).await;
    settle(&ledger, &last, &ticket(&ledger, &last, "late", 1).await, created()).await;
}

/// Everything that a reader can say of an account.
fn known(reader: &Reader) -> String {
    let emails = ["a", "open", "grown", "learnt", "late", "unknown"].map(email);
    let asked: Vec<&EmailKey> = emails.iter().collect();
    let as_of = |run: Option<i64>| (reader.outcomes(&asked, run).unwrap(), reader.states(&asked, run).unwrap());
    let bodies: Vec<_> = emails.iter().map(|email| (email, &b"{}"[..])).collect();
    let bad = reader.hasher().bad_record(Some(&email("bad")), [&b"cell"[..]], "phone.syntax");
    let intents: Vec<_> =
        as_of(None).1.into_iter().flatten().filter_map(|state| state.open).map(|open| *open).collect();
    let bytes: Vec<_> = intents.iter().map(|(_, intent)| (intent.body.clone(), intent.clone())).collect();
    let times = bytes.iter().map(|(body, intent)| (body, intent.key_since, intent.sent_at, intent.token_until));
    let runs = [reader.runs_of("/a.csv", 9).unwrap(), reader.runs_of("/customers.csv", 9).unwrap()];
    // Runs are numbered across the accounts of a file.
    let numbers: Vec<_> = runs.iter().flatten().map(|run| run.id.number).collect();
    let mut claimed = Vec::new();
    for &run in &numbers {
        let claim = |record| {
            claimed.push(format!("{record:?}"));
            Ok::<_, LedgerError>(())
        };
        reader.each_claimed(run, claim).unwrap();
    }
    format!(
        "{:#?}",
        (
            [as_of(None), as_of(Some(1))],
            times.collect::<Vec<_>>(),
            reader.changed_fields(&bodies, None).unwrap(),
            reader.known_bad(&[bad]).unwrap(),
            (reader.runs().unwrap(), numbers.iter().map(|run| reader.tally_of(*run).unwrap()).collect::<Vec<_>>()),
            numbers.iter().map(|run| reader.minutes(*run).unwrap()).collect::<Vec<_>>(),
            runs,
            (reader.tally().unwrap(), reader.open_requests().unwrap(), claimed),
            (reader.belongs_to_another("somebody").unwrap(), reader.belongs_to_another("else").unwrap()),
        )
    )
}

#[tokio::test]
async fn everything_that_the_file_knew_is_known_to_the_database_and_the_file_lets_no_run_in() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let before = [target(), other()].map(|target| known(&Reader::open(&world.file(), &target).unwrap()));
    let moved = world.move_it().unwrap();
    assert_eq!(moved, MovedLedger { accounts: 2, runs: 3, records: 6, doubts: 2, ..MovedLedger::default() });
    let after = [target(), other()].map(|target| known(&Reader::open(world.there(), &target).unwrap()));
    for (before, after) in before.iter().zip(&after) {
        assert!(before.contains("customer_phone") || before.contains("Unknown"));
        let differing = before.lines().zip(after.lines()).enumerate().find(|(_, (before, after))| before != after);
        assert!(before == after, "{differing:?}");
    }
    for target in [target(), other()] {
        let reader = Reader::open(world.there(), &target).unwrap();
        reader.check().unwrap();
        assert!(reader.holder().is_none(), "the lease was given back");
        let refused = Reader::open(&world.file(), &target).unwrap_err();
        assert!(matches!(refused, LedgerError::Moved { is_complete: true, .. }), "{refused}");
        let refused = Ledger::open(&world.file(), target, Creation::Allowed).unwrap_err();
        assert!(refused.to_string().contains("moved to postgres://"), "{refused}");
    }
    let again = world.move_it().unwrap();
    assert_eq!(again, MovedLedger { was_there: true, ..moved });
}

#[tokio::test]
async fn a_doubt_that_moved_is_asked_for_with_the_same_key_and_bytes_and_new_requests_have_the_same_keys() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let ledger = world.open(&target());
    let of_doubt = Reader::open(&world.file(), &target()).unwrap().state(&email("open"), None).unwrap().unwrap();
    let (_, sent) = *of_doubt.open.unwrap();
    let run = begin(&ledger).await;
    let fresh = ledger.key(&ticket(&ledger, &run, "fresh", 9).await, PayloadHash::of(b"y"), 1);
    drop(ledger);
    world.move_it().unwrap();
    let ledger = Ledger::open(world.there(), target(), Creation::Refused).unwrap();
    let run = begin(&ledger).await;
    assert_eq!(run.number, 5, "numbers go on");
    let requests = ["open", "fresh"].map(|name| ClaimRequest {
        email: email(name),
        payload: PayloadHash::of(b"x"),
        position: crate::domain::Position { row: 1, line: 2 },
    });
    let claims = ledger.claim(&run, requests.into(), ClaimPolicy::default()).await.unwrap();
    let [Claim::Deliver(mut open), Claim::Deliver(new)] = <[_; 2]>::try_from(claims).unwrap() else {
        panic!("no tickets")
    };
    assert_eq!(open.take_resumed(), Some(sent), "with the times of its sender, for the same boot");
    assert_eq!(ledger.key(&new, PayloadHash::of(b"y"), 1), fresh);
    assert!(ledger.settle_by_hand(&run, email("open"), Ending::Created(receipt())).await.unwrap());
    ledger.check_owner("somebody").await.unwrap();
    assert!(ledger.check_owner("else").await.is_err());
}

#[tokio::test]
async fn an_account_that_the_database_knows_is_refused_and_the_file_stays_the_ledger() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let before = known(&Reader::open(&world.file(), &target()).unwrap());
    let there = Ledger::open(world.there(), other(), Creation::Allowed).unwrap();
    let held = world.move_it().unwrap_err();
    assert!(matches!(held, LedgerError::Locked(_)), "{held}");
    begin(&there).await;
    drop(there);
    let refused = world.move_it().unwrap_err();
    assert!(refused.to_string().contains("knows \"other\" at https://api.example.com/v1 already"), "{refused}");
    assert_eq!([world.count("records"), world.count("runs")], ["0", "1"], "nothing of the other account either");
    assert!(known(&Reader::open(&world.file(), &target()).unwrap()) == before);
    for target in [target(), other()] {
        drop(world.open(&target));
        let there = Ledger::open(world.there(), target, Creation::Refused);
        assert!(there.is_ok(), "the leases were given back");
    }
}

#[tokio::test]
async fn a_file_that_a_run_holds_is_not_moved() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let _held = world.open(&target());
    let refused = world.move_it().unwrap_err();
    assert!(matches!(refused, LedgerError::Locked(_)), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_just_moving_lets_no_run_in_and_is_moved_by_the_same_command_alone() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let to = world.database.url();
    let mark = |to: &str| MoveMark { to: to.to_owned(), id: Uuid::new_v4(), is_complete: false };
    SqliteDeparture::open(&world.file()).unwrap().set_mark(&mark("postgres://other/l")).unwrap();
    let refused = Ledger::open(&world.file(), target(), Creation::Allowed).unwrap_err();
    assert!(matches!(refused, LedgerError::Moved { is_complete: false, .. }), "{refused}");
    let refused = world.move_it().unwrap_err();
    assert!(refused.to_string().contains("is being moved to postgres://other/l"), "{refused}");
    SqliteDeparture::open(&world.file()).unwrap().set_mark(&mark(&to)).unwrap();
    let moved = world.move_it().unwrap();
    assert!(!moved.was_there && !moved.was_lost && moved.records == 6, "{moved:?}");
}

#[tokio::test]
async fn a_move_that_committed_without_knowing_is_completed_and_one_whose_database_lost_it_is_said() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    world.move_it().unwrap();
    let mut file = SqliteDeparture::open(&world.file()).unwrap();
    let mark = file.mark().cloned().unwrap();
    assert!(mark.is_complete);
    file.set_mark(&MoveMark { is_complete: false, ..mark }).unwrap();
    drop(file);
    let moved = world.move_it().unwrap();
    assert!(moved.was_there && !moved.was_lost);
    assert!(SqliteDeparture::open(&world.file()).unwrap().mark().unwrap().is_complete);
    world.database.sql("DROP SCHEMA customer_import CASCADE");
    let moved = world.move_it().unwrap();
    assert!(!moved.was_there && moved.was_lost && moved.records == 6, "{moved:?}");
    assert_eq!(world.count("records"), "6");
    // Once the database has been the ledger, a failure does not make the file one again: it is old.
    world.database.sql("DROP SCHEMA customer_import CASCADE");
    begin(&Ledger::open(world.there(), target(), Creation::Allowed).unwrap()).await;
    assert!(world.move_it().is_err());
    let refused = Ledger::open(&world.file(), target(), Creation::Allowed).unwrap_err();
    assert!(matches!(refused, LedgerError::Moved { is_complete: true, .. }), "{refused}");
}

#[tokio::test]
async fn the_mark_can_be_taken_away_again_and_programs_that_do_not_know_it_refuse_the_file() {
    let Some(world) = World::new() else { return };
    fill(&world).await;
    let values = || {
        let file = rusqlite::Connection::open(world.file()).unwrap();
        let of = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        [of("PRAGMA user_version"), of("SELECT oldest FROM compatible")]
    };
    let before = values();
    let mut file = SqliteDeparture::open(&world.file()).unwrap();
    for is_complete in [false, true] {
        file.set_mark(&MoveMark { to: "postgres://h/d".to_owned(), id: Uuid::new_v4(), is_complete }).unwrap();
    }
    assert!(values().into_iter().all(|version| version > 1_000), "newer than any program, and of use to none");
    file.remove_mark().unwrap();
    drop(file);
    assert_eq!(values(), before);
    drop(world.open(&target()));
}

#[tokio::test]
async fn a_file_without_accounts_is_left_as_it_is() {
    let Some(world) = World::new() else { return };
    drop(world.open(&target()));
    assert_eq!(world.move_it().unwrap(), MovedLedger::default());
    drop(world.open(&target()));
}

#[tokio::test]
async fn another_secret_of_the_database_stays_that_of_its_other_accounts() {
    let Some(world) = World::new() else { return };
    let third = Target { account: "third".to_owned(), ..target() };
    let key = |ledger: &Ledger, ticket: Ticket| ledger.key(&ticket, PayloadHash::of(b"x"), 0);
    let there = Ledger::open(world.there(), third.clone(), Creation::Allowed).unwrap();
    let run = begin(&there).await;
    let before = key(&there, ticket(&there, &run, "a", 1).await);
    drop(there);
    fill(&world).await;
    world.move_it().unwrap();
    let there = Ledger::open(world.there(), third, Creation::Refused).unwrap();
    let run = begin(&there).await;
    assert_eq!(key(&there, ticket(&there, &run, "a", 1).await), before);
    let secrets = "SELECT count(DISTINCT secret), count(*) FILTER (WHERE secret IS NULL) FROM customer_import.accounts";
    assert_eq!(world.database.sql(secrets), "1|1");
}
