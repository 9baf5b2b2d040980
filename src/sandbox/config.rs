//! The settings of a sandbox, and how they are written on a command line.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use super::{
    faults::Fault,
    parse::{ConfigError, parse_duration},
};

/// Which of the three documented servers answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The source document: HTTP 200, `id` and `customer_id`, links.
    #[default]
    Seed,
    /// The reference pages: HTTP 201, `errors` maps, keys that are refused when they are too old.
    Docs,
    /// The public server source: HTTP 200 around an inner 201, `customer_type` demanded, a stray
    /// `7` before some errors.
    Laravel,
}

impl FromStr for Dialect {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "seed" => Ok(Self::Seed),
            "docs" => Ok(Self::Docs),
            "laravel" => Ok(Self::Laravel),
            _ => Err(ConfigError(format!("unknown dialect '{text}', expected seed, docs or laravel"))),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seed => "seed",
            Self::Docs => "docs",
            Self::Laravel => "laravel",
        })
    }
}

/// Whether repeated keys are answered from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdempotencyMode {
    /// Answers are stored by key, failures too, and a request without a key is refused.
    #[default]
    Store,
    /// Keys are not looked at, as on the customer route of the public source.
    None,
}

impl FromStr for IdempotencyMode {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "store" => Ok(Self::Store),
            "none" => Ok(Self::None),
            _ => Err(ConfigError(format!("unknown idempotency mode '{text}', expected store or none"))),
        }
    }
}

impl fmt::Display for IdempotencyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::None => "none",
        })
    }
}

/// How many requests fit into one window of the throttle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: u32,
    window: Duration,
}

impl Limit {
    /// A limit of `requests` per `window`; `None` for no requests or no window at all.
    #[must_use]
    pub fn new(requests: u32, window: Duration) -> Option<Self> {
        (requests > 0 && !window.is_zero()).then_some(Self { requests, window })
    }

    /// A limit a minute. Zero is read as one.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        Self { requests: requests.max(1), window: Duration::from_secs(60) }
    }

    /// Requests per window.
    #[must_use]
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// Length of the window.
    #[must_use]
    pub fn window(self) -> Duration {
        self.window
    }
}

impl FromStr for Limit {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let parsed = text.split_once('/').and_then(|(count, unit)| {
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => return None,
            };
            Self::new(count.parse().ok()?, Duration::from_secs(seconds))
        });
        parsed.ok_or_else(|| {
            ConfigError(format!("unknown limit '{text}', expected N/s, N/m or N/h with N above 0, for example 60/m"))
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.window.as_secs() {
            1 => write!(f, "{}/s", self.requests),
            60 => write!(f, "{}/m", self.requests),
            3600 => write!(f, "{}/h", self.requests),
            _ => write!(f, "{} per {:?}", self.requests, self.window),
        }
    }
}

/// How long an answer takes: one duration, or evenly spread between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    least: Duration,
    most: Duration,
}

impl Latency {
    /// Between `least` and `most`, whichever way round they are given.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self { least: least.min(most), most: least.max(most) }
    }

    /// The duration at `share` (0 to 1) of the way from the shortest to the longest.
    pub(super) fn at(self, share: f64) -> Duration {
        self.least + (self.most - self.least).mul_f64(share.clamp(0.0, 1.0))
    }
}

impl FromStr for Latency {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (parse_duration(least), parse_duration(most)) {
            (Ok(least), Ok(most)) if least <= most => Ok(Self { least, most }),
            _ => Err(ConfigError(format!(
                "unknown latency '{text}', expected a duration like 20ms or a range like 10ms..50ms"
            ))),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(f, "{:?}", self.least)
        } else {
            write!(f, "{:?}..{:?}", self.least, self.most)
        }
    }
}

/// The one account that may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the account.
    pub account_id: String,
    /// Its secret.
    pub app_secret: String,
}

impl FromStr for Credentials {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self { account_id: id.to_owned(), app_secret: secret.to_owned() })
            }
            _ => Err(ConfigError("unknown login, expected ID:SECRET".to_owned())),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

/// All settings of a sandbox. The default is a friendly server: the seed dialect, 6,000
/// requests a minute, a key store that lives an hour, no latency and no faults.
#[derive(Clone)]
pub struct Config {
    /// Which server answers.
    pub dialect: Dialect,
    /// Requests per window.
    pub limit: Limit,
    /// Life of a token handed out by login and refresh.
    pub token_life: Duration,
    /// Whether keys are stored.
    pub idempotency: IdempotencyMode,
    /// Life of a stored key.
    pub key_life: Duration,
    /// Time each request takes, half of it before the work and half after it.
    pub latency: Latency,
    /// Uniqueness of e-mails and keys is checked, then time passes, then it is relied upon:
    /// overlapping requests double.
    pub racy: bool,
    /// Time that passes between check and save when `racy`.
    pub racy_gap: Duration,
    /// Whether an e-mail is taken once a customer has it. Without it only keys keep a customer from
    /// being made twice.
    pub unique_email: bool,
    /// Whether e-mails are equal that differ in accents and width only, as for most collations of
    /// MySQL.
    pub folded: bool,
    /// Whether customers can be looked up.
    pub lookup: bool,
    /// Whether every answer is packed with gzip although the client did not ask for it.
    pub packed: bool,
    /// Whether the application's JSON has an HTML notice before it and a comment after it.
    pub notices: bool,
    /// What goes wrong. The first fault that hits a request is the one that happens.
    pub faults: Vec<Fault>,
    /// File the request log is appended to.
    pub log: Option<PathBuf>,
    /// A token that is valid forever. Without it every token is, unless login or refresh handed it
    /// out and it grew old.
    pub token: Option<String>,
    /// Who may log in. Without it anybody may.
    pub credentials: Option<Credentials>,
    /// Where chance begins.
    pub seed: u64,
    /// Largest request body read.
    pub body_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            limit: Limit::per_minute(6000),
            token_life: Duration::from_secs(600),
            idempotency: IdempotencyMode::default(),
            key_life: Duration::from_secs(3600),
            latency: Latency::default(),
            racy: false,
            racy_gap: Duration::from_millis(30),
            unique_email: true,
            folded: false,
            lookup: true,
            packed: false,
            notices: false,
            faults: Vec::new(),
            log: None,
            token: None,
            credentials: None,
            seed: 0,
            body_limit: 1024 * 1024,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token stays out, as everywhere.
        f.debug_struct("Config")
            .field("dialect", &self.dialect)
            .field("limit", &self.limit)
            .field("token_life", &self.token_life)
            .field("idempotency", &self.idempotency)
            .field("key_life", &self.key_life)
            .field("latency", &self.latency)
            .field("racy", &self.racy)
            .field("unique_email", &self.unique_email)
            .field("folded", &self.folded)
            .field("lookup", &self.lookup)
            .field("packed", &self.packed)
            .field("notices", &self.notices)
            .field("faults", &self.faults)
            .field("log", &self.log)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_requests_per_second_minute_or_hour() {
        assert_eq!("5/s".parse::<Limit>().unwrap(), Limit { requests: 5, window: Duration::from_secs(1) });
        assert_eq!("60/m".parse::<Limit>().unwrap(), Limit::per_minute(60));
        assert_eq!("100/h".parse::<Limit>().unwrap().to_string(), "100/h");
        for wrong in ["", "5", "0/s", "5/d", "x/m", "-1/m", "5/ m"] {
            let error = wrong.parse::<Limit>().unwrap_err().to_string();
            assert!(error.contains("N/s, N/m or N/h"), "{error}");
        }
    }

    #[test]
    fn a_latency_is_a_duration_or_a_range() {
        let millis = Duration::from_millis;
        assert_eq!("20ms".parse::<Latency>().unwrap(), Latency { least: millis(20), most: millis(20) });
        let range: Latency = "10ms..50ms".parse().unwrap();
        assert_eq!(range.at(0.0), millis(10));
        assert_eq!(range.at(0.5), millis(30));
        assert_eq!(range.at(1.0), millis(50));
        for wrong in ["", "20", "50ms..10ms", "..", "10ms..", "-5ms"] {
            assert!(wrong.parse::<Latency>().unwrap_err().to_string().contains("10ms..50ms"), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(parse_duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("10m").unwrap(), Duration::from_secs(600));
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert!(parse_duration("ten").is_err());
        assert!(parse_duration("-1s").is_err());
    }

    #[test]
    fn dialects_and_modes_read_what_they_print_and_name_what_they_accept() {
        for dialect in [Dialect::Seed, Dialect::Docs, Dialect::Laravel] {
            assert_eq!(dialect.to_string().parse::<Dialect>().unwrap(), dialect);
        }
        for mode in [IdempotencyMode::Store, IdempotencyMode::None] {
            assert_eq!(mode.to_string().parse::<IdempotencyMode>().unwrap(), mode);
        }
        assert!("rails".parse::<Dialect>().unwrap_err().to_string().contains("seed, docs or laravel"));
        assert!("maybe".parse::<IdempotencyMode>().unwrap_err().to_string().contains("store or none"));
    }
}
