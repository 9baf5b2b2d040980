//! What the user can say about columns: `--map`, `--set`, `--extra` and `--where`.

use std::fmt;
use std::str::FromStr;

use super::spelling::is_same;
use crate::domain::{Country, CustomerType, Field, parse_yes_no, trimmed};
use crate::intake::limits::DEEPEST;

/// Why an option cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

impl RuleError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The rule of `--map`: `FIELD=COLUMN` or `FIELD={A Column} {Another}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRule {
    pub(crate) field: Field,
    pub(crate) recipe: Recipe,
    typed: String,
}

/// Where the text of a field is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    Column(String),
    Template(Vec<TypedPart>),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TypedPart {
    Text(String),
    Column(String),
}

impl MapRule {
    /// Returns a rule that the user did not type, such as a preset's. `source` is the name of a
    /// column, or a template.
    pub(crate) fn made(field: Field, source: &str) -> Result<Self, RuleError> {
        format!("{field}={source}").parse()
    }

    /// Returns the right-hand side as typed, which names the template in messages.
    pub(crate) fn source(&self) -> &str {
        self.typed.split_once('=').map_or("", |(_, source)| source)
    }
}

impl FromStr for MapRule {
    type Err = RuleError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let (field, source) = split(typed, "FIELD=COLUMN")?;
        let recipe = if source.contains(['{', '}']) {
            Recipe::Template(parse_template(source)?)
        } else {
            Recipe::Column(source.to_owned())
        };
        Ok(Self { field: parse_field(field)?, recipe, typed: typed.to_owned() })
    }
}

impl fmt::Display for MapRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// The rule of `--set`: `FIELD=VALUE`. The value is used if the column is absent or the cell is
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRule {
    pub(crate) field: Field,
    pub(crate) value: String,
}

impl FromStr for SetRule {
    type Err = RuleError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let (field, value) = split(typed, "FIELD=VALUE")?;
        let field = parse_field(field)?;
        check_value(field, value)?;
        Ok(Self { field, value: value.trim().to_owned() })
    }
}

impl fmt::Display for SetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.value)
    }
}

/// Returns an error if the value is not valid for the field, because then it is a mistake in the
/// command line and not in every record.
pub(super) fn check_value(field: Field, value: &str) -> Result<(), RuleError> {
    let flaw = match field {
        Field::Country => Country::parse(value).err(),
        Field::Type => CustomerType::parse(value).err(),
        Field::SendKycMail => parse_yes_no(value).err(),
        Field::Name | Field::Email | Field::Phone => None,
    };
    flaw.map_or(Ok(()), |flaw| Err(RuleError::new(format!("{value:?}: {}", flaw.hint))))
}

/// The rule of `--extra`: `JSON.PATH=COLUMN` adds a field to the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraRule {
    pub(crate) path: String,
    pub(crate) column: String,
}

impl FromStr for ExtraRule {
    type Err = RuleError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let (path, column) = split(typed, "JSON.PATH=COLUMN")?;
        let mut segments = path.split('.');
        if segments.clone().any(|segment| segment.trim().is_empty()) {
            return Err(RuleError::new(format!("{path:?} is not a path of names joined by dots")));
        }
        if segments.clone().count() > usize::from(DEEPEST) {
            return Err(RuleError::new(format!("{path:?} is nested too deep")));
        }
        let is_field = |segment: &str| Field::ALL.into_iter().find(|field| is_same(field.as_str(), segment));
        if let Some(field) = segments.next().and_then(is_field) {
            return Err(RuleError::new(format!("{field} is a field of its own: use --map {field}={column}")));
        }
        Ok(Self { path: path.to_owned(), column: column.to_owned() })
    }
}

impl fmt::Display for ExtraRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.column)
    }
}

/// The rule of `--where`: `COLUMN=VALUE`, split at the last `=`. An empty value selects the rows
/// whose cell is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhereRule {
    pub(crate) column: String,
    pub(super) value: String,
}

impl WhereRule {
    /// Returns the same rule about another column.
    pub(crate) fn about(&self, column: &str) -> Self {
        Self { column: column.to_owned(), value: self.value.clone() }
    }
}

impl FromStr for WhereRule {
    type Err = RuleError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        match typed.rsplit_once('=') {
            Some((column, value)) if !trimmed(column).is_empty() => {
                Ok(Self { column: trimmed(column).to_owned(), value: trimmed(value).to_owned() })
            }
            _ => Err(RuleError::new("write COLUMN=VALUE")),
        }
    }
}

impl fmt::Display for WhereRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.value)
    }
}

fn split<'a>(typed: &'a str, form: &str) -> Result<(&'a str, &'a str), RuleError> {
    match typed.split_once('=') {
        Some((left, right)) if !left.trim().is_empty() && !right.trim().is_empty() => Ok((left.trim(), right)),
        _ => Err(RuleError::new(format!("write {form}"))),
    }
}

/// Parses the API's name of a field, or its short form.
pub(super) fn parse_field(text: &str) -> Result<Field, RuleError> {
    let lower = text.to_ascii_lowercase();
    Field::parse(&lower).or_else(|| Field::parse(&format!("customer_{lower}"))).ok_or_else(|| {
        RuleError::new(format!(
            "{text:?} is not a field; the fields are name, email, phone, country, type and send_kyc_mail"
        ))
    })
}

/// Parses a template. `{Column}` means its cell, `{{` and `}}` mean braces, and all other
/// characters mean themselves. A column's name may contain braces, so `{a}}}` is the column `a}`. A
/// brace directly after a column cannot be expressed.
fn parse_template(source: &str) -> Result<Vec<TypedPart>, RuleError> {
    let unbalanced =
        || RuleError::new(format!("the braces of {source:?} do not match; write {{{{ and }}}} for braces themselves"));
    let mut parts = Vec::new();
    let (mut text, mut inside) = (String::new(), false);
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' if characters.peek() == Some(&character) => {
                characters.next();
                text.push(character);
            }
            '{' if !inside => {
                inside = true;
                if !text.is_empty() {
                    parts.push(TypedPart::Text(std::mem::take(&mut text)));
                }
            }
            '}' if inside && !text.trim().is_empty() => {
                inside = false;
                parts.push(TypedPart::Column(std::mem::take(&mut text)));
            }
            '{' | '}' => return Err(unbalanced()),
            other => text.push(other),
        }
    }
    if inside {
        return Err(unbalanced());
    }
    if !text.is_empty() {
        parts.push(TypedPart::Text(text));
    }
    if !parts.iter().any(|part| matches!(part, TypedPart::Column(_))) {
        return Err(RuleError::new(format!("{source:?} names no {{column}}; use --set for a fixed value")));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_api_name_and_a_short_form() {
        for (typed, field) in [
            ("customer_phone=Mobile", Field::Phone),
            ("phone=Mobile", Field::Phone),
            ("Name=x", Field::Name),
            ("type=x", Field::Type),
            ("send_kyc_mail=x", Field::SendKycMail),
        ] {
            let rule: MapRule = typed.parse().unwrap();
            assert_eq!(rule.field, field);
            assert_eq!(rule.to_string(), typed);
        }
        for typed in ["Mobile", "=x", "phone=", "fax=x"] {
            assert!(typed.parse::<MapRule>().is_err(), "{typed}");
        }
    }

    #[test]
    fn templates_join_columns_and_escape_braces() {
        let rule: MapRule = "name={First Name} {{x}} {Last=Name}".parse().unwrap();
        let parts = ["First Name", " {x} ", "Last=Name"].map(str::to_owned);
        let [first, text, last] = parts;
        assert_eq!(
            rule.recipe,
            Recipe::Template(vec![TypedPart::Column(first), TypedPart::Text(text), TypedPart::Column(last)])
        );
        let rule: MapRule = "name={a}}}".parse().unwrap();
        assert_eq!(rule.recipe, Recipe::Template(vec![TypedPart::Column("a}".to_owned())]));
        for typed in ["name={a", "name=a}", "name={a}}", "name={}", "name={a{b}}", "name={{x}}"] {
            assert!(typed.parse::<MapRule>().is_err(), "{typed}");
        }
    }

    #[test]
    fn fixed_values_that_no_record_could_use_are_refused() {
        assert_eq!("country=Germany".parse::<SetRule>().unwrap().to_string(), "customer_country=Germany");
        for typed in ["country=Atlantis", "type=person", "send_kyc_mail=maybe", "country="] {
            assert!(typed.parse::<SetRule>().is_err(), "{typed}");
        }
    }

    #[test]
    fn the_last_equals_sign_splits_and_an_empty_value_means_an_empty_cell() {
        for (typed, column, value) in
            [("role=end-user", "role", "end-user"), ("a=b = c ", "a=b", "c"), ("Deleted at=", "Deleted at", "")]
        {
            let rule: WhereRule = typed.parse().unwrap();
            assert_eq!((rule.column.as_str(), rule.value.as_str()), (column, value));
        }
        for typed in ["", "role", "=x", " =x"] {
            assert!(typed.parse::<WhereRule>().is_err(), "{typed}");
        }
    }

    #[test]
    fn extra_paths_are_names_and_none_of_the_six() {
        assert!("customer_address.city=City".parse::<ExtraRule>().is_ok());
        for typed in [
            "a..b=x",
            ".a=x",
            "customer_name=x",
            "customer_email.x=y",
            "a=",
            "Customer_Email=x",
            "CUSTOMER-EMAIL=x",
            "customer email=x",
            "customerPhone.x=y",
            "Send_KYC_mail=x",
        ] {
            assert!(typed.parse::<ExtraRule>().is_err(), "{typed}");
        }
    }
}
