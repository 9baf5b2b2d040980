//! The next step for rows that must be fixed.

use std::path::PathBuf;

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
    /// Returns the instruction for this many rows.
    #[must_use]
    pub fn to_text(&self, rows: u64) -> String {
        let those = if rows == 1 { "row".to_owned() } else { format!("{} {}", grouped(rows), plural(rows, "row")) };
        match self {
            Self::InRejects { rejects, command } => {
                format!("Fix the {those} in {}, then run:\n{command}", shown(rejects))
            }
            Self::InInput { input, rejects, command } => format!(
                "Fix the {those} in {input} and import it again; nothing is created twice.\n\
                 To get only {} into a file, {}, run:\n{command}",
                if rows == 1 { "that row" } else { "those rows" },
                shown(rejects)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_fix_come_with_a_command() {
        let command = "customer-import import r.csv".to_owned();
        let correction = Correction::InRejects { rejects: "r.csv".into(), command };
        assert_eq!(correction.to_text(1), "Fix the row in r.csv, then run:\ncustomer-import import r.csv");
        assert!(correction.to_text(1082).starts_with("Fix the 1,082 rows in r.csv, then run:\n"));
        let command = "customer-import import a.csv --rejects mend.csv".to_owned();
        let correction = Correction::InInput { input: "a.csv".to_owned(), rejects: "mend.csv".into(), command };
        let expected = "Fix the 2 rows in a.csv and import it again; nothing is created twice.\n\
                        To get only those rows into a file, mend.csv, run:\n\
                        customer-import import a.csv --rejects mend.csv";
        assert_eq!(correction.to_text(2), expected);
    }
}
