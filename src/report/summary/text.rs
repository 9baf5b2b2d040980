//! The summary as text, for a terminal and for mail.

use std::fmt::Write as _;

use super::facts::{Summary, SummaryFact};
use crate::domain::{Status, counted, grouped};
use crate::report::human::{self, skipped, written};
use crate::style::{Paint, Tone};

pub(super) const KNOWN_BAD: &str = "known bad: reported alike by a completed import before";
pub(super) const UNKNOWN_FIELDS: &str = "changed in unknown fields (imported by an earlier version)";
pub(super) const OTHER_ERRORS: &str = "with other codes or messages; the report has all of them";
/// What stands before the command that settles a doubt by hand.
pub(super) const SETTLE: [&str; 2] = [
    "If a doubt remains, look up the e-mail at the API and enter what you found",
    "(--absent instead of --created ID if the API has no such customer):",
];

impl Summary {
    #[must_use]
    pub fn to_text(&self, paint: Paint) -> String {
        written(|text| self.write_text(text, paint))
    }

    fn write_text(&self, text: &mut String, paint: Paint) -> std::fmt::Result {
        writeln!(text, "{}", paint.paint(self.headline().tone(), &self.headline().to_text()))?;
        if let Some(hint) = self.hint() {
            writeln!(text, "{} {hint}", paint.paint(Tone::Hint, "hint:"))?;
        }
        for note in &self.notes {
            writeln!(text, "Note: {note}.")?;
        }
        writeln!(text)?;
        for status in Status::IMPORT {
            let number = self.tally.get(status);
            if number > 0 {
                let name = paint.paint(human::tone(status), &format!("{:<16}", status.as_str()));
                writeln!(text, "  {:>9}  {name}  {}", grouped(number), meaning(status))?;
            }
        }
        for (number, words) in std::iter::once(self.records_read()).chain(skipped(&self.tally)) {
            writeln!(text, "  {:>9}  {words}", grouped(number))?;
        }
        self.write_changed(text)?;
        self.write_errors(text, paint)?;
        if self.known_bad > 0 {
            writeln!(text, "\n  {:>9}  {KNOWN_BAD}", grouped(self.known_bad))?;
        }
        for (id, records) in self.shared_ids() {
            let attention = paint.paint(Tone::Bad, "ATTENTION:");
            writeln!(text, "\n{attention} the API gave one id to {records}: {id}")?;
        }
        writeln!(text)?;
        for SummaryFact { name, text: said, .. } in self.facts() {
            writeln!(text, "{name:<8}  {said}")?;
        }
        if let Some(left) = self.left_in_words() {
            writeln!(text, "left      {left}")?;
        }
        if let Some(command) = &self.next_command {
            writeln!(text, "resume    {command}")?;
        }
        if let Some(command) = self.settling() {
            writeln!(text, "\n{}\n{command}", SETTLE.join("\n"))?;
        }
        if let Some((correction, rows)) = self.correction() {
            writeln!(text, "\n{}", correction.to_text(rows))?;
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
            unknown => writeln!(text, "\n{UNKNOWN_FIELDS}: {}", grouped(unknown)),
        }
    }

    fn write_errors(&self, text: &mut String, paint: Paint) -> std::fmt::Result {
        let (groups, others) = self.errors.shown();
        if groups.is_empty() {
            return Ok(());
        }
        writeln!(text)?;
        for group in groups {
            let words = group.short_message();
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            let code = paint.paint(Tone::Bad, &group.code);
            writeln!(text, "  {:>9}  {code}{words} (row {})", grouped(group.count), group.example_row)?;
        }
        if others > 0 {
            writeln!(text, "  {:>9}  {OTHER_ERRORS}", grouped(others))?;
        }
        Ok(())
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
}

pub(in crate::report) const fn meaning(status: Status) -> &'static str {
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
    use super::super::facts::tests::{full_summary, summary};
    use super::super::headline::Unended;
    use super::*;

    #[test]
    fn the_text_names_what_happened_how_often_and_what_to_do() {
        let text = summary(&[Status::Created, Status::Rejected, Status::Rejected]).to_text(Paint::PLAIN);
        for words in [
            "1  created",
            "2  rejected",
            "3  records read",
            "api.rejected: no\\u{1b} (row 2)",
            "55.0/min",
            "started   2026-01-02 03:04:05 UTC\nended     2026-01-02 03:05:05 UTC, after 60 s\n",
            "file      a.csv\n",
            "ledger    /state/l.db\n",
            "e-mails   1 asked for with 1 created customer\n",
            "resume    customer-import import a.csv",
            "2 of 3 records were not created",
            "Fix the 2 rows in r.csv, then run:\ncustomer-import import r.csv\n",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(!text.contains("in_doubt") && !text.contains("settle") && !text.contains("left "), "{text}");
        let doubtful = summary(&[Status::Created, Status::InDoubt]);
        assert!(doubtful.to_text(Paint::PLAIN).contains("\ncustomer-import ledger settle EMAIL --created ID\n"));
        assert!(doubtful.to_text(Paint::PLAIN).contains("\nleft      1 record: 1 in doubt\n"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
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
    fn known_bad_records_and_notes_are_said_apart() {
        let text = full_summary().to_text(Paint::PLAIN);
        assert!(text.contains("\n          1  known bad: "), "{text}");
        assert!(
            text.contains("not created.\nNote: a.csv was written again.\n\n")
                || text.contains("find out.\nNote: a.csv was written again.\n\n"),
            "{text}"
        );
        assert!(
            text.contains("\naccount   shop\n") && text.contains("\nall runs  3 runs of this file since "),
            "{text}"
        );
    }

    #[test]
    fn of_a_quiet_run_only_changed_records_and_an_empty_input_get_a_line() {
        assert_eq!(summary(&[Status::Created, Status::AlreadyImported]).quiet_lines(), "");
        assert!(summary(&[Status::Changed]).quiet_lines().starts_with("1 changed record, "));
        assert_eq!(summary(&[]).quiet_lines(), "the input has no records; --min-records refuses such an input\n");
    }

    #[test]
    fn a_run_that_did_not_end_is_not_called_ended() {
        let statuses = [Status::Created, Status::InDoubt, Status::NotAttempted, Status::Invalid];
        let begun = summary(&[]).started_at;
        let running = Summary { unended: Some(Unended::RunningSince(begun)), ended_at: None, ..summary(&statuses) };
        let text = running.to_text(Paint::PLAIN);
        assert!(text.starts_with("Running since 2026-01-02T03:04:05Z: 1 of 4 records not sent yet"), "{text}");
        assert!(text.contains("\nended     still running, for 60 s\n"), "{text}");
        let cut_off = Summary { unended: Some(Unended::CutOffAfter(begun)), ended_at: None, ..summary(&statuses) };
        assert!(cut_off.to_text(Paint::PLAIN).starts_with("Cut off: the run of 2026-01-02T03:04:05Z was killed"));
        for summary in [running, cut_off] {
            let (text, json) = (summary.to_text(Paint::PLAIN), summary.to_json());
            assert!(!text.contains("Finished") && !text.contains("Done") && !text.contains("Fix"), "{text}");
            assert!(["requests", "retries", "ended_at"].iter().all(|name| json[name].is_null()), "{json}");
        }
    }
}
