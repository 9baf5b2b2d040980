//! What delivery asks of the server, and how the API answers it.

use std::future::Future;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use crate::api::{
    Allowance, AuthError, Client, Credentials, Departure, GrantResult, LookupAnswer, PageResult, Sent, Token, wire,
};
use crate::domain::{AttemptResult, FoundCustomer, NewCustomer};
use crate::ledger::PayloadHash;

/// The bytes that are sent for a record, and what they say.
#[derive(Clone)]
pub struct Payload {
    pub(super) body: Vec<u8>,
    pub(super) hash: PayloadHash,
    pub(super) email: String,
}

impl Payload {
    #[must_use]
    pub fn of(customer: &NewCustomer<'_>) -> Self {
        let body = wire::body(customer);
        Self { hash: PayloadHash::of(&body), body, email: customer.email.as_str().to_owned() }
    }

    /// The bytes of an earlier run, as the ledger kept them; what they say is only for comparing.
    #[must_use]
    pub fn stored(body: Vec<u8>, email: &str) -> Self {
        let email = wire::facts(&body).map_or_else(|| email.to_owned(), |facts| facts.email);
        Self { hash: PayloadHash::of(&body), body, email }
    }

    /// Whether a customer that a look-up found carries our name and phone.
    pub(super) fn is_shown_by(&self, customer: &FoundCustomer) -> bool {
        let Some(ours) = wire::facts(&self.body) else { return false };
        let name = customer.name.as_deref().map(|name| name.trim().nfc().collect::<String>());
        let phone = customer.phone.as_deref().map(digits);
        name == Some(ours.name) && phone == Some(digits(&ours.phone))
    }
}

/// A person's data.
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("hash", &self.hash).finish_non_exhaustive()
    }
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// One request to create a customer.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub key: &'a str,
    pub payload: &'a Payload,
    /// Asked right before the first byte leaves.
    pub leave: Departure,
}

/// What came of it.
#[derive(Debug)]
pub struct CreateReply {
    pub result: AttemptResult,
    pub http_status: Option<u16>,
    pub allowance: Allowance,
}

/// One page of a look-up.
#[derive(Debug)]
pub struct LookupReply {
    pub page: PageResult,
    pub allowance: Allowance,
}

/// A way to the next token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A login; or, of a source that is not the API, another token than the one that was refused.
    Anew { refused: Option<Token> },
    /// In exchange for a token that lives.
    Refresh(Token),
}

/// The server as delivery sees it: [`Api`] in earnest, a script in tests. Each call is one request, and nothing is repeated inside.
pub trait Server: Send + Sync + 'static {
    fn create(&self, token: &Token, request: Outgoing<'_>) -> impl Future<Output = CreateReply> + Send;
    fn look_up(&self, token: &Token, email: &str, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// One page of all customers.
    fn list(&self, token: &Token, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// Whether a token takes a request to the API.
    fn logs_in(&self) -> bool;
    fn obtain(&self, way: &Way) -> impl Future<Output = GrantResult> + Send;
}

/// The real server.
#[derive(Debug)]
pub struct Api {
    client: Client,
    credentials: Arc<Credentials>,
}

impl Api {
    #[must_use]
    pub fn new(client: Client, credentials: Arc<Credentials>) -> Self {
        Self { client, credentials }
    }
}

impl Server for Api {
    async fn create(&self, token: &Token, request: Outgoing<'_>) -> CreateReply {
        let Outgoing { key, payload, leave } = request;
        let sent = Sent { email: &payload.email, body: &payload.body };
        let answer = self.client.create(token, key, payload.body.clone(), sent, &leave).await;
        CreateReply { result: answer.result, http_status: answer.http_status, allowance: answer.allowance }
    }

    async fn look_up(&self, token: &Token, email: &str, page: u32) -> LookupReply {
        reply(self.client.lookup_page(token, email, page).await)
    }

    async fn list(&self, token: &Token, page: u32) -> LookupReply {
        reply(self.client.list_page(token, page).await)
    }

    fn logs_in(&self) -> bool {
        matches!(*self.credentials, Credentials::Account(_))
    }

    async fn obtain(&self, way: &Way) -> GrantResult {
        match (&*self.credentials, way) {
            (Credentials::Account(account), Way::Anew { .. }) => self.client.log_in(account).await,
            (Credentials::Account(account), Way::Refresh(token)) => self.client.refresh(token, account).await,
            (Credentials::Source(source), Way::Anew { refused: None }) => from_source(source.token().await),
            (Credentials::Source(source), Way::Anew { refused: Some(token) } | Way::Refresh(token)) => {
                from_source(source.renew(token).await)
            }
        }
    }
}

fn from_source(token: Result<Token, AuthError>) -> GrantResult {
    match token {
        Ok(token) => GrantResult::Granted { token, life: None },
        Err(error) => GrantResult::Stop(error.into()),
    }
}

fn reply(answer: LookupAnswer) -> LookupReply {
    LookupReply { page: answer.page, allowance: answer.allowance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailKey, Receipt};

    #[test]
    fn a_customer_is_ours_by_name_and_phone_and_a_body_that_tells_neither_is_nobodys() {
        let found = |name: &str, phone: &str| FoundCustomer {
            email: EmailKey::of("ada@example.org"),
            receipt: Receipt::default(),
            name: Some(name.to_owned()),
            phone: Some(phone.to_owned()),
            age: None,
        };
        let body = br#"{"customer_email":"ada@example.org","customer_name":"Ada","customer_phone":"+12"}"#;
        let ours = Payload::stored(body.to_vec(), "");
        assert_eq!(ours.email, "ada@example.org");
        assert!(ours.is_shown_by(&found(" Ada ", "1 2")));
        assert!(!ours.is_shown_by(&found("Ada", "+13")));
        assert!(!ours.is_shown_by(&found("Bob", "+12")));
        assert!(!Payload::stored(b"{}".to_vec(), "ada@example.org").is_shown_by(&found("", "")));
    }
}
