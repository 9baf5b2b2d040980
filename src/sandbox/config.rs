//! The settings of a sandbox, and how they are written on the command line.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use super::{
    faults::Fault,
    parse::{ConfigError, parse_duration},
};

/// Which of the three documented servers the sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The source document: HTTP 200, `id` and `customer_id`, links.
    #[default]
    Seed,
    /// The reference pages: HTTP 201, `errors` maps, refusal of keys that are too old.
    Docs,
    /// The public server source: HTTP 200 around an inner 201, `customer_type` required, a stray
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

/// Whether the server answers repeated keys from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdempotencyMode {
    /// The server stores responses by key, failures too, and refuses requests without a key.
    #[default]
    Store,
    /// The server ignores keys, as the customer route of the public source does.
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

/// How many requests are allowed in one window of the throttle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: u32,
    window: Duration,
}

impl Limit {
    /// Creates a limit of `requests` per `window`. Returns `None` if either is zero.
    #[must_use]
    pub fn new(requests: u32, window: Duration) -> Option<Self> {
        (requests > 0 && !window.is_zero()).then_some(Self { requests, window })
    }

    /// Creates a limit per minute. Zero counts as one.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        Self { requests: requests.max(1), window: Duration::from_secs(60) }
    }

    /// Returns the requests per window.
    #[must_use]
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// Returns the length of the window.
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

/// How long a response takes: one duration, or evenly spread between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    least: Duration,
    most: Duration,
}

impl Latency {
    /// Creates a latency between the shorter and the longer of two durations.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self { least: least.min(most), most: least.max(most) }
    }

    /// Returns the duration at `share` (0 to 1) of the way from the shortest to the longest.
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
    /// Id of the account.
    pub account_id: String,
    /// Secret of the account.
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

/// All settings of a sandbox. The default is a friendly server: the seed dialect, 6,000 requests
/// per minute, a key store that keeps keys for an hour, no latency and no faults.
#[derive(Clone)]
pub struct Config {
    /// Which server the sandbox plays.
    pub dialect: Dialect,
    /// The most requests per window.
    pub limit: Limit,
    /// Life of a token that login or refresh issues.
    pub token_life: Duration,
    /// Whether the server stores keys.
    pub idempotency: IdempotencyMode,
    /// Life of a stored key.
    pub key_life: Duration,
    /// Time that each request takes, half of it before the work and half after it.
    pub latency: Latency,
    /// Whether time passes between checking that e-mail and key are free and relying on it.
    /// Overlapping requests then create duplicates.
    pub racy: bool,
    /// Time between check and save if `racy`.
    pub racy_gap: Duration,
    /// Whether the server refuses an e-mail that a customer has. If not, only keys prevent
    /// duplicates.
    pub unique_email: bool,
    /// Whether e-mails that differ only in accents and width are equal, as in most collations of
    /// MySQL.
    pub folded: bool,
    /// Whether the server offers look-ups.
    pub lookup: bool,
    /// Whether the server compresses every response with gzip, although the client does not accept
    /// it.
    pub packed: bool,
    /// Whether the application's JSON has an HTML notice before it and a comment after it.
    pub notices: bool,
    /// The faults. If several hit a request, the first one happens.
    pub faults: Vec<Fault>,
    /// File that the request log is appended to.
    pub log: Option<PathBuf>,
    /// A token that is always valid. Without it, every token is valid unless login or refresh
    /// issued it and it has expired.
    pub token: Option<String>,
    /// The account that may log in. Without it, any account may.
    pub credentials: Option<Credentials>,
    /// Seed for random faults; the same seed gives the same faults.
    pub seed: u64,
    /// The largest request body that the server reads, in bytes.
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
        // Leaves out the token, which is never shown.
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
