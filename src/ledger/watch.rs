//! How the ledger of this process fares: what monitoring shows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::store_link::{LeaseFigures, StoreLink};

/// What a ledger did so far. Clones speak of the same ledger.
#[derive(Clone, Debug)]
pub struct LedgerWatch {
    commits: Arc<CommitCounter>,
    link: StoreLink,
}

/// The figures of a ledger, since this process opened it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerFigures {
    pub commits: u64,
    /// How long they took together.
    pub commit_time: Duration,
    /// `None` if it is a file.
    pub lease: Option<LeaseFigures>,
}

impl LedgerWatch {
    pub(super) fn new(commits: Arc<CommitCounter>, link: StoreLink) -> Self {
        Self { commits, link }
    }

    #[must_use]
    pub fn figures(&self) -> LedgerFigures {
        LedgerFigures {
            commits: self.commits.count.load(Ordering::Relaxed),
            commit_time: Duration::from_nanos(self.commits.nanos.load(Ordering::Relaxed)),
            lease: self.link.figures(),
        }
    }
}

/// Counts commits, in the thread that makes them.
#[derive(Debug, Default)]
pub(super) struct CommitCounter {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl CommitCounter {
    pub(super) fn add(&self, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
