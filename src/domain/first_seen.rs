//! Which record of the input was the first of its e-mail.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;

use super::EmailKey;

/// Remembers 16 bytes a record: a hash of the e-mail, the row and a hash of the data; the table around them, at the moment it grows, takes
/// up to 43 (measured with ten million). Two e-mails of one hash are as good as impossible
/// (one chance in a million for six million records); where it matters, in an import, the ledger decides on the whole e-mail.
#[derive(Debug, Default)]
pub struct FirstSeen {
    hasher: RandomState,
    rows: HashMap<u64, (u32, u32)>,
}

/// The earlier record of the same e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub row: u64,
    pub same_data: bool,
}

impl FirstSeen {
    /// Meets the next valid record. `data` stands for what would be sent.
    pub fn meet(&mut self, email: &EmailKey, row: u64, data: &[u8]) -> Option<Earlier> {
        let data = short(self.hasher.hash_one(data));
        match self.rows.entry(self.hasher.hash_one(email)) {
            Entry::Vacant(free) => {
                free.insert((u32::try_from(row).unwrap_or(u32::MAX), data));
                None
            }
            Entry::Occupied(first) => {
                let (row, first_data) = *first.get();
                Some(Earlier { row: row.into(), same_data: first_data == data })
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any 32 bits of a hash will do")]
const fn short(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_of_an_email_is_named_to_all_later_ones() {
        let mut seen = FirstSeen::default();
        let (a, b) = (EmailKey::of("A@example.com"), EmailKey::of("b@example.com"));
        assert_eq!(seen.meet(&a, 1, b"x"), None);
        assert_eq!(seen.meet(&b, 2, b"x"), None);
        assert_eq!(seen.meet(&EmailKey::of("a@EXAMPLE.com"), 3, b"x"), Some(Earlier { row: 1, same_data: true }));
        assert_eq!(seen.meet(&a, 4, b"y"), Some(Earlier { row: 1, same_data: false }));
    }
}
