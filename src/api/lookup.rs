//! What an answer to `GET {base}/customer?email=` means, and how its pages add up.
//!
//! The server's filter is a substring match in SQL, so rows that only look like the e-mail are expected, and the whole e-mail is compared
//! here. A server that does not know the filter returns everybody: such an answer proves nothing, least of all that somebody is absent.

use std::time::Duration;

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::classify::redirect;
use super::envelope::{Claim, Envelope, text_of};
use super::said::receipt;
use super::{Answer, Body, pause, words};
use crate::domain::{EmailKey, FoundCustomer, LookupResult, Receipt, StopReason};

/// How many rows a page is asked to have. The server may give fewer; its `pagination` says how many pages there are then.
pub const PER_PAGE: u32 = 100;

/// A look-up by a whole e-mail that has more pages than this asks the wrong question.
const PAGES_CAP: u32 = 1000;

/// A longer e-mail in an answer is none.
const EMAIL_CAP: usize = 1000;

/// What one page of a look-up brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageResult {
    Rows {
        /// The customers of this page whose whole e-mail key is the one asked for.
        found: Vec<FoundCustomer>,
        /// The number of the last page; `None` where the answer does not tell.
        last_page: Option<u32>,
    },
    FilterIgnored,
    NotOffered {
        http_status: u16,
    },
    Unauthorized,
    Throttled {
        pause: Duration,
    },
    Failed {
        cause: String,
    },
    Stop(StopReason),
}

/// The meaning of one page of a look-up. Pure.
#[must_use]
pub fn page(answer: &Answer, email: &str, number: u32) -> PageResult {
    meaning(answer, |envelope| rows(envelope, email, number))
}

/// The meaning of one page of the list of all customers: every row counts. Pure.
#[must_use]
pub fn listing(answer: &Answer, number: u32) -> PageResult {
    meaning(answer, |envelope| match customers(envelope, number) {
        Ok((rows, last_page)) => {
            PageResult::Rows { found: rows.iter().filter_map(|row| found(row)).collect(), last_page }
        }
        Err(cause) => PageResult::Failed { cause: cause.to_owned() },
    })
}

fn meaning(answer: &Answer, rows: impl FnOnce(&Envelope<'_>) -> PageResult) -> PageResult {
    let envelope = match &answer.body {
        Body::Whole(bytes) => Envelope::read(bytes).ok(),
        Body::Cut | Body::TooLong => None,
    };
    let claim = envelope.as_ref().map(Envelope::claim);
    let status = match claim {
        Some(Claim::Failure(Some(code))) if (200..=299).contains(&answer.status) => code,
        _ => answer.status,
    };
    match (status, envelope, claim) {
        (401, ..) => PageResult::Unauthorized,
        (429, ..) => PageResult::Throttled { pause: pause::throttle(&answer.headers, answer.received) },
        (403..=405, ..) => PageResult::NotOffered { http_status: status },
        (300..=399, ..) => PageResult::Stop(StopReason::Configuration(redirect(answer))),
        (200..=299, Some(envelope), Some(Claim::Success | Claim::Silent)) => rows(&envelope),
        (_, envelope, _) => failed(answer, envelope.as_ref()),
    }
}

fn failed(answer: &Answer, envelope: Option<&Envelope<'_>>) -> PageResult {
    let reason = envelope.and_then(|envelope| envelope.sentences().into_iter().next());
    let reason = reason.map_or_else(|| "nothing readable".to_owned(), |reason| words::quote(&reason));
    PageResult::Failed { cause: format!("HTTP {}: {reason}", answer.status) }
}

fn rows(envelope: &Envelope<'_>, email: &str, number: u32) -> PageResult {
    let (rows, last_page) = match customers(envelope, number) {
        Ok(page) => page,
        Err(cause) => return PageResult::Failed { cause: cause.to_owned() },
    };
    if !rows.iter().all(|row| row_email(row).is_some_and(|found| is_like(&found, email))) {
        return PageResult::FilterIgnored;
    }
    PageResult::Rows { found: matches(&rows, email), last_page }
}

type CustomerRows<'a> = (Vec<&'a Map<String, Value>>, Option<u32>);

/// The rows of the page that was asked for, and the number of the last page where that can be told.
fn customers<'a>(envelope: &'a Envelope<'_>, number: u32) -> Result<CustomerRows<'a>, &'static str> {
    let rows = list(envelope).ok_or("an answer without a list of customers")?;
    let rows: Option<Vec<_>> = rows.iter().map(Value::as_object).collect();
    let rows = rows.ok_or("a list of something else than customers")?;
    let pages = Pages::of(envelope);
    if pages.current.is_some_and(|current| current != number) {
        return Err("another page than the one asked for");
    }
    let is_short = u32::try_from(rows.len()).is_ok_and(|count| count < PER_PAGE);
    Ok((rows, pages.last.or_else(|| is_short.then_some(number))))
}

/// The rows, in `data` or, as paginators do it, one level deeper.
fn list<'a>(envelope: &'a Envelope<'_>) -> Option<&'a Vec<Value>> {
    match envelope.get("data")? {
        Value::Array(rows) => Some(rows),
        Value::Object(map) => map.get("data")?.as_array(),
        _ => None,
    }
}

fn matches(rows: &[&Map<String, Value>], email: &str) -> Vec<FoundCustomer> {
    let key = EmailKey::of(email);
    rows.iter().filter_map(|row| found(row)).filter(|customer| customer.email == key).collect()
}

fn found(row: &Map<String, Value>) -> Option<FoundCustomer> {
    let data = Some(Value::Object(row.clone()).to_string());
    let any = |names: [&str; 3]| names.into_iter().find_map(|name| text_of(row, name));
    Some(FoundCustomer {
        email: EmailKey::of(&row_email(row)?),
        receipt: Receipt { data, ..receipt(row).unwrap_or_default() },
        name: any(["customer_name", "full_name", "name"]),
        phone: any(["customer_phone", "phone", "phone_number"]),
    })
}

fn row_email(row: &Map<String, Value>) -> Option<String> {
    text_of(row, "customer_email").or_else(|| text_of(row, "email"))
}

/// What an answer says of its pages.
struct Pages {
    current: Option<u32>,
    last: Option<u32>,
}

impl Pages {
    fn of(envelope: &Envelope<'_>) -> Self {
        let place = ["pagination", "meta", "data"]
            .into_iter()
            .find_map(|name| envelope.get(name).and_then(Value::as_object).filter(|map| map.contains_key("last_page")));
        let number = |name: &str| text_of(place?, name)?.trim().parse().ok();
        Self { current: number("current_page"), last: number("last_page").map(|last: u32| last.max(1)) }
    }
}

/// Whether a row can come from `LIKE '%asked%'`: `_` stands for any character and `%` for any run of them, case and accents do not count.
fn is_like(found: &str, asked: &str) -> bool {
    if found.chars().count() > EMAIL_CAP {
        return false;
    }
    let found: Vec<char> = folded(found).collect();
    let pattern: Vec<char> = ['%'].into_iter().chain(folded(asked)).chain(['%']).collect();
    matches_pattern(&found, &pattern)
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.trim().nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase)
}

/// Greedy, going back to the last `%` where it fails.
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

/// Adds up the pages of one look-up. Every page is a request of its own, so the caller asks for a permit before each.
#[derive(Clone, Debug)]
pub struct LookupScan {
    next: u32,
    found: Vec<FoundCustomer>,
}

impl LookupScan {
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 1, found: Vec::new() }
    }

    /// The number of the page to ask for.
    #[must_use]
    pub const fn next_page(&self) -> u32 {
        self.next
    }

    /// Takes the page that [`Self::next_page`] named. `None`: ask for the next one.
    pub fn add(&mut self, page: PageResult) -> Option<LookupResult> {
        match page {
            PageResult::Rows { found, last_page } => self.add_rows(found, last_page),
            PageResult::FilterIgnored => Some(LookupResult::FilterIgnored),
            PageResult::NotOffered { http_status } => Some(LookupResult::NotOffered { http_status }),
            PageResult::Unauthorized => Some(LookupResult::Unauthorized),
            PageResult::Throttled { pause } => Some(LookupResult::Throttled { pause }),
            PageResult::Failed { cause } => Some(LookupResult::Failed { cause }),
            PageResult::Stop(reason) => Some(LookupResult::Stop(reason)),
        }
    }

    fn add_rows(&mut self, found: Vec<FoundCustomer>, last_page: Option<u32>) -> Option<LookupResult> {
        // A row can be on two pages when the list changes between the requests.
        for customer in found {
            if !self.found.contains(&customer) {
                self.found.push(customer);
            }
        }
        match last_page {
            Some(last) if self.next >= last => Some(LookupResult::Customers(std::mem::take(&mut self.found))),
            Some(_) if self.next < PAGES_CAP => {
                self.next += 1;
                None
            }
            Some(_) => Some(LookupResult::Failed { cause: format!("more than {PAGES_CAP} pages") }),
            None => Some(LookupResult::Failed { cause: "a full page that does not say how many there are".to_owned() }),
        }
    }
}

impl Default for LookupScan {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
