//! A JSON value.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// A JSON value whose numbers keep their spelling, because a float would lose digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// A number that is spelled exactly like this integer.
    Integer(i128),
    /// Any other number, digit for digit.
    Number(Box<str>),
    Text(String),
    Array(Vec<Self>),
    Object(JsonObject),
}

/// Members in the order of their names.
pub type JsonObject = BTreeMap<String, Json>;

impl Json {
    /// Returns whether it is an array or an object.
    #[must_use]
    pub const fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }
}

/// Writes compact JSON. The same value always gives the same bytes.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write_text(f, text),
            Self::Array(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write_comma(f, at)?;
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write_comma(f, at)?;
                    write_text(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_comma(f: &mut fmt::Formatter<'_>, at: usize) -> fmt::Result {
    if at > 0 { f.write_char(',') } else { Ok(()) }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.to_string().parse() {
                Ok(integer) => Self::Integer(integer),
                Err(_) => Self::Number(number.to_string().into()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(members.into_iter().map(|(name, it)| (name, it.into())).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_serde_json_writes_it() {
        let value = serde_json::json!({
            "z": [null, true, false, 0, -7, 18_446_744_073_709_551_615_u64, 1.5, "", [], {}],
            "a\"\\": {"ü\u{1}\n\u{7f}\u{2028}": "😀/"}
        });
        assert_eq!(Json::from(value.clone()).to_string(), value.to_string());
    }
}
