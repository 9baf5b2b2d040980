//! What is wrong with the input, for a person: the first ones in full, then how many of each.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::domain::{Code, Position, Severity, Violation};

/// More are counted only.
const IN_FULL: usize = 20;

#[derive(Debug)]
pub struct Diagnostics {
    input: String,
    shown: Vec<(Position, Violation)>,
    counts: BTreeMap<Code, u64>,
    problems: u64,
}

impl Diagnostics {
    #[must_use]
    pub fn new(input: &str) -> Self {
        Self { input: input.to_owned(), shown: Vec::new(), counts: BTreeMap::new(), problems: 0 }
    }

    pub fn add(&mut self, position: Position, violations: &[Violation]) {
        for violation in violations {
            *self.counts.entry(violation.code).or_default() += 1;
            // Warnings are only counted: a file of test addresses would bury its problems under them.
            if violation.code.severity() == Severity::Problem {
                self.problems += 1;
                if self.shown.len() < IN_FULL {
                    self.shown.push((position, violation.clone()));
                }
            }
        }
    }

    /// Whether anything is worse than odd.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        self.problems > 0
    }

    pub fn print(&self, output: &mut dyn Write) -> io::Result<()> {
        for (position, violation) in &self.shown {
            self.print_one(output, *position, violation)?;
        }
        if self.counts.is_empty() {
            return Ok(());
        }
        if self.problems > self.shown.len() as u64 {
            writeln!(
                output,
                "only the first {} of {} problems are shown; --report has them all",
                self.shown.len(),
                self.problems
            )?;
        }
        for (code, count) in &self.counts {
            let kind = match code.severity() {
                Severity::Problem => "problem",
                Severity::Warning => "warning",
            };
            writeln!(output, "  {count:>9}  {code} ({kind})")?;
        }
        writeln!(output)
    }

    fn print_one(&self, output: &mut dyn Write, position: Position, violation: &Violation) -> io::Result<()> {
        let Violation { code, column, value, hint } = violation;
        let Position { row, line } = position;
        write!(output, "{}:{line}: row {row}", self.input)?;
        if !column.is_empty() {
            write!(output, ", column {column:?}")?;
        }
        write!(output, ": {code}")?;
        if !value.is_empty() {
            write!(output, ": `{value}`")?;
        }
        writeln!(output, "\n    {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(diagnostics: &Diagnostics) -> String {
        let mut output = Vec::new();
        diagnostics.print(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_problem_names_file_line_row_column_code_value_and_what_to_do() {
        let mut diagnostics = Diagnostics::new("in.csv");
        let violation = Violation::new(Code::EmailSyntax, "E-mail", "a.example", "an address has one @");
        diagnostics.add(Position { row: 7, line: 9 }, &[violation]);
        let text = printed(&diagnostics);
        assert!(
            text.starts_with(
                "in.csv:9: row 7, column \"E-mail\": email.syntax: `a.example`\n    an address has one @\n"
            ),
            "{text}"
        );
        assert!(text.contains("1  email.syntax (problem)"), "{text}");
    }

    #[test]
    fn a_partial_list_says_so() {
        let mut diagnostics = Diagnostics::new("in.csv");
        for row in 1..=30 {
            diagnostics
                .add(Position { row, line: row + 1 }, &[Violation::new(Code::NameMissing, "name", "", "fill it in")]);
        }
        let text = printed(&diagnostics);
        assert_eq!(text.matches("fill it in").count(), IN_FULL);
        assert!(text.contains("only the first 20 of 30"), "{text}");
    }

    #[test]
    fn nothing_wrong_prints_nothing() {
        assert_eq!(printed(&Diagnostics::new("in.csv")), "");
    }
}
