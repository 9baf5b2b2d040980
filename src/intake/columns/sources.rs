//! What feeds a field: a column, a template, a preset's columns, or a fixed value.

use super::column_names::{Column, ColumnNames, Place};
use super::fault::ColumnFault;
use super::presets::Preset;
use super::rules::{MapRule, Recipe, TypedPart};
use super::template::TemplatePart;
use super::values::Replacements;
use crate::domain::Field;
use crate::intake::options::InputOptions;

/// Where the text of a field comes from.
#[derive(Clone, Debug)]
pub(crate) enum TextSource {
    Column(Column),
    Template {
        typed: String,
        pieces: Vec<TemplatePart>,
    },
    /// Several sources, of which a record uses the first one that is not empty.
    FirstOf {
        name: String,
        origins: Vec<Self>,
    },
    /// Another source, with values that take the place of some of its own.
    Replaced {
        origin: Box<Self>,
        values: Replacements,
    },
}

/// What feeds one field.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldSource {
    pub(crate) origin: Option<TextSource>,
    /// The value to use if the origin returns an empty text.
    pub(crate) set: Option<String>,
    /// Whether the first records had the origin. In NDJSON a key may first occur later.
    pub(super) seen: bool,
}

/// An additional field of the request.
#[derive(Clone, Debug)]
pub(crate) struct ExtraField {
    /// The path in the request: keys joined by dots.
    pub(crate) path: String,
    pub(crate) column: Column,
    /// Whether the first records had the column. In NDJSON a key may first occur later.
    pub(super) seen: bool,
}

impl TextSource {
    pub(crate) fn columns(&self) -> Vec<&Column> {
        match self {
            Self::Column(column) => vec![column],
            Self::Template { pieces, .. } => pieces
                .iter()
                .filter_map(|piece| if let TemplatePart::Column(column) = piece { Some(column) } else { None })
                .collect(),
            Self::FirstOf { origins, .. } => origins.iter().flat_map(Self::columns).collect(),
            Self::Replaced { origin, .. } => origin.columns(),
        }
    }

    /// Returns the first of its columns, or `None` if it has none.
    pub(crate) fn first_column(&self) -> Option<&Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::Template { pieces, .. } => pieces
                .iter()
                .find_map(|piece| if let TemplatePart::Column(column) = piece { Some(column) } else { None }),
            Self::FirstOf { origins, .. } => origins.iter().find_map(Self::first_column),
            Self::Replaced { origin, .. } => origin.first_column(),
        }
    }

    /// Returns the name for messages: the column's own name, or the template as typed.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Column(column) => &column.name,
            Self::Template { typed, .. } => typed,
            Self::FirstOf { name, .. } => name,
            Self::Replaced { origin, .. } => origin.name(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Column(column) => format!("column {:?}", column.name),
            Self::Template { typed, .. } => format!("template {typed:?}"),
            Self::FirstOf { name, .. } => format!("column {name}"),
            Self::Replaced { origin, values } => {
                let noun = if values.len() == 1 { "value" } else { "values" };
                format!("{}, {} {noun} replaced", origin.describe(), values.len())
            }
        }
    }
}

impl FieldSource {
    pub(crate) fn describe(&self, field: Field) -> String {
        let default = field.default();
        match (self.origin.as_ref().filter(|_| self.seen), &self.set) {
            (Some(origin), None) => origin.describe(),
            (Some(origin), Some(value)) => format!("{}, if empty {value:?}", origin.describe()),
            (None, Some(value)) => format!("always {value:?}"),
            (None, None) => format!("no column: {default}"),
        }
    }
}

pub(crate) fn feed(names: &ColumnNames, options: &InputOptions, field: Field) -> Result<FieldSource, ColumnFault> {
    let rule = only(options.maps.iter().filter(|rule| rule.field == field), "--map", field)?;
    let set = only(options.sets.iter().filter(|rule| rule.field == field), "--set", field)?;
    let by_preset = || options.preset.and_then(|preset| preset_origin(names, preset, field));
    let found = match rule {
        Some(rule) => Some(mapped(names, rule)?),
        None => match by_preset() {
            Some(origin) => Some(origin),
            // What such an export calls a type does not mean a type of customer here.
            None if options.preset.is_some() && !field.is_required() => names.own(field).map(TextSource::Column),
            None => names.obvious(field)?.map(TextSource::Column),
        },
    };
    let seen = found.is_some();
    let values = Replacements::of(&options.values, field);
    // A later object may have a key that the first objects did not have.
    let later = || match names {
        ColumnNames::Header(_) => None,
        ColumnNames::Keys(_) => {
            Some(TextSource::Column(Column { name: field.to_string(), place: Place::key(field.as_str()) }))
        }
    };
    let origin = found.or_else(later).map(|origin| match values {
        Some(values) => TextSource::Replaced { origin: Box::new(origin), values },
        None => origin,
    });
    Ok(FieldSource { origin, set: set.map(|rule| rule.value.clone()), seen })
}

/// Returns the first of a preset's sources for a field that the file has.
pub(crate) fn preset_source(names: &ColumnNames, preset: Preset, field: Field) -> Option<&'static str> {
    preset.sources(field).iter().copied().find(|source| sourced(names, field, source).is_some())
}

/// A preset's source of a field; `None` if the file does not have its columns.
pub(crate) fn sourced(names: &ColumnNames, field: Field, source: &str) -> Option<TextSource> {
    mapped(names, &MapRule::made(field, source).ok()?).ok()
}

/// Returns the sources that a preset lists for a field and that the file has, or `None` if it has
/// none of them.
fn preset_origin(names: &ColumnNames, preset: Preset, field: Field) -> Option<TextSource> {
    let origin = |source: &&str| sourced(names, field, source);
    let mut origins: Vec<TextSource> = preset.sources(field).iter().filter_map(origin).collect();
    match origins.len() {
        0 | 1 => origins.pop(),
        _ => {
            let names: Vec<_> = origins.iter().map(|origin| format!("{:?}", origin.name())).collect();
            Some(TextSource::FirstOf { name: names.join(" or "), origins })
        }
    }
}

fn only<T>(mut rules: impl Iterator<Item = T>, option: &'static str, field: Field) -> Result<Option<T>, ColumnFault> {
    let first = rules.next();
    if rules.next().is_some() { Err(ColumnFault::Repeated { option, field }) } else { Ok(first) }
}

fn mapped(names: &ColumnNames, rule: &MapRule) -> Result<TextSource, ColumnFault> {
    let option = format!("--map {rule}");
    match &rule.recipe {
        Recipe::Column(typed) => names.named(typed, &option).map(TextSource::Column),
        Recipe::Template(parts) => {
            let piece = |part: &TypedPart| match part {
                TypedPart::Text(text) => Ok(TemplatePart::Text(text.clone())),
                TypedPart::Column(typed) => names.named(typed, &option).map(TemplatePart::Column),
            };
            let pieces = parts.iter().map(piece).collect::<Result<_, _>>()?;
            Ok(TextSource::Template { typed: rule.source().to_owned(), pieces })
        }
    }
}
