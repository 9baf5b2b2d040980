//! Hands out permits, the only way to send a request.
//!
//! One task hands them out when the gate allows it. A sender requests a permit, and reports the
//! health of the server afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::circuit_breaker::Health;
use super::gate::{Gate, Returned};
use super::rate_option::Rate;
use super::sliding_window::SlidingWindow;
use crate::api::Allowance;
use crate::event::Event;

/// A request that was sent before the run, as the pace of the run must count it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstRequest {
    pub answered_at: Instant,
    pub allowance: Allowance,
    /// Until when the API asked for a pause.
    pub paused_until: Option<Instant>,
}

/// The right to send one request. If it is dropped without a report, it says nothing about the
/// server.
#[derive(Debug)]
pub(crate) struct Permit {
    probe: bool,
    control: mpsc::UnboundedSender<Control>,
    window: SlidingWindow,
    has_left: bool,
    returned: Returned,
    /// How often the pace had stopped when the permit was given.
    stops: u64,
    stopped: Arc<AtomicU64>,
}

impl Permit {
    /// Returns whether the request is a probe of an open breaker. Probes do not count as attempts
    /// of their record.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Returns whether the pace has stopped since the permit was given, because of a pause or of an
    /// open breaker. The request then needs another permit.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.stops != self.stopped.load(Ordering::Relaxed)
    }

    /// Waits until the request may be sent, usually not at all. Call it last, right before sending.
    /// A second call on the same permit returns immediately.
    pub(crate) async fn leave(&mut self) {
        if !self.has_left {
            self.window.pass().await;
            self.has_left = true;
        }
    }

    pub(crate) fn report(mut self, health: Health, allowance: Allowance) {
        (self.returned.health, self.returned.allowance) = (health, allowance);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // If the pacing task is gone, the run is over.
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
    /// Filled by the tasks of records with one request each, so it is never longer than the number
    /// of tasks; drained by the pacing task.
    asks: mpsc::UnboundedSender<oneshot::Sender<Permit>>,
    /// Filled after each response; drained before anything else.
    control: mpsc::UnboundedSender<Control>,
    /// Before when another process must send nothing.
    next_at: watch::Receiver<Option<Instant>>,
    /// How often the pace has stopped. Counted at once, and not by the task, because a permit that
    /// is at hand must not be used meanwhile.
    stopped: Arc<AtomicU64>,
}

/// What happened before a pacer starts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    /// A request that counts.
    pub first: Option<FirstRequest>,
    /// Nothing is sent before this moment, because of another process.
    pub held_until: Option<Instant>,
}

impl Pacer {
    /// Starts the pacing task; it reports through `events`.
    pub(crate) fn start(rate: Rate, events: mpsc::UnboundedSender<Event>) -> Self {
        Self::start_after(Before::default(), rate, events)
    }

    /// Does the same after something that counts.
    pub(crate) fn start_after(before: Before, rate: Rate, events: mpsc::UnboundedSender<Event>) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let (control, commands) = mpsc::unbounded_channel();
        let (telling, next_at) = watch::channel(None);
        let gate = Gate::new(rate, Instant::now());
        let control_of_task = control.downgrade();
        let stopped = Arc::<AtomicU64>::default();
        let mut pacing = Pacing {
            gate,
            asked,
            commands,
            control: control_of_task,
            events,
            left: None,
            next_at: telling,
            stopped: Arc::clone(&stopped),
        };
        if let Some(until) = before.held_until {
            pacing.gate.hold_until(until);
        }
        if let Some(first) = before.first {
            pacing.count(first);
        }
        tokio::spawn(pacing.hand_out());
        Self { asks, control, next_at, stopped }
    }

    /// Returns before when another process must send nothing to keep this pace. `None`: this one
    /// has sent nothing.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        *self.next_at.borrow()
    }

    /// Waits for the next permit. Returns `None` if the pacing task is gone.
    pub(crate) async fn permit(&self) -> Option<Permit> {
        let (ask, granted) = oneshot::channel();
        self.asks.send(ask).ok()?;
        granted.await.ok()
    }

    /// Reports that the server asked for a pause because of too many requests (429).
    pub(crate) fn throttled(&self, pause: Duration) {
        self.stopped.fetch_add(1, Ordering::Relaxed);
        drop(self.control.send(Control::Throttled(pause)));
    }

    /// Reports that the server asked for a pause because it is not ready (503).
    pub(crate) fn unavailable(&self, pause: Duration) {
        self.stopped.fetch_add(1, Ordering::Relaxed);
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
    /// When the last request was sent.
    left: Option<Instant>,
    next_at: watch::Sender<Option<Instant>>,
    stopped: Arc<AtomicU64>,
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

    /// Returns true when a request may be sent, false if the task that asked is gone.
    async fn wait_for_turn(&mut self, ask: &mut oneshot::Sender<Permit>) -> bool {
        while !ask.is_closed() {
            while let Ok(command) = self.commands.try_recv() {
                self.obey(command);
            }
            let now = Instant::now();
            let turn = self.gate.turn(now);
            // A moment that has come needs no timer, which ticks in milliseconds and would cost a
            // whole tick.
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
        let (unreached, probe, window) = self.gate.leaves(now);
        self.leaves(now);
        self.tell(unreached);
        let returned = Returned { left: now, health: Health::Unclear, allowance: Allowance::default() };
        let stopped = Arc::clone(&self.stopped);
        let stops = stopped.load(Ordering::Relaxed);
        let permit = Permit { probe, control, window, has_left: false, returned, stops, stopped };
        // If the task that asked is gone by now, the permit reports itself unused.
        drop(ask.send(permit));
    }

    fn obey(&mut self, command: Control) {
        let now = Instant::now();
        let told = match command {
            Control::Throttled(pause) => Some(self.gate.throttled(pause, now)),
            Control::Unavailable(pause) => Some(self.gate.unavailable(pause, now)),
            Control::Returned { permit, was_probe } => self.gate.heard(permit, was_probe, now),
        };
        if matches!(told, Some(Event::BreakerOpened { .. })) {
            self.stopped.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(told);
        let adapted = self.gate.adapt(now);
        self.tell(adapted);
        if let Some(left) = self.left {
            self.leaves(left);
        }
    }

    /// Notes when the last request was sent, and before when no other process may send one.
    fn leaves(&mut self, left: Instant) {
        self.left = Some(left);
        self.next_at.send_replace(Some(self.gate.next_after(left)));
    }

    /// Counts a request that was sent before this task began.
    fn count(&mut self, first: FirstRequest) {
        let now = Instant::now();
        self.gate.count(first.allowance, first.answered_at);
        self.leaves(first.answered_at);
        let pause = first.paused_until.map(|until| until.saturating_duration_since(now));
        let paused = pause.filter(|pause| !pause.is_zero()).map(|pause| self.gate.throttled(pause, now));
        let adapted = self.gate.adapt(now);
        self.tell(paused);
        self.tell(adapted);
    }

    fn tell(&self, event: Option<Event>) {
        // If the run is over, the channel has no reader.
        drop(event.map(|event| self.events.send(event)));
    }
}

/// Waits until the moment, or forever if it is `None`.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::delivery::rate::rate_option::{MINUTE, SLACK};

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

    /// How many permits a task gets if it always requests the next one, while every response states
    /// the same limit.
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
    async fn what_another_process_sent_is_waited_for_and_what_this_one_sent_is_told() {
        let (events, _told) = mpsc::unbounded_channel();
        let start = Instant::now();
        let held_until = Some(start + Duration::from_secs(7));
        let pacer = Pacer::start_after(Before { first: None, held_until }, "30/m".parse().unwrap(), events);
        assert_eq!(pacer.next_at(), None);
        pacer.permit().await.unwrap().report(Health::Conclusive, Allowance::default());
        assert_eq!(start.elapsed().as_secs(), 7);
        let left = pacer.next_at().unwrap().duration_since(Instant::now()).as_secs_f64();
        assert!((1.9..2.1).contains(&left), "an interval after the last request: {left}");
        pacer.throttled(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let left = pacer.next_at().unwrap().duration_since(Instant::now()).as_secs_f64();
        assert!((29.9..30.0).contains(&left), "a pause that the server asked for: {left}");
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
            let is_told = events.any(|event| matches!(event, Event::RateUnderused { .. }));
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
}
