//! Counts the values of the input that a field does not know, and lists them as TOML to paste.

use std::collections::HashMap;
use std::io::{self, Write};

use foldhash::quality::RandomState;

use crate::domain::{Code, Field, Violation, counted, usual_meaning};

/// The most values of a field that are kept. A field with more is probably fed by the wrong column.
const MOST: usize = 50;

/// The values that fields do not know, with the number of rows that have each.
#[derive(Debug)]
pub(crate) struct UnknownValues {
    fields: Vec<FieldValues>,
    most: usize,
}

impl Default for UnknownValues {
    fn default() -> Self {
        Self { fields: Vec::new(), most: MOST }
    }
}

#[derive(Debug)]
struct FieldValues {
    field: Field,
    /// The column of the first such value.
    column: String,
    rows: HashMap<String, ValueCount, RandomState>,
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
    /// Returns a list for a piece of the input. It keeps all values, because only the pieces before
    /// it show which are among the first.
    pub(super) fn of_a_piece() -> Self {
        Self { fields: Vec::new(), most: usize::MAX }
    }

    /// Adds the values of the next piece of the input.
    pub(super) fn append(&mut self, piece: Self) {
        for FieldValues { field, column, rows, others } in piece.fields {
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort_by_key(|(_, count)| count.first);
            let most = self.most;
            let own = self.of_field(field, &column);
            for (value, count) in rows {
                own.count(value, count, most);
            }
            own.others += others;
        }
    }

    /// Returns the values of a field. `column` is that of the first value.
    fn of_field(&mut self, field: Field, column: &str) -> &mut FieldValues {
        let place = self.fields.iter().position(|values| values.field == field).unwrap_or_else(|| {
            self.fields.push(FieldValues { field, column: column.to_owned(), rows: HashMap::default(), others: 0 });
            self.fields.len() - 1
        });
        &mut self.fields[place]
    }

    /// Counts the value of a violation if it is one that a field does not know.
    pub(crate) fn add(&mut self, violation: &Violation<'_>) {
        let Some(field) = field_of(violation.code) else { return };
        let most = self.most;
        self.of_field(field, &violation.column).add(violation, most);
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
    fn add(&mut self, violation: &Violation<'_>, most: usize) {
        if let Some(count) = self.rows.get_mut(&*violation.value) {
            count.rows += 1;
        } else if is_exact(&violation.value) {
            let choices = (violation.code == Code::CountryAmbiguous).then(|| violation.hint.to_string());
            self.count(violation.value.clone().into_owned(), ValueCount { rows: 1, first: 0, choices }, most);
        } else {
            self.others += 1;
        }
    }

    /// Counts a value as often as is given. A new value is kept if there are fewer than `most`.
    fn count(&mut self, value: String, count: ValueCount, most: usize) {
        let first = self.rows.len();
        if let Some(own) = self.rows.get_mut(&value) {
            own.rows += count.rows;
        } else if first < most {
            self.rows.insert(value, ValueCount { first, ..count });
        } else {
            self.others += count.rows;
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
            values.add(&Violation::new(*code, "Kundentyp", *value, "means more than one; write COG or COD"));
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
    fn pieces_of_an_input_leave_what_the_whole_leaves() {
        let found: Vec<_> = (0..300).map(|number| (Code::TypeUnknown, format!("kind {}", number * 7 % 90))).collect();
        for size in [1, 7, 100, 300] {
            let (mut values, mut whole) = (UnknownValues::default(), UnknownValues::default());
            for piece in found.chunks(size) {
                let mut part = UnknownValues::of_a_piece();
                for (code, value) in piece {
                    let violation = Violation::new(*code, "Kundentyp", value, "h");
                    part.add(&violation);
                    whole.add(&violation);
                }
                values.append(part);
            }
            let [values, whole] = [values, whole].map(|values| {
                let mut output = Vec::new();
                values.print(&mut output, false).unwrap();
                String::from_utf8(output).unwrap()
            });
            assert_eq!(values, whole, "pieces of {size}");
            assert!(whole.contains("rows with other values"), "{whole}");
        }
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
