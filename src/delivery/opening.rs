//! Tries the credentials before a person is asked whether to send: one `GET /customer?per_page=1`
//! with the token that the run will use. The run takes over that token, and waits its interval
//! after that request, so the request costs the run nothing but its place in the pace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::auth::admission::{Admission, Admitted};
use super::auth::token_cache::TokenCache;
use super::handover;
use super::note::TaskMessage;
use super::rate::circuit_breaker::Health;
use super::rate::pacer::{Before, FirstRequest, Pacer};
use super::rate::rate_option::Rate;
use super::server::Api;
use super::shutdown::Shutdown;
use crate::api::PageResult;
use crate::clock::Clock;
use crate::domain::StopReason;
use crate::event::Event;
use crate::ledger::Ledger;

/// What the API thinks of the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Accepted,
    /// The API has no list of customers, so the answer says nothing of the credentials, and the run
    /// cannot look anyone up.
    NoLookups {
        http_status: u16,
    },
    /// The API asked for a pause instead. The run waits for its end.
    Throttled {
        pause: Duration,
    },
    /// The API answered something else.
    Unclear {
        cause: String,
    },
}

/// What the run takes over.
#[derive(Debug)]
pub struct Opening {
    pub access: Access,
    /// The requests so far, including logins.
    pub(super) requests: u64,
    pub(super) tokens: TokenCache,
    pub(super) first: FirstRequest,
}

impl Opening {
    /// Returns how many requests it took.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }
}

/// Why there is no opening.
#[derive(Debug)]
pub enum OpeningStop {
    Interrupted,
    Stop(StopReason),
}

/// Tries the credentials, and renews a rejected token as a run does. Keeps the pace of the last
/// holder of the ledger, if one is given. Does not wait for a server that is down, because a person
/// is waiting.
///
/// # Errors
/// The reason for which the run would stop too, or that the server cannot be reached.
pub async fn open(api: &Api, rate: Rate, ledger: Option<&Ledger>, shutdown: &Shutdown) -> Result<Opening, OpeningStop> {
    let (events, _unread) = mpsc::unbounded_channel();
    let (messages, mut noted) = mpsc::unbounded_channel();
    let held_until = ledger.and_then(|ledger| handover::held_until(ledger, &Clock::system()));
    let before = Before { first: None, held_until };
    let (server, pacer) = (Arc::new(api.clone()), Pacer::start_after(before, rate, events));
    let admission = Admission::new(server, pacer, shutdown.clone(), messages, Duration::ZERO);
    let mut requests = 0;
    loop {
        let admitted = admission.admit().await;
        let (logins, trouble) = read(&mut noted);
        requests += logins;
        let Admitted { mut permit, token, .. } = match (admitted, trouble) {
            (Ok(Some(admitted)), _) => admitted,
            (Ok(None), _) => return Err(OpeningStop::Interrupted),
            // The reason speaks of a time for which a run would have tried.
            (Err(StopReason::Unreachable(_)), Some(cause)) => {
                return Err(OpeningStop::Stop(StopReason::Unreachable(cause.into())));
            }
            (Err(reason), _) => return Err(OpeningStop::Stop(reason)),
        };
        permit.leave().await;
        let Some(looked) = shutdown.unless_draining(api.first_look(&token)).await else {
            return Err(OpeningStop::Interrupted);
        };
        requests += 1;
        let (answered_at, allowance) = (Instant::now(), looked.response.allowance);
        permit.report(Health::Alive, allowance);
        let access = match looked.response.page {
            PageResult::Unauthorized => {
                admission.refused(&token);
                continue;
            }
            PageResult::Failed { cause, is_down } if is_down || looked.response.http_status.is_none() => {
                return Err(OpeningStop::Stop(StopReason::Unreachable(cause.into())));
            }
            PageResult::Stop(reason) => return Err(OpeningStop::Stop(reason)),
            PageResult::Rows { .. } | PageResult::FilterIgnored => {
                admission.accepted(&token);
                Access::Accepted
            }
            PageResult::NotOffered { http_status } => Access::NoLookups { http_status },
            PageResult::Throttled { pause } => Access::Throttled { pause },
            PageResult::Failed { cause, .. } => Access::Unclear { cause },
        };
        let paused_until = if let Access::Throttled { pause } = access { Some(answered_at + pause) } else { None };
        let first = FirstRequest { answered_at, allowance, paused_until };
        return Ok(Opening { access, requests, tokens: admission.into_tokens(), first });
    }
}

/// Returns how many requests the messages tell of, and why the last login failed.
fn read(noted: &mut mpsc::UnboundedReceiver<TaskMessage>) -> (u64, Option<String>) {
    let (mut requests, mut trouble) = (0, None);
    while let Ok(note) = noted.try_recv() {
        match note {
            TaskMessage::Event(Event::Request(_)) => requests += 1,
            TaskMessage::Event(Event::NoToken { why }) => trouble = Some(why),
            _ => {}
        }
    }
    (requests, trouble)
}
