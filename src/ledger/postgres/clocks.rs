//! Moments in a database that several hosts write to.
//!
//! Each moment is kept twice: by the two clocks of the host that wrote it, and by the clock of the
//! database. A process of the same boot takes the first one, which is exact. For any other host the
//! clocks of the writer mean nothing, so it takes the moment's age by the database's clock and
//! counts back from its own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{BootTime, Moment};

/// A moment of which a row tells both.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptMoment {
    /// By the clocks of the host that wrote it.
    pub written: Moment,
    /// How long ago it was when the row was read, by the database's clock. Negative for a moment
    /// that was still to come.
    pub age: SignedDuration,
}

impl KeptMoment {
    /// Returns the moment by the clocks of this host. `now` is when the row was read: take the
    /// moment before the question if the result must not be too late, and the one after the answer
    /// if it must not be too early.
    pub(super) fn seen_at(self, now: Moment) -> Moment {
        let is_same_boot = self.written.boot.zip(now.boot).is_some_and(|(one, other)| one.boot == other.boot);
        if is_same_boot { self.written } else { shifted(now, -self.age) }
    }
}

/// Returns a moment that is so much later. Before the boot there is only the wall clock.
fn shifted(moment: Moment, by: SignedDuration) -> Moment {
    let uptime = |clock: BootTime| {
        let uptime = SignedDuration::try_from(clock.uptime).ok()?.checked_add(by)?;
        Some(BootTime { uptime: Duration::try_from(uptime).ok()?, ..clock })
    };
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    Moment { wall: moment.wall.checked_add(by).unwrap_or(end), boot: moment.boot.and_then(uptime) }
}

/// Returns whichever is later, by the clock that both share.
pub(super) fn later_of(one: Moment, other: Moment) -> Moment {
    if other.is_after(one) { other } else { one }
}

/// Returns how many milliseconds a moment is ahead of another one. Negative if it is behind.
pub(super) fn millis_ahead(of: Moment, now: Moment) -> i64 {
    let (ahead, behind) = (of.surely_since(now), now.surely_since(of));
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    if ahead.is_zero() { -millis(behind) } else { millis(ahead) }
}

/// The wall clock in milliseconds, and the number and the clock of the boot if there is one.
pub(super) fn encode(moment: Moment) -> Vec<u8> {
    let mut bytes = moment.wall.as_millisecond().to_be_bytes().to_vec();
    if let Some(BootTime { boot, uptime }) = moment.boot {
        bytes.extend_from_slice(&boot.to_be_bytes());
        bytes.extend_from_slice(&u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX).to_be_bytes());
    }
    bytes
}

/// Returns `None` if the bytes are not what [`encode`] makes.
pub(super) fn decode(bytes: &[u8]) -> Option<Moment> {
    let (wall, rest) = bytes.split_first_chunk()?;
    let wall = Timestamp::from_millisecond(i64::from_be_bytes(*wall)).ok()?;
    if rest.is_empty() {
        return Some(Moment { wall, boot: None });
    }
    let (boot, rest) = rest.split_first_chunk()?;
    let uptime = Duration::from_millis(u64::from_be_bytes(rest.try_into().ok()?));
    Some(Moment { wall, boot: Some(BootTime { boot: u128::from_be_bytes(*boot), uptime }) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(wall: i64, boot: u128, uptime: u64) -> Moment {
        let boot = Some(BootTime { boot, uptime: Duration::from_secs(uptime) });
        Moment { wall: Timestamp::from_second(wall).unwrap(), boot }
    }

    fn seen(written: Moment, age: i64, now: Moment) -> Moment {
        KeptMoment { written, age: SignedDuration::from_secs(age) }.seen_at(now)
    }

    #[test]
    fn a_process_of_the_same_boot_reads_what_was_written_and_another_one_counts_back() {
        let (written, same_boot) = (moment(1_000, 1, 50), moment(1_060, 1, 110));
        assert_eq!(seen(written, 9_999, same_boot), written);
        // A wall clock that is a day ahead, and a boot of its own.
        let elsewhere = moment(1_060 + 86_400, 2, 7_000);
        assert_eq!(seen(written, 60, elsewhere), moment(1_000 + 86_400, 2, 6_940));
        assert_eq!(seen(written, -10, elsewhere), moment(1_070 + 86_400, 2, 7_010), "still to come");
        let before_the_boot = seen(written, 8_000, elsewhere);
        assert_eq!(before_the_boot, Moment { boot: None, ..moment(1_060 + 86_400 - 8_000, 2, 0) });
    }

    #[test]
    fn a_key_whose_age_is_negative_is_of_unknown_age() {
        let now = moment(1_000, 2, 500);
        let key_since = seen(moment(0, 1, 0), -3_600, now);
        assert_eq!(now.at_most_since(key_since), None, "the database's clock was set back, so it counts as expired");
    }

    #[test]
    fn a_moment_is_so_far_ahead_or_behind() {
        let now = moment(1_000, 1, 50);
        assert_eq!(millis_ahead(moment(1_010, 1, 60), now), 10_000);
        assert_eq!(millis_ahead(moment(990, 1, 40), now), -10_000);
        assert_eq!(millis_ahead(now, now), 0);
    }

    proptest! {
        #[test]
        fn what_was_written_comes_back(wall in -1_000_000_000_000_i64..4_000_000_000_000, boot: Option<(u128, u32)>) {
            let boot = boot.map(|(boot, uptime)| BootTime { boot, uptime: Duration::from_millis(uptime.into()) });
            let moment = Moment { wall: Timestamp::from_millisecond(wall).unwrap(), boot };
            prop_assert_eq!(decode(&encode(moment)), Some(moment));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes: Vec<u8>) {
            decode(&bytes);
        }
    }
}
