//! Lists what is wrong with the input, for a person: the first problems in full with the cell
//! marked, then how many there are of each code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::excerpt::{Excerpt, masked_cell};
use super::values::UnknownValues;
use crate::domain::{Code, InputShape, Position, RawRecord, Severity, Violation, shown};
use crate::redact::without_numbers;

/// The most problems that are printed in full. The others are only counted.
const IN_FULL: usize = 20;

/// How to print diagnostics on the output at hand.
#[derive(Clone, Copy, Debug)]
pub struct DiagnosticsStyle {
    /// Width of the output, in columns.
    pub width: usize,
    pub styled: bool,
    /// Whether to mask personal data. True unless the output is a terminal.
    pub masked: bool,
}

/// The violations of an input: the first ones in full, all of them counted.
#[derive(Debug)]
pub struct Diagnostics {
    input: String,
    shown: Vec<ShownProblem>,
    counts: BTreeMap<Code, Count>,
    values: UnknownValues,
    /// Violations that are printed in full while there is room for them.
    loud: u64,
    problems: u64,
}

#[derive(Debug)]
struct ShownProblem {
    position: Position,
    violation: Violation,
    excerpt: Option<Excerpt>,
}

#[derive(Debug)]
struct Count {
    severity: Severity,
    times: u64,
    first_row: u64,
    /// The hint of the first violation with this code.
    hint: Cow<'static, str>,
}

impl Diagnostics {
    #[must_use]
    pub fn new(input: &str) -> Self {
        Self {
            input: input.to_owned(),
            shown: Vec::new(),
            counts: BTreeMap::new(),
            values: UnknownValues::default(),
            loud: 0,
            problems: 0,
        }
    }

    /// Adds the violations of a record. `raw` is the record itself, if the caller has it; without
    /// it, the violations are printed without an excerpt.
    pub fn add(&mut self, position: Position, violations: &[Violation], shape: &InputShape, raw: Option<&RawRecord>) {
        for violation in violations {
            let count = self.counts.entry(violation.code).or_insert_with(|| Count {
                severity: violation.severity,
                times: 0,
                first_row: position.row,
                hint: violation.hint.clone(),
            });
            count.times += 1;
            self.values.add(violation);
            self.problems += u64::from(violation.severity == Severity::Problem);
            if is_loud(violation.code, violation.severity) {
                self.loud += 1;
                if self.shown.len() < IN_FULL {
                    let excerpt = raw.and_then(|raw| Excerpt::of(shape, raw, &violation.column));
                    self.shown.push(ShownProblem { position, violation: violation.clone(), excerpt });
                }
            }
        }
    }

    /// Returns whether the input has a problem, not only warnings.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        self.problems > 0
    }

    /// Prints the problems and the counts. If some problems are not printed in full, it names the
    /// first of `reports`, which has them all.
    ///
    /// # Errors
    /// If writing to `output` fails.
    pub fn print(&self, output: &mut dyn Write, look: DiagnosticsStyle, reports: &[PathBuf]) -> io::Result<()> {
        for shown in &self.shown {
            self.print_one(output, shown, look)?;
        }
        if self.counts.is_empty() {
            return Ok(());
        }
        if self.loud > self.shown.len() as u64 {
            let (some, all) = (self.shown.len(), self.loud);
            let where_all_are = match reports {
                [] => "--report problems.csv writes all of them".to_owned(),
                [report, ..] => format!("all of them go into {}", shown(report)),
            };
            writeln!(output, "only the first {some} of {all} are shown; {where_all_are}\n")?;
        }
        for (code, Count { severity, times, first_row, hint }) in &self.counts {
            let kind = match severity {
                Severity::Problem => "problem",
                Severity::Warning => "warning",
            };
            write!(output, "  {times:>9}  {code} ({kind}, first in row {first_row})")?;
            if is_loud(*code, *severity) {
                writeln!(output)?;
            } else {
                // Only loud codes have printed their hint above.
                let hint = if look.masked { without_numbers(hint) } else { Cow::Borrowed(&**hint) };
                writeln!(output, ": {hint}")?;
            }
        }
        writeln!(output)?;
        self.values.print(output, look.masked)
    }

    /// Logs the problems and the counts as events, for programs. The events leave the cells out
    /// because cells hold personal data.
    pub fn log(&self) {
        for ShownProblem {
            position: Position { row, line },
            violation: Violation { code, severity, column, hint, .. },
            ..
        } in &self.shown
        {
            match severity {
                Severity::Problem => {
                    tracing::error!(row, line, %column, %code, hint = %without_numbers(hint), "{code}")
                }
                Severity::Warning => tracing::warn!(row, line, %column, %code, hint = %without_numbers(hint), "{code}"),
            }
        }
        for (code, Count { severity, times, first_row, .. }) in &self.counts {
            match severity {
                Severity::Problem => tracing::error!(%code, records = times, first_row, "records with a problem"),
                Severity::Warning => tracing::warn!(%code, records = times, first_row, "records with a warning"),
            }
        }
    }

    fn print_one(&self, output: &mut dyn Write, shown: &ShownProblem, look: DiagnosticsStyle) -> io::Result<()> {
        let ShownProblem {
            position: Position { row, line },
            violation: Violation { code, column, value, hint, .. },
            excerpt,
        } = shown;
        write!(output, "{}:{line}: row {row}", self.input)?;
        if !column.is_empty() {
            write!(output, ", column {column:?}")?;
        }
        write!(output, ": {code}")?;
        // Bytes that are not text cannot be drawn, so they are described.
        if !value.is_empty() && (excerpt.is_none() || *code == Code::RowEncoding) {
            let value = if look.masked { masked_cell(value) } else { value.clone() };
            write!(output, ": `{value}`")?;
        }
        writeln!(output)?;
        if let Some(excerpt) = excerpt {
            let excerpt = if look.masked { Cow::Owned(excerpt.masked()) } else { Cow::Borrowed(excerpt) };
            writeln!(output, "{}", excerpt.draw(*line, look.width, look.styled))?;
        }
        let hint = if look.masked { without_numbers(hint) } else { Cow::Borrowed(&**hint) };
        writeln!(output, "    {hint}\n")
    }
}

/// Returns whether violations with this code are printed in full. Warnings are only counted,
/// because a file of test addresses would bury its problems under them. A stray quote is an
/// exception: it swallows the records after it.
fn is_loud(code: Code, severity: Severity) -> bool {
    severity == Severity::Problem || code == Code::RowSwallowedLines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InputForm;

    const NDJSON: InputShape = InputShape { form: InputForm::Ndjson, byte_order_mark: false };

    fn printed(diagnostics: &Diagnostics) -> String {
        let mut output = Vec::new();
        diagnostics.print(&mut output, DiagnosticsStyle { width: 80, styled: false, masked: false }, &[]).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_problem_names_file_line_row_column_code_value_and_what_to_do() {
        let mut diagnostics = Diagnostics::new("in.csv");
        let violation = Violation::new(Code::EmailSyntax, "E-mail", "a.example", "an address has one @");
        diagnostics.add(Position { row: 7, line: 9 }, &[violation], &NDJSON, None);
        let text = printed(&diagnostics);
        assert!(
            text.starts_with(
                "in.csv:9: row 7, column \"E-mail\": email.syntax: `a.example`\n    an address has one @\n"
            ),
            "{text}"
        );
        assert!(text.contains("1  email.syntax (problem, first in row 7)"), "{text}");
    }

    #[test]
    fn the_cell_is_pointed_at_where_the_record_is_at_hand() {
        let mut diagnostics = Diagnostics::new("in.csv");
        let violation = Violation::new(Code::EmailSyntax, "E-mail", "a.example", "an address has one @");
        let form = InputForm::Csv { delimiter: b',', header: vec![b"Name".to_vec(), b"E-mail".to_vec()] };
        let shape = InputShape { form, byte_order_mark: false };
        let raw = RawRecord::Cells(vec![b"Ann".to_vec(), b"a.example".to_vec()]);
        diagnostics.add(Position { row: 7, line: 9 }, &[violation], &shape, Some(&raw));
        let expected = "in.csv:9: row 7, column \"E-mail\": email.syntax\n  |\n9 | Ann,a.example\n  |     ^^^^^^^^^\n    an address has one @\n";
        assert!(printed(&diagnostics).starts_with(expected), "{}", printed(&diagnostics));
    }

    #[test]
    fn what_does_not_go_to_a_terminal_has_codes_columns_and_hints_and_nobodys_data() {
        let mut diagnostics = Diagnostics::new("in.csv");
        let hint = "may mean +4917612345678 or +17612345678; write it with +";
        let violation = Violation::new(Code::PhoneNoCountryCode, "Phone", "17612345678", hint);
        let form = InputForm::Csv { delimiter: b',', header: vec![b"Name".to_vec(), b"Phone".to_vec()] };
        let shape = InputShape { form, byte_order_mark: false };
        let raw = RawRecord::Cells(vec![b"Ann".to_vec(), b"17612345678".to_vec()]);
        for raw in [Some(&raw), None] {
            diagnostics.add(Position { row: 7, line: 9 }, std::slice::from_ref(&violation), &shape, raw);
        }
        let mut output = Vec::new();
        diagnostics.print(&mut output, DiagnosticsStyle { width: 80, styled: false, masked: true }, &[]).unwrap();
        let text = String::from_utf8(output).unwrap();
        let drawn = "column \"Phone\": phone.no_country_code\n  |\n9 | ***,***********\n  |     ^^^^^^^^^^^\n";
        assert!(text.contains(drawn), "{text}");
        assert!(text.contains("phone.no_country_code: `***********`"), "{text}");
        assert!(text.contains("may mean +*** or +***; write it with +") && !text.contains("1761"), "{text}");
    }

    #[test]
    fn a_stray_quote_is_suspected_aloud_and_other_warnings_are_counted() {
        let mut diagnostics = Diagnostics::new("in.csv");
        let warnings = [(Code::RowSwallowedLines, "from line 3 on"), (Code::EmailReservedDomain, "a test address")];
        let warnings = warnings.map(|(code, hint)| Violation::new(code, "", "", hint));
        diagnostics.add(Position { row: 2, line: 3 }, &warnings, &NDJSON, None);
        let text = printed(&diagnostics);
        assert_eq!(text.matches("from line 3 on").count(), 1, "{text}");
        assert!(text.contains("1  email.reserved_domain (warning, first in row 2): a test address\n"), "{text}");
        assert!(!diagnostics.has_problems());
    }

    #[test]
    fn a_partial_list_says_so() {
        let mut diagnostics = Diagnostics::new("in.csv");
        for row in 1..=30 {
            diagnostics.add(
                Position { row, line: row + 1 },
                &[Violation::new(Code::NameMissing, "name", "", "fill it in")],
                &NDJSON,
                None,
            );
        }
        let text = printed(&diagnostics);
        assert_eq!(text.matches("fill it in").count(), IN_FULL);
        assert!(text.contains("only the first 20 of 30 are shown; --report problems.csv"), "{text}");
        let mut output = Vec::new();
        diagnostics
            .print(&mut output, DiagnosticsStyle { width: 80, styled: false, masked: false }, &["out.csv".into()])
            .unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("30 are shown; all of them go into out.csv\n") && !text.contains("--report"), "{text}");
    }

    #[test]
    fn nothing_wrong_prints_nothing() {
        assert_eq!(printed(&Diagnostics::new("in.csv")), "");
    }
}
