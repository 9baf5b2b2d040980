//! The next step for rows that must be fixed.

use std::path::{Path, PathBuf};

use super::formats::format::ReportFormat;
use crate::domain::{grouped, plural, shown};

/// How the rows that must be fixed get into the API, with a command to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// A rejects file has them, and the command takes that file.
    InRejects { rejects: PathBuf, command: String },
    /// Only the input has them, and the command writes them to a rejects file.
    InInput { input: String, rejects: PathBuf, command: String },
}

impl Correction {
    /// Returns the command to paste.
    pub(super) fn command(&self) -> &str {
        match self {
            Self::InRejects { command, .. } | Self::InInput { command, .. } => command,
        }
    }

    /// Returns the instruction for this many rows.
    #[must_use]
    pub fn to_text(&self, rows: u64) -> String {
        let (instruction, command, advice) = self.in_parts(rows, str::to_owned);
        let advice = advice.map(|advice| format!("\n{advice}")).unwrap_or_default();
        format!("{instruction}\n{command}{advice}")
    }

    /// Returns the instruction for this many rows, the command that it ends with, and which file a
    /// spreadsheet does not damage, if it damages this one. `name` writes the name of a file.
    pub(super) fn in_parts(&self, rows: u64, name: impl Fn(&str) -> String) -> (String, &str, Option<&'static str>) {
        let those = if rows == 1 { "row".to_owned() } else { format!("{} {}", grouped(rows), plural(rows, "row")) };
        let file = |path: &Path| name(&shown(path).to_string());
        match self {
            Self::InRejects { rejects, command } => {
                (format!("Fix the {those} in {}, then run:", file(rejects)), command, spreadsheet_advice(rejects))
            }
            Self::InInput { input, rejects, command } => (
                format!(
                    "Fix the {those} in {} and import it again; nothing is created twice.\n\
                     To get only {} into a file, {}, run:",
                    name(input),
                    if rows == 1 { "that row" } else { "those rows" },
                    file(rejects)
                ),
                command,
                spreadsheet_advice(rejects),
            ),
        }
    }
}

/// Returns which file a spreadsheet does not damage, if it damages this one.
fn spreadsheet_advice(rejects: &Path) -> Option<&'static str> {
    match ReportFormat::of(rejects) {
        Ok(ReportFormat::Csv) => Some("A spreadsheet changes numbers in CSV; --rejects mend.xlsx keeps every cell."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_fix_come_with_a_command() {
        let command = "customer-import import r.csv".to_owned();
        let correction = Correction::InRejects { rejects: "r.csv".into(), command };
        let advice = "\nA spreadsheet changes numbers in CSV; --rejects mend.xlsx keeps every cell.";
        let expected = format!("Fix the row in r.csv, then run:\ncustomer-import import r.csv{advice}");
        assert_eq!(correction.to_text(1), expected);
        assert!(correction.to_text(1082).starts_with("Fix the 1,082 rows in r.csv, then run:\n"));
        let command = "customer-import import a.csv --rejects mend.csv".to_owned();
        let correction = Correction::InInput { input: "a.csv".to_owned(), rejects: "mend.csv".into(), command };
        let expected = format!(
            "Fix the 2 rows in a.csv and import it again; nothing is created twice.\n\
             To get only those rows into a file, mend.csv, run:\n\
             customer-import import a.csv --rejects mend.csv{advice}"
        );
        assert_eq!(correction.to_text(2), expected);
        let workbook = Correction::InRejects { rejects: "r.xlsx".into(), command: "x".to_owned() };
        assert_eq!(workbook.to_text(2), "Fix the 2 rows in r.xlsx, then run:\nx");
    }
}
