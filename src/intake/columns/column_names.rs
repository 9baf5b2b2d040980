//! The columns that a file has, and how to find the one that is meant.

use super::fault::ColumnFault;
use super::header_words;
use super::presets::Preset;
use super::spelling::{aliases, fold, is_same, near};
use crate::domain::Field;

/// The columns that a file has.
#[derive(Debug)]
pub(crate) enum ColumnNames {
    /// The names of a CSV header, trimmed.
    Header(Vec<String>),
    /// The keys seen in the first objects of NDJSON; nested ones joined by dots. Other objects may
    /// have more.
    Keys(Vec<String>),
}

impl ColumnNames {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::Header(names) | Self::Keys(names) => names,
        }
    }

    pub(crate) fn column(&self, index: usize) -> Column {
        let name = self.as_slice()[index].clone();
        match self {
            Self::Header(_) => Column { place: Place::Index(index), name },
            Self::Keys(_) => Column { place: Place::key(&name), name },
        }
    }

    pub(crate) fn positions(&self, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        (0..self.as_slice().len()).filter(|&index| fits(&self.as_slice()[index])).collect()
    }

    /// The column that the user named: exactly so, or else but for case and separators.
    pub(crate) fn named(&self, typed: &str, option: &str) -> Result<Column, ColumnFault> {
        let exact = self.positions(|name| name == typed.trim());
        let found = if exact.is_empty() { self.positions(|name| is_same(name, typed)) } else { exact };
        match found[..] {
            [index] => Ok(self.column(index)),
            [] => Err(ColumnFault::Unknown {
                option: option.to_owned(),
                name: typed.to_owned(),
                near: near(typed, self.as_slice()),
                found: self.as_slice().to_vec(),
            }),
            [index, ..] => Err(ColumnFault::Duplicate { name: self.as_slice()[index].clone() }),
        }
    }

    /// The column that bears the API's own name of a field.
    pub(crate) fn own(&self, field: Field) -> Option<Column> {
        let found = self.positions(|name| name == field.as_str());
        if let [index] = found[..] { Some(self.column(index)) } else { None }
    }

    /// The columns that have a usual name of a field, in English or else in another language.
    fn usual(&self, field: Field) -> Vec<usize> {
        let english = self.positions(|name| aliases(field).contains(&&*fold(name)));
        if english.is_empty() || (field == Field::Name && self.is_half_a_name(&english)) {
            header_words::positions(self.as_slice(), field)
        } else {
            english
        }
    }

    /// Whether the only English word is `Name`, and it means the family name.
    fn is_half_a_name(&self, english: &[usize]) -> bool {
        matches!(english, [index] if fold(&self.as_slice()[*index]) == "name")
            && header_words::name_is_family_name(self.as_slice())
    }

    /// The column that feeds a field without anybody saying so.
    pub(crate) fn obvious(&self, field: Field) -> Result<Option<Column>, ColumnFault> {
        let own = self.positions(|name| is_same(name, field.as_str()));
        let found = if own.is_empty() { self.usual(field) } else { own };
        match found[..] {
            [] => Ok(None),
            [index] => Ok(Some(self.column(index))),
            [first, ..] if found.iter().all(|&index| self.as_slice()[index] == self.as_slice()[first]) => {
                Err(ColumnFault::Duplicate { name: self.as_slice()[first].clone() })
            }
            _ => {
                let candidates = found.iter().map(|&index| self.as_slice()[index].clone()).collect();
                Err(ColumnFault::Ambiguous { field, candidates, preset: Preset::guess(self.as_slice()) })
            }
        }
    }
}

/// A column and where a record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The number of the cell, from 0.
    Index(usize),
    /// The key, or the keys on the way joined by dots; the first dot is known, for it is asked for
    /// with every record.
    Key { name: String, dot: Option<usize> },
}

impl Place {
    pub(crate) fn key(name: &str) -> Self {
        Self::Key { name: name.to_owned(), dot: name.find('.') }
    }
}
