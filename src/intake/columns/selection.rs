//! Which rows are records: `--where`.

use std::fmt;
use std::str::FromStr;

use super::column_names::{Column, ColumnNames};
use super::fault::ColumnFault;
use super::rules::RuleError;
use super::spelling::near;
use super::template::{Cell, cell_text};
use crate::domain::trimmed;

/// The rule of `--where`: `COLUMN=VALUE`, split at the last `=`. An empty value selects the rows
/// whose cell is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhereRule {
    pub(crate) column: String,
    value: String,
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

/// A rule of `--where`, for the columns of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) column: Column,
    value: String,
}

impl Condition {
    /// Returns the condition, or an error if the file does not have exactly one such column.
    pub(crate) fn of(names: &ColumnNames, rule: &WhereRule) -> Result<Self, ColumnFault> {
        match names.named(&rule.column, &format!("--where {rule}")) {
            Ok(column) => Ok(Self { column, value: rule.value.clone() }),
            Err(ColumnFault::Unknown { .. }) => {
                let found = names.as_slice().to_vec();
                Err(ColumnFault::NoSuchWhere { rule: Box::new(rule.clone()), near: near(&rule.column, &found), found })
            }
            Err(other) => Err(other),
        }
    }

    /// Whether a cell has the value: all of its text, without the white space around it. Arrays and
    /// objects have none.
    pub(crate) fn holds(&self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Json(value) if value.is_nested() => false,
            cell => trimmed(&cell_text(cell)) == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_cell_holds_its_whole_text_in_any_type_but_no_list() {
        use crate::domain::{Json, JsonObject};
        let condition = |rule: &str| {
            let names = ColumnNames::Header(vec!["role".to_owned()]);
            Condition::of(&names, &rule.parse().unwrap()).unwrap()
        };
        let user = condition("role=end-user");
        for (cell, holds) in [
            (Cell::Text("end-user"), true),
            (Cell::Text(" end-user\u{a0}"), true),
            (Cell::Text("End-user"), false),
            (Cell::Text("end-users"), false),
            (Cell::Absent, false),
        ] {
            assert_eq!(user.holds(cell), holds, "{cell:?}");
        }
        assert!(condition("role=").holds(Cell::Absent) && condition("role=").holds(Cell::Text(" ")));
        assert!(condition("role=true").holds(Cell::Json(&Json::Bool(true))));
        assert!(condition("role=1.50").holds(Cell::Json(&Json::Number("1.50".into()))));
        for nested in [Json::Array(Vec::new()), Json::Object(JsonObject::new())] {
            assert!(!condition("role=").holds(Cell::Json(&nested)));
        }
    }
}
