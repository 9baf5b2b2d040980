//! What delivery needs from the server, and how the API provides it.

use std::future::Future;
use std::sync::Arc;

use super::payload::Payload;
use crate::api::{
    Allowance, AuthError, Client, Credentials, Departure, FirstLook, GrantResult, LookupResponse, PageResult,
    SentRequest, Token,
};
use crate::domain::AttemptResult;

/// One request to create a customer.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub key: &'a str,
    pub payload: &'a Payload,
    /// Checked right before the first byte is sent.
    pub leave: Departure,
}

/// The result of that request.
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

/// How to get the next token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRequest {
    /// A login. From a source that is not the API: a token other than the rejected one.
    Login { refused: Option<Token> },
    /// In exchange for a token that is still valid.
    Refresh(Token),
}

/// The server as delivery sees it: [`Api`] in production, a script in tests. Each call is one
/// request and repeats nothing.
pub trait Server: Send + Sync + 'static {
    fn create(&self, token: &Token, request: Outgoing<'_>) -> impl Future<Output = CreateReply> + Send;
    fn look_up(&self, token: &Token, email: &str, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// One page of all customers.
    fn list(&self, token: &Token, page: u32) -> impl Future<Output = LookupReply> + Send;
    /// Returns whether getting a token takes a request to the API.
    fn logs_in(&self) -> bool;
    fn obtain(&self, way: &TokenRequest) -> impl Future<Output = GrantResult> + Send;
    /// Takes note that the thread of the run handled so many records of the input, which takes
    /// processor time that is not due to any response.
    fn handled(&self, _records: usize) {}
}

/// The real server. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    credentials: Arc<Credentials>,
}

impl Api {
    #[must_use]
    pub fn new(client: Client, credentials: Arc<Credentials>) -> Self {
        Self { client, credentials }
    }

    /// Requests one customer of the list, to see how the server answers.
    pub(super) async fn first_look(&self, token: &Token) -> FirstLook {
        self.client.first_look(token).await
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

    fn handled(&self, records: usize) {
        self.client.handled(records);
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
