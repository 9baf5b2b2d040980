//! What `status` found out, as text or JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::{counted, grouped};
use crate::report::KycCounts;

#[derive(Debug, Default)]
pub(super) struct StatusFinding {
    pub run: String,
    pub records: u64,
    /// Records whose customers the ledger knows.
    pub customers: u64,
    pub counts: KycCounts,
    pub not_found: u64,
    pub unanswered: u64,
    /// Answers that could not be written into the ledger.
    pub not_kept: u64,
    pub requests: u64,
    pub throttled: u64,
    pub exit_code: u8,
    pub stopped: Option<String>,
    /// The command that shows the statuses row by row, or goes on if it was stopped. `None` if the
    /// input is gone.
    pub next_command: Option<String>,
}

impl StatusFinding {
    /// Returns how many customers were not asked for.
    fn left(&self) -> u64 {
        self.customers.saturating_sub(self.counts.total() + self.not_found + self.unanswered)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{} of {}\n", counted(self.customers, "customer"), counted(self.records, "record"));
        let missing = [
            (self.not_found, "not found at the API: deleted there, or with another id"),
            (self.unanswered, "without an answer, because the API failed for them again and again"),
            (self.left(), "not asked for yet"),
        ];
        let missing = missing.map(|(number, words)| (words.to_owned(), number));
        for (words, number) in self.counts.sorted().into_iter().chain(missing).filter(|(_, number)| *number > 0) {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {:>9}  {words}", grouped(number));
        }
        let _ = write!(text, "asked with {}", counted(self.requests, "request"));
        if self.throttled > 0 {
            let _ = write!(text, ", {} of them answered by a pause (429)", grouped(self.throttled));
        }
        text.push('\n');
        if self.not_kept > 0 {
            let _ = writeln!(text, "{} could not be kept in the ledger", counted(self.not_kept, "answer"));
        }
        // A failure has the command in its hint.
        if let (Some(command), None, 1..) = (&self.next_command, &self.stopped, self.customers) {
            let _ = writeln!(text, "row by row: {command}");
        }
        text
    }

    /// Returns it as JSON, with a `version` that changes if the shape does.
    pub(super) fn to_json(&self) -> Value {
        let (kyc_statuses, without_status) = self.counts.to_json();
        json!({
            "version": 1,
            "run": self.run,
            "records_read": self.records,
            "customers": self.customers,
            "kyc_statuses": kyc_statuses,
            "without_status": without_status,
            "not_found": self.not_found,
            "unanswered": self.unanswered,
            "left": self.left(),
            "not_kept": self.not_kept,
            "requests": self.requests,
            "throttled": self.throttled,
            "exit_code": self.exit_code,
            "stopped": self.stopped,
            "next_command": self.next_command,
        })
    }
}
