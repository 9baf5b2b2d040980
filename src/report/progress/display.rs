//! Follows the events of a run, shows its progress, and prints at once what a person should know.

use std::time::Instant;

use jiff::Zoned;

use super::bar::Bar;
use super::counts::{Counts, Scope};
use super::lines::LineOutput;
use crate::domain::counted;
use crate::event::{Event, Trouble};
use crate::output;
use crate::redact::masked;
use crate::report::human::about;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Bar,
    /// A line of text at every heartbeat.
    Lines,
    /// A log event at every heartbeat.
    Log,
    Silent,
}

/// The progress of a run on stderr.
#[derive(Debug)]
pub struct Progress {
    counts: Counts,
    view: View,
}

#[derive(Debug)]
enum View {
    Bar(Bar),
    LineOutput(LineOutput),
    Silent,
}

impl Progress {
    /// Starts to show the progress of a run with this scope.
    #[must_use]
    pub fn start(style: Style, scope: Scope) -> Self {
        let counts = Counts::new(scope);
        let view = match style {
            Style::Bar => View::Bar(Bar::start(&counts)),
            Style::Lines => View::LineOutput(LineOutput::Text),
            Style::Log => View::LineOutput(LineOutput::Log),
            Style::Silent => View::Silent,
        };
        Self { counts, view }
    }

    /// Counts an event and shows what changed.
    pub fn on(&mut self, event: &Event, now: Instant) {
        self.counts.on(event, now);
        if let View::Bar(bar) = &self.view {
            // Before the line, so that both appear together.
            bar.show(&self.counts);
        }
        if let Some(line) = notable(event) {
            self.note(&line);
        }
        if let (View::LineOutput(plain), Event::Heartbeat) = (&self.view, event) {
            plain.heartbeat(&self.counts, now);
        }
    }

    /// Removes the bar from the terminal, if there is one.
    pub fn finish(self) {
        drop(self);
    }

    fn note(&self, line: &str) {
        match &self.view {
            View::Bar(_) => output::line(line),
            View::LineOutput(plain) => plain.note(line),
            View::Silent => {}
        }
    }
}

/// Returns the line for an event that deserves one, or `None`. Such events are rare: a pause and an
/// open circuit breaker last at least a second, an underused rate is reported once, and the waits
/// between failed logins grow.
fn notable(event: &Event) -> Option<String> {
    Some(match event {
        Event::Throttled { pause } => format!("the API asked for a pause: {}", about(*pause)),
        Event::RateUnderused { allowed, reached } => format!(
            "sending {reached:.0} of {allowed:.0} allowed requests per minute because responses are slow \
             (a higher --concurrency helps)"
        ),
        Event::Unavailable { pause } => format!("the API is not ready (503) and asked for a pause: {}", about(*pause)),
        Event::Unreachable(trouble) => format!("{}; {}", masked(&trouble.cause), gives_up(trouble)),
        Event::BreakerOpened { pause, trouble: Some(trouble) } => {
            format!("{}; next try in {}, {}", masked(&trouble.cause), about(*pause), gives_up(trouble))
        }
        Event::BreakerOpened { pause, trouble: None } => {
            format!("the API keeps failing; next try in {}", about(*pause))
        }
        Event::BreakerClosed => "the API is back".to_owned(),
        Event::LookupsOff { why } => format!("look-ups disabled for this run: {}", masked(why)),
        Event::TokenRefused => "the API refused the token; requesting another one".to_owned(),
        Event::NoToken { why } => format!("the login failed and will be retried: {}", masked(why)),
        Event::Draining { in_flight: 0 } => return None,
        Event::Draining { in_flight } => {
            format!("stopping; waiting for {} in flight", counted(*in_flight as u64, "record"))
        }
        Event::Finishing { .. }
        | Event::Pace { .. }
        | Event::Settled { .. }
        | Event::Request(_)
        | Event::Response { .. }
        | Event::Doubted { .. }
        | Event::Heartbeat
        | Event::Retry { .. }
        | Event::Recovered { .. } => {
            return None;
        }
    })
}

/// Returns when the run gives up, in local time.
fn gives_up(trouble: &Trouble) -> String {
    let at = Zoned::now().checked_add(trouble.gives_up_in);
    at.map_or_else(|_| "retrying indefinitely".to_owned(), |at| format!("giving up at {}", at.strftime("%H:%M")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Status};

    #[test]
    fn ordinary_records_make_no_noise_and_trouble_does() {
        let quiet = Event::Settled { position: Position { row: 1, line: 2 }, status: Status::Created };
        assert_eq!(notable(&quiet), None);
        let draining = |in_flight| notable(&Event::Draining { in_flight });
        assert_eq!(draining(0), None, "there is nothing to wait for");
        assert_eq!(draining(1).as_deref(), Some("stopping; waiting for 1 record in flight"));
        assert_eq!(draining(3).as_deref(), Some("stopping; waiting for 3 records in flight"));
    }
}
