//! The options of a reading, written down so that a later reading can use them.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::columns::rules::RuleError;
use super::columns::values::ValueRule;
use super::options::{Format, InputOptions, parse_delimiter, parse_encoding};
use crate::domain::Country;

/// The options that can be repeated. They are written as lists.
const LISTS: [&str; 7] = ["map", "value", "set", "extra", "where", "hold", "keep"];

/// Options, completed by those of an earlier reading.
#[derive(Debug)]
pub struct CompletedOptions {
    pub options: InputOptions,
    /// The options that the earlier reading had and this one did not: long name and value, as on a
    /// command line.
    pub taken: Vec<(String, String)>,
    /// The options that this reading has and the earlier one had not, or not with these values.
    pub different: Vec<OptionDifference>,
    /// Names of options of the earlier reading that this version does not know.
    pub unknown: Vec<String>,
}

/// An option of two readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionDifference {
    /// Its long name.
    pub name: String,
    /// Empty if the earlier reading did not have the option.
    pub before: Vec<String>,
    pub now: Vec<String>,
}

impl InputOptions {
    /// Returns what the user said as JSON, by the names of the options: what was typed, so that the
    /// same parsers read it again. Options that were not given are left out.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let entry = |(name, mut values): (&str, Vec<String>)| {
            let value = if LISTS.contains(&name) { values.into() } else { values.swap_remove(0).into() };
            (name.to_owned(), value)
        };
        self.written().into_iter().map(entry).collect()
    }

    /// Completes the options by those of an earlier reading, as [`Self::to_json`] wrote them. An
    /// option that was given here wins, as a whole.
    ///
    /// # Errors
    /// Returns an error if a value of the earlier reading cannot be parsed.
    pub fn completed(mut self, before: &Map<String, Value>) -> Result<CompletedOptions, RuleError> {
        let given = self.written();
        let (mut taken, mut different, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (name, values) in before {
            let Some(values) = texts(values) else {
                return Err(RuleError::new(format!("--{name}: the value is not a text or a list of texts")));
            };
            match given.iter().find(|(given, _)| given == name) {
                Some((_, now)) if is_same(now, &values) => {}
                Some((_, now)) => {
                    different.push(OptionDifference { name: name.clone(), before: values, now: now.clone() });
                }
                None if self.take(name, &values).map_err(|error| of_option(name, &error))? => {
                    taken.extend(values.into_iter().map(|value| on_command_line(name, value)));
                }
                None => unknown.push(name.clone()),
            }
        }
        for (name, now) in given.into_iter().filter(|(name, _)| !before.contains_key(*name)) {
            different.push(OptionDifference { name: name.to_owned(), before: Vec::new(), now });
        }
        Ok(CompletedOptions { options: self, taken, different, unknown })
    }

    /// Returns the options that were given, each with its values.
    fn written(&self) -> Vec<(&'static str, Vec<String>)> {
        let delimiter = |byte: u8| if byte == b'\t' { "tab".to_owned() } else { char::from(byte).to_string() };
        let mut written = vec![
            ("format", Some(self.format).filter(|format| *format != Format::Auto).iter().map(text).collect()),
            ("delimiter", self.delimiter.into_iter().map(delimiter).collect()),
            ("encoding", self.encoding.iter().map(|encoding| encoding.name().to_owned()).collect()),
            ("sheet", self.sheet.iter().cloned().collect()),
            ("from", self.preset.iter().map(text).collect()),
            ("map", self.maps.iter().map(text).collect()),
            ("value", self.values.iter().map(value_text).collect()),
            ("set", self.sets.iter().map(text).collect()),
            ("extra", self.extras.iter().map(text).collect()),
            ("where", self.where_rules.iter().map(text).collect()),
            ("hold", self.holds.iter().map(text).collect()),
            ("keep", self.keep.clone()),
            ("region", self.region.iter().map(|country| country.alpha3().to_owned()).collect()),
        ];
        written.retain(|(_, values): &(_, Vec<String>)| !values.is_empty());
        written
    }

    /// Sets an option. Returns whether there is such an option.
    fn take(&mut self, name: &str, values: &[String]) -> Result<bool, RuleError> {
        let Some(first) = values.first() else { return Ok(true) };
        match name {
            "format" => self.format = first.parse()?,
            "delimiter" => self.delimiter = Some(parse_delimiter(first)?),
            "encoding" => self.encoding = Some(parse_encoding(first)?),
            "sheet" => self.sheet = Some(first.clone()),
            "from" => self.preset = Some(first.parse()?),
            "map" => self.maps = parsed(values)?,
            "value" => self.values = values.iter().map(|text| value_rule(text)).collect::<Result<_, _>>()?,
            "set" => self.sets = parsed(values)?,
            "extra" => self.extras = parsed(values)?,
            "where" => self.where_rules = parsed(values)?,
            "hold" => self.holds = parsed(values)?,
            "keep" => self.keep = values.to_vec(),
            "region" => {
                let country = Country::parse(first).map_err(|flaw| RuleError::new(flaw.hint))?;
                self.region = Some(country);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Returns the error with the option that it is about.
fn of_option(name: &str, error: &RuleError) -> RuleError {
    RuleError::new(format!("--{name}: {error}"))
}

fn text(value: &impl Display) -> String {
    value.to_string()
}

/// Returns the rule as it is typed, or as the entry of a file if it cannot be typed, because its
/// new text has a `=`.
fn value_text(rule: &ValueRule) -> String {
    let typed = rule.to_string();
    if typed.parse().as_ref() == Ok(rule) { typed } else { rule.to_entry() }
}

/// Parses what [`value_text`] returned. No field begins with a bracket.
fn value_rule(text: &str) -> Result<ValueRule, RuleError> {
    if is_entry(text) { ValueRule::of_entry(text) } else { text.parse() }
}

fn is_entry(text: &str) -> bool {
    text.starts_with('[')
}

/// Returns an option as on a command line. A rule that cannot be typed goes through the hidden
/// option for the rules of a file.
fn on_command_line(name: &str, value: String) -> (String, String) {
    let option = if name == "value" && is_entry(&value) { "file-value" } else { name };
    (option.to_owned(), value)
}

fn parsed<T: FromStr<Err = RuleError>>(values: &[String]) -> Result<Vec<T>, RuleError> {
    values.iter().map(|value| value.parse()).collect()
}

/// Returns the values of a member, or `None` if it is neither a text nor a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Whether two lists have the same values, whatever their order.
fn is_same(one: &[String], other: &[String]) -> bool {
    let sorted = |values: &[String]| {
        let mut values = values.to_vec();
        values.sort();
        values
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Has every option.
    fn all() -> InputOptions {
        InputOptions {
            format: Format::Csv,
            delimiter: Some(b'\t'),
            encoding: Some(parse_encoding("latin1").unwrap()),
            sheet: Some("People".to_owned()),
            preset: Some("stripe".parse().unwrap()),
            maps: vec!["customer_name={First} {Last}".parse().unwrap()],
            values: vec![
                "customer_type:Firma=business".parse().unwrap(),
                ValueRule::new("customer_name", "a:b", "c=d").unwrap(),
            ],
            sets: vec!["customer_type=business".parse().unwrap()],
            extras: vec!["customer_address.city=City".parse().unwrap()],
            where_rules: vec!["a=b=c".parse().unwrap(), "empty=".parse().unwrap()],
            holds: vec!["name.looks_garbled".parse().unwrap()],
            keep: vec!["id".to_owned()],
            region: Some(Country::parse("DE").unwrap()),
            ..InputOptions::default()
        }
    }

    fn shown(options: &InputOptions) -> String {
        format!("{options:?}")
    }

    #[test]
    fn what_was_typed_is_written_by_option_so_that_the_same_parsers_read_it() {
        assert_eq!(Value::from(InputOptions::default().to_json()), json!({}));
        let expected = json!({
            "format": "csv", "delimiter": "tab", "encoding": "windows-1252", "sheet": "People", "from": "stripe",
            "map": ["customer_name={First} {Last}"],
            "value": ["customer_type:Firma=business", r#"["customer_name","a:b","c=d"]"#],
            "set": ["customer_type=business"], "extra": ["customer_address.city=City"],
            "where": ["a=b=c", "empty="], "hold": ["name.looks_garbled"], "keep": ["id"], "region": "DEU",
        });
        assert_eq!(Value::from(all().to_json()), expected);
    }

    #[test]
    fn options_that_were_not_given_are_those_of_the_earlier_reading() {
        let completed = InputOptions::default().completed(&all().to_json()).unwrap();
        assert_eq!(shown(&completed.options), shown(&all()));
        assert!(completed.different.is_empty() && completed.unknown.is_empty(), "{completed:?}");
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for taken in [
            option("delimiter", "tab"),
            option("value", "customer_type:Firma=business"),
            option("file-value", r#"["customer_name","a:b","c=d"]"#),
            option("where", "empty="),
        ] {
            assert!(completed.taken.contains(&taken), "{taken:?} in {:?}", completed.taken);
        }
        let again = all().completed(&all().to_json()).unwrap();
        assert!(again.taken.is_empty() && again.different.is_empty(), "{again:?}");
    }

    #[test]
    fn an_option_that_was_given_wins_and_its_difference_is_named() {
        let typed = InputOptions {
            maps: vec!["customer_name=Name".parse().unwrap()],
            keep: vec!["tier".to_owned()],
            ..InputOptions::default()
        };
        let before = json!({"map": ["customer_name=Full", "customer_email=Mail"], "region": "DEU", "colour": "red"});
        let completed = typed.completed(before.as_object().unwrap()).unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let different = [
            OptionDifference {
                name: "map".to_owned(),
                before: texts(&["customer_name=Full", "customer_email=Mail"]),
                now: texts(&["customer_name=Name"]),
            },
            OptionDifference { name: "keep".to_owned(), before: Vec::new(), now: texts(&["tier"]) },
        ];
        assert_eq!(completed.different, different);
        assert_eq!(completed.options.maps.len(), 1);
        assert_eq!(completed.taken, [("region".to_owned(), "DEU".to_owned())]);
        assert_eq!(completed.unknown, ["colour"]);
        for wrong in [json!({"region": "Atlantis"}), json!({"map": 5}), json!({"hold": ["name.missing"]})] {
            assert!(InputOptions::default().completed(wrong.as_object().unwrap()).is_err(), "{wrong}");
        }
    }
}
