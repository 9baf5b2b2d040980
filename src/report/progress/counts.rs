//! Counts what a run has done so far, from its events. Pure.

use std::time::{Duration, Instant};

use super::pause::{PauseLeft, PauseReason, Pauses, ServerOutage};
use crate::domain::{Request, Status, Tally, grouped};
use crate::event::{Event, Trouble};
use crate::report::human::about;

/// So long without a request, or so many intervals of the pace, and the run is called waiting.
const STILL: Duration = Duration::from_secs(3);
const STILL_INTERVALS: f64 = 3.0;

/// The work that a run starts with.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub records: u64,
    pub to_send: u64,
    /// The most records that `--limit` allows to be sent.
    pub limit: Option<u64>,
    /// Records whose outcome the ledger already has. They get it without a request.
    pub known: Tally,
    /// The pace with which the run starts, in requests per minute. 0 if it is not known.
    pub per_minute: f64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Sending,
    Paused,
    /// Nothing may be sent yet, because records wait for a response or for their settle time.
    Waiting,
    /// The run stops early and starts nothing new. Holds how many records it waits for.
    Stopping(u64),
    /// Nothing is left to start. Holds how many records the run waits for.
    Finishing(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub tally: Tally,
    pub scope: Scope,
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
    pub token_requests: u64,
    /// Records that this run left in doubt at some time.
    doubted: u64,
    /// When the first request was sent, and how long the run had been paused by then.
    first: Option<(Instant, Duration)>,
    /// When the latest request was sent.
    latest: Option<Instant>,
    pauses: Pauses,
    /// How many records were in flight when the run began to stop, and the tally of that moment.
    draining: Option<(u64, u64)>,
    /// The same for the moment in which nothing was left to start.
    finishing: Option<(u64, u64)>,
    /// Why requests do not get through at the moment. `None` if they do.
    pub trouble: Option<String>,
}

impl Counts {
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            tally: Tally::default(),
            scope,
            requests: 0,
            throttled: 0,
            retries: 0,
            recovered: 0,
            token_requests: 0,
            doubted: 0,
            first: None,
            latest: None,
            pauses: Pauses::default(),
            draining: None,
            finishing: None,
            trouble: None,
        }
    }

    pub(crate) fn on(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Settled { status, .. } => {
                self.tally.add(*status);
                if matches!(status, Status::Created | Status::Exists | Status::Rejected) {
                    self.trouble = None;
                }
            }
            Event::Unreachable(trouble) => self.trouble = Some(trouble.cause.clone()),
            Event::BreakerOpened { pause, trouble } => {
                let failing = trouble.as_ref().map(|Trouble { cause, gives_up_in }| ServerOutage {
                    cause: cause.clone(),
                    gives_up_at: now + *gives_up_in,
                });
                self.trouble = trouble.as_ref().map(|trouble| trouble.cause.clone()).or(self.trouble.take());
                self.pauses.add(*pause, PauseReason::Failing(failing), now);
            }
            Event::BreakerClosed => {
                self.trouble = None;
                self.pauses.end(now);
            }
            Event::Request(request) => {
                self.requests += 1;
                self.token_requests += u64::from(matches!(request, Request::Credentials));
                self.first.get_or_insert((now, self.pauses.total(now)));
                self.latest = Some(now);
            }
            Event::Throttled { pause } => {
                self.throttled += 1;
                self.pauses.add(*pause, PauseReason::Throttled, now);
            }
            Event::Unavailable { pause } => self.pauses.add(*pause, PauseReason::Unavailable, now),
            Event::Pace { per_minute } => self.scope.per_minute = *per_minute,
            Event::Retry { .. } => self.retries += 1,
            Event::Doubted { .. } => self.doubted += 1,
            Event::Recovered { .. } => self.recovered += 1,
            Event::Draining { in_flight } => self.draining = Some((*in_flight as u64, self.tally.total())),
            Event::Finishing { in_flight } => self.finishing = Some((*in_flight as u64, self.tally.total())),
            Event::Response { .. }
            | Event::RateUnderused { .. }
            | Event::LookupsOff { .. }
            | Event::TokenRefused
            | Event::NoToken { .. }
            | Event::Heartbeat => {}
        }
    }

    /// Returns what the run is doing.
    pub(crate) fn phase(&self, now: Instant) -> Phase {
        let left = |(in_flight, settled): (u64, u64)| in_flight.saturating_sub(self.tally.total() - settled);
        if let Some(then) = self.draining {
            return Phase::Stopping(left(then));
        }
        if self.pause(now).is_some() {
            return Phase::Paused;
        }
        let still = self.latest.max(self.pauses.last_end()).map(|at| now.saturating_duration_since(at));
        let interval = if self.scope.per_minute > 0.0 { 60.0 / self.scope.per_minute } else { 0.0 };
        let enough = STILL.max(Duration::try_from_secs_f64(interval * STILL_INTERVALS).unwrap_or(STILL));
        match self.finishing {
            _ if still.is_some_and(|still| still > enough) => Phase::Waiting,
            Some(then) => Phase::Finishing(left(then)),
            None => Phase::Sending,
        }
    }

    pub(crate) fn pause(&self, now: Instant) -> Option<PauseLeft<'_>> {
        self.pauses.current(now)
    }

    /// Returns how many records are in doubt now and may still be resolved by this run.
    pub(crate) fn open_doubts(&self) -> u64 {
        self.doubted.saturating_sub(self.recovered + self.tally.get(Status::InDoubt))
    }

    /// Returns the outcomes so far: `118 created, 2 rejected`.
    pub(crate) fn outcomes(&self) -> String {
        let present = Status::IMPORT.into_iter().filter(|status| self.tally.get(*status) > 0);
        present.map(|status| format!("{} {status}", grouped(self.tally.get(status)))).collect::<Vec<_>>().join(", ")
    }

    /// Returns the pace and the time left: `54.8/min, about 70 min left`. Empty until the first
    /// record is settled by a request.
    pub(crate) fn pace(&self, now: Instant) -> String {
        match (self.reached_pace(now), self.left(now)) {
            (Some(pace), Some(left)) if self.sent() > 0 => format!("{pace:.1}/min, about {} left", about(left)),
            _ => String::new(),
        }
    }

    /// Returns the requests per minute so far, without pauses. `None` until one was sent.
    pub(crate) fn reached_pace(&self, now: Instant) -> Option<f64> {
        let pace = per_minute(self.requests, self.active(now)?);
        (pace > 0.0).then_some(pace)
    }

    /// Returns how long the run has been sending, without its pauses.
    fn active(&self, now: Instant) -> Option<Duration> {
        let (since, paused_before) = self.first?;
        let paused = self.pauses.total(now).saturating_sub(paused_before);
        Some(now.saturating_duration_since(since).saturating_sub(paused))
    }

    /// Returns how long the run takes from now on: the rest of the pause, then the open records at
    /// the pace of the settled ones, or at the allowed pace while none is settled. `None` if no
    /// pace is known.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let sent = self.sent();
        let open = self.to_send().saturating_sub(sent);
        let reached = self.active(now).map_or(0.0, |active| per_minute(sent, active));
        let pace = if reached > 0.0 { reached } else { self.scope.per_minute };
        let pause = self.pause(now).map_or(Duration::ZERO, |pause| pause.left);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let work = (pace > 0.0).then(|| Duration::try_from_secs_f64(open as f64 * 60.0 / pace).ok());
        Some(pause + work.flatten()?)
    }

    /// Returns how many records are done, and of how many: of those to be sent if `--limit` ends
    /// the run early, of all records otherwise.
    pub(crate) fn reached(&self) -> (u64, u64) {
        if self.is_limited() { (self.sent(), self.to_send()) } else { (self.tally.total(), self.scope.records) }
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.to_send() < self.scope.to_send
    }

    fn to_send(&self) -> u64 {
        self.scope.limit.map_or(self.scope.to_send, |limit| limit.min(self.scope.to_send))
    }

    /// Returns how many records were settled by sending. All others take no time, so counting them
    /// would make the pace look higher than it is.
    fn sent(&self) -> u64 {
        let without = [Status::Invalid, Status::Duplicate, Status::AlreadyImported, Status::Changed];
        let without: u64 = without.into_iter().map(|status| self.tally.get(status)).sum();
        let known = [Status::Exists, Status::Rejected];
        let known: u64 = known.into_iter().map(|status| self.tally.get(status).min(self.scope.known.get(status))).sum();
        self.tally.total() - without - known
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn per_minute(number: u64, time: Duration) -> f64 {
    let minutes = time.as_secs_f64() / 60.0;
    if minutes > 0.0 { number as f64 / minutes } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    fn settled(status: Status) -> Event {
        Event::Settled { position: Position { row: 1, line: 2 }, status }
    }

    #[test]
    fn known_records_do_not_flatter_the_pace() {
        let start = Instant::now();
        let mut known = Tally::default();
        known.add_many(Status::Exists, 500);
        let mut counts = Counts::new(Scope { records: 1060, to_send: 60, limit: None, known, per_minute: 55.0 });
        for _ in 0..500 {
            counts.on(&settled(Status::AlreadyImported), start);
            counts.on(&settled(Status::Exists), start);
        }
        assert_eq!(counts.pace(start), "");
        for _ in 0..30 {
            counts.on(&Event::Request(Request::Create), start);
            counts.on(&settled(Status::Created), start);
        }
        let after = start + Duration::from_secs(60);
        assert_eq!(counts.pace(after), "30.0/min, about 60 s left");
        assert_eq!(counts.outcomes(), "30 created, 500 exists, 500 already_imported");
        assert_eq!(counts.reached(), (1030, 1060));
    }

    #[test]
    fn b9_a_pause_is_part_of_the_time_left_and_not_of_the_pace() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut counts = Counts::new(Scope { records: 40, to_send: 40, per_minute: 60.0, ..Scope::default() });
        assert_eq!(counts.left(start), Some(Duration::from_secs(40)), "at the allowed pace");
        for _ in 0..20 {
            counts.on(&Event::Request(Request::Create), start);
            counts.on(&settled(Status::Created), start);
        }
        counts.on(&Event::Throttled { pause: Duration::from_secs(54) }, at(20));
        assert_eq!(counts.phase(at(20)), Phase::Paused);
        assert_eq!(counts.left(at(20)), Some(Duration::from_secs(74)));
        assert_eq!(counts.left(at(50)), Some(Duration::from_secs(44)));
        assert_eq!(counts.pace(at(50)), "60.0/min, about 44 s left");
        assert_eq!(counts.phase(at(74)), Phase::Sending, "the next request has not left yet");
        assert_eq!(counts.left(at(74)), Some(Duration::from_secs(20)));
        assert_eq!(counts.phase(at(80)), Phase::Waiting);
    }

    #[test]
    fn an_outage_is_a_pause_that_ends_when_the_api_is_back() {
        let start = Instant::now();
        let mut counts = Counts::new(Scope { records: 2, to_send: 2, ..Scope::default() });
        let trouble = Trouble { cause: "cannot reach x".to_owned(), gives_up_in: Duration::from_secs(600) };
        counts.on(&Event::BreakerOpened { pause: Duration::from_secs(4), trouble: Some(trouble) }, start);
        let PauseReason::Failing(Some(failing)) = counts.pause(start).unwrap().reason else { panic!("no cause") };
        assert_eq!((failing.cause.as_str(), failing.gives_up_at), ("cannot reach x", start + Duration::from_secs(600)));
        counts.on(&Event::BreakerClosed, start + Duration::from_secs(2));
        assert_eq!((counts.pause(start + Duration::from_secs(2)), &counts.trouble), (None, &None));
    }

    #[test]
    fn a_run_that_stops_counts_down_what_it_waits_for_and_doubts_end() {
        let start = Instant::now();
        let mut counts = Counts::new(Scope { records: 9, to_send: 9, ..Scope::default() });
        let position = Position { row: 1, line: 2 };
        for _ in 0..3 {
            counts.on(&Event::Doubted { position }, start);
        }
        counts.on(&Event::Recovered { position }, start);
        assert_eq!(counts.open_doubts(), 2);
        counts.on(&Event::Draining { in_flight: 2 }, start);
        counts.on(&settled(Status::InDoubt), start);
        assert_eq!((counts.phase(start), counts.open_doubts()), (Phase::Stopping(1), 1));
    }

    #[test]
    fn with_a_limit_only_what_it_allows_is_left() {
        let start = Instant::now();
        let scope = Scope { records: 41, to_send: 40, limit: Some(3), ..Scope::default() };
        let mut counts = Counts::new(scope.clone());
        counts.on(&Event::Request(Request::Create), start);
        for status in [Status::Invalid, Status::Created, Status::Rejected] {
            counts.on(&settled(status), start);
        }
        assert_eq!(counts.reached(), (2, 3));
        assert_eq!(counts.pace(start + Duration::from_secs(2)), "30.0/min, about 1.0 s left");
        let counts = Counts::new(Scope { limit: Some(50), ..scope });
        assert_eq!(counts.reached(), (0, 41), "a limit that is not reached changes nothing");
    }
}
