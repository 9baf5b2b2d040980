//! The request to stop, as a value that is passed in.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Two steps: drain (start nothing new, wait for what is in flight) and leave (wait for nothing).
/// Both can be requested at any time, repeatedly and from anywhere; neither can be undone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    leave: CancellationToken,
}

impl Shutdown {
    pub fn drain(&self) {
        self.drain.cancel();
    }

    pub fn leave(&self) {
        self.drain.cancel();
        self.leave.cancel();
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leave.is_cancelled()
    }

    /// Does the work. Returns `None` if the drain comes first or came before.
    pub async fn unless_draining<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.draining() => None,
            value = work => Some(value),
        }
    }

    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    pub async fn leaving(&self) {
        self.leave.cancelled().await;
    }
}
