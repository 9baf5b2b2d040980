//! Sends one request and returns one response.
//!
//! Everything that the HTTP library could do beyond that is switched off, because a retry or a
//! redirect that the ledger does not know of could create a customer twice.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use url::Url;

use super::account::AppAccount;
use super::base_url::BaseUrl;
use super::certificate;
use super::classify::classify;
use super::departure::Departure;
use super::headers::Allowance;
use super::lookup::{PER_PAGE, PageResult};
use super::proxy::Route;
use super::reading_time::ReadingTime;
use super::repeated::{hide_in_attempt, hide_in_page};
use super::response::Response;
use super::token::Token;
use super::token_response::{Failing, GrantResult};
use super::transport::{TransportError, refused, unsendable};
use super::wire::SentRequest;
use super::{lookup, token_response};
use crate::domain::{AttemptResult, shown};
use crate::redact::Redactor;
use crate::trusted_file;

/// Shorter than the idle limits of the usual servers and proxies, so that a request is rarely
/// written to a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

const JSON: &str = "application/json";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The configuration of a client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    pub base: BaseUrl,
    /// The limit for a whole attempt, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// The limit for name look-up, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// An additional certificate authority, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The most idle connections that are kept.
    pub concurrency: usize,
    pub route: Route,
}

/// Why a client could not be created. Each is a fault of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot read the certificate file {}", shown(path))]
    CaFile { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate in PEM form", shown(path))]
    NoCertificate { path: PathBuf },
    #[error("cannot set up HTTPS")]
    Build(#[source] reqwest::Error),
}

/// An HTTP client for one API. Clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: BaseUrl,
    /// The address at which customers are created and looked up.
    customers: Url,
    /// Every secret that was sent. Only these can come back in a response.
    secrets: Redactor,
    reading_time: ReadingTime,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The result of one `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateResponse {
    pub result: AttemptResult,
    /// `None` if no response came.
    pub http_status: Option<u16>,
    pub allowance: Allowance,
}

/// The result of one look-up page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupResponse {
    pub page: PageResult,
    /// `None` if no response came.
    pub http_status: Option<u16>,
    pub allowance: Allowance,
}

/// What the first response of a server shows besides its customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstLook {
    pub response: LookupResponse,
    /// How far the clock of this machine is ahead of the server's. `None` if the server does not
    /// show its clock.
    pub ahead: Option<SignedDuration>,
    /// Until when the server's certificate is valid. `None` without TLS.
    pub certificate_until: Option<Timestamp>,
    /// How long the request took, with name look-up, connection and TLS handshake.
    pub took: Duration,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    /// If the certificate file cannot be used, or the system has no certificates to check the
    /// server's with.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let http = http_client(&config)?;
        let secrets = Redactor::default();
        config.route.teach(&secrets);
        Ok(Self {
            http,
            customers: config.base.join(&["customer"]),
            base: config.base,
            secrets,
            reading_time: ReadingTime::default(),
        })
    }

    /// Returns the address of the API.
    #[must_use]
    pub const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Records that the calling thread handled so many records of the input, so that the processor
    /// time of that is not taken for the time of reading responses.
    pub fn handled(&self, records: usize) {
        self.reading_time.handled(records);
    }

    /// Sends one `POST {base}/customer`, once, if `leave` is open right before its first byte,
    /// and classifies the response.
    pub async fn create(
        &self,
        token: &Token,
        key: &str,
        body: Vec<u8>,
        sent: SentRequest<'_>,
        leave: &Departure,
    ) -> CreateResponse {
        let request = self.http.post(self.customers.clone());
        let request = request.header(CONTENT_TYPE, JSON).header(IDEMPOTENCY_KEY, key).body(leave.body(body));
        match self.send(self.bearing(request, token)).await {
            Ok(answer) => {
                let mut result = classify(&answer, sent);
                hide_in_attempt(&mut result, &self.secrets);
                CreateResponse { result, http_status: Some(answer.status), allowance: answer.allowance() }
            }
            Err(trouble) => {
                // The library calls a body that gives no bytes a failed request, as if something
                // had been sent.
                let trouble = if leave.is_missed() { TransportError::late() } else { trouble };
                CreateResponse { result: trouble.into_attempt(), http_status: None, allowance: Allowance::default() }
            }
        }
    }

    /// Requests one page of the customers whose e-mail contains `email`, once.
    /// [`LookupScan`](super::lookup::LookupScan) names the page.
    pub async fn lookup_page(&self, token: &Token, email: &str, page: u32) -> LookupResponse {
        self.page(token, Some(email), page, |answer| lookup::page(answer, email, page)).await
    }

    /// Requests one customer of the list, once, to see how the server answers.
    pub async fn first_look(&self, token: &Token) -> FirstLook {
        let begun = Instant::now();
        let request = self.http.get(self.customers_url(None, 1, 1)).header(CACHE_CONTROL, "no-cache");
        let exchanged = self.exchange(self.bearing(request, token)).await;
        let (mut ahead, mut certificate_until) = (None, None);
        let answer = match exchanged {
            Ok(response) => {
                let certificate = response.extensions().get::<reqwest::tls::TlsInfo>();
                certificate_until =
                    certificate.and_then(|info| info.peer_certificate()).and_then(certificate::valid_until);
                let answer = Response::read(response, self.secrets.clone()).await;
                ahead = answer.clock_ahead();
                Ok(answer)
            }
            Err(trouble) => Err(trouble),
        };
        let response = self.page_response(answer, |answer| lookup::listing(answer, 1));
        FirstLook { response, ahead, certificate_until, took: begun.elapsed() }
    }

    /// Requests one page of all customers, once.
    pub async fn list_page(&self, token: &Token, page: u32) -> LookupResponse {
        self.page(token, None, page, |answer| lookup::listing(answer, page)).await
    }

    /// Sends one `POST {base}/auth/login`, once.
    pub async fn log_in(&self, account: &AppAccount) -> GrantResult {
        let request = self.http.post(self.base.join(&["auth", "login"]));
        let request = request.header(CONTENT_TYPE, JSON).body(account.body());
        account.teach(&self.secrets);
        granted(self.send(request).await)
    }

    /// Sends one `GET {base}/auth/refresh-token`, once.
    pub async fn refresh(&self, token: &Token, account: &AppAccount) -> GrantResult {
        let request = self.http.get(self.base.join(&["auth", "refresh-token"]));
        account.teach(&self.secrets);
        granted(self.send(self.bearing(request, token)).await)
    }

    async fn page(
        &self,
        token: &Token,
        email: Option<&str>,
        page: u32,
        meaning: impl FnOnce(&Response) -> PageResult,
    ) -> LookupResponse {
        let request = self.http.get(self.customers_url(email, page, PER_PAGE)).header(CACHE_CONTROL, "no-cache");
        self.page_response(self.send(self.bearing(request, token)).await, meaning)
    }

    fn page_response(
        &self,
        answer: Result<Response, TransportError>,
        meaning: impl FnOnce(&Response) -> PageResult,
    ) -> LookupResponse {
        match answer {
            Ok(answer) => {
                let mut page = meaning(&answer);
                hide_in_page(&mut page, &self.secrets);
                LookupResponse { page, http_status: Some(answer.status), allowance: answer.allowance() }
            }
            Err(trouble) => {
                LookupResponse { page: without_answer(trouble), http_status: None, allowance: Allowance::default() }
            }
        }
    }

    fn customers_url(&self, email: Option<&str>, page: u32, per_page: u32) -> Url {
        let mut url = self.customers.clone();
        url.query_pairs_mut()
            .extend_pairs(email.map(|email| ("email", email)))
            .append_pair("per_page", &per_page.to_string())
            .append_pair("page", &page.to_string());
        url
    }

    fn bearing(&self, request: reqwest::RequestBuilder, token: &Token) -> reqwest::RequestBuilder {
        self.secrets.learn_token(token.expose());
        request.bearer_auth(token.expose())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, TransportError> {
        Ok(Response::read(self.exchange(request).await?, self.secrets.clone()).await)
    }

    /// Sends a request, and returns the response before its body is read.
    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, TransportError> {
        // Without `Accept`, the server may answer an error with a redirect to a page for people.
        let request = request.header(ACCEPT, JSON).header(ACCEPT_ENCODING, "identity");
        let response = self.reading_time.limit(request.send()).await.map_err(|_| TransportError::endless())?;
        response.map_err(|error| TransportError::of(error).without(&self.secrets))
    }
}

/// Returns an HTTP client that sends one request for each that it is given, and nothing else.
///
/// # Errors
/// Those of [`Client::new`].
pub(super) fn http_client(config: &ClientConfig) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("customer-import/", env!("CARGO_PKG_VERSION")))
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tls_info(true)
        .https_only(config.base.is_encrypted())
        // With HTTP/2, a connection that dies would put every request on it in doubt at once.
        .http1_only()
        .timeout(config.timeout)
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(config.concurrency);
    builder = if config.base.is_loopback() {
        builder.no_proxy()
    } else {
        config.route.apply(builder).map_err(ClientError::Build)?
    };
    if !config.base.is_encrypted() {
        // The library asks for certificates even if none will be used, and a rehearsal must not
        // need any.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &config.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(ClientError::Build)
}

/// Ignores the rate limit that the response announces: it is that of the login route.
fn granted(answer: Result<Response, TransportError>) -> GrantResult {
    let failed = |cause, is_down| GrantResult::Failed(Failing { cause, retry_after: None, is_down });
    match answer {
        Ok(answer) => token_response::grant(&answer),
        Err(TransportError::NotSent { cause, .. }) => failed(cause, true),
        Err(TransportError::Silence(cause)) => failed(cause, false),
        Err(TransportError::Refused(reason)) => GrantResult::Stop(refused(&reason)),
        Err(TransportError::Unsendable(reason)) => GrantResult::Stop(unsendable(&reason)),
    }
}

/// A look-up creates nothing, so it does not matter whether it was sent.
fn without_answer(trouble: TransportError) -> PageResult {
    match trouble {
        TransportError::NotSent { cause, .. } => PageResult::Failed { cause, is_down: true },
        TransportError::Silence(cause) => PageResult::Failed { cause, is_down: false },
        TransportError::Refused(reason) => PageResult::Stop(refused(&reason)),
        TransportError::Unsendable(reason) => PageResult::Stop(unsendable(&reason)),
    }
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let pem = trusted_file::read(path).map_err(|source| ClientError::CaFile { path: path.to_owned(), source })?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(ClientError::NoCertificate { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
