//! One value in place of another: `--value`, and `[values.FIELD]` of a configuration file.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::rules::{RuleError, check_value, parse_field};
use crate::domain::{Field, trimmed};

/// The rule of `--value`: `FIELD:FROM=TO`, split at the first `:` and the last `=`. If a field's
/// whole text is FROM, TO takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRule {
    pub(crate) field: Field,
    from: String,
    to: String,
}

impl ValueRule {
    /// Returns the rule that puts `to` in place of `from`.
    ///
    /// # Errors
    /// Returns an error if the field is unknown, if one of the texts is empty, or if no record
    /// could use `to`.
    pub fn new(field: &str, from: &str, to: &str) -> Result<Self, RuleError> {
        let field = parse_field(trimmed(field))?;
        let [from, to] = [from, to].map(trimmed);
        if from.is_empty() {
            return Err(RuleError::new(format!("an empty cell has no value to replace: use --set {field}=VALUE")));
        }
        if to.is_empty() {
            return Err(RuleError::new(format!("{from:?} has no new value yet: write the {field} that it means")));
        }
        check_value(field, to)?;
        Ok(Self { field, from: from.to_owned(), to: to.to_owned() })
    }

    /// Returns the rule of one entry of a configuration file: `["FIELD","FROM","TO"]`. In this form
    /// FROM and TO can be any text.
    ///
    /// # Errors
    /// As [`Self::new`], and if the text is not such a list.
    pub fn of_entry(text: &str) -> Result<Self, RuleError> {
        let [field, from, to]: [String; 3] =
            serde_json::from_str(text).map_err(|_| RuleError::new(r#"write ["FIELD","FROM","TO"]"#))?;
        Self::new(&field, &from, &to)
    }

    /// Returns the rule in the form that [`Self::of_entry`] reads.
    #[must_use]
    pub fn to_entry(&self) -> String {
        serde_json::json!([self.field.as_str(), self.from, self.to]).to_string()
    }

    /// Returns all rules that count: those of the file, except for values that were also typed, and
    /// those that were typed.
    ///
    /// # Errors
    /// Returns an error if two rules of one origin contradict each other.
    pub fn merged(file: &[Self], typed: &[Self]) -> Result<Vec<Self>, RuleError> {
        let mut merged: Vec<Self> = Vec::new();
        for origin in [typed, file] {
            for (at, rule) in origin.iter().enumerate() {
                let before = origin[..at].iter().find(|other| other.is_about_the_same(rule));
                if let Some(other) = before.filter(|other| other.to != rule.to) {
                    let Self { field, from, to } = rule;
                    return Err(RuleError::new(format!("{field}: {from:?} becomes both {:?} and {to:?}", other.to)));
                }
            }
            let is_new: Vec<bool> =
                origin.iter().map(|rule| !merged.iter().any(|other| other.is_about_the_same(rule))).collect();
            merged.extend(origin.iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(rule, _)| rule.clone()));
        }
        Ok(merged)
    }

    /// Returns the text that is replaced and what takes its place.
    pub(crate) fn texts(&self) -> [&str; 2] {
        [&self.from, &self.to]
    }

    fn is_about_the_same(&self, other: &Self) -> bool {
        (self.field, &self.from) == (other.field, &other.from)
    }
}

impl FromStr for ValueRule {
    type Err = RuleError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let parts = typed.split_once(':').and_then(|(field, rest)| Some((field, rest.rsplit_once('=')?)));
        match parts {
            Some((field, (from, to))) if !trimmed(field).is_empty() => Self::new(field, from, to),
            _ => Err(RuleError::new("write FIELD:FROM=TO")),
        }
    }
}

impl fmt::Display for ValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.field, self.from, self.to)
    }
}

/// What takes the place of the values of one field.
#[derive(Clone, Debug)]
pub(crate) struct Replacements(Arc<HashMap<String, String>>);

impl Replacements {
    /// Returns the replacements of a field, or `None` if it has none.
    pub(crate) fn of(rules: &[ValueRule], field: Field) -> Option<Self> {
        let own = rules.iter().filter(|rule| rule.field == field);
        let table: HashMap<_, _> = own.map(|rule| (rule.from.clone(), rule.to.clone())).collect();
        (!table.is_empty()).then(|| Self(Arc::new(table)))
    }

    /// Returns what takes the place of a trimmed text, or `None` if it stays.
    pub(crate) fn get(&self, text: &str) -> Option<&str> {
        self.0.get(text).map(String::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(typed: &str) -> ValueRule {
        typed.parse().unwrap_or_else(|error| panic!("{typed}: {error}"))
    }

    #[test]
    fn the_first_colon_and_the_last_equals_sign_split() {
        for (typed, field, from, to) in [
            ("customer_type:Firma=business", Field::Type, "Firma", "business"),
            ("type: Firma = Business ", Field::Type, "Firma", "Business"),
            ("country:a:b=c=DE", Field::Country, "a:b=c", "DE"),
            ("send_kyc_mail:ja=yes", Field::SendKycMail, "ja", "yes"),
            ("name:\\N=Ada", Field::Name, "\\N", "Ada"),
        ] {
            let ValueRule { field: found, from: was, to: becomes } = rule(typed);
            assert_eq!((found, was.as_str(), becomes.as_str()), (field, from, to), "{typed}");
        }
    }

    #[test]
    fn what_no_record_could_use_is_refused_with_what_to_write() {
        for (typed, words) in [
            ("", "FIELD:FROM=TO"),
            ("type", "FIELD:FROM=TO"),
            ("type:Firma", "FIELD:FROM=TO"),
            (":Firma=business", "FIELD:FROM=TO"),
            ("kind:Firma=business", "the fields are name, email, phone, country, type and send_kyc_mail"),
            ("type:Firma=company", "write individual or business"),
            ("country:BRD=Atlantis", "is not a country code or name"),
            ("type:Firma=", "\"Firma\" has no new value yet: write the customer_type that it means"),
            ("type: =business", "use --set customer_type=VALUE"),
        ] {
            let told = typed.parse::<ValueRule>().unwrap_err().to_string();
            assert!(told.contains(words), "{typed:?}: {told}");
        }
    }

    #[test]
    fn a_typed_value_wins_over_the_file_value_by_value() {
        let file = ["type:Firma=business", "type:Privat=individual"].map(rule);
        let typed = ["type:Firma=individual"].map(rule);
        let merged = ValueRule::merged(&file, &typed).unwrap();
        assert_eq!(merged, ["type:Firma=individual", "type:Privat=individual"].map(rule));
    }

    #[test]
    fn two_typed_rules_for_one_value_must_agree() {
        let error = ValueRule::merged(&[], &["type:Firma=business", "type:Firma=individual"].map(rule)).unwrap_err();
        assert!(error.to_string().contains("\"Firma\" becomes both \"business\" and \"individual\""), "{error}");
        let twice = ["type:Firma=business", "type:Firma=business"].map(rule);
        assert!(ValueRule::merged(&twice, &[]).is_ok());
    }

    proptest! {
        #[test]
        fn an_entry_carries_any_text(from in "\\PC*[^\\s]", to in "[^\\s]\\PC*") {
            let rule = ValueRule::new("name", &from, &to).unwrap();
            prop_assert_eq!(ValueRule::of_entry(&rule.to_entry()).unwrap(), rule);
        }
    }
}
