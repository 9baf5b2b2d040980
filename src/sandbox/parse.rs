//! Parsing that settings and faults share.

use std::time::Duration;

/// A setting that could not be parsed. The text says what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

/// Parses a duration such as `300ms`, `90s`, `10m` or `1h30m`.
///
/// # Errors
/// If the text is not a duration, or the duration is negative.
pub fn parse_duration(text: &str) -> Result<Duration, ConfigError> {
    let signed: Option<jiff::SignedDuration> = text.trim().parse().ok();
    signed
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| ConfigError(format!("unknown duration '{text}', expected one like 300ms, 90s, 10m or 24h")))
}
