//! Which record of the input was the first of its e-mail.

use std::hash::{BuildHasher as _, RandomState};

use super::{EmailKey, NewCustomer};

/// What is remembered of a record: hashes of the e-mail and of the data.
#[derive(Clone, Copy, Debug)]
pub struct Print {
    email: u64,
    data: u16,
}

/// Takes prints of records. All that is compared must come from one of them, or from its clones.
#[derive(Clone, Debug, Default)]
pub struct Printer(RandomState);

impl Printer {
    #[must_use]
    pub fn print(&self, customer: &NewCustomer<'_>) -> Print {
        let NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra } = customer;
        let extra = (!extra.is_empty()).then(|| format!("{extra:?}"));
        let data = (name.as_str(), email.as_str(), phone.as_str(), country, kind, send_kyc_mail, extra);
        Print { email: EmailKey::hash_of(email, &self.0), data: short(self.0.hash_one(data)) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any 16 bits of a hash will do")]
const fn short(hash: u64) -> u16 {
    hash as u16
}

/// Remembers 13 bytes a record (measured with ten million: 16 with the room around them). Two e-mails of one hash are as good as impossible
/// (one chance in a million for six million records); where it matters, in an import, the ledger decides on the whole e-mail. Of 65,000
/// duplicates with other data, one goes without the warning.
#[derive(Debug)]
pub struct FirstSeen {
    printer: Printer,
    /// By the first byte of the hash: each part grows by itself, so that there are never two copies of the whole.
    parts: Vec<Part>,
}

impl Default for FirstSeen {
    fn default() -> Self {
        Self { printer: Printer::default(), parts: (0..=u8::MAX).map(|_| Part::default()).collect() }
    }
}

/// The earlier record of the same e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub row: u64,
    pub same_data: bool,
}

impl FirstSeen {
    #[must_use]
    pub fn printer(&self) -> Printer {
        self.printer.clone()
    }

    /// Meets the next valid record.
    pub fn meet(&mut self, print: Print, row: u64) -> Option<Earlier> {
        let [part, hash @ ..] = print.email.to_be_bytes();
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        let first = self.parts[usize::from(part)].first(Entry::new(hash, row, print.data))?;
        Some(Earlier { row: first.row().into(), same_data: first.data() == print.data })
    }
}

/// Seven bytes of the hash, the row, the print of the data. Row 0, which no record has, stands for a free place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry([u8; 13]);

const FREE: Entry = Entry([0; 13]);

impl Entry {
    fn new(hash: [u8; 7], row: u32, data: u16) -> Self {
        let mut bytes = [0; 13];
        bytes[..7].copy_from_slice(&hash);
        bytes[7..11].copy_from_slice(&row.to_le_bytes());
        bytes[11..].copy_from_slice(&data.to_le_bytes());
        Self(bytes)
    }

    fn hash(&self) -> u64 {
        let [a, b, c, d, e, f, g, ..] = self.0;
        u64::from_be_bytes([0, a, b, c, d, e, f, g])
    }

    fn row(&self) -> u32 {
        let [.., a, b, c, d, _, _] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    fn data(&self) -> u16 {
        let [.., a, b] = self.0;
        u16::from_le_bytes([a, b])
    }
}

/// A table in which an entry stands at the place that its hash names, or at the next free one after it.
#[derive(Debug, Default)]
struct Part {
    entries: Vec<Entry>,
    used: usize,
}

impl Part {
    /// The entry of the same e-mail, if there is one; the new one stays otherwise.
    fn first(&mut self, new: Entry) -> Option<Entry> {
        // An eighth stays free, and the table grows by an eighth: more would be wasted room, less would be long ways.
        if self.used + 1 > self.entries.len() / 8 * 7 {
            self.grow();
        }
        let place = self.place_of(new);
        let found = self.entries[place];
        if found == FREE {
            self.entries[place] = new;
            self.used += 1;
            return None;
        }
        Some(found)
    }

    /// Where the e-mail of an entry stands, or would.
    fn place_of(&self, entry: Entry) -> usize {
        let hash = entry.hash();
        let mut place = self.home(hash);
        while self.entries[place] != FREE && self.entries[place].hash() != hash {
            place = if place + 1 == self.entries.len() { 0 } else { place + 1 };
        }
        place
    }

    /// The share of the table that the hash is of all hashes.
    #[expect(clippy::cast_possible_truncation, reason = "a place is below the length of the table")]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.entries.len() as u128) >> 56) as usize
    }

    fn grow(&mut self) {
        let larger = (self.entries.len() / 8 * 9 + 8).next_multiple_of(8);
        let old = std::mem::replace(&mut self.entries, vec![FREE; larger]);
        for entry in old.into_iter().filter(|entry| *entry != FREE) {
            let place = self.place_of(entry);
            self.entries[place] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Country, CustomerName, CustomerType, Email, Phone};

    fn customer(email: &str, name: &'static str) -> NewCustomer<'static> {
        NewCustomer {
            name: CustomerName::parse(name).unwrap(),
            email: Email::parse(email.to_owned()).unwrap(),
            phone: Phone::parse("+4915123456789", None).unwrap(),
            country: Country::parse("DE").unwrap(),
            kind: CustomerType::Individual,
            send_kyc_mail: true,
            extra: serde_json::Map::new(),
        }
    }

    #[test]
    fn the_first_record_of_an_email_is_named_to_all_later_ones() {
        let mut seen = FirstSeen::default();
        let printer = seen.printer();
        let mut meet = |email: &str, name, row| seen.meet(printer.print(&customer(email, name)), row);
        assert_eq!(meet("A@kunde.de", "Ada", 1), None);
        assert_eq!(meet("b@kunde.de", "Ada", 2), None);
        assert_eq!(meet("A@kunde.de", "Ada", 3), Some(Earlier { row: 1, same_data: true }));
        assert_eq!(meet("a@KUNDE.de", "Eve", 4), Some(Earlier { row: 1, same_data: false }));
        let mut with_extra = customer("b@kunde.de", "Ada");
        with_extra.extra.insert("customer_idNumber".to_owned(), "7".into());
        assert_eq!(seen.meet(printer.print(&with_extra), 5), Some(Earlier { row: 2, same_data: false }));
    }

    proptest! {
        /// Few hashes, many of them close to each other and at either end.
        #[test]
        fn a_part_knows_the_first_of_each_hash(hashes in prop::collection::vec(prop_oneof![0..40_u64, (1 << 56) - 40..1_u64 << 56, 0..1_u64 << 56], 1..600)) {
            let (mut part, mut known) = (Part::default(), HashMap::new());
            for (row, hash) in (1_u32..).zip(hashes) {
                let [_, bytes @ ..] = hash.to_be_bytes();
                let found = part.first(Entry::new(bytes, row, 0)).map(|entry| entry.row());
                prop_assert_eq!(found, known.get(&hash).copied());
                known.entry(hash).or_insert(row);
            }
        }
    }

    #[test]
    fn a_table_keeps_no_more_room_than_it_says() {
        let mut seen = FirstSeen::default();
        let records = 300_000;
        for row in 1..=records {
            let email = seen.printer.0.hash_one(row);
            seen.meet(Print { email, data: 0 }, row);
        }
        let room: usize = seen.parts.iter().map(|part| part.entries.capacity() * size_of::<Entry>()).sum();
        assert!(room as u64 <= 17 * records, "{room} bytes for {records} records");
    }
}
