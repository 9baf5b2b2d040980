//! The current token, when to renew it, and how to get the next one. Pure: instants and jitter are
//! arguments.
//!
//! # The rules
//! - A token is renewed at 80 % of its life, which counts from the start of the request that
//!   brought it. Until it expires it stays in use while the renewal runs or fails. One renewal at a
//!   time.
//! - Only durations of our own monotonic clock count. That clock stops while the machine sleeps, so
//!   a token can expire without our knowledge. Therefore a rejection (401) also triggers a renewal,
//!   whatever the clock says.
//! - A valid token is exchanged by a refresh. If the refresh is rejected or fails, or if the token
//!   has expired, the account logs in.
//! - A rejected token is renewed once for all requests that were rejected with it. If the next
//!   token is rejected too, the account logs in once; if that token is also rejected, the run ends.
//! - A rejected login ends the run at once. A login that fails is retried with growing pauses until
//!   `--give-up-after` is over.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::{Failing, GrantResult, Token};
use crate::delivery::backoff::backoff;
use crate::delivery::server::TokenRequest;
use crate::domain::{StopReason, StopWords};

/// Share of its life after which a token is renewed.
const SHARE: f64 = 0.8;
/// Life of a token that does not state its own, as the API documents it.
const USUAL_LIFE: Duration = Duration::from_secs(600);
/// So many tokens in a row that expired unused show that none can ever be used.
const UNUSED: u32 = 3;
/// So many tokens in a row that were rejected, including the first, end the run.
const REFUSED: u32 = 3;

/// What a task that wants to send a request should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenAction {
    Send(Token),
    /// The task that takes this action reports the result to [`TokenCache::obtained`].
    Obtain(TokenRequest),
    /// Nothing can be sent before this moment, or, if `None`, before another task's renewal ends.
    Wait(Option<Instant>),
    Stop(StopReason),
}

/// Which token a rejection was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    /// The current one.
    Current,
    /// One that was already replaced or rejected.
    Late,
}

#[derive(Debug)]
pub(crate) struct TokenCache {
    /// Whether tokens come from the API itself.
    logs_in: bool,
    give_up_after: Duration,
    held: Option<HeldToken>,
    renewing: bool,
    /// The refresh was rejected or failed.
    must_log_in: bool,
    /// The API offers no refresh.
    never_refreshes: bool,
    /// Failed logins in a row.
    failures: u32,
    not_before: Option<Instant>,
    failing_since: Option<Instant>,
    /// How many tokens were rejected since the last accepted one, and whether a login followed one
    /// of them.
    refusals: u32,
    logged_in_again: bool,
    unused: u32,
    stopped: Option<StopReason>,
}

#[derive(Debug)]
struct HeldToken {
    token: Token,
    asked_at: Instant,
    received_at: Instant,
    life: Option<Duration>,
    is_used: bool,
    is_refused: bool,
}

impl HeldToken {
    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked_at) >= self.life.unwrap_or(USUAL_LIFE).mul_f64(SHARE)
    }

    /// Returns false if the life is only assumed, because then the end is unknown.
    fn is_over(&self, now: Instant) -> bool {
        self.is_refused || self.life.is_some_and(|life| now.saturating_duration_since(self.asked_at) >= life)
    }
}

impl TokenCache {
    pub(crate) const fn new(logs_in: bool, give_up_after: Duration) -> Self {
        Self {
            logs_in,
            give_up_after,
            held: None,
            renewing: false,
            must_log_in: false,
            never_refreshes: false,
            failures: 0,
            not_before: None,
            failing_since: None,
            refusals: 0,
            logged_in_again: false,
            unused: 0,
            stopped: None,
        }
    }

    /// Gives up a login that fails after this time from now on.
    pub(crate) fn give_up_after(self, give_up_after: Duration) -> Self {
        Self { give_up_after, ..self }
    }

    /// Returns when the current token expires at the latest, because its life may count from its
    /// arrival. Returns `None` if its life is unknown.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.held.as_ref().and_then(|held| held.received_at.checked_add(held.life?))
    }

    /// Returns what to do now, and changes nothing.
    pub(crate) fn plan(&self, now: Instant) -> TokenAction {
        if let Some(reason) = &self.stopped {
            return TokenAction::Stop(reason.clone());
        }
        let living = self.held.as_ref().filter(|held| !held.is_over(now));
        let is_due = self.logs_in && living.is_some_and(|held| held.is_due(now));
        let later = self.not_before.filter(|moment| *moment > now);
        match living {
            Some(held) if !is_due || self.renewing || later.is_some() => TokenAction::Send(held.token.clone()),
            None if self.renewing => TokenAction::Wait(None),
            None if later.is_some() => TokenAction::Wait(later),
            _ => TokenAction::Obtain(self.request(now)),
        }
    }

    /// Returns what to do now, and assumes that the caller does it.
    pub(crate) fn take(&mut self, now: Instant) -> TokenAction {
        let action = self.plan(now);
        match (&action, &mut self.held) {
            (TokenAction::Obtain(_), _) => self.renewing = true,
            (TokenAction::Send(_), Some(held)) => held.is_used = true,
            _ => {}
        }
        action
    }

    fn request(&self, now: Instant) -> TokenRequest {
        match &self.held {
            Some(held) if self.may_refresh(held, now) => TokenRequest::Refresh(held.token.clone()),
            held => TokenRequest::Login {
                refused: held.as_ref().filter(|held| held.is_refused).map(|held| held.token.clone()),
            },
        }
    }

    /// A rejected token may only be one that expired while the machine slept, so its refresh is
    /// worth a try, unless our clock shows that it expired.
    fn may_refresh(&self, held: &HeldToken, now: Instant) -> bool {
        let outlived = held.is_over(now) && !held.is_refused;
        self.logs_in && !self.must_log_in && !self.never_refreshes && !outlived
    }

    /// Records the result of a request that was taken at `asked_at`.
    pub(crate) fn obtained(
        &mut self,
        request: &TokenRequest,
        result: GrantResult,
        asked_at: Instant,
        now: Instant,
        jitter: f64,
    ) {
        self.renewing = false;
        match (request, result) {
            (_, GrantResult::Granted { token, life }) => self.hold(request, token, life, asked_at, now),
            (_, GrantResult::Stop(reason)) => self.stopped = Some(reason),
            (_, GrantResult::Throttled { pause }) => {
                // The pause itself is not a failure of the server, but a second one right after it
                // is.
                let over = now + pause;
                self.failing_since.get_or_insert(over);
                self.failures += 1;
                // Tasks that send with a valid token go first after the pause.
                self.try_again_at(over + backoff(self.failures, jitter), now);
                self.give_up_in_time("the API keeps throttling (429)", now);
            }
            (TokenRequest::Refresh(_), result) => {
                self.must_log_in = true;
                self.never_refreshes |= matches!(result, GrantResult::NotOffered(_));
            }
            (_, GrantResult::Refused(words)) => {
                let words = format!("the API rejected the account id or its app secret ({words})");
                self.stopped = Some(StopReason::Credentials(words.into()));
            }
            (_, GrantResult::NoToken) => {
                let words = "the login succeeded but returned no token, so this is probably not the API";
                self.stopped = Some(StopReason::Unreachable(words.into()));
            }
            (_, GrantResult::NotOffered(words)) => {
                let why = format!("this address has no login ({words})");
                self.stopped = Some(StopReason::Configuration(StopWords::advising(why, "check the base URL")));
            }
            (_, GrantResult::Failed(failing)) => self.failed(&failing, now, jitter),
        }
    }

    fn hold(
        &mut self,
        request: &TokenRequest,
        token: Token,
        life: Option<Duration>,
        asked_at: Instant,
        received_at: Instant,
    ) {
        let was_wasted = self.held.as_ref().is_some_and(|held| !held.is_used);
        self.unused = if was_wasted { self.unused + 1 } else { 0 };
        if self.unused >= UNUSED {
            let life = life.unwrap_or_default().as_secs();
            let why = format!("tokens of this account live {life} s, too short to send a request at this pace");
            self.stopped = Some(StopReason::Configuration(StopWords::advising(why, "raise --rate")));
        }
        self.logged_in_again |= self.logs_in && matches!(request, TokenRequest::Login { .. }) && self.refusals > 0;
        (self.must_log_in, self.failures, self.not_before, self.failing_since) = (false, 0, None, None);
        self.held = Some(HeldToken { token, asked_at, received_at, life, is_used: false, is_refused: false });
    }

    fn failed(&mut self, failing: &Failing, now: Instant, jitter: f64) {
        self.failures += 1;
        self.failing_since.get_or_insert(now);
        let pause = backoff(self.failures, jitter).max(failing.retry_after.unwrap_or_default());
        self.try_again_at(now + pause, now);
        self.give_up_in_time(&failing.cause, now);
    }

    /// Sets the time of the next try: at the latest when the time to give up comes, as the last
    /// try.
    fn try_again_at(&mut self, moment: Instant, now: Instant) {
        let deadline = self.failing_since.map(|since| since + self.give_up_after).filter(|deadline| now < *deadline);
        self.not_before = Some(deadline.map_or(moment, |deadline| moment.min(deadline)));
    }

    /// Stops the run if the time is over, unless a valid token keeps it going.
    fn give_up_in_time(&mut self, cause: &str, now: Instant) {
        let is_living = self.held.as_ref().is_some_and(|held| !held.is_over(now));
        if !is_living && self.failing_since.is_some_and(|since| now >= since + self.give_up_after) {
            let time = jiff::SignedDuration::try_from(self.give_up_after).unwrap_or(jiff::SignedDuration::MAX);
            self.stopped = Some(StopReason::Unreachable(format!("no token from the API for {time:#}: {cause}").into()));
        }
    }

    /// Records that the API rejected a request because of its token.
    pub(crate) fn refused(&mut self, token: &Token) -> TokenRefusal {
        let Some(held) = self.held.as_mut().filter(|held| held.token == *token && !held.is_refused) else {
            return TokenRefusal::Late;
        };
        held.is_refused = true;
        self.refusals += 1;
        self.must_log_in |= self.refusals > 1;
        if self.logged_in_again || self.refusals >= REFUSED {
            let words = "several fresh tokens in a row were rejected (401)";
            self.stopped = Some(StopReason::Credentials(words.into()));
        }
        TokenRefusal::Current
    }

    /// Records that the API accepted a request with this token.
    pub(crate) fn accepted(&mut self, token: &Token) {
        if self.held.as_ref().is_some_and(|held| held.token == *token && !held.is_refused) {
            (self.refusals, self.logged_in_again, self.failing_since) = (0, false, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVE_UP: Duration = Duration::from_secs(1800);

    fn token(name: &str) -> Token {
        Token::parse(name).unwrap()
    }

    fn send(name: &str) -> TokenAction {
        TokenAction::Send(token(name))
    }

    fn refresh(name: &str) -> TokenRequest {
        TokenRequest::Refresh(token(name))
    }

    fn anew(refused: Option<&str>) -> TokenRequest {
        TokenRequest::Login { refused: refused.map(token) }
    }

    fn granted(name: &str, life: Option<u64>) -> GrantResult {
        GrantResult::Granted { token: token(name), life: life.map(Duration::from_secs) }
    }

    fn failed() -> GrantResult {
        GrantResult::Failed(Failing { cause: "HTTP 500".to_owned(), retry_after: None, is_down: false })
    }

    fn refused() -> GrantResult {
        GrantResult::Refused("HTTP 401".to_owned())
    }

    /// A cache with a clock that starts at 0 s.
    struct Bench {
        cache: TokenCache,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { cache: TokenCache::new(true, GIVE_UP), start: Instant::now() }
        }

        /// A cache with a token `one` that a login brought at 0 s.
        fn logged_in(life: Option<u64>) -> Self {
            let mut bench = Self::new();
            bench.obtains(0.0, &anew(None), granted("one", life));
            bench.sends(0.0, "one");
            bench
        }

        fn at(&self, second: f64) -> Instant {
            self.start + Duration::from_secs_f64(second)
        }

        fn plan(&self, second: f64) -> TokenAction {
            self.cache.plan(self.at(second))
        }

        /// Takes the planned request for a token, which must be this one, and completes it at once
        /// with this result.
        #[track_caller]
        fn obtains(&mut self, second: f64, request: &TokenRequest, result: GrantResult) {
            let now = self.at(second);
            assert_eq!(self.cache.take(now), TokenAction::Obtain(request.clone()), "at {second} s");
            self.cache.obtained(request, result, now, now, 1.0);
        }

        #[track_caller]
        fn sends(&mut self, second: f64, name: &str) {
            assert_eq!(self.cache.take(self.at(second)), send(name), "at {second} s");
        }

        #[track_caller]
        fn stops(&self, second: f64) -> StopReason {
            match self.plan(second) {
                TokenAction::Stop(reason) => reason,
                other => panic!("no stop but {other:?}"),
            }
        }
    }

    #[test]
    fn a_token_is_refreshed_at_eighty_percent_of_its_life() {
        for life in [3, 10, 600] {
            let mut bench = Bench::logged_in(Some(life));
            let due = life as f64 * 0.8;
            bench.sends(due - 0.01, "one");
            bench.obtains(due, &refresh("one"), granted("two", Some(life)));
            bench.sends(due * 2.0 - 0.01, "two");
            assert_eq!(bench.plan(due * 2.0), TokenAction::Obtain(refresh("two")));
        }
    }

    #[test]
    fn a_life_counts_from_the_start_of_the_request_that_brought_the_token() {
        let mut bench = Bench::new();
        let (asked_at, now) = (bench.at(0.0), bench.at(2.5));
        assert_eq!(bench.cache.take(asked_at), TokenAction::Obtain(anew(None)));
        bench.cache.obtained(&anew(None), granted("one", Some(3)), asked_at, now, 1.0);
        assert_eq!(bench.plan(2.5), TokenAction::Obtain(refresh("one")));
        assert_eq!(bench.cache.ends_at(), Some(bench.at(5.5)), "no later than if it counts from the answer");
    }

    #[test]
    fn a_token_of_untold_life_is_taken_for_the_usual_one_and_never_known_to_be_over() {
        let bench = Bench::logged_in(None);
        assert_eq!(bench.plan(479.0), send("one"));
        assert_eq!(bench.plan(480.0), TokenAction::Obtain(refresh("one")));
        assert_eq!(bench.plan(9999.0), TokenAction::Obtain(refresh("one")));
        assert_eq!(bench.cache.ends_at(), None);
    }

    #[test]
    fn one_renews_and_the_others_go_on_while_the_token_lives_and_wait_when_it_is_over() {
        let mut bench = Bench::logged_in(Some(10));
        assert_eq!(bench.cache.take(bench.at(8.0)), TokenAction::Obtain(refresh("one")));
        bench.sends(8.0, "one");
        bench.sends(9.9, "one");
        assert_eq!(bench.plan(10.0), TokenAction::Wait(None));
        let (asked_at, now) = (bench.at(8.0), bench.at(10.5));
        bench.cache.obtained(&refresh("one"), granted("two", Some(10)), asked_at, now, 1.0);
        bench.sends(10.5, "two");
    }

    #[test]
    fn a_refresh_that_is_refused_or_fails_is_followed_by_a_login_at_once() {
        for result in [refused(), failed(), GrantResult::NoToken] {
            let mut bench = Bench::logged_in(Some(10));
            bench.obtains(8.0, &refresh("one"), result);
            bench.obtains(8.0, &anew(None), granted("two", Some(10)));
            bench.sends(8.0, "two");
            assert_eq!(bench.plan(16.0), TokenAction::Obtain(refresh("two")), "the next one is refreshed again");
        }
    }

    #[test]
    fn a_refresh_that_is_not_there_is_asked_for_once() {
        let mut bench = Bench::logged_in(Some(10));
        bench.obtains(8.0, &refresh("one"), GrantResult::NotOffered("HTTP 404".to_owned()));
        bench.obtains(8.0, &anew(None), granted("two", Some(10)));
        bench.sends(8.0, "two");
        assert_eq!(bench.plan(16.0), TokenAction::Obtain(anew(None)));
    }

    #[test]
    fn a_token_that_is_over_is_not_refreshed_but_logged_in_for() {
        let bench = Bench::logged_in(Some(10));
        assert_eq!(bench.plan(10.0), TokenAction::Obtain(anew(None)));
    }

    #[test]
    fn a_login_that_fails_is_tried_less_and_less_often_while_a_living_token_goes_on() {
        let mut bench = Bench::logged_in(Some(100));
        bench.obtains(80.0, &refresh("one"), failed());
        bench.obtains(80.0, &anew(None), failed());
        bench.sends(80.49, "one");
        bench.obtains(80.5, &anew(None), failed());
        bench.sends(81.4, "one");
        bench.obtains(99.0, &anew(None), failed());
        assert_eq!(bench.plan(100.0), TokenAction::Wait(Some(bench.at(101.0))));
        bench.obtains(101.0, &anew(None), granted("two", Some(100)));
        bench.sends(101.0, "two");
    }

    #[test]
    fn a_login_that_keeps_failing_is_given_up_in_time() {
        for result in [failed(), GrantResult::Throttled { pause: Duration::from_secs(60) }] {
            let mut bench = Bench::new();
            let (mut second, mut tries) = (0.0, 0);
            while let TokenAction::Obtain(request) = bench.plan(second) {
                bench.obtains(second, &request, result.clone());
                tries += 1;
                second = match (bench.plan(second), &result) {
                    (TokenAction::Wait(Some(until)), _) => (until - bench.start).as_secs_f64(),
                    (_, GrantResult::Throttled { .. }) => second + 60.0,
                    _ => second,
                };
            }
            assert!(matches!(bench.stops(second), StopReason::Unreachable(_)));
            assert!((1800.0..1980.0).contains(&second), "{second} s");
            assert!(tries < 40, "{tries}");
        }
    }

    #[test]
    fn a_refresh_that_is_throttled_leaves_the_sends_to_the_living_token() {
        for life in [Some(600), None] {
            let mut bench = Bench::logged_in(life);
            let pause = GrantResult::Throttled { pause: Duration::from_secs(30) };
            bench.obtains(480.0, &refresh("one"), pause.clone());
            bench.sends(510.0, "one");
            bench.sends(510.4, "one");
            bench.obtains(510.6, &refresh("one"), pause);
            bench.sends(541.5, "one");
        }
    }

    #[test]
    fn a_login_that_is_refused_or_pointless_ends_at_once_for_all() {
        type Is = fn(&StopReason) -> bool;
        let cases: [(GrantResult, Is); 4] = [
            (refused(), |reason| matches!(reason, StopReason::Credentials(_))),
            (GrantResult::NoToken, |reason| matches!(reason, StopReason::Unreachable(_))),
            (GrantResult::NotOffered(String::new()), |reason| matches!(reason, StopReason::Configuration(_))),
            (GrantResult::Stop(StopReason::Configuration("".into())), |reason| {
                matches!(reason, StopReason::Configuration(_))
            }),
        ];
        for (result, is) in cases {
            let mut bench = Bench::new();
            bench.obtains(0.0, &anew(None), result);
            assert!(is(&bench.stops(0.0)) && is(&bench.stops(9999.0)));
        }
    }

    #[test]
    fn a_refused_token_is_refreshed_once_for_all_who_were_refused() {
        let mut bench = Bench::logged_in(Some(600));
        assert_eq!(bench.cache.refused(&token("one")), TokenRefusal::Current);
        assert_eq!(bench.cache.refused(&token("one")), TokenRefusal::Late);
        bench.obtains(1.0, &refresh("one"), granted("two", Some(600)));
        assert_eq!(bench.cache.refused(&token("one")), TokenRefusal::Late);
        bench.sends(1.0, "two");
    }

    #[test]
    fn refusals_in_a_row_lead_to_a_refresh_then_a_login_then_the_end() {
        let mut bench = Bench::logged_in(Some(600));
        bench.cache.refused(&token("one"));
        bench.obtains(1.0, &refresh("one"), granted("two", Some(600)));
        bench.sends(1.0, "two");
        bench.cache.refused(&token("two"));
        bench.obtains(2.0, &anew(Some("two")), granted("three", Some(600)));
        bench.sends(2.0, "three");
        bench.cache.refused(&token("three"));
        assert!(matches!(bench.stops(2.0), StopReason::Credentials(_)));
    }

    #[test]
    fn a_login_after_a_refused_refresh_is_the_last_one_too() {
        let mut bench = Bench::logged_in(Some(600));
        bench.cache.refused(&token("one"));
        bench.obtains(1.0, &refresh("one"), refused());
        bench.obtains(1.0, &anew(Some("one")), granted("two", Some(600)));
        bench.sends(1.0, "two");
        bench.cache.refused(&token("two"));
        assert!(matches!(bench.stops(2.0), StopReason::Credentials(_)));
    }

    #[test]
    fn a_token_that_was_accepted_wipes_out_earlier_refusals() {
        let mut bench = Bench::logged_in(Some(600));
        for (old, new) in [("one", "two"), ("two", "three"), ("three", "four"), ("four", "five")] {
            bench.cache.accepted(&token(old));
            bench.cache.refused(&token(old));
            bench.cache.accepted(&token(old));
            bench.obtains(1.0, &refresh(old), granted(new, Some(600)));
            bench.sends(1.0, new);
        }
    }

    #[test]
    fn tokens_that_die_before_anything_can_leave_end_the_run() {
        let mut bench = Bench::new();
        for second in 0..4 {
            bench.obtains(f64::from(second) * 10.0, &anew(None), granted("t", Some(5)));
        }
        let StopReason::Configuration(words) = bench.stops(31.0) else { panic!("another reason") };
        assert_eq!(words.advice.as_deref(), Some("raise --rate"));
    }

    #[test]
    fn a_source_that_is_not_the_api_is_asked_at_first_and_when_its_token_was_refused() {
        let mut bench = Bench { cache: TokenCache::new(false, GIVE_UP), ..Bench::new() };
        bench.obtains(0.0, &anew(None), granted("one", None));
        bench.sends(100_000.0, "one");
        bench.cache.refused(&token("one"));
        bench.obtains(100_000.0, &anew(Some("one")), granted("two", None));
        bench.sends(100_000.0, "two");
    }
}
