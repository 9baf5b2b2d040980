//! Finds the records of the input whose e-mail an earlier record has.
//!
//! To decide during reading would need a table of all e-mails, half of it empty. Instead the
//! fingerprints of all records are stored in the order of the input and compared at the end, a
//! small part at a time, which takes less than half of the memory and of the time.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::panic::resume_unwind;
use std::thread;

use foldhash::quality::RandomState;

use crate::domain::{EmailKey, NewCustomer};
use crate::limits;

/// The compared part of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    email: u64,
    data: u16,
    /// Whether the record asks for an e-mail to the person.
    pub(crate) send_kyc_mail: bool,
}

/// Makes fingerprints of records. Fingerprints can be compared only if they come from the same
/// fingerprinter or its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprinter {
    state: RandomState,
    /// Whether to tell duplicates with other data from those with the same data.
    with_data: bool,
}

impl Fingerprinter {
    #[must_use]
    pub(crate) fn fingerprint(&self, customer: &NewCustomer<'_>) -> Fingerprint {
        Fingerprint {
            email: EmailKey::hash_of(&customer.email, &self.state),
            data: if self.with_data { self.data(customer) } else { 0 },
            send_kyc_mail: customer.send_kyc_mail,
        }
    }

    fn data(&self, customer: &NewCustomer<'_>) -> u16 {
        let NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra } = customer;
        let extra = extra.as_ref().map(|extra| format!("{extra:?}"));
        short(self.state.hash_one((name.as_str(), email.as_str(), phone, country, kind, send_kyc_mail, extra)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any 15 bits of a hash will do")]
const fn short(hash: u64) -> u16 {
    hash as u16 >> 1
}

/// The fingerprints of the valid records of an input: 13 bytes each. Two e-mails almost never share
/// a hash (a chance of one in a million for six million records); in an import, where it matters,
/// the ledger compares whole e-mails. One in 32,000 duplicates with other data is reported without
/// the warning.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    fingerprinter: Fingerprinter,
    /// Indexed by the first byte of the hash.
    buckets: Vec<Bucket>,
    chunks: Chunks,
}

/// The entries of one bucket: the numbers of the chunks that hold them, and how many there are.
#[derive(Clone, Debug, Default)]
struct Bucket {
    chunks: Vec<usize>,
    entries: usize,
    /// The place of the next entry, unless the last chunk is full. Kept, because to look into the
    /// list costs a line of memory for each row.
    next: usize,
}

/// The entries of all buckets, in chunks, so that growth never copies entries.
///
/// Many chunks are allocated at once. A thread that allocates them one by one calls the kernel for
/// each, because the C library lets the memory of a thread grow by a page at a time.
#[derive(Debug, Default)]
struct Chunks {
    blocks: Vec<Vec<[u8; Entry::SIZE]>>,
}

impl Chunks {
    fn push(&mut self, bucket: &mut Bucket, entry: Entry) {
        if bucket.entries.is_multiple_of(CHUNK) {
            let chunk = self.add_chunk();
            bucket.chunks.push(chunk);
            bucket.next = chunk * CHUNK;
        }
        self.blocks[bucket.next / BLOCK][bucket.next % BLOCK] = entry.0;
        bucket.next += 1;
        bucket.entries += 1;
    }

    /// Returns the number of a new chunk.
    #[cold]
    fn add_chunk(&mut self) -> usize {
        let entries: usize = self.blocks.iter().map(Vec::len).sum();
        if entries.is_multiple_of(BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        // Zeroed chunk by chunk, because zeroing touches the memory.
        if let Some(block) = self.blocks.last_mut() {
            block.resize(block.len() + CHUNK, [0; Entry::SIZE]);
        }
        entries / CHUNK
    }

    fn entries(&self, bucket: &Bucket) -> impl Iterator<Item = Entry> {
        bucket
            .chunks
            .iter()
            .map(|chunk| chunk * CHUNK)
            .flat_map(|at| &self.blocks[at / BLOCK][at % BLOCK..][..CHUNK])
            .take(bucket.entries)
            .map(|entry| Entry(*entry))
    }
}

impl Fingerprints {
    /// `with_data` is true if the caller needs to know which record each duplicate repeats and
    /// whether its data is the same. Otherwise duplicates are only counted.
    #[must_use]
    pub(crate) fn new(with_data: bool) -> Self {
        let fingerprinter = Fingerprinter { with_data, ..Fingerprinter::default() };
        Self { fingerprinter, buckets: vec![Bucket::default(); usize::from(u8::MAX) + 1], chunks: Chunks::default() }
    }

    #[must_use]
    pub(crate) fn fingerprinter(&self) -> Fingerprinter {
        self.fingerprinter.clone()
    }

    /// Stores the fingerprint of the next valid record.
    pub(crate) fn add(&mut self, fingerprint: Fingerprint, row: u64) {
        let [bucket, hash @ ..] = fingerprint.email.to_be_bytes();
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        self.chunks.push(&mut self.buckets[usize::from(bucket)], Entry::new(hash, row, fingerprint));
    }

    /// Compares all fingerprints, on all cores if there are many.
    #[must_use]
    pub(crate) fn compare(self) -> Duplicates {
        let entries: usize = self.buckets.iter().map(|bucket| bucket.entries).sum();
        let (own, others) = self.buckets.split_at(self.buckets.len().div_ceil(limits::cores().min(1 + entries / MANY)));
        thread::scope(|scope| {
            let others: Vec<_> =
                others.chunks(own.len()).map(|buckets| scope.spawn(|| self.duplicates_among(buckets))).collect();
            let mut found = self.duplicates_among(own);
            for other in others {
                found.add(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            found.later.sort_unstable_by_key(|duplicate| duplicate.row);
            found.firsts = found.later.iter().map(|duplicate| duplicate.first).collect();
            found.firsts.sort_unstable();
            found.firsts.dedup();
            found
        })
    }

    fn duplicates_among(&self, buckets: &[Bucket]) -> Duplicates {
        if self.fingerprinter.with_data { self.listed(buckets) } else { self.counted(buckets) }
    }

    fn counted(&self, buckets: &[Bucket]) -> Duplicates {
        let mut found = Duplicates::default();
        let mut known = HashSet::with_capacity_and_hasher(CHUNK, self.fingerprinter.state.clone());
        for bucket in buckets {
            known.clear();
            self.chunks
                .entries(bucket)
                .filter(|entry| !known.insert(entry.hash()))
                .for_each(|entry| found.count_one(entry));
        }
        found
    }

    fn listed(&self, buckets: &[Bucket]) -> Duplicates {
        let mut found = Duplicates::default();
        let mut known = HashMap::with_capacity_and_hasher(CHUNK, self.fingerprinter.state.clone());
        for bucket in buckets {
            known.clear();
            for entry in self.chunks.entries(bucket) {
                let first: Entry = *known.entry(entry.hash()).or_insert(entry);
                if first != entry {
                    found.count_one(entry);
                    let same_data = first.data() == entry.data();
                    found.later.push(Duplicate { row: entry.row(), first: first.row(), same_data });
                }
            }
        }
        found
    }
}

/// So many fingerprints are worth a thread.
const MANY: usize = 50_000;

/// How many entries a chunk has.
const CHUNK: usize = 256;

/// How many entries a block has: a chunk for each bucket.
const BLOCK: usize = 256 * CHUNK;

/// Seven bytes of the hash, four of the row, and two with the short hash of the data and, in the
/// last bit, whether the record asks for an e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry([u8; Self::SIZE]);

impl Entry {
    const SIZE: usize = 13;

    fn new(hash: [u8; 7], row: u32, fingerprint: Fingerprint) -> Self {
        let mut bytes = [0; Self::SIZE];
        bytes[..7].copy_from_slice(&hash);
        bytes[7..11].copy_from_slice(&row.to_le_bytes());
        bytes[11..].copy_from_slice(&(fingerprint.data << 1 | u16::from(fingerprint.send_kyc_mail)).to_le_bytes());
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

    fn send_kyc_mail(&self) -> bool {
        self.data() & 1 == 1
    }
}

/// The records whose e-mail an earlier one has.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    count: u64,
    kyc_mails: u64,
    /// Sorted by row; empty if the fingerprints have no data.
    later: Vec<Duplicate>,
    /// The rows that these repeat, sorted.
    firsts: Vec<u32>,
}

#[derive(Debug)]
struct Duplicate {
    row: u32,
    first: u32,
    same_data: bool,
}

/// The earlier record of the same e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) row: u64,
    pub(crate) same_data: bool,
}

impl Duplicates {
    fn count_one(&mut self, entry: Entry) {
        self.count += 1;
        self.kyc_mails += u64::from(entry.send_kyc_mail());
    }

    fn add(&mut self, other: Self) {
        let Self { count, kyc_mails, mut later, .. } = other;
        self.count += count;
        self.kyc_mails += kyc_mails;
        self.later.append(&mut later);
    }

    /// Returns the first record with the e-mail of this one, or `None` if that is this one. Needs
    /// fingerprints with data.
    #[must_use]
    pub(crate) fn earlier(&self, row: u64) -> Option<Earlier> {
        let at = self.later.binary_search_by_key(&row, |duplicate| duplicate.row.into()).ok()?;
        let Duplicate { first, same_data, .. } = self.later[at];
        Some(Earlier { row: first.into(), same_data })
    }

    /// Returns whether this is the first record with its e-mail and a later one has it too. Needs
    /// fingerprints with data.
    #[must_use]
    pub(crate) fn has_later(&self, row: u64) -> bool {
        self.firsts.binary_search_by_key(&row, |first| u64::from(*first)).is_ok()
    }

    #[must_use]
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Returns how many of them ask for an e-mail to the person.
    #[must_use]
    pub(crate) const fn kyc_mails(&self) -> u64 {
        self.kyc_mails
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Country, CustomerName, CustomerType, Email, Json, Phone};

    fn customer(email: &str, name: &'static str) -> NewCustomer<'static> {
        NewCustomer {
            name: CustomerName::parse(name).unwrap(),
            email: Email::parse(email.to_owned()).unwrap(),
            phone: Phone::parse("+4915123456789", None).unwrap(),
            country: Country::parse("DE").unwrap(),
            kind: CustomerType::Individual,
            send_kyc_mail: true,
            extra: None,
        }
    }

    #[test]
    fn the_first_record_of_an_email_is_named_to_all_later_ones() {
        let mut fingerprints = Fingerprints::new(true);
        let fingerprinter = fingerprints.fingerprinter();
        let mut silent = customer("b@kunde.de", "Ada");
        silent.send_kyc_mail = false;
        let mut numbered = customer("b@kunde.de", "Ada");
        numbered.extra = Some(Box::new([("customer_idNumber".to_owned(), Json::Text("7".to_owned()))].into()));
        let people = [
            customer("A@kunde.de", "Ada"),
            customer("b@kunde.de", "Ada"),
            customer("A@kunde.de", "Ada"),
            customer("a@KUNDE.de", "Eve"),
            silent,
            numbered,
        ];
        for (row, customer) in (1..).zip(&people) {
            fingerprints.add(fingerprinter.fingerprint(customer), row);
        }
        let duplicates = fingerprints.compare();
        let found: Vec<_> =
            (1..=6).map(|row| duplicates.earlier(row).map(|first| (first.row, first.same_data))).collect();
        assert_eq!(found, [None, None, Some((1, true)), Some((1, false)), Some((2, false)), Some((2, false))]);
        assert_eq!((duplicates.count(), duplicates.kyc_mails()), (4, 3));
    }

    #[test]
    fn many_are_compared_by_all_cores_with_the_same_result() {
        let (rows, emails) = (3 * MANY as u64, 2 * MANY as u64);
        for with_data in [true, false] {
            let mut fingerprints = Fingerprints::new(with_data);
            for row in 0..rows {
                let email = (row % emails).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                fingerprints.add(Fingerprint { email, data: 0, send_kyc_mail: row % 2 == 0 }, row + 1);
            }
            let duplicates = fingerprints.compare();
            assert_eq!((duplicates.count(), duplicates.kyc_mails()), (rows - emails, (rows - emails) / 2));
            let earlier = (1..=rows).filter_map(|row| Some(row - duplicates.earlier(row)?.row));
            assert_eq!(
                earlier.filter(|distance| *distance == emails).count() as u64,
                if with_data { rows - emails } else { 0 }
            );
        }
    }

    proptest! {
        #[test]
        fn the_first_of_each_hash_is_found_whatever_the_order(hashes in prop::collection::vec(0..300_u64, 1..600)) {
            let (mut fingerprints, mut known) = (Fingerprints::new(true), HashMap::new());
            let mut expected = Vec::new();
            for (row, hash) in (1..).zip(hashes) {
                // A few entries per bucket, and few buckets.
                let email = (hash % 3) << 56 | hash;
                fingerprints.add(Fingerprint { email, data: 0, send_kyc_mail: false }, row);
                let first = *known.entry(email).or_insert(row);
                expected.push((first != row).then_some(Earlier { row: first, same_data: true }));
            }
            let duplicates = fingerprints.compare();
            let found: Vec<_> = (1..).take(expected.len()).map(|row| duplicates.earlier(row)).collect();
            prop_assert_eq!(&found, &expected);
            let firsts: HashSet<_> = expected.iter().flatten().map(|earlier| earlier.row).collect();
            for row in 1..=expected.len() as u64 {
                prop_assert_eq!(duplicates.has_later(row), firsts.contains(&row));
            }
        }
    }
}
