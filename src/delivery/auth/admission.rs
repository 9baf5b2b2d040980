//! Gives each request a permit and a token to send with. If the token is due, the permit is used to
//! renew it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::token_cache::{TokenAction, TokenCache, TokenRefusal};
use crate::api::{Allowance, Failing, GrantResult, Token};
use crate::delivery::backoff::jitter;
use crate::delivery::note::TaskMessage;
use crate::delivery::rate::circuit_breaker::Health;
use crate::delivery::rate::pacer::{Pacer, Permit, until};
use crate::delivery::server::{Server, TokenRequest};
use crate::delivery::shutdown::Shutdown;
use crate::domain::{Request, ResponseClass, StopReason};
use crate::event::Event;

/// What one request needs before it is sent.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub permit: Permit,
    pub token: Token,
    /// When the server rejects the token at the latest. `None` if that is unknown.
    pub ends_at: Option<Instant>,
}

/// Hands out permits together with the current token, and keeps that token fresh.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    server: Arc<S>,
    pacer: Pacer,
    shutdown: Shutdown,
    messages: mpsc::UnboundedSender<TaskMessage>,
    /// Locked for a decision, never across an await.
    cache: Mutex<TokenCache>,
    /// Notified when a renewal ends or the token is rejected.
    renewed: Notify,
}

impl<S: Server> Admission<S> {
    pub(crate) fn new(
        server: Arc<S>,
        pacer: Pacer,
        shutdown: Shutdown,
        messages: mpsc::UnboundedSender<TaskMessage>,
        give_up_after: Duration,
    ) -> Self {
        let tokens = TokenCache::new(server.logs_in(), give_up_after);
        Self::with_tokens(server, pacer, shutdown, messages, tokens)
    }

    /// Does the same with the tokens of another admission.
    pub(crate) fn with_tokens(
        server: Arc<S>,
        pacer: Pacer,
        shutdown: Shutdown,
        messages: mpsc::UnboundedSender<TaskMessage>,
        tokens: TokenCache,
    ) -> Self {
        Self { server, pacer, shutdown, messages, cache: Mutex::new(tokens), renewed: Notify::new() }
    }

    /// Returns the tokens, for an admission that continues with them.
    pub(crate) fn into_tokens(self) -> TokenCache {
        self.cache.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the right to send one request, and the token to send it with. Returns `None` if the
    /// run drains.
    ///
    /// If the token is due, the task uses its permit to renew it and requests another one. A task
    /// never holds a permit while it waits for another task's renewal, because the permit may be
    /// the only probe of an open breaker. Nor does it hold one while it asks a source that is not
    /// the API, because the run may have to stop or pause meanwhile.
    pub(crate) async fn admit(&self) -> Result<Option<Admitted>, StopReason> {
        loop {
            // A source may block for any time; a run that drains does not wait for it.
            if self.shutdown.unless_draining(self.ask_source()).await.is_none() {
                return Ok(None);
            }
            let Some(permit) = self.shutdown.unless_draining(self.next_permit()).await.transpose()?.flatten() else {
                return Ok(None);
            };
            let (action, ends_at) = {
                let mut cache = self.cache();
                (cache.take(Instant::now()), cache.ends_at())
            };
            match action {
                TokenAction::Send(token) => return Ok(Some(Admitted { permit, token, ends_at })),
                TokenAction::Obtain(request) if self.server.logs_in() => self.request(&request, permit).await,
                TokenAction::Obtain(request) => {
                    drop(permit);
                    if self.shutdown.unless_draining(self.obtain(&request)).await.is_none() {
                        return Ok(None);
                    }
                }
                TokenAction::Wait(_) => {}
                TokenAction::Stop(reason) => return Err(reason),
            }
        }
    }

    /// Gets a token from a source that is not the API, which needs no permit.
    async fn ask_source(&self) {
        if self.server.logs_in() || !matches!(self.cache().plan(Instant::now()), TokenAction::Obtain(_)) {
            return;
        }
        let action = self.cache().take(Instant::now());
        if let TokenAction::Obtain(request) = action {
            self.obtain(&request).await;
        }
    }

    /// Reports that the API rejected the token.
    pub(crate) fn refused(&self, token: &Token) -> TokenRefusal {
        let refusal = self.cache().refused(token);
        if refusal == TokenRefusal::Current {
            self.tell(Event::TokenRefused);
            self.renewed.notify_waiters();
        }
        refusal
    }

    /// Reports that the API accepted the token.
    pub(crate) fn accepted(&self, token: &Token) {
        self.cache().accepted(token);
    }

    async fn next_permit(&self) -> Result<Option<Permit>, StopReason> {
        // Until there is a use for a permit, or the run is over.
        self.when(|action| if let TokenAction::Wait(moment) = action { Err(moment) } else { Ok(()) }).await;
        // Watched while the permit is awaited, because a stop needs none.
        let stopped = self.when(|action| if let TokenAction::Stop(reason) = action { Ok(reason) } else { Err(None) });
        tokio::select! {
            biased;
            reason = stopped => Err(reason),
            permit = self.pacer.permit() => Ok(permit),
        }
    }

    /// Waits until `found` accepts what the token needs. Calls it again at the moment that it
    /// returns, and whenever a renewal ended.
    async fn when<T>(&self, found: impl Fn(TokenAction) -> Result<T, Option<Instant>>) -> T {
        loop {
            let renewed = self.renewed.notified();
            let action = self.cache().plan(Instant::now());
            match found(action) {
                Ok(found) => return found,
                Err(again) => tokio::select! {
                    () = renewed => {}
                    () = until(again) => {}
                },
            }
        }
    }

    /// Sends one request to the API for a token.
    async fn request(&self, request: &TokenRequest, mut permit: Permit) {
        permit.leave().await;
        self.tell(Event::Request(Request::Credentials));
        let left = Instant::now();
        let result = self.obtain(request).await;
        let (class, took) = (class(&result), left.elapsed());
        self.tell(Event::Response { request: Request::Credentials, class, took });
        self.hear(permit, &result);
    }

    async fn obtain(&self, request: &TokenRequest) -> GrantResult {
        let asked_at = Instant::now();
        let result = self.server.obtain(request).await;
        self.tell_of(request, &result);
        self.cache().obtained(request, result.clone(), asked_at, Instant::now(), jitter());
        self.renewed.notify_waiters();
        result
    }

    fn hear(&self, permit: Permit, result: &GrantResult) {
        // The announced limit is ignored, because this route often has a limit of its own. A pause
        // that it asks for applies to all requests.
        permit.report(health(result), Allowance::default());
        if let GrantResult::Throttled { pause } = result {
            self.pacer.throttled(*pause);
            drop(self.messages.send(TaskMessage::Throttled(*pause)));
        }
    }

    fn tell_of(&self, request: &TokenRequest, result: &GrantResult) {
        let by = match request {
            _ if !self.server.logs_in() => "its source",
            TokenRequest::Refresh(_) => "a refresh",
            TokenRequest::Login { .. } => "a login",
        };
        match result {
            GrantResult::Granted { life, .. } => {
                tracing::debug!(by, lives = life.map(tracing::field::debug), "a token was obtained");
            }
            GrantResult::Failed(Failing { cause, .. }) if matches!(request, TokenRequest::Login { .. }) => {
                self.tell(Event::NoToken { why: cause.clone() });
            }
            GrantResult::Refused(why) | GrantResult::NotOffered(why) => tracing::debug!(by, %why, "no token"),
            GrantResult::Failed(Failing { cause, .. }) => tracing::debug!(by, why = %cause, "no token"),
            GrantResult::NoToken | GrantResult::Throttled { .. } | GrantResult::Stop(_) => {
                tracing::debug!(by, "no token");
            }
        }
    }

    fn tell(&self, event: Event) {
        // The run outlives its tasks; if it is gone, the message has no reader.
        drop(self.messages.send(TaskMessage::Event(event)));
    }

    fn cache(&self) -> MutexGuard<'_, TokenCache> {
        // No panic under the lock can leave the cache half changed.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn class(result: &GrantResult) -> ResponseClass {
    match result {
        GrantResult::Granted { .. } => ResponseClass::Success,
        GrantResult::Refused(_) | GrantResult::NotOffered(_) => ResponseClass::Rejected,
        GrantResult::Throttled { .. } => ResponseClass::Throttled,
        GrantResult::Failed(Failing { is_down: true, .. }) => ResponseClass::Silence,
        GrantResult::Failed(_) => ResponseClass::ServerError,
        GrantResult::NoToken | GrantResult::Stop(_) => ResponseClass::Other,
    }
}

fn health(result: &GrantResult) -> Health {
    match result {
        GrantResult::Failed(Failing { is_down: true, .. }) => Health::Failing,
        GrantResult::Failed(_) => Health::Unclear,
        GrantResult::Granted { .. }
        | GrantResult::Refused(_)
        | GrantResult::NoToken
        | GrantResult::NotOffered(_)
        | GrantResult::Throttled { .. }
        | GrantResult::Stop(_) => Health::Alive,
    }
}

#[cfg(test)]
mod tests;
