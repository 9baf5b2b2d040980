//! Collects what is wrong or odd about a record, and its additional fields.

use unicode_normalization::UnicodeNormalization as _;

use super::given::Given;
use super::leftovers::leftover;
use crate::domain::{Code, Flaw, Json, JsonObject, Violation, Violations};
use crate::intake::columns::column_names::Column;
use crate::intake::columns::sources::ExtraField;
use crate::intake::columns::template::{Cell, Row, cell_text};

/// What was found about a record so far.
pub(super) struct Findings<'a> {
    pub(super) violations: Violations<'a>,
}

impl<'a> Findings<'a> {
    /// Returns the value. If there is a complaint instead, notes that and returns `None`.
    #[inline]
    pub(super) fn take<T>(&mut self, given: &Given<'a>, checked: Result<T, Flaw>) -> Option<T> {
        self.take_judged(given, checked.map(|value| (value, None)))
    }

    /// Does the same for a value that comes with what is odd about it, and notes that too.
    #[inline]
    pub(super) fn take_judged<T>(&mut self, given: &Given<'a>, judged: Result<(T, Option<Flaw>), Flaw>) -> Option<T> {
        let (value, flaw) = match judged {
            Ok((value, oddity)) => (Some(value), oddity),
            Err(flaw) => (None, Some(flaw)),
        };
        self.note(given, flaw);
        value
    }

    #[inline]
    pub(super) fn note(&mut self, given: &Given<'a>, flaw: Option<Flaw>) {
        if let Some(flaw) = flaw {
            self.violations.push(flaw.at(given.column, given.text.clone()));
        }
    }

    /// Marks the last violation as a consequence if it has this code.
    pub(super) fn mark_consequence(&mut self, code: Code) {
        if let Some(last) = self.violations.last_mut().filter(|last| last.code == code) {
            last.is_consequence = true;
        }
    }

    /// Returns the additional fields of the request. Empty ones are left out.
    #[inline]
    pub(super) fn extras(&mut self, feedings: &'a [ExtraField], row: &impl Row<'a>) -> Option<Box<JsonObject>> {
        if feedings.is_empty() { None } else { self.some_extras(feedings, row) }
    }

    fn some_extras(&mut self, feedings: &'a [ExtraField], row: &impl Row<'a>) -> Option<Box<JsonObject>> {
        let mut extra = JsonObject::new();
        for feeding in feedings {
            let cell = row.cell(&feeding.column.place);
            if let Cell::Absent = cell {
                continue;
            }
            match extra_value(cell) {
                Ok(Some(value)) => insert(&mut extra, &feeding.path, value),
                Ok(None) => {}
                Err(flaw) => self.violations.push(complain(flaw, &feeding.column, row)),
            }
        }
        (!extra.is_empty()).then(|| Box::new(extra))
    }
}

fn complain<'a>(flaw: Flaw, column: &'a Column, row: &impl Row<'a>) -> Violation<'a> {
    flaw.at(&column.name, cell_text(row.cell(&column.place)))
}

/// Returns the value of an additional field. Text stays text, and JSON keeps its type.
fn extra_value(cell: Cell<'_>) -> Result<Option<Json>, Flaw> {
    match cell {
        Cell::Absent => Ok(None),
        Cell::Text(text) => match (text.trim(), leftover(text.trim())) {
            ("", _) => Ok(None),
            (_, Some(flaw)) => Err(flaw),
            (text, None) => Ok(Some(Json::Text(text.nfc().collect()))),
        },
        Cell::Json(value) => Ok(Some(value.clone())),
    }
}

/// Inserts a value at a dotted path. Paths do not clash, because [`Mapping`] refuses those that do.
fn insert(object: &mut JsonObject, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first.to_owned()).or_insert_with(|| Json::Object(JsonObject::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_nest() {
        let mut object = JsonObject::new();
        insert(&mut object, "a.b", Json::Integer(1));
        insert(&mut object, "a.c.d", Json::Integer(2));
        insert(&mut object, "e", Json::Integer(3));
        assert_eq!(Json::Object(object).to_string(), r#"{"a":{"b":1,"c":{"d":2}},"e":3}"#);
    }
}
