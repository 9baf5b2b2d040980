//! A sliding window over the requests of the last second: the last check before a request is sent.
//!
//! Between a permit and the first byte the intent is synced, and now and then a disk is slow. The
//! requests that it delayed would be sent all at once, in addition to those whose turn has come by
//! then. So the window allows no more requests in any second than the pace does; a request that is
//! one too many waits until it fits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const SECOND: Duration = Duration::from_secs(1);
/// Factor by which a fast pace may be exceeded within a second, because a burst uses what the
/// second before allowed.
const MOST: f64 = 1.005;

/// A handle to the sliding window of a run.
#[derive(Clone, Debug)]
pub(crate) struct SlidingWindow(Arc<Mutex<Departures>>);

impl SlidingWindow {
    /// `interval` is the time between two requests.
    pub(crate) fn new(interval: Duration) -> Self {
        Self(Arc::new(Mutex::new(Departures { most: most(interval), left: VecDeque::new() })))
    }

    pub(crate) fn set_pace(&self, interval: Duration) {
        self.departures().most = most(interval);
    }

    /// Waits until the request may be sent, usually not at all.
    pub(crate) async fn pass(&self) {
        loop {
            // Not in the condition of a `while let`, which would hold the lock during the wait.
            let turn = self.departures().leave(Instant::now());
            let Err(turn) = turn else { return };
            sleep_until(turn).await;
        }
    }

    fn departures(&self) -> MutexGuard<'_, Departures> {
        // No panic under the lock can leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how many requests a second has at most: as many as fit at this interval, rounded up, or
/// slightly more at a fast pace.
fn most(interval: Duration) -> usize {
    let a_second = SECOND.div_duration_f64(interval.max(Duration::from_nanos(1)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let most = a_second.ceil().max(a_second * MOST) as usize;
    most.max(1)
}

/// The requests that were sent within the last second.
#[derive(Debug)]
struct Departures {
    most: usize,
    left: VecDeque<Instant>,
}

impl Departures {
    /// Counts a request as sent. Fails with the moment when it may be sent if there are too many.
    fn leave(&mut self, now: Instant) -> Result<(), Instant> {
        while self.left.front().is_some_and(|left| *left + SECOND <= now) {
            self.left.pop_front();
        }
        match self.left.len().checked_sub(self.most) {
            Some(too_many) => Err(self.left[too_many] + SECOND),
            None => {
                self.left.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_what_fits_in_and_a_fast_pace_a_little_more() {
        let paces = [(60_000_000, 1), (1_002_000, 1), (999_000, 2), (667_000, 2), (20_040, 50), (1_002, 1002)];
        for (interval, expected) in paces {
            assert_eq!(most(Duration::from_micros(interval)), expected, "{interval} µs");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_held_up_leaves_in_no_second_with_more_than_its_share() {
        let interval = Duration::from_millis(1);
        let window = SlidingWindow::new(interval);
        let mut left = Vec::new();
        for millisecond in 0..3000_u64 {
            // For 60 ms nothing is sent; then all delayed requests are due.
            let wanting = match millisecond {
                1500..1560 => 0,
                1560 => 61,
                _ => 1,
            };
            for _ in 0..wanting {
                window.pass().await;
                left.push(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let within = |start: &Instant| left.iter().filter(|at| (*start..*start + SECOND).contains(at)).count();
        assert_eq!(left.iter().map(within).max(), Some(most(interval)));
    }
}
