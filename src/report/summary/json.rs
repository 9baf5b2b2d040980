//! The summary as JSON, for programs. `docs/summary.schema.json` describes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::facts::{AllRuns, Summary};
use super::headline::Unended;
use crate::domain::Status;

impl Summary {
    /// Returns the summary with a `version` that changes if a member goes or means something else.
    /// A new member leaves it as it is.
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
            "account": self.account,
            "input": self.input,
            "ledger": self.ledger.as_deref().map(|path| path.to_string_lossy()),
            "started_at": self.started_at.to_string(),
            "ended_at": self.ended_at.filter(|_| self.unended.is_none()).map(|at| at.to_string()),
            "records_read": self.tally.total(),
            "outcomes": outcomes,
            "partial": self.partial,
            "notes": self.notes,
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
            "kyc_mails": self.mails.asked,
            "kyc_mails_unknown": self.mails.unknown,
            "all_runs": self.all_runs.map(|all| self.all_runs_json(all)),
            "reports": self.reports.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
            "rejects": self.rejects.as_deref().map(|path| path.to_string_lossy()),
            "errors": self.errors.sorted(),
            "changed_fields": self.changed.to_json(),
            "known_bad": self.known_bad,
            "shared_ids": self.shared_ids.iter().cloned().collect::<BTreeMap<_, _>>(),
            "exit_code": self.exit_code,
            "stopped": self.stopped.as_ref().map(|words| &words.why),
            "hint": self.hint(),
            "limit": self.limit,
            "left": self.tally.unfinished(),
            "next_command": self.next_command,
            "to_fix": self.correctable(),
            "fix_command": self.correction().map(|(correction, _)| correction.command()),
            "settle_command": self.settling(),
        })
    }

    fn all_runs_json(&self, AllRuns { runs, since, requests, unended }: AllRuns) -> Value {
        json!({
            "runs": runs,
            "since": since.to_string(),
            "created": self.created_in_all(),
            "requests": requests,
            "unended": unended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::{full_summary, summary};
    use super::*;

    #[test]
    fn the_outcomes_add_up_to_the_records_read() {
        let json = summary(&Status::IMPORT).to_json();
        let sum: u64 = json["outcomes"].as_object().unwrap().values().map(|number| number.as_u64().unwrap()).sum();
        assert_eq!(json["records_read"], sum);
        assert_eq!(json["outcomes"].as_object().unwrap().len(), 10);
        assert_eq!(json["version"], 1);
    }

    #[test]
    fn the_json_says_what_the_text_says() {
        let json = full_summary().to_json();
        for (name, value) in [
            ("started_at", json!("2026-01-02T03:04:05.678Z")),
            ("ended_at", json!("2026-01-02T03:05:05.678Z")),
            ("input", json!("a.csv")),
            ("ledger", json!("/state/l.db")),
            ("kyc_mails", json!(1)),
            ("known_bad", json!(1)),
            ("left", json!(3)),
            ("to_fix", json!(2)),
            ("fix_command", json!("customer-import import r.csv")),
            ("settle_command", json!("customer-import ledger settle EMAIL --created ID")),
        ] {
            assert_eq!(json[name], value, "{name}");
        }
        assert_eq!(json["all_runs"]["created"], 3);
        let settled = summary(&[Status::Created]).to_json();
        assert!(settled["settle_command"].is_null() && settled["fix_command"].is_null(), "{settled}");
    }
}
