//! What people and programs are told: report files, summary, plan, diagnostics, progress.
//!
//! - [`ReportFile`] writes one line a record: `csv` for people and spreadsheets, `ndjson` for programs.
//! - [`Rejects`] writes records back in the form in which they were read.
//! - [`Summary`] and [`Plan`] are what stdout shows at the end and before the start; [`Diagnostics`] is what is wrong with the input,
//!   pointing at the cell (`excerpt`).
//! - [`Progress`] follows the events of a run: a bar on a terminal (`bar`), a line now and then elsewhere (`plain`). [`Metrics`] tells a machine of it.
//!
//! This module knows nothing of sending. Nothing here shows a token or, outside the report files, a link.

mod bar;
mod counts;
mod csv;
mod diagnostics;
mod event_log;
mod excerpt;
mod file;
mod formula;
mod human;
mod metrics;
mod ndjson;
mod plain;
mod plan;
mod progress;
mod rejects;
mod summary;

pub use counts::Scope;
pub use diagnostics::{Diagnostics, Look};
pub use event_log::{log_end, log_event};
pub use file::{ReportFile, ReportFormat};
pub use human::about;
pub use metrics::Metrics;
pub use plan::Plan;
pub use progress::{Progress, Style};
pub use rejects::Rejects;
pub use summary::{ErrorGroups, Summary, Unended};

/// The columns of a report, before the kept ones. A contract: other programs read them.
const COLUMNS: [&str; 16] = [
    "row",
    "line",
    "status",
    "customer_email",
    "id",
    "customer_id",
    "kyc_link",
    "tos_link",
    "kyc_status",
    "tos_status",
    "created_at",
    "http_status",
    "attempts",
    "error_code",
    "error",
    "warning",
];

/// The names of kept columns in a report: as in the input, unless that name is taken.
fn kept_columns(names: &[String]) -> Vec<String> {
    let mut taken: std::collections::HashSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    taken.insert("data".to_owned());
    names
        .iter()
        .map(|name| {
            let mut column = name.clone();
            while !taken.insert(column.clone()) {
                column.insert_str(0, "input_");
            }
            column
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::kept_columns;

    #[test]
    fn kept_columns_never_take_the_name_of_a_report_column() {
        let names = ["legacy_id", "id", "input_id", "status"].map(str::to_owned);
        assert_eq!(kept_columns(&names), ["legacy_id", "input_id", "input_input_id", "input_status"]);
    }
}
