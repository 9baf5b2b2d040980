//! Posts a notification to an address that is itself a secret.
//!
//! Most services that take notifications tell their senders apart by the path, the query or the
//! name of the host. So no part of the address is ever shown, in no message and no `Debug` output.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use url::Url;

use super::auth_error::AuthError;
use super::base_url::BaseUrl;
use super::client::{ClientConfig, ClientError, http_client};
use super::proxy::Route;
use super::secret_file::read_private;

/// How long a try may take, from connecting to the head of the response.
const TRY: Duration = Duration::from_secs(8);

/// The pauses between tries. With three tries, a notification ends within 30 seconds.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

const WHAT: &str = "notification address";

/// An address to post notifications to.
#[derive(Clone)]
pub struct NotifyAddress {
    url: Url,
    /// Its scheme, host and port.
    origin: BaseUrl,
}

impl fmt::Debug for NotifyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotifyAddress(***)")
    }
}

/// Why a file gives no address. The messages show nothing of its text.
#[derive(Debug, thiserror::Error)]
pub enum NotifyAddressError {
    #[error(transparent)]
    File(#[from] AuthError),
    #[error("is not one line with an https:// address")]
    Address,
    #[error("has a user name or password in its address")]
    UserInfo,
}

impl NotifyAddress {
    /// Reads the address from a file that only its owner may read.
    ///
    /// # Errors
    /// If the file cannot be read or others may read it, or if it holds anything but an `https`
    /// address (or `http` to this machine).
    pub fn read(path: &Path) -> Result<Self, NotifyAddressError> {
        let text = String::from_utf8(read_private(WHAT, path)?).map_err(|_| AuthError::NoText(WHAT))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, NotifyAddressError> {
        let text = text.trim();
        // The URL standard silently drops line breaks.
        if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err(NotifyAddressError::Address);
        }
        let url = Url::parse(text).map_err(|_| NotifyAddressError::Address)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotifyAddressError::UserInfo);
        }
        let origin = url.origin().ascii_serialization();
        let origin = BaseUrl::parse(&origin).map_err(|_| NotifyAddressError::Address)?;
        Ok(Self { url, origin })
    }

    /// Returns its scheme, host and port, which decide the route.
    #[must_use]
    pub const fn origin(&self) -> &BaseUrl {
        &self.origin
    }
}

/// Why a notification did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    #[error("cannot connect")]
    Unreached,
    #[error("no answer")]
    NoAnswer,
    #[error("the answer is HTTP {0}")]
    Status(u16),
}

impl NotifyError {
    /// Returns whether another try may help. A redirect is not followed, because it would take the
    /// notification to an address that the user did not name.
    const fn may_pass(self) -> bool {
        matches!(self, Self::Unreached | Self::NoAnswer | Self::Status(408 | 425 | 429 | 500..=599))
    }
}

/// Posts notifications to one address.
#[derive(Clone)]
pub struct Notifier {
    http: reqwest::Client,
    address: NotifyAddress,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Notifier {
    /// Creates a notifier that obeys the same rules as the client of the API.
    ///
    /// # Errors
    /// Those of [`Client::new`](super::Client::new).
    pub fn new(address: NotifyAddress, route: Route, ca_file: Option<PathBuf>) -> Result<Self, ClientError> {
        let base = address.origin.clone();
        let config = ClientConfig { base, timeout: TRY, connect_timeout: TRY, ca_file, concurrency: 1, route };
        Ok(Self { http: http_client(&config)?, address })
    }

    /// Posts a JSON text, in up to three tries within 30 seconds.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn post(&self, json: &str) -> Result<(), NotifyError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let Err(error) = self.try_once(json).await else { return Ok(()) };
            match pauses.next() {
                Some(pause) if error.may_pass() => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn try_once(&self, json: &str) -> Result<(), NotifyError> {
        let request = self.http.post(self.address.url.clone()).header(CONTENT_TYPE, "application/json");
        match request.body(json.to_owned()).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(NotifyError::Status(response.status().as_u16())),
            Err(error) if error.is_connect() => Err(NotifyError::Unreached),
            Err(_) => Err(NotifyError::NoAnswer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_of_this_machine_and_is_never_shown() {
        for good in ["https://hooks.example.com/T0/s3cret?k=s3cret\n", "http://127.0.0.1:9/s3cret", "http://[::1]/x"] {
            let address = NotifyAddress::parse(good).unwrap();
            assert_eq!(format!("{address:?}"), "NotifyAddress(***)");
            let notifier = Notifier::new(address, Route::Direct, None).unwrap();
            assert!(!format!("{notifier:?}").contains("s3cret"));
        }
        for wrong in [
            "",
            "hooks.example.com/s3cret",
            "http://hooks.example.com/s3cret",
            "ftp://hooks.example.com/s3cret",
            "https://a.example.com/s3cret\nhttps://b.example.com/s3cret",
            "https://ops:s3cret@hooks.example.com/",
            "mailto:ops@example.com",
        ] {
            let error = NotifyAddress::parse(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_tried_three_times_and_left_within_half_a_minute() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = NotifyAddress::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let notifier = Notifier::new(address, Route::Direct, None).unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(notifier.post("{}").await, Err(NotifyError::NoAnswer));
        let took = start.elapsed();
        assert!(took > 3 * TRY && took < Duration::from_secs(30), "{took:?}");
    }
}
