//! How many records an input must have (`--min-records`), so that an export that broke off is not a
//! good night.

use crate::domain::{CountOrShare, counted, grouped};

/// Returns in words that an input has too few records, or `None` if it has enough. `last` is how
/// many the last completed run of the input read; without one, no share of it is too few.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a file has fewer records than a float has integers")]
pub fn too_few(minimum: CountOrShare, records: u64, last: Option<u64>) -> Option<String> {
    let found = counted(records, "record");
    match (minimum, last) {
        (CountOrShare::Count(least), _) if records < least => Some(format!("{found}, fewer than {}", grouped(least))),
        (CountOrShare::Percent(share), Some(last)) if (records as f64) * 100.0 < share * last as f64 => {
            Some(format!("{found}, fewer than {share}% of the {} of the last completed import", grouped(last)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_begins_just_below_the_minimum_and_a_share_needs_a_run_before() {
        let of = |text: &str, records, last| too_few(text.parse().unwrap(), records, last);
        assert_eq!(of("1000", 1000, None), None);
        assert_eq!(of("1000", 999, Some(5)).as_deref(), Some("999 records, fewer than 1,000"));
        assert_eq!(of("90%", 0, None), None, "the first run has nothing to compare with");
        assert_eq!(of("90%", 0, Some(0)), None);
        assert_eq!((of("90%", 900, Some(1000)), of("100%", 1001, Some(1000))), (None, None));
        let words = "899 records, fewer than 90% of the 1,000 of the last completed import";
        assert_eq!(of("90%", 899, Some(1000)).as_deref(), Some(words));
        assert_eq!(of("33.3%", 333, Some(1000)), None);
    }
}
