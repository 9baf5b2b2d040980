//! A number of records, or a share of them: `N|P%`.

use std::str::FromStr;

/// A number of records above zero, or a percentage of some records. What the records are, and how
/// a share is rounded, depends on the option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CountOrShare {
    Count(u64),
    Percent(f64),
}

impl FromStr for CountOrShare {
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
    fn a_count_or_a_share_is_read_as_written_or_refused() {
        assert_eq!("1000".parse(), Ok(CountOrShare::Count(1000)));
        assert_eq!("99.5%".parse(), Ok(CountOrShare::Percent(99.5)));
        assert_eq!("100 %".parse(), Ok(CountOrShare::Percent(100.0)));
        for wrong in ["", "0", "-1", "0%", "101%", "NaN%", "inf%", "1,000", "x"] {
            assert!(wrong.parse::<CountOrShare>().is_err(), "{wrong}");
        }
    }
}
