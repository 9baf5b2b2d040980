//! The Add Customer API as this tool speaks with it.
//!
//! - [`BaseUrl`]: where it is.
//! - [`wire`]: what is sent, as bytes that stay the same.
//! - [`Client`]: one request, one answer, nothing done behind the caller's back: no redirects, no
//!   retries of its own.
//! - [`Departure`]: the last check before a request leaves.
//! - [`Response`] → [`classify()`] → [`AttemptResult`](crate::domain::AttemptResult): what an
//!   answer to a `POST` means. Pure.
//! - [`lookup`]: what an answer to a look-up means, and how its pages add up. Pure.
//! - [`Credentials`]: where bearer tokens come from. [`TokenSource`]: handed over, file or command;
//!   [`AppAccount`]: login and refresh.
//! - [`GrantResult`]: what an answer to a login or a refresh means. Pure.
//!
//! The rules: every request is one call, so that the caller can ask the pace and the ledger first;
//! whatever is not surely unsent counts as possibly sent; a customer counts as created only with an
//! id from the server. Neither errors nor `Debug` show a token, a body or a query, and what a
//! server repeats of our secrets is hidden before anybody else reads it.

mod account;
mod auth;
mod auth_error;
mod base_url;
mod body_meaning;
mod classify;
mod client;
mod departure;
mod email_taken;
mod envelope;
mod headers;
pub mod lookup;
mod pause;
mod proxy;
mod quote;
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
pub use client::{Client, ClientConfig, ClientError, CreateResponse, LookupResponse};
pub use departure::Departure;
pub use headers::{Allowance, ResponseHeaders};
pub use lookup::{Extent, LookupScan, PageResult};
pub use proxy::{Proxy, ProxyError, Route};
pub use response::{Body, Response};
pub use token::{Token, TokenError};
pub use token_response::{Failing, GrantResult};
pub use wire::{SentFacts, SentRequest};
