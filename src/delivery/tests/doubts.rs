//! Silence and failures: what is sent again, what is looked up, and with which key.

use super::*;

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
