//! Formats durations and counts for people.

use std::time::Duration;

use crate::domain::Tally;

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

/// Returns a count with its noun: `1 record`, `2 records`.
pub fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Returns how many rows of each kind are not records, with words, for the kinds that occur.
pub(super) fn skipped(tally: &Tally) -> impl Iterator<Item = (u64, &'static str)> {
    let skipped = tally.skipped();
    let kinds = [
        (skipped.blank_rows, "blank rows skipped"),
        (skipped.repeated_headers, "repeated headers skipped"),
        (skipped.not_selected, "rows not selected (--where)"),
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
