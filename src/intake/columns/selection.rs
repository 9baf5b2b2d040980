//! Which rows are records: `--where`.

use super::column_names::{Column, ColumnNames};
use super::fault::ColumnFault;
use super::rules::WhereRule;
use super::spelling::near;
use super::template::{Cell, cell_text};
use crate::domain::trimmed;

/// A rule of `--where` that has found its column.
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
