//! What a run has done so far, folded from its events. Pure.

use std::time::{Duration, Instant};

use super::human::about;
use crate::domain::{Status, Tally};
use crate::event::{Event, Request};

#[derive(Debug)]
pub(super) struct Counts {
    pub tally: Tally,
    pub total: u64,
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
    pub token_requests: u64,
    /// When the first request left, and how many records were settled then: known ones take no time and must not flatter the pace.
    first: Option<(Instant, u64)>,
}

impl Counts {
    pub(super) fn new(total: u64) -> Self {
        Self {
            tally: Tally::default(),
            total,
            requests: 0,
            throttled: 0,
            retries: 0,
            recovered: 0,
            token_requests: 0,
            first: None,
        }
    }

    pub(super) fn on(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Settled { status, .. } => self.tally.add(*status),
            Event::Request(request) => {
                self.requests += 1;
                self.token_requests += u64::from(matches!(request, Request::Credentials));
                self.first.get_or_insert((now, self.tally.total()));
            }
            Event::Throttled { .. } => self.throttled += 1,
            Event::Retry { .. } => self.retries += 1,
            Event::Recovered { .. } => self.recovered += 1,
            _ => {}
        }
    }

    /// `118 created, 2 rejected`
    pub(super) fn outcomes(&self) -> String {
        let told = Status::IMPORT.into_iter().filter(|status| self.tally.get(*status) > 0);
        told.map(|status| format!("{} {status}", self.tally.get(status))).collect::<Vec<_>>().join(", ")
    }

    /// `54.8/min, about 70 min left`; empty before there is anything to tell.
    pub(super) fn pace(&self, now: Instant) -> String {
        let Some((since, settled_before)) = self.first else { return String::new() };
        let elapsed = now.saturating_duration_since(since);
        let settled = self.tally.total() - settled_before;
        match self.left(settled, elapsed) {
            Some(left) => format!("{:.1}/min, about {} left", per_minute(self.requests, elapsed), about(left)),
            None => String::new(),
        }
    }

    fn left(&self, settled: u64, elapsed: Duration) -> Option<Duration> {
        let open = self.total.saturating_sub(self.tally.total());
        let pace = per_minute(settled, elapsed);
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
    use crate::event::Request;

    #[test]
    fn known_records_do_not_flatter_the_pace() {
        let start = Instant::now();
        let mut counts = Counts::new(1060);
        let settled = |status| Event::Settled { position: Position { row: 1, line: 2 }, status };
        for _ in 0..1000 {
            counts.on(&settled(Status::AlreadyImported), start);
        }
        assert_eq!(counts.pace(start), "");
        for _ in 0..30 {
            counts.on(&Event::Request(Request::Create), start);
            counts.on(&settled(Status::Created), start);
        }
        let after = start + Duration::from_secs(60);
        assert_eq!(counts.pace(after), "30.0/min, about 60 s left");
        assert_eq!(counts.outcomes(), "30 created, 1000 already_imported");
    }
}
