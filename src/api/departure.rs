//! The last check before a request leaves: is it still in time?
//!
//! A process can be stopped, or its machine suspended, between the commit of an intent and the
//! first byte of its request, and while a connection is made. A later run believes the time in the
//! intent, so a request that woke up late must not leave. The check is at the body: the library
//! polls it after everything that can take long, and writes head and body in one go, so if the
//! check fails the server reads nothing at all, on a new connection or on a kept one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// The permission to send one request while a condition holds. Clones speak of the same request.
#[derive(Clone)]
pub struct Departure {
    in_time: Arc<dyn Fn() -> bool + Send + Sync>,
    is_missed: Arc<AtomicBool>,
}

impl Departure {
    /// Lets the request leave if `in_time` holds at that moment.
    #[must_use]
    pub fn while_in_time(in_time: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { in_time: Arc::new(in_time), is_missed: Arc::default() }
    }

    /// Checks whether the request may leave now. After the first false no byte of it may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_open = !self.is_missed() && (self.in_time)();
        self.is_missed.fetch_or(!is_open, Ordering::Relaxed);
        is_open
    }

    /// Returns whether a check failed, so that surely nothing was sent.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.is_missed.load(Ordering::Relaxed)
    }

    /// The body that makes the check before it gives its bytes.
    pub(super) fn body(&self, bytes: Vec<u8>) -> reqwest::Body {
        reqwest::Body::wrap(Gated { body: bytes.into(), departure: self.clone(), is_asked: false })
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departure").field("is_missed", &self.is_missed).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request was not sent in time")]
struct Missed;

struct Gated {
    body: reqwest::Body,
    departure: Departure,
    is_asked: bool,
}

impl Body for Gated {
    type Data = <reqwest::Body as Body>::Data;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if !std::mem::replace(&mut self.is_asked, true) && !self.departure.is_open() {
            return Poll::Ready(Some(Err(Missed.into())));
        }
        Pin::new(&mut self.body).poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Exact, so that the library announces the length.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
