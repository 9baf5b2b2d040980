//! Hashes that cannot be guessed without the ledger's secret: of the fields of a request, and of
//! records that were reported as bad.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::field_hashes::{FieldHash, FieldHashes};
use crate::domain::EmailKey;

/// What a hash is about. No two kinds of hash are over the same bytes, nor over those of an
/// idempotency key, whose bytes begin with a zero.
const FIELD: &str = "field";
const PERSON: &str = "person";
const BAD_RECORD: &str = "bad record";

/// Most messages are shorter, in bytes.
const USUAL_LENGTH: usize = 256;

/// A record of an input that a completed run reported as invalid or rejected: half of it stands for
/// the e-mail, so that a person can be forgotten, and half for cells and codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BadRecordDigest(pub(super) [u8; 16]);

/// Hashes with the secret of a ledger.
#[derive(Clone)]
pub struct KeyedHasher(Hmac<Sha256>);

/// Hides the secret.
impl std::fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedHasher").finish_non_exhaustive()
    }
}

impl KeyedHasher {
    pub(super) fn new(secret: &[u8]) -> Result<Self, hmac::digest::InvalidLength> {
        Hmac::new_from_slice(secret).map(Self)
    }

    /// Returns the hashes of a request's fields. They are the customer's own: the same value of
    /// another customer has another hash. `None` if the body is no JSON object.
    #[must_use]
    pub fn fields(&self, email: &EmailKey, body: &[u8]) -> Option<FieldHashes> {
        let mut message = Message::of([FIELD, email.as_str()].map(str::as_bytes));
        let begin = message.0.len();
        FieldHashes::of(body, |path, value| {
            message.0.truncate(begin);
            message.add(path.as_bytes());
            message.add(value.as_bytes());
            self.hash(&message)
        })
    }

    /// Returns the digest of a record that is reported as bad, with its cells as they were read and
    /// the codes of its problems. A record without an e-mail belongs to no person.
    pub fn bad_record<'a>(
        &self,
        email: Option<&EmailKey>,
        cells: impl IntoIterator<Item = &'a [u8]>,
        codes: &'a str,
    ) -> BadRecordDigest {
        let parts = [BAD_RECORD.as_bytes(), codes.as_bytes()].into_iter().chain(cells);
        let halves = [email.map_or([0; 8], |email| self.person(email)), self.hash(&Message::of(parts))];
        let mut digest = [0; 16];
        digest.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        BadRecordDigest(digest)
    }

    /// Returns the half of a [`BadRecordDigest`] that stands for the e-mail.
    pub(super) fn person(&self, email: &EmailKey) -> FieldHash {
        self.hash(&Message::of([PERSON.as_bytes(), email.as_str().as_bytes()]))
    }

    fn hash(&self, message: &Message) -> FieldHash {
        let mut mac = self.0.clone();
        mac.update(&message.0);
        let mut hash = FieldHash::default();
        hash.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        hash
    }
}

/// The parts of what is hashed, in one piece, because many small ones take longer to hash.
///
/// Lengths come first, so that no two lists of parts give the same bytes. The first part is short,
/// and its length is one byte that is never zero.
struct Message(Vec<u8>);

impl Message {
    fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut message = Self(Vec::with_capacity(USUAL_LENGTH));
        parts.into_iter().for_each(|part| message.add(part));
        message
    }

    fn add(&mut self, part: &[u8]) {
        let length = (part.len() as u64).to_be_bytes();
        self.0.extend_from_slice(if self.0.is_empty() { &length[7..] } else { &length });
        self.0.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> KeyedHasher {
        KeyedHasher::new(&[7; 32]).unwrap()
    }

    /// Computed by another program. Ledgers keep these hashes, so a later version that computed
    /// others would name every field of every customer as changed.
    #[test]
    fn a_hash_is_the_same_in_every_version() {
        let ada = EmailKey::of("ada@example.com");
        let body =
            br#"{"a":{"b":[1,{"c":2}]},"customer_country":"GBR","customer_name":"Ada \"L\"","send_kyc_mail":true}"#;
        let expected = [
            [&[0x80, 3, b'a', b'.', b'b'][..], &0x0a84_90af_ae8f_325e_u64.to_be_bytes()].concat(),
            [&[3][..], &0x856d_115f_1fca_5989_u64.to_be_bytes()].concat(),
            [&[0][..], &0x1d58_76e2_57bb_2864_u64.to_be_bytes()].concat(),
            [&[5][..], &0x35fe_302b_96a6_1891_u64.to_be_bytes()].concat(),
        ];
        assert_eq!(hasher().fields(&ada, body).unwrap().to_bytes(), expected.concat());
        assert_eq!(hasher().person(&ada), 0x54b5_b356_e851_109d_u64.to_be_bytes());
        let bad = hasher().bad_record(Some(&ada), [&b"Ada"[..], b"x"], "phone.syntax");
        assert_eq!(bad.0[8..], 0xa4e7_06ed_d27d_51de_u64.to_be_bytes());
    }

    #[test]
    fn the_hash_of_a_field_depends_on_the_secret_the_person_the_path_and_the_value() {
        let (ada, eve) = (EmailKey::of("ada@example.com"), EmailKey::of("eve@example.com"));
        let base = hasher().fields(&ada, br#"{"a":"x"}"#);
        assert_eq!(base, hasher().fields(&ada, br#"{"a":"x"}"#));
        let other = KeyedHasher::new(b"other").unwrap();
        for fields in [
            other.fields(&ada, br#"{"a":"x"}"#),
            hasher().fields(&eve, br#"{"a":"x"}"#),
            hasher().fields(&ada, br#"{"b":"x"}"#),
            hasher().fields(&ada, br#"{"a":"y"}"#),
        ] {
            assert_ne!(base.as_ref().unwrap().to_bytes(), fields.unwrap().to_bytes());
        }
    }

    #[test]
    fn a_bad_record_is_another_one_as_soon_as_a_cell_or_a_code_differs() {
        let ada = EmailKey::of("ada@example.com");
        let digest =
            |cells: &[&str], codes| hasher().bad_record(Some(&ada), cells.iter().map(|cell| cell.as_bytes()), codes);
        let base = digest(&["Ada", "x"], "phone.syntax");
        assert_eq!(base, digest(&["Ada", "x"], "phone.syntax"));
        for other in [
            digest(&["Ada", "y"], "phone.syntax"),
            digest(&["Adax", ""], "phone.syntax"),
            digest(&["Ada", "x"], "phone.several"),
        ] {
            assert_ne!(base, other);
            assert_eq!(base.0[..8], other.0[..8], "the half of the person");
        }
        assert_eq!(hasher().bad_record(None, [], "").0[..8], [0; 8]);
    }
}
