//! The Add Customer API as this tool speaks with it.
//!
//! - [`BaseUrl`]: where it is.
//! - [`wire`]: what is sent, as bytes that stay the same.
//! - [`Client`]: one request, one answer, nothing done behind the caller's back: no redirects, no retries of its own.
//! - [`Departure`]: the last check before a request leaves.
//! - [`Answer`] → [`classify()`] → [`AttemptResult`](crate::domain::AttemptResult): what an answer to a `POST` means. Pure.
//! - [`lookup`]: what an answer to a look-up means, and how its pages add up. Pure.
//! - [`Credentials`]: where bearer tokens come from. [`TokenSource`]: handed over, file or command; [`AppAccount`]: login and refresh.
//! - [`GrantResult`]: what an answer to a login or a refresh means. Pure.
//!
//! The rules: every request is one call, so that the caller can ask the pace and the ledger first; whatever is not surely unsent counts as
//! possibly sent; a customer counts as created only with an id from the server. Neither errors nor `Debug` show a token, a body or a query,
//! and what a server repeats of our secrets is hidden before anybody else reads it.

mod account;
mod answer;
mod auth;
mod base_url;
mod classify;
mod client;
mod departure;
mod envelope;
mod grant;
pub mod lookup;
mod pause;
mod proxy;
mod repeated;
mod said;
mod taken;
mod token;
mod transport;
pub mod wire;
mod words;

pub use account::AppAccount;
pub use answer::{Allowance, Answer, AnswerHeaders, Body};
pub use auth::{AuthError, Credentials, TokenSource};
pub use base_url::{BaseUrl, BaseUrlError};
pub use classify::classify;
pub use client::{Client, ClientConfig, ClientError, CreateAnswer, LookupAnswer};
pub use departure::Departure;
pub use grant::{Failing, GrantResult};
pub use lookup::{Extent, LookupScan, PageResult};
pub use proxy::{Proxy, ProxyError, Route};
pub use token::{Token, TokenError};
pub use wire::{Sent, SentFacts};
