//! Asks the API the few questions that show whether an import would be possible: at the pace, one
//! request after the other, none of them twice, and none that creates a customer.

use tokio::sync::mpsc;

use super::rate::circuit_breaker::Health;
use super::rate::pacer::{Pacer, Permit};
use super::rate::rate_option::Rate;
use super::server::{Api, Server as _, TokenRequest};
use crate::api::{FirstLook, GrantResult, PageResult, Token};

/// An e-mail that no customer has, because names are never registered below `invalid` (RFC 2606).
const NOT_A_CUSTOMER: &str = "doctor@customer-import.invalid";

/// What the API answered.
#[derive(Debug)]
pub enum Probe {
    /// There is no token to ask with.
    NoToken(GrantResult),
    Looked {
        first: Box<FirstLook>,
        /// The look-up of an e-mail that no customer has. `None` if the list itself could not be
        /// read.
        look_up: Option<PageResult>,
    },
}

/// Asks at most three questions: for a token, for one customer of the list, and for one e-mail.
pub async fn probe(api: &Api, rate: Rate) -> Probe {
    let (events, _unread) = mpsc::unbounded_channel();
    let pacer = Pacer::start(rate, events);
    let token = match obtain(api, &pacer).await {
        GrantResult::Granted { token, .. } => token,
        other => return Probe::NoToken(other),
    };
    let permit = permit(&pacer).await;
    let first = api.first_look(&token).await;
    permit.into_iter().for_each(|permit| permit.report(Health::Alive, first.response.allowance));
    let look_up = match first.response.page {
        PageResult::Rows { .. } => Some(look_up(api, &token, &pacer).await),
        _ => None,
    };
    Probe::Looked { first: Box::new(first), look_up }
}

async fn obtain(api: &Api, pacer: &Pacer) -> GrantResult {
    let _permit = if api.logs_in() { permit(pacer).await } else { None };
    api.obtain(&TokenRequest::Login { refused: None }).await
}

async fn look_up(api: &Api, token: &Token, pacer: &Pacer) -> PageResult {
    let _permit = permit(pacer).await;
    api.look_up(token, NOT_A_CUSTOMER, 1).await.page
}

/// Waits until a request may leave. Returns `None` if the pacing task is gone.
async fn permit(pacer: &Pacer) -> Option<Permit> {
    let mut permit = pacer.permit().await?;
    permit.leave().await;
    Some(permit)
}
