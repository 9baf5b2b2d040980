//! The cells of a record, and the text of a template.

use std::borrow::Cow;

use super::column_names::{Column, Place};
use crate::domain::Json;

/// What a record has in a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Absent,
    Text(&'a str),
    /// Any JSON value except strings and null.
    Json(&'a Json),
}

/// A record that returns the cell of a place.
pub(crate) trait Row<'a> {
    fn cell(&self, place: &Place) -> Cell<'a>;
}

#[derive(Clone, Debug)]
pub(crate) enum TemplatePart {
    Text(String),
    Column(Column),
}

/// Returns the text of a template for one record. An empty cell leaves no gap. If all cells are
/// empty, the text is empty too.
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

/// Replaces runs of spaces by one space. Other characters of a cell stay as they are, including
/// line breaks, because validation judges those.
fn collapse_spaces(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for character in text.trim().chars() {
        if character != ' ' || !collapsed.ends_with(' ') {
            collapsed.push(character);
        }
    }
    collapsed
}

/// Returns a cell as text: numbers as they were spelled, `true` and `false` as in JSON. Arrays and
/// objects are not text.
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
