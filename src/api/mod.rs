//! The client of the Add Customer API: what is sent, and what each response means.
//!
//! - [`BaseUrl`]: the address of the API.
//! - [`wire`]: the request body, with the same bytes for the same customer every time.
//! - [`Client`]: sends one request and returns one response. It never follows redirects and never
//!   retries by itself.
//! - [`Departure`]: the last check before a request leaves.
//! - [`Response`] → [`classify()`] → [`AttemptResult`](crate::domain::AttemptResult): the meaning
//!   of a response to a `POST`. Pure.
//! - [`lookup`]: the meaning of a response to a look-up, and how its pages add up. Pure.
//! - [`Credentials`]: the sources of bearer tokens. [`TokenSource`] is a given token, a file or a
//!   command; [`AppAccount`] logs in and refreshes.
//! - [`GrantResult`]: the meaning of a response to a login or a refresh. Pure.
//! - [`Notifier`]: posts a notification to another address, under the same rules.
//! - [`Proxy`], [`Route`]: the proxy that the environment names, or none.
//!
//! # Rules
//!
//! - Each request is one call, so that the caller can wait for a permit and write the intent to the
//!   ledger first.
//! - If a request is not certainly unsent, it counts as possibly sent.
//! - A customer counts as created only if the response has an id from the server.
//! - Gateways answer too, so a status alone does not prove that the application saw the request.
//! - Errors and `Debug` output never show a token, a body or a query. If a server repeats our
//!   secrets, they are hidden before any other module reads the text.
//!
//! This module keeps no state that must survive a crash. The ledger has the request's bytes and key
//! before [`Client::create`] sends them, so a later run can send the very same request.

mod account;
mod auth;
mod auth_error;
mod base_url;
mod body_meaning;
mod certificate;
mod classify;
mod client;
mod departure;
mod email_taken;
mod envelope;
mod headers;
pub mod lookup;
mod notifier;
mod pause;
mod proxy;
mod quote;
mod reading_time;
mod repeated;
mod response;
mod secret_file;
mod token;
mod token_response;
mod transport;
pub mod wire;

pub use account::AppAccount;
pub use auth::{Credentials, TokenSource};
pub use auth_error::AuthError;
pub use base_url::{BaseUrl, BaseUrlError};
pub use classify::classify;
pub use client::{Client, ClientConfig, ClientError, CreateResponse, FirstLook, LookupResponse};
pub use departure::Departure;
pub use headers::{Allowance, ResponseHeaders};
pub use lookup::{Extent, LookupScan, PER_PAGE, PageResult};
pub use notifier::{Notifier, NotifyAddress, NotifyAddressError, NotifyError};
pub use proxy::{Proxy, ProxyError, Route};
pub use response::{Body, Response};
pub use token::{Token, TokenError};
pub use token_response::{Failing, GrantResult};
pub use wire::{SentFacts, SentRequest};
