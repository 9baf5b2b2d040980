//! Detects that far fewer requests are sent than the pace allows. If only slow responses hold them
//! back, a higher concurrency would help.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::Event;

/// How long requests are counted before a verdict.
const COUNTED: Duration = Duration::from_secs(60);
/// After such a pause there was nothing to send, or something else held requests back.
const LULL: Duration = Duration::from_secs(5);

/// Counts requests since a moment.
#[derive(Debug)]
pub(crate) struct Utilization {
    since: Instant,
    last: Instant,
    requests: u32,
    is_reported: bool,
}

impl Utilization {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, last: now, requests: 0, is_reported: false }
    }

    /// Starts to count again, because something else held the requests back.
    pub(crate) const fn begin_anew(&mut self, now: Instant) {
        (self.since, self.last, self.requests) = (now, now, 0);
    }

    /// Records that a request is sent. Returns an event, once per run, if fewer than half of the
    /// allowed requests were sent.
    pub(crate) fn leaves(&mut self, interval: Duration, now: Instant) -> Option<Event> {
        if now - self.last > LULL.max(interval * 2) {
            self.begin_anew(now);
        }
        (self.last, self.requests) = (now, self.requests + 1);
        let counted = now - self.since;
        if self.is_reported || counted < COUNTED {
            return None;
        }
        let allowed = per_minute(counted.div_duration_f64(interval), counted);
        let reached = per_minute(f64::from(self.requests), counted);
        self.begin_anew(now);
        self.is_reported = reached < allowed / 2.0;
        self.is_reported.then_some(Event::RateUnderused { allowed, reached })
    }
}

fn per_minute(requests: f64, time: Duration) -> f64 {
    requests * COUNTED.div_duration_f64(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(10);

    /// Returns the events while so many requests are sent, one after each wait.
    fn told(utilization: &mut Utilization, now: &mut Instant, wait: Duration, requests: u32) -> Vec<Event> {
        let leave = |_| {
            *now += wait;
            utilization.leaves(INTERVAL, *now)
        };
        (0..requests).filter_map(leave).collect()
    }

    #[test]
    fn a_pace_that_is_not_half_reached_for_a_minute_is_reported_once() {
        let mut now = Instant::now();
        let mut utilization = Utilization::new(now);
        let told = told(&mut utilization, &mut now, Duration::from_millis(30), 10_000);
        assert!(
            matches!(told[..], [Event::RateUnderused { allowed, reached }] if allowed > 5_990.0 && reached < 2_010.0)
        );
    }

    #[test]
    fn a_pace_that_is_nearly_reached_and_silences_are_nothing_to_tell() {
        let mut now = Instant::now();
        let mut utilization = Utilization::new(now);
        assert!(told(&mut utilization, &mut now, Duration::from_millis(15), 10_000).is_empty());
        for _ in 0..5 {
            now += Duration::from_secs(40);
            assert!(told(&mut utilization, &mut now, INTERVAL, 2_000).is_empty());
        }
    }
}
