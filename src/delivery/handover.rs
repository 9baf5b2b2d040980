//! The pace between hosts that share an account: what one leaves in the ledger, and what the next
//! one waits for.

use std::time::Duration;

use tokio::time::Instant;

use super::rate::pacer::Pacer;
use crate::clock::Clock;
use crate::ledger::Ledger;

/// A process that takes the ledger over needs longer than this until its first request.
const SHORTEST_HOLD: Duration = Duration::from_millis(100);

/// Returns before when nothing may be sent, because of the last holder of the ledger.
pub(super) fn held_until(ledger: &Ledger, clock: &Clock) -> Option<Instant> {
    Some(Instant::now() + ledger.not_before()?.surely_since(clock.now()))
}

/// Lets a process that takes the ledger over keep the pace of this one, and the pauses that the
/// server asked for.
pub(super) fn hold_others_back(pacer: &Pacer, ledger: &Ledger, clock: &Clock) {
    let wait = pacer.next_at().map(|at| at.saturating_duration_since(Instant::now()));
    if let Some(wait) = wait.filter(|wait| *wait >= SHORTEST_HOLD) {
        ledger.hold_back(clock.now().later(wait));
    }
}
