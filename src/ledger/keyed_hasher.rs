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
        FieldHashes::of(body, |path, value| self.hash([FIELD, email.as_str(), path, value].map(str::as_bytes)))
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
        let halves = [email.map_or([0; 8], |email| self.person(email)), self.hash(parts)];
        let mut digest = [0; 16];
        digest.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        BadRecordDigest(digest)
    }

    /// Returns the half of a [`BadRecordDigest`] that stands for the e-mail.
    pub(super) fn person(&self, email: &EmailKey) -> FieldHash {
        self.hash([PERSON.as_bytes(), email.as_str().as_bytes()])
    }

    /// Lengths come first, so that no two lists of parts give the same bytes. The first part is
    /// short, and its length is one byte that is never zero.
    fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> FieldHash {
        let mut mac = self.0.clone();
        for (at, part) in parts.into_iter().enumerate() {
            let length = (part.len() as u64).to_be_bytes();
            mac.update(if at == 0 { &length[7..] } else { &length });
            mac.update(part);
        }
        let mut hash = FieldHash::default();
        hash.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> KeyedHasher {
        KeyedHasher::new(&[7; 32]).unwrap()
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
