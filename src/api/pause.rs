//! Reads how long a server asks us to wait.

use std::time::{Duration, SystemTime};

use super::headers::ResponseHeaders;

/// The pause after a 429 that does not name one.
pub(super) const UNTOLD: Duration = Duration::from_secs(60);
/// The shortest pause. A shorter one counts as this one, because a window of the server may end in
/// the middle of a second.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause. A longer one is a mistake of the server, and a number that is further from
/// now than this is not a time.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Returns the pause of a 429: `Retry-After`, else `X-RateLimit-Reset`, else one minute.
pub(super) fn throttle(headers: &ResponseHeaders, received: SystemTime) -> Duration {
    retry_after(headers, received).or_else(|| reset(headers, received)).unwrap_or(UNTOLD)
}

/// Returns `Retry-After`: an HTTP date, or a number as [`reset`] reads it. Returns `None` if it is
/// missing or cannot be a pause.
pub(super) fn retry_after(headers: &ResponseHeaders, received: SystemTime) -> Option<Duration> {
    let (text, now) = (headers.retry_after.as_deref()?.trim(), server_clock(headers, received));
    match httpdate::parse_http_date(text) {
        Ok(until) => within_a_day(until.duration_since(now).unwrap_or_default()),
        Err(_) => number(text, now),
    }
}

/// Returns `X-RateLimit-Reset`: the seconds to wait, or a Unix time in seconds or milliseconds. A
/// number within a day of now is a time. Returns `None` if it is missing or cannot be a pause.
pub(super) fn reset(headers: &ResponseHeaders, received: SystemTime) -> Option<Duration> {
    number(headers.rate_limit_reset.as_deref()?.trim(), server_clock(headers, received))
}

fn number(text: &str, now: SystemTime) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| digits)?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let times = [Duration::from_secs(number), Duration::from_millis(number)];
    match times.into_iter().find(|time| time.abs_diff(now) <= DAY) {
        Some(time) => within_a_day(time.saturating_sub(now)),
        None => within_a_day(Duration::from_secs(number)),
    }
}

fn within_a_day(pause: Duration) -> Option<Duration> {
    (pause <= DAY).then(|| pause.max(SHORTEST))
}

/// Returns the server's clock if the response shows it, else ours, which may be hours off.
pub(super) fn server_clock(headers: &ResponseHeaders, received: SystemTime) -> SystemTime {
    headers.date.as_deref().and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Tue, 15 Nov 1994 08:12:31 GMT";

    fn headers(retry_after: &str, reset: &str, date: &str) -> ResponseHeaders {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ResponseHeaders {
            retry_after: some(retry_after),
            rate_limit_reset: some(reset),
            date: some(date),
            ..ResponseHeaders::default()
        }
    }

    #[test]
    fn pauses_are_read_in_every_form_and_what_cannot_be_meant_is_no_header() {
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        for (retry_after, reset, date, expected) in [
            ("7", "", "", Some(7)),
            (" 7 ", "", "", Some(7)),
            ("0", "", "", Some(1)),
            ("7200", "", "", Some(7200)),
            ("86400", "", "", Some(86_400)),
            ("86401", "", "", None),
            ("999999999", "", "", None),
            ("99999999999999999999999", "", "", None),
            ("1.5", "", "", None),
            ("+5", "", "", None),
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
            ("", "99999999999999999999", "", None),
            ("2000000003", "", "", Some(3)),
            ("2000000003000", "", "", Some(3)),
            ("2000086401", "", "", None),
            ("1999999000", "", "", Some(1)),
            ("784887154", "", NOW, Some(3)),
            ("", "2000000003500", "", Some(3)),
            ("", "784887161000", NOW, Some(10)),
            ("999999999", "30", "", Some(30)),
            ("Thu, 18 May 2034 03:33:30 GMT", "", "", None),
            ("", "x", "", None),
            ("5", "2000000030", "", Some(5)),
        ] {
            let pause = throttle(&headers(retry_after, reset, date), received).as_secs();
            assert_eq!(pause, expected.unwrap_or(UNTOLD.as_secs()), "{retry_after} / {reset} / {date}");
        }
    }

    #[test]
    fn a_reset_of_the_window_is_no_retry_after() {
        assert_eq!(retry_after(&headers("", "45", ""), SystemTime::UNIX_EPOCH), None);
    }
}
