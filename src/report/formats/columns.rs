use std::borrow::Cow;

use crate::domain::ReportLine;

/// The columns of a report, before the kept ones. Other programs read them, so names and order are
/// a contract.
pub(super) const COLUMNS: [&str; 16] = [
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

/// The column after those, once the API was asked for the KYC status of any customer.
pub(super) const CHECKED_AT: &str = "kyc_checked_at";

/// Which columns a report has beside [`COLUMNS`].
#[derive(Clone, Copy, Debug)]
pub(super) struct MoreColumns<'a> {
    pub has_checks: bool,
    pub kept: &'a [String],
}

impl MoreColumns<'_> {
    /// Returns the names of the program's own columns.
    pub(super) fn own(self) -> impl Iterator<Item = &'static str> {
        COLUMNS.into_iter().chain(self.has_checks.then_some(CHECKED_AT))
    }
}

/// Returns when the API was asked, to the second.
pub(super) fn checked_at(line: &ReportLine) -> Option<String> {
    line.kyc_checked_at.map(|checked_at| checked_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The text of one cell, and who chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReportCell<'a> {
    /// This program, or its checks let only plain text through.
    Own(Cow<'a, str>),
    /// The server or the input.
    Foreign(&'a str),
}

impl ReportCell<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Foreign(text) => text,
        }
    }
}

/// Returns the cells of a line as text, in the order of [`COLUMNS`], then the time of the check if
/// the report has it, and then the kept ones. A missing value is an empty text.
pub(super) fn cells(line: &ReportLine, has_checks: bool) -> impl Iterator<Item = ReportCell<'_>> {
    let receipt = &line.receipt;
    let number = |number: String| ReportCell::Own(number.into());
    [
        number(line.position.row.to_string()),
        number(line.position.line.to_string()),
        own(line.status.as_str()),
        own(&line.email),
        foreign(&receipt.id),
        foreign(&receipt.customer_id),
        foreign(&receipt.kyc_link),
        foreign(&receipt.tos_link),
        foreign(&receipt.kyc_status),
        foreign(&receipt.tos_status),
        foreign(&receipt.created_at),
        number(line.http_status.map(|status| status.to_string()).unwrap_or_default()),
        number(line.attempts.to_string()),
        own(&line.error_code),
        ReportCell::Foreign(&line.error),
        ReportCell::Foreign(&line.warning),
    ]
    .into_iter()
    .chain(has_checks.then(|| number(checked_at(line).unwrap_or_default())))
    .chain(line.kept.iter().map(|text| ReportCell::Foreign(text)))
}

fn own(text: &str) -> ReportCell<'_> {
    ReportCell::Own(Cow::Borrowed(text))
}

fn foreign(text: &Option<String>) -> ReportCell<'_> {
    ReportCell::Foreign(text.as_deref().unwrap_or_default())
}

/// Returns the names of the kept columns: as in the input, with `input_` before a name that a
/// report column or an earlier kept column has.
pub(super) fn kept_columns(names: &[String]) -> Vec<String> {
    let mut taken: std::collections::HashSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    taken.extend([CHECKED_AT, "data"].map(str::to_owned));
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
        let names = ["legacy_id", "id", "input_id", "status", "kyc_checked_at"].map(str::to_owned);
        let kept = ["legacy_id", "input_id", "input_input_id", "input_status", "input_kyc_checked_at"];
        assert_eq!(kept_columns(&names), kept);
    }
}
