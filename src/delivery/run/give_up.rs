//! Decides how long to go on without a conclusive response. Pure: instants are arguments.
//!
//! # The rules
//! - The time counts from the first failure after a conclusive response. Pauses that the server
//!   asked for (429) do not count, so an hour that it asks for is waited out.
//! - A server that only ever answers "too many requests" is not working either. After ten pauses in
//!   a row with only 429s between them, the pauses count too.

use std::time::Duration;

use tokio::time::Instant;

/// So many pauses in a row count as a failure.
const PAUSES: u32 = 10;

#[derive(Debug)]
pub(crate) struct GiveUpTimer {
    limit: Duration,
    trial: Option<Trial>,
    /// The reason of the last failure.
    cause: String,
}

/// The time since the last conclusive response.
#[derive(Clone, Copy, Debug)]
struct Trial {
    begun: Instant,
    /// The same start, moved forward by each pause.
    since: Instant,
    paused_until: Instant,
    /// Pauses in a row with only 429s between them.
    pauses: u32,
    /// The last request got no connection. Then the time alone may end the run. After silence it
    /// may not, because records that wait for their settle time send nothing and so get no
    /// response. Nor may it during a pause.
    unreachable: bool,
}

impl GiveUpTimer {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, trial: None, cause: String::new() }
    }

    /// Records a conclusive response.
    pub(crate) fn conclusive(&mut self) {
        self.trial = None;
        self.cause.clear();
    }

    /// Records a request without a response from the API.
    pub(crate) fn failed(&mut self, unreachable: bool, cause: &str, now: Instant) {
        cause.clone_into(&mut self.cause);
        let trial = self.trial(now);
        (trial.unreachable, trial.pauses) = (unreachable, 0);
    }

    /// Records a 429. Many requests in flight may report the same pause.
    pub(crate) fn throttled(&mut self, pause: Duration, now: Instant) {
        let trial = self.trial(now);
        let until = trial.paused_until.max(now + pause);
        trial.pauses += u32::from(now >= trial.paused_until);
        trial.since += until - trial.paused_until.max(now);
        (trial.paused_until, trial.unreachable) = (until, false);
    }

    /// Returns why the last request failed, or `None` if one has succeeded since.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.trial.map(|_| self.cause.as_str()).filter(|cause| !cause.is_empty())
    }

    /// Returns when to give up at the earliest, whatever comes meanwhile.
    pub(crate) fn gives_up_at(&self) -> Option<Instant> {
        self.trial.map(|trial| trial.since + self.limit)
    }

    /// Returns when to give up if nothing comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.trial.filter(|trial| trial.unreachable).map(|trial| trial.since + self.limit)
    }

    /// Returns why to give up now, or `None` to go on.
    pub(crate) fn is_over(&self, now: Instant) -> Option<String> {
        let trial = self.trial.filter(|trial| {
            let counted_from = if trial.pauses >= PAUSES { trial.begun } else { trial.since };
            now >= counted_from + self.limit
        })?;
        let time = rounded(now - trial.begun);
        Some(if trial.pauses >= PAUSES {
            format!("the API did nothing but ask for pauses (429) for {time}, {} times in a row", trial.pauses)
        } else {
            let cause = self.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("no conclusive answer from the API for {time}{cause}")
        })
    }

    fn trial(&mut self, now: Instant) -> &mut Trial {
        self.trial.get_or_insert(Trial { begun: now, since: now, paused_until: now, pauses: 0, unreachable: false })
    }
}

/// Returns the time as text: in whole seconds, or in milliseconds below a second.
fn rounded(time: Duration) -> String {
    let unit = if time < Duration::from_secs(1) { jiff::Unit::Millisecond } else { jiff::Unit::Second };
    let time = jiff::SignedDuration::try_from(time).unwrap_or(jiff::SignedDuration::MAX);
    format!("{:#}", time.round(unit).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn time_counts_from_the_first_failure_after_a_conclusive_answer() {
        let (mut patience, start) = (GiveUpTimer::new(LIMIT), Instant::now());
        assert_eq!(patience.deadline(), None);
        patience.failed(true, "refused", start);
        patience.failed(true, "refused", start + 5 * SECOND);
        assert_eq!(patience.deadline(), Some(start + LIMIT));
        assert_eq!(patience.is_over(start + 59 * SECOND), None);
        assert!(patience.is_over(start + LIMIT).is_some_and(|why| why.contains("1m") && why.ends_with("refused")));
        patience.conclusive();
        assert_eq!((patience.deadline(), patience.is_over(start + LIMIT)), (None, None));
    }

    #[test]
    fn a_time_below_a_second_is_not_told_as_none() {
        assert_eq!(rounded(Duration::from_micros(300_400)), "300ms");
        assert_eq!(rounded(Duration::from_millis(1_800_300)), "30m");
        let (mut patience, start) = (GiveUpTimer::new(SECOND / 4), Instant::now());
        patience.failed(true, "refused", start);
        let expected = "no conclusive answer from the API for 250ms: refused";
        assert_eq!(patience.is_over(start + SECOND / 4).as_deref(), Some(expected));
    }

    #[test]
    fn after_silence_the_clock_alone_ends_nothing() {
        let (mut patience, start) = (GiveUpTimer::new(LIMIT), Instant::now());
        patience.failed(false, "refused", start);
        assert_eq!(patience.deadline(), None);
        assert!(patience.is_over(start + LIMIT).is_some());
    }

    #[test]
    fn an_hour_that_the_server_asked_for_is_no_failure_of_the_run() {
        let (mut patience, start) = (GiveUpTimer::new(LIMIT), Instant::now());
        let hour = 3600 * SECOND;
        patience.throttled(hour, start);
        // The other requests in flight report the same pause.
        (0..20).for_each(|_| patience.throttled(hour, start + SECOND));
        assert_eq!(patience.is_over(start + hour + 59 * SECOND), None);
        patience.failed(true, "refused", start + hour + 2 * SECOND);
        let beyond = start + hour + SECOND + LIMIT;
        assert_eq!(patience.deadline(), Some(beyond));
        assert!(patience.is_over(beyond).is_some());
    }

    #[test]
    fn ten_pauses_in_a_row_are_given_up_on_once_they_took_long_enough() {
        let start = Instant::now();
        let pauses = |each: Duration, count: u32| {
            let mut patience = GiveUpTimer::new(LIMIT);
            (0..count).find(|pause| {
                let now = start + *pause * (each + SECOND);
                patience.throttled(each, now);
                patience.is_over(now).is_some()
            })
        };
        assert_eq!(pauses(30 * SECOND, 20), Some(9), "the tenth");
        assert_eq!(pauses(SECOND, 60), Some(30), "ten came much sooner than the time was over");
    }

    #[test]
    fn any_other_answer_between_pauses_begins_the_count_anew() {
        let (mut patience, start) = (GiveUpTimer::new(LIMIT), Instant::now());
        for pause in 0..40 {
            let now = start + pause * 31 * SECOND;
            patience.throttled(30 * SECOND, now);
            assert_eq!(patience.is_over(now), None);
            if pause % 9 == 8 {
                patience.conclusive();
            }
        }
    }
}
