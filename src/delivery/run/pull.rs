//! Reads the customers that the account already has, page by page at the run's pace, so that they
//! are never sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::give_up::GiveUpTimer;
use crate::api::PageResult;
use crate::clock::Clock;
use crate::delivery::auth::admission::Admission;
use crate::delivery::backoff::{backoff, jitter};
use crate::delivery::handover;
use crate::delivery::note::TaskMessage;
use crate::delivery::pages::{PageReply, PageRequest, ask_for_page};
use crate::delivery::rate::pacer::{Before, Pacer};
use crate::delivery::rate::rate_option::Rate;
use crate::delivery::server::Server;
use crate::delivery::shutdown::Shutdown;
use crate::domain::{EmailKey, StopReason};
use crate::event::Event;
use crate::ledger::{Ledger, LedgerError, RunId};

/// After so many failures of a page the pull ends.
const TRIES: u32 = 5;

#[derive(Debug)]
pub struct Pull<S> {
    pub server: S,
    pub ledger: Arc<Ledger>,
    pub run: RunId,
    pub rate: Rate,
    /// How long to go on without a token, or while the server only answers "too many requests".
    pub give_up_after: Duration,
    pub shutdown: Shutdown,
}

/// How a pull ended. What it learned before a stop is kept.
#[derive(Debug)]
pub struct Pulled {
    pub customers: u64,
    pub learnt: u64,
    pub requests: u64,
    /// The page at which it ended, if that page had no new customer.
    pub repeated: Option<Repeated>,
    /// How many rows are missing from the total that the API reports.
    pub missing: u64,
    pub end: Result<(), PullStop>,
}

/// A page with only customers of an earlier one: the API returns the same list for every page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    pub page: u32,
    /// The number of pages that the API reports, if any. If it is larger than `page`, the list is
    /// incomplete.
    pub promised: Option<u32>,
}

#[derive(Debug)]
pub enum PullStop {
    Interrupted,
    Stop(StopReason),
    Ledger(LedgerError),
}

/// Reads all pages, and stores each one before it requests the next.
pub async fn pull<S: Server>(pull: Pull<S>) -> Pulled {
    let Pull { server, ledger, run, rate, give_up_after, shutdown } = pull;
    let (events, _unread) = mpsc::unbounded_channel();
    let (messages, mut noted) = mpsc::unbounded_channel();
    let clock = Clock::system();
    let before = Before { first: None, held_until: handover::held_until(&ledger, &clock) };
    let (server, pacer) = (Arc::new(server), Pacer::start_after(before, rate, events));
    let admission = Admission::new(Arc::clone(&server), pacer.clone(), shutdown.clone(), messages, give_up_after);
    let pulling = Pulling { server, ledger, run, pacer, admission, give_up_after, shutdown };
    let mut pulled = Pulled { customers: 0, learnt: 0, requests: 0, repeated: None, missing: 0, end: Ok(()) };
    pulled.end = pulling.read_pages(&mut pulled).await;
    handover::hold_others_back(&pulling.pacer, &pulling.ledger, &clock);
    while let Ok(note) = noted.try_recv() {
        pulled.requests += u64::from(matches!(note, TaskMessage::Event(Event::Request(_))));
    }
    pulled
}

struct Pulling<S> {
    server: Arc<S>,
    ledger: Arc<Ledger>,
    run: RunId,
    pacer: Pacer,
    admission: Admission<S>,
    give_up_after: Duration,
    shutdown: Shutdown,
}

impl<S: Server> Pulling<S> {
    async fn read_pages(&self, pulled: &mut Pulled) -> Result<(), PullStop> {
        let (mut page, mut failures) = (1, 0);
        let mut give_up = GiveUpTimer::new(self.give_up_after);
        let (mut seen, mut rows) = (SeenPages::default(), 0);
        loop {
            if self.shutdown.is_draining() || failures >= TRIES {
                return Err(if failures < TRIES { PullStop::Interrupted } else { gave_up() });
            }
            let PageReply { result, token, .. } = self.ask(page).await?;
            pulled.requests += 1;
            match result {
                PageResult::Rows { found, extent } => {
                    failures = 0;
                    give_up.conclusive();
                    self.admission.accepted(&token);
                    let emails: HashSet<_> = found.exact.iter().map(|customer| customer.email.clone()).collect();
                    if seen.has_all(&emails, extent.last_page.is_some()) {
                        pulled.repeated = Some(Repeated { page, promised: extent.last_page });
                        return Ok(());
                    }
                    seen.add(emails);
                    rows += extent.rows;
                    pulled.missing = extent.total.map_or(0, |total| total.saturating_sub(rows));
                    pulled.customers += found.exact.len() as u64;
                    let known = found.exact.into_iter().map(|customer| (customer.email, customer.receipt)).collect();
                    pulled.learnt += self.ledger.learn(&self.run, known).await.map_err(PullStop::Ledger)?;
                    match extent.last_page {
                        Some(last) if page >= last => return Ok(()),
                        Some(_) | None => page += 1,
                    }
                }
                PageResult::Throttled { pause } => {
                    self.pacer.throttled(pause);
                    let now = Instant::now();
                    give_up.throttled(pause, now);
                    if let Some(why) = give_up.is_over(now) {
                        return Err(PullStop::Stop(StopReason::Unreachable(why.into())));
                    }
                }
                PageResult::Unauthorized => {
                    failures += 1;
                    self.admission.refused(&token);
                }
                PageResult::Failed { cause, .. } => {
                    failures += 1;
                    tracing::debug!(page, %cause, "a page failed");
                    tokio::time::sleep(backoff(failures, jitter())).await;
                }
                PageResult::NotOffered { http_status } => {
                    return Err(unclear(&format!("the API does not list its customers ({http_status})")));
                }
                PageResult::FilterIgnored => return Err(unclear("the list has rows without an e-mail")),
                PageResult::Stop(reason) => return Err(PullStop::Stop(reason)),
            }
        }
    }

    /// Sends one request at the run's pace.
    async fn ask(&self, page: u32) -> Result<PageReply, PullStop> {
        let admitted = self.admission.admit().await.map_err(PullStop::Stop)?.ok_or(PullStop::Interrupted)?;
        Ok(ask_for_page(&*self.server, admitted, PageRequest::List { page }, || {}).await)
    }
}

/// The customers of the first page and of the latest one. An API without pages repeats the first,
/// and one that ends early repeats the last. Keeping all of them would take memory that grows with
/// the account.
#[derive(Debug, Default)]
struct SeenPages {
    first: Option<HashSet<EmailKey>>,
    latest: HashSet<EmailKey>,
}

impl SeenPages {
    /// Returns whether a page has no new customer. An empty page counts only if the API reports no
    /// number of pages, because otherwise its rows may just lack e-mails.
    fn has_all(&self, page: &HashSet<EmailKey>, is_counted: bool) -> bool {
        let Some(first) = &self.first else { return false };
        if page.is_empty() { !is_counted } else { page.is_subset(first) || page.is_subset(&self.latest) }
    }

    fn add(&mut self, page: HashSet<EmailKey>) {
        self.first.get_or_insert_with(|| page.clone());
        self.latest = page;
    }
}

fn gave_up() -> PullStop {
    PullStop::Stop(StopReason::Unreachable(format!("a page of the list failed {TRIES} times").into()))
}

fn unclear(what: &str) -> PullStop {
    PullStop::Stop(StopReason::Configuration(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(numbers: std::ops::Range<u32>) -> HashSet<EmailKey> {
        numbers.map(|n| EmailKey::of(&format!("p{n}@example.com"))).collect()
    }

    #[test]
    fn a_page_of_an_earlier_pages_customers_brings_nobody_new() {
        let mut seen = SeenPages::default();
        assert!(!seen.has_all(&page(0..100), false) && !seen.has_all(&page(0..0), false), "the first page");
        seen.add(page(0..100));
        assert!(seen.has_all(&page(0..100), false) && seen.has_all(&page(0..100), true), "the whole list once more");
        assert!(!seen.has_all(&page(1..101), false), "one more was created meanwhile");
        seen.add(page(100..200));
        assert!(seen.has_all(&page(150..200), true), "the last page once more");
        assert!(seen.has_all(&page(0..100), true), "from the beginning again");
        assert!(!seen.has_all(&page(200..300), true));
        assert!(seen.has_all(&page(0..0), false) && !seen.has_all(&page(0..0), true));
    }
}
