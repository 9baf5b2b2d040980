//! What differs between a record and the data with which its customer was created.

use std::fmt;

/// Which fields differ from those that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedFields {
    /// The names in the order of the request, nested ones with dots. Empty if the same data is only
    /// written in another way.
    Named(Vec<String>),
    /// An earlier version of this program sent the record, and it did not keep this.
    Unknown,
}

impl fmt::Display for ChangedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) if names.is_empty() => f.write_str("differs only in how it is written"),
            Self::Named(names) => write!(f, "differs in {}", names.join(", ")),
            Self::Unknown => f.write_str("fields unknown (imported by an earlier version)"),
        }
    }
}
