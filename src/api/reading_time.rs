//! Ends a request whose response takes processor time without end, such as interim responses (1xx)
//! one after another.
//!
//! The HTTP library reads interim responses as fast as they come and shows none of them, so only
//! the processor time of the thread shows that it does. One thread does everything, so the time has
//! to be shared out: a second at a time, a fixed amount is explained by each request that began or
//! ended and by each record that was handled, and the rest may be due to any request that waits.
//! A request that waited while too much of it came together is ended.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a waiting request looks at the clock.
const LOOK: Duration = Duration::from_secs(1);
/// Requests that begin within this time begin with the same look, because reading the processor
/// time takes a system call.
const SAME_LOOK: Duration = Duration::from_millis(10);
/// How long a response that has come may take to be read before its request is ended.
const GRACE: Duration = Duration::from_millis(100);
/// The processor time that the beginning of a request explains, its end, and a record. Many times
/// what they take, for slow machines and TLS handshakes.
const EXPLAINED: Duration = Duration::from_micros(2500);
/// How much may remain unexplained, and how much more for each request in flight. Under a
/// profiler, a request waits while this thread works on those before it.
const BUDGET: Duration = Duration::from_secs(2);
const BUDGET_PER_REQUEST: Duration = Duration::from_millis(100);

/// The processor time that responses take, for all requests of a client. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadingTime(Arc<SharedWork>);

#[derive(Debug, Default)]
struct SharedWork {
    /// How many requests began or ended, and how many records were handled.
    work: AtomicU64,
    waiting: AtomicUsize,
    ended: AtomicU64,
    /// The look that the last request began with, and when it was.
    first_look: Mutex<Option<(Instant, Sample)>>,
}

/// The response took too much processor time, so the request was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overspent;

impl ReadingTime {
    /// Records that this thread handled so many records of the input, which takes time of its own.
    pub(super) fn handled(&self, records: usize) {
        self.0.work.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Waits for the head of a response. Fails if it takes too much processor time.
    pub(super) async fn limit<T>(&self, response: impl Future<Output = T>) -> Result<T, Overspent> {
        let _request = InFlight::begin(&self.0);
        let mut response = pin!(response);
        let mut wait = Wait::begin(self.first_look(Instant::now()));
        loop {
            if let Ok(response) = tokio::time::timeout(LOOK, response.as_mut()).await {
                return Ok(response);
            }
            if !wait.is_over(self.look()) {
                continue;
            }
            // This response may have come while the thread was busy with another one.
            if let Ok(response) = tokio::time::timeout(GRACE, response.as_mut()).await {
                return Ok(response);
            }
            if wait.is_over(self.look()) {
                self.0.ended.fetch_add(1, Ordering::Relaxed);
                return Err(Overspent);
            }
        }
    }

    /// Returns what a request sees that begins now. Work and time are those of an earlier request
    /// if that began just before, and belong together.
    fn first_look(&self, now: Instant) -> Sample {
        let mut known = self.0.first_look.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((then, sample)) if now.saturating_duration_since(then) < SAME_LOOK => {
                Sample { waiting: self.0.waiting.load(Ordering::Relaxed), ..sample }
            }
            _ => known.insert((now, self.look())).1,
        }
    }

    fn look(&self) -> Sample {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Sample {
            processor: thread_time().unwrap_or_default(),
            work: of(&self.0.work),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            ended: of(&self.0.ended),
        }
    }
}

/// Counts a request while it waits for its response.
struct InFlight<'a>(&'a SharedWork);

impl<'a> InFlight<'a> {
    fn begin(shared: &'a SharedWork) -> Self {
        shared.work.fetch_add(1, Ordering::Relaxed);
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.work.fetch_add(1, Ordering::Relaxed);
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a waiting request sees when it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sample {
    /// The processor time of this thread so far. Zero if the system does not show it.
    processor: Duration,
    work: u64,
    waiting: usize,
    /// How many requests were ended.
    ended: u64,
}

/// How much unexplained processor time passed while a request waited.
#[derive(Debug)]
struct Wait {
    last: Sample,
    unexplained: Duration,
    most_waiting: usize,
}

impl Wait {
    const fn begin(look: Sample) -> Self {
        Self { last: look, unexplained: Duration::ZERO, most_waiting: look.waiting }
    }

    /// Returns whether the request must end. After another one was ended, the time up to then was
    /// probably due to that one.
    fn is_over(&mut self, look: Sample) -> bool {
        let last = std::mem::replace(&mut self.last, look);
        let work = u32::try_from(look.work.saturating_sub(last.work)).unwrap_or(u32::MAX);
        let passed = look.processor.saturating_sub(last.processor);
        self.unexplained += passed.saturating_sub(EXPLAINED.saturating_mul(work));
        if look.ended != last.ended {
            self.unexplained = Duration::ZERO;
        }
        self.most_waiting = self.most_waiting.max(look.waiting);
        let more = BUDGET_PER_REQUEST.saturating_mul(u32::try_from(self.most_waiting).unwrap_or(u32::MAX));
        self.unexplained > BUDGET.saturating_add(more)
    }
}

/// Returns the processor time of this thread, or `None` if the system does not show it.
#[cfg(target_os = "linux")]
fn thread_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

#[cfg(not(target_os = "linux"))]
fn thread_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// What a waiting request sees, second by second: milliseconds of processor time and units of
    /// work since the last look, and how many requests wait.
    fn seconds_until_over(seconds: &[(u32, u64, usize)]) -> Option<usize> {
        let mut look = Sample { waiting: seconds[0].2, ..Sample::default() };
        let mut wait = Wait::begin(look);
        let over = seconds.iter().position(|&(processor, work, waiting)| {
            look = Sample {
                processor: look.processor + MILLISECOND * processor,
                work: look.work + work,
                waiting,
                ended: 0,
            };
            wait.is_over(look)
        });
        over.map(|second| second + 1)
    }

    #[test]
    fn only_processor_time_that_no_work_explains_ends_a_request_and_soon() {
        let minute = |processor, work, waiting| seconds_until_over(&[(processor, work, waiting); 60]);
        for (name, seconds, over) in [
            ("a chain that takes a whole core", minute(1000, 0, 1), Some(3)),
            ("half a core", minute(500, 0, 1), Some(5)),
            ("a whole core beside 100 requests a second", minute(1000, 200, 8), Some(6)),
            ("a whole core, with 256 in flight", minute(1000, 0, 256), Some(28)),
            ("a slow answer while nothing happens", minute(1, 0, 1), None),
            ("interim responses ten times a second", minute(20, 0, 1), None),
            ("a slow answer beside 2,000 requests a second at full speed", minute(1000, 4000, 256), None),
            ("a debug build at full speed", minute(1000, 1400, 64), None),
            ("a million known records", minute(1000, 50_000, 1), None),
            ("one TLS handshake on a slow machine", seconds_until_over(&[(900, 1, 1), (900, 0, 1)]), None),
            ("256 TLS handshakes at once, 10 ms each", seconds_until_over(&[(1000, 256, 256), (1560, 0, 256)]), None),
            ("a system without this clock", minute(0, 0, 1), None),
            ("the others ended, and their share with them", seconds_until_over(&[(9000, 0, 256), (1, 1, 1)]), None),
        ] {
            assert_eq!(seconds, over, "{name}");
        }
        // A profiler makes everything fifty times slower. Each response is read in its turn.
        let in_turn: Vec<_> = (1..=256).rev().step_by(14).map(|waiting| (1000, 28, waiting)).collect();
        assert_eq!(seconds_until_over(&in_turn), None);
    }

    #[test]
    fn work_of_one_second_explains_nothing_of_the_next() {
        let mut seconds = vec![(100, 100_000, 8); 60];
        seconds.extend([(1000, 0, 1); 4]);
        assert_eq!(seconds_until_over(&seconds), Some(63));
    }

    #[test]
    fn a_request_that_was_ended_takes_the_blame_from_all_others() {
        let look = |seconds, ended| Sample { processor: Duration::from_secs(seconds), work: 0, waiting: 2, ended };
        let mut wait = Wait::begin(look(0, 0));
        assert!(!wait.is_over(look(2, 0)));
        assert!(!wait.is_over(look(9, 1)));
        assert!(!wait.is_over(look(11, 1)), "two seconds since then");
        assert!(wait.is_over(look(12, 1)), "it was another one");
    }

    #[test]
    fn a_request_counts_as_waiting_until_it_ends_however_it_ends() {
        let time = ReadingTime::default();
        let request = InFlight::begin(&time.0);
        assert_eq!((time.look().waiting, time.look().work), (1, 1));
        drop(request);
        time.handled(5);
        assert_eq!((time.look().waiting, time.look().work), (0, 7));
    }

    #[test]
    fn requests_that_begin_together_share_a_look_and_later_ones_have_their_own() {
        let (time, begin) = (ReadingTime::default(), Instant::now());
        let first = time.first_look(begin);
        let _request = InFlight::begin(&time.0);
        let second = time.first_look(begin + SAME_LOOK / 2);
        assert_eq!(second, Sample { waiting: 1, ..first });
        let third = time.first_look(begin + SAME_LOOK);
        assert_eq!((third.waiting, third.work), (1, 1));
        assert_eq!(time.first_look(begin + SAME_LOOK), third);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_system_shows_the_processor_time_of_a_thread() {
        let before = thread_time().unwrap();
        while thread_time().unwrap() < before + MILLISECOND {
            std::hint::black_box(0);
        }
    }
}
