//! The way of every request: a permit, and a token to send with. What is due to the token is done on the way, one request a permit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::token_cache::{Errand, Keyring, Refusal};
use crate::api::{Allowance, Failing, GrantResult, Token};
use crate::delivery::backoff::jitter;
use crate::delivery::note::Note;
use crate::delivery::rate::circuit_breaker::Health;
use crate::delivery::rate::pacer::{Pacer, Permit, until};
use crate::delivery::server::{Server, Way};
use crate::delivery::shutdown::Shutdown;
use crate::domain::StopReason;
use crate::event::{Event, Request};

/// All that one request needs to leave.
#[derive(Debug)]
pub(crate) struct Admission {
    pub permit: Permit,
    pub token: Token,
}

/// Hands out admissions, and keeps the token that goes with them.
#[derive(Debug)]
pub(crate) struct Tokens<S> {
    server: Arc<S>,
    pacer: Pacer,
    shutdown: Shutdown,
    notes: mpsc::UnboundedSender<Note>,
    /// Held for a decision, never while anything is waited for.
    keyring: Mutex<Keyring>,
    /// A renewal ended.
    renewed: Notify,
}

impl<S: Server> Tokens<S> {
    pub(crate) fn new(
        server: Arc<S>,
        pacer: Pacer,
        shutdown: Shutdown,
        notes: mpsc::UnboundedSender<Note>,
        give_up_after: Duration,
    ) -> Self {
        let keyring = Mutex::new(Keyring::new(server.logs_in(), give_up_after));
        Self { server, pacer, shutdown, notes, keyring, renewed: Notify::new() }
    }

    /// The right to send one request, and the token to send it with. `None`: the run drains.
    ///
    /// Whoever finds the token due uses the permit in hand to renew it, and asks for another. A permit is never held while somebody
    /// else's renewal is waited for: it may be the breaker's only probe. Nor while a source that is not the API is asked: meanwhile the
    /// run may have been told to stop, or to pause.
    pub(crate) async fn admit(&self) -> Result<Option<Admission>, StopReason> {
        loop {
            // A source may block for as long as it likes; whoever is told to stop does not wait for it.
            if self.shutdown.unless_draining(self.ask_source()).await.is_none() {
                return Ok(None);
            }
            let Some(permit) = self.shutdown.unless_draining(self.next_permit()).await.transpose()?.flatten() else {
                return Ok(None);
            };
            let errand = self.keyring().take(Instant::now());
            match errand {
                Errand::Send(token) => return Ok(Some(Admission { permit, token })),
                Errand::Obtain(way) if self.server.logs_in() => self.request(&way, permit).await,
                Errand::Obtain(way) => {
                    drop(permit);
                    if self.shutdown.unless_draining(self.obtain(&way)).await.is_none() {
                        return Ok(None);
                    }
                }
                Errand::Wait(_) => {}
                Errand::Stop(reason) => return Err(reason),
            }
        }
    }

    /// A source that is not the API needs no permit.
    async fn ask_source(&self) {
        if self.server.logs_in() || !matches!(self.keyring().plan(Instant::now()), Errand::Obtain(_)) {
            return;
        }
        let errand = self.keyring().take(Instant::now());
        if let Errand::Obtain(way) = errand {
            self.obtain(&way).await;
        }
    }

    /// The API refused the token.
    pub(crate) fn refused(&self, token: &Token) -> Refusal {
        let refusal = self.keyring().refused(token);
        if refusal == Refusal::Current {
            self.tell(Event::TokenRefused);
            self.renewed.notify_waiters();
        }
        refusal
    }

    /// The API took the token.
    pub(crate) fn accepted(&self, token: &Token) {
        self.keyring().accepted(token);
    }

    async fn next_permit(&self) -> Result<Option<Permit>, StopReason> {
        // There is something to do with a permit, or nothing any more.
        self.when(|errand| if let Errand::Wait(moment) = errand { Err(moment) } else { Ok(()) }).await;
        // Nobody needs a permit to hear that the run is over.
        let stopped = self.when(|errand| if let Errand::Stop(reason) = errand { Ok(reason) } else { Err(None) });
        tokio::select! {
            biased;
            reason = stopped => Err(reason),
            permit = self.pacer.permit() => Ok(permit),
        }
    }

    /// Waits until `found` makes something of what the token needs. It is asked again at the moment that it names, and whenever something
    /// has changed.
    async fn when<T>(&self, found: impl Fn(Errand) -> Result<T, Option<Instant>>) -> T {
        loop {
            let renewed = self.renewed.notified();
            let errand = self.keyring().plan(Instant::now());
            match found(errand) {
                Ok(found) => return found,
                Err(again) => tokio::select! {
                    () = renewed => {}
                    () = until(again) => {}
                },
            }
        }
    }

    /// One request to the API for a token.
    async fn request(&self, way: &Way, mut permit: Permit) {
        permit.leave().await;
        self.tell(Event::Request(Request::Credentials));
        let result = self.obtain(way).await;
        self.hear(permit, &result);
    }

    async fn obtain(&self, way: &Way) -> GrantResult {
        let asked_at = Instant::now();
        let result = self.server.obtain(way).await;
        self.tell_of(way, &result);
        self.keyring().obtained(way, result.clone(), asked_at, Instant::now(), jitter());
        self.renewed.notify_waiters();
        result
    }

    fn hear(&self, permit: Permit, result: &GrantResult) {
        // Such a route often has a limit of its own, so what it announces is not heard; a pause that it wants is kept by all.
        permit.report(health(result), Allowance::default());
        if let GrantResult::Throttled { pause } = result {
            self.pacer.throttled(*pause);
            drop(self.notes.send(Note::Throttled(*pause)));
        }
    }

    fn tell_of(&self, way: &Way, result: &GrantResult) {
        let by = match way {
            _ if !self.server.logs_in() => "its source",
            Way::Refresh(_) => "a refresh",
            Way::Anew { .. } => "a login",
        };
        match result {
            GrantResult::Granted { life, .. } => {
                tracing::debug!(by, lives = life.map(tracing::field::debug), "a token was obtained");
            }
            GrantResult::Failed(Failing { cause, .. }) if matches!(way, Way::Anew { .. }) => {
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
        // The run outlives its tasks; if it is gone nobody is left to tell.
        drop(self.notes.send(Note::Event(event)));
    }

    fn keyring(&self) -> MutexGuard<'_, Keyring> {
        // Nothing that is done under the lock leaves the keyring half changed.
        self.keyring.lock().unwrap_or_else(PoisonError::into_inner)
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
