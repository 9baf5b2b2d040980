//! What an import would do, shown before it starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::human::{about, skipped};
use crate::domain::{Status, Tally, on_one_line};

/// The plan of an import, as text for people or JSON for programs.
#[derive(Debug)]
pub struct Plan {
    pub tally: Tally,
    /// Records that an import would send, including doubts of earlier runs.
    pub to_send: u64,
    /// How many KYC e-mails the API would send.
    pub kyc_mails: u64,
    /// Doubts of earlier runs whose records are not in this input. An import leaves them alone.
    pub doubts_elsewhere: u64,
    /// Each field of the request and the column that feeds it, in words.
    pub columns: Vec<(String, String)>,
    /// Columns of the input that no field uses. They are never sent.
    pub unused: Vec<String>,
    /// The file to suggest for the invalid records. They are written in the format of the input.
    pub mend: &'static str,
    /// Records whose number does not have the country code of their country.
    pub foreign_phones: u64,
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
            kyc_mails: 0,
            doubts_elsewhere: 0,
            columns: Vec::new(),
            unused: Vec::new(),
            mend: "mend.csv",
            foreign_phones: 0,
            per_minute,
        }
    }

    fn time(&self) -> Duration {
        self.time_for(self.to_send)
    }

    /// Returns how long it takes to send `records` records at this pace.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn time_for(&self, records: u64) -> Duration {
        Duration::from_secs_f64(records as f64 * 60.0 / self.per_minute)
    }

    /// Returns the plan as text for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let width = self.columns.iter().map(|(field, _)| field.len()).max().unwrap_or_default();
        for (field, feeding) in &self.columns {
            writeln!(text, "  {field:<width$}  {feeding}")?;
        }
        if !self.unused.is_empty() {
            let names: Vec<_> = self.unused.iter().map(|name| shown(name)).collect();
            writeln!(text, "  {:<width$}  {}", "(not used)", names.join(", "))?;
        }
        writeln!(text)?;
        let mut line = |number: u64, words: &str| writeln!(text, "  {number:>9}  {words}");
        line(self.tally.total(), "records read")?;
        for (number, words) in skipped(&self.tally) {
            line(number, words)?;
        }
        line(self.to_send, "to send")?;
        for (status, words) in [
            (Status::Invalid, "invalid"),
            (Status::Duplicate, "duplicates of an earlier row"),
            (Status::AlreadyImported, "already imported"),
            (Status::Changed, "imported earlier with other data (will not be sent)"),
            (Status::Exists, "known to exist"),
            (Status::Rejected, "rejected earlier with the same data"),
            (Status::InDoubt, "in doubt from an earlier run (included in those to send)"),
        ] {
            if self.tally.get(status) > 0 {
                line(self.tally.get(status), words)?;
            }
        }
        line(self.kyc_mails, "KYC e-mails that the API would send")?;
        if self.doubts_elsewhere > 0 {
            line(self.doubts_elsewhere, "in doubt that are not in this input: `customer-import ledger resolve`")?;
        }
        if self.to_send > 0 {
            writeln!(text, "\nAt {:.0} requests a minute this takes about {}.", self.per_minute, about(self.time()))?;
        }
        if self.tally.get(Status::Invalid) > 0 {
            writeln!(
                text,
                "\nInvalid records are never sent. Correct them in the input, or write them to a file (--rejects {}),\n\
                 correct that file and import it.",
                self.mend
            )?;
        }
        let left_out = self.tally.skipped().not_selected;
        if left_out > 0 && self.tally.total() == 0 {
            writeln!(text, "\nAttention: no row was selected, of {left_out}. Check the value of --where.")?;
        }
        if self.foreign_phones * FOREIGN_PHONES > self.tally.total() {
            writeln!(
                text,
                "\n{} of {} records have a phone number with the code of another country (phone.other_country).\n\
                 Check that their countries are right.",
                self.foreign_phones,
                self.tally.total()
            )?;
        }
        Ok(())
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
        assert!(plan.to_text().contains(r"a\u{1b}[2J, (no name)"), "{}", plan.to_text());
    }

    #[test]
    fn a_plan_says_if_many_numbers_are_of_other_countries() {
        let mut plan = Plan::new(55.0);
        for _ in 0..100 {
            plan.tally.add(Status::Valid);
        }
        plan.foreign_phones = 5;
        assert!(!plan.to_text().contains("phone.other_country"));
        plan.foreign_phones = 6;
        assert!(plan.to_text().contains("\n6 of 100 records have a phone number with the code of another country"));
    }

    #[test]
    fn a_plan_tells_how_many_people_get_an_email_and_how_long_it_takes() {
        let mut plan = Plan::new(55.0);
        for status in [Status::Valid, Status::Invalid, Status::AlreadyImported] {
            plan.tally.add(status);
        }
        (plan.to_send, plan.kyc_mails) = (100_000, 99_000);
        plan.tally.set_skipped(SkippedRows { blank_rows: 7, repeated_headers: 2, not_selected: 5 });
        let text = plan.to_text();
        for words in [
            "3  records read",
            "100000  to send",
            "99000  KYC e-mails",
            "1  already imported",
            "about 30 h",
            "7  blank rows skipped",
            "2  repeated headers skipped",
            "5  rows not selected (--where)",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(text.contains("--rejects"), "{text}");
        assert_eq!(plan.to_json()["outcomes"]["valid"], 1);
        assert_eq!(plan.to_json()["blank_rows"], 7);
        assert_eq!(plan.to_json()["repeated_headers"], 2);
        assert_eq!(plan.to_json()["not_selected"], 5);
    }
}
