//! Formats times and durations for people, and counts of rows that are not records.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{Tally, plural};

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

/// Returns a time in UTC to the second.
pub(super) fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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
