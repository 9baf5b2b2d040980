//! What the sending commands share: the account, the client, the job, and the message why a run
//! stopped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::preflight;
use crate::api::{Client, ClientConfig, Route};
use crate::delivery::{Api, Job, Offer, Shutdown, Verdict};
use crate::domain::{StopWords, counted};
use crate::exit::Signal;
use crate::failure::{self, Failure};
use crate::ledger::{Ledger, LedgerError, RunId};
use crate::process::signals::Signals;
use crate::settings::{SendingSettings, ServerSettings};

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub timeout: Duration,
    pub connect_timeout: Duration,
}

/// Returns the account that the credentials name, if any, and the client. Fails for everything that
/// can be refused before a request: an expired token, and a client that cannot be built.
pub(super) async fn client(
    server: &ServerSettings,
    patience: Patience,
    concurrency: usize,
    signals: &Signals,
) -> Result<(Option<String>, Api), Failure> {
    let owner = signals.or_stop(async { Ok(server.credentials.owner().await?) }).await?;
    preflight::refuse_dead_token(&server.credentials)?;
    let config = ClientConfig {
        base: server.target.base.clone(),
        timeout: patience.timeout,
        connect_timeout: patience.connect_timeout,
        ca_file: server.ca_file.clone(),
        concurrency,
        route: server.route.clone(),
    };
    Ok((owner, Api::new(Client::new(config)?, Arc::clone(&server.credentials))))
}

/// Logs the proxy that requests go through, if there is one.
pub(super) fn log_proxy(server: &ServerSettings) {
    if let Route::Proxy(proxy) = &server.route {
        tracing::info!("requests go through the proxy {} ({})", proxy.host(), proxy.variable());
    }
}

/// Sends requests to a server.
#[derive(Debug)]
pub(super) struct Sender {
    pub server: ServerSettings,
    pub sending: SendingSettings,
    /// The account of the credentials, if they name one.
    owner: Option<String>,
}

impl Sender {
    /// Returns the sender and its client. Fails for everything that can be refused before a ledger
    /// is created: an expired token, and a client that cannot be built.
    pub(super) async fn new(
        server: ServerSettings,
        sending: SendingSettings,
        signals: &Signals,
    ) -> Result<(Self, Api), Failure> {
        let patience = Patience { timeout: sending.timeout, connect_timeout: sending.connect_timeout };
        let (owner, api) = client(&server, patience, sending.concurrency.get(), signals).await?;
        Ok((Self { server, sending, owner }, api))
    }

    /// Opens the ledger of `resolve` and `pull`, which will send from here on.
    pub(super) async fn open_ledger(&self, signals: &Signals) -> Result<Arc<Ledger>, Failure> {
        let target = self.server.target.clone();
        let ledger = signals.beside(move || target.open_ledger(true)).await?;
        self.check_owner(&ledger).await?;
        self.log_proxy();
        Ok(Arc::new(ledger))
    }

    /// Fails if another account has used this name in the ledger, because its customers would count
    /// as those of this account.
    pub(super) async fn check_owner(&self, ledger: &Ledger) -> Result<(), Failure> {
        if let Some(owner) = &self.owner {
            ledger.check_owner(owner).await?;
        }
        Ok(())
    }

    /// Logs the proxy that the customers' data goes through, if there is one.
    pub(super) fn log_proxy(&self) {
        log_proxy(&self.server);
    }

    pub(super) fn job(
        &self,
        server: Api,
        ledger: &Arc<Ledger>,
        run: &RunId,
        offers: mpsc::Receiver<Offer>,
        to_send: u64,
        shutdown: &Shutdown,
    ) -> Job<Api> {
        let SendingSettings { rate, concurrency, timeout, retry, guard, claims, lookups, limit, .. } = self.sending;
        if retry.settle < timeout {
            tracing::warn!(
                "--settle is below --timeout: an unanswered request may still take effect after it is sent again"
            );
        }
        Job {
            server,
            ledger: Arc::clone(ledger),
            run: run.clone(),
            offers,
            to_send,
            rate,
            concurrency,
            retry,
            guard,
            claims,
            lookups,
            limit,
            known_rejected: HashSet::new(),
            opening: None,
            shutdown: shutdown.clone(),
        }
    }
}

/// Returns why a run stopped early, or `None` if it did not.
pub(super) fn stop_message(verdict: &Verdict, signal: Option<Signal>) -> Option<StopWords> {
    Some(match verdict {
        Verdict::Finished | Verdict::LimitReached => return None,
        Verdict::Interrupted => signal.map_or_else(|| "interrupted".into(), |signal| format!("stopped by {signal}").into()),
        Verdict::TooManyFailures(count) => {
            format!("{} rejected or failed (--max-failures)", counted(*count, "record")).into()
        }
        Verdict::RejectedAlike { times, words } => format!(
            "{times} records in a row were rejected with the same message ({words}), most likely because of a wrong mapping"
        )
        .into(),
        Verdict::Stopped(reason) => reason.words().clone(),
        Verdict::LedgerFailed(error @ LedgerError::Lost { lost, .. }) => {
            StopWords::advising(error.to_string(), failure::hint_of_lost(lost))
        }
        Verdict::LedgerFailed(error) => error.to_string().into(),
        Verdict::Crashed(panic) => format!("internal error: {panic}; its record is in doubt").into(),
    })
}
