//! What feeds a field: a column, a template, a preset's columns, or a fixed value.

use super::column_names::{Column, Place, Roster};
use super::fault::ColumnFault;
use super::presets::Preset;
use super::rules::{MapRule, Part, Recipe};
use super::template::Piece;
use crate::domain::Field;
use crate::intake::options::InputOptions;

/// Where the text of a field comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Column(Column),
    Template {
        typed: String,
        pieces: Vec<Piece>,
    },
    /// The first of them that a record fills.
    FirstOf {
        name: String,
        origins: Vec<Self>,
    },
}

/// How one field is fed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeding {
    pub(crate) origin: Option<Origin>,
    /// The value where the origin gives none.
    pub(crate) set: Option<String>,
    /// Whether the first records showed the origin; a key of NDJSON may come later.
    pub(super) seen: bool,
}

/// A further field of the request.
#[derive(Clone, Debug)]
pub(crate) struct ExtraFeeding {
    /// The keys on the way, joined by dots.
    pub(crate) path: String,
    pub(crate) column: Column,
}

impl Origin {
    pub(crate) fn columns(&self) -> Vec<&Column> {
        match self {
            Self::Column(column) => vec![column],
            Self::Template { pieces, .. } => pieces
                .iter()
                .filter_map(|piece| if let Piece::Column(column) = piece { Some(column) } else { None })
                .collect(),
            Self::FirstOf { origins, .. } => origins.iter().flat_map(Self::columns).collect(),
        }
    }

    /// How messages name it: the column's own name, or the template as typed.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Column(column) => &column.name,
            Self::Template { typed, .. } => typed,
            Self::FirstOf { name, .. } => name,
        }
    }
}

impl Feeding {
    pub(crate) fn describe(&self, field: Field) -> String {
        let default = match field {
            Field::Type => "individual",
            Field::SendKycMail => "true",
            _ => "nothing",
        };
        match (self.origin.as_ref().filter(|_| self.seen), &self.set) {
            (Some(origin), None) => match origin {
                Origin::Column(column) => format!("column {:?}", column.name),
                Origin::Template { typed, .. } => format!("template {typed:?}"),
                Origin::FirstOf { name, .. } => format!("column {name}"),
            },
            (Some(origin), Some(value)) => format!("column {:?}, where empty {value:?}", origin.name()),
            (None, Some(value)) => format!("always {value:?}"),
            (None, None) => format!("no column: {default}"),
        }
    }
}

pub(crate) fn feed(roster: &Roster, options: &InputOptions, field: Field) -> Result<Feeding, ColumnFault> {
    let rule = only(options.maps.iter().filter(|rule| rule.field == field), "--map", field)?;
    let set = only(options.sets.iter().filter(|rule| rule.field == field), "--set", field)?;
    let by_preset = || options.preset.and_then(|preset| preset_origin(roster, preset, field));
    let found = match rule {
        Some(rule) => Some(mapped(roster, rule)?),
        None => match by_preset() {
            Some(origin) => Some(origin),
            // What such an export calls a type is no type of customer.
            None if options.preset.is_some() && !field.is_required() => roster.own(field).map(Origin::Column),
            None => roster.obvious(field)?.map(Origin::Column),
        },
    };
    let seen = found.is_some();
    // An object may have a key that the first ones had not.
    let later = || match roster {
        Roster::Header(_) => None,
        Roster::Keys(_) => Some(Origin::Column(Column { name: field.to_string(), place: Place::key(field.as_str()) })),
    };
    Ok(Feeding { origin: found.or_else(later), set: set.map(|rule| rule.value.clone()), seen })
}

/// The first of a preset's sources of a field that the file has.
pub(crate) fn preset_source(roster: &Roster, preset: Preset, field: Field) -> Option<&'static str> {
    let is_there = |source: &&str| MapRule::made(field, source).is_ok_and(|rule| mapped(roster, &rule).is_ok());
    preset.sources(field).iter().copied().find(|source| is_there(source))
}

/// What a preset says of a field, as far as the file has its columns.
fn preset_origin(roster: &Roster, preset: Preset, field: Field) -> Option<Origin> {
    let origin = |source: &&str| mapped(roster, &MapRule::made(field, source).ok()?).ok();
    let mut origins: Vec<Origin> = preset.sources(field).iter().filter_map(origin).collect();
    match origins.len() {
        0 | 1 => origins.pop(),
        _ => {
            let names: Vec<_> = origins.iter().map(|origin| format!("{:?}", origin.name())).collect();
            Some(Origin::FirstOf { name: names.join(" or "), origins })
        }
    }
}

fn only<T>(mut rules: impl Iterator<Item = T>, option: &'static str, field: Field) -> Result<Option<T>, ColumnFault> {
    let first = rules.next();
    if rules.next().is_some() { Err(ColumnFault::Repeated { option, field }) } else { Ok(first) }
}

fn mapped(roster: &Roster, rule: &MapRule) -> Result<Origin, ColumnFault> {
    let option = format!("--map {rule}");
    match &rule.recipe {
        Recipe::Column(typed) => roster.named(typed, &option).map(Origin::Column),
        Recipe::Template(parts) => {
            let piece = |part: &Part| match part {
                Part::Text(text) => Ok(Piece::Text(text.clone())),
                Part::Column(typed) => roster.named(typed, &option).map(Piece::Column),
            };
            let pieces = parts.iter().map(piece).collect::<Result<_, _>>()?;
            Ok(Origin::Template { typed: rule.source().to_owned(), pieces })
        }
    }
}
