//! The summary of a run, printed on stdout when it has ended.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::changed::ChangedCounts;
use super::correction::Correction;
use super::human::{self, about, skipped};
use crate::domain::{ReportLine, Status, Tally, counted, grouped, on_one_line, plural, shorten, shown};
use crate::style::{Meaning, Paint};

/// Errors grouped by code and message.
#[derive(Debug, Default)]
pub struct ErrorGroups {
    groups: Vec<ErrorGroup>,
    places: HashMap<(String, String), usize>,
    beyond: u64,
    /// All errors by code; there are few codes.
    codes: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ErrorGroup {
    code: String,
    message: String,
    count: u64,
    example_row: u64,
}

/// The most groups that are kept. More would not be read, and the limit bounds the memory if every
/// message is different.
const MOST_GROUPS: usize = 50;
const SHOWN_GROUPS: usize = 10;
const MESSAGE_WIDTH: usize = 100;

const KNOWN_BAD: &str = "known bad: reported alike by a completed import before";

impl ErrorGroups {
    /// Counts the error of a report line. A record with several violations counts once for each of
    /// their codes, as in the diagnostics before the run.
    pub fn add(&mut self, line: &ReportLine) {
        if line.status == Status::Invalid {
            line.error_code.split(';').for_each(|code| self.count(code, "", line.position.row));
        } else {
            self.count(&line.error_code, &line.error, line.position.row);
        }
    }

    fn count(&mut self, code: &str, message: &str, row: u64) {
        match self.codes.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.codes.insert(code.to_owned(), 1)),
        }
        let key = (code.to_owned(), message.to_owned());
        if let Some(place) = self.places.get(&key) {
            self.groups[*place].count += 1;
        } else if self.groups.len() < MOST_GROUPS {
            let (code, message) = key.clone();
            self.places.insert(key, self.groups.len());
            self.groups.push(ErrorGroup { code, message, count: 1, example_row: row });
        } else {
            self.beyond += 1;
        }
    }

    /// Returns how often each code occurs.
    pub(super) fn by_code(&self) -> BTreeMap<String, u64> {
        self.codes.clone()
    }

    /// Returns the groups, the most frequent first; groups of the same size stay in input order.
    fn sorted(&self) -> Vec<&ErrorGroup> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

/// Why a run has no end, and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unended {
    RunningSince(Timestamp),
    CutOffAfter(Timestamp),
}

/// What a run did.
#[derive(Debug)]
pub struct Summary {
    pub run: String,
    pub target: String,
    pub tally: Tally,
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
    pub duration: Duration,
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
    pub stopped: Option<String>,
    /// Set if the run did not end. Its requests and retries are not known then, only its outcomes.
    pub unended: Option<Unended>,
    /// The `--limit` that ended the run. `None` if the run did not reach it.
    pub limit: Option<u64>,
    /// Whether the reports and the counts leave out some records of the input.
    pub partial: bool,
    /// The command that resumes the run, if there is something left to do.
    pub next_command: Option<String>,
    /// What to do about invalid and rejected records. `None` if the run cannot say.
    pub correction: Option<Correction>,
    /// The command that settles a doubt by hand, if there may be one that no run can settle.
    pub settle_command: Option<String>,
}

impl Summary {
    #[must_use]
    pub fn to_text(&self, paint: Paint) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write_text(&mut text, paint);
        text
    }

    fn write_text(&self, text: &mut String, paint: Paint) -> std::fmt::Result {
        writeln!(text, "{}", paint.paint(self.meaning(), &self.headline()))?;
        writeln!(text)?;
        for status in Status::IMPORT {
            let number = self.tally.get(status);
            if number > 0 {
                let name = paint.paint(human::meaning(status), &format!("{:<16}", status.as_str()));
                writeln!(text, "  {:>9}  {name}  {}", grouped(number), meaning(status))?;
            }
        }
        let (read, place) = (self.tally.total(), if self.partial { "in the report" } else { "read" });
        writeln!(text, "  {:>9}  {} {place}", grouped(read), plural(read, "record"))?;
        for (number, words) in skipped(&self.tally) {
            writeln!(text, "  {:>9}  {words}", grouped(number))?;
        }
        self.write_changed(text)?;
        self.write_errors(text, paint)?;
        if self.known_bad > 0 {
            writeln!(text, "\n  {:>9}  {KNOWN_BAD}", grouped(self.known_bad))?;
        }
        for (id, records) in &self.shared_ids {
            let records = counted(*records, "record");
            let attention = paint.paint(Meaning::Bad, "ATTENTION:");
            writeln!(text, "\n{attention} the API gave one id to {records}: {}", shorten(id, MESSAGE_WIDTH))?;
        }
        writeln!(text)?;
        writeln!(text, "run       {}", self.run)?;
        writeln!(text, "target    {}", self.target)?;
        match self.unended {
            None => writeln!(text, "requests  {}", self.requests())?,
            Some(_) => writeln!(text, "requests  counted when a run ends")?,
        }
        for report in &self.reports {
            writeln!(text, "report    {}", shown(report))?;
        }
        if let Some(rejects) = &self.rejects {
            writeln!(text, "rejects   {}", shown(rejects))?;
        }
        if let Some(command) = &self.next_command {
            writeln!(text, "resume    {command}")?;
        }
        if let Some(command) = self.settle_command.as_ref().filter(|_| self.tally.get(Status::InDoubt) > 0) {
            writeln!(text, "\nIf a doubt remains, look up the e-mail at the API and enter what you found")?;
            writeln!(text, "(--absent instead of --created ID if the API has no such customer):\n{command}")?;
        }
        if let (Some(correction), None, None, 1..) = (&self.correction, &self.stopped, self.unended, self.correctable())
        {
            writeln!(text, "\n{}", correction.to_text(self.correctable()))?;
        }
        Ok(())
    }

    fn write_changed(&self, text: &mut String) -> std::fmt::Result {
        let fields = self.changed.fields();
        if !fields.is_empty() {
            writeln!(text, "\nchanged in {fields}")?;
        }
        match self.changed.unknown() {
            0 => Ok(()),
            unknown => {
                writeln!(text, "\nchanged in unknown fields (imported by an earlier version): {}", grouped(unknown))
            }
        }
    }

    /// Returns the lines that are printed even if nothing else of the run is. Mostly there are
    /// none.
    #[must_use]
    pub fn quiet_lines(&self) -> String {
        let lines = self.changed_line().into_iter().chain(self.empty_line());
        lines.map(|line| line + "\n").collect()
    }

    /// Returns a line about an input without records. An export that broke off looks like that.
    fn empty_line(&self) -> Option<String> {
        let is_empty = self.tally.total() == 0;
        is_empty.then(|| "the input has no records; --min-records refuses such an input".to_owned())
    }

    /// Returns a line about the changed records, or `None` if there are none.
    fn changed_line(&self) -> Option<String> {
        let changed = self.tally.get(Status::Changed);
        let fields = self.changed.fields();
        let which = if fields.is_empty() { String::new() } else { format!(": {fields}") };
        (changed > 0).then(|| {
            format!("{}, imported earlier with other data; not sent{which}", counted(changed, "changed record"))
        })
    }

    /// Returns the number of requests and their pace, and what went wrong on the way, if anything
    /// did.
    fn requests(&self) -> String {
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

    /// Returns what the headline means.
    fn meaning(&self) -> Meaning {
        let of = |status| self.tally.get(status);
        let excused = if self.excuses_known_bad { self.known_bad } else { 0 };
        if self.stopped.is_some() || self.correctable() + of(Status::Failed) > excused {
            Meaning::Bad
        } else if of(Status::InDoubt) > 0 || self.unended.is_some() {
            Meaning::Open
        } else {
            Meaning::Good
        }
    }

    pub(super) fn headline(&self) -> String {
        let read = counted(self.tally.total(), "record");
        let (doubts, waiting) = (self.tally.get(Status::InDoubt), self.tally.get(Status::NotAttempted));
        let excused = if self.excuses_known_bad { self.known_bad } else { 0 };
        let lost = (self.correctable() + self.tally.get(Status::Failed)).saturating_sub(excused);
        if let (Some(limit), None, None, 1..) = (self.limit, self.unended, &self.stopped, waiting) {
            return self.trial(limit);
        }
        match (self.unended, &self.stopped) {
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
            (None, Some(why)) => format!("Stopped: {}.", on_one_line(why)),
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

    /// Returns the headline of a run that ended because it sent as many records as `--limit`
    /// allows.
    fn trial(&self, limit: u64) -> String {
        let of = |status| self.tally.get(status);
        let (left, doubts, failed) = (of(Status::NotAttempted), of(Status::InDoubt), of(Status::Failed));
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
        let (created, left) = (grouped(of(Status::Created)), grouped(left));
        format!("Trial done: {created} created. {left} to go, {}.", trouble.join(", "))
    }

    /// Returns how many records the API takes only if their data changes.
    fn correctable(&self) -> u64 {
        self.tally.get(Status::Invalid) + self.tally.get(Status::Rejected)
    }

    fn write_errors(&self, text: &mut String, paint: Paint) -> std::fmt::Result {
        let groups = self.errors.sorted();
        if groups.is_empty() {
            return Ok(());
        }
        writeln!(text)?;
        for group in groups.iter().take(SHOWN_GROUPS) {
            let words = shorten(&group.message, MESSAGE_WIDTH);
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            let ErrorGroup { code, count, example_row, .. } = group;
            let code = paint.paint(Meaning::Bad, code);
            writeln!(text, "  {:>9}  {code}{words} (row {example_row})", grouped(*count))?;
        }
        let hidden: u64 = groups.iter().skip(SHOWN_GROUPS).map(|group| group.count).sum::<u64>() + self.errors.beyond;
        if hidden > 0 {
            writeln!(text, "  {:>9}  with other codes or messages; the report has all of them", grouped(hidden))?;
        }
        Ok(())
    }

    /// Returns the pace, or an empty text for a run of less than half a minute, which is too short
    /// for one.
    #[expect(clippy::cast_precision_loss, reason = "the pace has one decimal")]
    fn pace(&self) -> String {
        let minutes = self.duration.as_secs_f64() / 60.0;
        if minutes >= 0.5 { format!(" ({:.1}/min)", self.requests as f64 / minutes) } else { String::new() }
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        let outcomes: Map<_, _> = Status::IMPORT
            .into_iter()
            .map(|status| (status.as_str().to_owned(), self.tally.get(status).into()))
            .collect();
        let known = |number: u64| self.unended.is_none().then_some(number);
        let running_since = match self.unended {
            Some(Unended::RunningSince(begun)) => Some(begun.to_string()),
            _ => None,
        };
        let seconds = match self.unended {
            Some(Unended::CutOffAfter(_)) => None,
            _ => Some(self.duration.as_secs_f64()),
        };
        json!({
            "version": 1,
            "run": self.run,
            "target": self.target,
            "records_read": self.tally.total(),
            "outcomes": outcomes,
            "partial": self.partial,
            "blank_rows": self.tally.skipped().blank_rows,
            "repeated_headers": self.tally.skipped().repeated_headers,
            "not_selected": self.tally.skipped().not_selected,
            "hidden_rows": self.tally.skipped().hidden_rows,
            "requests": known(self.requests),
            "throttled": known(self.throttled),
            "retries": known(self.retries),
            "recovered": known(self.recovered),
            "seconds": seconds,
            "running_since": running_since,
            "cut_off": matches!(self.unended, Some(Unended::CutOffAfter(_))),
            "reports": self.reports,
            "rejects": self.rejects,
            "errors": self.errors.sorted(),
            "changed_fields": self.changed.to_json(),
            "known_bad": self.known_bad,
            "shared_ids": self.shared_ids.iter().cloned().collect::<HashMap<_, _>>(),
            "exit_code": self.exit_code,
            "stopped": self.stopped,
            "next_command": self.next_command,
            "settle_command": self.settle_command.as_ref().filter(|_| self.tally.get(Status::InDoubt) > 0),
        })
    }
}

pub(super) const fn meaning(status: Status) -> &'static str {
    match status {
        Status::Created => "created by this run",
        Status::Exists => "already in the API",
        Status::AlreadyImported => "created by an earlier run",
        Status::Changed => "imported earlier with other data; not sent",
        Status::Duplicate => "an earlier row has the same e-mail",
        Status::Invalid => "something is wrong with the row; not sent",
        Status::Rejected => "rejected by the API",
        Status::Failed => "gave up; certainly not created",
        Status::InDoubt => "perhaps created; the next run finds out",
        Status::NotAttempted => "not sent yet",
        Status::Valid => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    fn summary(statuses: &[Status]) -> Summary {
        let mut tally = Tally::default();
        let mut errors = ErrorGroups::default();
        for (row, status) in (1..).zip(statuses) {
            tally.add(*status);
            if *status == Status::Rejected {
                let mut line = ReportLine::new(Position { row, line: row + 1 }, *status, String::new(), Vec::new());
                (line.error_code, line.error) = ("api.rejected".to_owned(), "no\u{1b}".to_owned());
                errors.add(&line);
            }
        }
        Summary {
            run: "r".to_owned(),
            target: "t".to_owned(),
            tally,
            requests: 55,
            throttled: 0,
            retries: 1,
            recovered: 0,
            duration: Duration::from_secs(60),
            errors,
            changed: ChangedCounts::default(),
            known_bad: 0,
            excuses_known_bad: false,
            shared_ids: Vec::new(),
            reports: vec!["a.csv".into()],
            rejects: None,
            exit_code: 1,
            stopped: None,
            unended: None,
            limit: None,
            partial: false,
            next_command: Some("customer-import import a.csv".to_owned()),
            correction: Some(Correction::InRejects {
                rejects: "r.csv".into(),
                command: "customer-import import r.csv".to_owned(),
            }),
            settle_command: Some("customer-import ledger settle EMAIL --created ID".to_owned()),
        }
    }

    #[test]
    fn the_outcomes_add_up_to_the_records_read() {
        let json = summary(&Status::IMPORT).to_json();
        let sum: u64 = json["outcomes"].as_object().unwrap().values().map(|number| number.as_u64().unwrap()).sum();
        assert_eq!(json["records_read"], sum);
        assert_eq!(json["outcomes"].as_object().unwrap().len(), 10);
        assert_eq!(json["version"], 1);
    }

    #[test]
    fn the_text_names_what_happened_how_often_and_what_to_do() {
        let text = summary(&[Status::Created, Status::Rejected, Status::Rejected]).to_text(Paint::PLAIN);
        for words in [
            "1  created",
            "2  rejected",
            "3  records read",
            "api.rejected: no\\u{1b} (row 2)",
            "55.0/min",
            "resume    customer-import import a.csv",
            "2 of 3 records were not created",
            "Fix the 2 rows in r.csv, then run:\ncustomer-import import r.csv\n",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(!text.contains("in_doubt") && !text.contains("settle"), "{text}");
        let doubtful = summary(&[Status::Created, Status::InDoubt]);
        assert!(doubtful.to_text(Paint::PLAIN).contains("\ncustomer-import ledger settle EMAIL --created ID\n"));
        assert!(doubtful.to_json()["settle_command"].is_string());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_reached_limit_is_told_as_a_trial_with_what_is_left_and_what_to_fix() {
        let mut trial = summary(&[Status::Created, Status::Exists, Status::Created]);
        trial.limit = Some(3);
        assert_eq!(trial.headline(), "Done: 3 records, nothing left to do.");
        trial.tally.add_many(Status::NotAttempted, 38);
        assert_eq!(trial.headline(), "Trial done (--limit 3): 3 sent, 38 left.");
        trial.tally.add_many(Status::NotAttempted, 2839);
        trial.tally.add_many(Status::Invalid, 81);
        trial.tally.add(Status::Rejected);
        assert_eq!(trial.headline(), "Trial done: 2 created. 2,877 to go, 82 rows to fix.");
        trial.tally.add(Status::Failed);
        trial.tally.add(Status::InDoubt);
        assert_eq!(trial.headline(), "Trial done: 2 created. 2,877 to go, 82 rows to fix, 1 failed, 1 in doubt.");
        trial.stopped = Some("stopped by SIGINT (interrupt)".to_owned());
        assert_eq!(trial.headline(), "Stopped: stopped by SIGINT (interrupt).");
    }

    #[test]
    fn the_requests_line_says_only_what_happened() {
        let mut summary = summary(&[Status::Created]);
        (summary.requests, summary.retries) = (2880, 0);
        assert_eq!(summary.requests(), "2,880 in 60 s (2880.0/min)");
        (summary.throttled, summary.retries, summary.recovered) = (12, 57, 32);
        let expected = "2,880 in 60 s (2880.0/min); 12 answers asked for a pause (429); 57 retries; \
                        32 customers confirmed after a lost answer";
        assert_eq!(summary.requests(), expected);
        (summary.throttled, summary.retries, summary.recovered) = (1, 1, 1);
        assert!(
            summary
                .requests()
                .ends_with("; 1 answer asked for a pause (429); 1 retry; 1 customer confirmed after a lost answer")
        );
        // The doubt may have been about this record, of which no customer exists.
        summary.tally.add(Status::Failed);
        assert!(summary.requests().ends_with("; 1 lost answer cleared up"), "{}", summary.requests());
    }

    #[test]
    fn one_record_is_never_called_records() {
        let statuses = Status::IMPORT.into_iter().filter(|status| *status != Status::NotAttempted);
        for status in statuses {
            let text = summary(&[status]).to_text(Paint::PLAIN);
            assert!(text.contains("        1  record read\n") && !text.contains("1 records"), "{text}");
        }
        let mut many = summary(&[Status::Created]);
        many.tally.add_many(Status::Created, 2879);
        let text = many.to_text(Paint::PLAIN);
        assert!(
            text.starts_with("Done: 2,880 records, nothing left to do.") && text.contains("    2,880  created"),
            "{text}"
        );
        assert_eq!(many.to_json()["records_read"], 2880);
    }

    #[test]
    fn known_bad_records_are_counted_apart_and_leave_a_run_done_only_if_they_are_excused() {
        let mut summary = summary(&[Status::Created, Status::Rejected, Status::Invalid]);
        summary.known_bad = 2;
        assert_eq!(summary.headline(), "Finished, but 2 of 3 records were not created.");
        assert!(
            summary.to_text(Paint::PLAIN).contains("\n          2  known bad: "),
            "{}",
            summary.to_text(Paint::PLAIN)
        );
        assert_eq!(summary.to_json()["known_bad"], 2);
        summary.excuses_known_bad = true;
        assert_eq!(summary.headline(), "Done: 3 records, 2 of them known bad.");
        summary.tally.add(Status::Invalid);
        let one_new = "Finished, but 1 of 4 records was not created, besides 2 known bad.";
        assert_eq!(summary.headline(), one_new);
        summary.tally.add(Status::InDoubt);
        assert!(summary.headline().contains("1 of 5 records in doubt"), "{}", summary.headline());
    }

    #[test]
    fn of_a_quiet_run_only_changed_records_and_an_empty_input_get_a_line() {
        assert_eq!(summary(&[Status::Created, Status::AlreadyImported]).quiet_lines(), "");
        assert!(summary(&[Status::Changed]).quiet_lines().starts_with("1 changed record, "));
        assert_eq!(summary(&[]).quiet_lines(), "the input has no records; --min-records refuses such an input\n");
    }

    #[test]
    fn a_record_counts_for_each_of_its_codes() {
        let mut errors = ErrorGroups::default();
        for (row, codes) in [(2, "name.missing"), (7, "name.missing;email.syntax")] {
            let mut line = ReportLine::new(Position { row, line: row }, Status::Invalid, String::new(), Vec::new());
            (line.error_code, line.error) = (codes.to_owned(), format!("words of row {row}"));
            errors.add(&line);
        }
        let found: Vec<_> =
            errors.sorted().iter().map(|group| (&*group.code, group.count, group.example_row)).collect();
        assert_eq!(found, [("name.missing", 2, 2), ("email.syntax", 1, 7)]);
    }

    #[test]
    fn groups_are_bounded() {
        let mut errors = ErrorGroups::default();
        for row in 0..1000 {
            let mut line = ReportLine::new(Position { row, line: row }, Status::Rejected, String::new(), Vec::new());
            line.error = format!("message {row}");
            errors.add(&line);
        }
        assert_eq!((errors.groups.len(), errors.beyond), (MOST_GROUPS, 1000 - MOST_GROUPS as u64));
    }

    #[test]
    fn a_run_that_did_not_end_is_not_called_ended() {
        let begun: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let statuses = [Status::Created, Status::InDoubt, Status::NotAttempted, Status::Invalid];
        let running = Summary { unended: Some(Unended::RunningSince(begun)), ..summary(&statuses) };
        let text = running.to_text(Paint::PLAIN);
        assert!(text.starts_with("Running since 2026-01-02T03:04:05Z: 1 of 4 records not sent yet"), "{text}");
        let cut_off = Summary { unended: Some(Unended::CutOffAfter(begun)), ..summary(&statuses) };
        assert!(cut_off.to_text(Paint::PLAIN).starts_with("Cut off: the run of 2026-01-02T03:04:05Z was killed"));
        for summary in [running, cut_off] {
            let (text, json) = (summary.to_text(Paint::PLAIN), summary.to_json());
            assert!(!text.contains("Finished") && !text.contains("Done") && !text.contains("Mend"), "{text}");
            assert_eq!((&json["requests"], &json["retries"]), (&Value::Null, &Value::Null));
        }
    }
}
