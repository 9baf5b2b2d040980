//! Delivery as a whole, with a scripted server, a real ledger and a paused clock.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::auth::admission::Admission;
use super::rate::pacer::Pacer;
use super::record::deliver::{ApiEvidence, Delivered, RunContext, deliver, longer};
use super::run::engine::run_by;
use super::*;
use crate::api::{Allowance, Extent, GrantResult, PageResult, Token};
use crate::clock::Clock;
use crate::clock::tests::Given;
use crate::domain::{
    AttemptResult, Complaint, ComplaintCode, CountOrShare, DoubtCause, EmailKey, EmailWords, FoundCustomer, Matches,
    Position, Receipt, Refusal, RefusalScope, Status, StopReason, lookalike,
};
use crate::event::Event;
use crate::ledger::{
    Claim, ClaimPolicy, ClaimRequest, Creation, Ledger, LedgerError, PayloadHash, Reader, RunId, RunStart, Target,
};

/// What the scripted server does with the n-th request for an e-mail, and how long that takes.
type Script = Box<dyn Fn(&str, usize) -> (AttemptResult, Duration) + Send + Sync>;

#[derive(Default)]
struct Log {
    /// When each request came, for which e-mail, with which key.
    sent: Vec<(Instant, String, String)>,
    /// Indexed by the look-alike form of the e-mails.
    in_flight: HashMap<String, usize>,
    most_in_flight: usize,
    overlaps: usize,
    /// How many requests were open in the ledger at each request.
    most_open: usize,
    lookups: usize,
    tokens: usize,
    /// The keys of requests that were held back, by e-mail.
    held_back: Vec<(String, String)>,
}

/// A server that follows a script and keeps a log.
struct Scripted {
    script: Script,
    lookup: Box<dyn Fn(&str) -> PageResult + Send + Sync>,
    log: Arc<Mutex<Log>>,
    ledger: std::path::PathBuf,
    clock: Arc<Given>,
    /// How long the process is stopped while the next requests connect.
    stops: Arc<Mutex<Vec<Duration>>>,
    token_life: Option<Duration>,
}

impl Server for Scripted {
    async fn create(&self, _token: &Token, request: Outgoing<'_>) -> CreateReply {
        let email = request.payload.email.clone();
        assert!(intent_is_synced(&self.ledger, &email), "a request left before its intent was synced");
        if let Some(time) = self.stops.lock().unwrap().pop() {
            self.clock.sleep(time);
        }
        if !request.leave.is_open() {
            self.log.lock().unwrap().held_back.push((email, request.key.to_owned()));
            let result = AttemptResult::NotSent { cause: "late".to_owned(), hopeless: false };
            return CreateReply { result, http_status: None, allowance: Allowance::default() };
        }
        let (result, takes) = {
            let mut log = self.log.lock().unwrap();
            log.most_open = log.most_open.max(open_requests(&self.ledger));
            let earlier = log.sent.iter().filter(|(_, sent, _)| *sent == email).count();
            log.sent.push((Instant::now(), email.clone(), request.key.to_owned()));
            let of_its_look = log.in_flight.entry(lookalike(&email)).or_default();
            *of_its_look += 1;
            log.overlaps += usize::from(*of_its_look > 1);
            log.most_in_flight = log.most_in_flight.max(log.in_flight.values().sum());
            (self.script)(&email, earlier + 1)
        };
        tokio::time::sleep(takes).await;
        *self.log.lock().unwrap().in_flight.get_mut(&lookalike(&email)).unwrap() -= 1;
        CreateReply { result, http_status: None, allowance: Allowance::default() }
    }

    async fn look_up(&self, _token: &Token, email: &str, _page: u32) -> LookupReply {
        self.log.lock().unwrap().lookups += 1;
        LookupReply { page: (self.lookup)(email), allowance: Allowance::default() }
    }

    async fn list(&self, _token: &Token, _page: u32) -> LookupReply {
        unreachable!("a run lists nobody")
    }

    fn logs_in(&self) -> bool {
        false
    }

    async fn obtain(&self, _way: &TokenRequest) -> GrantResult {
        let mut log = self.log.lock().unwrap();
        log.tokens += 1;
        GrantResult::Granted { token: Token::parse(&format!("t{}", log.tokens)).unwrap(), life: self.token_life }
    }
}

/// Reads through another connection, so only committed data counts.
fn intent_is_synced(ledger: &std::path::Path, email: &str) -> bool {
    let reader = Reader::open(ledger, &target()).unwrap();
    let standing = reader.state(&EmailKey::of(email), None).unwrap();
    standing.is_some_and(|standing| standing.status(i64::MAX, PayloadHash::of(b"")) == Status::InDoubt)
}

fn open_requests(ledger: &std::path::Path) -> usize {
    Reader::open(ledger, &target()).unwrap().open_requests().unwrap().len()
}

fn target() -> Target {
    Target { base_url: "https://api.example.com".to_owned(), account: "default".to_owned() }
}

struct World {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    log: Arc<Mutex<Log>>,
    shutdown: Shutdown,
    rate: &'static str,
    concurrency: usize,
    limit: Option<u64>,
    max_failures: Option<CountOrShare>,
    clock: Arc<Given>,
    stops: Arc<Mutex<Vec<Duration>>>,
    token_life: Option<Duration>,
    start: Instant,
}

struct Ended {
    end: RunEnd,
    heartbeats: Vec<Duration>,
    statuses: Vec<(u64, Status)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        Self {
            _folder: folder,
            path,
            log: Arc::default(),
            shutdown: Shutdown::default(),
            rate: "1000/s",
            concurrency: 8,
            limit: None,
            max_failures: None,
            clock: Arc::new(Given::new()),
            stops: Arc::default(),
            token_life: None,
            start: Instant::now(),
        }
    }

    async fn run(
        &self,
        emails: &[&str],
        script: impl Fn(&str, usize) -> (AttemptResult, Duration) + Send + Sync + 'static,
        lookup: impl Fn(&str) -> PageResult + Send + Sync + 'static,
    ) -> Ended {
        let ledger = Arc::new(Ledger::open(&self.path, target(), Creation::Allowed).unwrap());
        let run = ledger.begin_run(RunStart::without_input("input")).await.unwrap();
        let (offers, offered) = mpsc::channel(emails.len().max(1));
        for (row, email) in (1..).zip(emails) {
            let position = Position { row, line: row + 1 };
            let body = format!(r#"{{"customer_email":"{email}","customer_name":"Ada","customer_phone":"+1"}}"#);
            let payload = Payload::stored(body.into(), email);
            offers.try_send(Offer::Valid { position, email: EmailKey::of(email), payload }).unwrap();
        }
        drop(offers);
        let job = Job {
            server: self.server(script, lookup),
            ledger,
            run,
            offers: offered,
            to_send: emails.len() as u64,
            rate: self.rate.parse().unwrap(),
            concurrency: NonZeroUsize::new(self.concurrency).unwrap(),
            retry: retry_policy(),
            guard: GuardPolicy { max_failures: self.max_failures, give_up_after: Duration::from_secs(30 * 60) },
            claims: ClaimPolicy::default(),
            lookups: true,
            limit: self.limit,
            known_rejected: std::collections::HashSet::new(),
            opening: None,
            shutdown: self.shutdown.clone(),
        };
        let (mut statuses, mut heartbeats) = (Vec::new(), Vec::new());
        let end = run_by(Clock::Given(Arc::clone(&self.clock)), job, |event| {
            if event == Event::Heartbeat {
                heartbeats.push(self.start.elapsed());
            }
            if let Event::Settled { position, status } = event {
                let email = emails[usize::try_from(position.row).unwrap() - 1];
                assert!(is_committed(&self.path, email, status), "{status} was shown before it was committed");
                statuses.push((position.row, status));
            }
        })
        .await;
        statuses.sort_unstable();
        Ended { end, heartbeats, statuses }
    }

    fn server(
        &self,
        script: impl Fn(&str, usize) -> (AttemptResult, Duration) + Send + Sync + 'static,
        lookup: impl Fn(&str) -> PageResult + Send + Sync + 'static,
    ) -> Scripted {
        let log = Arc::clone(&self.log);
        Scripted {
            script: Box::new(script),
            lookup: Box::new(lookup),
            log,
            ledger: self.path.clone(),
            clock: Arc::clone(&self.clock),
            stops: Arc::clone(&self.stops),
            token_life: self.token_life,
        }
    }

    fn keys(&self, email: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.sent.iter().filter(|(_, sent, _)| sent == email).map(|(_, _, key)| key.clone()).collect()
    }
}

fn retry_policy() -> RetryPolicy {
    RetryPolicy {
        max_attempts: NonZeroU32::new(5).unwrap(),
        settle: Duration::from_secs(90),
        grace: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        key_validity: Duration::from_secs(45 * 60),
        trust_unique_email: false,
    }
}

/// Returns true for duplicates and settled records, which have their outcome from before.
fn is_committed(ledger: &std::path::Path, email: &str, status: Status) -> bool {
    let reader = Reader::open(ledger, &target()).unwrap();
    let standing = reader.state(&EmailKey::of(email), None).unwrap();
    !matches!(status, Status::Created | Status::Exists | Status::Rejected)
        || standing.and_then(|standing| standing.latest().map(|latest| latest.status)) == Some(status)
}

fn created(_: &str, _: usize) -> (AttemptResult, Duration) {
    let receipt = Receipt { customer_id: Some("c".to_owned()), ..Receipt::default() };
    (AttemptResult::Created { receipt, other_email: None }, Duration::from_millis(200))
}

fn complaint(code: ComplaintCode) -> Complaint {
    Complaint { code, message: "words".to_owned() }
}

fn silence() -> AttemptResult {
    unanswered(DoubtCause::Silence)
}

fn unanswered(cause: DoubtCause) -> AttemptResult {
    AttemptResult::Unanswered { cause, complaint: complaint(ComplaintCode::NoAnswer), pause: None }
}

fn nobody(_: &str) -> PageResult {
    found(Vec::new())
}

fn found(exact: Vec<FoundCustomer>) -> PageResult {
    let extent = Extent { rows: exact.len() as u64, last_page: Some(1), ..Extent::default() };
    PageResult::Rows { found: Matches { exact, lookalike: None }, extent }
}

fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("p{n}@example.com")).collect()
}

fn borrowed(emails: &[String]) -> Vec<&str> {
    emails.iter().map(String::as_str).collect()
}

fn all_are(ended: &Ended, status: Status) -> bool {
    ended.statuses.iter().all(|(_, found)| *found == status)
}

// The world itself asserts I1 and I4, at every request and every settled record of every test here.
#[tokio::test(start_paused = true)]
async fn i1_i4_intents_are_synced_before_sending_and_outcomes_committed_before_showing() {
    let emails = many(40);
    let ended = World::new().run(&borrowed(&emails), created, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Finished));
    assert_eq!(ended.statuses.len(), 40);
    assert!(all_are(&ended, Status::Created));
    assert_eq!(ended.end.counters.requests, 40);
}

#[tokio::test(start_paused = true)]
async fn i2_at_most_one_request_per_email_is_in_flight_whatever_its_spelling() {
    let world = World::new();
    let ended = world.run(&["a@example.com", "A@Example.com", "a@example.com"], created, nobody).await;
    assert_eq!(ended.statuses, [(1, Status::Created), (2, Status::Duplicate), (3, Status::Duplicate)]);
    let log = world.log.lock().unwrap();
    assert_eq!((log.sent.len(), log.overlaps), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn i2_look_alike_emails_are_never_in_flight_together() {
    let world = World::new();
    let spellings = ["jose@{}.example.com", "josé@{}.example.com", "ＪＯＳＥ@{}.example.com", "josè@{}.example.com"];
    let emails: Vec<_> = (0..20).flat_map(|n| spellings.map(|one| one.replace("{}", &format!("p{n}")))).collect();
    let ended = world.run(&borrowed(&emails), created, nobody).await;
    assert_eq!((ended.statuses.len(), all_are(&ended, Status::Created)), (80, true), "they are records of their own");
    let log = world.log.lock().unwrap();
    assert_eq!((log.sent.len(), log.overlaps, log.most_in_flight), (80, 0, 8), "those that wait block nobody");
}

#[tokio::test(start_paused = true)]
async fn more_look_alikes_than_can_be_put_aside_go_one_by_one_and_records_behind_them_too() {
    let world = World { concurrency: 2, ..World::new() };
    let marks: Vec<_> = ('\u{300}'..='\u{330}').map(|mark| format!("jose{mark}@example.com")).collect();
    let emails: Vec<_> = marks.into_iter().chain(many(40)).collect();
    let ended = world.run(&borrowed(&emails), created, nobody).await;
    assert_eq!((ended.statuses.len(), all_are(&ended, Status::Created)), (89, true));
    assert_eq!(world.log.lock().unwrap().overlaps, 0);
}

/// Returns when each e-mail was sent, in seconds after the first request.
fn seconds_of(world: &World, email: &str) -> Vec<u64> {
    let log = world.log.lock().unwrap();
    let first = log.sent[0].0;
    log.sent.iter().filter(|(_, sent, _)| sent == email).map(|(at, ..)| (*at - first).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_look_alike_of_a_silent_request_waits_for_its_end_and_others_do_not() {
    let world = World::new();
    let script = |email: &str, n| match (email, n) {
        ("josé@example.com", 1) => (silence(), Duration::from_secs(75)),
        _ => created(email, n),
    };
    let ended = world
        .run(&["ann@example.com", "josé@example.com", "jose@example.com", "bob@example.com"], script, nobody)
        .await;
    assert!(all_are(&ended, Status::Created));
    assert_eq!(seconds_of(&world, "josé@example.com"), [0, 90]);
    assert_eq!(seconds_of(&world, "jose@example.com"), [90]);
    assert_eq!(seconds_of(&world, "bob@example.com"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_look_alike_of_a_record_that_ended_in_doubt_waits_for_the_settle_time() {
    let world = World::new();
    let not_offered = |_: &str| PageResult::NotOffered { http_status: 404 };
    let script = |email: &str, n| match email {
        "josé@example.com" => (silence(), Duration::from_secs(75)),
        _ => created(email, n),
    };
    let ended = world.run(&["josé@example.com", "jose@example.com"], script, not_offered).await;
    assert_eq!(ended.statuses, [(1, Status::InDoubt), (2, Status::Created)]);
    let last = *seconds_of(&world, "josé@example.com").last().unwrap();
    assert!(seconds_of(&world, "jose@example.com")[0] >= last + 90);
}

#[tokio::test(start_paused = true)]
async fn a_look_alike_of_a_doubt_of_an_earlier_run_waits_for_the_settle_time_whatever_the_input_has() {
    for emails in [&["jose@example.com"][..], &["jose@example.com", "josé@example.com"]] {
        let world = World::new();
        let shutdown = world.shutdown.clone();
        let script = move |_: &str, _| {
            shutdown.drain();
            (silence(), Duration::from_secs(30))
        };
        let ended = world.run(&["josé@example.com"], script, nobody).await;
        assert_eq!(ended.statuses, [(1, Status::InDoubt)]);

        let next = World { shutdown: Shutdown::default(), log: Arc::clone(&world.log), ..world };
        let ended = next.run(emails, created, nobody).await;
        assert_eq!((ended.statuses.len(), all_are(&ended, Status::Created)), (emails.len(), true));
        assert!(seconds_of(&next, "jose@example.com")[0] >= 89, "the settle time outlives the run");
        assert_eq!(next.log.lock().unwrap().overlaps, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn look_alikes_that_wait_neither_outlast_a_drain_nor_a_limit() {
    let world = World::new();
    let shutdown = world.shutdown.clone();
    let script = move |email: &str, n| {
        shutdown.drain();
        created(email, n)
    };
    let ended = world.run(&["jose@example.com", "josé@example.com"], script, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Interrupted));
    assert_eq!(ended.statuses, [(1, Status::Created)]);

    let world = World { limit: Some(1), ..World::new() };
    let ended = world.run(&["jose@example.com", "josé@example.com"], created, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::LimitReached));
    assert_eq!(ended.statuses, [(1, Status::Created)]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_waits_for_others_does_not_wait_for_its_look_alike() {
    let world = World { concurrency: 1, ..World::new() }.that_worked_before().await;
    let script = |email: &str, n| match email {
        "josé@example.com" => refused(RefusalScope::Endpoint),
        _ => created(email, n),
    };
    let marks: Vec<_> = ('\u{302}'..='\u{330}').map(|mark| format!("jose{mark}@example.com")).collect();
    let emails: Vec<_> = ["josé@example.com".to_owned()].into_iter().chain(marks).collect();
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Finished), "{:?}", ended.end.verdict);
    assert_eq!(ended.statuses[0], (1, Status::Rejected));
}

#[tokio::test(start_paused = true)]
async fn i3_a_second_run_of_the_same_records_sends_nothing() {
    let world = World::new();
    let emails = many(10);
    world.run(&borrowed(&emails), created, nobody).await;
    let again = world.run(&borrowed(&emails), created, nobody).await;
    assert!(all_are(&again, Status::AlreadyImported));
    assert_eq!(again.end.counters.requests, 0);
    assert_eq!(world.log.lock().unwrap().sent.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_first_request_goes_alone_and_the_concurrency_is_never_exceeded() {
    let world = World { concurrency: 4, ..World::new() };
    let emails = many(50);
    world.run(&borrowed(&emails), created, nobody).await;
    let log = world.log.lock().unwrap();
    assert!(
        log.sent[1].0 - log.sent[0].0 >= Duration::from_millis(200),
        "the second did not wait for the first answer"
    );
    assert_eq!(log.most_in_flight, 4);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stalls_now_and_then_keeps_its_pace_and_never_doubles_a_second() {
    let world = World { rate: "1/s", ..World::new() };
    let stalls = tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(2950)).await;
            tokio::time::advance(Duration::from_millis(700)).await;
        }
    });
    let emails = many(60);
    let ended = world.run(&borrowed(&emails), created, nobody).await;
    stalls.abort();
    assert!(all_are(&ended, Status::Created));
    let log = world.log.lock().unwrap();
    let time = log.sent[59].0 - log.sent[0].0;
    // A stall is not caught up, because a second has room for only one request, but it costs no
    // more than itself.
    assert!((59..=59 + 20).contains(&time.as_secs()), "{time:?}");
    let apart = log.sent.windows(2).map(|pair| pair[1].0 - pair[0].0).min();
    assert!(apart >= Some(Duration::from_secs(1)), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn the_places_in_flight_double_with_each_round_of_answers_up_to_the_concurrency() {
    let world = World { concurrency: 8, ..World::new() };
    let emails = many(40);
    let start = Instant::now();
    world.run(&borrowed(&emails), created, nobody).await;
    let log = world.log.lock().unwrap();
    // A response takes 200 ms, and pace and ledger add little to it.
    let round = |at: &Instant| at.duration_since(start).as_millis() / 200;
    let in_round = |number| log.sent.iter().filter(|(at, ..)| round(at) == number).count();
    assert_eq!([0, 1, 2, 3, 4].map(in_round), [1, 2, 4, 8, 8]);
}

#[tokio::test(start_paused = true)]
async fn i7_the_ledger_never_holds_more_open_requests_than_there_are_places() {
    let world = World { concurrency: 3, ..World::new() };
    let emails = many(60);
    let after = |email: &str, n| (created(email, n).0, Duration::from_millis(email.len() as u64 % 3));
    let ended = world.run(&borrowed(&emails), after, nobody).await;
    assert_eq!(ended.statuses.len(), 60);
    assert_eq!(world.log.lock().unwrap().most_open, 3);
}

/// Another process writes to the ledger, and blocks its writer until this is dropped.
fn hold(ledger: &std::path::Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(ledger).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_before_its_outcome_is_committed() {
    let world = World::new();
    let ledger = Arc::new(Ledger::open(&world.path, target(), Creation::Allowed).unwrap());
    let run = ledger.begin_run(RunStart::without_input("input")).await.unwrap();
    let (email, position) = (EmailKey::of("a@example.com"), Position { row: 1, line: 2 });
    let payload = Payload::stored(b"{}".to_vec(), email.as_str());
    let request = ClaimRequest { email, payload: payload.hash, position };
    let claims = ledger.claim(&run, vec![request], ClaimPolicy::default()).await.unwrap();
    let Some(Claim::Deliver(ticket)) = claims.into_iter().next() else { panic!("no ticket") };

    let held = Arc::new(Mutex::new(None));
    let (holding, path) = (Arc::clone(&held), world.path.clone());
    let script = move |email: &str, n| {
        *holding.lock().unwrap() = Some(hold(&path));
        created(email, n)
    };
    let slots = Arc::new(Semaphore::new(1));
    let context = context(&world, world.server(script, nobody), ledger, run, &slots);
    let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
    let delivery = tokio::spawn(deliver(Arc::new(context), ticket, payload, slot));

    let _next = slots.acquire().await.unwrap();
    assert_eq!((open_requests(&world.path), delivery.is_finished()), (1, false));
    drop(held.lock().unwrap().take());
    assert!(matches!(delivery.await.unwrap(), Ok(Delivered::Settled { status: Status::Created, .. })));
    assert_eq!(open_requests(&world.path), 0);
}

fn context(
    world: &World,
    server: Scripted,
    ledger: Arc<Ledger>,
    run: RunId,
    slots: &Arc<Semaphore>,
) -> RunContext<Scripted> {
    let (messages, _) = mpsc::unbounded_channel();
    let (pacing, _) = mpsc::unbounded_channel();
    let (server, shutdown) = (Arc::new(server), world.shutdown.clone());
    let pacer = Pacer::start(world.rate.parse().unwrap(), pacing);
    let admission =
        Admission::new(Arc::clone(&server), pacer.clone(), shutdown.clone(), messages.clone(), Duration::MAX);
    let (slots, clock) = (Arc::clone(slots), Clock::Given(Arc::clone(&world.clock)));
    let (policy, lookups) = (retry_policy(), AtomicBool::new(true));
    let (shown, awaiting) = (watch::channel(ApiEvidence::default()).1, AtomicUsize::new(0));
    RunContext {
        server,
        ledger,
        run,
        pacer,
        admission,
        slots,
        policy,
        lookups,
        messages,
        shown,
        awaiting,
        shutdown,
        clock,
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_asked_again_with_the_same_key_after_the_settle_time() {
    let world = World::new();
    let script = |_: &str, n| if n == 1 { (silence(), Duration::from_secs(75)) } else { created("", n) };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    assert_eq!(ended.end.counters.recovered, 1);
    let keys = world.keys("a@example.com");
    assert_eq!(keys[0], keys[1]);
    let log = world.log.lock().unwrap();
    assert!(log.sent[1].0 - log.sent[0].0 >= Duration::from_secs(90));
}

/// Returns what happens to a record whose first request gets no response while the clocks change:
/// how often it was looked up, its keys, and how long it took.
async fn unanswered_while(something: impl Fn(&Given) + Send + Sync + 'static) -> (usize, Vec<String>, Duration) {
    let world = World::new();
    let clock = Arc::clone(&world.clock);
    let script = move |_: &str, n| {
        if n > 1 {
            return created("", n);
        }
        something(&clock);
        (silence(), Duration::from_secs(75))
    };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    let lookups = world.log.lock().unwrap().lookups;
    (lookups, world.keys("a@example.com"), world.start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_key_of_before_a_long_sleep_of_the_machine_is_looked_up_first_and_of_before_a_nap_is_sent_again() {
    let (lookups, keys, _) = unanswered_while(|clock| clock.sleep(Duration::from_secs(2 * 3600))).await;
    assert!(lookups == 2 && keys[0] != keys[1], "{lookups} {keys:?}");
    let (lookups, keys, took) = unanswered_while(|clock| clock.sleep(Duration::from_secs(60))).await;
    assert!(lookups == 0 && keys[0] == keys[1], "{lookups} {keys:?}");
    assert!(took < Duration::from_secs(80), "the sleep is part of the settle time: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_by_a_day_leads_to_look_ups_and_to_no_endless_wait() {
    for hours in [24, -24] {
        let (lookups, keys, took) =
            unanswered_while(move |clock| clock.set_wall(jiff::SignedDuration::from_hours(hours))).await;
        assert!(lookups == 2 && keys[0] != keys[1], "{hours}: {lookups} {keys:?}");
        assert!((Duration::from_secs(180)..Duration::from_secs(200)).contains(&took), "{hours}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_waits_gives_a_sign_of_life_every_thirty_seconds() {
    let world = World::new();
    let script = |_: &str, n| if n == 1 { (silence(), Duration::from_secs(75)) } else { created("", n) };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    let beats: Vec<_> = ended.heartbeats.iter().map(|beat| beat.as_secs()).collect();
    assert_eq!(beats, [30, 60, 90]);
}

#[tokio::test(start_paused = true)]
async fn records_that_wait_hold_no_place_in_flight() {
    let world = World { concurrency: 1, ..World::new() };
    let script = |email: &str, n| {
        if email == "p0@example.com" && n == 1 { (silence(), Duration::ZERO) } else { created("", n) }
    };
    let emails = many(6);
    let start = Instant::now();
    world.run(&borrowed(&emails), script, nobody).await;
    let log = world.log.lock().unwrap();
    let last_of_others = log.sent.iter().filter(|(_, email, _)| email != "p0@example.com").map(|(at, ..)| *at).max();
    assert!(last_of_others.unwrap() - start < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_failure_on_the_server_takes_a_new_key_once_the_customer_is_seen_to_be_absent() {
    let world = World::new();
    let script = |_: &str, n| match n {
        1 => (AttemptResult::ServerError(complaint(ComplaintCode::ServerError)), Duration::ZERO),
        _ => created("", n),
    };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    let keys = world.keys("a@example.com");
    assert_ne!(keys[0], keys[1]);
    assert_eq!(world.log.lock().unwrap().lookups, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_on_the_server_after_the_save_is_found_by_look_up() {
    let world = World::new();
    let script = |_: &str, _| (AttemptResult::ServerError(complaint(ComplaintCode::ServerError)), Duration::ZERO);
    let lookup = |email: &str| {
        let receipt = Receipt { customer_id: Some("c-9".to_owned()), ..Receipt::default() };
        let customer = FoundCustomer {
            email: EmailKey::of(email),
            receipt,
            name: Some("Ada".to_owned()),
            phone: Some("+1".to_owned()),
            age: Some(Duration::ZERO),
        };
        found(vec![customer])
    };
    let ended = world.run(&["a@example.com"], script, lookup).await;
    assert!(all_are(&ended, Status::Created), "{:?}", ended.statuses);
    assert_eq!(world.log.lock().unwrap().sent.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_throttled_request_pauses_all_of_them_and_costs_no_attempt() {
    let world = World::new();
    let script = |email: &str, n| match (email, n) {
        ("p3@example.com", 1..=9) => (AttemptResult::Throttled { pause: Duration::from_secs(30) }, Duration::ZERO),
        _ => created("", n),
    };
    let emails = many(8);
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    assert_eq!(ended.end.counters.throttled, 9);
    let log = world.log.lock().unwrap();
    let throttled: Vec<_> =
        log.sent.iter().filter(|(_, email, _)| email == "p3@example.com").map(|(at, ..)| *at).collect();
    let in_pause = |at: &Instant| {
        throttled[..9]
            .iter()
            .any(|pause| *at > *pause + Duration::from_millis(300) && *at < *pause + Duration::from_secs(30))
    };
    assert!(!log.sent.iter().any(|(at, ..)| in_pause(at)), "a request left during a pause");
}

fn throttled(seconds: u64) -> (AttemptResult, Duration) {
    (AttemptResult::Throttled { pause: Duration::from_secs(seconds) }, Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429s_for_ten_minutes_costs_no_record_and_no_attempt() {
    for seconds in [10, 60] {
        let world = World::new();
        let start = Instant::now();
        let storm = move |email: &str, n| {
            let is_over = start.elapsed() > Duration::from_secs(600);
            if is_over { created(email, n) } else { throttled(seconds) }
        };
        let emails = many(20);
        let ended = world.run(&borrowed(&emails), storm, nobody).await;
        assert!(matches!(ended.end.verdict, Verdict::Finished), "{:?}", ended.end.verdict);
        assert_eq!(ended.statuses.len(), 20);
        assert!(all_are(&ended, Status::Created));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_429_for_ever_is_given_up_on_without_burning_a_record() {
    for seconds in [10, 60, 3600] {
        let world = World::new();
        let start = Instant::now();
        let emails = many(20);
        let ended = world.run(&borrowed(&emails), move |_, _| throttled(seconds), nobody).await;
        let stopped = &ended.end.verdict;
        assert!(
            matches!(stopped, Verdict::Stopped(StopReason::Unreachable(words)) if words.why.contains("429")),
            "{stopped:?}"
        );
        assert!(ended.statuses.is_empty(), "{:?}", ended.statuses);
        let (least, waited) = ((30 * 60).max(9 * seconds), start.elapsed().as_secs());
        assert!((least..least + seconds + 100).contains(&waited), "{waited} s");
        assert_eq!(Reader::open(&world.path, &target()).unwrap().open_requests().unwrap().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_the_server_asks_for_is_waited_for() {
    let world = World::new();
    let script = |email: &str, n| if n == 1 { throttled(3600) } else { created(email, n) };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_and_the_same_key_goes_again() {
    let world = World::new();
    let script = |_: &str, n| if n == 1 { (AttemptResult::Unauthorized, Duration::ZERO) } else { created("", n) };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    let keys = world.keys("a@example.com");
    assert_eq!(keys[0], keys[1]);
    assert_eq!(world.log.lock().unwrap().tokens, 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_refused_one_after_the_other_stop_the_run_and_leave_no_doubt() {
    let world = World::new();
    let ended = world.run(&["a@example.com"], |_, _| (AttemptResult::Unauthorized, Duration::ZERO), nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Stopped(StopReason::Credentials(_))));
    assert_eq!(Reader::open(&world.path, &target()).unwrap().open_requests().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_probed_and_given_up_on_without_burning_a_record() {
    let world = World::new();
    let start = Instant::now();
    let refused =
        |_: &str, _| (AttemptResult::NotSent { cause: "refused".to_owned(), hopeless: false }, Duration::ZERO);
    let emails = many(20);
    let ended = world.run(&borrowed(&emails), refused, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Stopped(StopReason::Unreachable(_))));
    assert!(ended.statuses.is_empty(), "{:?}", ended.statuses);
    let waited = start.elapsed().as_secs();
    assert!((30 * 60..31 * 60).contains(&waited), "{waited} s");
    assert!(world.log.lock().unwrap().sent.len() < 60, "probes, not a storm");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_gone_on_with() {
    let world = World::new();
    let start = Instant::now();
    let down = move |email: &str, n| {
        let back = start.elapsed() > Duration::from_secs(120);
        if back {
            created(email, n)
        } else {
            (AttemptResult::NotSent { cause: String::new(), hopeless: false }, Duration::ZERO)
        }
    };
    let emails = many(20);
    let ended = world.run(&borrowed(&emails), down, nobody).await;
    assert_eq!(ended.statuses.len(), 20);
    assert!(all_are(&ended, Status::Created));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_is_in_flight_and_starts_nothing_new() {
    let world = World { concurrency: 2, ..World::new() };
    let shutdown = world.shutdown.clone();
    let script = move |_: &str, n| {
        shutdown.drain();
        created("", n)
    };
    let emails = many(10);
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Interrupted));
    assert_eq!(ended.statuses, [(1, Status::Created)]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_doubt_when_the_run_drains_is_told_as_doubt_and_resolved_by_the_next() {
    let world = World::new();
    let shutdown = world.shutdown.clone();
    let script = move |_: &str, _| {
        shutdown.drain();
        (silence(), Duration::ZERO)
    };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert_eq!(ended.statuses, [(1, Status::InDoubt)]);

    let next = World { shutdown: Shutdown::default(), log: Arc::clone(&world.log), ..world };
    let ended = next.run(&["a@example.com"], created, nobody).await;
    assert_eq!(ended.statuses, [(1, Status::Created)]);
    let keys = next.keys("a@example.com");
    assert_eq!(keys[0], keys[1]);
    let log = next.log.lock().unwrap();
    assert!(log.sent[1].0 - log.sent[0].0 >= Duration::from_secs(89), "the settle time outlives the run");
}

#[tokio::test(start_paused = true)]
async fn a_limit_stops_after_so_many_records_were_sent() {
    let world = World { limit: Some(3), ..World::new() };
    let emails = many(10);
    let ended = world.run(&borrowed(&emails), created, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::LimitReached));
    assert_eq!(ended.statuses.len(), 3);
    assert_eq!(world.log.lock().unwrap().sent.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_same_rejection_over_and_over_stops_within_twenty_requests_and_those_in_flight() {
    let world = World::new();
    let emails = many(200);
    let rejected =
        |_: &str, _| (AttemptResult::Rejected(complaint(ComplaintCode::FieldRejected)), Duration::from_millis(50));
    let ended = world.run(&borrowed(&emails), rejected, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::RejectedAlike { times: 20, .. }));
    assert!(world.log.lock().unwrap().sent.len() <= 28);
}

#[tokio::test(start_paused = true)]
async fn nobody_takes_the_place_of_a_record_whose_end_is_a_reason_to_stop() {
    let refused = AttemptResult::Rejected(complaint(ComplaintCode::FieldRejected));
    for (result, max_failures) in [
        (refused, Some(CountOrShare::Count(1))),
        (AttemptResult::Stop(StopReason::Configuration("words".into())), None),
    ] {
        let world = World { concurrency: 1, max_failures, ..World::new() };
        let emails = many(5);
        let ended = world.run(&borrowed(&emails), move |_, _| (result.clone(), Duration::ZERO), nobody).await;
        assert!(!matches!(ended.end.verdict, Verdict::Finished));
        assert_eq!(world.log.lock().unwrap().sent.len(), 1);
    }
}

fn refused(scope: RefusalScope) -> (AttemptResult, Duration) {
    let (complaint, refusal) = (complaint(ComplaintCode::Refused), Refusal { scope, by_api: true, advice: None });
    (AttemptResult::Refused { complaint, refusal }, Duration::from_millis(50))
}

impl World {
    /// An earlier run created a customer at this target.
    async fn that_worked_before(self) -> Self {
        self.run(&["before@example.com"], created, nobody).await;
        self.log.lock().unwrap().sent.clear();
        self
    }

    /// Returns what a report as of the last run would say about an e-mail.
    fn outcome(&self, email: &str) -> (Status, String) {
        let reader = Reader::open(&self.path, &target()).unwrap();
        let (standing, told) = reader.outcome(&EmailKey::of(email), None).unwrap().unwrap();
        let status = standing.latest().map_or(Status::NotAttempted, |latest| latest.status);
        (status, told.map(|told| told.error).unwrap_or_default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_one_record_is_its_outcome_once_others_are_answered() {
    for scope in [RefusalScope::Record, RefusalScope::Endpoint, RefusalScope::Account, RefusalScope::Firewall] {
        let world = World { concurrency: 1, ..World::new() }.that_worked_before().await;
        let script = move |email: &str, n| if email == "p1@example.com" { refused(scope) } else { created(email, n) };
        let emails = many(4);
        let ended = world.run(&borrowed(&emails), script, nobody).await;
        assert!(matches!(ended.end.verdict, Verdict::Finished), "{scope:?}: {:?}", ended.end.verdict);
        assert_eq!(ended.statuses[1], (2, Status::Rejected), "{scope:?}");
        assert_eq!(ended.statuses.len(), 4, "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_that_stop_the_run_leave_their_records_not_attempted_and_say_why() {
    for (scope, records) in [(RefusalScope::Endpoint, 3), (RefusalScope::Account, 3), (RefusalScope::Firewall, 20)] {
        let world = World { concurrency: 1, ..World::new() }.that_worked_before().await;
        let emails = many(40);
        let ended = world.run(&borrowed(&emails), move |_, _| refused(scope), nobody).await;
        assert!(matches!(ended.end.verdict, Verdict::Stopped(_)), "{scope:?}: {:?}", ended.end.verdict);
        assert!(ended.statuses.is_empty(), "{scope:?}: {:?}", ended.statuses);
        assert_eq!(world.log.lock().unwrap().sent.len(), records, "{scope:?}");
        assert_eq!(world.outcome("p0@example.com"), (Status::NotAttempted, "words".to_owned()), "{scope:?}");
        assert_eq!(Reader::open(&world.path, &target()).unwrap().open_requests().unwrap().len(), 0);
        let next = World { shutdown: Shutdown::default(), ..world };
        let ended = next.run(&borrowed(&emails), created, nobody).await;
        assert!(ended.statuses.len() == 40 && all_are(&ended, Status::Created), "{scope:?}: {:?}", ended.statuses);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_at_the_very_end_are_outcomes_if_the_run_was_not_stopped_for_them() {
    let world = World::new().that_worked_before().await;
    let script = |email: &str, n| if email < "p2" { created(email, n) } else { refused(RefusalScope::Endpoint) };
    let emails = many(4);
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Finished), "{:?}", ended.end.verdict);
    let statuses: Vec<_> = ended.statuses.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [Status::Created, Status::Created, Status::Rejected, Status::Rejected]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_worked_stops_the_run_at_its_first_refusal() {
    let world = World::new();
    let emails = many(10);
    let ended = world.run(&borrowed(&emails), |_, _| refused(RefusalScope::Endpoint), nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Stopped(StopReason::Configuration(_))), "{:?}", ended.end.verdict);
    assert_eq!(world.log.lock().unwrap().sent.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reached_limit_does_not_hide_what_stops_the_run_afterwards() {
    let slow = |result| (result, Duration::from_secs(5));
    for stop in [AttemptResult::Stop(StopReason::Configuration("words".into())), AttemptResult::Unauthorized] {
        let world = World { limit: Some(3), concurrency: 4, ..World::new() };
        let emails = many(10);
        let script =
            move |email: &str, n| if email == "p2@example.com" { slow(stop.clone()) } else { created(email, n) };
        let ended = world.run(&borrowed(&emails), script, nobody).await;
        assert!(matches!(ended.end.verdict, Verdict::Stopped(_)), "{:?}", ended.end.verdict);
    }
    let world = World { limit: Some(1), ..World::new() };
    let shutdown = world.shutdown.clone();
    let script = move |email: &str, n| {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shutdown.drain();
        });
        if n == 1 { slow(silence()) } else { created(email, n) }
    };
    let emails = many(3);
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Interrupted), "{:?}", ended.end.verdict);
}

#[tokio::test(start_paused = true)]
async fn a_gateways_answer_waits_for_the_settle_time_like_silence() {
    let world = World::new();
    let script = |email: &str, n| match n {
        1 => (unanswered(DoubtCause::Gateway), Duration::from_secs(1)),
        _ => created(email, n),
    };
    let ended = world.run(&["a@example.com"], script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    let keys = world.keys("a@example.com");
    assert_eq!(keys[0], keys[1]);
    let log = world.log.lock().unwrap();
    assert!(log.sent[1].0 - log.sent[0].0 >= Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_503_that_names_a_pause_pauses_everything_and_is_no_429() {
    let world = World { concurrency: 1, ..World::new() };
    let script = |email: &str, n| match (email, n) {
        ("p1@example.com", 1) => {
            let complaint = complaint(ComplaintCode::NoAnswer);
            let pause = Some(Duration::from_secs(300));
            (AttemptResult::Unanswered { cause: DoubtCause::Gateway, complaint, pause }, Duration::ZERO)
        }
        _ => created(email, n),
    };
    let emails = many(6);
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    assert_eq!(ended.end.counters.throttled, 0);
    let log = world.log.lock().unwrap();
    assert!(log.sent[2].0 - log.sent[1].0 >= Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn silence_of_the_first_request_opens_the_ramp_too() {
    let world = World { concurrency: 4, ..World::new() };
    let script = |email: &str, n| {
        if email == "p0@example.com" && n == 1 { (silence(), Duration::from_secs(75)) } else { created(email, n) }
    };
    let emails = many(40);
    world.run(&borrowed(&emails), script, nobody).await;
    assert_eq!(world.log.lock().unwrap().most_in_flight, 4);
}

#[tokio::test(start_paused = true)]
async fn look_ups_that_fail_are_tried_five_times_a_settle_time_apart() {
    let world = World::new();
    let start = Instant::now();
    let script = |_: &str, _| (AttemptResult::ServerError(complaint(ComplaintCode::ServerError)), Duration::ZERO);
    let failing = |_: &str| PageResult::Failed { cause: "HTTP 500".to_owned(), is_down: false };
    let ended = world.run(&["a@example.com"], script, failing).await;
    assert!(all_are(&ended, Status::InDoubt), "{:?}", ended.statuses);
    let log = world.log.lock().unwrap();
    assert_eq!((log.lookups, log.sent.len()), (5, 2), "and the same key once more");
    assert!(start.elapsed() >= Duration::from_secs(4 * 90));
}

#[tokio::test(start_paused = true)]
async fn the_key_that_the_ledger_knows_is_asked_for_where_the_typed_spelling_finds_nobody() {
    let world = World::new();
    let script = |_: &str, _| (AttemptResult::ServerError(complaint(ComplaintCode::ServerError)), Duration::ZERO);
    let lookup = |email: &str| {
        let customer = FoundCustomer {
            email: EmailKey::of(email),
            receipt: Receipt { customer_id: Some("c-9".to_owned()), ..Receipt::default() },
            name: Some("Ada".to_owned()),
            phone: Some("+1".to_owned()),
            age: Some(Duration::ZERO),
        };
        if email == "ada@example.com" { found(vec![customer]) } else { nobody(email) }
    };
    let ended = world.run(&["Ada@Example.com"], script, lookup).await;
    assert!(all_are(&ended, Status::Created), "{:?}", ended.statuses);
    assert_eq!(world.log.lock().unwrap().sent.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn look_ups_that_the_server_does_not_offer_are_tried_once() {
    let world = World::new();
    let taken = |_: &str, _| {
        let complaint = complaint(ComplaintCode::EmailExists);
        (AttemptResult::EmailRefused { complaint, words: EmailWords::Exists }, Duration::ZERO)
    };
    let emails = many(5);
    let ended = world.run(&borrowed(&emails), taken, |_| PageResult::NotOffered { http_status: 404 }).await;
    assert!(all_are(&ended, Status::Exists));
    assert_eq!(world.log.lock().unwrap().lookups, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_delivery_stops_the_run_and_leaves_its_record_in_doubt() {
    let world = World::new();
    let ended = world.run(&["a@example.com"], |_, _| panic!("this panic is part of a test"), nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Crashed(_)));
    assert!(intent_is_synced(&world.path, "a@example.com"));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_held_by_another_run_is_refused() {
    let world = World::new();
    let _held = Ledger::open(&world.path, target(), Creation::Allowed).unwrap();
    assert!(matches!(Ledger::open(&world.path, target(), Creation::Allowed), Err(LedgerError::Locked(_))));
}

/// An intent allows 250 ms, and connecting 10 s more.
#[tokio::test(start_paused = true)]
async fn s2_a_request_of_a_process_that_was_stopped_between_commit_and_first_byte_is_held_back() {
    for (stopped, is_held_back) in [(5, false), (10, false), (11, true), (3600, true)] {
        let world = World::new();
        world.stops.lock().unwrap().push(Duration::from_secs(stopped));
        let ended = world.run(&["a@example.com"], created, nobody).await;
        assert_eq!(ended.statuses, [(1, Status::Created)], "{stopped} s");
        let held_back: Vec<_> = world.log.lock().unwrap().held_back.iter().map(|(_, key)| key.clone()).collect();
        assert_eq!(held_back.len(), usize::from(is_held_back), "{stopped} s");
        let keys = world.keys("a@example.com");
        assert_eq!(keys.len(), 1, "{stopped} s");
        assert!(held_back.iter().all(|key| *key == keys[0]), "the same key goes again");
        let reader = Reader::open(&world.path, &target()).unwrap();
        let (_, outcome) = reader.outcome(&EmailKey::of("a@example.com"), None).unwrap().unwrap();
        assert_eq!(outcome.unwrap().attempts, 1, "what was held back is no attempt");
    }
}

#[test]
fn s2_an_intent_is_given_ten_seconds_at_most_to_become_durable() {
    let graces: Vec<_> =
        std::iter::successors(Some(Duration::from_millis(250)), |grace| Some(longer(*grace, Duration::from_secs(10))))
            .take(8)
            .map(|grace| grace.as_millis())
            .collect();
    assert_eq!(graces, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
}

#[tokio::test(start_paused = true)]
async fn an_intent_says_until_when_its_token_can_live() {
    for life in [None, Some(Duration::from_secs(600))] {
        let world = World { token_life: life, ..World::new() };
        let begin = async || {
            let ledger = Arc::new(Ledger::open(&world.path, target(), Creation::Allowed).unwrap());
            let run = ledger.begin_run(RunStart::without_input("input")).await.unwrap();
            let (email, position) = (EmailKey::of("a@example.com"), Position { row: 1, line: 2 });
            let request = ClaimRequest { email, payload: PayloadHash::of(b"{}"), position };
            let claims = ledger.claim(&run, vec![request], ClaimPolicy::default()).await.unwrap();
            let Some(Claim::Deliver(ticket)) = claims.into_iter().next() else { panic!("no ticket") };
            (ledger, run, ticket)
        };
        let (ledger, run, ticket) = begin().await;
        let script = |_: &str, _| (silence(), Duration::from_secs(60));
        let (slots, payload) = (Arc::new(Semaphore::new(1)), Payload::stored(b"{}".to_vec(), "a@example.com"));
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let context = context(&world, world.server(script, nobody), ledger, run, &slots);
        let now = world.clock.now();
        // The process ends while the request is in flight.
        let delivery = deliver(Arc::new(context), ticket, payload, slot);
        assert!(tokio::time::timeout(Duration::from_secs(1), delivery).await.is_err());
        let (_, _, mut ticket) = begin().await;
        let found = ticket.take_resumed().unwrap().token_until;
        assert_eq!(found.is_some(), life.is_some());
        if let (Some(found), Some(life)) = (found, life) {
            let sure = now.later(life);
            assert!(!sure.is_after(found) && !found.is_after(sure.later(Duration::from_secs(1))), "{found:?}");
        }
    }
}
