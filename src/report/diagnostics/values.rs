//! Counts the values of the input that a field does not know, and lists them as TOML to paste.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::domain::{Code, Field, Violation, counted, usual_meaning};

/// The most values of a field that are kept. A field with more is probably fed by the wrong column.
const MOST: usize = 50;

/// The values that fields do not know, with the number of rows that have each.
#[derive(Debug, Default)]
pub(crate) struct UnknownValues {
    fields: Vec<FieldValues>,
}

#[derive(Debug)]
struct FieldValues {
    field: Field,
    /// The column of the first such value.
    column: String,
    rows: HashMap<String, ValueCount>,
    /// Rows whose value is not kept, because there are too many or it cannot be shown exactly.
    others: u64,
}

#[derive(Debug)]
struct ValueCount {
    rows: u64,
    first: usize,
    /// The codes to choose from, if the value means several countries.
    choices: Option<String>,
}

impl UnknownValues {
    /// Counts the value of a violation if it is one that a field does not know.
    pub(crate) fn add(&mut self, violation: &Violation) {
        let Some(field) = field_of(violation.code) else { return };
        if let Some(values) = self.fields.iter_mut().find(|values| values.field == field) {
            return values.add(violation);
        }
        let mut values = FieldValues { field, column: violation.column.clone(), rows: HashMap::new(), others: 0 };
        values.add(violation);
        self.fields.push(values);
    }

    /// Prints the values of each field, the most frequent first, as the lines to add to a
    /// configuration file. Prints only how many there are if `masked`, because a column that was
    /// mapped by mistake holds personal data.
    pub(crate) fn print(&self, output: &mut dyn Write, masked: bool) -> io::Result<()> {
        if masked {
            return self.print_count(output);
        }
        self.listed().try_for_each(|values| values.print_table(output))
    }

    /// Returns the fields that have values to list, in the order in which requests have them.
    fn listed(&self) -> impl Iterator<Item = &FieldValues> {
        let of_field = |field| self.fields.iter().find(|values| values.field == field && !values.rows.is_empty());
        Field::ALL.into_iter().filter_map(of_field)
    }

    fn print_count(&self, output: &mut dyn Write) -> io::Result<()> {
        let fields: Vec<_> = self.listed().map(|values| values.field.as_str()).collect();
        let known: usize = self.listed().map(|values| values.rows.len()).sum();
        let values = match (known, self.listed().any(|values| values.others > 0)) {
            (0, _) => return Ok(()),
            (1, false) => "1 value is".to_owned(),
            (number, false) => format!("{number} values are"),
            (number, true) => format!("more than {number} values are"),
        };
        let fields = fields.join(", ");
        writeln!(output, "{values} not known ({fields}); on a terminal, `check` lists them for --config\n")
    }
}

impl FieldValues {
    fn add(&mut self, violation: &Violation) {
        let first = self.rows.len();
        if let Some(count) = self.rows.get_mut(&violation.value) {
            count.rows += 1;
        } else if first < MOST && is_exact(&violation.value) {
            let choices = (violation.code == Code::CountryAmbiguous).then(|| violation.hint.to_string());
            self.rows.insert(violation.value.clone(), ValueCount { rows: 1, first, choices });
        } else {
            self.others += 1;
        }
    }

    fn print_table(&self, output: &mut dyn Write) -> io::Result<()> {
        let Self { field, column, .. } = self;
        let mut sorted: Vec<_> = self.rows.iter().collect();
        sorted.sort_by_key(|(_, count)| (std::cmp::Reverse(count.rows), count.first));
        let lines: Vec<_> = sorted.iter().map(|(value, _)| line(*field, value)).collect();
        let width = lines.iter().map(|line| console::measure_text_width(line)).max().unwrap_or_default();
        writeln!(
            output,
            "these values of column {column:?} are not known; say in the file of --config what they mean\n\
             (if it has this table, add only the lines below its name):\n"
        )?;
        writeln!(output, "[values.{field}]")?;
        for ((_, count), line) in sorted.iter().zip(&lines) {
            let gap = width - console::measure_text_width(line);
            let rows = counted(count.rows, "row");
            let choices = count.choices.as_ref().map(|choices| format!(": {choices}")).unwrap_or_default();
            writeln!(output, "{line}{:gap$}   # {rows}{choices}", "")?;
        }
        if self.others > 0 {
            writeln!(output, "# and {} with other values", counted(self.others, "row"))?;
        }
        writeln!(output)
    }
}

/// Returns the entry of a value. Its right-hand side is empty unless the value has one meaning; the
/// program refuses an empty one.
fn line(field: Field, value: &str) -> String {
    format!("{} = \"{}\"", toml_text(value), usual_meaning(field, value).unwrap_or_default())
}

/// Returns a text as a TOML string. Its escapes are those of JSON.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const fn field_of(code: Code) -> Option<Field> {
    match code {
        Code::TypeUnknown => Some(Field::Type),
        Code::CountryUnknown | Code::CountryAmbiguous => Some(Field::Country),
        Code::KycMailNotBoolean => Some(Field::SendKycMail),
        _ => None,
    }
}

/// Whether a violation's value is the cell's text: not empty, not shortened, nothing escaped.
fn is_exact(value: &str) -> bool {
    !value.is_empty() && !value.ends_with('…') && !value.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(violations: &[(Code, &str)], masked: bool) -> String {
        let mut values = UnknownValues::default();
        for (code, value) in violations {
            values.add(&Violation::new(*code, "Kundentyp", value, "means more than one; write COG or COD"));
        }
        let mut output = Vec::new();
        values.print(&mut output, masked).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn values_come_by_count_with_their_usual_meaning_or_a_gap_to_fill() {
        use Code::{CountryAmbiguous, KycMailNotBoolean, TypeUnknown};
        let found = [
            (TypeUnknown, "Verein"),
            (TypeUnknown, "Firma"),
            (TypeUnknown, "Firma"),
            (KycMailNotBoolean, "Ja"),
            (CountryAmbiguous, "Congo"),
            (TypeUnknown, "a \"b\""),
        ];
        let expected = "\
these values of column \"Kundentyp\" are not known; say in the file of --config what they mean
(if it has this table, add only the lines below its name):

[values.customer_country]
\"Congo\" = \"\"   # 1 row: means more than one; write COG or COD

these values of column \"Kundentyp\" are not known; say in the file of --config what they mean
(if it has this table, add only the lines below its name):

[values.customer_type]
\"Firma\" = \"business\"   # 2 rows
\"Verein\" = \"\"          # 1 row
\"a \\\"b\\\"\" = \"\"         # 1 row

these values of column \"Kundentyp\" are not known; say in the file of --config what they mean
(if it has this table, add only the lines below its name):

[values.send_kyc_mail]
\"Ja\" = \"true\"   # 1 row

";
        assert_eq!(printed(&found, false), expected);
    }

    #[test]
    fn more_values_than_anybody_fills_in_and_those_that_are_not_exact_are_counted() {
        let names: Vec<_> = (0..60).map(|number| format!("kind {number}")).collect();
        let mut found: Vec<_> = names.iter().map(|name| (Code::TypeUnknown, name.as_str())).collect();
        let long = "x".repeat(61);
        found.extend([(Code::TypeUnknown, "a\nb"), (Code::TypeUnknown, long.as_str()), (Code::TypeUnknown, "kind 3")]);
        let text = printed(&found, false);
        assert_eq!(text.matches(" = \"\"").count(), MOST);
        assert!(
            text.contains("\"kind 3\" = \"\"    # 2 rows\n") && text.contains("# and 12 rows with other values"),
            "{text}"
        );
    }

    #[test]
    fn what_does_not_go_to_a_terminal_has_no_value() {
        let text = printed(&[(Code::TypeUnknown, "Ada King"), (Code::TypeUnknown, "Bea")], true);
        assert!(text.starts_with("2 values are not known (customer_type); on a terminal"), "{text}");
        assert!(!text.contains("Ada") && !text.contains("Bea"), "{text}");
    }

    #[test]
    fn only_values_that_a_field_does_not_know_are_listed() {
        let other = [(Code::EmailSyntax, "a"), (Code::CountryMissing, ""), (Code::TypeUnknown, "")];
        assert_eq!(printed(&other, false), "");
    }
}
