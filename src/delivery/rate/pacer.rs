//! The one gate through which every request leaves: rate, pauses and the breaker in one place.
//!
//! One task hands out permits. Whoever sends asks for one, and tells afterwards how the server seemed.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::adaptive_quota::Quota;
use super::circuit_breaker::{Breaker, Health, Turn};
use super::sliding_window::Door;
use super::utilization::Reach;
use crate::api::Allowance;
use crate::event::Event;

/// `--rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// 55 of 60 parts of what the server announces, less what others use of it; 55 a minute until it does.
    Auto,
    /// Exactly this many requests in this time, whatever the server announces.
    Exact { requests: NonZeroU32, per: Duration },
}

const MINUTE: Duration = Duration::from_secs(60);
/// Above this many requests a second, timers are too coarse for one request at a time.
const FAST: f64 = 50.0;
/// How much of a fast rate may leave at once; with the jitter of the way to the server it stays below a fiftieth of a second's worth.
const BURST: Duration = Duration::from_millis(15);
/// Requests arrive with the jitter of the way there. So much of an interval is added to each, so that a window of the server never sees
/// one too many because of it.
const SLACK: f64 = 0.002;
/// A pace that changes by less is left as it is.
const SAME_PACE: f64 = 0.02;

impl Rate {
    /// What a plan can count on, in requests a minute.
    #[must_use]
    pub fn per_minute(self) -> f64 {
        self.under(&Quota::new(Instant::now()))
    }

    /// The pace under a quota, in requests a minute.
    fn under(self, quota: &Quota) -> f64 {
        match self {
            Self::Exact { requests, per } => MINUTE.div_duration_f64(per) * f64::from(requests.get()),
            Self::Auto => quota.per_minute(),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let refused = || format!("{text:?} is neither `auto` nor a rate such as 5/s, 55/m or 1000/h");
        let (requests, unit) = text.split_once('/').ok_or_else(refused)?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => MINUTE,
            "h" => MINUTE * 60,
            _ => return Err(refused()),
        };
        let requests = requests.trim().parse().map_err(|_| refused())?;
        Ok(Self::Exact { requests, per })
    }
}

/// The right to send one request. Dropped without a report, it tells nothing of the server.
#[derive(Debug)]
pub(crate) struct Permit {
    probe: bool,
    control: mpsc::UnboundedSender<Control>,
    door: Door,
    has_left: bool,
    returned: Returned,
}

/// What came of a permit.
#[derive(Clone, Copy, Debug)]
struct Returned {
    left: Instant,
    health: Health,
    allowance: Allowance,
}

impl Permit {
    /// Attempts made while the breaker is open are not counted against their record.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Returns in the moment in which the request may leave: mostly at once. Called when nothing else is waited for; whoever calls again, since
    /// something was too late after all, is let out.
    pub(crate) async fn leave(&mut self) {
        if !self.has_left {
            self.door.pass().await;
            self.has_left = true;
        }
    }

    pub(crate) fn report(mut self, health: Health, allowance: Allowance) {
        (self.returned.health, self.returned.allowance) = (health, allowance);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // When the pacing task is gone the run is over.
        drop(self.control.send(Control::Returned { permit: self.returned, was_probe: self.probe }));
    }
}

#[derive(Debug)]
enum Control {
    /// Too many requests were sent.
    Throttled(Duration),
    /// The server is not ready.
    Unavailable(Duration),
    Returned {
        permit: Returned,
        was_probe: bool,
    },
}

/// A handle to the pacing task. The task ends when the last handle and the last permit are gone.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// Filled by the tasks of records, one ask each, so it is never longer than there are tasks; drained by the pacing task.
    asks: mpsc::UnboundedSender<oneshot::Sender<Permit>>,
    /// Filled after each answer; drained before anything else.
    control: mpsc::UnboundedSender<Control>,
}

impl Pacer {
    /// Starts the pacing task; what it does is told through `events`.
    pub(crate) fn start(rate: Rate, events: mpsc::UnboundedSender<Event>) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let (control, commands) = mpsc::unbounded_channel();
        let gate = Gate::new(rate, Instant::now());
        let pacing = Pacing { gate, asked, commands, control: control.downgrade(), events };
        tokio::spawn(pacing.hand_out());
        Self { asks, control }
    }

    /// The next permit; `None` when the pacing task is gone.
    pub(crate) async fn permit(&self) -> Option<Permit> {
        let (ask, granted) = oneshot::channel();
        self.asks.send(ask).ok()?;
        granted.await.ok()
    }

    /// The server asked for a pause because too many requests came (429).
    pub(crate) fn throttled(&self, pause: Duration) {
        drop(self.control.send(Control::Throttled(pause)));
    }

    /// The server asked for a pause because it is not ready (503).
    pub(crate) fn unavailable(&self, pause: Duration) {
        drop(self.control.send(Control::Unavailable(pause)));
    }
}

struct Pacing {
    gate: Gate,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<Permit>>,
    commands: mpsc::UnboundedReceiver<Control>,
    /// Weak, so that the task does not keep its own channel open.
    control: mpsc::WeakUnboundedSender<Control>,
    events: mpsc::UnboundedSender<Event>,
}

impl Pacing {
    async fn hand_out(mut self) {
        while let Some(mut ask) = self.next_ask().await {
            if self.wait_for_turn(&mut ask).await {
                self.grant(ask);
            }
        }
    }

    async fn next_ask(&mut self) -> Option<oneshot::Sender<Permit>> {
        loop {
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.obey(command),
                ask = self.asked.recv() => return ask,
            }
        }
    }

    /// True when a request may leave, false when whoever asked is gone.
    async fn wait_for_turn(&mut self, ask: &mut oneshot::Sender<Permit>) -> bool {
        while !ask.is_closed() {
            while let Ok(command) = self.commands.try_recv() {
                self.obey(command);
            }
            let now = Instant::now();
            let turn = self.gate.turn(now);
            // Timers tick in milliseconds: one that is due already would cost a whole tick.
            if turn.is_some_and(|turn| turn <= now) {
                if self.gate.try_leave(now) {
                    return true;
                }
                continue;
            }
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.obey(command),
                () = ask.closed() => return false,
                () = until(turn) => {}
            }
        }
        false
    }

    fn grant(&mut self, ask: oneshot::Sender<Permit>) {
        let Some(control) = self.control.upgrade() else { return };
        let now = Instant::now();
        let unreached = self.gate.reach.leaves(interval(self.gate.per_minute), now);
        self.tell(unreached);
        let returned = Returned { left: now, health: Health::Unclear, allowance: Allowance::default() };
        let (probe, door) = (self.gate.breaker.leaves(), self.gate.door.clone());
        let permit = Permit { probe, control, door, has_left: false, returned };
        // Whoever asked may have left in this instant; the permit then reports itself unused.
        drop(ask.send(permit));
    }

    fn obey(&mut self, command: Control) {
        let now = Instant::now();
        let told = match command {
            Control::Throttled(pause) => Some(self.gate.throttled(pause, now)),
            Control::Unavailable(pause) => Some(self.gate.unavailable(pause, now)),
            Control::Returned { permit, was_probe } => self.gate.heard(permit, was_probe, now),
        };
        self.tell(told);
        let adapted = self.gate.adapt(now);
        self.tell(adapted);
    }

    fn tell(&self, event: Option<Event>) {
        // When the run is over nobody listens.
        drop(event.map(|event| self.events.send(event)));
    }
}

/// The state of the gate; it waits for nothing itself.
struct Gate {
    rate: Rate,
    quota: Quota,
    /// The pace of the limiter, in requests a minute.
    per_minute: f64,
    limiter: Limiter,
    clock: Ticks,
    /// When the last request left.
    left_at: Option<Instant>,
    is_answered: bool,
    /// When the limiter has room again, as far as it told.
    room_at: Instant,
    /// Only ever moves forward.
    paused_until: Instant,
    breaker: Breaker,
    reach: Reach,
    door: Door,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

impl Gate {
    fn new(rate: Rate, now: Instant) -> Self {
        let (clock, quota) = (Ticks::new(now), Quota::new(now));
        let per_minute = rate.under(&quota);
        Self {
            rate,
            per_minute,
            quota,
            limiter: limiter(interval(per_minute), clock.clone()),
            clock,
            left_at: None,
            is_answered: false,
            room_at: now,
            paused_until: now,
            breaker: Breaker::new(),
            reach: Reach::new(now),
            door: Door::new(interval(per_minute)),
        }
    }

    /// When to ask again whether a request may leave; `None` while only a probe's answer can tell.
    fn turn(&self, now: Instant) -> Option<Instant> {
        let turn = self.breaker.not_before(now)?.max(self.paused_until).max(self.room_at);
        Some(if self.rate == Rate::Auto { turn.max(self.quota.not_before(now)) } else { turn })
    }

    fn try_leave(&mut self, now: Instant) -> bool {
        if self.turn(now).is_none_or(|turn| turn > now) {
            return false;
        }
        let due = self.due(now);
        self.clock.set(due);
        match self.limiter.check() {
            Ok(()) => {
                self.left_at = Some(due);
                self.quota.leaves(now);
                true
            }
            Err(full) => {
                // Never now again: whoever asks would ask in a circle.
                let room_at = due + full.wait_time_from(self.clock.now());
                self.room_at = room_at.max(now + Duration::from_nanos(1));
                false
            }
        }
    }

    /// Timers fire late, and later on a busy machine. Up to half an interval of that is made up for by the next request, or the pace would
    /// be lower than was asked for.
    fn due(&self, now: Instant) -> Instant {
        let half = interval(self.per_minute) / 2;
        now.checked_sub(half).unwrap_or(now).max(self.room_at).max(self.paused_until).min(now)
    }

    fn throttled(&mut self, pause: Duration, now: Instant) -> Event {
        self.quota.throttled(pause, now);
        self.pause(pause, now);
        Event::Throttled { pause }
    }

    fn unavailable(&mut self, pause: Duration, now: Instant) -> Event {
        self.pause(pause, now);
        Event::Unavailable { pause }
    }

    fn pause(&mut self, pause: Duration, now: Instant) {
        self.paused_until = self.paused_until.max(now + pause);
        self.reach.begin_anew(self.paused_until);
    }

    fn heard(&mut self, permit: Returned, was_probe: bool, now: Instant) -> Option<Event> {
        self.quota.returns(permit.allowance, permit.left, now);
        if !std::mem::replace(&mut self.is_answered, true) {
            // The first request had to connect, so nobody knows when it arrived: no later than this.
            self.left_at = Some(now);
            self.begin_anew(now);
        }
        let turn = self.breaker.hears(permit.health, was_probe, now)?;
        self.reach.begin_anew(now);
        Some(match turn {
            Turn::Opened { pause } => Event::BreakerOpened { pause, trouble: None },
            Turn::Closed => Event::BreakerClosed,
        })
    }

    fn adapt(&mut self, now: Instant) -> Option<Event> {
        let per_minute = self.rate.under(&self.quota);
        if (per_minute - self.per_minute).abs() <= self.per_minute * SAME_PACE {
            return None;
        }
        self.per_minute = per_minute;
        self.begin_anew(now);
        Some(Event::Pace { per_minute })
    }

    /// A governor cannot change its quota, so it is replaced. The bucket of a new one is full, hence the next request waits for an interval
    /// since the last one.
    fn begin_anew(&mut self, now: Instant) {
        let interval = interval(self.per_minute);
        self.reach.begin_anew(now);
        self.door.set_pace(interval);
        self.limiter = limiter(interval, self.clock.clone());
        self.room_at = self.left_at.map_or(now, |left_at| left_at + interval);
    }
}

/// The time between two requests. No pace is slower than one request an hour.
fn interval(per_minute: f64) -> Duration {
    MINUTE.div_f64(per_minute.max(1.0 / 60.0)).mul_f64(1.0 + SLACK)
}

/// Never, where there is no moment.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// One request at a time up to 50 a second; above that 15 ms' worth at once, since timers tick in milliseconds.
fn limiter(interval: Duration, clock: Ticks) -> Limiter {
    let interval = interval.max(Duration::from_nanos(1));
    let burst = if 1.0 / interval.as_secs_f64() > FAST { BURST.div_duration_f64(interval) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
    // The interval is not zero, which is all that a quota asks for.
    let quota = governor::Quota::with_period(interval).unwrap_or(governor::Quota::per_minute(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), clock)
}

/// The governor's clock: it stands where it was set, by tokio's clock, which tests can pause.
#[derive(Clone, Debug)]
struct Ticks {
    origin: Instant,
    nanos: Arc<AtomicU64>,
}

impl Ticks {
    fn new(now: Instant) -> Self {
        Self { origin: now, nanos: Arc::default() }
    }

    fn set(&self, now: Instant) {
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        self.nanos.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.nanos.load(Ordering::Relaxed).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(rate: &str) -> (Pacer, mpsc::UnboundedReceiver<Event>) {
        let (events, told) = mpsc::unbounded_channel();
        (Pacer::start(rate.parse().unwrap(), events), told)
    }

    fn limit(limit: u32) -> Allowance {
        Allowance { limit: NonZeroU32::new(limit), ..Allowance::default() }
    }

    async fn count(pacer: &Pacer, time: Duration) -> u32 {
        count_under(pacer, time, Allowance::default()).await
    }

    /// How many permits are handed out in a time to somebody who always wants more, while every answer says the same of the limit.
    async fn count_under(pacer: &Pacer, time: Duration, allowance: Allowance) -> u32 {
        let until = Instant::now() + time;
        let mut permits = 0;
        while let Ok(Some(permit)) = tokio::time::timeout_at(until, pacer.permit()).await {
            permit.report(Health::Conclusive, allowance);
            permits += 1;
        }
        permits
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_rate_is_exact_and_its_first_second_is_not_doubled() {
        for (rate, first_second, in_twenty) in [("1/s", 1..=1, 20..=20), ("50/s", 50..=50, 997..=1000)] {
            let (pacer, _told) = pacer(rate);
            let first = count(&pacer, Duration::from_secs(1)).await;
            assert!(first_second.contains(&first), "{rate}: {first} in the first second");
            let all = first + count(&pacer, Duration::from_secs(19)).await;
            assert!(in_twenty.contains(&all), "{rate}: {all} in 20 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_rate_is_kept_within_its_burst() {
        let (pacer, _told) = pacer("1000/s");
        let permits = count(&pacer, Duration::from_secs(20)).await;
        assert!((19_940..=19_980).contains(&permits), "{permits}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_request_leaves_an_interval_after_the_answer_to_the_first() {
        let (pacer, _told) = pacer("1/s");
        let first = pacer.permit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.report(Health::Conclusive, Allowance::default());
        let answered = Instant::now();
        for interval in 1..=2 {
            pacer.permit().await.unwrap().report(Health::Conclusive, Allowance::default());
            let since = answered.elapsed().as_secs_f64();
            assert!((0.0..0.01).contains(&(since - f64::from(interval))), "{since}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_is_late_every_time_keeps_the_pace() {
        for late in [1, 5, 9] {
            let mut gate = Gate::new("50/s".parse().unwrap(), Instant::now());
            let start = Instant::now();
            let mut left = 0;
            while start.elapsed() < Duration::from_secs(20) {
                if gate.try_leave(Instant::now()) {
                    left += 1;
                } else {
                    until(gate.turn(Instant::now())).await;
                    tokio::time::advance(Duration::from_millis(late)).await;
                }
            }
            assert!((997..=999).contains(&left), "{left} of 1000 with {late} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn auto_starts_at_55_a_minute_and_follows_what_the_server_announces() {
        let (pacer, mut told) = pacer("auto");
        let before = count(&pacer, MINUTE).await;
        assert_eq!(before, 55);
        let after = count_under(&pacer, MINUTE, limit(120)).await;
        assert!((108..=111).contains(&after), "{after}");
        assert!(matches!(told.recv().await, Some(Event::Pace { per_minute }) if (per_minute - 110.0).abs() < 0.01));
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_rate_ignores_what_the_server_announces() {
        let (pacer, _told) = pacer("60/m");
        let permits = count_under(&pacer, MINUTE, limit(6000)).await;
        assert_eq!(permits, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_and_only_moves_forward() {
        let (pacer, _told) = pacer("1000/s");
        let start = Instant::now();
        pacer.throttled(Duration::from_secs(30));
        pacer.throttled(Duration::from_secs(5));
        pacer.permit().await.unwrap().report(Health::Conclusive, Allowance::default());
        assert!(start.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_lets_one_probe_out_and_waits_for_its_answer() {
        let (pacer, mut told) = pacer("1000/s");
        for _ in 0..10 {
            pacer.permit().await.unwrap().report(Health::Failing, Allowance::default());
        }
        assert_eq!(told.recv().await, Some(Event::BreakerOpened { pause: Duration::from_secs(1), trouble: None }));
        let probe = pacer.permit().await.unwrap();
        assert!(probe.is_probe());
        let second = tokio::time::timeout(Duration::from_secs(600), pacer.permit()).await;
        assert!(second.is_err(), "a second request left while the probe was under way");
        probe.report(Health::Conclusive, Allowance::default());
        assert!(!pacer.permit().await.unwrap().is_probe());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_that_hold_the_pace_back_are_told_and_pauses_of_the_api_are_not() {
        for pause in [Duration::ZERO, Duration::from_secs(59)] {
            let (pacer, mut told) = pacer("50/s");
            for request in 0..600 {
                let permit = pacer.permit().await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
                permit.report(Health::Conclusive, Allowance::default());
                if request % 200 == 0 && !pause.is_zero() {
                    pacer.throttled(pause);
                }
            }
            let mut events = std::iter::from_fn(|| told.try_recv().ok());
            let is_told = events.any(|event| matches!(event, Event::PaceUnreached { .. }));
            assert_eq!(is_told, pause.is_zero());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_that_is_used_late_is_kept_from_the_next_one_and_counts_once() {
        let (pacer, _told) = pacer("1/s");
        let (mut late, mut next) = (pacer.permit().await.unwrap(), pacer.permit().await.unwrap());
        late.leave().await;
        let start = Instant::now();
        for _ in 0..3 {
            late.leave().await;
            next.leave().await;
        }
        assert_eq!(start.elapsed().as_secs_f64().round(), 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_ask_costs_no_permit() {
        let (pacer, _told) = pacer("1/m");
        pacer.permit().await.unwrap().report(Health::Conclusive, Allowance::default());
        for _ in 0..5 {
            let _abandoned = tokio::time::timeout(Duration::from_secs(1), pacer.permit()).await;
        }
        let start = Instant::now();
        pacer.permit().await.unwrap().report(Health::Conclusive, Allowance::default());
        assert!(start.elapsed() <= MINUTE.mul_f64(1.0 + SLACK));
    }

    #[test]
    fn rates_are_read_as_written_or_refused() {
        for (text, per_minute) in [("5/s", 300.0), ("55/m", 55.0), ("120/h", 2.0), ("auto", 55.0)] {
            let rate: Rate = text.parse().unwrap();
            assert!((rate.per_minute() - per_minute).abs() < 1e-6, "{text}");
        }
        for wrong in ["", "5", "0/s", "-1/s", "5/d", "x/m", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
