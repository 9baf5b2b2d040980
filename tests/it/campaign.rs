//! The short form of the crash campaign; `cargo run --release --example crash_campaign` is the long one.

use std::path::Path;

use crate::crash;
use crate::many;

#[test]
fn killed_at_random_times_nobody_is_lost_or_doubled() {
    let seeds: Vec<u64> = (1..=24).collect();
    let kills = std::sync::atomic::AtomicUsize::new(0);
    many::each(&seeds, |seed| {
        let outcome = crash::run(Path::new(env!("CARGO_BIN_EXE_customer-import")), *seed);
        assert!(outcome.is_clean(), "{outcome}");
        kills.fetch_add(outcome.kills, std::sync::atomic::Ordering::Relaxed);
    });
    let kills = kills.into_inner();
    assert!(kills >= 15, "only {kills} runs were alive when they were killed");
}
