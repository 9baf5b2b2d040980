//! INT, TERM and HUP: the first drains, the second leaves at once.

use std::sync::{Arc, Mutex, PoisonError};

use crate::delivery::Shutdown;
use crate::exit::Signal;

/// The first signal that came, once one did.
#[derive(Clone, Debug, Default)]
pub(super) struct Caught(Arc<Mutex<Option<Signal>>>);

impl Caught {
    pub(super) fn get(&self) -> Option<Signal> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self, signal: Signal) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(signal);
    }
}

/// Listens from now on, for the life of the runtime.
pub(super) fn listen(shutdown: Shutdown) -> std::io::Result<Caught> {
    let caught = Caught::default();
    let mut source = Source::new()?;
    let told = caught.clone();
    tokio::spawn(async move {
        told.first(source.next().await);
        shutdown.drain();
        source.next().await;
        shutdown.leave();
    });
    Ok(caught)
}

#[cfg(unix)]
struct Source {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Hangup,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
