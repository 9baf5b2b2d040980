//! Records whose e-mails a server may call equal are never in flight together.

use super::*;

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
