//! The short form of the crash campaign; `cargo run --release --example crash_campaign` is the long
//! one.

use std::path::Path;
use std::time::Duration;

use crate::crash;
use crate::many;

/// The server of a trial shares the cores with all the other tests here. If it gets none for long,
/// it sees a request later than it was sent, and the next one for the same e-mail too soon; the
/// settle time must be longer than such a stall. The long form runs alone.
const SETTLE: Duration = Duration::from_millis(750);

#[test]
fn killed_at_random_times_nobody_is_lost_or_doubled() {
    let seeds: Vec<u64> = (1..=24).collect();
    let kills = std::sync::atomic::AtomicUsize::new(0);
    many::each(&seeds, |seed| {
        let outcome = crash::run(Path::new(env!("CARGO_BIN_EXE_customer-import")), *seed, SETTLE);
        assert!(outcome.is_clean(), "{outcome}");
        kills.fetch_add(outcome.kills, std::sync::atomic::Ordering::Relaxed);
    });
    let kills = kills.into_inner();
    assert!(kills >= 15, "only {kills} runs were alive when they were killed");
}
