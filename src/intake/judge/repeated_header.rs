//! Recognizes a row that repeats the header, as in a file that was joined from several.

use crate::intake::columns::column_names::{Column, Place};
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::spelling::is_same;
use crate::intake::read::csv::Record;

/// How a row repeats the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepeatedHeader {
    /// Every name is in its own column, so the rows below mean what they meant before.
    SameOrder,
    /// The names are in other columns, so the rows below mean something else.
    OtherOrder,
}

/// With fewer names than this, a row that holds all of them may still be a customer.
const TELLING: usize = 3;

/// Returns how a row repeats the header, or `None` if it does not. If the columns that feed fields
/// all have their name somewhere in the row, it is a header, even if its other names differ.
pub(crate) fn repeated_header(header: &[String], mapping: &Mapping, record: Record<'_>) -> Option<RepeatedHeader> {
    // Rules out nearly all rows with little work.
    mapping.first_feeding_column().filter(|column| holds(record, &column.name))?;
    // Delimiters too many at the end of the header are not part of `header`.
    let has_all = record.len() >= header.len() && record.cells().skip(header.len()).all(<[u8]>::is_empty);
    if has_all && header.iter().zip(record.cells()).all(|(name, cell)| is_name(cell, name)) {
        return Some(RepeatedHeader::SameOrder);
    }
    let is_header = if mapping.feeding_columns().count() < TELLING {
        record.len() == header.len() && header.iter().all(|name| holds(record, name))
    } else {
        mapping.feeding_columns().all(|column| holds(record, &column.name)) && !has_email(mapping, record)
    };
    is_header.then_some(RepeatedHeader::OtherOrder)
}

fn holds(record: Record<'_>, name: &str) -> bool {
    let telling = telling_byte(name.as_bytes());
    record.cells().any(|cell| !begin_differently(telling_byte(cell), telling) && is_name_when_folded(cell, name))
}

/// Whether a cell is a column's name. A second file begins with its own byte order mark, and if
/// quotes follow the mark, they are part of the cell.
fn is_name(cell: &[u8], name: &str) -> bool {
    !begin_differently(telling_byte(cell), telling_byte(name.as_bytes())) && is_name_when_folded(cell, name)
}

/// Returns the first byte in small letters, or zero if folding may remove it.
fn telling_byte(text: &[u8]) -> u8 {
    match text.first() {
        Some(b'"' | b'*' | b'_' | b'-') | None => 0,
        Some(byte) if byte.is_ascii_graphic() => byte.to_ascii_lowercase(),
        Some(_) => 0,
    }
}

/// Whether two texts begin with characters that no folding removes, and these differ. Rules out
/// nearly all cells with little work.
const fn begin_differently(one: u8, other: u8) -> bool {
    one != other && one != 0 && other != 0
}

fn is_name_when_folded(cell: &[u8], name: &str) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_same(bare(cell), bare(name)))
}

fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('\u{feff}').trim_matches('"').trim_start_matches('*')
}

/// Whether a column that feeds a field has an `@`, so that the row is more likely a customer.
fn has_email(mapping: &Mapping, record: Record<'_>) -> bool {
    let cell = |column: &Column| match column.place {
        Place::Index(index) => record.get(index),
        Place::Key { .. } => None,
    };
    mapping.feeding_columns().filter_map(cell).any(|cell| cell.contains(&b'@'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_character_rules_out_no_name(cell in "[\"*_ \u{feff}aAbkKé+-]{0,4}", name in "[\"*_ \u{feff}aAbk\u{212a}é+-]{0,4}") {
            prop_assert_eq!(is_name(cell.as_bytes(), &name), is_name_when_folded(cell.as_bytes(), &name));
        }
    }
}
