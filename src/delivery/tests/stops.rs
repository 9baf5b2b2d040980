//! What ends a run early, and what becomes of its records.

use super::*;

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
async fn a_panic_in_a_delivery_stops_the_run_and_leaves_its_record_in_doubt() {
    let world = World::new();
    let ended = world.run(&["a@example.com"], |_, _| panic!("this panic is part of a test"), nobody).await;
    assert!(matches!(ended.end.verdict, Verdict::Crashed(_)));
    assert!(intent_is_synced(&world.path, "a@example.com"));
}
