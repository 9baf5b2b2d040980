//! How many records an input must have, so that an export that broke off is not a good night.

use std::str::FromStr;

use crate::domain::{counted, grouped};

/// `--min-records N|P%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MinRecords {
    Count(u64),
    /// Share of the records of the last completed run of the input.
    Percent(f64),
}

impl MinRecords {
    /// Returns in words that an input has too few records, or `None` if it has enough. `last` is
    /// how many the last completed run read; without one, no share of it is too few.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a file has fewer records than a float has integers")]
    pub fn too_few(self, records: u64, last: Option<u64>) -> Option<String> {
        let found = counted(records, "record");
        match (self, last) {
            (Self::Count(least), _) if records < least => Some(format!("{found}, fewer than {}", grouped(least))),
            (Self::Percent(share), Some(last)) if (records as f64) * 100.0 < share * last as f64 => {
                Some(format!("{found}, fewer than {share}% of the {} of the last completed import", grouped(last)))
            }
            _ => None,
        }
    }
}

impl FromStr for MinRecords {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is neither a number of records above 0 nor a percentage such as 90%");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
                _ => Err(refused()),
            },
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count).ok_or_else(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimum_is_read_as_written_or_refused() {
        assert_eq!("1000".parse(), Ok(MinRecords::Count(1000)));
        assert_eq!("99.5%".parse(), Ok(MinRecords::Percent(99.5)));
        for wrong in ["", "0", "-1", "0%", "101%", "NaN%", "inf%", "1,000", "x"] {
            assert!(wrong.parse::<MinRecords>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn too_few_begins_just_below_the_minimum_and_a_share_needs_a_run_before() {
        let of = |text: &str, records, last| text.parse::<MinRecords>().unwrap().too_few(records, last);
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
