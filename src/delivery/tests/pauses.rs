//! Pauses, refused tokens and outages: everything waits, and no record is lost.

use super::*;

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
