//! Many tasks that send at once, to a server with short-lived tokens, with a paused clock.

use super::*;
use crate::delivery::server::{CreateReply, LookupReply, Outgoing};

const LATENCY: Duration = Duration::from_millis(100);

/// What the server returns instead of a token, for the n-th request for one.
type Instead = fn(&TokenRequest, usize) -> Option<GrantResult>;

struct Doorman {
    life: Duration,
    /// The life that it states.
    told: Option<Duration>,
    /// A refresh ends the token that it exchanges.
    revokes: bool,
    instead: Instead,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    issued: Vec<(Token, Instant)>,
    requests: Vec<TokenRequest>,
    at_once: usize,
    most_at_once: usize,
}

impl Doorman {
    fn of_life(seconds: u64) -> Self {
        let life = Duration::from_secs(seconds);
        Self { life, told: Some(life), revokes: false, instead: |_, _| None, book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    fn lets_in(&self, token: &Token) -> bool {
        self.book().issued.iter().any(|(issued, end)| issued == token && Instant::now() < *end)
    }

    fn issue(&self) -> GrantResult {
        let mut book = self.book();
        let token = Token::parse(&format!("t{}", book.issued.len())).unwrap();
        book.issued.push((token.clone(), Instant::now() + self.life));
        GrantResult::Granted { token, life: self.told }
    }

    fn grant(&self, request: &TokenRequest) -> GrantResult {
        match request {
            TokenRequest::Refresh(old) if !self.lets_in(old) => GrantResult::Refused("HTTP 401".to_owned()),
            TokenRequest::Refresh(old) if self.revokes => {
                self.book().issued.retain(|(issued, _)| issued != old);
                self.issue()
            }
            TokenRequest::Refresh(_) | TokenRequest::Login { .. } => self.issue(),
        }
    }
}

impl Server for Doorman {
    async fn create(&self, _token: &Token, _request: Outgoing<'_>) -> CreateReply {
        unreachable!("the tests knock at the door themselves")
    }

    async fn look_up(&self, _token: &Token, _email: &str, _page: u32) -> LookupReply {
        unreachable!("the tests knock at the door themselves")
    }

    async fn list(&self, _token: &Token, _page: u32) -> LookupReply {
        unreachable!("the tests knock at the door themselves")
    }

    fn logs_in(&self) -> bool {
        true
    }

    async fn obtain(&self, request: &TokenRequest) -> GrantResult {
        let nth = {
            let mut book = self.book();
            book.requests.push(request.clone());
            book.at_once += 1;
            book.most_at_once = book.most_at_once.max(book.at_once);
            book.requests.len()
        };
        tokio::time::sleep(LATENCY).await;
        let result = (self.instead)(request, nth).unwrap_or_else(|| self.grant(request));
        self.book().at_once -= 1;
        result
    }
}

/// What eight senders saw.
#[derive(Debug, Default)]
struct Seen {
    let_in: u32,
    refused: u32,
    stopped: Vec<StopReason>,
}

/// Runs eight tasks that send one request after the other for a time.
async fn send_for(time: Duration, rate: &str, doorman: Doorman) -> (Seen, Arc<Doorman>) {
    let doorman = Arc::new(doorman);
    let (events, _told) = mpsc::unbounded_channel();
    let (messages, _noted) = mpsc::unbounded_channel();
    let (pacer, shutdown) = (Pacer::start(rate.parse().unwrap(), events), Shutdown::default());
    let give_up_after = Duration::from_secs(1800);
    let tokens = Admission::new(Arc::clone(&doorman), pacer, shutdown.clone(), messages, give_up_after);
    let (tokens, seen) = (Arc::new(tokens), Arc::new(Mutex::new(Seen::default())));
    let senders = (0..8).map(|_| {
        let (tokens, doorman, seen) = (Arc::clone(&tokens), Arc::clone(&doorman), Arc::clone(&seen));
        tokio::spawn(async move {
            loop {
                let Admitted { permit, token, .. } = match tokens.admit().await {
                    Ok(Some(admission)) => admission,
                    Ok(None) => return,
                    Err(reason) => return seen.lock().unwrap().stopped.push(reason),
                };
                tokio::time::sleep(LATENCY / 2).await;
                permit.report(Health::Conclusive, Allowance::default());
                if doorman.lets_in(&token) {
                    tokens.accepted(&token);
                    seen.lock().unwrap().let_in += 1;
                } else {
                    tokens.refused(&token);
                    seen.lock().unwrap().refused += 1;
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    tokio::time::sleep(time).await;
    shutdown.drain();
    for sender in senders {
        sender.await.unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (seen, doorman)
}

#[tokio::test(start_paused = true)]
async fn tokens_of_any_life_carry_a_run_without_a_single_refusal() {
    for (life, rate, time) in [(3, "100/s", 30), (10, "2/s", 120), (600, "55/m", 3600)] {
        let (seen, doorman) = send_for(Duration::from_secs(time), rate, Doorman::of_life(life)).await;
        assert_eq!((seen.refused, seen.stopped.len()), (0, 0), "{life} s");
        let book = doorman.book();
        assert!(
            book.requests.len() as f64 <= time as f64 / (0.8 * life as f64) + 2.0,
            "{} renewals",
            book.requests.len()
        );
        assert_eq!(book.most_at_once, 1);
        assert_eq!(
            book.requests.iter().filter(|request| matches!(request, TokenRequest::Login { .. })).count(),
            1,
            "the rest are refreshes"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_leaves_a_token_few_requests_gets_on_and_one_that_leaves_it_none_stops() {
    let (seen, doorman) = send_for(Duration::from_secs(60), "1/s", Doorman::of_life(3)).await;
    assert_eq!((seen.refused, seen.stopped.len()), (0, 0));
    assert!(seen.let_in >= 35 && doorman.book().requests.len() <= 27, "{seen:?}");
    let (seen, doorman) = send_for(Duration::from_secs(600), "5/m", Doorman::of_life(10)).await;
    assert!(
        matches!(&seen.stopped[..], [StopReason::Configuration(words), ..] if words.advice.as_deref() == Some("raise --rate")),
        "{seen:?}"
    );
    assert_eq!(doorman.book().requests.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_before_its_told_end_is_renewed_once_for_all_who_were_refused() {
    // As after the machine slept, during which our clock stopped.
    let doorman = Doorman { told: Some(Duration::from_secs(600)), ..Doorman::of_life(10) };
    let (seen, doorman) = send_for(Duration::from_secs(60), "100/s", doorman).await;
    assert!(seen.stopped.is_empty() && seen.let_in > 4000, "{seen:?}");
    let book = doorman.book();
    assert!(book.requests.len() <= 13, "a refresh that is refused and a login each time: {}", book.requests.len());
    assert!(seen.refused <= 8 * 6, "{}", seen.refused);
    assert_eq!(book.most_at_once, 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_untold_life_last_until_they_are_refused() {
    let doorman = Doorman { told: None, ..Doorman::of_life(10) };
    let (seen, _) = send_for(Duration::from_secs(60), "100/s", doorman).await;
    assert!(seen.stopped.is_empty() && seen.let_in > 4000, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_ends_the_old_token_costs_those_in_flight_one_more_request() {
    let doorman = Doorman { revokes: true, ..Doorman::of_life(10) };
    let (seen, doorman) = send_for(Duration::from_secs(60), "100/s", doorman).await;
    assert!(seen.stopped.is_empty() && seen.let_in > 4000, "{seen:?}");
    assert!(doorman.book().requests.len() <= 9, "late refusals renew nothing");
}

#[tokio::test(start_paused = true)]
async fn refreshes_that_fail_are_replaced_by_logins_and_nobody_is_refused() {
    let instead: Instead = |request, _| match request {
        TokenRequest::Refresh(_) => Some(GrantResult::NotOffered("HTTP 404".to_owned())),
        TokenRequest::Login { .. } => None,
    };
    let (seen, doorman) = send_for(Duration::from_secs(60), "100/s", Doorman { instead, ..Doorman::of_life(10) }).await;
    assert_eq!((seen.refused, seen.stopped.len()), (0, 0));
    let refreshes =
        doorman.book().requests.iter().filter(|request| matches!(request, TokenRequest::Refresh(_))).count();
    assert_eq!(refreshes, 1, "what is not there is asked for once");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_is_asked_once_and_stops_everybody() {
    let instead: Instead = |_, _| Some(GrantResult::Refused("HTTP 401".to_owned()));
    let (seen, doorman) = send_for(Duration::from_secs(60), "100/s", Doorman { instead, ..Doorman::of_life(10) }).await;
    assert_eq!((seen.let_in, seen.stopped.len()), (0, 8));
    assert!(seen.stopped.iter().all(|reason| matches!(reason, StopReason::Credentials(_))));
    assert_eq!(doorman.book().requests.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn logins_that_are_throttled_and_fail_at_first_hold_everybody_back_and_then_go_on() {
    let instead: Instead = |_, nth| match nth {
        1 => Some(GrantResult::Throttled { pause: Duration::from_secs(20) }),
        2..=4 => Some(GrantResult::Failed(Failing { cause: "HTTP 500".to_owned(), retry_after: None, is_down: false })),
        _ => None,
    };
    let (seen, doorman) =
        send_for(Duration::from_secs(60), "100/s", Doorman { instead, ..Doorman::of_life(600) }).await;
    assert_eq!((seen.refused, seen.stopped.len()), (0, 0));
    assert!((3000..=4000).contains(&seen.let_in), "{}", seen.let_in);
    assert_eq!(doorman.book().requests.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_no_token_is_given_up_on() {
    let instead: Instead =
        |_, _| Some(GrantResult::Failed(Failing { cause: "refused".to_owned(), retry_after: None, is_down: true }));
    let (seen, doorman) =
        send_for(Duration::from_secs(2000), "100/s", Doorman { instead, ..Doorman::of_life(10) }).await;
    assert!(matches!(&seen.stopped[..], [StopReason::Unreachable(words), ..] if words.why.contains("30m")), "{seen:?}");
    assert!(doorman.book().requests.len() < 120, "{}", doorman.book().requests.len());
}
