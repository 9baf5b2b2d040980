//! The events of a run as log lines.

use crate::domain::StopWords;
use crate::event::Event;
use crate::output::MACHINE_TARGET;
use crate::redact::masked;

/// Logs what `-v` adds about one event. Names rows and not people: e-mails in the server's words
/// are masked.
pub fn log_event(event: &Event) {
    match event {
        Event::Retry { position, attempt, why } => {
            tracing::debug!(row = position.row, attempt, why = masked(why), "once more");
        }
        Event::Settled { position, status } => tracing::debug!(row = position.row, %status, "settled"),
        Event::Recovered { position } => tracing::debug!(row = position.row, "a doubt was resolved"),
        Event::Pace { per_minute } => tracing::debug!(per_minute, "the pace follows what the server announces"),
        Event::TokenRefused => tracing::debug!("the token was refused"),
        Event::NoToken { why } => tracing::debug!(why = masked(why), "a login failed"),
        Event::Unreachable(trouble) => tracing::debug!(why = masked(&trouble.cause), "no connection"),
        Event::Request(_)
        | Event::Response { .. }
        | Event::Doubted { .. }
        | Event::Throttled { .. }
        | Event::Unavailable { .. }
        | Event::RateUnderused { .. }
        | Event::BreakerOpened { .. }
        | Event::BreakerClosed
        | Event::LookupsOff { .. }
        | Event::Heartbeat
        | Event::Draining { .. }
        | Event::Finishing { .. } => {}
    }
}

/// Logs the end of a run for programs, because the summary tells it to people.
pub fn log_end(exit_code: u8, stopped: Option<&StopWords>) {
    let hint = stopped.and_then(|words| words.advice.as_deref());
    let stopped = stopped.map(|words| masked(&words.why));
    match exit_code {
        0 => tracing::info!(target: MACHINE_TARGET, exit_code, stopped, hint, "the run ended"),
        _ => tracing::error!(target: MACHINE_TARGET, exit_code, stopped, hint, "the run ended"),
    }
}
