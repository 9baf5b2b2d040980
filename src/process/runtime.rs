//! The asynchronous runtime of the commands that send.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::limits;
use crate::process::signals;

/// How many I/O events the runtime handles before it runs tasks. A few at a time, so that these
/// responses lead to their next requests before others are read. All at once would go through every
/// step side by side, and none would finish before all did.
const ANSWERS_AT_A_TIME: usize = 8;

/// Runs the work on a runtime of one thread, which is enough because the ledger has its own thread
/// and everything else waits for the API. Does not wait for other threads at the end, because one
/// may hang on a dead disk.
pub(crate) fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_io_events_per_tick(ANSWERS_AT_A_TIME).thread_keep_alive(FOREVER);
    let runtime = signals::runtime(&mut builder)
        .map_err(|error| Failure::new(Exit::Io, limits::told(&error)).context("cannot start the runtime".to_owned()))?;
    first_helper(&runtime)?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// Keeps the threads on which the runtime looks up names and reads files.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Starts the first of those threads while a failure can still be reported. The runtime panics if
/// it cannot start it, and needs only one; a panic here has no other cause.
fn first_helper(runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let tried = std::thread::Builder::new().name("first helper".to_owned()).spawn(|| ());
    drop(tried.map_err(|error| Failure::no_thread(&error))?.join());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let started = std::panic::catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(|| ()))));
    std::panic::set_hook(hook);
    let none_left = |_| Failure::no_thread(&std::io::ErrorKind::WouldBlock.into());
    started.map_err(none_left)
}
