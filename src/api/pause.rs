//! For how long a server asks us to wait.

use std::time::{Duration, SystemTime};

use super::AnswerHeaders;

/// How long everything waits after a 429 that does not say.
pub(super) const UNTOLD: Duration = Duration::from_secs(60);
/// The shortest and the longest pause that a header can ask for.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// A reset below this is a number of seconds, not a time since 1970.
const EARLIEST_TIME: u64 = 100_000_000;

/// `Retry-After`, else `X-RateLimit-Reset`, within 1 s and 1 h; a minute where neither says anything readable.
pub(super) fn throttle(headers: &AnswerHeaders, received: SystemTime) -> Duration {
    retry_after(headers, received).or_else(|| reset(headers, received)).unwrap_or(UNTOLD)
}

/// `Retry-After`, in seconds or as an HTTP date, within 1 s and 1 h.
pub(super) fn retry_after(headers: &AnswerHeaders, received: SystemTime) -> Option<Duration> {
    let text = headers.retry_after.as_deref()?.trim();
    let pause = seconds(text).map(Duration::from_secs).or_else(|| {
        let until = httpdate::parse_http_date(text).ok()?;
        Some(until.duration_since(server_clock(headers, received)).unwrap_or_default())
    })?;
    Some(clamp(pause))
}

/// `X-RateLimit-Reset`, as seconds to wait or as seconds since 1970, within 1 s and 1 h.
pub(super) fn reset(headers: &AnswerHeaders, received: SystemTime) -> Option<Duration> {
    let value = seconds(headers.rate_limit_reset.as_deref()?.trim())?;
    if value < EARLIEST_TIME {
        return Some(clamp(Duration::from_secs(value)));
    }
    let now = server_clock(headers, received).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(clamp(Duration::from_secs(value.saturating_sub(now.as_secs()))))
}

/// The server's own clock, where the answer shows it: ours may differ by hours.
fn server_clock(headers: &AnswerHeaders, received: SystemTime) -> SystemTime {
    headers.date.as_deref().and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(received)
}

/// A whole number; one too large for the type is still a number.
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn clamp(pause: Duration) -> Duration {
    pause.clamp(BOUNDS.0, BOUNDS.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Tue, 15 Nov 1994 08:12:31 GMT";

    fn headers(retry_after: &str, reset: &str, date: &str) -> AnswerHeaders {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AnswerHeaders {
            retry_after: some(retry_after),
            rate_limit_reset: some(reset),
            date: some(date),
            ..AnswerHeaders::default()
        }
    }

    #[test]
    fn pauses_are_read_in_every_form_and_kept_within_bounds() {
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        for (retry_after, reset, date, expected) in [
            ("7", "", "", Some(7)),
            (" 7 ", "", "", Some(7)),
            ("0", "", "", Some(1)),
            ("999999999", "", "", Some(3600)),
            ("99999999999999999999999", "", "", Some(3600)),
            ("-5", "", "", None),
            ("soon", "", "", None),
            ("", "", "", None),
            ("Tue, 15 Nov 1994 08:12:41 GMT", "", NOW, Some(10)),
            ("Tue, 15 Nov 1994 08:00:00 GMT", "", NOW, Some(1)),
            ("Wed, 18 May 2033 03:33:30 GMT", "", "", Some(10)),
            ("Wed, 18 May 2033 03:33:30 GMT", "", "junk", Some(10)),
            ("soon", "2000000030", "", Some(30)),
            ("", "2000000030", "", Some(30)),
            ("", "1999999999", "", Some(1)),
            ("", "784887161", NOW, Some(10)),
            ("", "45", "", Some(45)),
            ("", "99999999999999999999", "", Some(3600)),
            ("", "x", "", None),
            ("5", "2000000030", "", Some(5)),
        ] {
            let pause = throttle(&headers(retry_after, reset, date), received);
            assert_eq!(pause, expected.map_or(UNTOLD, Duration::from_secs), "{retry_after} / {reset} / {date}");
        }
    }

    #[test]
    fn a_reset_of_the_window_is_no_retry_after() {
        assert_eq!(retry_after(&headers("", "45", ""), SystemTime::UNIX_EPOCH), None);
    }
}
