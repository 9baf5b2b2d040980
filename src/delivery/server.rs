//! What delivery asks of the server, and how the API answers it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use crate::api::{Allowance, Client, Credentials, LookupAnswer, PageResult, Sent, Token, wire};
use crate::domain::{AttemptResult, FoundCustomer, NewCustomer, StopReason};
use crate::ledger::PayloadHash;

/// The bytes that are sent for a record, and what they say.
#[derive(Clone)]
pub struct Payload {
    pub(super) body: Vec<u8>,
    pub(super) hash: PayloadHash,
    pub(super) email: String,
    name: String,
    phone: String,
}

impl Payload {
    #[must_use]
    pub fn of(customer: &NewCustomer<'_>) -> Self {
        let body = wire::body(customer);
        Self {
            hash: PayloadHash::of(&body),
            body,
            email: customer.email.as_str().to_owned(),
            name: customer.name.as_str().to_owned(),
            phone: customer.phone.as_str().to_owned(),
        }
    }

    /// The bytes of an earlier run, as the ledger kept them; what they say is only for comparing.
    #[must_use]
    pub fn stored(body: Vec<u8>, email: &str) -> Self {
        let (name, phone, email) = match wire::facts(&body) {
            Some(facts) => (facts.name, facts.phone, facts.email),
            None => (String::new(), String::new(), email.to_owned()),
        };
        Self { hash: PayloadHash::of(&body), body, email, name, phone }
    }

    /// Whether a customer that a look-up found carries our name and phone.
    pub(super) fn is_shown_by(&self, customer: &FoundCustomer) -> bool {
        let name = customer.name.as_deref().map(|name| name.trim().nfc().collect::<String>());
        let phone = customer.phone.as_deref().map(digits);
        name.as_deref() == Some(&self.name) && phone == Some(digits(&self.phone))
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
}

/// What came of it.
#[derive(Debug)]
pub struct CreateReply {
    pub result: AttemptResult,
    pub http_status: Option<u16>,
    pub allowance: Allowance,
    /// The token that was sent, for whoever must replace it.
    pub token: Option<Token>,
}

/// One page of a look-up.
#[derive(Debug)]
pub struct LookupReply {
    pub page: PageResult,
    pub allowance: Allowance,
    pub token: Option<Token>,
}

/// The server as delivery sees it: [`Api`] in earnest, a script in tests. Each call is one request, and nothing is repeated inside.
pub trait Server: Send + Sync + 'static {
    /// Whatever must be fetched before a request can leave at once.
    fn prepare(&self) -> impl Future<Output = Result<(), StopReason>> + Send;
    fn create(&self, request: Outgoing<'_>) -> impl Future<Output = CreateReply> + Send;
    fn look_up(&self, email: &str, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// One page of all customers.
    fn list(&self, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// Replaces a token that was refused, once for all who were refused with it.
    fn renew_token(&self, refused: &Token) -> impl Future<Output = Result<(), StopReason>> + Send;
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
    async fn prepare(&self) -> Result<(), StopReason> {
        self.credentials.token().await.map(drop).map_err(Into::into)
    }

    async fn create(&self, request: Outgoing<'_>) -> CreateReply {
        let Outgoing { key, payload } = request;
        let token = match self.credentials.token().await {
            Ok(token) => token,
            Err(error) => return unsent(error.into()),
        };
        let sent =
            Sent::of(&payload.body).unwrap_or_else(|| Sent { email: payload.email.clone(), fields: BTreeSet::new() });
        let answer = self.client.create(&token, key, payload.body.clone(), &sent).await;
        CreateReply {
            result: answer.result,
            http_status: answer.http_status,
            allowance: answer.allowance,
            token: Some(token),
        }
    }

    async fn look_up(&self, email: &str, page: u32) -> LookupReply {
        match self.credentials.token().await {
            Ok(token) => reply(self.client.lookup_page(&token, email, page).await, token),
            Err(error) => unasked(error.into()),
        }
    }

    async fn list(&self, page: u32) -> LookupReply {
        match self.credentials.token().await {
            Ok(token) => reply(self.client.list_page(&token, page).await, token),
            Err(error) => unasked(error.into()),
        }
    }

    async fn renew_token(&self, refused: &Token) -> Result<(), StopReason> {
        self.credentials.renew(refused).await.map(drop).map_err(Into::into)
    }
}

fn reply(answer: LookupAnswer, token: Token) -> LookupReply {
    LookupReply { page: answer.page, allowance: answer.allowance, token: Some(token) }
}

fn unasked(reason: StopReason) -> LookupReply {
    LookupReply { page: PageResult::Stop(reason), allowance: Allowance::default(), token: None }
}

fn unsent(reason: StopReason) -> CreateReply {
    CreateReply { result: AttemptResult::Stop(reason), http_status: None, allowance: Allowance::default(), token: None }
}
