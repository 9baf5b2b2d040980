//! Requests one page of customers: of a look-up by e-mail, or of the list of all customers.

use std::time::Duration;

use tokio::time::Instant;

use super::auth::admission::Admitted;
use super::rate::circuit_breaker::Health;
use super::server::{LookupReply, Server};
use crate::api::{PageResult, Token};
use crate::domain::ResponseClass;

/// Which page to request.
#[derive(Clone, Copy, Debug)]
pub(super) enum PageRequest<'a> {
    LookUp { email: &'a str, page: u32 },
    List { page: u32 },
}

/// A page, and the token with which it was requested.
#[derive(Debug)]
pub(super) struct PageReply {
    pub result: PageResult,
    pub token: Token,
    /// The breaker was open, so a failure does not count against the record.
    pub is_probe: bool,
    /// How long the request took.
    pub took: Duration,
}

/// Sends one request for a page, calls `sent` right before, and reports the health of the server to
/// the pacer.
pub(super) async fn ask_for_page<S: Server>(
    server: &S,
    admitted: Admitted,
    request: PageRequest<'_>,
    sent: impl FnOnce(),
) -> PageReply {
    let Admitted { mut permit, token, .. } = admitted;
    permit.leave().await;
    sent();
    let left = Instant::now();
    let LookupReply { page: result, allowance } = match request {
        PageRequest::LookUp { email, page } => server.look_up(&token, email, page).await,
        PageRequest::List { page } => server.list(&token, page).await,
    };
    let (is_probe, took) = (permit.is_probe(), left.elapsed());
    permit.report(request.health(&result), allowance);
    PageReply { result, token, is_probe, took }
}

/// Returns how the request for a page ended.
pub(super) fn class_of_page(page: &PageResult) -> ResponseClass {
    match page {
        PageResult::Rows { .. } | PageResult::FilterIgnored => ResponseClass::Success,
        PageResult::NotOffered { .. } => ResponseClass::Rejected,
        PageResult::Throttled { .. } => ResponseClass::Throttled,
        PageResult::Failed { is_down: true, .. } => ResponseClass::Silence,
        PageResult::Failed { is_down: false, .. } => ResponseClass::ServerError,
        PageResult::Unauthorized | PageResult::Stop(_) => ResponseClass::Other,
    }
}

impl PageRequest<'_> {
    /// Returns what a page shows about the server. Only a run has `POST`s besides look-ups; without
    /// them every page that is not a failure is conclusive.
    fn health(self, page: &PageResult) -> Health {
        match (self, page) {
            (Self::LookUp { .. }, PageResult::Failed { is_down: true, .. }) => Health::Failing,
            (_, PageResult::Failed { .. }) => Health::Unclear,
            (Self::LookUp { .. }, _) => Health::Alive,
            (Self::List { .. }, _) => Health::Conclusive,
        }
    }
}
