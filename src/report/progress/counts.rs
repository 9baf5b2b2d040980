//! Counts what a run has done so far, from its events. Pure.

use std::time::{Duration, Instant};

use crate::domain::{Request, Status, Tally, grouped};
use crate::event::Event;
use crate::report::human::about;

/// The work that a run starts with.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub records: u64,
    pub to_send: u64,
    /// The most records that `--limit` allows to be sent.
    pub limit: Option<u64>,
    /// Records whose outcome the ledger already has. They get it without a request.
    pub known: Tally,
}

#[derive(Debug)]
pub(crate) struct Counts {
    pub tally: Tally,
    pub scope: Scope,
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
    pub token_requests: u64,
    /// When the first request was sent.
    first: Option<Instant>,
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
            first: None,
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
            Event::Unreachable(trouble) | Event::BreakerOpened { trouble: Some(trouble), .. } => {
                self.trouble = Some(trouble.cause.clone());
            }
            Event::BreakerClosed => self.trouble = None,
            Event::Request(request) => {
                self.requests += 1;
                self.token_requests += u64::from(matches!(request, Request::Credentials));
                self.first.get_or_insert(now);
            }
            Event::Throttled { .. } => self.throttled += 1,
            Event::Retry { .. } => self.retries += 1,
            Event::Recovered { .. } => self.recovered += 1,
            _ => {}
        }
    }

    /// Returns the outcomes so far: `118 created, 2 rejected`.
    pub(crate) fn outcomes(&self) -> String {
        let present = Status::IMPORT.into_iter().filter(|status| self.tally.get(*status) > 0);
        present.map(|status| format!("{} {status}", grouped(self.tally.get(status)))).collect::<Vec<_>>().join(", ")
    }

    /// Returns the pace and the time left: `54.8/min, about 70 min left`. Empty until the first
    /// record is settled by a request.
    pub(crate) fn pace(&self, now: Instant) -> String {
        let Some(since) = self.first else { return String::new() };
        let elapsed = now.saturating_duration_since(since);
        match self.left(elapsed) {
            Some(left) => format!("{:.1}/min, about {} left", per_minute(self.requests, elapsed), about(left)),
            None => String::new(),
        }
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

    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let sent = self.sent();
        let open = self.to_send().saturating_sub(sent);
        let pace = per_minute(sent, elapsed);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        (pace > 0.0).then(|| Duration::from_secs_f64(open as f64 * 60.0 / pace))
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
        let mut counts = Counts::new(Scope { records: 1060, to_send: 60, limit: None, known });
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
