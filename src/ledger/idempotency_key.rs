//! Idempotency keys and payload hashes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::model::Target;
use crate::domain::EmailKey;

/// Equal for two requests that carry the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadHash(pub(super) [u8; 32]);

impl PayloadHash {
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

/// The data of an outcome: what was sent.
#[derive(Clone, Copy)]
pub struct SentPayload<'a> {
    pub hash: PayloadHash,
    pub body: &'a [u8],
}

impl<'a> SentPayload<'a> {
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self { hash: PayloadHash::of(body), body }
    }
}

/// Hides the body, because it has people's data.
impl std::fmt::Debug for SentPayload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentPayload").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Derives keys with the secret of a ledger and for one target. The same parts give the same key
/// after any crash; without the secret it cannot be guessed, which matters because a server may
/// keep its keys for all accounts in one place.
#[derive(Clone)]
pub(super) struct KeyDeriver(Hmac<Sha256>);

/// Hides the secret.
impl std::fmt::Debug for KeyDeriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyDeriver").finish_non_exhaustive()
    }
}

impl KeyDeriver {
    /// Begins with what all keys of a run have in common, so that no key hashes it again.
    pub(super) fn new(secret: &[u8], target: &Target) -> Result<Self, hmac::digest::InvalidLength> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
        add(&mut mac, target.base_url.as_bytes());
        add(&mut mac, target.account.as_bytes());
        Ok(Self(mac))
    }

    /// Returns an HMAC over the parts, laid out as a version 4 UUID, because servers expect that
    /// shape.
    pub(super) fn derive(&self, email: &EmailKey, payload: PayloadHash, generation: u32) -> String {
        let mut mac = self.0.clone();
        add(&mut mac, email.as_str().as_bytes());
        add(&mut mac, &payload.0);
        mac.update(&generation.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// Adds a part. Lengths come first, so that no two lists of parts give the same bytes.
fn add(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &[u8], email: &str, body: &[u8], generation: u32) -> String {
        let target = Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() };
        let deriver = KeyDeriver::new(secret, &target).unwrap();
        deriver.derive(&EmailKey::of(email), PayloadHash::of(body), generation)
    }

    /// Computed by another program. A later version that derived another key for an open request
    /// would create its customer twice.
    #[test]
    fn a_key_is_the_same_in_every_version() {
        assert_eq!(key(b"secret", "a@example.com", b"{}", 0), "ca45afad-ab78-4a77-9b47-8d106ee8ad54");
    }

    #[test]
    fn the_same_parts_give_the_same_key_and_any_other_part_another() {
        let base = key(b"secret", "a@example.com", b"{}", 0);
        assert_eq!(base, key(b"secret", "A@Example.com", b"{}", 0));
        for other in [
            key(b"other", "a@example.com", b"{}", 0),
            key(b"secret", "b@example.com", b"{}", 0),
            key(b"secret", "a@example.com", b"{ }", 0),
            key(b"secret", "a@example.com", b"{}", 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_key_looks_like_a_random_uuid_and_holds_no_personal_data() {
        let key = key(b"secret", "a@example.com", b"{}", 0);
        assert_eq!(uuid::Uuid::parse_str(&key).unwrap().get_version_num(), 4);
    }
}
