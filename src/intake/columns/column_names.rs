//! The columns that a file has, and how to find one of them.

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
    /// The keys of the first NDJSON objects. Keys of nested objects are paths, joined by dots.
    /// Later objects may have more keys.
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

    /// Returns the column that the user named: the one with exactly this name, or else the one
    /// whose name differs only in case and separators.
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

    /// Returns the column that has the API's own name of a field, or `None` if the file does not
    /// have it.
    pub(crate) fn own(&self, field: Field) -> Option<Column> {
        let found = self.positions(|name| name == field.as_str());
        if let [index] = found[..] { Some(self.column(index)) } else { None }
    }

    /// Returns the columns that have a usual name of a field, in English or else in another
    /// language.
    fn usual(&self, field: Field) -> Vec<usize> {
        let english = self.positions(|name| aliases(field).contains(&&*fold(name)));
        if english.is_empty() || (field == Field::Name && self.is_half_a_name(&english)) {
            header_words::positions(self.as_slice(), field)
        } else {
            english
        }
    }

    /// Returns whether the only English word is `Name`, and it means the family name.
    fn is_half_a_name(&self, english: &[usize]) -> bool {
        matches!(english, [index] if fold(&self.as_slice()[*index]) == "name")
            && header_words::name_is_family_name(self.as_slice())
    }

    /// Returns the column that feeds a field if no option names one, or `None` if the file does not
    /// have it.
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

/// A column, and its place in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) place: Place,
}

impl Column {
    /// Whether the column is the one of the cells with this index.
    pub(crate) fn is_at(&self, index: usize) -> bool {
        self.place == Place::Index(index)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The index of the cell.
    Index(usize),
    /// The key, or the keys of a path joined by dots. The position of the first dot is stored,
    /// because every record needs it.
    Key { name: String, dot: Option<usize> },
}

impl Place {
    pub(crate) fn key(name: &str) -> Self {
        Self::Key { name: name.to_owned(), dot: name.find('.') }
    }
}
