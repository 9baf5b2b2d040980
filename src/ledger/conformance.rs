//! What every store must keep: the same tests for each, named after the guarantee.
//!
//! A further store needs a [`Place`] and a line in the macro `stores`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::memory::MemoryLedger;
use super::sqlite::SqliteStore;
use super::store::{Op, OpReply, Settlement, Store};
use super::*;
use crate::clock::Clock;
use crate::domain::{
    BootTime, ChangedFields, Complaint, ComplaintCode, Data, EmailKey, Ending, MinuteTraffic, Moment, Outcome,
    Position, Receipt, Request, ResponseClass, Status, StopWords, Warning,
};

/// Where a store keeps its ledger from one opening to the next.
trait Place {
    fn open(&self, target: &Target) -> Ledger;
    fn reader(&self, target: &Target) -> Reader;
    /// The store alone, without a queue.
    fn store(&self, target: &Target) -> Box<dyn Store>;
}

struct Sqlite(tempfile::TempDir);

impl Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("a.db")
    }
}

impl Place for Sqlite {
    fn open(&self, target: &Target) -> Ledger {
        Ledger::open(&self.path(), target.clone(), Creation::Allowed).unwrap()
    }

    fn reader(&self, target: &Target) -> Reader {
        Reader::open(&self.path(), target).unwrap()
    }

    fn store(&self, target: &Target) -> Box<dyn Store> {
        Box::new(SqliteStore::open(&self.path(), target, Creation::Allowed).unwrap())
    }
}

impl Place for MemoryLedger {
    fn open(&self, target: &Target) -> Ledger {
        Ledger::over(
            MemoryLedger::open(self, target),
            LedgerName::from(std::path::Path::new("memory")),
            target.clone(),
            memory::SECRET.to_vec(),
        )
        .unwrap()
    }

    fn reader(&self, target: &Target) -> Reader {
        Reader::over(MemoryLedger::reader(self, target), &memory::SECRET).unwrap()
    }

    fn store(&self, target: &Target) -> Box<dyn Store> {
        Box::new(MemoryLedger::open(self, target))
    }
}

#[cfg(feature = "postgres")]
struct Postgres(testkit::postgres::Database);

#[cfg(feature = "postgres")]
impl Postgres {
    /// Returns `None`, and says so, if this machine has no PostgreSQL.
    fn new() -> Option<Self> {
        testkit::postgres::Database::new().map(Self)
    }

    fn location(&self) -> LedgerLocation {
        LedgerLocation::Database(std::sync::Arc::new(postgres::tests::settings(&self.0.url())))
    }
}

#[cfg(feature = "postgres")]
impl Place for Postgres {
    fn open(&self, target: &Target) -> Ledger {
        Ledger::open(self.location(), target.clone(), Creation::Allowed).unwrap()
    }

    fn reader(&self, target: &Target) -> Reader {
        Reader::open(self.location(), target).unwrap()
    }

    fn store(&self, target: &Target) -> Box<dyn Store> {
        let LedgerLocation::Database(settings) = self.location() else { panic!("a database") };
        Box::new(postgres::PostgresStore::open(&settings, target, Creation::Allowed, model::Stay::Run).unwrap())
    }
}

/// Runs a guarantee for each store.
macro_rules! stores {
    ($($guarantee:ident)*) => { $(
        mod $guarantee {
            #[tokio::test]
            async fn sqlite() { super::$guarantee(&super::Sqlite::new()).await; }
            #[tokio::test]
            async fn memory() { super::$guarantee(&super::MemoryLedger::default()).await; }
            #[cfg(feature = "postgres")]
            #[tokio::test]
            async fn postgres() {
                if let Some(place) = super::Postgres::new() {
                    super::$guarantee(&place).await;
                }
            }
        }
    )* };
}

stores! {
    every_field_of_an_outcome_comes_back
    every_field_of_an_intent_comes_back
    every_field_of_a_run_comes_back
    i1_an_intent_that_returned_is_known_to_the_next_process
    i3_a_settled_record_is_known_to_the_next_run
    i4_an_outcome_that_returned_is_seen_by_every_reader_that_is_opened_later
    i5_the_key_and_the_bytes_are_the_same_after_a_crash
    nothing_of_a_batch_is_there_before_its_commit
    a_batch_sees_what_its_earlier_operations_did
    answers_come_in_the_order_of_the_question
    doubt_stays_open_until_an_outcome_ends_it
    a_released_request_leaves_no_doubt_and_no_outcome
    the_doubt_of_a_killed_run_becomes_its_outcome_when_the_record_is_claimed
    a_doubt_settled_by_hand_is_an_outcome_of_both_runs
    a_second_row_of_an_email_is_a_duplicate_of_the_first
    outcomes_are_only_ever_added
    a_reader_goes_on_seeing_what_was_there_when_it_came
    learning_changes_nothing_that_is_settled
    a_target_knows_nothing_of_another
    a_reader_knows_whether_the_ledger_is_held_and_that_it_is_whole
    the_first_owner_is_kept
    forgetting_leaves_nothing
    shared_ids_are_counted_by_record
    a_run_remembers_its_input_its_options_and_whether_it_completed
    a_run_is_tallied_by_what_it_brought_itself
    minutes_come_back_in_their_order_and_parts_of_one_are_added_up
    minutes_that_were_not_waited_for_are_there_once_the_run_has_ended
    the_fields_that_differ_from_what_was_sent_are_named
    bad_records_are_known_from_the_last_completed_run_of_each_input
    a_status_that_was_learnt_comes_with_each_outcome_and_changes_nothing_else
    forgetting_leaves_no_hash_no_minute_and_no_status
    claimed_records_come_in_the_order_of_their_rows_until_the_caller_stops
    open_requests_come_oldest_first_and_those_of_late_are_found
    runs_are_numbered_in_their_order
}

pub(super) fn target() -> Target {
    Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() }
}

pub(super) fn email(name: &str) -> EmailKey {
    EmailKey::of(&format!("{name}@example.com"))
}

fn request(name: &str, body: &[u8], row: u64) -> ClaimRequest {
    ClaimRequest { email: email(name), payload: PayloadHash::of(body), position: Position { row, line: row + 1 } }
}

pub(super) async fn begin(ledger: &Ledger) -> RunId {
    ledger.begin_run(RunStart::without_input("/customers.csv")).await.unwrap()
}

async fn claim(ledger: &Ledger, run: &RunId, request: ClaimRequest) -> Claim {
    ledger.claim(run, vec![request], ClaimPolicy::default()).await.unwrap().pop().unwrap()
}

pub(super) async fn ticket(ledger: &Ledger, run: &RunId, name: &str, row: u64) -> Ticket {
    match claim(ledger, run, request(name, b"x", row)).await {
        Claim::Deliver(ticket) => ticket,
        other => panic!("expected a ticket, got {other:?}"),
    }
}

/// A moment so many seconds after some other, as precise as a store must be. Its boot is that of
/// this machine: a store that several machines share tells others what time it was by their own
/// clocks.
pub(super) fn moment(second: i64, has_boot: bool) -> Moment {
    let uptime = Duration::from_millis(1_000_000 + u64::try_from(second).unwrap() * 1000 + 1);
    let own = Clock::system().now().boot.map_or(7 << 100, |clock| clock.boot);
    let boot = has_boot.then_some(BootTime { boot: own, uptime });
    Moment { wall: Timestamp::from_millisecond(1_700_000_000_001 + second * 1000).unwrap(), boot }
}

pub(super) fn intent(ledger: &Ledger, ticket: &Ticket) -> Intent {
    let payload = PayloadHash::of(b"x");
    Intent {
        generation: ticket.generation(),
        key: ledger.key(ticket, payload, ticket.generation()),
        payload,
        body: b"x".to_vec(),
        attempt: 3,
        key_since: moment(0, true),
        sent_at: moment(60, true),
        token_until: None,
    }
}

pub(super) fn receipt() -> Receipt {
    let text = |name: &str| Some(name.to_owned());
    Receipt {
        id: text("id"),
        customer_id: text("c-1"),
        kyc_link: text("https://kyc"),
        tos_link: text("https://tos"),
        kyc_status: text("pending"),
        tos_status: text("signed"),
        created_at: text("2026-01-02T03:04:05Z"),
        data: Data::Kept(r#"{"a":1}"#.to_owned()),
    }
}

fn outcome(ending: Ending) -> Outcome {
    Outcome { ending, http_status: Some(201), attempts: 4, warnings: vec![Warning::AnswerDataTooLarge(9)] }
}

pub(super) fn created() -> Outcome {
    outcome(Ending::Created(receipt()))
}

fn complaint(message: &str) -> Complaint {
    Complaint { code: ComplaintCode::NoAnswer, message: message.to_owned() }
}

pub(super) fn doubt() -> Outcome {
    outcome(Ending::InDoubt(complaint("timeout")))
}

pub(super) async fn settle(ledger: &Ledger, run: &RunId, ticket: &Ticket, outcome: Outcome) {
    ledger.settle(run, ticket, SentPayload::of(b"x"), outcome).await.unwrap();
}

fn status(place: &impl Place, name: &str, run: Option<i64>) -> Status {
    let state = place.reader(&target()).state(&email(name), run).unwrap();
    state.map_or(Status::NotAttempted, |state| state.status(run.unwrap_or(i64::MAX), PayloadHash::of(b"x")))
}

async fn every_field_of_an_outcome_comes_back(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let endings = [
        Ending::Created(receipt()),
        Ending::Exists(Receipt { data: Data::None, ..receipt() }),
        Ending::Exists(Receipt::default()),
        Ending::Rejected(complaint("no")),
        Ending::Failed(complaint("")),
        Ending::InDoubt(complaint("ä\n\"")),
        Ending::NotAttempted(complaint("stopped")),
    ];
    for (row, ending) in (1..).zip(endings) {
        let name = format!("p{row}");
        let ticket = ticket(&ledger, &run, &name, row).await;
        let wanted = Outcome { http_status: (row % 2 == 0).then_some(409), ..outcome(ending) };
        settle(&ledger, &run, &ticket, wanted.clone()).await;
        let (state, stored) = place.reader(&target()).outcome(&email(&name), None).unwrap().unwrap();
        let (status, expected) = model::stored(&wanted);
        assert_eq!(stored, Some(expected), "{status}");
        assert_eq!(state.latest(), Some(&PastOutcome { run: run.number, status, payload: PayloadHash::of(b"x") }));
        assert_eq!((state.generation, state.claimed_row(run.number)), (0, Some(row)));
    }
}

async fn every_field_of_an_intent_comes_back(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let first = ticket(&ledger, &run, "a", 5).await;
    let token_until = Some(moment(600, true));
    let (body, key_since) = (vec![0, 255, 10], moment(0, false));
    let wanted = Intent { generation: 2, body, key_since, token_until, ..intent(&ledger, &first) };
    ledger.intend(&run, &first, wanted.clone()).await.unwrap();
    let reader = place.reader(&target());
    let state = reader.state(&email("a"), None).unwrap().unwrap();
    assert_eq!((state.generation, &state.open), (2, &Some(Box::new((run.number, wanted.clone())))));
    let sent_at = wanted.sent_at.wall;
    assert_eq!(
        reader.open_requests().unwrap(),
        [OpenRequest { email: email("a"), row: 5, body: wanted.body, sent_at }]
    );
    let token_until = Some(moment(3, false));
    let swapped =
        Intent { key_since: moment(1, true), sent_at: moment(2, false), token_until, ..intent(&ledger, &first) };
    ledger.intend(&run, &first, swapped.clone()).await.unwrap();
    let state = place.reader(&target()).state(&email("a"), None).unwrap().unwrap();
    assert_eq!(state.open, Some(Box::new((run.number, swapped))), "a later intent takes the place of an earlier one");
}

async fn every_field_of_a_run_comes_back(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let running = place.reader(&target()).run(&run.name).unwrap().unwrap();
    assert_eq!((&running.id, running.ended_at, running.exit_code, &running.stopped), (&run, None, None, &None));
    assert_eq!(place.reader(&target()).state_of(&running).unwrap(), RunState::Running);
    let counters = RunCounters { requests: 1, throttled: 2, retries: 3, recovered: 4 };
    assert_eq!((running.records_read, running.known_bad, running.is_completed), (None, None, false));
    let end = EndedRun {
        counters,
        exit_code: 74,
        stopped: Some(StopWords::advising("stopped", "go on")),
        records_read: Some(5),
        known_bad: Some(6),
        ..EndedRun::default()
    };
    ledger.end_run(&run, end).await.unwrap();
    let reader = place.reader(&target());
    let ended = reader.last_run("/customers.csv").unwrap().unwrap();
    let found = (ended.counters, ended.exit_code, &ended.stopped);
    assert_eq!(found, (counters, Some(74), &Some(StopWords::advising("stopped", "go on"))));
    assert_eq!((ended.records_read, ended.known_bad, ended.is_completed), (Some(5), Some(6), false));
    assert_eq!(reader.state_of(&ended).unwrap(), RunState::Ended(ended.ended_at.unwrap()));
    assert!(ended.started_at == running.started_at && ended.ended_at >= Some(ended.started_at));
    assert!(reader.last_run("/other.csv").unwrap().is_none() && reader.run("other").unwrap().is_none());
    drop(ledger);
    assert_eq!(place.reader(&target()).state_of(&running).unwrap(), RunState::CutOff);
}

async fn i1_an_intent_that_returned_is_known_to_the_next_process(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a", 1).await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket)).await.unwrap();
    assert_eq!(place.reader(&target()).open_requests().unwrap().len(), 1);
    drop(ledger);
    drop(place.open(&target()));
    assert_eq!(place.reader(&target()).open_requests().unwrap().len(), 1);
}

async fn i3_a_settled_record_is_known_to_the_next_run(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, created()).await;
    assert!(ledger.has_created().await.unwrap());
    drop(ledger);
    let ledger = place.open(&target());
    let next = begin(&ledger).await;
    let again = claim(&ledger, &next, request("a", b"x", 7)).await;
    assert!(matches!(again, Claim::Settled(Status::AlreadyImported)), "{again:?}");
    ledger.end_run(&next, EndedRun::default()).await.unwrap();
    let state = place.reader(&target()).state(&email("a"), None).unwrap().unwrap();
    assert_eq!(state.claimed_row(next.number), Some(7), "the row of the newest run");
}

async fn i4_an_outcome_that_returned_is_seen_by_every_reader_that_is_opened_later(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    for row in 1..20 {
        let name = format!("p{row}");
        settle(&ledger, &run, &ticket(&ledger, &run, &name, row).await, created()).await;
        assert_eq!(status(place, &name, Some(run.number)), Status::Created);
    }
}

async fn i5_the_key_and_the_bytes_are_the_same_after_a_crash(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let before = ticket(&ledger, &run, "a", 1).await;
    let sent = intent(&ledger, &before);
    ledger.intend(&run, &before, sent.clone()).await.unwrap();
    drop(ledger);
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let Claim::Deliver(mut after) = claim(&ledger, &run, request("a", b"edited", 1)).await else { panic!("no ticket") };
    assert!(after.is_resumed());
    assert_eq!(after.take_resumed(), Some(sent.clone()));
    assert_eq!(ledger.key(&after, PayloadHash::of(b"x"), 0), sent.key);
}

async fn nothing_of_a_batch_is_there_before_its_commit(place: &impl Place) {
    let mut store = place.store(&target());
    let begin = |name: &str| Op::BeginRun { name: name.to_owned(), start: RunStart::without_input("i") };
    store.apply(begin("one")).unwrap();
    assert_eq!(place.reader(&target()).runs().unwrap(), 0);
    store.commit().unwrap();
    assert_eq!(place.reader(&target()).runs().unwrap(), 1);
    store.apply(begin("two")).unwrap();
    drop(store);
    assert_eq!(place.reader(&target()).runs().unwrap(), 1, "a process that ends commits nothing");
    place.store(&target()).commit().unwrap();
    assert_eq!(place.reader(&target()).runs().unwrap(), 1, "an empty batch is one too");
}

async fn a_batch_sees_what_its_earlier_operations_did(place: &impl Place) {
    let mut store = place.store(&target());
    let begin = Op::BeginRun { name: "one".to_owned(), start: RunStart::without_input("i") };
    let run = store.apply(begin).unwrap().run().unwrap();
    let claim = |row| Op::Claim { run, requests: vec![request("a", b"x", row)], policy: ClaimPolicy::default() };
    let (first, second) = (store.apply(claim(1)).unwrap(), store.apply(claim(2)).unwrap());
    assert!(matches!(first.claims().unwrap()[..], [Claim::Deliver(_)]));
    assert!(matches!(second.claims().unwrap()[..], [Claim::Duplicate { of_row: 1 }]));
    let settle = Op::Settle {
        run,
        email: email("a"),
        settlement: Arc::new(Settlement::unread(PayloadHash::of(b"x"), created())),
    };
    assert!(matches!(store.apply(settle).unwrap(), OpReply::Done));
    assert_eq!(store.apply(Op::HasCreated).unwrap().is(), Some(true));
    store.commit().unwrap();
}

async fn answers_come_in_the_order_of_the_question(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let names: Vec<_> = (0..1201).map(|n| format!("p{}", n * 7919 % 1201)).collect();
    let requests = (1..).zip(&names).map(|(row, name)| request(name, b"x", row)).collect();
    let claims = ledger.claim(&run, requests, ClaimPolicy::default()).await.unwrap();
    for (claim, row) in claims.iter().zip(1..) {
        assert!(matches!(claim, Claim::Deliver(ticket) if ticket.position().row == row), "{row}: {claim:?}");
    }
    // The answer to a claim may leave before its commit.
    ledger.has_created().await.unwrap();
    let mut asked: Vec<_> = names.iter().map(|name| email(name)).collect();
    asked.insert(600, email("unknown"));
    let asked: Vec<_> = asked.iter().collect();
    let reader = place.reader(&target());
    let row = |state: &RecordState| state.claimed_row(run.number).unwrap();
    let found: Vec<_> = reader.states(&asked, None).unwrap().iter().map(|state| state.as_ref().map(row)).collect();
    let mut expected: Vec<_> = (1..=1201).map(Some).collect();
    expected.insert(600, None);
    assert_eq!(found, expected);
    let found = reader.outcomes(&asked, None).unwrap();
    let found: Vec<_> = found.iter().map(|known| known.as_ref().map(|(state, _)| row(state))).collect();
    assert_eq!(found, expected);
}

async fn doubt_stays_open_until_an_outcome_ends_it(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a", 1).await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket)).await.unwrap();
    settle(&ledger, &run, &ticket, doubt()).await;
    assert_eq!(place.reader(&target()).open_requests().unwrap().len(), 1);
    assert_eq!(place.reader(&target()).tally().unwrap().get(Status::InDoubt), 1);
    settle(&ledger, &run, &ticket, created()).await;
    assert_eq!(place.reader(&target()).open_requests().unwrap(), []);
    assert_eq!(place.reader(&target()).tally().unwrap().get(Status::Created), 1);
}

async fn a_released_request_leaves_no_doubt_and_no_outcome(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a", 1).await;
    ledger.intend(&run, &ticket, intent(&ledger, &ticket)).await.unwrap();
    ledger.release(&ticket).await.unwrap();
    let state = place.reader(&target()).state(&email("a"), None).unwrap().unwrap();
    assert!(state.open.is_none() && state.latest().is_none());
    assert_eq!(place.reader(&target()).tally().unwrap().get(Status::NotAttempted), 1);
}

async fn the_doubt_of_a_killed_run_becomes_its_outcome_when_the_record_is_claimed(place: &impl Place) {
    let ledger = place.open(&target());
    let killed = begin(&ledger).await;
    let first = ticket(&ledger, &killed, "a", 1).await;
    ledger.intend(&killed, &first, intent(&ledger, &first)).await.unwrap();
    drop(ledger);
    let ledger = place.open(&target());
    let next = begin(&ledger).await;
    let second = ticket(&ledger, &next, "a", 1).await;
    ledger.intend(&next, &second, intent(&ledger, &second)).await.unwrap();
    settle(&ledger, &next, &second, created()).await;
    assert_eq!(status(place, "a", Some(killed.number)), Status::InDoubt);
    assert_eq!(status(place, "a", Some(next.number)), Status::Created);
    let (_, stored) = place.reader(&target()).outcome(&email("a"), Some(killed.number)).unwrap().unwrap();
    assert_eq!(stored, Some(model::stored(&model::unheard()).1));
}

async fn a_doubt_settled_by_hand_is_an_outcome_of_both_runs(place: &impl Place) {
    let ledger = place.open(&target());
    let sender = begin(&ledger).await;
    let first = ticket(&ledger, &sender, "a", 1).await;
    ledger.intend(&sender, &first, intent(&ledger, &first)).await.unwrap();
    let person = begin(&ledger).await;
    let ending = Ending::Created(receipt());
    assert!(ledger.settle_by_hand(&person, email("a"), ending.clone()).await.unwrap());
    assert!(!ledger.settle_by_hand(&person, email("a"), ending.clone()).await.unwrap(), "it is settled already");
    assert!(!ledger.settle_by_hand(&person, email("unknown"), ending).await.unwrap());
    for run in [&sender, &person] {
        assert_eq!(status(place, "a", Some(run.number)), Status::Created);
    }
    let (_, stored) = place.reader(&target()).outcome(&email("a"), None).unwrap().unwrap();
    assert_eq!(stored.unwrap().attempts, 3, "those of the request");
    assert_eq!(place.reader(&target()).open_requests().unwrap(), []);
}

async fn a_second_row_of_an_email_is_a_duplicate_of_the_first(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let claims = vec![request("a", b"x", 4), request("A", b"y", 9)];
    let claims = ledger.claim(&run, claims, ClaimPolicy::default()).await.unwrap();
    assert!(matches!(claims[..], [Claim::Deliver(_), Claim::Duplicate { of_row: 4 }]), "{claims:?}");
}

async fn outcomes_are_only_ever_added(place: &impl Place) {
    let ledger = place.open(&target());
    let mut runs = Vec::new();
    for ending in [Ending::Failed(complaint("gave up")), Ending::Created(receipt())] {
        let run = begin(&ledger).await;
        settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, outcome(ending)).await;
        runs.push(run.number);
    }
    let reader = place.reader(&target());
    let as_of = |run| reader.outcome(&email("a"), Some(run)).unwrap().unwrap().1;
    assert_eq!(as_of(0), None, "the record is known, and nothing of how it ended");
    assert_eq!(as_of(runs[0]).unwrap().error, "gave up");
    assert_eq!(as_of(runs[1]).unwrap().receipt, receipt());
}

async fn a_reader_goes_on_seeing_what_was_there_when_it_came(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let reader = place.reader(&target());
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, created()).await;
    assert!(!reader.knows_any().unwrap() && reader.state(&email("a"), None).unwrap().is_none());
    assert!(place.reader(&target()).knows_any().unwrap());
}

async fn learning_changes_nothing_that_is_settled(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "created", 1).await, created()).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "failed", 2).await, outcome(Ending::Failed(complaint("")))).await;
    let open = ticket(&ledger, &run, "open", 3).await;
    ledger.intend(&run, &open, intent(&ledger, &open)).await.unwrap();
    let page: Vec<_> = ["created", "failed", "open", "new"].map(|name| (email(name), receipt())).into();
    assert_eq!(ledger.learn(&run, page.clone()).await.unwrap(), 2);
    assert_eq!(ledger.learn(&run, page).await.unwrap(), 0);
    for (name, expected) in
        [("created", Status::Created), ("failed", Status::Exists), ("open", Status::InDoubt), ("new", Status::Exists)]
    {
        assert_eq!(status(place, name, Some(run.number)), expected, "{name}");
    }
    let (state, stored) = place.reader(&target()).outcome(&email("new"), None).unwrap().unwrap();
    assert_eq!((state.claimed_row(run.number), stored.unwrap().attempts), (Some(0), 0));
}

async fn a_target_knows_nothing_of_another(place: &impl Place) {
    let other = Target { account: "other".to_owned(), ..target() };
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, created()).await;
    drop(ledger);
    let ledger = place.open(&other);
    assert!(!ledger.has_created().await.unwrap());
    let run = begin(&ledger).await;
    ticket(&ledger, &run, "a", 1).await;
    assert_eq!(ledger.forget_target().await.unwrap(), 1);
    assert!(!place.reader(&other).knows_any().unwrap());
    assert_eq!(place.reader(&target()).tally().unwrap().get(Status::Created), 1);
}

async fn a_reader_knows_whether_the_ledger_is_held_and_that_it_is_whole(place: &impl Place) {
    let ledger = place.open(&target());
    let reader = place.reader(&target());
    assert!(reader.holder().is_some() && reader.check().is_ok());
    drop(ledger);
    assert!(place.reader(&target()).holder().is_none());
}

async fn the_first_owner_is_kept(place: &impl Place) {
    let ledger = place.open(&target());
    ledger.check_owner("me").await.unwrap();
    let belongs_to_another = |owner| place.reader(&target()).belongs_to_another(owner).unwrap();
    assert!(belongs_to_another("you") && !belongs_to_another("me"));
    drop(ledger);
    let ledger = place.open(&target());
    ledger.check_owner("me").await.unwrap();
    let other = ledger.check_owner("you").await;
    assert!(matches!(other, Err(LedgerError::OtherAccount { .. })), "{other:?}");
}

async fn forgetting_leaves_nothing(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let open = ticket(&ledger, &run, "open", 1).await;
    ledger.intend(&run, &open, intent(&ledger, &open)).await.unwrap();
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 2).await, created()).await;
    assert!(ledger.forget_email(email("open")).await.unwrap());
    assert!(!ledger.forget_email(email("open")).await.unwrap());
    assert!(place.reader(&target()).state(&email("open"), None).unwrap().is_none());
    assert_eq!(place.reader(&target()).open_requests().unwrap(), []);
    ledger.check_owner("me").await.unwrap();
    assert_eq!(ledger.forget_target().await.unwrap(), 1);
    let reader = place.reader(&target());
    assert!(!reader.knows_any().unwrap() && reader.runs().unwrap() == 0);
    ledger.check_owner("you").await.unwrap();
}

async fn shared_ids_are_counted_by_record(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    for (row, (name, id)) in (1..).zip([("a", "c-1"), ("b", "c-2"), ("c", "c-1"), ("d", "c-1"), ("e", "c-2")]) {
        let receipt = Receipt { customer_id: Some(id.to_owned()), ..receipt() };
        let ticket = ticket(&ledger, &run, name, row).await;
        let outcome = outcome(Ending::Created(receipt));
        settle(&ledger, &run, &ticket, outcome.clone()).await;
        settle(&ledger, &run, &ticket, outcome).await;
    }
    let shared = place.reader(&target()).shared_ids(run.number).unwrap();
    let expected = [("c-1", 3), ("c-2", 2)];
    assert_eq!(shared, expected.map(|(id, records)| SharedId { customer_id: id.to_owned(), records }));
    assert_eq!(place.reader(&target()).shared_ids(run.number + 1).unwrap(), []);
}

async fn claimed_records_come_in_the_order_of_their_rows_until_the_caller_stops(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    for (name, row) in [("b", 3), ("a", 1), ("c", 2)] {
        settle(&ledger, &run, &ticket(&ledger, &run, name, row).await, created()).await;
    }
    ledger.learn(&run, vec![(email("learnt"), receipt())]).await.unwrap();
    let mut rows = Vec::new();
    let shown = place.reader(&target()).each_claimed(run.number, |claimed| {
        assert!(claimed.outcome.is_some_and(|outcome| outcome.receipt == receipt()));
        rows.push((claimed.row, claimed.email));
        if rows.len() == 2 { Err(LedgerError::Missing(PathBuf::new())) } else { Ok(()) }
    });
    assert!(matches!(shown, Err(LedgerError::Missing(_))), "the caller's own error");
    assert_eq!(rows, [(1, "a@example.com".to_owned()), (2, "c@example.com".to_owned())]);
}

async fn open_requests_come_oldest_first_and_those_of_late_are_found(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    for (row, (name, second)) in (1..).zip([("late", 100), ("early", 10)]) {
        let ticket = ticket(&ledger, &run, name, row).await;
        let intent = Intent { sent_at: moment(second, true), ..intent(&ledger, &ticket) };
        ledger.intend(&run, &ticket, intent).await.unwrap();
    }
    let open: Vec<_> = place.reader(&target()).open_requests().unwrap().into_iter().map(|open| open.row).collect();
    assert_eq!(open, [2, 1]);
    let sent = ledger.sent_within(Duration::from_secs(60), moment(130, true)).await.unwrap();
    assert_eq!(sent, [(email("late"), moment(100, true))]);
}

async fn runs_are_numbered_in_their_order(place: &impl Place) {
    let ledger = place.open(&target());
    let (first, second) = (begin(&ledger).await, begin(&ledger).await);
    assert!(first.number < second.number && first.name != second.name);
    let reader = place.reader(&target());
    assert_eq!((reader.runs().unwrap(), reader.last_run("/customers.csv").unwrap().unwrap().id), (2, second));
    let cut_off = reader.run(&first.name).unwrap().unwrap();
    assert_eq!(reader.state_of(&cut_off).unwrap(), RunState::CutOff, "only the newest can be alive");
}

fn run_of(input: &str) -> RunStart {
    RunStart { input: InputName(input.to_owned()), options: Some(r#"{"keep":["id"]}"#.to_owned()) }
}

pub(super) fn completed(bad_records: Vec<BadRecordDigest>) -> EndedRun {
    EndedRun { is_completed: true, records_read: Some(9), bad_records, ..EndedRun::default() }
}

async fn a_run_remembers_its_input_its_options_and_whether_it_completed(place: &impl Place) {
    let ledger = place.open(&target());
    let mut runs = Vec::new();
    for (input, end) in [
        ("a.csv", Some(completed(Vec::new()))),
        ("b.csv", Some(completed(Vec::new()))),
        ("a.csv", Some(EndedRun { exit_code: 130, ..EndedRun::default() })),
        ("a.csv", None),
    ] {
        let run = ledger.begin_run(run_of(input)).await.unwrap();
        if let Some(end) = end {
            ledger.end_run(&run, end).await.unwrap();
        }
        runs.push(run);
    }
    let reader = place.reader(&target());
    let found = reader.runs_of("a.csv", 10).unwrap();
    let ids: Vec<_> = found.iter().map(|info| &info.id).collect();
    assert_eq!(ids, [&runs[3], &runs[2], &runs[0]], "the newest first");
    assert_eq!(reader.runs_of("a.csv", 2).unwrap(), found[..2]);
    assert!(found.iter().all(|info| info.start == run_of("a.csv")));
    assert_eq!(found.iter().map(|info| info.is_completed).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!((found[1].exit_code, found[2].records_read), (Some(130), Some(9)));
    assert_eq!(reader.last_completed("a.csv").unwrap().as_ref(), found.last());
    assert_eq!(reader.last_completed("c.csv").unwrap(), None);
}

async fn a_run_is_tallied_by_what_it_brought_itself(place: &impl Place) {
    let ledger = place.open(&target());
    let first = begin(&ledger).await;
    settle(&ledger, &first, &ticket(&ledger, &first, "created", 1).await, created()).await;
    let twice = ticket(&ledger, &first, "twice", 2).await;
    settle(&ledger, &first, &twice, doubt()).await;
    settle(&ledger, &first, &twice, created()).await;
    let second = begin(&ledger).await;
    claim(&ledger, &second, request("created", b"x", 1)).await;
    settle(&ledger, &second, &ticket(&ledger, &second, "no", 3).await, outcome(Ending::Rejected(complaint("")))).await;
    let open = ticket(&ledger, &second, "open", 4).await;
    ledger.intend(&second, &open, intent(&ledger, &open)).await.unwrap();
    let reader = place.reader(&target());
    let tally = |run: &RunId| {
        let tally = reader.tally_of(run.number).unwrap();
        [Status::Created, Status::Rejected, Status::InDoubt].map(|status| tally.get(status))
    };
    assert_eq!((tally(&first), tally(&second)), ([2, 0, 0], [0, 1, 1]));
}

/// A minute with so many customers, each created in a tenth of a second.
pub(super) fn minute(minute: i64, customers: u64) -> MinuteTraffic {
    let mut traffic = MinuteTraffic::new(minute);
    traffic.add_responses(Request::Create, ResponseClass::Success, customers);
    (0..customers).for_each(|_| traffic.latencies.add(Duration::from_millis(100)));
    traffic.paused = Duration::from_millis(customers);
    traffic
}

async fn minutes_come_back_in_their_order_and_parts_of_one_are_added_up(place: &impl Place) {
    let mut store = place.store(&target());
    let begin = |name: &str| Op::BeginRun { name: name.to_owned(), start: run_of("i") };
    let one = store.apply(begin("one")).unwrap().run().unwrap();
    let other = store.apply(begin("two")).unwrap().run().unwrap();
    for (run, minute) in [(one, minute(8, 1)), (other, minute(7, 5)), (one, minute(7, 2)), (one, minute(8, 3))] {
        store.apply(Op::AddMinute { run, traffic: Box::new(minute) }).unwrap();
    }
    store.commit().unwrap();
    let reader = place.reader(&target());
    assert_eq!(reader.minutes(one).unwrap(), [minute(7, 2), minute(8, 4)]);
    assert_eq!(reader.minutes(other).unwrap(), [minute(7, 5)]);
    assert_eq!(reader.minutes(other + 1).unwrap(), []);
}

async fn minutes_that_were_not_waited_for_are_there_once_the_run_has_ended(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    (0..3).for_each(|at| ledger.add_minute(&run, minute(at, 1)));
    ledger.end_run(&run, EndedRun::default()).await.unwrap();
    assert_eq!(place.reader(&target()).minutes(run.number).unwrap().len(), 3);
}

async fn the_fields_that_differ_from_what_was_sent_are_named(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let (sent, now) = (br#"{"customer_name":"Ada","customer_phone":"+1"}"#, br#"{"customer_name":"Ada","x":{"y":1}}"#);
    let of_a = ticket(&ledger, &run, "a", 1).await;
    ledger.settle(&run, &of_a, SentPayload::of(sent), created()).await.unwrap();
    // A doubt that a person ended knows what was sent, too.
    let of_b = ticket(&ledger, &run, "b", 2).await;
    let open = Intent { payload: PayloadHash::of(sent), body: sent.to_vec(), ..intent(&ledger, &of_b) };
    ledger.intend(&run, &of_b, open).await.unwrap();
    ledger.settle_by_hand(&run, email("b"), Ending::Created(receipt())).await.unwrap();
    ledger.learn(&run, vec![(email("learnt"), receipt())]).await.unwrap();
    let reader = place.reader(&target());
    let emails = ["learnt", "a", "unknown", "b"].map(email);
    let asked: Vec<_> = emails.iter().map(|email| (email, &now[..])).collect();
    let named = ChangedFields::Named(vec!["customer_phone".to_owned(), "x.y".to_owned()]);
    let expected = [ChangedFields::Unknown, named.clone(), ChangedFields::Unknown, named];
    assert_eq!(reader.changed_fields(&asked, None).unwrap(), expected);
    let before = reader.changed_fields(&asked[1..2], Some(run.number - 1)).unwrap();
    assert_eq!(before, [ChangedFields::Unknown], "as of a run before it nothing was sent");
}

async fn bad_records_are_known_from_the_last_completed_run_of_each_input(place: &impl Place) {
    let other = Target { account: "other".to_owned(), ..target() };
    let ledger = place.open(&target());
    let digest = |cell: &'static str| ledger.hasher().bad_record(None, [cell.as_bytes()], "phone.syntax");
    let [old, lasting, elsewhere, stopped] = ["old", "lasting", "elsewhere", "stopped"].map(digest);
    for (input, end) in [
        ("a.csv", completed(vec![old, lasting, old])),
        ("b.csv", completed(vec![elsewhere, lasting])),
        ("a.csv", EndedRun { is_completed: false, ..completed(vec![stopped]) }),
    ] {
        let run = ledger.begin_run(run_of(input)).await.unwrap();
        ledger.end_run(&run, end).await.unwrap();
    }
    let known = |target: &Target| place.reader(target).known_bad(&[stopped, old, lasting, elsewhere]).unwrap();
    assert_eq!(known(&target()), [false, true, true, true]);
    let run = ledger.begin_run(run_of("a.csv")).await.unwrap();
    ledger.end_run(&run, completed(Vec::new())).await.unwrap();
    assert_eq!(known(&target()), [false, false, true, true], "what b.csv had stays");
    assert_eq!(known(&other), [false; 4], "another target");
    assert_eq!(place.reader(&target()).hasher().bad_record(None, [&b"old"[..]], "phone.syntax"), old);
}

async fn a_status_that_was_learnt_comes_with_each_outcome_and_changes_nothing_else(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    settle(&ledger, &run, &ticket(&ledger, &run, "a", 1).await, created()).await;
    let before = place.reader(&target()).outcome(&email("a"), None).unwrap().unwrap();
    let status = |text: Option<&str>, second| CheckedStatus {
        kyc_status: text.map(str::to_owned),
        tos_status: None,
        checked_at: moment(second, false).wall,
    };
    let page = vec![(email("a"), status(Some("pending"), 1)), (email("unknown"), status(None, 1))];
    assert_eq!(ledger.learn_status(page).await.unwrap(), 1);
    assert_eq!(ledger.learn_status(vec![(email("a"), status(Some("approved"), 2))]).await.unwrap(), 1);
    let reader = place.reader(&target());
    let (state, stored) = reader.outcome(&email("a"), None).unwrap().unwrap();
    let stored = stored.unwrap();
    assert_eq!(stored.checked, Some(status(Some("approved"), 2)));
    assert_eq!((state, Some(StoredOutcome { checked: None, ..stored })), before);
    assert!(reader.state(&email("unknown"), None).unwrap().is_none());
}

async fn forgetting_leaves_no_hash_no_minute_and_no_status(place: &impl Place) {
    let ledger = place.open(&target());
    let run = begin(&ledger).await;
    let bad = ["a", "b"].map(|name| ledger.hasher().bad_record(Some(&email(name)), [], "api.rejected"));
    for (row, name) in (1..).zip(["a", "b"]) {
        settle(&ledger, &run, &ticket(&ledger, &run, name, row).await, created()).await;
    }
    let status = CheckedStatus { kyc_status: None, tos_status: None, checked_at: moment(1, false).wall };
    ledger.learn_status(vec![(email("a"), status.clone()), (email("b"), status)]).await.unwrap();
    ledger.add_minute(&run, minute(1, 1));
    ledger.end_run(&run, completed(bad.to_vec())).await.unwrap();
    assert!(ledger.forget_email(email("a")).await.unwrap());
    let reader = place.reader(&target());
    assert_eq!(reader.known_bad(&bad).unwrap(), [false, true]);
    assert!(reader.outcome(&email("a"), None).unwrap().is_none());
    ticket(&ledger, &run, "a", 3).await;
    settle(&ledger, &run, &ticket(&ledger, &begin(&ledger).await, "a", 3).await, created()).await;
    let known = place.reader(&target()).outcome(&email("a"), None).unwrap().unwrap();
    assert_eq!(known.1.unwrap().checked, None, "who comes again has no status of before");
    assert_eq!(ledger.forget_target().await.unwrap(), 2);
    let reader = place.reader(&target());
    assert_eq!(reader.known_bad(&bad).unwrap(), [false, false]);
    assert!(reader.minutes(run.number).unwrap().is_empty() && reader.runs_of("/customers.csv", 1).unwrap().is_empty());
}

/// Two records go their way until the store crashes in place of the n-th commit. Returns which of
/// them may have been sent, and which were shown as created.
async fn until_the_crash(ledger: &Ledger) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut sent, mut shown) = (Vec::new(), Vec::new());
    let Ok(run) = ledger.begin_run(RunStart::without_input("i")).await else { return (sent, shown) };
    for (row, name) in (1..).zip(["a", "b"]) {
        let Ok(claims) = ledger.claim(&run, vec![request(name, b"x", row)], ClaimPolicy::default()).await else {
            break;
        };
        let Some(Claim::Deliver(ticket)) = claims.into_iter().next() else { continue };
        if ledger.intend(&run, &ticket, intent(ledger, &ticket)).await.is_err() {
            break;
        }
        sent.push(name);
        if ledger.settle(&run, &ticket, SentPayload::of(b"x"), created()).await.is_err() {
            break;
        }
        shown.push(name);
    }
    drop(ledger.end_run(&run, EndedRun::default()).await);
    (sent, shown)
}

#[tokio::test]
async fn between_any_two_commits_a_crash_forgets_nothing_that_left_or_was_shown_and_the_next_run_ends_it() {
    for commits in 0..10 {
        let place = MemoryLedger::default();
        place.crash_after(commits);
        let (sent, shown) = until_the_crash(&Place::open(&place, &target())).await;
        place.restart();
        for name in ["a", "b"] {
            let found = status(&place, name, None);
            let expected: &[Status] = match (sent.contains(&name), shown.contains(&name)) {
                (_, true) => &[Status::AlreadyImported, Status::Created],
                (true, false) => &[Status::InDoubt],
                (false, false) => &[Status::NotAttempted],
            };
            assert!(expected.contains(&found), "{name} after {commits} commits: {found}");
        }
        until_the_crash(&Place::open(&place, &target())).await;
        assert_eq!(Place::reader(&place, &target()).tally().unwrap().get(Status::Created), 2, "{commits}");
    }
}

/// A run is over with its bad records known, or neither is true.
#[tokio::test]
async fn between_any_two_commits_a_crash_leaves_a_completed_run_whole_or_not_completed() {
    let mut completions = 0;
    for commits in 0..6 {
        let place = MemoryLedger::default();
        let (digest, run) = {
            let ledger = Place::open(&place, &target());
            let digest = ledger.hasher().bad_record(None, [&b"bad"[..]], "phone.syntax");
            place.crash_after(commits);
            let run = ledger.begin_run(run_of("a.csv")).await;
            if let Ok(run) = &run {
                ledger.add_minute(run, minute(1, 1));
                ledger.has_created().await.ok();
                drop(ledger.end_run(run, completed(vec![digest])).await);
            }
            (digest, run)
        };
        place.restart();
        let reader = Place::reader(&place, &target());
        let is_completed = reader.last_completed("a.csv").unwrap().is_some();
        assert_eq!(reader.known_bad(&[digest]).unwrap(), [is_completed], "after {commits} commits");
        let minutes = run.map_or(0, |run| reader.minutes(run.number).unwrap().len());
        assert!(minutes == 1 || !is_completed, "what was handed in before the end is there with it");
        completions += usize::from(is_completed);
    }
    assert!((1..6).contains(&completions), "{completions}");
}

#[tokio::test]
async fn i10_after_a_commit_that_failed_nothing_more_is_taken() {
    let place = MemoryLedger::default();
    let ledger = Place::open(&place, &target());
    let run = begin(&ledger).await;
    let ticket = ticket(&ledger, &run, "a", 1).await;
    place.crash_after(0);
    assert!(ledger.intend(&run, &ticket, intent(&ledger, &ticket)).await.is_err());
    place.restart();
    let refused = ledger.intend(&run, &ticket, intent(&ledger, &ticket)).await;
    assert!(matches!(refused, Err(LedgerError::Io { .. })), "{refused:?}");
    ledger.add_minute(&run, minute(1, 1));
    assert!(ledger.end_run(&run, EndedRun::default()).await.is_err());
    assert_eq!(Place::reader(&place, &target()).minutes(run.number).unwrap(), []);
    assert_eq!(Place::reader(&place, &target()).open_requests().unwrap(), []);
}
