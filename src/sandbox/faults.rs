//! Faults: what goes wrong, and which requests it hits.
//!
//! A fault is written `KIND[:RATE][:PATTERN][:first=N]`. The parts after the kind may come in any
//! order:
//! - `RATE`, a probability from 0 to 1 (`0.05`): the fault hits that share of the requests.
//! - `PATTERN`, a glob with `*` or an e-mail (`flaky*@example.com`): it hits only requests for such
//!   e-mails.
//! - `first=N`: it hits only the first N requests for each e-mail.
//!
//! Kinds without "lookup", "list", "login" or "refresh" in their name hit `POST /customer`, after
//! the checks of throttle and token.
//!
//! | kind | what happens |
//! |---|---|
//! | `refuse` | the connection is reset before anything is read (rate and `first` only, counted in connections) |
//! | `reset-before` · `reset-after` | the request is read, then the connection is reset: nothing saved · saved |
//! | `stall-before` · `stall` | no response ever: nothing saved · saved |
//! | `cut` · `cut-head` | saved; the connection closes in the middle of the body · of the headers |
//! | `late=D` · `slow=D` | saved D later, then answered · saved at once, answered D later |
//! | `NNN` · `NNN-after` | HTTP status NNN (400 to 599) with a body of its kind: nothing saved · saved |
//! | `error-400` · `error-400-after` | "Something went wrong, please try again later": nothing saved · saved |
//! | `seven` · `seven-after` | the same with a stray `7` before the JSON |
//! | `html` · `html-after` | HTTP 200 with an HTML page: nothing saved · saved |
//! | `empty` · `empty-after` | HTTP 200 without a body: nothing saved · saved |
//! | `garbage` | saved; a stray `7` before the JSON of the response |
//! | `no-id` · `other-email` | saved; the success has no id · names another e-mail |
//! | `inner-failure` | nothing saved; HTTP 200 around a failure with `status_code` 422 |
//! | `outer-failure` | saved; HTTP 500 around a success |
//! | `redirect` | nothing saved; HTTP 302 to `/login` |
//! | `expired-key` | nothing saved; "Idempotency-Key expired" |
//! | `gateway-NNN=D` | a gateway answers HTTP status NNN (500 to 599) with a body of its own, and the application works on: it checks and saves D later (`--racy`: checks at once, saves D later) |
//! | `403-page` | nothing saved; a firewall's HTML page, HTTP 403 |
//! | `throttle-unix=D` · `throttle-millis=D` | nothing saved; HTTP 429 with `Retry-After` as the Unix time D from now · with only `X-RateLimit-Reset`, in Unix milliseconds |
//! | `unavailable=D` | nothing saved; HTTP 503 with `Retry-After: D` in seconds |
//! | `gzip` · `notice` | saved; the response is compressed although the client does not accept it · has an HTML notice before the JSON and a comment after it |
//! | `error-200` · `error-200-after` | HTTP 200 with `{"status":"error","message":…}` and no code: nothing saved · saved |
//! | `soft-deleted` | nothing saved; refused as a duplicate of a customer that look-ups do not list |
//! | `taken-words` | a duplicate is refused as "has already been taken", HTTP 400, instead of in the usual words |
//! | `taken-409` | a duplicate is refused with HTTP 409 and other words: of other languages, or none |
//! | `refuse-again` | a duplicate is refused for its *phone*, HTTP 422 |
//! | `lookup-NNN` · `lookup-stall` | look-ups are answered with HTTP status NNN · never |
//! | `lookup-ignores-filter` | look-ups list every customer, whatever e-mail was asked for |
//! | `list-ignores-page` | the list comes whole and without `pagination`, whatever page was asked for |
//! | `login-NNN` · `refresh-NNN` | logins · refreshes are answered with HTTP status NNN (rate and `first` only, counted in such requests) |
//! | `login-no-token` | logins succeed without a token (likewise) |
//! | `refresh-revokes` | a refresh ends the token that it was sent with (likewise) |
//!
//! The key store keeps and replays the responses that the application itself gives (`400`, `422`,
//! `500`, `error-400`, `seven`, `no-id`, `other-email`, `error-200`, `inner-failure`,
//! `outer-failure`, `soft-deleted`, with `-after` too). It does not keep what happens on the way
//! (everything else): behind such a fault it holds the true response, or none if nothing was done.
//! If a request is answered from the store, only faults on the way happen. The `-after` faults of
//! the application need a saved customer: a duplicate is refused as one. Faults that only choose
//! the words for a duplicate (`taken-words`, `taken-409`, `refuse-again`) can go together with any
//! other fault.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    chance::roll,
    parse::{ConfigError, parse_duration},
    pattern::glob,
    sync::lock_ignoring_poison,
};

/// A fault, written `KIND[:RATE][:PATTERN][:first=N]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    name: String,
    kind: Kind,
    rate: Option<f64>,
    pattern: Option<String>,
    first: Option<u64>,
}

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// When a connection arrives.
    Refuse,
    /// Between the client and the application. The key store does not keep it.
    OnTheWay(Moment, Damage),
    /// In the application. The key store keeps the response.
    Inside(Moment, Upset),
    /// Time passes.
    Delay(Moment, Duration),
    /// A gateway answers with this status, and the application works on for this time.
    Gateway(u16, Duration),
    /// The application refuses duplicates in other words.
    Duplicates(DuplicateWords),
    /// In responses to `GET /customer`.
    Lookup(LookupFault),
    /// In responses to logins.
    LogIn(GrantFault),
    /// In responses to refreshes.
    Refresh(GrantFault),
}

/// Whether a fault happens before or after the customer is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// What happens to a response on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Reset,
    Stall,
    CutBody,
    CutHead,
    Status(u16),
    Html,
    Empty,
    Garbage,
    Redirect,
    ExpiredKey,
    Firewall,
    ThrottleUnix(Duration),
    ThrottleMillis(Duration),
    Unavailable(Duration),
    Gzip,
    Notice,
}

/// How a duplicate is refused, if not in the usual words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DuplicateWords {
    Taken,
    Conflict,
    Phone,
}

/// What the application does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upset {
    Status(u16),
    WentWrong,
    Seven,
    NoId,
    OtherEmail,
    InnerFailure,
    OuterFailure,
    ErrorWords,
    SoftDeleted,
}

/// What look-ups do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupFault {
    Status(u16),
    Stall,
    IgnoresFilter,
    IgnoresPage,
}

/// The faults that hit one `POST`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Struck<'a> {
    /// The fault that happens.
    pub(super) fault: Option<&'a Fault>,
    /// How the request is refused if it turns out to be a duplicate.
    pub(super) words: Option<&'a Fault>,
}

/// What logins and refreshes do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GrantFault {
    Status(u16),
    NoToken,
    Revokes,
}

impl Fault {
    /// Every kind, as it is written. `NNN` stands for an HTTP status from 400 to 599, `D` for a
    /// duration.
    pub const KINDS: &'static [&'static str] = &[
        "refuse",
        "reset-before",
        "reset-after",
        "stall-before",
        "stall",
        "cut",
        "cut-head",
        "late=D",
        "slow=D",
        "NNN",
        "NNN-after",
        "error-400",
        "error-400-after",
        "seven",
        "seven-after",
        "html",
        "html-after",
        "empty",
        "empty-after",
        "garbage",
        "no-id",
        "other-email",
        "inner-failure",
        "outer-failure",
        "redirect",
        "expired-key",
        "gateway-NNN=D",
        "403-page",
        "throttle-unix=D",
        "throttle-millis=D",
        "unavailable=D",
        "gzip",
        "notice",
        "error-200",
        "error-200-after",
        "soft-deleted",
        "taken-words",
        "taken-409",
        "refuse-again",
        "lookup-NNN",
        "lookup-stall",
        "lookup-ignores-filter",
        "list-ignores-page",
        "login-NNN",
        "login-no-token",
        "refresh-NNN",
        "refresh-revokes",
    ];

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    fn is_for_lookups(&self) -> bool {
        matches!(self.kind, Kind::Lookup(_))
    }

    fn is_about_words(&self) -> bool {
        matches!(self.kind, Kind::Duplicates(_))
    }

    /// Returns whether the fault happens before any e-mail is known.
    fn is_before_any_email(&self) -> bool {
        matches!(self.kind, Kind::Refuse | Kind::LogIn(_) | Kind::Refresh(_))
    }

    /// Returns whether the fault hits the `nth` request (from 1) of this e-mail. `salt` keeps the
    /// rolls of two equal faults apart.
    fn hits(&self, seed: u64, salt: &str, email: &str, nth: u64) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| glob(email, pattern))
            && self.first.is_none_or(|first| nth <= first)
            && self.rate.is_none_or(|rate| roll(seed, &[salt, &self.name, email], nth) < rate)
    }

    /// Applies one part after the kind.
    ///
    /// # Errors
    /// If the part is not valid, repeats an earlier one, or does not fit the kind.
    fn limit_to(&mut self, part: &str) -> Result<(), String> {
        let again = || format!("'{part}' repeats an earlier part");
        if let Some(count) = part.strip_prefix("first=") {
            let count = count.parse().map_err(|_| format!("'{part}' needs a whole number"))?;
            return self.first.replace(count).map_or(Ok(()), |_| Err(again()));
        }
        if let Ok(rate) = part.parse::<f64>() {
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("the rate '{part}' is not between 0 and 1"));
            }
            return self.rate.replace(rate).map_or(Ok(()), |_| Err(again()));
        }
        if !part.contains(['@', '*']) {
            return Err(format!("'{part}' is not a rate, first=N or a pattern with * or @"));
        }
        if self.is_before_any_email() {
            return Err(format!("{} happens before any e-mail is known, so it takes no pattern", self.name));
        }
        self.pattern.replace(part.to_owned()).map_or(Ok(()), |_| Err(again()))
    }
}

impl FromStr for Fault {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let Some(kind) = Kind::named(name) else {
            let known = Self::KINDS.join(", ");
            return Err(ConfigError(format!(
                "unknown fault '{name}', expected KIND[:RATE][:PATTERN][:first=N] where KIND is one of {known} \
                 (NNN: a status from 400 to 599, D: a duration like 2s)"
            )));
        };
        let mut fault = Self { name: name.to_owned(), kind, rate: None, pattern: None, first: None };
        for part in parts {
            fault.limit_to(part).map_err(|problem| {
                let form =
                    "KIND[:RATE][:PATTERN][:first=N], for example 502-after:0.05 or stall:slow*@example.com:first=2";
                ConfigError(format!("unknown fault '{text}': {problem}; expected {form}"))
            })?;
        }
        Ok(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(rate) = self.rate {
            write!(f, ":{rate}")?;
        }
        if let Some(pattern) = &self.pattern {
            write!(f, ":{pattern}")?;
        }
        if let Some(first) = self.first {
            write!(f, ":first={first}")?;
        }
        Ok(())
    }
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Self::fixed(name).or_else(|| Self::measured(name))
    }

    /// Returns the kind of a name without a number.
    fn fixed(name: &str) -> Option<Self> {
        use Moment::{After, Before};
        Some(match name {
            "refuse" => Self::Refuse,
            "reset-before" => Self::OnTheWay(Before, Damage::Reset),
            "reset-after" => Self::OnTheWay(After, Damage::Reset),
            "stall-before" => Self::OnTheWay(Before, Damage::Stall),
            "stall" => Self::OnTheWay(After, Damage::Stall),
            "cut" => Self::OnTheWay(After, Damage::CutBody),
            "cut-head" => Self::OnTheWay(After, Damage::CutHead),
            "html" => Self::OnTheWay(Before, Damage::Html),
            "html-after" => Self::OnTheWay(After, Damage::Html),
            "empty" => Self::OnTheWay(Before, Damage::Empty),
            "empty-after" => Self::OnTheWay(After, Damage::Empty),
            "garbage" => Self::OnTheWay(After, Damage::Garbage),
            "redirect" => Self::OnTheWay(Before, Damage::Redirect),
            "expired-key" => Self::OnTheWay(Before, Damage::ExpiredKey),
            "error-400" => Self::Inside(Before, Upset::WentWrong),
            "error-400-after" => Self::Inside(After, Upset::WentWrong),
            "seven" => Self::Inside(Before, Upset::Seven),
            "seven-after" => Self::Inside(After, Upset::Seven),
            "inner-failure" => Self::Inside(Before, Upset::InnerFailure),
            "outer-failure" => Self::Inside(After, Upset::OuterFailure),
            "no-id" => Self::Inside(After, Upset::NoId),
            "other-email" => Self::Inside(After, Upset::OtherEmail),
            "403-page" => Self::OnTheWay(Before, Damage::Firewall),
            "gzip" => Self::OnTheWay(After, Damage::Gzip),
            "notice" => Self::OnTheWay(After, Damage::Notice),
            "error-200" => Self::Inside(Before, Upset::ErrorWords),
            "error-200-after" => Self::Inside(After, Upset::ErrorWords),
            "soft-deleted" => Self::Inside(Before, Upset::SoftDeleted),
            "taken-words" => Self::Duplicates(DuplicateWords::Taken),
            "taken-409" => Self::Duplicates(DuplicateWords::Conflict),
            "refuse-again" => Self::Duplicates(DuplicateWords::Phone),
            "lookup-stall" => Self::Lookup(LookupFault::Stall),
            "lookup-ignores-filter" => Self::Lookup(LookupFault::IgnoresFilter),
            "list-ignores-page" => Self::Lookup(LookupFault::IgnoresPage),
            "login-no-token" => Self::LogIn(GrantFault::NoToken),
            "refresh-revokes" => Self::Refresh(GrantFault::Revokes),
            _ => return None,
        })
    }

    /// Returns the kind of a name with a status or a duration.
    fn measured(name: &str) -> Option<Self> {
        match name.split_once('=') {
            Some((kind, time)) => Self::timed(kind, parse_duration(time).ok()?),
            None => Self::numbered(name),
        }
    }

    fn timed(kind: &str, time: Duration) -> Option<Self> {
        Some(match kind {
            "late" => Self::Delay(Moment::Before, time),
            "slow" => Self::Delay(Moment::After, time),
            "throttle-unix" => Self::OnTheWay(Moment::Before, Damage::ThrottleUnix(time)),
            "throttle-millis" => Self::OnTheWay(Moment::Before, Damage::ThrottleMillis(time)),
            "unavailable" => Self::OnTheWay(Moment::Before, Damage::Unavailable(time)),
            _ => {
                let status = failure_status(kind.strip_prefix("gateway-")?)?;
                (status >= 500).then_some(Self::Gateway(status, time))?
            }
        })
    }

    fn numbered(name: &str) -> Option<Self> {
        if let Some(status) = name.strip_prefix("lookup-") {
            return Some(Self::Lookup(LookupFault::Status(failure_status(status)?)));
        }
        if let Some(status) = name.strip_prefix("login-") {
            return Some(Self::LogIn(GrantFault::Status(failure_status(status)?)));
        }
        if let Some(status) = name.strip_prefix("refresh-") {
            return Some(Self::Refresh(GrantFault::Status(failure_status(status)?)));
        }
        let (status, moment) = match name.strip_suffix("-after") {
            Some(status) => (failure_status(status)?, Moment::After),
            None => (failure_status(name)?, Moment::Before),
        };
        Some(match status {
            400 | 422 | 500 => Self::Inside(moment, Upset::Status(status)),
            _ => Self::OnTheWay(moment, Damage::Status(status)),
        })
    }
}

fn failure_status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (400..600).contains(status))
}

/// All faults of a sandbox, and the counts that decide which requests they hit.
#[derive(Debug)]
pub(super) struct FaultPlan {
    seed: u64,
    faults: Vec<Fault>,
    connections: AtomicU64,
    logins: AtomicU64,
    refreshes: AtomicU64,
    posts: Mutex<HashMap<String, u64>>,
    lookups: Mutex<HashMap<String, u64>>,
}

impl FaultPlan {
    pub(super) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self {
            seed,
            faults,
            connections: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            refreshes: AtomicU64::new(0),
            posts: Mutex::default(),
            lookups: Mutex::default(),
        }
    }

    /// Returns whether the next connection is refused.
    pub(super) fn refuses(&self) -> bool {
        let nth = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.first_hit("", nth, |fault| fault.kind == Kind::Refuse).is_some()
    }

    /// Returns the faults that hit the next `POST` for this e-mail.
    pub(super) fn of_post(&self, email: &str) -> Struck<'_> {
        let Some(nth) = self.count(&self.posts, email) else { return Struck::default() };
        let is_for_posts = |fault: &Fault| !fault.is_for_lookups() && !fault.is_before_any_email();
        Struck {
            fault: self.first_hit(email, nth, |fault| is_for_posts(fault) && !fault.is_about_words()),
            words: self.first_hit(email, nth, Fault::is_about_words),
        }
    }

    /// Returns the fault that hits the next login.
    pub(super) fn of_login(&self) -> Option<&Fault> {
        let nth = self.logins.fetch_add(1, Ordering::Relaxed) + 1;
        self.first_hit("", nth, |fault| matches!(fault.kind, Kind::LogIn(_)))
    }

    /// Returns the fault that hits the next refresh.
    pub(super) fn of_refresh(&self) -> Option<&Fault> {
        let nth = self.refreshes.fetch_add(1, Ordering::Relaxed) + 1;
        self.first_hit("", nth, |fault| matches!(fault.kind, Kind::Refresh(_)))
    }

    /// Returns the fault that hits the next look-up of this e-mail.
    pub(super) fn of_lookup(&self, email: &str) -> Option<&Fault> {
        let nth = self.count(&self.lookups, email)?;
        self.first_hit(email, nth, Fault::is_for_lookups)
    }

    /// Counts a request of an e-mail. Without faults it counts nothing, because the counts take
    /// memory, and returns `None`.
    fn count(&self, counts: &Mutex<HashMap<String, u64>>, email: &str) -> Option<u64> {
        if self.faults.is_empty() {
            return None;
        }
        let mut counts = lock_ignoring_poison(counts);
        let nth = counts.entry(email.to_owned()).or_default();
        *nth += 1;
        Some(*nth)
    }

    fn first_hit(&self, email: &str, nth: u64, fits: impl Fn(&Fault) -> bool) -> Option<&Fault> {
        let mut faults = self.faults.iter().enumerate();
        faults.find(|(at, fault)| fits(fault) && fault.hits(self.seed, &at.to_string(), email, nth)).map(|(_, f)| f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap()
    }

    #[test]
    fn every_named_kind_can_be_read() {
        for kind in Fault::KINDS {
            let written = kind.replace("NNN", "502").replace("=D", "=2s");
            assert_eq!(fault(&written).to_string(), written);
        }
    }

    #[test]
    fn rate_pattern_and_first_come_in_any_order() {
        let all = fault("502-after:flaky*@example.com:first=2:0.5");
        assert_eq!(all, fault("502-after:0.5:flaky*@example.com:first=2"));
        assert_eq!(all.to_string(), "502-after:0.5:flaky*@example.com:first=2");
    }

    #[test]
    fn what_cannot_be_read_is_told_what_could() {
        for wrong in [
            "",
            "rest-after",
            "200",
            "600",
            "late",
            "late=x",
            "lookup-200",
            "lookup-",
            "gateway-503",
            "gateway-400=1s",
            "gateway-503=x",
            "throttle-unix",
            "other=1s",
        ] {
            let error = wrong.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("reset-before, reset-after"), "{error}");
        }
        for wrong in ["cut:1.5", "cut:frist=2", "cut:first=x", "cut:0.1:0.2", "cut:", "refuse:a@example.com"] {
            let error = wrong.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("KIND[:RATE][:PATTERN][:first=N]"), "{error}");
        }
    }

    #[test]
    fn the_first_requests_of_each_matching_email_are_hit() {
        let plan = FaultPlan::new(0, vec![fault("500:flaky*@example.com:first=2")]);
        let hits: Vec<bool> = (0..4).map(|_| plan.of_post("flaky1@example.com").fault.is_some()).collect();
        assert_eq!(hits, [true, true, false, false]);
        assert!(plan.of_post("flaky2@example.com").fault.is_some());
        assert!(plan.of_post("steady@example.com").fault.is_none());
        assert!(plan.of_lookup("flaky3@example.com").is_none(), "a look-up is no post");
    }

    #[test]
    fn a_rate_hits_its_share_and_the_same_ones_again() {
        let strikes = || {
            let plan = FaultPlan::new(3, vec![fault("cut:0.2")]);
            (0..2000).map(|n| plan.of_post(&format!("c{n}@example.com")).fault.is_some()).collect::<Vec<_>>()
        };
        let hits = strikes().into_iter().filter(|hit| *hit).count();
        assert!((300..500).contains(&hits), "{hits} of 2000");
        assert_eq!(strikes(), strikes());
    }

    #[test]
    fn the_first_fault_that_hits_is_the_one() {
        let plan = FaultPlan::new(0, vec![fault("cut:first=1"), fault("503")]);
        assert_eq!(plan.of_post("a@example.com").fault.unwrap().name(), "cut");
        assert_eq!(plan.of_post("a@example.com").fault.unwrap().name(), "503");
    }

    #[test]
    fn words_for_a_duplicate_go_together_with_another_fault() {
        let plan = FaultPlan::new(0, vec![fault("taken-409"), fault("cut:first=1"), fault("taken-words")]);
        let first = plan.of_post("a@example.com");
        assert_eq!((first.fault.unwrap().name(), first.words.unwrap().name()), ("cut", "taken-409"));
        let second = plan.of_post("a@example.com");
        assert_eq!((second.fault, second.words.unwrap().name()), (None, "taken-409"));
    }

    #[test]
    fn connections_are_refused_by_count() {
        let plan = FaultPlan::new(0, vec![fault("refuse:first=1")]);
        assert!(plan.refuses());
        assert!(!plan.refuses());
        assert!(plan.of_post("a@example.com").fault.is_none());
    }
}
