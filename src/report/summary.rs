//! The summary of a run, printed on stdout when it has ended.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::human::{about, count, skipped};
use crate::domain::{ReportLine, Status, Tally, on_one_line, shorten, shown};

/// Errors grouped by code and message.
#[derive(Debug, Default)]
pub struct ErrorGroups {
    groups: Vec<ErrorGroup>,
    places: HashMap<(String, String), usize>,
    beyond: u64,
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
    /// Whether the reports and the counts leave out some records of the input.
    pub partial: bool,
    /// The command that resumes the run, if there is something left to do.
    pub next_command: Option<String>,
    /// The command that settles a doubt by hand, if there may be one that no run can settle.
    pub settle_command: Option<String>,
}

impl Summary {
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}", self.headline())?;
        writeln!(text)?;
        for status in Status::IMPORT {
            let number = self.tally.get(status);
            if number > 0 {
                writeln!(text, "  {number:>9}  {:<16}  {}", status.as_str(), meaning(status))?;
            }
        }
        let what = if self.partial { "records in the report" } else { "records read" };
        writeln!(text, "  {:>9}  {what}", self.tally.total())?;
        for (number, words) in skipped(&self.tally) {
            writeln!(text, "  {number:>9}  {words}")?;
        }
        self.write_errors(text)?;
        for (id, records) in &self.shared_ids {
            writeln!(text, "\nATTENTION: the API gave one id to {records} records: {}", shorten(id, MESSAGE_WIDTH))?;
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
        if self.stopped.is_none() && self.unended.is_none() && self.correctable() > 0 {
            writeln!(text, "\n{}", self.correction())?;
        }
        Ok(())
    }

    fn requests(&self) -> String {
        format!(
            "{} in {}{}, {} throttled, {}, {} recovered",
            self.requests,
            about(self.duration),
            self.pace(),
            self.throttled,
            if self.retries == 1 { "1 retry".to_owned() } else { format!("{} retries", self.retries) },
            self.recovered
        )
    }

    /// Returns what the user can do about invalid and rejected records.
    const fn correction(&self) -> &'static str {
        match self.rejects {
            Some(_) => "Correct the records in the rejects file and import that file.",
            None => {
                "Correct the invalid and rejected records in the input and run the command\n\
                 again; nothing is created twice. --rejects mend.csv writes only those records."
            }
        }
    }

    fn headline(&self) -> String {
        let read = count(self.tally.total(), "record");
        let (doubts, waiting) = (self.tally.get(Status::InDoubt), self.tally.get(Status::NotAttempted));
        let lost = self.correctable() + self.tally.get(Status::Failed);
        match (self.unended, &self.stopped) {
            (Some(Unended::RunningSince(begun)), _) => {
                format!("Running since {begun:.0}: {waiting} of {read} not sent yet, {doubts} in flight or in doubt.")
            }
            (Some(Unended::CutOffAfter(begun)), _) => format!(
                "Cut off: the run of {begun:.0} was killed; {waiting} of {read} not sent, {doubts} in doubt. \
                 Run the same import again."
            ),
            (None, Some(why)) => format!("Stopped: {}.", on_one_line(why)),
            (None, None) if doubts > 0 => {
                format!("Finished, with {doubts} of {read} in doubt: run the same command again to find out.")
            }
            (None, None) if lost > 0 => {
                format!("Finished, but {lost} of {read} {} not created.", if lost == 1 { "was" } else { "were" })
            }
            (None, None) if waiting > 0 => {
                format!("Done so far: {read}, {waiting} not sent yet.")
            }
            (None, None) => format!("Done: {read}, nothing left to do."),
        }
    }

    /// Returns how many records the API takes only if their data changes.
    fn correctable(&self) -> u64 {
        self.tally.get(Status::Invalid) + self.tally.get(Status::Rejected)
    }

    fn write_errors(&self, text: &mut String) -> std::fmt::Result {
        let groups = self.errors.sorted();
        if groups.is_empty() {
            return Ok(());
        }
        writeln!(text)?;
        for group in groups.iter().take(SHOWN_GROUPS) {
            let words = shorten(&group.message, MESSAGE_WIDTH);
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            writeln!(text, "  {:>9}  {}{words} (row {})", group.count, group.code, group.example_row)?;
        }
        let hidden: u64 = groups.iter().skip(SHOWN_GROUPS).map(|group| group.count).sum::<u64>() + self.errors.beyond;
        if hidden > 0 {
            writeln!(text, "  {hidden:>9}  with other codes or messages; the report has all of them")?;
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
            "shared_ids": self.shared_ids.iter().cloned().collect::<HashMap<_, _>>(),
            "exit_code": self.exit_code,
            "stopped": self.stopped,
            "next_command": self.next_command,
            "settle_command": self.settle_command.as_ref().filter(|_| self.tally.get(Status::InDoubt) > 0),
        })
    }
}

const fn meaning(status: Status) -> &'static str {
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
            shared_ids: Vec::new(),
            reports: vec!["a.csv".into()],
            rejects: None,
            exit_code: 1,
            stopped: None,
            unended: None,
            partial: false,
            next_command: Some("customer-import import a.csv".to_owned()),
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
        let text = summary(&[Status::Created, Status::Rejected, Status::Rejected]).to_text();
        for words in [
            "1  created",
            "2  rejected",
            "3  records read",
            "api.rejected: no\\u{1b} (row 2)",
            "55.0/min",
            "resume    customer-import import a.csv",
            "2 of 3 records were not created",
            "--rejects",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(!text.contains("in_doubt") && !text.contains("settle"), "{text}");
        let doubtful = summary(&[Status::Created, Status::InDoubt]);
        assert!(doubtful.to_text().contains("\ncustomer-import ledger settle EMAIL --created ID\n"));
        assert!(doubtful.to_json()["settle_command"].is_string());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
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
        let text = running.to_text();
        assert!(text.starts_with("Running since 2026-01-02T03:04:05Z: 1 of 4 records not sent yet"), "{text}");
        let cut_off = Summary { unended: Some(Unended::CutOffAfter(begun)), ..summary(&statuses) };
        assert!(cut_off.to_text().starts_with("Cut off: the run of 2026-01-02T03:04:05Z was killed"));
        for summary in [running, cut_off] {
            let (text, json) = (summary.to_text(), summary.to_json());
            assert!(!text.contains("Finished") && !text.contains("Done") && !text.contains("Mend"), "{text}");
            assert_eq!((&json["requests"], &json["retries"]), (&Value::Null, &Value::Null));
        }
    }
}
