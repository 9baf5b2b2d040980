//! Collects what a run does in each minute, for plots over time. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{MinuteTraffic, Request};
use crate::event::Event;

/// The minute under way.
#[derive(Debug, Default)]
pub(crate) struct MinuteCollector {
    current: Option<MinuteTraffic>,
    /// When the pause ends that the API asked for, in milliseconds since 1970.
    paused_until: i64,
}

impl MinuteCollector {
    /// Takes an event, and returns the minute before if the event is of another one. `now` is asked
    /// only for events that count.
    pub(crate) fn on(&mut self, event: &Event, now: impl FnOnce() -> Timestamp) -> Option<MinuteTraffic> {
        if !counts(event) {
            return None;
        }
        let now = now();
        let longer = match event {
            Event::Throttled { pause } | Event::Unavailable { pause } => self.lengthen(*pause, now),
            _ => Duration::ZERO,
        };
        let minute = now.as_second().div_euclid(60);
        let is_over = self.current.as_ref().is_some_and(|current| current.minute != minute);
        let finished = if is_over { self.finish() } else { None };
        let current = self.current.get_or_insert_with(|| MinuteTraffic::new(minute));
        current.paused += longer;
        count(current, event);
        finished
    }

    /// Returns the last minute, if something happened in it.
    pub(crate) fn finish(&mut self) -> Option<MinuteTraffic> {
        self.current.take().filter(|minute| !minute.is_empty())
    }

    /// Returns how much later the pause ends than before.
    fn lengthen(&mut self, pause: Duration, now: Timestamp) -> Duration {
        let now = now.as_millisecond();
        let end = now.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let longer = end.saturating_sub(self.paused_until.max(now));
        self.paused_until = self.paused_until.max(end);
        Duration::from_millis(u64::try_from(longer).unwrap_or_default())
    }
}

/// A heartbeat counts as nothing, and ends a minute in which nothing else happens.
const fn counts(event: &Event) -> bool {
    matches!(
        event,
        Event::Response { .. }
            | Event::Retry { .. }
            | Event::Doubted { .. }
            | Event::Recovered { .. }
            | Event::Throttled { .. }
            | Event::Unavailable { .. }
            | Event::Heartbeat
    )
}

fn count(minute: &mut MinuteTraffic, event: &Event) {
    match event {
        Event::Response { request, class, took } => {
            minute.add_responses(*request, *class, 1);
            if *request == Request::Create && class.is_answered() {
                minute.latencies.add(*took);
            }
        }
        Event::Retry { .. } => minute.retries += 1,
        Event::Doubted { .. } => minute.doubts_opened += 1,
        Event::Recovered { .. } => minute.doubts_ended += 1,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, ResponseClass};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(6_000_000 + seconds).unwrap()
    }

    fn response(request: Request, class: ResponseClass, millis: u64) -> Event {
        Event::Response { request, class, took: Duration::from_millis(millis) }
    }

    #[test]
    fn a_minute_comes_out_when_the_next_one_begins_and_the_last_one_at_the_end() {
        let mut collector = MinuteCollector::default();
        let position = Position { row: 1, line: 2 };
        for (second, event) in [
            (0, response(Request::Create, ResponseClass::Success, 200)),
            (30, response(Request::Create, ResponseClass::Silence, 75_000)),
            (31, Event::Doubted { position }),
            (59, response(Request::LookUp, ResponseClass::Success, 5)),
        ] {
            assert_eq!(collector.on(&event, || at(second)), None);
        }
        let first = collector.on(&Event::Recovered { position }, || at(60)).unwrap();
        assert_eq!(first.minute, 100_000);
        assert_eq!(first.responses(Request::Create, ResponseClass::Success), 1);
        assert_eq!(first.responses(Request::Create, ResponseClass::Silence), 1);
        assert_eq!(first.responses(Request::LookUp, ResponseClass::Success), 1);
        assert_eq!((first.doubts_opened, first.doubts_ended), (1, 0));
        assert_eq!(first.latencies.total(), 1, "silence has no latency, and a look-up none of a customer");
        let last = collector.finish().unwrap();
        assert_eq!((last.minute, last.doubts_ended), (100_001, 1));
        assert_eq!(collector.finish(), None);
    }

    #[test]
    fn a_heartbeat_ends_a_minute_and_a_minute_without_anything_never_comes_out() {
        let mut collector = MinuteCollector::default();
        assert_eq!(collector.on(&Event::Heartbeat, || at(0)), None);
        assert_eq!(collector.on(&Event::Heartbeat, || at(60)), None);
        assert_eq!(collector.on(&response(Request::Create, ResponseClass::Success, 1), || at(61)), None);
        assert!(collector.on(&Event::Heartbeat, || at(120)).is_some());
        assert_eq!(collector.finish(), None);
    }

    #[test]
    fn pauses_that_overlap_count_once_in_the_minute_in_which_they_were_asked_for() {
        let mut collector = MinuteCollector::default();
        let (asked, longer) = (Duration::from_secs(60), Duration::from_secs(90));
        collector.on(&Event::Throttled { pause: asked }, || at(10));
        collector.on(&Event::Throttled { pause: asked }, || at(10));
        collector.on(&Event::Unavailable { pause: longer }, || at(20));
        assert_eq!(collector.finish().unwrap().paused, Duration::from_secs(100));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_another_minute() {
        let mut collector = MinuteCollector::default();
        collector.on(&response(Request::Create, ResponseClass::Success, 1), || at(60));
        let early = collector.on(&response(Request::Create, ResponseClass::Success, 1), || at(0)).unwrap();
        assert_eq!((early.minute, collector.finish().unwrap().minute), (100_001, 100_000));
    }
}
