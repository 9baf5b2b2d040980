//! The summary as Markdown, to forward to a chat, a ticket or a mail.
//!
//! Whatever somebody else chose (a path, an address, the words of the server) becomes a code span.
//! Such texts stand in lists and never in a table, because renderers do not agree on `|` in the
//! code of a table.

use std::fmt::Write as _;

use super::facts::{Summary, SummaryFact};
use super::text::{KNOWN_BAD, OTHER_ERRORS, SETTLE, UNKNOWN_FIELDS, meaning};
use crate::domain::{Status, grouped};
use crate::report::human::skipped;
use crate::report::markdown::{code_block, code_span};

impl Summary {
    /// Returns the summary as Markdown (CommonMark, with one table of GitHub's kind).
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "# Import of {}\n", code_span(&self.input))?;
        match (&self.stopped, self.unended) {
            (Some(words), None) => writeln!(text, "**Stopped:** {}\n", code_span(&words.why))?,
            _ => writeln!(text, "**{}**\n", self.headline().to_text())?,
        }
        if let Some(hint) = self.hint() {
            writeln!(text, "**Hint:** {}\n", code_span(hint))?;
        }
        for note in &self.notes {
            writeln!(text, "Note: {}\n", code_span(note))?;
        }
        self.write_outcomes(text)?;
        self.write_trouble(text)?;
        writeln!(text, "## The run\n")?;
        for SummaryFact { name, text: said, is_foreign } in self.facts() {
            writeln!(text, "- {name}: {}", if is_foreign { code_span(&said) } else { said })?;
        }
        self.write_next(text)
    }

    fn write_outcomes(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| records | outcome | meaning |\n| ---: | --- | --- |")?;
        for status in Status::IMPORT {
            let number = self.tally.get(status);
            if number > 0 {
                writeln!(text, "| {} | {} | {} |", grouped(number), code_span(status.as_str()), meaning(status))?;
            }
        }
        for (number, words) in std::iter::once(self.records_read()).chain(skipped(&self.tally)) {
            writeln!(text, "| {} | | {words} |", grouped(number))?;
        }
        writeln!(text)
    }

    fn write_trouble(&self, text: &mut String) -> std::fmt::Result {
        let (groups, others) = self.errors.shown();
        let mut lines = Vec::new();
        for group in groups {
            let words = group.short_message();
            let words = if words.is_empty() { String::new() } else { format!(": {}", code_span(&words)) };
            let (count, named) = (grouped(group.count), code_span(&group.code));
            lines.push(format!("{count} × {named}{words} (row {})", group.example_row));
        }
        if others > 0 {
            lines.push(format!("{} {OTHER_ERRORS}", grouped(others)));
        }
        if self.known_bad > 0 {
            lines.push(format!("{} {KNOWN_BAD}", grouped(self.known_bad)));
        }
        let fields = self.changed.fields();
        if !fields.is_empty() {
            lines.push(format!("changed in {}", code_span(&fields)));
        }
        if self.changed.unknown() > 0 {
            lines.push(format!("{UNKNOWN_FIELDS}: {}", grouped(self.changed.unknown())));
        }
        for (id, records) in self.shared_ids() {
            lines.push(format!("**ATTENTION: the API gave one id to {records}:** {}", code_span(&id)));
        }
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(text, "## Attention\n")?;
        lines.iter().try_for_each(|line| writeln!(text, "- {line}"))?;
        writeln!(text)
    }

    fn write_next(&self, text: &mut String) -> std::fmt::Result {
        if let Some(left) = self.left_in_words() {
            writeln!(text, "\n## Left\n\n{left}.")?;
        }
        if let Some(command) = &self.next_command {
            writeln!(text, "\nTo resume:\n\n{}", code_block("sh", command))?;
        }
        if let Some(command) = self.settling() {
            writeln!(text, "\n{}\n\n{}", SETTLE.join(" "), code_block("sh", command))?;
        }
        if let Some((correction, rows)) = self.correction() {
            let (instruction, command, advice) = correction.in_parts(rows, code_span);
            writeln!(text, "\n## To fix\n\n{instruction}\n\n{}", code_block("sh", command))?;
            if let Some(advice) = advice {
                writeln!(text, "\n{advice}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::{full_summary, summary};
    use super::*;
    use crate::domain::{Position, ReportLine, StopWords};

    #[test]
    fn the_markdown_says_what_the_text_says() {
        let markdown = full_summary().to_markdown();
        for words in [
            "# Import of `a.csv`\n",
            "| 1 | `created` | created by this run |\n",
            "| 10 | | records read |\n",
            "- 1 × `api.rejected`: `no\\u{1b}` (row 7)\n",
            "- 1 known bad: ",
            "- started: 2026-01-02 03:04:05 UTC\n- ended: 2026-01-02 03:05:05 UTC, after 60 s\n",
            "- file: `a.csv`\n- target: `t`\n- account: `shop`\n- ledger: `/state/l.db`\n",
            "- e-mails: 1 asked for with 1 created customer\n",
            "- all runs: 3 runs of this file since 2026-01-01 01:02:03 UTC: 3 customers created",
            "**ATTENTION: the API gave one id to 2 records:** `c-1`\n",
            "3 records: 1 not sent yet, 1 failed, 1 in doubt.\n",
            "To resume:\n\n```sh\ncustomer-import import a.csv\n```\n",
            "Fix the 2 rows in `r.csv`, then run:\n\n```sh\ncustomer-import import r.csv\n```\n",
            "```sh\ncustomer-import ledger settle EMAIL --created ID\n```\n",
            "Note: `a.csv was written again`\n",
        ] {
            assert!(markdown.contains(words), "{words:?} in\n{markdown}");
        }
    }

    #[test]
    fn words_of_the_server_and_names_of_files_are_no_markup() {
        let evil = "x | y `z` <b>bold</b> [a](https://evil.example)\n| 1 | created |";
        let mut line = ReportLine::new(Position { row: 1, line: 2 }, Status::Rejected, String::new(), Vec::new());
        (line.error_code, line.error) = ("api.rejected".to_owned(), evil.to_owned());
        let mut summary = summary(&[Status::Rejected]);
        summary.errors.add(&line);
        (summary.input, summary.stopped) = (evil.to_owned(), Some(StopWords::advising(evil, evil)));
        (summary.target, summary.ledger) = (evil.to_owned(), Some(evil.into()));
        let markdown = summary.to_markdown();
        // What is left of the text if code is taken out has none of it.
        let mut prose = String::new();
        for (at, part) in markdown.split("``").enumerate() {
            if at % 2 == 0 {
                prose.push_str(part);
            }
        }
        assert!(markdown.matches("evil.example").count() >= 5, "{markdown}");
        for sign in ["evil", "<b>", "]("] {
            assert!(!prose.contains(sign), "{sign} in\n{prose}");
        }
        let tables = markdown.lines().filter(|line| line.starts_with('|'));
        assert!(tables.clone().count() >= 3 && tables.into_iter().all(|line| line.matches('|').count() == 4));
    }
}
