//! Formats times and durations for people, and counts of rows that are not records.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{Status, Tally, plural};
use crate::style::Tone;

/// Returns a duration with about two digits, because it is an estimate: `0.3 s`, `40 s`, `12 min`,
/// `28 h`, `3 days`.
#[must_use]
pub fn about(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        s if s < 9.95 => return format!("{s:.1} s"),
        s if s < 100.0 => (s, "s"),
        s if s < 100.0 * 60.0 => (s / 60.0, "min"),
        s if s < 72.0 * 3600.0 => (s / 3600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{value:.0} {unit}")
}

/// Returns what `write` writes.
pub(super) fn written(write: impl FnOnce(&mut String) -> std::fmt::Result) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut text);
    text
}

/// Returns a time in UTC to the second.
pub(super) fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a duration that counts down, in whole units: `54 s`, `1 min 20 s`, `12 min`,
/// `2 h 10 min`, `3 days`.
#[must_use]
pub(super) fn countdown(time: Duration) -> String {
    let seconds = u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..600 => format!("{minutes} min {} s", seconds % 60),
        600..3600 => format!("{minutes} min"),
        3600..259_200 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} days", hours / 24),
    }
}

/// Returns the tone of an outcome for the person who reads it.
pub(super) const fn tone(status: Status) -> Tone {
    match status {
        Status::Created | Status::Valid => Tone::Good,
        Status::Exists | Status::AlreadyImported | Status::Duplicate => Tone::Known,
        Status::Invalid | Status::Rejected | Status::Failed => Tone::Bad,
        Status::InDoubt | Status::Changed | Status::NotAttempted => Tone::Open,
    }
}

/// Returns how many rows of each kind deserve a word, with that word, for the kinds that occur:
/// rows that are not records, and hidden ones that are.
pub(super) fn skipped(tally: &Tally) -> impl Iterator<Item = (u64, String)> {
    let skipped = tally.skipped();
    let kinds = [
        (skipped.blank_rows, format!("{} skipped", plural(skipped.blank_rows, "blank row"))),
        (skipped.repeated_headers, format!("{} skipped", plural(skipped.repeated_headers, "repeated header"))),
        (skipped.not_selected, format!("{} not selected (--where)", plural(skipped.not_selected, "row"))),
        (skipped.hidden_rows, "of them in hidden rows of the sheet (read like all others)".to_owned()),
    ];
    kinds.into_iter().filter(|(number, _)| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_shows_seconds_while_they_matter() {
        for (millis, words) in [
            (0, "0 s"),
            (53_001, "54 s"),
            (59_001, "1 min 0 s"),
            (80_000, "1 min 20 s"),
            (599_000, "9 min 59 s"),
            (725_000, "12 min"),
            (7_800_000, "2 h 10 min"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(countdown(Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn times_are_told_in_the_unit_one_would_use() {
        for (seconds, words) in [
            (0, "0.0 s"),
            (40, "40 s"),
            (99, "99 s"),
            (100, "2 min"),
            (5990, "100 min"),
            (6000, "2 h"),
            (100_800, "28 h"),
            (864_000, "10 days"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), words);
        }
    }
}
