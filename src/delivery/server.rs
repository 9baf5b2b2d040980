//! What delivery asks of the server, and how the API answers it.

use std::future::Future;
use std::sync::Arc;

use super::payload::Payload;
use crate::api::{
    Allowance, AuthError, Client, Credentials, Departure, GrantResult, LookupResponse, PageResult, SentRequest, Token,
};
use crate::domain::AttemptResult;

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
pub enum TokenRequest {
    /// A login; or, of a source that is not the API, another token than the one that was refused.
    Login { refused: Option<Token> },
    /// In exchange for a token that lives.
    Refresh(Token),
}

/// The server as delivery sees it: [`Api`] in earnest, a script in tests. Each call is one request,
/// and nothing is repeated inside.
pub trait Server: Send + Sync + 'static {
    fn create(&self, token: &Token, request: Outgoing<'_>) -> impl Future<Output = CreateReply> + Send;
    fn look_up(&self, token: &Token, email: &str, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// One page of all customers.
    fn list(&self, token: &Token, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// Whether a token takes a request to the API.
    fn logs_in(&self) -> bool;
    fn obtain(&self, way: &TokenRequest) -> impl Future<Output = GrantResult> + Send;
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
        let sent = SentRequest { email: &payload.email, body: &payload.body };
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

    async fn obtain(&self, way: &TokenRequest) -> GrantResult {
        match (&*self.credentials, way) {
            (Credentials::Account(account), TokenRequest::Login { .. }) => self.client.log_in(account).await,
            (Credentials::Account(account), TokenRequest::Refresh(token)) => self.client.refresh(token, account).await,
            (Credentials::Source(source), TokenRequest::Login { refused: None }) => from_source(source.token().await),
            (
                Credentials::Source(source),
                TokenRequest::Login { refused: Some(token) } | TokenRequest::Refresh(token),
            ) => from_source(source.renew(token).await),
        }
    }
}

fn from_source(token: Result<Token, AuthError>) -> GrantResult {
    match token {
        Ok(token) => GrantResult::Granted { token, life: None },
        Err(error) => GrantResult::Stop(error.into()),
    }
}

fn reply(answer: LookupResponse) -> LookupReply {
    LookupReply { page: answer.page, allowance: answer.allowance }
}
