//! Lists what is wrong with the input, for a person: the first problems in full with the cell
//! marked, then how many there are of each code.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::code_counts::{CodeCount, CodeCounts, advice, kind};
use super::excerpt::{Excerpt, masked_cell};
use super::values::UnknownValues;
use crate::domain::{Code, InputShape, Position, RawRecord, Severity, Violation, grouped, shown};
use crate::redact::without_numbers;
use crate::shell;
use crate::style::{Paint, Tone};

/// The most problems that are printed in full. The others are only counted.
const IN_FULL: usize = 20;
/// The most problems of one code that are printed in full, so that one code does not hide another.
const IN_FULL_OF_A_CODE: usize = 5;

/// How to print diagnostics on the output at hand.
#[derive(Clone, Copy, Debug)]
pub struct DiagnosticsStyle {
    /// Width of the output, in columns.
    pub width: usize,
    pub paint: Paint,
    /// Whether to mask personal data. True unless the output is a terminal.
    pub masked: bool,
}

/// The violations of an input: the first ones in full, all of them counted.
#[derive(Debug)]
pub struct Diagnostics {
    input: String,
    /// The input, if commands can name it.
    file: Option<PathBuf>,
    found: FoundViolations,
}

/// The violations of a piece of an input, whose rows are counted from the start of the piece.
#[derive(Debug)]
pub struct PieceDiagnostics {
    shape: Arc<InputShape>,
    found: FoundViolations,
}

#[derive(Debug)]
struct FoundViolations {
    shown: Vec<ShownProblem>,
    /// The most that are shown of all codes.
    most: usize,
    shown_of: BTreeMap<Code, usize>,
    counts: CodeCounts,
    values: UnknownValues,
    /// Violations that are printed in full while there is room for them.
    loud: u64,
    problems: u64,
}

#[derive(Debug)]
struct ShownProblem {
    position: Position,
    violation: Violation<'static>,
    excerpt: Option<Excerpt>,
}

impl FoundViolations {
    fn new(most: usize, values: UnknownValues) -> Self {
        Self {
            shown: Vec::new(),
            most,
            shown_of: BTreeMap::new(),
            counts: CodeCounts::default(),
            values,
            loud: 0,
            problems: 0,
        }
    }

    /// Adds the violations of a record. `excerpt` returns the excerpt of a column. It is called
    /// only for what is printed in full, because nearly all records are only counted.
    fn add(
        &mut self,
        position: Position,
        violations: &[Violation<'_>],
        mut excerpt: impl FnMut(&str) -> Option<Excerpt>,
    ) {
        for violation in violations {
            self.counts.add(position.row, violation);
            self.values.add(violation);
            self.problems += u64::from(violation.severity == Severity::Problem);
            if is_loud(violation.code, violation.severity) && !violation.is_consequence {
                self.loud += 1;
                if self.has_room_for(violation.code) {
                    let excerpt = excerpt(&violation.column);
                    let violation = violation.clone().into_owned();
                    self.shown.push(ShownProblem { position, violation, excerpt });
                }
            }
        }
    }

    /// Whether one more violation with this code is printed in full. Counts it if so.
    fn has_room_for(&mut self, code: Code) -> bool {
        if self.shown.len() >= self.most {
            return false;
        }
        let of_code = self.shown_of.entry(code).or_default();
        *of_code += 1;
        *of_code <= IN_FULL_OF_A_CODE
    }

    fn append(&mut self, piece: Self, rows: u64) {
        for mut shown in piece.shown {
            if self.has_room_for(shown.violation.code) {
                shown.position.row += rows;
                self.shown.push(shown);
            }
        }
        self.counts.append(piece.counts, rows);
        self.values.append(piece.values);
        self.loud += piece.loud;
        self.problems += piece.problems;
    }
}

impl PieceDiagnostics {
    #[must_use]
    pub fn new(shape: Arc<InputShape>) -> Self {
        // The pieces before it decide how many are shown of all codes.
        Self { shape, found: FoundViolations::new(usize::MAX, UnknownValues::of_a_piece()) }
    }

    /// Adds the violations of a record. `raw` returns the record itself, and is called only if it
    /// is printed.
    pub fn add(&mut self, position: Position, violations: &[Violation<'_>], raw: impl FnOnce() -> Option<RawRecord>) {
        let raw = LazyCell::new(raw);
        self.found.add(position, violations, |column| Excerpt::of(&self.shape, raw.as_ref()?, column));
    }
}

impl Diagnostics {
    #[must_use]
    pub fn new(input: &str) -> Self {
        Self { input: input.to_owned(), file: None, found: FoundViolations::new(IN_FULL, UnknownValues::default()) }
    }

    /// Makes the commands of hints name this file.
    #[must_use]
    pub fn of_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// Adds the violations of a record. `raw` is the record itself, if the caller has it; without
    /// it, the violations are printed without an excerpt.
    pub fn add(
        &mut self,
        position: Position,
        violations: &[Violation<'_>],
        shape: &InputShape,
        raw: Option<&RawRecord>,
    ) {
        self.found.add(position, violations, |column| Excerpt::of(shape, raw?, column));
    }

    /// Adds the violations of the next piece, before which there are so many rows. The result is
    /// what [`Self::add`] makes of its records, except for which of very many values are counted.
    pub fn append(&mut self, piece: PieceDiagnostics, rows: u64) {
        self.found.append(piece.found, rows);
    }

    /// Returns how often a code occurs.
    #[must_use]
    pub fn times(&self, code: Code) -> u64 {
        self.found.counts.times(code)
    }

    /// Returns whether the input has a problem, not only warnings.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        self.found.problems > 0
    }

    /// Returns the counts of all codes by weight, with their most frequent values.
    #[must_use]
    pub fn to_json(&self, masked: bool) -> Value {
        self.found.counts.to_json(masked)
    }

    /// Prints the problems and the counts. If some problems are not printed in full, it names the
    /// first of `reports`, which has them all.
    ///
    /// # Errors
    /// If writing to `output` fails.
    pub fn print(&self, output: &mut dyn Write, look: DiagnosticsStyle, reports: &[PathBuf]) -> io::Result<()> {
        // Each hint is printed once for each code.
        let mut printed = HashSet::new();
        for shown in &self.found.shown {
            self.print_one(output, shown, look)?;
            let hint = self.complete(hint_of(&shown.violation, look));
            if !printed.contains(&(shown.violation.code, hint.clone())) {
                writeln!(output, "    {hint}")?;
                printed.insert((shown.violation.code, hint));
            }
            writeln!(output)?;
        }
        if self.found.counts.is_empty() {
            return Ok(());
        }
        if self.found.loud > self.found.shown.len() as u64 {
            let (some, all) = (self.found.shown.len(), grouped(self.found.loud));
            let where_all_are = match reports {
                [] => "--report problems.csv writes all of them".to_owned(),
                [report, ..] => format!("all of them go into {}", shown(report)),
            };
            writeln!(output, "only {some} of {all} problems are shown; {where_all_are}\n")?;
        }
        for (code, count) in self.found.counts.by_weight() {
            let kind = kind(count.severity);
            let painted = look.paint.paint(weight(count.severity), code.as_str());
            write!(output, "  {:>9}  {painted} ({kind}, first in row {})", grouped(count.times), count.first_row)?;
            if !printed.iter().any(|(printed, _)| *printed == code) {
                let hint = if look.masked { without_numbers(&count.hint) } else { Cow::Borrowed(&*count.hint) };
                let hint = self.complete(hint);
                write!(output, ": {hint}")?;
            }
            writeln!(output)?;
            print_values(output, code, count, look)?;
        }
        for (code, times) in self.found.counts.consequences() {
            let times = grouped(times);
            writeln!(output, "  {times:>9}  {code} not counted, because the record's country is not known")?;
        }
        writeln!(output)?;
        self.found.values.print(output, look.masked)
    }

    /// Returns a hint with commands that can be pasted.
    fn complete<'a>(&self, hint: Cow<'a, str>) -> Cow<'a, str> {
        match &self.file {
            Some(file) => Cow::Owned(shell::naming_input(&hint, file)),
            None => hint,
        }
    }

    /// Logs the problems and the counts as events, for programs. The events leave the cells out
    /// because cells hold personal data.
    pub fn log(&self) {
        for ShownProblem {
            position: Position { row, line },
            violation: Violation { code, severity, column, hint, .. },
            ..
        } in &self.found.shown
        {
            let hint = self.complete(without_numbers(hint));
            match severity {
                Severity::Problem => tracing::error!(row, line, %column, %code, %hint, "{code}"),
                Severity::Warning => tracing::warn!(row, line, %column, %code, %hint, "{code}"),
            }
        }
        for (code, CodeCount { severity, times, first_row, .. }) in self.found.counts.by_weight() {
            match severity {
                Severity::Problem => tracing::error!(%code, records = times, first_row, "records with a problem"),
                Severity::Warning => tracing::warn!(%code, records = times, first_row, "records with a warning"),
            }
        }
    }

    fn print_one(&self, output: &mut dyn Write, shown: &ShownProblem, look: DiagnosticsStyle) -> io::Result<()> {
        let ShownProblem {
            position: Position { row, line },
            violation: Violation { code, severity, column, value, .. },
            excerpt,
        } = shown;
        write!(output, "{}:{line}: row {row}", self.input)?;
        if !column.is_empty() {
            write!(output, ", column {column:?}")?;
        }
        write!(output, ": {}", look.paint.paint(weight(*severity), code.as_str()))?;
        // Bytes that are not text cannot be drawn, so they are described.
        if !value.is_empty() && (excerpt.is_none() || *code == Code::RowEncoding) {
            let value = if look.masked { Cow::Owned(masked_cell(value)) } else { Cow::Borrowed(&**value) };
            write!(output, ": `{value}`")?;
        }
        writeln!(output)?;
        if let Some(excerpt) = excerpt {
            let excerpt = if look.masked { Cow::Owned(excerpt.masked()) } else { Cow::Borrowed(excerpt) };
            writeln!(output, "{}", excerpt.draw(*line, look.width, look.paint.is_colored()))?;
        }
        Ok(())
    }
}

const fn weight(severity: Severity) -> Tone {
    match severity {
        Severity::Problem => Tone::Bad,
        Severity::Warning => Tone::Open,
    }
}

/// Indents what is below a count.
const BELOW: &str = "             ";

/// Prints the values of a code that occur more than once, and what those may mean.
fn print_values(output: &mut dyn Write, code: Code, count: &CodeCount, look: DiagnosticsStyle) -> io::Result<()> {
    let values = count.values();
    let shown = |value: &str| if look.masked { masked_cell(value) } else { value.to_owned() };
    let listed = values.iter().map(|found| {
        let least = if found.at_least { "at least " } else { "" };
        format!("\"{}\" {least}{} times", shown(found.value), grouped(found.times))
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    if !listed.is_empty() {
        writeln!(output, "{BELOW}{listed}")?;
    }
    for (found, advice) in values.iter().filter_map(|found| Some((found, advice(code, found.value)?))) {
        writeln!(output, "{BELOW}\"{}\" {advice}", shown(found.value))?;
    }
    Ok(())
}

/// Returns what to do about a violation that is printed in full.
fn hint_of<'a>(violation: &'a Violation<'_>, look: DiagnosticsStyle) -> Cow<'a, str> {
    match advice(violation.code, &violation.value) {
        Some(advice) => Cow::Owned(advice),
        None if look.masked => without_numbers(&violation.hint),
        None => Cow::Borrowed(&violation.hint),
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
        diagnostics
            .print(&mut output, DiagnosticsStyle { width: 80, paint: Paint::PLAIN, masked: false }, &[])
            .unwrap();
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
        diagnostics.print(&mut output, DiagnosticsStyle { width: 80, paint: Paint::PLAIN, masked: true }, &[]).unwrap();
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
        assert_eq!(text.matches("in.csv:").count(), IN_FULL_OF_A_CODE);
        assert_eq!(text.matches("fill it in").count(), 1, "{text}");
        assert!(text.contains("only 5 of 30 problems are shown; --report problems.csv"), "{text}");
        let mut output = Vec::new();
        diagnostics
            .print(&mut output, DiagnosticsStyle { width: 80, paint: Paint::PLAIN, masked: false }, &["out.csv".into()])
            .unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(
            text.contains("30 problems are shown; all of them go into out.csv\n") && !text.contains("--report"),
            "{text}"
        );
    }

    /// Diagnostics of so many countries, each as often as is given.
    fn countries(cells: &[(&str, u64)]) -> Diagnostics {
        let mut diagnostics = Diagnostics::new("in.csv");
        let all = cells.iter().flat_map(|(cell, times)| (0..*times).map(move |_| *cell));
        for (row, cell) in (1..).zip(all) {
            let violation = Violation::new(Code::CountryUnknown, "Land", cell, "is not a country");
            diagnostics.add(Position { row, line: row + 1 }, &[violation], &NDJSON, None);
        }
        diagnostics
    }

    #[test]
    fn the_most_frequent_values_of_a_code_are_listed_with_what_they_may_mean() {
        let text = printed(&countries(&[("Atlantis", 2), ("Deutshland", 70), ("x\u{1b}[2J", 3), ("Mu", 1)]));
        let listed = "         76  country.unknown (problem, first in row 1)\n             \
                      \"Deutshland\" 70 times, \"x\\u{1b}[2J\" 3 times, \"Atlantis\" 2 times\n             \
                      \"Deutshland\" is not a country name; did you mean Deutschland? Write DE, DEU or Germany\n";
        assert!(text.contains(listed), "{text}");
        let mut output = Vec::new();
        let look = DiagnosticsStyle { width: 80, paint: Paint::PLAIN, masked: true };
        countries(&[("a.b@example.com", 9)]).print(&mut output, look, &[]).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("\"*.*@*******.***\" 9 times\n"), "{text}");
    }

    #[test]
    fn a_code_with_many_problems_leaves_room_for_the_others() {
        let mut diagnostics = countries(&[("Atlantis", 100)]);
        let violation = Violation::new(Code::NameMissing, "name", "", "fill it in");
        diagnostics.add(Position { row: 101, line: 102 }, &[violation], &NDJSON, None);
        let text = printed(&diagnostics);
        assert!(text.contains("in.csv:102: row 101, column \"name\": name.missing\n    fill it in\n"), "{text}");
        let [countries, names] = ["100  country.unknown", "1  name.missing"].map(|words| text.find(words).unwrap());
        assert!(countries < names, "{text}");
    }

    #[test]
    fn pieces_of_an_input_leave_what_the_whole_leaves() {
        let codes = [Code::NameMissing, Code::CountryUnknown, Code::EmailReservedDomain, Code::PhoneSyntax];
        let codes = codes.into_iter().chain([Code::EmailSyntax; 3]).chain([Code::NameTooLong; 40]).cycle();
        let rows: Vec<_> = codes.take(200).zip(1..).collect();
        let raw = || Some(RawRecord::Line(br#"{"name": ""}"#.to_vec()));
        let mut whole = Diagnostics::new("in.csv");
        let violation = |code, row: u64| {
            let violation = Violation::new(code, "name", format!("{}", row % 60), "fill it in");
            if row.is_multiple_of(9) { violation.as_consequence() } else { violation }
        };
        for (code, row) in rows.clone() {
            whole.add(Position { row, line: row + 1 }, &[violation(code, row)], &NDJSON, raw().as_ref());
        }
        for size in [1, 3, 50, 200] {
            let mut diagnostics = Diagnostics::new("in.csv");
            for (piece, before) in rows.chunks(size).zip((0..).step_by(size)) {
                let mut found = PieceDiagnostics::new(Arc::new(NDJSON));
                for (code, row) in piece.iter().copied() {
                    found.add(Position { row: row - before, line: row + 1 }, &[violation(code, row)], raw);
                }
                diagnostics.append(found, before);
            }
            assert_eq!(printed(&diagnostics), printed(&whole), "pieces of {size}");
            assert_eq!(diagnostics.to_json(false), whole.to_json(false), "pieces of {size}");
            assert_eq!(diagnostics.times(Code::EmailReservedDomain), whole.times(Code::EmailReservedDomain));
        }
    }

    #[test]
    fn a_consequence_is_neither_shown_nor_counted_and_said_once() {
        let mut diagnostics = Diagnostics::new("in.csv");
        for row in 1..=3 {
            let country = Violation::new(Code::CountryUnknown, "Land", "Atlantis", "is not a country");
            let phone =
                Violation::new(Code::PhoneNoCountryCode, "Telefon", "030 1", "write it with +").as_consequence();
            diagnostics.add(Position { row, line: row + 1 }, &[country, phone], &NDJSON, None);
        }
        let text = printed(&diagnostics);
        assert!(!text.contains("write it with +") && !text.contains("030 1"), "{text}");
        assert!(text.contains("3  country.unknown (problem"), "{text}");
        let left_out = "3  phone.no_country_code not counted, because the record's country is not known\n";
        assert!(text.contains(left_out), "{text}");
    }

    #[test]
    fn nothing_wrong_prints_nothing() {
        assert_eq!(printed(&Diagnostics::new("in.csv")), "");
    }
}
