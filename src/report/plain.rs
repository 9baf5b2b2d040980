//! A line now and then, where there is no terminal: the sign of life that a log of cron or systemd keeps.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::counts::Counts;

const HEARTBEAT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Plain {
    last: Instant,
}

impl Plain {
    pub(super) fn start(now: Instant) -> Self {
        Self { last: now }
    }

    pub(super) fn show(&mut self, counts: &Counts, now: Instant) {
        if now.saturating_duration_since(self.last) >= HEARTBEAT {
            self.last = now;
            self.note(&heartbeat(counts, now));
        }
    }

    /// Nobody may be listening; the import goes on all the same.
    #[expect(clippy::unused_self, reason = "notes are spoken by whoever shows the progress")]
    pub(super) fn note(&self, line: &str) {
        drop(writeln!(std::io::stderr(), "{line}"));
    }
}

fn heartbeat(counts: &Counts, now: Instant) -> String {
    let parts = [counts.outcomes(), counts.pace(now)];
    let told: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let told = if told.is_empty() { "none settled yet".to_owned() } else { told.join("; ") };
    format!("{} of {} records: {told}", counts.tally.total(), counts.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Status};
    use crate::event::Event;

    #[test]
    fn a_heartbeat_says_how_far_and_how_well() {
        let now = Instant::now();
        let mut counts = Counts::new(4000);
        assert_eq!(heartbeat(&counts, now), "0 of 4000 records: none settled yet");
        counts.on(&Event::Settled { position: Position { row: 1, line: 2 }, status: Status::Created }, now);
        assert_eq!(heartbeat(&counts, now), "1 of 4000 records: 1 created");
    }
}
