//! Prints progress as lines if stderr is not a terminal, so that the log of cron or systemd has it:
//! as text for people, or as log events for programs.

use std::time::Instant;

use super::counts::Counts;
use super::pause::{Pause, PauseReason};
use crate::domain::{counted, grouped};
use crate::output;
use crate::redact::masked;
use crate::report::human::about;

#[derive(Clone, Copy, Debug)]
pub(crate) enum LineOutput {
    Text,
    Log,
}

impl LineOutput {
    pub(crate) fn heartbeat(self, counts: &Counts, now: Instant) {
        let line = heartbeat(counts, now);
        match self {
            Self::Text => self.note(&line),
            Self::Log => tracing::info!(settled = counts.tally.total(), records = counts.scope.records, "{line}"),
        }
    }

    pub(crate) fn note(self, line: &str) {
        match self {
            Self::Text => output::line(line),
            Self::Log => tracing::info!("{line}"),
        }
    }
}

fn heartbeat(counts: &Counts, now: Instant) -> String {
    let trouble = counts.trouble.as_deref().map(masked).unwrap_or_default();
    let parts = [counts.outcomes(), pause(counts, now), counts.pace(now), trouble];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let state = if parts.is_empty() { "none settled yet".to_owned() } else { parts.join("; ") };
    let (done, all) = counts.reached();
    let what = if counts.is_limited() { " to send (--limit)" } else { "" };
    format!("{} of {}{what}: {state}", grouped(done), counted(all, "record"))
}

/// Returns how long the run is still paused, and why. Empty if it is not, and for an outage, whose
/// cause is said anyway.
fn pause(counts: &Counts, now: Instant) -> String {
    let because = |status: u16, left| format!("paused for {} because the server answered {status}", about(left));
    match counts.pause(now) {
        Some(Pause { left, reason: PauseReason::Throttled }) => because(429, left),
        Some(Pause { left, reason: PauseReason::Unavailable }) => because(503, left),
        Some(Pause { reason: PauseReason::Failing(_), .. }) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Status};
    use crate::event::{Event, Trouble};
    use crate::report::progress::counts::Scope;
    use std::time::Duration;

    #[test]
    fn a_heartbeat_says_how_far_and_how_well() {
        let now = Instant::now();
        let scope = Scope { records: 4000, to_send: 4000, ..Scope::default() };
        let mut counts = Counts::new(scope.clone());
        assert_eq!(heartbeat(&counts, now), "0 of 4,000 records: none settled yet");
        counts.on(&Event::Settled { position: Position { row: 1, line: 2 }, status: Status::Created }, now);
        assert_eq!(heartbeat(&counts, now), "1 of 4,000 records: 1 created");
        let cause = "cannot reach api.example.com (connection refused)".to_owned();
        let trouble = Trouble { cause, gives_up_in: Duration::from_secs(60) };
        counts.on(&Event::Unreachable(trouble), now);
        let expected = "1 of 4,000 records: 1 created; cannot reach api.example.com (connection refused)";
        assert_eq!(heartbeat(&counts, now), expected);
        counts.on(&Event::BreakerClosed, now);
        assert_eq!(heartbeat(&counts, now), "1 of 4,000 records: 1 created");
        counts.on(&Event::Throttled { pause: Duration::from_secs(54) }, now);
        let expected = "1 of 4,000 records: 1 created; paused for 54 s because the server answered 429";
        assert_eq!(heartbeat(&counts, now), expected);
        let counts = Counts::new(Scope { limit: Some(3), ..scope });
        assert_eq!(heartbeat(&counts, now), "0 of 3 records to send (--limit): none settled yet");
    }
}
