//! Classifies responses to `GET {base}/customer?email=`, and adds up their pages.
//!
//! The server's filter is a substring match in SQL, so the response may list customers whose e-mail
//! only contains the one asked for. This module therefore compares the whole e-mail. A server that
//! does not know the filter returns every customer. Such a response proves nothing, least of all
//! that a customer is absent.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json_borrow::{ObjectAsVec, Value};

use super::body_meaning::receipt;
use super::classify::redirect;
use super::envelope::{Envelope, StatusClaim, text_of};
use super::pause;
use super::response::{Body, Response};
use crate::domain::{Data, EmailKey, FoundCustomer, LookupResult, Matches, Receipt, StopReason, lookalike};

/// How many customers a page should have. The server may return fewer; then its `pagination` says
/// how many pages there are.
pub const PER_PAGE: u32 = 100;

/// The most pages of one look-up. A look-up of a whole e-mail that has more asks the wrong
/// question.
const PAGES_CAP: u32 = 1000;

/// The longest text that can be an e-mail in a response, in bytes.
const EMAIL_CAP: usize = 1000;

/// The result of one page of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageResult {
    Rows {
        /// In a look-up: the customers of this page that match. In a list: all customers of this
        /// page, as exact matches.
        found: Matches,
        extent: Extent,
    },
    /// The page has customers that cannot match, so the server ignored the e-mail.
    FilterIgnored,
    /// The API does not offer look-ups.
    NotOffered {
        http_status: u16,
    },
    Unauthorized,
    Throttled {
        pause: Duration,
    },
    Failed {
        cause: String,
        /// Whether nothing of the API itself answered.
        is_down: bool,
    },
    Stop(StopReason),
}

/// What a page says about itself and about the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many customers the page has.
    pub rows: u64,
    /// The number of the last page. `None` if the response does not say.
    pub last_page: Option<u32>,
    /// How many customers all pages have together. `None` if the response does not say.
    pub total: Option<u64>,
    /// A hash of the customers, to tell pages apart.
    pub print: u64,
}

/// Returns the meaning of one page of a look-up. Pure.
#[must_use]
pub fn page(answer: &Response, email: &str, number: u32) -> PageResult {
    meaning(answer, |envelope| rows(envelope, answer, email, number))
}

/// Returns the meaning of one page of the list of all customers, which all match. Pure.
#[must_use]
pub fn listing(answer: &Response, number: u32) -> PageResult {
    meaning(answer, |envelope| match customers(envelope, number) {
        Ok((rows, extent)) => {
            let exact = rows.iter().filter_map(|row| found(row, answer)).collect();
            PageResult::Rows { found: Matches { exact, lookalike: None }, extent }
        }
        Err(cause) => unusable(cause),
    })
}

fn meaning(answer: &Response, rows: impl FnOnce(&Envelope<'_>) -> PageResult) -> PageResult {
    let envelope = match &answer.body {
        Body::Whole(bytes) => Envelope::read(bytes).ok(),
        Body::Cut | Body::TooLong | Body::Packed => None,
    };
    let claim = envelope.as_ref().map(Envelope::claim);
    let status = match claim {
        Some(StatusClaim::Failure(Some(code))) if (200..=299).contains(&answer.status) => code,
        _ => answer.status,
    };
    match (status, envelope, claim) {
        (401, ..) => PageResult::Unauthorized,
        (429, ..) => PageResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) },
        (403..=405, ..) => PageResult::NotOffered { http_status: status },
        (503, ..) if answer.headers.retry_after.is_some() => {
            PageResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) }
        }
        (300..=399, ..) => PageResult::Stop(StopReason::Configuration(redirect(answer))),
        (200..=299, Some(envelope), Some(StatusClaim::Success | StatusClaim::Silent)) => rows(&envelope),
        (_, envelope, _) => failed(answer, envelope.as_ref()),
    }
}

fn failed(answer: &Response, envelope: Option<&Envelope<'_>>) -> PageResult {
    let reason = envelope.and_then(|envelope| envelope.sentences().into_iter().next());
    let reason = reason.map_or_else(|| "nothing readable".to_owned(), |reason| answer.quote(&reason));
    let is_down = matches!(answer.status, 502..=504 | 520..=529);
    PageResult::Failed { cause: format!("HTTP {}: {reason}", answer.status), is_down }
}

/// The API answered, but not with what the request asked for.
fn unusable(cause: &str) -> PageResult {
    PageResult::Failed { cause: cause.to_owned(), is_down: false }
}

fn rows(envelope: &Envelope<'_>, answer: &Response, email: &str, number: u32) -> PageResult {
    let (rows, extent) = match customers(envelope, number) {
        Ok(page) => page,
        Err(cause) => return unusable(cause),
    };
    // The first page's worth of customers shows whether the server filters. Comparing more could
    // take very long.
    let asked_for = rows.iter().take(PER_PAGE as usize);
    if !asked_for.into_iter().all(|row| row_email(row).is_some_and(|found| is_like(&found, email))) {
        return PageResult::FilterIgnored;
    }
    PageResult::Rows { found: matches(&rows, answer, email), extent }
}

type CustomerRows<'a> = (Vec<&'a ObjectAsVec<'a>>, Extent);

/// Returns the customers of the page, and its extent.
///
/// # Errors
/// If the response is not the requested page of customers, with the reason.
fn customers<'a>(envelope: &'a Envelope<'a>, number: u32) -> Result<CustomerRows<'a>, &'static str> {
    let rows = list(envelope).ok_or("a response without a list of customers")?;
    let rows: Option<Vec<_>> = rows.iter().map(Value::as_object).collect();
    let rows = rows.ok_or("a list of something other than customers")?;
    let pages = Pages::of(envelope);
    if pages.current.is_some_and(|current| current != number) {
        return Err("a different page than requested");
    }
    let is_short = u32::try_from(rows.len()).is_ok_and(|count| count < PER_PAGE);
    let extent = Extent {
        rows: rows.len() as u64,
        last_page: pages.last.or_else(|| is_short.then_some(number)),
        total: pages.total,
        print: print_of(&rows),
    };
    Ok((rows, extent))
}

/// Returns a hash that is equal for equal customers.
fn print_of(rows: &[&ObjectAsVec<'_>]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    rows.iter().for_each(|row| Value::Object((*row).clone()).to_string().hash(&mut hasher));
    hasher.finish()
}

/// Returns the list, from `data` or one level deeper, where paginators put it.
fn list<'a>(envelope: &'a Envelope<'a>) -> Option<&'a [Value<'a>]> {
    match envelope.get("data")? {
        Value::Array(rows) => Some(rows),
        Value::Object(map) => map.get("data")?.as_array(),
        _ => None,
    }
}

/// Returns the matches, at most two exact ones: two are enough to show that a person must look.
fn matches(rows: &[&ObjectAsVec<'_>], answer: &Response, email: &str) -> Matches {
    let (key, form) = (EmailKey::of(email), lookalike(email));
    let of = |row: &&ObjectAsVec<'_>| row_email(row).map(|found| EmailKey::of(&found));
    let exact = rows.iter().filter(|row| of(row).is_some_and(|found| found == key));
    let exact: Vec<_> = exact.filter_map(|row| found(row, answer)).take(2).collect();
    let is_lookalike = |row: &&&ObjectAsVec<'_>| row_email(row).is_some_and(|found| lookalike(&found) == form);
    let similar = if exact.is_empty() { rows.iter().take(PER_PAGE as usize).find(is_lookalike) } else { None };
    Matches { exact, lookalike: similar.and_then(|row| found(row, answer)).map(Box::new) }
}

fn found(row: &ObjectAsVec<'_>, answer: &Response) -> Option<FoundCustomer> {
    let data = Data::of(Some(Value::Object(row.clone()).to_string()));
    let any = |names: [&str; 3]| names.into_iter().find_map(|name| text_of(row, name));
    let receipt = Receipt { data, ..receipt(answer, row).unwrap_or_default() };
    Some(FoundCustomer {
        email: EmailKey::of(&row_email(row)?),
        age: receipt.created_at.as_deref().and_then(|created_at| age(created_at, answer.server_clock())),
        receipt,
        name: any(["customer_name", "full_name", "name"]),
        phone: any(["customer_phone", "phone", "phone_number"]),
    })
}

/// Returns the least time between `created_at` and `now`, or `None` if it is not known. A time
/// without a zone may be in any zone, so it counts as old only if it is old in all of them.
fn age(created_at: &str, now: SystemTime) -> Option<Duration> {
    const FURTHEST_ZONE: SignedDuration = SignedDuration::from_hours(12);
    let text = created_at.trim();
    let created = match text.parse::<Timestamp>() {
        Ok(created) => created,
        Err(_) => {
            let latest = text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp() + FURTHEST_ZONE;
            (latest < Timestamp::try_from(now).ok()?).then_some(latest)?
        }
    };
    Some(Duration::try_from(Timestamp::try_from(now).ok()?.duration_since(created)).unwrap_or_default())
}

fn row_email(row: &ObjectAsVec<'_>) -> Option<String> {
    text_of(row, "customer_email").or_else(|| text_of(row, "email"))
}

/// What a response says about its pages.
struct Pages {
    current: Option<u32>,
    last: Option<u32>,
    total: Option<u64>,
}

impl Pages {
    fn of(envelope: &Envelope<'_>) -> Self {
        let place = ["pagination", "meta", "data"]
            .into_iter()
            .find_map(|name| envelope.get(name).and_then(Value::as_object).filter(|map| map.contains_key("last_page")));
        let text = |name: &str| text_of(place?, name);
        let number = |name: &str| text(name)?.trim().parse().ok();
        Self {
            current: number("current_page"),
            last: number("last_page").map(|last: u32| last.max(1)),
            total: text("total").and_then(|total| total.trim().parse().ok()),
        }
    }
}

/// Returns whether a customer's e-mail can match `LIKE '%asked%'`: `_` stands for any character,
/// `%` for any run of characters, and case and accents do not count.
fn is_like(found: &str, asked: &str) -> bool {
    if found.len() > EMAIL_CAP {
        return false;
    }
    // Folding turns some characters into many.
    let found: Vec<char> = lookalike(found).chars().take(EMAIL_CAP).collect();
    let pattern: Vec<char> = ['%'].into_iter().chain(lookalike(asked).chars()).chain(['%']).collect();
    matches_pattern(&found, &pattern)
}

/// Matches greedily. On a mismatch, goes back to the last `%`.
fn matches_pattern(text: &[char], pattern: &[char]) -> bool {
    let (mut at, mut sign) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    while at < text.len() {
        match (pattern.get(sign), last_run) {
            (Some('%'), _) => {
                last_run = Some((at, sign));
                sign += 1;
            }
            (Some(&wanted), _) if wanted == '_' || wanted == text[at] => (at, sign) = (at + 1, sign + 1),
            (_, Some((from, run))) => {
                last_run = Some((from + 1, run));
                (at, sign) = (from + 1, run + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[sign.min(pattern.len())..].iter().all(|&rest| rest == '%')
}

/// Adds up the pages of one look-up. Every page needs its own request, so the caller asks for a
/// permit before each.
#[derive(Clone, Debug)]
pub struct LookupScan {
    next: u32,
    found: Matches,
    rows: u64,
    /// The hash of the page before. `None` if there was none or it was empty.
    before: Option<u64>,
}

impl LookupScan {
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 1, found: Matches { exact: Vec::new(), lookalike: None }, rows: 0, before: None }
    }

    /// Returns the number of the page to request.
    #[must_use]
    pub const fn next_page(&self) -> u32 {
        self.next
    }

    /// Adds the page that [`Self::next_page`] named. Returns the result of the look-up, or `None`
    /// if the next page is needed.
    pub fn add(&mut self, page: PageResult) -> Option<LookupResult> {
        match page {
            PageResult::Rows { found, extent } => self.add_rows(found, &extent),
            PageResult::FilterIgnored => Some(LookupResult::FilterIgnored),
            PageResult::NotOffered { http_status } => Some(LookupResult::NotOffered { http_status }),
            PageResult::Unauthorized => Some(LookupResult::Unauthorized),
            PageResult::Throttled { pause } => Some(LookupResult::Throttled { pause }),
            PageResult::Failed { cause, .. } => Some(LookupResult::Failed { cause }),
            PageResult::Stop(reason) => Some(LookupResult::Stop(reason)),
        }
    }

    fn add_rows(&mut self, found: Matches, extent: &Extent) -> Option<LookupResult> {
        let failed = |cause: &str| Some(LookupResult::Failed { cause: cause.to_owned() });
        let Some(last) = extent.last_page else {
            return failed("a full page that does not say how many pages there are");
        };
        if extent.rows > 0 && self.before == Some(extent.print) {
            return failed("the same page twice");
        }
        self.before = (extent.rows > 0).then_some(extent.print);
        self.rows += extent.rows;
        self.found.extend(found);
        // Two are enough: a person must look.
        if self.found.exact.len() > 1 {
            return self.ended();
        }
        if self.next < last {
            return self.go_on(extent.rows);
        }
        match extent.total {
            Some(total) if self.rows < total => failed("fewer customers than the response announces"),
            _ => self.ended(),
        }
    }

    fn ended(&mut self) -> Option<LookupResult> {
        Some(LookupResult::Customers(std::mem::take(&mut self.found)))
    }

    fn go_on(&mut self, rows: u64) -> Option<LookupResult> {
        if rows == 0 || self.next >= PAGES_CAP {
            let cause = if rows == 0 { "an empty page before the last one".to_owned() } else { too_many_pages() };
            return Some(LookupResult::Failed { cause });
        }
        self.next += 1;
        None
    }
}

fn too_many_pages() -> String {
    format!("more than {PAGES_CAP} pages")
}

impl Default for LookupScan {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
