//! How many records are in flight, and how fast they follow each other.

use super::*;

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

/// Answers come while intents wait for their commits, so some are written ahead.
#[tokio::test(start_paused = true)]
async fn i7_the_ledger_never_holds_more_open_requests_than_slots() {
    let world = World { concurrency: 3, ..World::new() };
    let emails = many(200);
    let after = |email: &str, n| (created(email, n).0, Duration::from_millis(email.len() as u64 % 3));
    let ended = world.run(&borrowed(&emails), after, nobody).await;
    assert_eq!(ended.statuses.len(), 200);
    let log = world.log.lock().unwrap();
    assert_eq!(log.most_in_flight, 3);
    assert!((4..=9).contains(&log.most_open), "{}", log.most_open);
}

#[tokio::test(start_paused = true)]
async fn i7_while_no_answer_comes_during_a_commit_no_intent_is_written_ahead() {
    let world = World { concurrency: 3, rate: "20/s", ..World::new() };
    let emails = many(60);
    world.run(&borrowed(&emails), created, nobody).await;
    let log = world.log.lock().unwrap();
    assert_eq!((log.most_in_flight, log.most_open), (3, 3));
}

/// The only permit of an open breaker goes to any record that waits, also to one whose intent was
/// written ahead.
#[tokio::test(start_paused = true)]
async fn records_that_wait_in_an_outage_leave_the_places_to_the_probe() {
    let world = World { concurrency: 3, ..World::new() };
    let emails = many(200);
    let out = Arc::new(AtomicUsize::new(0));
    let script = move |email: &str, n| {
        let number = out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let takes = Duration::from_millis(email.len() as u64 % 3);
        if (60..90).contains(&number) {
            (AttemptResult::NotSent { cause: "no route".to_owned(), hopeless: false }, takes)
        } else {
            (created(email, n).0, takes)
        }
    };
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    assert!(world.log.lock().unwrap().most_open > 3);
}

/// What is not sent is not in doubt.
#[tokio::test(start_paused = true)]
async fn after_a_429_no_intent_that_was_written_ahead_leaves_before_the_pause_is_over() {
    let world = World { concurrency: 3, ..World::new() };
    let emails = many(200);
    let (count, throttled_at) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    let at = Arc::clone(&throttled_at);
    let script = move |email: &str, n| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number == 60 {
            *at.lock().unwrap() = Some(Instant::now());
            return (AttemptResult::Throttled { pause: Duration::from_secs(30) }, Duration::ZERO);
        }
        (created(email, n).0, Duration::from_millis(email.len() as u64 % 3))
    };
    let ended = world.run(&borrowed(&emails), script, nobody).await;
    assert!(all_are(&ended, Status::Created));
    let (log, throttled_at) = (world.log.lock().unwrap(), throttled_at.lock().unwrap().unwrap());
    let during = log.sent.iter().filter(|(at, ..)| (throttled_at..throttled_at + Duration::from_secs(30)).contains(at));
    // The request itself, and the two others that were in flight or about to be.
    assert!((1..=3).contains(&during.count()));
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
    let slots = Slots::new(false);
    let context = context(&world, world.server(script, nobody), ledger, run, &slots);
    let slot = slots.acquire().await;
    let delivery = tokio::spawn(deliver(Arc::new(context), ticket, payload, slot));

    let _next = slots.acquire().await;
    assert_eq!((open_requests(&world.path), delivery.is_finished()), (1, false));
    drop(held.lock().unwrap().take());
    assert!(matches!(delivery.await.unwrap(), Ok(Delivered::Settled { status: Status::Created, .. })));
    assert_eq!(open_requests(&world.path), 0);
}
