//! Parses `--rate`: how many requests may be sent in which time.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use super::adaptive_quota::AdaptiveQuota;

/// The value of `--rate`.
///
/// ```
/// use customer_import::delivery::Rate;
///
/// let rate: Rate = "5/s".parse()?;
/// assert_eq!(rate.per_minute(), 300.0);
/// assert_eq!("auto".parse::<Rate>()?, Rate::Auto);
/// assert!("5/d".parse::<Rate>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// 55/60 of what the server announces, minus what others use of it; 55 per minute until it
    /// announces a limit.
    Auto,
    /// Exactly this many requests in this time, whatever the server announces.
    Exact { requests: NonZeroU32, per: Duration },
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// Share of an interval that is added to each one. Requests arrive with the jitter of the network,
/// and without this addition a window of the server could see one too many.
pub(super) const SLACK: f64 = 0.002;

impl Rate {
    /// Returns the pace that a plan can assume, in requests per minute.
    #[must_use]
    pub fn per_minute(self) -> f64 {
        self.under(&AdaptiveQuota::new(Instant::now()))
    }

    /// Returns the pace under a quota, in requests per minute.
    pub(super) fn under(self, quota: &AdaptiveQuota) -> f64 {
        match self {
            Self::Exact { requests, per } => MINUTE.div_duration_f64(per) * f64::from(requests.get()),
            Self::Auto => quota.per_minute(),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let refused = || format!("{text:?} is neither `auto` nor a rate such as 5/s, 55/m or 1000/h");
        let (requests, unit) = text.split_once('/').ok_or_else(refused)?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => MINUTE,
            "h" => MINUTE * 60,
            _ => return Err(refused()),
        };
        let requests = requests.trim().parse().map_err(|_| refused())?;
        Ok(Self::Exact { requests, per })
    }
}

/// Returns the time between two requests: at most an hour.
pub(super) fn interval(per_minute: f64) -> Duration {
    MINUTE.div_f64(per_minute.max(1.0 / 60.0)).mul_f64(1.0 + SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_written_or_refused() {
        for (text, per_minute) in [("5/s", 300.0), ("55/m", 55.0), ("120/h", 2.0), ("auto", 55.0)] {
            let rate: Rate = text.parse().unwrap();
            assert!((rate.per_minute() - per_minute).abs() < 1e-6, "{text}");
        }
        for wrong in ["", "5", "0/s", "-1/s", "5/d", "x/m", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
