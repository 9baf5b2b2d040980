//! What a record has for a field: the text of a column, of a template, or a fixed value.

use std::borrow::Cow;

use super::leftovers::{NULL_MARKERS_BEGIN, artefact, is_null_marker, null_marker};
use crate::domain::{Code, Field, Flaw, Json, trim, trimmed};
use crate::intake::columns::column_names::Column;
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::sources::TextSource;
use crate::intake::columns::template::{Cell, Row, assemble, cell_text};
use crate::intake::read::ndjson::kind;

/// Returns what a record has for a field, so that the report can name it even if other cells are
/// invalid. `None` if it has nothing.
pub(crate) fn given_text<'a>(mapping: &'a Mapping, row: &impl Row<'a>, field: Field) -> Option<Cow<'a, str>> {
    Some(Given::of(mapping, row, field).text).filter(|text| !text.is_empty())
}

/// What a record has for a field.
pub(super) struct Given<'a> {
    field: Field,
    pub(super) column: &'a str,
    /// The trimmed text, which is empty if the record has none.
    pub(super) text: Cow<'a, str>,
    /// The JSON value, if it is not a string.
    json: Option<&'a Json>,
    /// Whether the text, or a cell that is part of it, is what databases write for an empty value.
    has_null_marker: bool,
}

impl<'a> Given<'a> {
    #[inline(always)]
    pub(super) fn of(mapping: &'a Mapping, row: &impl Row<'a>, field: Field) -> Self {
        let feeding = mapping.feeding(field);
        let (column, text, json) = match &feeding.origin {
            Some(TextSource::Column(column)) => content_of(column, row),
            Some(origin) => content(origin, row),
            None => (field.as_str(), Cow::Borrowed(""), None),
        };
        match &feeding.set {
            Some(value) if text.is_empty() && json.is_none() => {
                Self { field, column: field.as_str(), text: Cow::Borrowed(value), json: None, has_null_marker: false }
            }
            _ => {
                let has_null_marker = match &feeding.origin {
                    None | Some(TextSource::Column(_)) => is_null_marker(&text),
                    Some(origin) => {
                        text.contains(NULL_MARKERS_BEGIN) && (is_null_marker(&text) || null_part(origin, row))
                    }
                };
                Self { field, column, text, json, has_null_marker }
            }
        }
    }

    /// Refuses arrays and objects, because they are not a value of any field, and what databases
    /// write for an empty value.
    pub(super) fn check_structure(&self) -> Result<(), Flaw> {
        match self.json {
            Some(value) if value.is_nested() => Err(self.misfit(value)),
            _ if self.has_null_marker => Err(null_marker()),
            _ => Ok(()),
        }
    }

    /// Refuses a name that is not a string, and text that a spreadsheet left behind.
    pub(super) fn check_text(&self) -> Result<(), Flaw> {
        match (self.json, artefact(&self.text)) {
            (Some(value), _) => Err(self.misfit(value)),
            (None, _) if self.has_null_marker => Err(null_marker()),
            (None, Some(hint)) => Err(Flaw::new(Code::CellSpreadsheetDamage, hint)),
            (None, None) => Ok(()),
        }
    }

    fn misfit(&self, value: &Json) -> Flaw {
        let code = match self.field {
            Field::Name => Code::NameMissing,
            Field::Email => Code::EmailSyntax,
            Field::Phone => Code::PhoneSyntax,
            Field::Country => Code::CountryUnknown,
            Field::Type => Code::TypeUnknown,
            Field::SendKycMail => Code::KycMailNotBoolean,
        };
        Flaw::new(code, format!("is {}, not text", kind(value)))
    }

    pub(super) fn or<T>(&self, default: T, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Flaw> {
        if self.text.is_empty() { Ok(default) } else { parse(&self.text) }
    }
}

/// Returns the name of what feeds a field, and what a record has there.
fn content<'a>(origin: &'a TextSource, row: &impl Row<'a>) -> (&'a str, Cow<'a, str>, Option<&'a Json>) {
    match origin {
        TextSource::Column(column) => content_of(column, row),
        TextSource::Template { typed, pieces } => (typed, Cow::Owned(assemble(pieces, row)), None),
        TextSource::FirstOf { name, origins } => origins
            .iter()
            .map(|origin| content(origin, row))
            .find(|(_, text, json)| !text.is_empty() || json.is_some())
            .unwrap_or((name, Cow::Borrowed(""), None)),
        TextSource::Replaced { origin, values } => {
            let (name, text, json) = content(origin, row);
            match values.get(&text) {
                Some(value) => (name, Cow::Borrowed(value), None),
                None => (name, text, json),
            }
        }
    }
}

#[inline(always)]
fn content_of<'a>(column: &'a Column, row: &impl Row<'a>) -> (&'a str, Cow<'a, str>, Option<&'a Json>) {
    match row.cell(&column.place) {
        Cell::Text(text) => (&column.name, Cow::Borrowed(trimmed(text)), None),
        cell => (&column.name, trim(cell_text(cell)), if let Cell::Json(value) = cell { Some(value) } else { None }),
    }
}

/// Whether a template was filled with what databases write for an empty value.
fn null_part<'a>(origin: &'a TextSource, row: &impl Row<'a>) -> bool {
    match origin {
        TextSource::Column(_) => false,
        TextSource::Template { .. } => {
            origin.columns().iter().any(|column| is_null_marker(cell_text(row.cell(&column.place)).trim()))
        }
        TextSource::FirstOf { origins, .. } => {
            let used = origins.iter().find(|origin| !content(origin, row).1.is_empty());
            used.is_some_and(|origin| null_part(origin, row))
        }
        TextSource::Replaced { origin, values } => {
            values.get(&content(origin, row).1).is_none() && null_part(origin, row)
        }
    }
}
