//! The notification of the end of a run: counts and codes as JSON, for `--notify-url-file`.
//!
//! It goes to a third party, so it holds no cell, no e-mail and no message: neither words of the
//! input nor words of the server.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::summary::Summary;
use crate::domain::Status;

/// What a notification says of a run that ended.
#[derive(Debug)]
pub struct Notification {
    host: String,
    account: String,
    started_at: Timestamp,
    /// Members about the records. Empty if the run ended before they were counted.
    counts: Map<String, Value>,
}

impl Notification {
    #[must_use]
    pub fn new(host: String, account: String, started_at: Timestamp) -> Self {
        Self { host, account, started_at, counts: Map::new() }
    }

    /// Adds the counts and codes of the summary.
    pub fn count(&mut self, summary: &Summary) {
        let outcomes: Map<_, _> = Status::IMPORT
            .into_iter()
            .map(|status| (status.as_str().to_owned(), summary.tally.get(status).into()))
            .collect();
        let counts = [
            ("run", summary.run.clone().into()),
            ("records_read", summary.tally.total().into()),
            ("outcomes", outcomes.into()),
            ("known_bad", summary.known_bad.into()),
            ("errors", summary.errors.by_code().into_iter().collect()),
            ("partial", summary.partial.into()),
            ("requests", summary.requests.into()),
            ("throttled", summary.throttled.into()),
            ("retries", summary.retries.into()),
            ("recovered", summary.recovered.into()),
        ];
        self.counts = counts.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect();
    }

    /// Returns the JSON text. `run` is the run that failed before its summary, if one had begun.
    #[must_use]
    pub fn ended(&self, at: Timestamp, exit_code: u8, run: Option<&str>) -> String {
        let mut json = json!({
            "version": 1,
            "program": "customer-import",
            "host": self.host,
            "account": self.account,
            "run": run,
            "exit_code": exit_code,
            "started_at": self.started_at.to_string(),
            "ended_at": at.to_string(),
        });
        if let Some(members) = json.as_object_mut() {
            members.extend(self.counts.clone());
        }
        json.to_string()
    }
}
