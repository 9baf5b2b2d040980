//! The first line of a summary: how far the run came, and what is left.

use jiff::Timestamp;

use crate::domain::{Status, Tally, counted, grouped, on_one_line};
use crate::style::Tone;

/// Why a run has no end, and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unended {
    RunningSince(Timestamp),
    CutOffAfter(Timestamp),
}

/// What the first line depends on.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Headline<'a> {
    pub tally: &'a Tally,
    /// Why the run stopped before its end.
    pub stopped: Option<&'a str>,
    pub unended: Option<Unended>,
    /// The `--limit` that ended the run.
    pub limit: Option<u64>,
    /// How many known bad records leave the run a success.
    pub excused: u64,
}

impl Headline<'_> {
    /// Returns the line. It has no full stop after the reason of a stop, because the reason can end
    /// with an address, and the full stop would be pasted with it.
    pub(in crate::report) fn to_text(self) -> String {
        let read = counted(self.tally.total(), "record");
        let (doubts, waiting) = (self.of(Status::InDoubt), self.of(Status::NotAttempted));
        let excused = self.excused;
        let lost = (self.correctable() + self.of(Status::Failed)).saturating_sub(excused);
        if let (Some(limit), None, None, 1..) = (self.limit, self.unended, self.stopped, waiting) {
            return self.trial(limit);
        }
        match (self.unended, self.stopped) {
            (Some(Unended::RunningSince(begun)), _) => format!(
                "Running since {begun:.0}: {} of {read} not sent yet, {} in flight or in doubt.",
                grouped(waiting),
                grouped(doubts)
            ),
            (Some(Unended::CutOffAfter(begun)), _) => format!(
                "Cut off: the run of {begun:.0} was killed; {} of {read} not sent, {} in doubt. Run the same import again.",
                grouped(waiting),
                grouped(doubts)
            ),
            (None, Some(why)) => format!("Stopped: {}", on_one_line(why)),
            (None, None) if doubts > 0 => {
                format!(
                    "Finished, with {} of {read} in doubt: run the same command again to find out.",
                    grouped(doubts)
                )
            }
            (None, None) if lost > 0 => {
                let were = if lost == 1 { "was" } else { "were" };
                let besides =
                    if excused > 0 { format!(", besides {} known bad", grouped(excused)) } else { String::new() };
                format!("Finished, but {} of {read} {were} not created{besides}.", grouped(lost))
            }
            (None, None) if waiting == 0 && excused > 0 => {
                format!("Done: {read}, {} of them known bad.", grouped(excused))
            }
            (None, None) if waiting > 0 => format!("Done so far: {read}, {} not sent yet.", grouped(waiting)),
            (None, None) => format!("Done: {read}, nothing left to do."),
        }
    }

    /// Returns the tone of the line.
    pub(super) fn tone(self) -> Tone {
        if self.stopped.is_some() || self.correctable() + self.of(Status::Failed) > self.excused {
            Tone::Bad
        } else if self.of(Status::InDoubt) > 0 || self.unended.is_some() {
            Tone::Open
        } else {
            Tone::Good
        }
    }

    /// Returns the line of a run that ended because it sent as many records as `--limit` allows.
    fn trial(self, limit: u64) -> String {
        let (left, doubts, failed) = (self.of(Status::NotAttempted), self.of(Status::InDoubt), self.of(Status::Failed));
        let trouble: Vec<_> = [
            (self.correctable(), format!("{} to fix", counted(self.correctable(), "row"))),
            (failed, format!("{} failed", grouped(failed))),
            (doubts, format!("{} in doubt", grouped(doubts))),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(_, words)| words)
        .collect();
        if trouble.is_empty() {
            let limit = grouped(limit);
            return format!("Trial done (--limit {limit}): {limit} sent, {} left.", grouped(left));
        }
        let (created, left) = (grouped(self.of(Status::Created)), grouped(left));
        format!("Trial done: {created} created. {left} to go, {}.", trouble.join(", "))
    }

    fn of(self, status: Status) -> u64 {
        self.tally.get(status)
    }

    fn correctable(self) -> u64 {
        self.of(Status::Invalid) + self.of(Status::Rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tally: &Tally) -> Headline<'_> {
        Headline { tally, stopped: None, unended: None, limit: None, excused: 0 }
    }

    #[test]
    fn a_reached_limit_is_told_as_a_trial_with_what_is_left_and_what_to_fix() {
        let mut trial = Tally::of(&[Status::Created, Status::Exists, Status::Created]);
        let line = |tally: &Tally| Headline { limit: Some(3), ..of(tally) }.to_text();
        assert_eq!(line(&trial), "Done: 3 records, nothing left to do.");
        trial.add_many(Status::NotAttempted, 38);
        assert_eq!(line(&trial), "Trial done (--limit 3): 3 sent, 38 left.");
        trial.add_many(Status::NotAttempted, 2839);
        trial.add_many(Status::Invalid, 81);
        trial.add(Status::Rejected);
        assert_eq!(line(&trial), "Trial done: 2 created. 2,877 to go, 82 rows to fix.");
        trial.add(Status::Failed);
        trial.add(Status::InDoubt);
        assert_eq!(line(&trial), "Trial done: 2 created. 2,877 to go, 82 rows to fix, 1 failed, 1 in doubt.");
        let stopped = Headline { limit: Some(3), stopped: Some("stopped by SIGINT (interrupt)"), ..of(&trial) };
        assert_eq!(stopped.to_text(), "Stopped: stopped by SIGINT (interrupt)");
    }

    #[test]
    fn known_bad_records_leave_a_run_done_only_if_they_are_excused() {
        let mut bad = Tally::of(&[Status::Created, Status::Rejected, Status::Invalid]);
        let excusing = |tally: &Tally| Headline { excused: 2, ..of(tally) }.to_text();
        assert_eq!(of(&bad).to_text(), "Finished, but 2 of 3 records were not created.");
        assert_eq!(excusing(&bad), "Done: 3 records, 2 of them known bad.");
        bad.add(Status::Invalid);
        assert_eq!(excusing(&bad), "Finished, but 1 of 4 records was not created, besides 2 known bad.");
        bad.add(Status::InDoubt);
        assert!(excusing(&bad).contains("1 of 5 records in doubt"), "{}", excusing(&bad));
    }

    #[test]
    fn an_address_at_the_end_of_a_reason_is_not_followed_by_a_full_stop() {
        let tally = Tally::of(&[Status::NotAttempted]);
        let why = "cannot reach http://127.0.0.1:9/api/v1";
        let line = Headline { stopped: Some(why), ..of(&tally) }.to_text();
        assert_eq!(line, format!("Stopped: {why}"));
    }
}
