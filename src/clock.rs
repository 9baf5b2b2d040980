//! Returns the time of the wall clock, because the ledger outlives the process, and of the boot
//! clock, which cannot be set.

use jiff::Timestamp;

use crate::domain::{BootTime, Moment};

#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System {
        /// The id of this boot, if the system has one.
        boot: Option<u128>,
    },
    /// Follows tokio's clock, for tests that pause it.
    #[cfg(test)]
    Given(std::sync::Arc<tests::Given>),
}

impl Clock {
    pub(crate) fn system() -> Self {
        Self::System { boot: system::boot() }
    }

    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System { boot } => {
                let boot = boot.and_then(|boot| Some(BootTime { boot, uptime: system::uptime()? }));
                Moment { wall: Timestamp::now(), boot }
            }
            #[cfg(test)]
            Self::Given(given) => given.now(),
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn boot() -> Option<u128> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        uuid::Uuid::parse_str(text.trim()).ok().map(|boot| boot.as_u128())
    }

    /// Unlike the monotonic clock, this one also runs while the machine sleeps.
    pub(super) fn uptime() -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::Boottime)).ok()
    }
}

/// A clock that cannot be set within this process, for systems without one that all processes of a
/// boot share. The process stands for a boot, with an id that no other process has. The clock may
/// stop while the machine sleeps, which only lengthens a wait.
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", allow(dead_code))]
mod process {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    static START: LazyLock<(u128, Instant)> = LazyLock::new(|| (uuid::Uuid::now_v7().as_u128(), Instant::now()));

    pub(super) fn boot() -> Option<u128> {
        Some(START.0)
    }

    pub(super) fn uptime() -> Option<Duration> {
        Some(START.1.elapsed())
    }
}

#[cfg(not(target_os = "linux"))]
use process as system;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use jiff::SignedDuration;
    use tokio::time::Instant;

    use super::*;

    /// Two clocks that follow tokio's and can be set apart from it.
    #[derive(Debug)]
    pub(crate) struct Given {
        start: Instant,
        set: Mutex<(SignedDuration, Duration)>,
    }

    impl Given {
        pub(crate) fn new() -> Self {
            Self { start: Instant::now(), set: Mutex::default() }
        }

        /// Sets the wall clock.
        pub(crate) fn set_wall(&self, by: SignedDuration) {
            self.set.lock().unwrap().0 += by;
        }

        /// Lets the machine sleep: the monotonic clock stops, and with it every wait of the
        /// program.
        pub(crate) fn sleep(&self, time: Duration) {
            self.set_wall(SignedDuration::try_from(time).unwrap());
            self.set.lock().unwrap().1 += time;
        }

        pub(crate) fn now(&self) -> Moment {
            let (wall, slept) = *self.set.lock().unwrap();
            let (began, passed) = (Timestamp::from_second(1_700_000_000).unwrap(), self.start.elapsed());
            let boot = BootTime { boot: 1, uptime: Duration::from_secs(1_000_000) + passed + slept };
            Moment { wall: began + passed + wall, boot: Some(boot) }
        }
    }

    #[test]
    fn where_a_boot_has_no_clock_the_process_has_one_that_nobody_sets() {
        let now = || BootTime { boot: process::boot().unwrap(), uptime: process::uptime().unwrap() };
        let (then, wall) = (now(), Timestamp::from_second(1_700_000_000).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        let before = Moment { wall, boot: Some(then) };
        let set_forward = Moment { wall: wall + Duration::from_secs(3600), boot: Some(now()) };
        let passed = set_forward.surely_since(before);
        assert!((Duration::from_millis(20)..Duration::from_secs(60)).contains(&passed), "{passed:?}");
        assert_eq!(set_forward.at_most_since(before), None, "the clocks disagree, so nobody knows");
    }

    #[test]
    fn this_system_has_both_clocks_and_they_agree() {
        let clock = Clock::system();
        let then = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        let now = clock.now();
        assert!(then.boot.is_some() && now.boot.map(|clock| clock.boot) == then.boot.map(|clock| clock.boot));
        assert!(now.surely_since(then) >= Duration::from_millis(20));
        assert!(now.at_most_since(then).is_some_and(|time| time < Duration::from_secs(60)));
    }
}
