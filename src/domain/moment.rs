//! A point in time on two clocks, because either clock alone can mislead.
//!
//! The wall clock means the same to every process, but users and daemons can set it. The boot clock
//! cannot be set and also runs while the machine sleeps, but it starts again at every boot. So
//! within one boot, the boot clock shows how much time passed, and the wall clock must agree.
//! Across boots there is only the wall clock. If a system does not have a boot clock, each process
//! counts as a boot.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A reading of the boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootTime {
    /// An identifier of the boot.
    pub boot: u128,
    /// The time since the boot, including sleep.
    pub uptime: Duration,
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    /// `None` if the system does not have such a clock.
    pub boot: Option<BootTime>,
}

/// If the two clocks differ by more than this, one of them was set.
const DISAGREEMENT: SignedDuration = SignedDuration::from_mins(5);

impl Moment {
    /// Returns the time that has passed for certain. It is zero if the only clock that both moments
    /// share was set back.
    #[must_use]
    pub fn surely_since(self, earlier: Self) -> Duration {
        let passed = self.booted_since(earlier).unwrap_or_else(|| self.wall.duration_since(earlier.wall));
        Duration::try_from(passed).unwrap_or_default()
    }

    /// Returns the most time that can have passed, or `None` if a clock was set, so that this is
    /// unknown.
    #[must_use]
    pub fn at_most_since(self, earlier: Self) -> Option<Duration> {
        let wall = self.wall.duration_since(earlier.wall);
        let longest = match self.booted_since(earlier) {
            Some(boot) if (wall - boot).abs() > DISAGREEMENT => return None,
            Some(boot) => wall.max(boot),
            None => wall,
        };
        Duration::try_from(longest).ok()
    }

    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        !self.surely_since(other).is_zero()
    }

    /// Returns a later moment. It stops at the end of time instead of failing there.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        let boot = self.boot.map(|clock| BootTime { uptime: clock.uptime.saturating_add(by), ..clock });
        Self { wall: self.wall.checked_add(by).unwrap_or(Timestamp::MAX), boot }
    }

    /// Returns the time between two moments by the boot clock, or `None` if they are not from the
    /// same boot.
    fn booted_since(self, earlier: Self) -> Option<SignedDuration> {
        let (now, then) = self.boot.zip(earlier.boot).filter(|(now, then)| now.boot == then.boot)?;
        let signed = |clock: BootTime| SignedDuration::try_from(clock.uptime).unwrap_or(SignedDuration::MAX);
        Some(signed(now) - signed(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    /// Returns a moment that differs from a fixed one by these seconds on each clock.
    fn moment(wall: i64, boot: u128, uptime: i64) -> Moment {
        let uptime = Duration::from_secs(u64::try_from(1_000_000 + uptime).unwrap());
        let wall = Timestamp::from_second(1_700_000_000 + wall).unwrap();
        Moment { wall, boot: Some(BootTime { boot, uptime }) }
    }

    fn by_wall(seconds: i64) -> Moment {
        Moment { boot: None, ..moment(seconds, 1, 0) }
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn what_surely_passed_and_what_can_have_passed_at_most() {
        let then = moment(0, 1, 0);
        for (case, now, surely, at_most) in [
            ("both agree", moment(60, 1, 60), 60, Some(60)),
            ("slept for two hours", moment(2 * HOUR, 1, 2 * HOUR), 7200, Some(7200)),
            ("the wall clock was corrected a little, forward", moment(62, 1, 60), 60, Some(62)),
            ("… and backward", moment(-2, 1, 60), 60, Some(60)),
            ("set a day forward", moment(24 * HOUR, 1, 60), 60, None),
            ("set a day back", moment(-24 * HOUR, 1, 60), 60, None),
            ("set by five minutes", moment(360, 1, 60), 60, Some(360)),
            ("set by more", moment(361, 1, 60), 60, None),
            ("another boot", moment(600, 2, -900_000), 600, Some(600)),
            ("another boot, and a clock that went back", moment(-1, 2, 60), 0, None),
            ("no boot clock now", by_wall(60), 60, Some(60)),
            ("no boot clock now, and set back", by_wall(-1), 0, None),
            ("a boot clock that runs backwards is none", moment(-1, 1, -1), 0, None),
        ] {
            assert_eq!(now.surely_since(then), seconds(surely), "{case}");
            assert_eq!(now.at_most_since(then), at_most.map(seconds), "{case}");
        }
    }

    #[test]
    fn a_moment_is_after_another_by_the_clock_that_nobody_sets() {
        let then = moment(0, 1, 0);
        assert!(moment(-24 * HOUR, 1, 1).is_after(then) && !moment(24 * HOUR, 1, 0).is_after(then));
        assert!(by_wall(1).is_after(then) && !by_wall(0).is_after(then));
        assert_eq!(then.later(seconds(5)), moment(5, 1, 5));
        assert_eq!(Moment { wall: Timestamp::MAX, boot: None }.later(seconds(5)).wall, Timestamp::MAX);
    }
}
