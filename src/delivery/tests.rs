//! Delivery as a whole, with a scripted server, a real ledger and a paused clock. Here are the
//! world of all tests and the tests of the promises; the folder has the others by theme.

mod doubts;
mod intents;
mod look_alikes;
mod pauses;
mod slots;
mod stops;

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::auth::admission::Admission;
use super::rate::pacer::Pacer;
use super::record::deliver::{ApiEvidence, Delivered, RunContext, deliver, longer};
use super::record::slots::Slots;
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

fn context(world: &World, server: Scripted, ledger: Arc<Ledger>, run: RunId, slots: &Slots) -> RunContext<Scripted> {
    let (messages, _) = mpsc::unbounded_channel();
    let (pacing, _) = mpsc::unbounded_channel();
    let (server, shutdown) = (Arc::new(server), world.shutdown.clone());
    let pacer = Pacer::start(world.rate.parse().unwrap(), pacing);
    let admission =
        Admission::new(Arc::clone(&server), pacer.clone(), shutdown.clone(), messages.clone(), Duration::MAX);
    let (slots, clock) = (slots.clone(), Clock::Given(Arc::clone(&world.clock)));
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
async fn i3_a_second_run_of_the_same_records_sends_nothing() {
    let world = World::new();
    let emails = many(10);
    world.run(&borrowed(&emails), created, nobody).await;
    let again = world.run(&borrowed(&emails), created, nobody).await;
    assert!(all_are(&again, Status::AlreadyImported));
    assert_eq!(again.end.counters.requests, 0);
    assert_eq!(world.log.lock().unwrap().sent.len(), 10);
}
