//! Handles INT, TERM and HUP: the first one drains the run, the second one leaves at once. If a
//! signal was ignored when the program started, as under `nohup` or a shell's `&`, it stays
//! ignored.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::delivery::Shutdown;
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::limits;
use crate::output;

/// Holds the first signal, once one has arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caught(Arc<SignalState>);

#[derive(Debug, Default)]
struct SignalState {
    first: Mutex<Option<Signal>>,
    came: Notify,
}

impl Caught {
    /// Returns the first signal, or `None` if there was none.
    pub(crate) fn get(&self) -> Option<Signal> {
        *self.0.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&self) {
        self.0.came.notified().await;
    }

    fn add(&self, signal: Signal) {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(signal);
        self.0.came.notify_waiters();
    }
}

/// The signals of a command: the shutdown that they request, and the first one.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    pub shutdown: Shutdown,
    pub caught: Caught,
}

impl Signals {
    /// Starts to listen, for the life of the runtime. From then on a signal has no effect of its
    /// own, so a caller that may block must use one of the functions below.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let shutdown = Shutdown::default();
        let caught = listen(shutdown.clone()).map_err(|error| {
            Failure::new(Exit::Io, limits::told(&error)).context("cannot listen to signals".to_owned())
        })?;
        Ok(Self { shutdown, caught })
    }

    /// Does the work. Fails if a signal comes first.
    pub(crate) async fn or_stop<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.shutdown.unless_draining(work).await.unwrap_or_else(|| Err(self.stopped()))
    }

    /// Does the same for work that may block, on a thread of its own. After a signal that thread
    /// runs until the process ends.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.or_stop(on_thread(work)?).await
    }

    /// Returns the failure of a command that a signal stopped.
    pub(crate) fn stopped(&self) -> Failure {
        stopped(self.caught.get().unwrap_or(Signal::Interrupt))
    }
}

/// What a command that sends nothing waits for.
enum Awaited<T> {
    Listening,
    Failed(std::io::Error),
    Signal(Signal),
    Done(Result<T, Failure>),
}

/// Runs a whole command that may block and sends nothing. A signal ends it, and its unfinished
/// files are removed.
pub(crate) fn interruptible<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (sender, receiver) = channel();
    let signals = sender.clone();
    let start = |work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().spawn(work).map(drop);
    start(Box::new(move || listen_for_one(&signals))).map_err(|error| Failure::no_thread(&error))?;
    let mut work = Some(Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        drop(sender.send(Awaited::Done(done.unwrap_or_else(|_| Err(thread_failed())))));
    }));
    loop {
        match receiver.recv() {
            Ok(Awaited::Listening) => {
                if let Some(work) = work.take() {
                    start(work).map_err(|error| Failure::no_thread(&error))?;
                }
            }
            Ok(Awaited::Failed(error)) => return Err(cannot_listen(&error)),
            Ok(Awaited::Signal(signal)) => {
                // The thread that works may show what it does, and it goes on until the process
                // ends.
                output::set_footer(None);
                return Err(stopped(signal));
            }
            Ok(Awaited::Done(done)) => return done,
            Err(_) => return Err(thread_failed()),
        }
    }
}

/// Sends the first signal to the channel, from a thread that does nothing else.
fn listen_for_one<T>(signals: &Sender<Awaited<T>>) {
    let runtime = runtime(tokio::runtime::Builder::new_current_thread().enable_io());
    let listening = runtime.and_then(|runtime| {
        let guard = runtime.enter();
        let source = SignalSource::new()?;
        drop(guard);
        Ok((runtime, source))
    });
    match listening {
        Ok((runtime, mut source)) => {
            drop(signals.send(Awaited::Listening));
            drop(signals.send(Awaited::Signal(runtime.block_on(source.next()))));
        }
        Err(error) => drop(signals.send(Awaited::Failed(error))),
    }
}

fn cannot_listen(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, limits::told(error)).context("cannot listen to signals".to_owned())
}

fn stopped(signal: Signal) -> Failure {
    Failure::new(Exit::Interrupted(signal), format!("stopped by {signal}; nothing was sent"))
}

/// The panic hook has printed why the thread failed.
fn thread_failed() -> Failure {
    Failure::new(Exit::Io, "internal error: a thread failed")
}

/// Starts the work on a thread of its own at once, and returns a future that waits for it. Unlike
/// the runtime, fails instead of panicking if the thread cannot be started.
pub(crate) fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<impl Future<Output = Result<T, Failure>>, Failure> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("work".to_owned())
        .spawn(move || drop(done.send(work())))
        .map_err(|error| Failure::no_thread(&error))?;
    Ok(async move { result.await.unwrap_or_else(|_| Err(thread_failed())) })
}

/// Starts to listen, for the life of the runtime. The first signal drains `shutdown`, the second
/// one makes it leave.
pub(crate) fn listen(shutdown: Shutdown) -> std::io::Result<Caught> {
    let caught = Caught::default();
    let mut source = SignalSource::new()?;
    let heard = caught.clone();
    tokio::spawn(async move {
        heard.add(source.next().await);
        shutdown.drain();
        heard.add(source.next().await);
        shutdown.leave();
        loop {
            heard.add(source.next().await);
        }
    });
    Ok(caught)
}

/// Turns the signal for a reached file-size limit into an error of the write, for the life of this
/// process. If that fails, the signal still ends the process.
#[cfg(unix)]
pub(crate) fn survive_size_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    let Some(number) = SIZE_LIMIT.filter(|number| !Ignored::at_start().has(*number)) else { return };
    if let Ok(runtime) = runtime(tokio::runtime::Builder::new_current_thread().enable_io()) {
        // The handler stays even if its receiver is dropped.
        runtime.block_on(async { drop(signal(SignalKind::from_raw(number))) });
    }
}

#[cfg(not(unix))]
pub(crate) fn survive_size_limit() {}

/// Builds a runtime that can listen to signals. The library needs five descriptors for that and
/// panics if it cannot get the last two, a pair of sockets, so this opens as many first.
pub(super) fn runtime(builder: &mut tokio::runtime::Builder) -> std::io::Result<tokio::runtime::Runtime> {
    #[cfg(unix)]
    {
        let pairs: std::io::Result<Vec<_>> = (0..3).map(|_| std::os::unix::net::UnixStream::pair()).collect();
        drop(pairs?);
    }
    builder.build()
}

/// SIGXFSZ, or `None` on platforms on which its number is not known.
#[cfg(unix)]
const SIZE_LIMIT: Option<i32> =
    if cfg!(all(target_os = "linux", any(target_arch = "mips", target_arch = "mips64"))) { None } else { Some(25) };

/// The signals that this process ignores, as a bit mask. Empty if the system does not show them.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, Default)]
struct Ignored(u64);

#[cfg(unix)]
impl Ignored {
    /// Those that this process ignored at its start.
    fn at_start() -> Self {
        static AT_START: std::sync::OnceLock<Ignored> = std::sync::OnceLock::new();
        *AT_START.get_or_init(|| Self::of(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()))
    }

    /// Reads the mask from a text like `/proc/self/status`. If the line is missing, no signal
    /// counts as ignored.
    fn of(status: &str) -> Self {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default())
    }

    fn has(self, signal: i32) -> bool {
        u32::try_from(signal - 1).is_ok_and(|bit| self.0.checked_shr(bit).is_some_and(|rest| rest & 1 == 1))
    }
}

#[cfg(not(unix))]
use CtrlC as SignalSource;
#[cfg(unix)]
use UnixSignals as SignalSource;

/// The signals to listen to; `None` for one that stays ignored.
#[cfg(unix)]
struct UnixSignals {
    hangup: Option<tokio::signal::unix::Signal>,
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl UnixSignals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ignored = Ignored::at_start();
        let listen = |kind: SignalKind| (!ignored.has(kind.as_raw_value())).then(|| signal(kind)).transpose();
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            () = came(&mut self.hangup) => Signal::Hangup,
            () = came(&mut self.interrupt) => Signal::Interrupt,
            () = came(&mut self.terminate) => Signal::Terminate,
        }
    }
}

#[cfg(unix)]
async fn came(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(not(unix))]
struct CtrlC;

#[cfg(not(unix))]
impl CtrlC {
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask_of_the_process() {
        let ignored =
            Ignored::of("Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001003\nSigCgt:\t0000000000000000\n");
        let found: Vec<_> = (0..=70).filter(|signal| ignored.has(*signal)).collect();
        assert_eq!(found, [1, 2, 13]);
        for unknown in ["", "SigIgn:\tx\n"] {
            assert!(!(1..=64).any(|signal| Ignored::of(unknown).has(signal)), "{unknown:?}");
        }
    }
}
