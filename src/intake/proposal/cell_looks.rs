//! Whether a cell looks like an e-mail, a phone number or a country.

use crate::domain::{Country, Email, Field};

/// How many cells of a column look like the values of each field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookCounts {
    pub(super) cells: usize,
    emails: usize,
    phones: usize,
    countries: usize,
    /// Cells with a letter that are none of the above.
    words: usize,
}

impl LookCounts {
    /// Adds a cell that is not empty.
    pub(super) fn add(&mut self, cell: &str) {
        let is_email = is_email(cell);
        let is_phone = is_phone(cell);
        let is_country = !is_email && !is_phone && Country::parse(cell).is_ok();
        self.cells += 1;
        self.emails += usize::from(is_email);
        self.phones += usize::from(is_phone);
        self.countries += usize::from(is_country);
        self.words += usize::from(!is_email && !is_phone && cell.chars().any(char::is_alphabetic));
    }

    /// Returns the percentage of cells that look like values of the field, rounded down, or 0 if
    /// there are none. A name looks like any words.
    pub(super) fn percent(&self, field: Field) -> usize {
        let found = match field {
            Field::Name => self.words,
            Field::Email => self.emails,
            Field::Phone => self.phones,
            Field::Country => self.countries,
            Field::Type | Field::SendKycMail => 0,
        };
        (found * 100).checked_div(self.cells).unwrap_or_default()
    }
}

fn is_email(cell: &str) -> bool {
    cell.contains('@') && Email::parse(cell).is_ok()
}

/// How many digits the numbers of all countries have, with or without an area code.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=17;

/// Whether a cell has the characters of a phone number and about as many digits. A date or an id
/// can look like this too, so a column needs a header or a person besides.
fn is_phone(cell: &str) -> bool {
    let is_between = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '(' | ')' | '.' | '/' | '+' | '\'');
    DIGITS.contains(&cell.chars().filter(char::is_ascii_digit).count())
        && cell.chars().all(|c| c.is_ascii_digit() || is_between(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent_of(cell: &str) -> [usize; 4] {
        let mut counts = LookCounts::default();
        counts.add(cell);
        [Field::Name, Field::Email, Field::Phone, Field::Country].map(|field| counts.percent(field))
    }

    #[test]
    fn a_cell_looks_like_what_it_holds() {
        for (cell, expected) in [
            ("ada@example.com", [0, 100, 0, 0]),
            ("+49 (0)151 234567", [0, 0, 100, 0]),
            ("'0151/234567", [0, 0, 100, 0]),
            ("Deutschland", [100, 0, 0, 100]),
            ("日本", [100, 0, 0, 100]),
            ("Ada King", [100, 0, 0, 0]),
            ("12345", [0, 0, 0, 0]),
            ("K-17", [100, 0, 0, 0]),
            ("ada@", [100, 0, 0, 0]),
        ] {
            assert_eq!(percent_of(cell), expected, "{cell}");
        }
        assert_eq!(LookCounts::default().percent(Field::Email), 0);
    }
}
