//! What the rest of the program shares with a store while the store's thread works: until when the
//! ledger is surely held, and whether the program wants to leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::Moment;

/// Clones speak of the same store. The default is of one that is held as long as it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreLink(Option<Arc<SharedTrust>>);

#[derive(Debug)]
struct SharedTrust {
    /// When the last transaction began that renewed the lease, and for how long it may be trusted.
    trust: watch::Sender<(Moment, Duration)>,
    /// Nothing is trusted before this moment, whatever was renewed.
    held_until: watch::Sender<Option<Moment>>,
    is_closing: watch::Sender<bool>,
    figures: watch::Sender<LeaseFigures>,
}

/// How the lease fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseFigures {
    /// It was taken, and was neither lost nor given back.
    pub is_held: bool,
    /// How often it changed hands before.
    pub epoch: u64,
    /// How often another process took it from this one: once at most.
    pub losses: u64,
    /// How often the database was reached again after it could not be.
    pub reconnects: u64,
    /// Commits whose acknowledgement was lost.
    pub unknown_commits: u64,
}

#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only a shared ledger has a lease"))]
impl StoreLink {
    /// Returns the link of a store whose lease was renewed at `since` and is trusted for `time`.
    pub(super) fn leased(since: Moment, time: Duration) -> Self {
        let (trust, held_until) = (watch::Sender::new((since, time)), watch::Sender::new(None));
        let (is_closing, figures) = (watch::Sender::new(false), watch::Sender::default());
        Self(Some(Arc::new(SharedTrust { trust, held_until, is_closing, figures })))
    }

    /// Changes the figures of the lease.
    pub(super) fn note(&self, change: impl FnOnce(&mut LeaseFigures)) {
        if let Some(shared) = &self.0 {
            shared.figures.send_modify(change);
        }
    }

    /// Returns the figures of the lease, or `None` if there is none.
    pub(super) fn figures(&self) -> Option<LeaseFigures> {
        self.0.as_ref().map(|shared| *shared.figures.borrow())
    }

    /// Returns whether the ledger can be lost while it is open.
    pub(super) fn is_leased(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that a transaction that began then has renewed the lease.
    pub(super) fn renewed(&self, since: Moment) {
        if let Some(shared) = &self.0 {
            shared.trust.send_modify(|trust| trust.0 = since);
        }
    }

    /// Returns whether the ledger is surely held at this moment. If not, another run may hold it
    /// already, so nothing may be sent.
    pub(super) fn is_trusted(&self, now: Moment) -> bool {
        self.0.as_ref().is_none_or(|shared| {
            let ((since, time), held_until) = (*shared.trust.borrow(), *shared.held_until.borrow());
            now.surely_since(since) < time && !held_until.is_some_and(|until| until.is_after(now))
        })
    }

    /// Returns for how long nothing is trusted from now on, whatever is renewed. `None` if nothing
    /// is held back.
    pub(super) fn held_for(&self, now: Moment) -> Option<Duration> {
        let until = (*self.0.as_ref()?.held_until.borrow())?;
        until.is_after(now).then(|| until.surely_since(now))
    }

    /// Lets nothing be trusted until then, because the ledger may have forgotten what was sent just
    /// before.
    pub(super) fn hold_until(&self, until: Moment) {
        if let Some(shared) = &self.0 {
            shared.held_until.send_replace(Some(until));
        }
    }

    /// Asks the store to give up whatever it waits for.
    pub(super) fn close(&self) {
        if let Some(shared) = &self.0 {
            shared.is_closing.send_replace(true);
        }
    }

    /// Waits until the store is asked to give up.
    pub(super) async fn closing(&self) {
        if let Some(shared) = &self.0 {
            // Fails if the sender is gone, and `shared` keeps it.
            let _ = shared.is_closing.subscribe().wait_for(|is_closing| *is_closing).await;
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn s6_a_lease_that_was_not_renewed_in_time_is_not_trusted() {
        let at = |second: i64| Moment { wall: Timestamp::from_second(1_700_000_000 + second).unwrap(), boot: None };
        let link = StoreLink::leased(at(0), Duration::from_secs(12));
        assert!(link.is_trusted(at(11)) && !link.is_trusted(at(12)));
        link.clone().renewed(at(5));
        assert!(link.is_trusted(at(16)) && !link.is_trusted(at(17)));
        link.hold_until(at(15));
        assert!(!link.is_trusted(at(14)) && link.is_trusted(at(15)), "after a failover");
        assert_eq!((link.held_for(at(5)), link.held_for(at(15))), (Some(Duration::from_secs(10)), None));
        assert!(StoreLink::default().is_trusted(at(1_000_000)), "a file is held as long as it is open");
    }
}
