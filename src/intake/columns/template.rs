//! The cells of a record, and the text of a template.

use std::borrow::Cow;

use super::column_names::{Column, Place};
use crate::domain::Json;

/// What a record has at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Absent,
    Text(&'a str),
    /// Anything of JSON but strings and null.
    Json(&'a Json),
}

/// A record whose cells can be asked for.
pub(crate) trait Row<'a> {
    fn cell(&self, place: &Place) -> Cell<'a>;
}

#[derive(Clone, Debug)]
pub(crate) enum TemplatePart {
    Text(String),
    Column(Column),
}

/// The text of a template for one record: empty cells leave no gap, and nothing but empty cells
/// leave nothing.
pub(crate) fn assemble<'a>(pieces: &[TemplatePart], row: &impl Row<'a>) -> String {
    let mut text = String::new();
    let mut holds_something = false;
    for piece in pieces {
        match piece {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Column(column) => {
                let cell = cell_text(row.cell(&column.place));
                holds_something |= !cell.trim().is_empty();
                text.push_str(cell.trim());
            }
        }
    }
    if holds_something { collapse_spaces(&text) } else { String::new() }
}

/// Runs of plain spaces become one; what stands within a cell otherwise, line breaks too, is for
/// validation to judge.
fn collapse_spaces(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for character in text.trim().chars() {
        if character != ' ' || !collapsed.ends_with(' ') {
            collapsed.push(character);
        }
    }
    collapsed
}

/// A cell as text: numbers as they were written, truth values as JSON writes them, structures not
/// at all.
#[inline]
pub(crate) fn cell_text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Json(Json::Integer(number)) => Cow::Owned(number.to_string()),
        Cell::Json(Json::Number(number)) => Cow::Borrowed(number),
        Cell::Json(Json::Bool(value)) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Cell::Absent | Cell::Json(_) => Cow::Borrowed(""),
    }
}
