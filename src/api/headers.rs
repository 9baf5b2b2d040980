//! The headers of a response that matter.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};

/// The headers that matter, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    pub retry_after: Option<String>,
    pub rate_limit_limit: Option<String>,
    pub rate_limit_remaining: Option<String>,
    pub rate_limit_reset: Option<String>,
    pub content_type: Option<String>,
    pub date: Option<String>,
    /// The host that a redirect points to; never its path or query, which may hold people's data.
    pub location_host: Option<String>,
}

/// What an answer says of the account's limit. Only what can be read as a number is in it, and
/// nothing of it need be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// `X-RateLimit-Limit`: requests a minute, of all who use the account.
    pub limit: Option<NonZeroU32>,
    /// `X-RateLimit-Remaining`: how many of them are left.
    pub remaining: Option<u32>,
    /// `X-RateLimit-Reset`: when there will be as many again.
    pub reset: Option<Duration>,
}

impl ResponseHeaders {
    pub(super) fn of(headers: &HeaderMap, asked: &url::Url) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = text(LOCATION.as_str()).and_then(|location| asked.join(&location).ok());
        Self {
            retry_after: text(RETRY_AFTER.as_str()),
            rate_limit_limit: text("x-ratelimit-limit"),
            rate_limit_remaining: text("x-ratelimit-remaining"),
            rate_limit_reset: text("x-ratelimit-reset"),
            content_type: text(CONTENT_TYPE.as_str()),
            date: text(DATE.as_str()),
            location_host: location.and_then(|url| url.host_str().map(str::to_owned)),
        }
    }
}

/// Returns a header as a number, or `None` if it is not one.
pub(super) fn number<N: FromStr>(header: Option<&str>) -> Option<N> {
    header?.trim().parse().ok()
}
