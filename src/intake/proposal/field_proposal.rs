//! What a proposal says of one field.

use crate::domain::Field;
use crate::intake::columns::fault::{braced, recipe_of};

/// What seems to feed a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProposal {
    pub field: Field,
    pub source: ProposedSource,
    /// The value of `--set`, for records in which the source is empty or if there is none.
    pub set: Option<String>,
}

/// Where the text of a field seems to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposedSource {
    /// The columns of a known export, which its preset names.
    Preset(Vec<String>),
    Column(String),
    Template(String),
    /// No column.
    Nothing,
    /// Only the user can decide. The columns that may feed the field, the likely ones first.
    Open(Vec<Candidate>),
}

/// A column that may feed a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub column: String,
    /// What speaks for the column, in words.
    pub evidence: String,
    /// Whether its name says that it feeds the field, and the cells do not contradict it.
    pub is_likely: bool,
}

impl ProposedSource {
    /// Returns the template that joins columns by spaces.
    #[must_use]
    pub fn joined(columns: &[&str]) -> Self {
        let parts: Vec<String> = columns.iter().map(|column| braced(&without_breaks(column))).collect();
        Self::Template(parts.join(" "))
    }
}

impl FieldProposal {
    /// Returns whether the user still has to decide.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.source, ProposedSource::Open(_))
    }

    /// Returns the right-hand side of `--map`, or `None` if the field does not need one.
    #[must_use]
    pub fn recipe(&self) -> Option<String> {
        match &self.source {
            ProposedSource::Column(column) => Some(recipe(column)),
            ProposedSource::Template(template) => Some(template.clone()),
            ProposedSource::Preset(_) | ProposedSource::Nothing | ProposedSource::Open(_) => None,
        }
    }

    /// Returns the only column that feeds the field, or `None` if there is none or more than one.
    pub(super) fn only_column(&self) -> Option<&str> {
        match &self.source {
            ProposedSource::Column(column) => Some(column),
            ProposedSource::Preset(columns) => {
                if let [column] = &columns[..] {
                    Some(column)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

impl Candidate {
    /// Returns the right-hand side of `--map`.
    #[must_use]
    pub fn recipe(&self) -> String {
        recipe(&self.column)
    }
}

fn recipe(column: &str) -> String {
    recipe_of(&without_breaks(column))
}

/// An option ends at a line break, so a name that has one is written with a space. It still means
/// the same column.
fn without_breaks(column: &str) -> String {
    column.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_any_name_becomes_an_option() {
        for (column, expected) in [("Land", "Land"), ("a{b}", "{a{{b}}}"), ("Tele\nfon", "Tele fon")] {
            assert_eq!(recipe(column), expected);
        }
    }
}
