//! Requests that are written down and not sent yet, and ledgers that another run holds.

use super::*;

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
        let (slots, payload) = (Slots::new(false), Payload::stored(b"{}".to_vec(), "a@example.com"));
        let slot = slots.acquire().await;
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
