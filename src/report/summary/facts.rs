//! What a run did, and what all forms of the summary derive from it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::error_groups::ErrorGroups;
use super::headline::{Headline, Unended};
use crate::domain::{Status, StopWords, Tally, counted, grouped, plural, shorten, shown};
use crate::report::changed::ChangedCounts;
use crate::report::correction::Correction;
use crate::report::human::{about, utc};
use crate::report::mails::MailCounts;

/// What a run did.
#[derive(Debug)]
pub struct Summary {
    pub run: String,
    pub target: String,
    pub account: String,
    /// The input, as messages show it.
    pub input: String,
    /// `None` if there is no ledger for another run: it is removed with this one, or has lost its
    /// name.
    pub ledger: Option<PathBuf>,
    pub started_at: Timestamp,
    /// `None` if the run did not end.
    pub ended_at: Option<Timestamp>,
    pub tally: Tally,
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
    pub duration: Duration,
    pub mails: MailCounts,
    /// `None` if this is the only run of its input.
    pub all_runs: Option<AllRuns>,
    pub errors: ErrorGroups,
    /// In which fields the changed records differ from what was sent.
    pub changed: ChangedCounts,
    /// How many of the invalid and rejected records a completed run before had reported with the
    /// same cells and codes.
    pub known_bad: u64,
    /// Whether known bad records leave the run a success (`--fail-on new`).
    pub excuses_known_bad: bool,
    /// Ids that the API gave to more than one record, with the number of records. The summary
    /// prints them loudly, because each customer must have its own id.
    pub shared_ids: Vec<(String, u64)>,
    pub reports: Vec<PathBuf>,
    pub rejects: Option<PathBuf>,
    pub exit_code: u8,
    /// Why the run stopped before its end.
    pub stopped: Option<StopWords>,
    /// Set if the run did not end. Its requests and retries are not known then, only its outcomes.
    pub unended: Option<Unended>,
    /// The `--limit` that ended the run. `None` if the run did not reach it.
    pub limit: Option<u64>,
    /// Whether the reports and the counts leave out some records of the input.
    pub partial: bool,
    /// What the reader must know before trusting the counts, one sentence each: the input is not
    /// the one of the run, or it was read with other options.
    pub notes: Vec<String>,
    /// The command that resumes the run, if there is something left to do.
    pub next_command: Option<String>,
    /// What to do about invalid and rejected records. `None` if the run cannot say.
    pub correction: Option<Correction>,
    /// The command that settles a doubt by hand, if there may be one that no run can settle.
    pub settle_command: Option<String>,
}

/// The runs of an input up to the one that a summary is about, added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllRuns {
    pub runs: u64,
    pub since: Timestamp,
    /// The requests of the runs that ended.
    pub requests: u64,
    /// Runs without an end, whose requests are unknown.
    pub unended: u64,
}

/// A line of a summary: its name, and what it says.
pub(super) struct SummaryFact {
    pub name: &'static str,
    pub text: String,
    /// Whether the text is from outside: a path, an address or a name that somebody else chose.
    pub is_foreign: bool,
}

/// What a summary asks a person to do about its rows that must be fixed, with their number.
pub(super) type Correctable<'a> = (&'a Correction, u64);

const ID_WIDTH: usize = 100;

impl Summary {
    pub(super) fn headline(&self) -> Headline<'_> {
        let excused = if self.excuses_known_bad { self.known_bad } else { 0 };
        let Self { tally, unended, limit, .. } = self;
        let stopped = self.stopped.as_ref().map(|words| words.why.as_str());
        Headline { tally, stopped, unended: *unended, limit: *limit, excused }
    }

    /// Returns what the user can do about the stop, or `None` if nothing stopped the run or its
    /// words say enough.
    pub(super) fn hint(&self) -> Option<&str> {
        self.stopped.as_ref().filter(|_| self.unended.is_none())?.advice.as_deref()
    }

    /// Returns the facts of the run, in the order in which people read them.
    pub(super) fn facts(&self) -> Vec<SummaryFact> {
        let ours = |name, text| SummaryFact { name, text, is_foreign: false };
        let foreign = |name, text| SummaryFact { name, text, is_foreign: true };
        let path = |path: &Path| shown(path).to_string();
        let mut facts = vec![
            ours("run", self.run.clone()),
            ours("started", utc(self.started_at)),
            ours("ended", self.end()),
            foreign("file", self.input.clone()),
            foreign("target", self.target.clone()),
        ];
        if self.account != "default" {
            facts.push(foreign("account", shorten(&self.account, ID_WIDTH)));
        }
        facts.extend(self.ledger.as_deref().map(|ledger| foreign("ledger", path(ledger))));
        facts.push(ours(
            "requests",
            match self.unended {
                None => self.requests_in_words(),
                Some(_) => "counted when a run ends".to_owned(),
            },
        ));
        let (mails, note) = self.mails.in_words(self.tally.get(Status::Created));
        facts.push(ours("e-mails", format!("{mails} {note}").trim_end().to_owned()));
        facts.extend(self.reports.iter().map(|report| foreign("report", path(report))));
        facts.extend(self.rejects.as_deref().map(|rejects| foreign("rejects", path(rejects))));
        facts.extend(self.all_runs.map(|all| ours("all runs", self.in_all(all))));
        facts
    }

    fn end(&self) -> String {
        match (self.unended, self.ended_at) {
            (Some(Unended::RunningSince(_)), _) => format!("still running, for {}", about(self.duration)),
            (Some(Unended::CutOffAfter(_)), _) => "cut off: killed, or the machine went down".to_owned(),
            (None, Some(at)) => format!("{}, after {}", utc(at), about(self.duration)),
            (None, None) => format!("after {}", about(self.duration)),
        }
    }

    /// Returns the number of requests and their pace, and what went wrong on the way, if anything
    /// did.
    fn requests_in_words(&self) -> String {
        // A doubt can also end with a customer who was rejected or certainly not created.
        let is_confirmed = self.tally.get(Status::Rejected) + self.tally.get(Status::Failed) == 0;
        let recovered = if is_confirmed {
            format!("{} confirmed after a lost answer", counted(self.recovered, "customer"))
        } else {
            format!("{} cleared up", counted(self.recovered, "lost answer"))
        };
        let trouble = [
            (self.throttled, format!("{} asked for a pause (429)", counted(self.throttled, "answer"))),
            (self.retries, counted(self.retries, "retry")),
            (self.recovered, recovered),
        ];
        let trouble = trouble.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| format!("; {words}"));
        let sent = format!("{} in {}{}", grouped(self.requests), about(self.duration), self.pace());
        std::iter::once(sent).chain(trouble).collect()
    }

    /// Returns the pace, or an empty text for a run of less than half a minute, which is too short
    /// for one.
    #[expect(clippy::cast_precision_loss, reason = "the pace has one decimal")]
    fn pace(&self) -> String {
        let minutes = self.duration.as_secs_f64() / 60.0;
        if minutes >= 0.5 { format!(" ({:.1}/min)", self.requests as f64 / minutes) } else { String::new() }
    }

    fn in_all(&self, AllRuns { runs, since, requests, unended }: AllRuns) -> String {
        let created = match self.created_in_all() {
            Some(created) => format!("{} created, ", counted(created, "customer")),
            None => String::new(),
        };
        let (runs, requests) = (counted(runs, "run"), counted(requests, "request"));
        let missing = match unended {
            0 => String::new(),
            1 => " without those of a run that did not end".to_owned(),
            many => format!(" without those of {} runs that did not end", grouped(many)),
        };
        format!("{runs} of this file since {}: {created}{requests}{missing}", utc(since))
    }

    /// Returns how many records of the input are customers that this run or an earlier one created.
    /// `None` if the counts leave out some records.
    pub(super) fn created_in_all(&self) -> Option<u64> {
        let of = |status| self.tally.get(status);
        let created = of(Status::Created) + of(Status::AlreadyImported) + of(Status::Changed);
        (!self.partial).then_some(created)
    }

    /// Returns what is left, with the number of records, or `None` if there is nothing.
    pub(super) fn left_in_words(&self) -> Option<String> {
        let kinds = [
            (self.tally.get(Status::NotAttempted), "not sent yet"),
            (self.tally.get(Status::Failed), "failed"),
            (self.tally.get(Status::InDoubt), "in doubt"),
        ];
        let kinds: Vec<_> = kinds
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, words)| format!("{} {words}", grouped(number)))
            .collect();
        (!kinds.is_empty()).then(|| format!("{}: {}", counted(self.tally.unfinished(), "record"), kinds.join(", ")))
    }

    /// Returns how many records the API takes only if their data changes.
    pub(super) fn correctable(&self) -> u64 {
        self.tally.get(Status::Invalid) + self.tally.get(Status::Rejected)
    }

    /// Returns what to do about the rows to fix, and their number. `None` if there are none, and if
    /// the run did not end by itself, because then resuming comes first.
    pub(super) fn correction(&self) -> Option<Correctable<'_>> {
        match (&self.correction, &self.stopped, self.unended, self.correctable()) {
            (Some(correction), None, None, rows @ 1..) => Some((correction, rows)),
            _ => None,
        }
    }

    /// Returns the command that settles a doubt by hand, if there is a doubt.
    pub(super) fn settling(&self) -> Option<&str> {
        self.settle_command.as_deref().filter(|_| self.tally.get(Status::InDoubt) > 0)
    }

    /// Returns the line about the records that were counted: `4 records read`.
    pub(super) fn records_read(&self) -> (u64, String) {
        let (read, place) = (self.tally.total(), if self.partial { "in the report" } else { "read" });
        (read, format!("{} {place}", plural(read, "record")))
    }

    /// Returns each id that the API gave to several records, and to how many.
    pub(super) fn shared_ids(&self) -> impl Iterator<Item = (String, String)> {
        self.shared_ids.iter().map(|(id, records)| (shorten(id, ID_WIDTH), counted(*records, "record")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Position, ReportLine};

    /// A summary of one record of each of these statuses.
    pub(in crate::report::summary) fn summary(statuses: &[Status]) -> Summary {
        let mut tally = Tally::default();
        let (mut errors, mut mails) = (ErrorGroups::default(), MailCounts::default());
        for (row, status) in (1..).zip(statuses) {
            tally.add(*status);
            if *status == Status::Created {
                mails.add(Some(true));
            }
            if *status == Status::Rejected {
                let mut line = ReportLine::new(Position { row, line: row + 1 }, *status, String::new(), Vec::new());
                (line.error_code, line.error) = ("api.rejected".to_owned(), "no\u{1b}".to_owned());
                errors.add(&line);
            }
        }
        Summary {
            run: "r".to_owned(),
            target: "t".to_owned(),
            account: "default".to_owned(),
            input: "a.csv".to_owned(),
            ledger: Some("/state/l.db".into()),
            started_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            ended_at: Some("2026-01-02T03:05:05.678Z".parse().unwrap()),
            tally,
            requests: 55,
            throttled: 0,
            retries: 1,
            recovered: 0,
            duration: Duration::from_secs(60),
            mails,
            all_runs: None,
            errors,
            changed: ChangedCounts::default(),
            known_bad: 0,
            excuses_known_bad: false,
            shared_ids: Vec::new(),
            reports: vec!["a.report.csv".into()],
            rejects: None,
            exit_code: 1,
            stopped: None,
            unended: None,
            limit: None,
            partial: false,
            notes: Vec::new(),
            next_command: Some("customer-import import a.csv".to_owned()),
            correction: Some(Correction::InRejects {
                rejects: "r.csv".into(),
                command: "customer-import import r.csv".to_owned(),
            }),
            settle_command: Some("customer-import ledger settle EMAIL --created ID".to_owned()),
        }
    }

    /// A summary that says everything a summary can say.
    pub(in crate::report::summary) fn full_summary() -> Summary {
        let all = AllRuns { runs: 3, since: "2026-01-01T01:02:03Z".parse().unwrap(), requests: 1234, unended: 1 };
        let mut changed = ChangedCounts::default();
        changed.add(&crate::domain::ChangedFields::Named(vec!["customer_name".to_owned()]));
        changed.add(&crate::domain::ChangedFields::Unknown);
        Summary {
            account: "shop".to_owned(),
            all_runs: Some(all),
            changed,
            known_bad: 1,
            shared_ids: vec![("c-1".to_owned(), 2)],
            rejects: Some("r.csv".into()),
            notes: vec!["a.csv was written again".to_owned()],
            ..summary(&Status::IMPORT)
        }
    }

    #[test]
    fn the_requests_line_says_only_what_happened() {
        let mut summary = summary(&[Status::Created]);
        (summary.requests, summary.retries) = (2880, 0);
        assert_eq!(summary.requests_in_words(), "2,880 in 60 s (2880.0/min)");
        (summary.throttled, summary.retries, summary.recovered) = (12, 57, 32);
        let expected = "2,880 in 60 s (2880.0/min); 12 answers asked for a pause (429); 57 retries; \
                        32 customers confirmed after a lost answer";
        assert_eq!(summary.requests_in_words(), expected);
        (summary.throttled, summary.retries, summary.recovered) = (1, 1, 1);
        assert!(
            summary
                .requests_in_words()
                .ends_with("; 1 answer asked for a pause (429); 1 retry; 1 customer confirmed after a lost answer")
        );
        // The doubt may have been about this record, of which no customer exists.
        summary.tally.add(Status::Failed);
        assert!(summary.requests_in_words().ends_with("; 1 lost answer cleared up"), "{}", summary.requests_in_words());
    }

    #[test]
    fn the_sum_over_all_runs_counts_what_earlier_ones_created_and_says_what_is_missing() {
        let mut summary = summary(&[Status::Created, Status::AlreadyImported, Status::Changed, Status::Exists]);
        let since = "2026-01-01T01:02:03Z".parse().unwrap();
        let all = AllRuns { runs: 3, since, requests: 1234, unended: 0 };
        let words = "3 runs of this file since 2026-01-01 01:02:03 UTC: 3 customers created, 1,234 requests";
        assert_eq!(summary.in_all(all), words);
        let cut_off = summary.in_all(AllRuns { unended: 1, ..all });
        assert_eq!(cut_off, format!("{words} without those of a run that did not end"));
        summary.partial = true;
        assert!(!summary.in_all(all).contains("created"), "rows are missing from these counts");
    }

    #[test]
    fn what_is_left_is_named_by_kind() {
        assert_eq!(summary(&[Status::Created, Status::Invalid]).left_in_words(), None);
        let left = summary(&[Status::InDoubt, Status::NotAttempted, Status::NotAttempted]);
        assert_eq!(left.left_in_words().unwrap(), "3 records: 2 not sent yet, 1 in doubt");
    }
}
