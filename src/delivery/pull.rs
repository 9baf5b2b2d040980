//! Learning the customers that the account has already, page by page and at the run's pace, so that they are never posted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::breaker::Health;
use super::deliver::jitter;
use super::pace::{Pacer, Rate, UNTOLD_PAUSE};
use super::patience::Patience;
use super::retry::backoff;
use super::server::{LookupReply, Server};
use super::shutdown::Shutdown;
use crate::api::PageResult;
use crate::domain::StopReason;
use crate::ledger::{Ledger, LedgerError, RunId};

/// A page that failed this often ends the pull.
const TRIES: u32 = 5;

#[derive(Debug)]
pub struct Pull<S> {
    pub server: S,
    pub ledger: Arc<Ledger>,
    pub run: RunId,
    pub rate: Rate,
    /// How long to go on while the server says nothing but "too many requests".
    pub give_up_after: Duration,
    pub shutdown: Shutdown,
}

/// How a pull ended. What was learnt before a stop stays learnt.
#[derive(Debug)]
pub struct Pulled {
    pub customers: u64,
    pub learnt: u64,
    pub requests: u64,
    pub end: Result<(), PullStop>,
}

#[derive(Debug)]
pub enum PullStop {
    Interrupted,
    Stop(StopReason),
    Ledger(LedgerError),
}

/// Reads all pages, and remembers each before it asks for the next.
pub async fn pull<S: Server>(pull: Pull<S>) -> Pulled {
    let (events, _told) = mpsc::unbounded_channel();
    let pacer = Pacer::start(pull.rate, events);
    let mut pulled = Pulled { customers: 0, learnt: 0, requests: 0, end: Ok(()) };
    pulled.end = read_pages(&pull, &pacer, &mut pulled).await;
    pulled
}

async fn read_pages<S: Server>(pull: &Pull<S>, pacer: &Pacer, pulled: &mut Pulled) -> Result<(), PullStop> {
    let (mut page, mut failures) = (1, 0);
    let mut patience = Patience::new(pull.give_up_after);
    loop {
        if pull.shutdown.is_draining() || failures >= TRIES {
            return Err(if failures < TRIES { PullStop::Interrupted } else { gave_up() });
        }
        let reply = ask(pull, pacer, page).await.ok_or(PullStop::Interrupted)?;
        pulled.requests += 1;
        match reply.page {
            PageResult::Rows { found, last_page } => {
                failures = 0;
                patience.conclusive();
                pulled.customers += found.len() as u64;
                let known = found.into_iter().map(|customer| (customer.email, customer.receipt)).collect();
                pulled.learnt += pull.ledger.learn(&pull.run, known).await.map_err(PullStop::Ledger)?;
                match last_page {
                    Some(last) if page >= last => return Ok(()),
                    Some(_) | None => page += 1,
                }
            }
            PageResult::Throttled { retry_after } => {
                pacer.throttled(retry_after);
                let now = Instant::now();
                patience.throttled(retry_after.unwrap_or(UNTOLD_PAUSE), now);
                if let Some(why) = patience.is_over(now) {
                    return Err(PullStop::Stop(StopReason::Unreachable(why)));
                }
            }
            PageResult::Unauthorized => {
                failures += 1;
                let token = reply.token.ok_or_else(gave_up)?;
                pull.server.renew_token(&token).await.map_err(PullStop::Stop)?;
            }
            PageResult::Failed { cause } => {
                failures += 1;
                tracing::debug!(page, %cause, "a page failed");
                tokio::time::sleep(backoff(failures, jitter())).await;
            }
            PageResult::NotOffered { http_status } => {
                return Err(unclear(&format!("the API does not list its customers ({http_status})")));
            }
            PageResult::FilterIgnored => return Err(unclear("the list holds rows without an e-mail")),
            PageResult::Stop(reason) => return Err(PullStop::Stop(reason)),
        }
    }
}

/// One request at the run's pace; `None` when the pull is interrupted.
async fn ask<S: Server>(pull: &Pull<S>, pacer: &Pacer, page: u32) -> Option<LookupReply> {
    let permit = tokio::select! {
        biased;
        () = pull.shutdown.draining() => return None,
        permit = pacer.permit() => permit?,
    };
    let reply = pull.server.list(page).await;
    let health = if matches!(reply.page, PageResult::Failed { .. }) { Health::Unclear } else { Health::Conclusive };
    permit.report(health, reply.allowance);
    Some(reply)
}

fn gave_up() -> PullStop {
    PullStop::Stop(StopReason::Unreachable(format!("a page of the list failed {TRIES} times")))
}

fn unclear(what: &str) -> PullStop {
    PullStop::Stop(StopReason::Configuration(what.to_owned()))
}
