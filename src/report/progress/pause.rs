//! The pauses of a run: how long nothing is sent, and why. Pure.

use std::time::{Duration, Instant};

/// Why nothing is sent for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// The API answered 429.
    Throttled,
    /// The API answered 503 and named a time.
    Unavailable,
    /// Too many requests failed in a row. `None` if they failed in different ways.
    Failing(Option<ServerOutage>),
}

/// What fails, and when the run gives up because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerOutage {
    pub cause: String,
    pub gives_up_at: Instant,
}

/// A pause that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PauseLeft<'a> {
    pub left: Duration,
    pub reason: &'a PauseReason,
}

/// The current pause, and how long the earlier ones took together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pauses {
    earlier: Duration,
    current: Option<Current>,
    /// When the latest of the earlier ones ended.
    ended_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Current {
    since: Instant,
    /// Only ever moves forward.
    until: Instant,
    reason: PauseReason,
}

impl Pauses {
    /// Adds a pause from now on. One that ends before the current one changes nothing.
    pub(crate) fn add(&mut self, length: Duration, reason: PauseReason, now: Instant) {
        let until = now + length;
        match &mut self.current {
            Some(current) if now < current.until => {
                if current.until < until {
                    (current.until, current.reason) = (until, reason);
                }
            }
            _ => {
                self.end(now);
                self.current = Some(Current { since: now, until, reason });
            }
        }
    }

    /// Ends the current pause, if there is one.
    pub(crate) fn end(&mut self, now: Instant) {
        if let Some(current) = self.current.take() {
            let ended_at = now.min(current.until);
            self.earlier += ended_at.saturating_duration_since(current.since);
            self.ended_at = Some(ended_at);
        }
    }

    /// Returns when the latest pause ends or ended. `None` if there was none.
    pub(crate) fn last_end(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.until).or(self.ended_at)
    }

    /// Returns the pause that lasts now.
    pub(crate) fn current(&self, now: Instant) -> Option<PauseLeft<'_>> {
        let current = self.current.as_ref()?;
        let left = current.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(PauseLeft { left, reason: &current.reason })
    }

    /// Returns how long all pauses took until now.
    pub(crate) fn total(&self, now: Instant) -> Duration {
        let current = self.current.as_ref();
        self.earlier
            + current.map_or(Duration::ZERO, |current| now.min(current.until).saturating_duration_since(current.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_only_moves_forward_and_counts_once() {
        let (start, mut pauses) = (Instant::now(), Pauses::default());
        let at = |second: u64| start + Duration::from_secs(second);
        let left = |pauses: &Pauses, now| pauses.current(at(now)).map(|pause| pause.left.as_secs());
        pauses.add(Duration::from_secs(60), PauseReason::Throttled, at(10));
        pauses.add(Duration::from_secs(5), PauseReason::Unavailable, at(11));
        assert_eq!(left(&pauses, 16), Some(54));
        pauses.add(Duration::from_secs(60), PauseReason::Unavailable, at(20));
        assert_eq!(pauses.current(at(20)).unwrap().reason, &PauseReason::Unavailable);
        assert_eq!((left(&pauses, 79), left(&pauses, 80)), (Some(1), None));
        assert_eq!(pauses.total(at(40)).as_secs(), 30);
        assert_eq!(pauses.total(at(100)).as_secs(), 70);
        pauses.add(Duration::from_secs(10), PauseReason::Failing(None), at(100));
        pauses.end(at(103));
        assert_eq!((left(&pauses, 104), pauses.total(at(110)).as_secs()), (None, 73));
        assert_eq!(pauses.last_end(), Some(at(103)));
    }
}
