//! The response headers that matter.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};

const RATE_LIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The response headers that matter, as received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    pub retry_after: Option<String>,
    pub rate_limit_limit: Option<String>,
    pub rate_limit_remaining: Option<String>,
    pub rate_limit_reset: Option<String>,
    pub content_type: Option<String>,
    pub date: Option<String>,
    /// The host of a redirect, without its path or query, because those may hold personal data.
    pub location_host: Option<String>,
}

/// What a response says about the account's rate limit. It holds only values that could be read as
/// numbers; none of them need be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// `X-RateLimit-Limit`: requests per minute, of all users of the account.
    pub limit: Option<NonZeroU32>,
    /// `X-RateLimit-Remaining`: how many of these requests are left.
    pub remaining: Option<u32>,
    /// `X-RateLimit-Reset`: the time until the limit is renewed.
    pub reset: Option<Duration>,
}

impl ResponseHeaders {
    pub(super) fn of(headers: &HeaderMap, asked: &url::Url) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = text(LOCATION).and_then(|location| asked.join(&location).ok());
        Self {
            retry_after: text(RETRY_AFTER),
            rate_limit_limit: text(RATE_LIMIT_LIMIT),
            rate_limit_remaining: text(RATE_LIMIT_REMAINING),
            rate_limit_reset: text(RATE_LIMIT_RESET),
            content_type: text(CONTENT_TYPE),
            date: text(DATE),
            location_host: location.and_then(|url| url.host_str().map(str::to_owned)),
        }
    }
}

/// Returns a header as a number, or `None` if it is not one.
pub(super) fn number<N: FromStr>(header: Option<&str>) -> Option<N> {
    header?.trim().parse().ok()
}
