//! What an import would do, shown before it starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::correction::Correction;
use super::human::{about, skipped, tone, written};
use super::markdown::{code_block, code_span};
use crate::domain::{Status, Tally, counted, grouped, on_one_line, plural};
use crate::style::{Paint, Tone};

/// The plan of an import, as text for people or JSON for programs.
#[derive(Debug)]
pub struct Plan {
    pub tally: Tally,
    /// Records that an import would send, including doubts of earlier runs.
    pub to_send: u64,
    /// The most records that this run sends (`--limit`).
    pub limit: Option<u64>,
    /// How many KYC e-mails the API would send for all of them.
    pub kyc_mails: u64,
    /// Doubts of earlier runs whose records are not in this input. An import leaves them alone.
    pub doubts_elsewhere: u64,
    /// The sheet that is read, if the input has sheets.
    pub sheet: Option<String>,
    /// Each field of the request and the column that feeds it, in words.
    pub columns: Vec<(String, String)>,
    /// Columns of the input that no field uses. They are never sent.
    pub unused: Vec<String>,
    /// What to do about invalid records. `None` before a run, whose summary says it.
    pub correction: Option<Correction>,
    /// Records whose number does not have the country code of their country.
    pub foreign_phones: u64,
    /// The command that resolves the doubts of earlier runs.
    pub resolve_command: Option<String>,
    per_minute: f64,
}

/// If more than one in this many records has a number of another country, the plan says so.
const FOREIGN_PHONES: u64 = 20;

impl Plan {
    /// Creates an empty plan for a pace in requests per minute.
    #[must_use]
    pub fn new(per_minute: f64) -> Self {
        Self {
            tally: Tally::default(),
            to_send: 0,
            limit: None,
            kyc_mails: 0,
            doubts_elsewhere: 0,
            sheet: None,
            columns: Vec::new(),
            unused: Vec::new(),
            correction: None,
            foreign_phones: 0,
            resolve_command: None,
            per_minute,
        }
    }

    /// Returns how many records this run sends.
    fn wanted(&self) -> u64 {
        self.limit.map_or(self.to_send, |limit| self.to_send.min(limit))
    }

    /// Returns how long this run takes at its pace.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.wanted() as f64 * 60.0 / self.per_minute)
    }

    /// Returns the question to answer before this run sends to `target`, or `None` if it sends
    /// nothing.
    #[must_use]
    pub fn question(&self, target: &str) -> Option<String> {
        let (wanted, all) = (self.wanted(), counted(self.to_send, "record"));
        let is_trial = wanted < self.to_send;
        let records = if is_trial { format!("{} of {all}", grouped(wanted)) } else { all };
        // Which of the records a trial sends is not known yet, so neither is who gets an e-mail.
        let most = if is_trial && self.kyc_mails < self.to_send { "at most " } else { "" };
        let mails = match self.kyc_mails.min(wanted) {
            0 => String::new(),
            1 => format!(" and e-mail {most}1 person"),
            people => format!(" and e-mail {most}{} people", grouped(people)),
        };
        (wanted > 0).then(|| format!("Send {records} to {target}{mails}?"))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a pace is a small positive number")]
    fn rounded(pace: f64) -> u64 {
        pace.round() as u64
    }

    /// Returns the plan as text for a terminal.
    #[must_use]
    pub fn to_text(&self, paint: Paint) -> String {
        written(|text| self.write_text(text, paint))
    }

    fn write_text(&self, text: &mut String, paint: Paint) -> std::fmt::Result {
        let width = self.columns.iter().map(|(field, _)| field.len()).max().unwrap_or_default();
        for (field, feeding) in &self.columns {
            writeln!(text, "  {field:<width$}  {feeding}")?;
        }
        if let Some(sheet) = &self.sheet {
            writeln!(text, "  {:<width$}  {}", "(sheet)", shown(sheet))?;
        }
        if !self.unused.is_empty() {
            let names: Vec<_> = self.unused.iter().map(|name| shown(name)).collect();
            writeln!(text, "  {:<width$}  {}", "(not used)", names.join(", "))?;
        }
        writeln!(text)?;
        let mut line = |number: u64, words: &str| writeln!(text, "  {:>9}  {words}", grouped(number));
        let read = self.tally.total();
        line(read, &format!("{} read", plural(read, "record")))?;
        for (number, words) in skipped(&self.tally) {
            line(number, &words)?;
        }
        line(self.to_send, &paint.paint(Tone::Heading, "to send"))?;
        if self.wanted() < self.to_send {
            line(self.wanted(), "of them in this run (--limit)")?;
        }
        for (status, words) in [
            (Status::Invalid, "invalid"),
            (
                Status::Duplicate,
                &format!("{} of an earlier row", plural(self.tally.get(Status::Duplicate), "duplicate")),
            ),
            (Status::AlreadyImported, "already imported"),
            (Status::Changed, "imported earlier with other data (will not be sent)"),
            (Status::Exists, "known to exist"),
            (Status::Rejected, "rejected earlier with the same data"),
            (Status::InDoubt, "in doubt from an earlier run (included in those to send)"),
        ] {
            if self.tally.get(status) > 0 {
                line(self.tally.get(status), &paint.paint(tone(status), words))?;
            }
        }
        line(self.kyc_mails, &format!("{} that the API would send", plural(self.kyc_mails, "KYC e-mail")))?;
        if self.doubts_elsewhere > 0 {
            line(self.doubts_elsewhere, "in doubt that are not in this input")?;
        }
        if let Some(command) = self.resolve_command.as_ref().filter(|_| self.doubts_elsewhere > 0) {
            writeln!(text, "\nTo resolve the doubts that are not in this input:\n  {command}")?;
        }
        if self.to_send > 0 {
            let pace = Self::rounded(self.per_minute);
            writeln!(text, "\nAt {} a minute this takes about {}.", counted(pace, "request"), about(self.time()))?;
        }
        let invalid = self.tally.get(Status::Invalid);
        if invalid > 0 {
            writeln!(text, "\nInvalid records are never sent.")?;
        }
        if let (Some(correction), 1..) = (&self.correction, invalid) {
            writeln!(text, "{}", correction.to_text(invalid))?;
        }
        let left_out = self.tally.skipped().not_selected;
        if left_out > 0 && self.tally.total() == 0 {
            let attention = paint.paint(Tone::Bad, "Attention:");
            writeln!(text, "\n{attention} no row was selected, of {left_out}. Check the value of --where.")?;
        }
        if self.foreign_phones * FOREIGN_PHONES > self.tally.total() {
            writeln!(
                text,
                "\n{} of {} {} a phone number with the code of another country (phone.other_country).\n\
                 Check that their countries are right.",
                grouped(self.foreign_phones),
                counted(read, "record"),
                if self.foreign_phones == 1 { "has" } else { "have" }
            )?;
        }
        Ok(())
    }

    /// Returns the plan as Markdown, to forward.
    #[must_use]
    pub fn to_markdown(&self, input: &str) -> String {
        format!("# Plan for {}\n\n{}\n", code_span(input), code_block("text", &self.to_text(Paint::PLAIN)))
    }

    /// Returns the plan as JSON, with a `version` that changes if the shape does.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let outcomes: Map<_, _> = std::iter::once(Status::Valid)
            .chain(Status::IMPORT)
            .map(|status| (status.as_str().to_owned(), self.tally.get(status).into()))
            .collect();
        json!({
            "version": 1,
            "records_read": self.tally.total(),
            "outcomes": outcomes,
            "blank_rows": self.tally.skipped().blank_rows,
            "repeated_headers": self.tally.skipped().repeated_headers,
            "not_selected": self.tally.skipped().not_selected,
            "hidden_rows": self.tally.skipped().hidden_rows,
            "sheet": self.sheet,
            "columns": self.columns.iter().cloned().collect::<BTreeMap<_, _>>(),
            "unused_columns": self.unused,
            "to_send": self.to_send,
            "kyc_mails": self.kyc_mails,
            "doubts_elsewhere": self.doubts_elsewhere,
            "per_minute": self.per_minute,
            "seconds": self.time().as_secs_f64(),
        })
    }
}

/// Returns a column's name on one line, for a terminal.
fn shown(name: &str) -> String {
    if name.is_empty() { "(no name)".to_owned() } else { on_one_line(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SkippedRows;

    #[test]
    fn names_of_columns_steer_no_terminal() {
        let mut plan = Plan::new(55.0);
        plan.unused = ["a\u{1b}[2J", ""].map(str::to_owned).to_vec();
        assert!(plan.to_text(Paint::PLAIN).contains(r"a\u{1b}[2J, (no name)"), "{}", plan.to_text(Paint::PLAIN));
    }

    #[test]
    fn b5_the_question_speaks_of_what_this_run_sends_and_is_not_asked_about_nothing() {
        let mut plan = Plan::new(55.0);
        assert_eq!(plan.question("T"), None);
        (plan.to_send, plan.kyc_mails) = (2880, 2880);
        assert_eq!(plan.question("T").unwrap(), "Send 2,880 records to T and e-mail 2,880 people?");
        plan.limit = Some(3);
        assert_eq!(plan.question("T").unwrap(), "Send 3 of 2,880 records to T and e-mail 3 people?");
        let text = plan.to_text(Paint::PLAIN);
        assert!(
            text.contains("        3  of them in this run (--limit)\n") && text.contains("takes about 3"),
            "{text}"
        );
        plan.kyc_mails = 2000;
        assert_eq!(plan.question("T").unwrap(), "Send 3 of 2,880 records to T and e-mail at most 3 people?");
        (plan.limit, plan.kyc_mails) = (Some(1), 0);
        assert_eq!(plan.question("T").unwrap(), "Send 1 of 2,880 records to T?");
        (plan.limit, plan.to_send, plan.kyc_mails) = (Some(5), 1, 1);
        assert_eq!(plan.question("T").unwrap(), "Send 1 record to T and e-mail 1 person?");
    }

    #[test]
    fn a_plan_says_if_many_numbers_are_of_other_countries() {
        let mut plan = Plan::new(55.0);
        for _ in 0..100 {
            plan.tally.add(Status::Valid);
        }
        plan.foreign_phones = 5;
        assert!(!plan.to_text(Paint::PLAIN).contains("phone.other_country"));
        plan.foreign_phones = 6;
        assert!(
            plan.to_text(Paint::PLAIN)
                .contains("\n6 of 100 records have a phone number with the code of another country")
        );
    }

    #[test]
    fn a_plan_tells_how_many_people_get_an_email_and_how_long_it_takes() {
        let mut plan = Plan::new(55.0);
        for status in [Status::Valid, Status::Invalid, Status::AlreadyImported] {
            plan.tally.add(status);
        }
        (plan.to_send, plan.kyc_mails) = (100_000, 99_000);
        plan.tally.set_skipped(SkippedRows { blank_rows: 7, repeated_headers: 2, not_selected: 5, hidden_rows: 0 });
        let text = plan.to_text(Paint::PLAIN);
        for words in [
            "3  records read",
            "100,000  to send",
            "99,000  KYC e-mails that",
            "1  already imported",
            "about 30 h",
            "7  blank rows skipped",
            "2  repeated headers skipped",
            "5  rows not selected (--where)",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(text.contains("never sent") && !text.contains("Fix"), "{text}");
        assert_eq!(plan.to_json()["outcomes"]["valid"], 1);
        assert_eq!(plan.to_json()["blank_rows"], 7);
        assert_eq!(plan.to_json()["repeated_headers"], 2);
        assert_eq!(plan.to_json()["not_selected"], 5);
    }
}
