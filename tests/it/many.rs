//! Many small trials side by side: each import mostly waits, for a sync or for its settle time.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::Lab;

const WORKERS: usize = 8;

/// All points instead of a choice: `CUSTOMER_IMPORT_LONG=1 cargo test`.
pub(crate) fn long() -> bool {
    std::env::var_os("CUSTOMER_IMPORT_LONG").is_some()
}

/// Tries every case, and fails with the list of those that failed; what was wrong with each was
/// printed by its panic.
#[track_caller]
pub(crate) fn each<C: Debug + Sync>(cases: &[C], trial: impl Fn(&C) + Sync) {
    assert!(!cases.is_empty(), "no cases, no proof");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| trial(case))).is_err() {
                        failed.lock().unwrap().push(case);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} failed: {failed:?}", failed.len(), cases.len());
}

/// How many requests to create a customer the server in this lab has logged, asked while it writes:
/// its last line may be half there.
pub(crate) fn posts_so_far(lab: &Lab) -> usize {
    let log = std::fs::read_to_string(lab.path("server.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains(r#""event":"received""#) && line.contains(r#""method":"POST""#)).count()
}

/// Figures, and tests that could not be made, are seen with `--nocapture`; the test harness keeps
/// them to itself otherwise.
#[allow(clippy::print_stderr, reason = "what a test has to say goes there")]
pub(crate) fn note(words: std::fmt::Arguments<'_>) {
    eprintln!("{words}");
}
