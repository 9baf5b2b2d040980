//! What the values of a column mean that the API does not know.

use super::sample::ColumnSample;
use crate::domain::{CustomerType, Field, parse_yes_no, usual_meaning};
use crate::intake::columns::rules::RuleError;
use crate::intake::columns::values::ValueRule;

/// The values of a field's column that the API does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueProposal {
    pub field: Field,
    pub column: String,
    /// The values, the most frequent first.
    pub meanings: Vec<ValueMeaning>,
    /// Whether the column has too many different values to list them.
    pub has_too_many: bool,
}

/// What a value means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueMeaning {
    pub value: String,
    /// In how many records of the sample it is.
    pub records: u64,
    /// The value that the API knows, or `None` if only the user can decide.
    pub meaning: Option<&'static str>,
}

impl ValueProposal {
    /// Returns the two values of a field that the API knows, or `None` if the field is a text.
    #[must_use]
    pub fn choices(field: Field) -> Option<[&'static str; 2]> {
        match field {
            Field::Type => Some(["individual", "business"]),
            Field::SendKycMail => Some(["true", "false"]),
            Field::Name | Field::Email | Field::Phone | Field::Country => None,
        }
    }

    /// Returns `None` if all values of the column are known: to the API, or by the rules that the
    /// user typed.
    pub(super) fn of(field: Field, name: &str, column: &ColumnSample, typed: &[ValueRule]) -> Option<Self> {
        let (meanings, has_too_many) = match column.values() {
            None => (Vec::new(), true),
            Some(values) => {
                let is_typed = |value: &str| typed.iter().any(|rule| rule.field == field && rule.texts()[0] == value);
                let unknown = values.iter().filter(|(value, _)| !is_known(field, value) && !is_typed(value));
                let mut meanings: Vec<_> = unknown
                    .map(|(value, &records)| ValueMeaning {
                        value: value.clone(),
                        records,
                        meaning: usual_meaning(field, value),
                    })
                    .collect();
                meanings.sort_by_key(|meaning| std::cmp::Reverse(meaning.records));
                (meanings, false)
            }
        };
        let column = name.to_owned();
        (has_too_many || !meanings.is_empty()).then_some(Self { field, column, meanings, has_too_many })
    }

    /// Returns the rules of `--value` for the values whose meaning is known.
    pub(super) fn rules(&self) -> impl Iterator<Item = Result<ValueRule, RuleError>> {
        let rule = |value: &ValueMeaning| Some(ValueRule::new(self.field.as_str(), &value.value, value.meaning?));
        self.meanings.iter().filter_map(rule)
    }

    /// Returns the values of which only the user can say what they mean.
    pub fn open(&self) -> impl Iterator<Item = &ValueMeaning> {
        self.meanings.iter().filter(|meaning| meaning.meaning.is_none())
    }
}

/// Returns whether all values of a column mean one of the two choices of a field, and both occur.
/// Then it is hardly anything else.
pub(super) fn are_both_choices(field: Field, column: &ColumnSample) -> bool {
    let (Some(choices), Some(values)) = (ValueProposal::choices(field), column.values()) else { return false };
    let means = |value: &String| {
        let known = choices.into_iter().find(|choice| choice.eq_ignore_ascii_case(value));
        known.or_else(|| usual_meaning(field, value))
    };
    values.keys().all(|value| means(value).is_some())
        && choices.into_iter().all(|choice| values.keys().any(|value| means(value) == Some(choice)))
}

fn is_known(field: Field, value: &str) -> bool {
    match field {
        Field::Type => CustomerType::parse(value).is_ok(),
        Field::SendKycMail => parse_yes_no(value).is_ok(),
        Field::Name | Field::Email | Field::Phone | Field::Country => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::proposal::sample::tests::sample;

    #[test]
    fn values_are_translated_by_known_words_and_the_others_stay_open() {
        let sample = sample("Typ\nPrivat\nFirma\nPrivat\nbusiness\nVerein\n");
        let column = sample.column("Typ").unwrap();
        let proposal = ValueProposal::of(Field::Type, "Typ", column, &[]).unwrap();
        let found: Vec<_> =
            proposal.meanings.iter().map(|each| (each.value.as_str(), each.records, each.meaning)).collect();
        assert_eq!(found, [("Privat", 2, Some("individual")), ("Firma", 1, Some("business")), ("Verein", 1, None)]);
        assert_eq!(proposal.open().count(), 1);
        let rules: Vec<_> = proposal.rules().map(|rule| rule.unwrap().to_string()).collect();
        assert_eq!(rules, ["customer_type:Privat=individual", "customer_type:Firma=business"]);
        assert!(!are_both_choices(Field::Type, column));
        let typed = ["type:Verein=business", "type:Firma=individual"].map(|rule| rule.parse().unwrap());
        let rest = ValueProposal::of(Field::Type, "Typ", column, &typed).unwrap();
        assert_eq!((rest.meanings.len(), rest.open().count()), (1, 0));
    }

    #[test]
    fn known_values_need_no_translation_and_many_have_none() {
        let known = sample("x,kyc\n1,yes\n2,0\n");
        assert_eq!(ValueProposal::of(Field::SendKycMail, "kyc", known.column("kyc").unwrap(), &[]), None);
        let rows: String = (0..40).map(|n| format!("kind {n}\n")).collect();
        let many = sample(&format!("type\n{rows}"));
        assert!(ValueProposal::of(Field::Type, "type", many.column("type").unwrap(), &[]).unwrap().has_too_many);
    }

    #[test]
    fn a_column_of_both_types_is_recognized_and_one_of_a_single_word_is_not() {
        let both = sample("Art,x\nFirma,1\nPrivat,2\n");
        assert!(are_both_choices(Field::Type, both.column("Art").unwrap()));
        let one = sample("Art,x\nPerson,1\nPerson,2\n");
        assert!(!are_both_choices(Field::Type, one.column("Art").unwrap()));
    }
}
