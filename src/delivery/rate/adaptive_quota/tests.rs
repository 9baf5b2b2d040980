//! The quota alone, with given responses and instants; then with the gate and a paused clock
//! against a server that counts like the real one.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::*;
use crate::delivery::rate::circuit_breaker::Health;
use crate::delivery::rate::pacer::Pacer;

const SECOND: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(200);

fn allowance(limit: u32, remaining: u32) -> Allowance {
    Allowance { limit: NonZeroU32::new(limit), remaining: Some(remaining), reset: None }
}

/// Sends one request after the other, a second apart. Each is answered after 200 ms with the next
/// of these remainders.
fn after(limit: u32, remainders: impl IntoIterator<Item = u32>) -> (AdaptiveQuota, Instant) {
    let mut now = Instant::now();
    let mut quota = AdaptiveQuota::new(now);
    for remaining in remainders {
        quota.leaves(now);
        quota.returns(allowance(limit, remaining), now, now + LATENCY);
        now += SECOND;
    }
    (quota, now)
}

#[track_caller]
fn assert_pace(quota: &AdaptiveQuota, per_minute: f64) {
    assert!((quota.per_minute() - per_minute).abs() < 0.01, "{} instead of {per_minute}", quota.per_minute());
}

#[test]
fn the_pace_is_55_of_60_parts_of_the_limit_and_55_until_one_is_seen() {
    assert_pace(&AdaptiveQuota::new(Instant::now()), 55.0);
    for (limit, per_minute) in [(60, 55.0), (6000, 5500.0), (12, 11.0)] {
        assert_pace(&after(limit, [limit - 1]).0, per_minute);
    }
}

#[test]
fn no_limit_takes_the_brake_off() {
    for (limit, per_minute) in [(6545, 5999.58), (6546, 6000.0), (1_000_000, 6000.0), (u32::MAX, 6000.0)] {
        assert_pace(&after(limit, [limit - 1]).0, per_minute);
    }
    let (mut quota, mut now) = after(u32::MAX, [u32::MAX - 1]);
    quota.throttled(SECOND, now);
    for _ in 0..100 {
        now += MINUTE;
        quota.leaves(now);
        quota.returns(allowance(u32::MAX, 1_000_000), now, now + LATENCY);
    }
    assert_pace(&quota, 6000.0);
}

#[test]
fn our_own_requests_are_never_taken_for_those_of_others() {
    let (quota, now) = after(60, (5..60).rev());
    assert_pace(&quota, 55.0);
    assert_eq!(quota.not_before(now), now);
}

#[test]
fn what_others_take_is_left_to_them() {
    // Each second, one of ours and one of another user.
    let (quota, _) = after(60, (0..20).map(|second| 59 - 2 * second));
    // 19 of theirs in as many seconds would be 60 per minute, but a twelfth is always ours.
    assert_pace(&quota, 5.0);
}

#[test]
fn others_who_are_gone_are_believed_to_be_so_by_halves() {
    let taken = (0..20).map(|second| 59 - 2 * second);
    let alone = |seconds: u32| (0..seconds).map(|second| 59 - second);
    let (quota, _) = after(60, taken.clone());
    let busy = quota.per_minute();
    let (quota, _) = after(60, taken.clone().chain(alone(20)));
    let (later, _) =
        after(60, taken.chain(alone(20)).chain(alone(20)).chain(alone(20)).chain(alone(20)).chain(alone(1)));
    assert!(quota.per_minute() <= busy, "{} after {busy}", quota.per_minute());
    assert!(later.per_minute() > 50.0, "{}", later.per_minute());
}

#[test]
fn whoever_takes_all_leaves_us_a_twelfth() {
    let (quota, _) = after(60, [59, 2]);
    assert_pace(&quota, 5.0);
}

#[test]
fn with_hardly_anything_left_the_end_of_the_window_is_waited_for() {
    let (quota, now) = after(60, [40, 20, 3]);
    let first_answer = now - 3 * SECOND + LATENCY;
    assert_eq!(quota.not_before(now), first_answer + MINUTE);
    assert_eq!(quota.not_before(first_answer + MINUTE), first_answer + MINUTE);
}

#[test]
fn requests_under_way_count_as_if_the_server_had_seen_them() {
    let (mut quota, now) = after(60, [10]);
    assert_eq!(quota.not_before(now), now);
    (0..7).for_each(|_| quota.leaves(now));
    assert!(quota.not_before(now) > now);
    quota.returns(Allowance::default(), now, now);
    assert_eq!(quota.not_before(now), now);
}

#[test]
fn a_remainder_that_rises_is_a_new_window() {
    let (quota, now) = after(60, [20, 3, 59]);
    assert_eq!(quota.not_before(now), now);
}

#[test]
fn an_answer_that_was_overtaken_is_no_new_window() {
    let start = Instant::now();
    let mut quota = AdaptiveQuota::new(start);
    quota.leaves(start);
    quota.leaves(start);
    quota.leaves(start);
    quota.returns(allowance(60, 30), start, start + SECOND);
    quota.leaves(start + SECOND);
    quota.returns(allowance(60, 2), start + SECOND, start + 2 * SECOND);
    // Both were sent before the responses above arrived.
    quota.returns(allowance(60, 31), start, start + 3 * SECOND);
    quota.returns(allowance(60, 59), start, start + 3 * SECOND);
    assert_eq!(quota.not_before(start + 4 * SECOND), start + SECOND + MINUTE);
}

#[test]
fn a_late_answer_of_the_window_before_says_nothing_of_this_one() {
    let start = Instant::now();
    let mut quota = AdaptiveQuota::new(start);
    quota.leaves(start);
    quota.leaves(start);
    quota.returns(allowance(60, 59), start, start + SECOND);
    quota.returns(allowance(60, 1), start, start + SECOND);
    assert_eq!(quota.not_before(start + SECOND), start + SECOND);
    assert_pace(&quota, 55.0);
}

#[test]
fn a_reset_brings_the_end_nearer_and_never_moves_it_away() {
    for (reset, wait) in [(10, 11), (3600, 60)] {
        let start = Instant::now();
        let mut quota = AdaptiveQuota::new(start);
        quota.leaves(start);
        let told = Allowance { reset: Some(Duration::from_secs(reset)), ..allowance(60, 0) };
        quota.returns(told, start, start);
        assert_eq!(quota.not_before(start), start + Duration::from_secs(wait), "{reset}");
    }
}

#[test]
fn remainders_that_cannot_be_are_done_without() {
    for remainders in [vec![61; 10], vec![u32::MAX; 3], vec![0; 3], vec![59; 10]] {
        let (quota, now) = after(60, remainders.clone());
        assert_eq!(quota.not_before(now), now, "{remainders:?}");
        assert_pace(&quota, 55.0);
    }
}

#[test]
fn a_remainder_that_moves_again_is_believed_again() {
    let (quota, now) = after(60, [59, 59, 59, 59, 40, 2]);
    assert!(quota.not_before(now) > now);
}

#[test]
fn absent_headers_leave_the_pace_as_it_is() {
    let (mut quota, now) = after(120, [100]);
    quota.leaves(now);
    quota.returns(Allowance::default(), now, now);
    assert_pace(&quota, 110.0);
}

#[test]
fn a_429_halves_the_pace_which_then_recovers() {
    let (mut quota, mut now) = after(60, [59, 58]);
    quota.throttled(10 * SECOND, now);
    // Other requests in flight report the same pause.
    quota.throttled(10 * SECOND, now + SECOND);
    assert_pace(&quota, 27.5);
    now += 11 * SECOND;
    for minute in 0..4 {
        assert!(quota.per_minute() < 55.0, "minute {minute}");
        now += MINUTE;
        quota.leaves(now);
        quota.returns(allowance(60, 59), now, now);
    }
    assert_pace(&quota, 55.0);
}

#[test]
fn a_limit_too_good_to_be_true_is_cut_to_half_of_what_was_sent() {
    let (mut quota, now) = after(u32::MAX, (0..70).map(|request| u32::MAX - request));
    quota.throttled(MINUTE, now);
    assert!((29.0..=36.0).contains(&quota.per_minute()), "{}", quota.per_minute());
}

/// How a server reports its limit and what is left of it.
type Tells = fn(u32, u32) -> Allowance;

/// A server with a fixed window, like the real one.
struct Server {
    limit: u32,
    opened: Instant,
    windows: Vec<u32>,
    throttled: u32,
    /// When it accepted each of our requests.
    ours: Vec<Instant>,
    tells: Tells,
}

impl Server {
    fn new(limit: u32, tells: Tells) -> Arc<Mutex<Self>> {
        let (opened, windows, ours) = (Instant::now(), vec![0], Vec::new());
        Arc::new(Mutex::new(Self { limit, opened, windows, throttled: 0, ours, tells }))
    }

    /// How long to wait after a request that is one too many.
    fn hit(&mut self) -> (Allowance, Option<Duration>) {
        if self.opened.elapsed() >= MINUTE {
            self.opened = Instant::now();
            self.windows.push(0);
        }
        let used = self.windows.last_mut().unwrap();
        let over = *used >= self.limit;
        *used += u32::from(!over);
        let left = self.limit - *used;
        // In whole seconds, as servers report them.
        let wait = Duration::from_secs((MINUTE - self.opened.elapsed()).as_secs() + 1);
        ((self.tells)(self.limit, left), over.then_some(wait))
    }

    fn accepted_per_minute(&self, after: Instant, minutes: u32) -> f64 {
        self.ours.iter().filter(|at| **at >= after).count() as f64 / f64::from(minutes)
    }
}

/// Sends as fast as `--rate auto` allows for so many minutes, with responses that overtake each
/// other.
async fn run(server: &Arc<Mutex<Server>>, minutes: u32) {
    let (places, slower) = if server.lock().unwrap().limit > 1000 { (64, 1) } else { (8, 37) };
    let (events, _told) = mpsc::unbounded_channel();
    let pacer = Pacer::start("auto".parse().unwrap(), events);
    let end = Instant::now() + MINUTE * minutes;
    let places = (0..places).map(|place| {
        let (pacer, server) = (pacer.clone(), Arc::clone(server));
        let takes = LATENCY / 2 + Duration::from_millis(slower * place);
        tokio::spawn(async move {
            while let Ok(Some(permit)) = tokio::time::timeout_at(end, pacer.permit()).await {
                tokio::time::sleep(takes).await;
                let (told, wait) = server.lock().unwrap().hit();
                match wait {
                    None => server.lock().unwrap().ours.push(Instant::now()),
                    Some(_) => server.lock().unwrap().throttled += 1,
                }
                tokio::time::sleep(takes).await;
                permit.report(Health::Conclusive, told);
                if let Some(wait) = wait {
                    pacer.throttled(wait);
                }
            }
        })
    });
    futures::future::join_all(places.collect::<Vec<_>>()).await;
}

/// Another user, who sends so many requests at once, so often.
fn other(server: &Arc<Mutex<Server>>, requests: u32, every: Duration) -> tokio::task::JoinHandle<()> {
    let server = Arc::clone(server);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            for _ in 0..requests {
                let _answer = server.lock().unwrap().hit();
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn alone_nine_tenths_of_the_limit_are_used_and_none_is_throttled() {
    for limit in [60, 600, 6000] {
        let server = Server::new(limit, allowance);
        let begun = Instant::now();
        run(&server, 6).await;
        let server = server.lock().unwrap();
        let rate = server.accepted_per_minute(begun + MINUTE, 5);
        assert!(rate >= 0.9 * f64::from(limit), "{rate} of {limit}");
        assert_eq!(server.throttled, 0);
        assert!(server.windows.iter().all(|used| *used <= limit), "{:?}", server.windows);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_eats_half_of_the_limit_is_left_to_it_and_hardly_a_request_is_throttled() {
    for (requests, every) in [(1, 2), (5, 10), (15, 30), (30, 60)] {
        let server = Server::new(60, allowance);
        let eating = other(&server, requests, Duration::from_secs(every));
        run(&server, 30).await;
        eating.abort();
        let server = server.lock().unwrap();
        let (accepted, throttled) = (server.ours.len(), server.throttled);
        assert!(accepted >= 30 * 20, "{accepted} with {requests} every {every} s");
        assert!(f64::from(throttled) < 0.01 * accepted as f64, "{throttled} with {requests} every {every} s");
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_comes_and_goes_is_noticed() {
    let server = Server::new(60, allowance);
    run(&server, 5).await;
    let eating = other(&server, 1, 2 * SECOND);
    run(&server, 5).await;
    eating.abort();
    let gone = Instant::now();
    run(&server, 10).await;
    let server = server.lock().unwrap();
    assert!(server.throttled <= 3, "{}", server.throttled);
    let rate = server.accepted_per_minute(gone + 5 * MINUTE, 5);
    assert!(rate >= 54.0, "{rate}");
}

#[tokio::test(start_paused = true)]
async fn headers_that_lie_or_are_not_there_do_no_harm() {
    let tells: [(&str, Tells); 7] = [
        ("nothing", |_, _| Allowance::default()),
        ("more than the limit", |limit, left| allowance(limit, limit + left)),
        ("always nothing left", |limit, _| allowance(limit, 0)),
        ("always all of it", |limit, _| allowance(limit, limit)),
        ("a limit of zero", |_, _| allowance(0, 0)),
        ("a remainder alone", |_, left| allowance(0, left)),
        ("a reset in an hour", |limit, left| Allowance { reset: Some(MINUTE * 60), ..allowance(limit, left) }),
    ];
    for (what, tells) in tells {
        let server = Server::new(60, tells);
        let begun = Instant::now();
        run(&server, 20).await;
        let server = server.lock().unwrap();
        let rate = server.accepted_per_minute(begun + 5 * MINUTE, 15);
        assert!(rate >= 54.0, "{what}: {rate} a minute");
        assert_eq!(server.throttled, 0, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_lower_than_announced_is_found_by_its_429s() {
    for (limit, tells) in
        [(30, (|_, _| Allowance::default()) as Tells), (60, |_, left| allowance(u32::MAX, u32::MAX - 60 + left))]
    {
        let server = Server::new(limit, tells);
        run(&server, 60).await;
        let server = server.lock().unwrap();
        let sent = server.ours.len() as f64 + f64::from(server.throttled);
        assert!(f64::from(server.throttled) < 0.05 * sent, "{} of {sent}", server.throttled);
        assert!(sent >= 0.5 * 60.0 * f64::from(limit), "{sent} in an hour");
    }
}
