//! The one gate through which every request leaves: rate, pauses and the breaker in one place.
//!
//! One task hands out permits. Whoever sends asks for one, and tells afterwards how the server seemed.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::breaker::{Breaker, Health, Turn};
use crate::event::Event;

/// `--rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// 55 of 60 parts of what the server announces; 55 a minute until it does.
    Auto,
    /// Exactly this many requests in this time, whatever the server announces.
    Exact { requests: NonZeroU32, per: Duration },
}

/// The share of the announced limit that `auto` uses; the rest is for others who use the account.
const SHARE: f64 = 55.0 / 60.0;
const MINUTE: Duration = Duration::from_secs(60);
/// How long everything waits after a 429 that does not say.
const UNTOLD_PAUSE: Duration = Duration::from_secs(60);
/// Above this many requests a second, timers are too coarse for one request at a time.
const FAST: f64 = 50.0;
/// How much of a fast rate may leave at once.
const BURST: Duration = Duration::from_millis(20);

impl Rate {
    /// The time between two requests.
    #[must_use]
    pub fn interval(self, announced: Option<NonZeroU32>) -> Duration {
        match self {
            Self::Exact { requests, per } => per / requests.get(),
            Self::Auto => {
                let limit = announced.map_or(60, NonZeroU32::get);
                MINUTE.div_f64(f64::from(limit) * SHARE)
            }
        }
    }

    #[must_use]
    pub fn per_minute(self, announced: Option<NonZeroU32>) -> f64 {
        MINUTE.div_duration_f64(self.interval(announced))
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
pub(super) struct Permit {
    probe: bool,
    control: mpsc::UnboundedSender<Control>,
    health: Health,
}

impl Permit {
    /// Attempts made while the breaker is open are not counted against their record.
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }

    pub(super) fn report(mut self, health: Health) {
        self.health = health;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // When the pacing task is gone the run is over.
        drop(self.control.send(Control::Heard { health: self.health, was_probe: self.probe }));
    }
}

#[derive(Debug)]
enum Control {
    Pause(Option<Duration>),
    Announced(NonZeroU32),
    Heard { health: Health, was_probe: bool },
}

/// A handle to the pacing task. The task ends when the last handle and the last permit are gone.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    /// Filled by the tasks of records, one ask each, so it is never longer than there are tasks; drained by the pacing task.
    asks: mpsc::UnboundedSender<oneshot::Sender<Permit>>,
    /// Filled after each answer; drained before anything else.
    control: mpsc::UnboundedSender<Control>,
}

impl Pacer {
    /// Starts the pacing task; what it does is told through `events`.
    pub(super) fn start(rate: Rate, events: mpsc::UnboundedSender<Event>) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let (control, commands) = mpsc::unbounded_channel();
        let gate = Gate::new(rate, Instant::now());
        let pacing = Pacing { gate, asked, commands, control: control.downgrade(), events };
        tokio::spawn(pacing.hand_out());
        Self { asks, control }
    }

    /// The next permit; `None` when the pacing task is gone.
    pub(super) async fn permit(&self) -> Option<Permit> {
        let (ask, granted) = oneshot::channel();
        self.asks.send(ask).ok()?;
        granted.await.ok()
    }

    /// The server announced its limit, in requests a minute.
    pub(super) fn announced(&self, limit: u32) {
        if let Some(limit) = NonZeroU32::new(limit) {
            drop(self.control.send(Control::Announced(limit)));
        }
    }

    /// The server asked for silence.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) {
        drop(self.control.send(Control::Pause(retry_after)));
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
        let permit = Permit { probe: self.gate.breaker.leaves(), control, health: Health::Unclear };
        // Whoever asked may have left in this instant; the permit then reports itself unused.
        drop(ask.send(permit));
    }

    fn obey(&mut self, command: Control) {
        let told = match command {
            Control::Pause(pause) => Some(self.gate.pause(pause.unwrap_or(UNTOLD_PAUSE), Instant::now())),
            Control::Announced(limit) => self.gate.announced(limit),
            Control::Heard { health, was_probe } => self.gate.heard(health, was_probe, Instant::now()),
        };
        if let Some(event) = told {
            drop(self.events.send(event));
        }
    }
}

/// The state of the gate; it waits for nothing itself.
struct Gate {
    rate: Rate,
    announced: Option<NonZeroU32>,
    limiter: Limiter,
    clock: Ticks,
    /// When the limiter has room again, as far as it told.
    room_at: Instant,
    /// Only ever moves forward.
    paused_until: Instant,
    breaker: Breaker,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

impl Gate {
    fn new(rate: Rate, now: Instant) -> Self {
        let clock = Ticks(now);
        Self {
            rate,
            announced: None,
            limiter: limiter(rate.interval(None), clock),
            clock,
            room_at: now,
            paused_until: now,
            breaker: Breaker::new(),
        }
    }

    /// When to ask again whether a request may leave; `None` while only a probe's answer can tell.
    fn turn(&self, now: Instant) -> Option<Instant> {
        Some(self.breaker.not_before(now)?.max(self.paused_until).max(self.room_at))
    }

    fn try_leave(&mut self, now: Instant) -> bool {
        if self.turn(now).is_none_or(|turn| turn > now) {
            return false;
        }
        match self.limiter.check() {
            Ok(()) => true,
            Err(full) => {
                // Never now again: whoever asks would ask in a circle.
                self.room_at = now + full.wait_time_from(self.clock.now()).max(Duration::from_nanos(1));
                false
            }
        }
    }

    fn pause(&mut self, pause: Duration, now: Instant) -> Event {
        self.paused_until = self.paused_until.max(now + pause);
        Event::Throttled { pause }
    }

    /// A governor cannot change its quota, so it is replaced; the new one starts as if a request had just left.
    fn announced(&mut self, limit: NonZeroU32) -> Option<Event> {
        if self.rate != Rate::Auto || self.announced == Some(limit) {
            return None;
        }
        self.announced = Some(limit);
        self.limiter = limiter(self.rate.interval(self.announced), self.clock);
        // The bucket of a new limiter is full: this takes the request that the old one let through.
        drop(self.limiter.check());
        self.room_at = Instant::now();
        Some(Event::Pace { per_minute: self.rate.per_minute(self.announced) })
    }

    fn heard(&mut self, health: Health, was_probe: bool, now: Instant) -> Option<Event> {
        self.breaker.hears(health, was_probe, now).map(|turn| match turn {
            Turn::Opened { pause } => Event::BreakerOpened { pause },
            Turn::Closed => Event::BreakerClosed,
        })
    }
}

/// Never, where there is no moment.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// One request at a time up to 50 a second; above that 20 ms' worth at once, since timers tick in milliseconds.
fn limiter(interval: Duration, clock: Ticks) -> Limiter {
    let interval = interval.max(Duration::from_nanos(1));
    let burst = if 1.0 / interval.as_secs_f64() > FAST { BURST.div_duration_f64(interval) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
    // The interval is not zero, which is all that a quota asks for.
    let quota = Quota::with_period(interval).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), clock)
}

/// Tokio's clock as a governor's, so that tests can pause it.
#[derive(Clone, Copy, Debug)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(rate: &str) -> (Pacer, mpsc::UnboundedReceiver<Event>) {
        let (events, told) = mpsc::unbounded_channel();
        (Pacer::start(rate.parse().unwrap(), events), told)
    }

    /// How many permits are handed out in a time to somebody who always wants more.
    async fn count(pacer: &Pacer, time: Duration) -> u32 {
        let until = Instant::now() + time;
        let mut permits = 0;
        while let Ok(Some(permit)) = tokio::time::timeout_at(until, pacer.permit()).await {
            permit.report(Health::Conclusive);
            permits += 1;
        }
        permits
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_rate_is_exact_and_its_first_second_is_not_doubled() {
        for (rate, first_second, in_twenty) in [("1/s", 1..=2, 20..=21), ("50/s", 50..=51, 1000..=1001)] {
            let (pacer, _told) = pacer(rate);
            let first = count(&pacer, Duration::from_secs(1)).await;
            assert!(first_second.contains(&first), "{rate}: {first} in the first second");
            let all = first + count(&pacer, Duration::from_secs(19)).await;
            assert!(in_twenty.contains(&all), "{rate}: {all} in 20 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_rate_is_kept_within_its_burst_of_twenty_milliseconds() {
        let (pacer, _told) = pacer("1000/s");
        let permits = count(&pacer, Duration::from_secs(20)).await;
        assert!((19_980..=20_020).contains(&permits), "{permits}");
    }

    #[tokio::test(start_paused = true)]
    async fn auto_starts_at_55_a_minute_and_follows_what_the_server_announces() {
        let (pacer, mut told) = pacer("auto");
        let before = count(&pacer, MINUTE).await;
        assert!((55..=56).contains(&before), "{before}");
        pacer.announced(120);
        let after = count(&pacer, MINUTE).await;
        assert!((109..=111).contains(&after), "{after}");
        assert!(matches!(told.recv().await, Some(Event::Pace { per_minute }) if (per_minute - 110.0).abs() < 0.01));
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_rate_ignores_what_the_server_announces() {
        let (pacer, _told) = pacer("60/m");
        pacer.announced(6000);
        let permits = count(&pacer, MINUTE).await;
        assert!((60..=61).contains(&permits), "{permits}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_and_only_moves_forward() {
        let (pacer, _told) = pacer("1000/s");
        let start = Instant::now();
        pacer.throttled(Some(Duration::from_secs(30)));
        pacer.throttled(Some(Duration::from_secs(5)));
        pacer.permit().await.unwrap().report(Health::Conclusive);
        assert!(start.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_unknown_length_is_a_minute() {
        let (pacer, _told) = pacer("1000/s");
        let start = Instant::now();
        pacer.throttled(None);
        pacer.permit().await.unwrap().report(Health::Conclusive);
        assert!(start.elapsed() >= MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_lets_one_probe_out_and_waits_for_its_answer() {
        let (pacer, mut told) = pacer("1000/s");
        for _ in 0..10 {
            pacer.permit().await.unwrap().report(Health::Failing);
        }
        assert_eq!(told.recv().await, Some(Event::BreakerOpened { pause: Duration::from_secs(1) }));
        let probe = pacer.permit().await.unwrap();
        assert!(probe.is_probe());
        let second = tokio::time::timeout(Duration::from_secs(600), pacer.permit()).await;
        assert!(second.is_err(), "a second request left while the probe was under way");
        probe.report(Health::Conclusive);
        assert!(!pacer.permit().await.unwrap().is_probe());
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_ask_costs_no_permit() {
        let (pacer, _told) = pacer("1/m");
        pacer.permit().await.unwrap().report(Health::Conclusive);
        for _ in 0..5 {
            let _abandoned = tokio::time::timeout(Duration::from_secs(1), pacer.permit()).await;
        }
        let start = Instant::now();
        pacer.permit().await.unwrap().report(Health::Conclusive);
        assert!(start.elapsed() <= MINUTE);
    }

    #[test]
    fn rates_are_read_as_written_or_refused() {
        for (text, per_minute) in [("5/s", 300.0), ("55/m", 55.0), ("120/h", 2.0), ("auto", 55.0)] {
            let rate: Rate = text.parse().unwrap();
            assert!((rate.per_minute(None) - per_minute).abs() < 1e-6, "{text}");
        }
        for wrong in ["", "5", "0/s", "-1/s", "5/d", "x/m", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
