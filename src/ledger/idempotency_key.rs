//! Idempotency keys and payload hashes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

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

/// Everything a key stands for. The same parts give the same key after any crash; without the
/// ledger's secret it cannot be guessed, which matters because a server may keep its keys for all
/// accounts in one place.
pub(super) struct KeyParts<'a> {
    pub base_url: &'a str,
    pub account: &'a str,
    pub email: &'a EmailKey,
    pub payload: PayloadHash,
    pub generation: u32,
}

/// Returns an HMAC over the parts, laid out as a version 4 UUID, because servers expect that shape.
pub(super) fn derive(secret: &[u8], parts: &KeyParts<'_>) -> Result<String, hmac::digest::InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
    // Lengths come first, so that no two lists of parts give the same bytes.
    for part in [parts.base_url.as_bytes(), parts.account.as_bytes(), parts.email.as_str().as_bytes(), &parts.payload.0]
    {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.update(&parts.generation.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &[u8], email: &str, body: &[u8], generation: u32) -> String {
        let parts = KeyParts {
            base_url: "https://api.example.com/v1",
            account: "default",
            email: &EmailKey::of(email),
            payload: PayloadHash::of(body),
            generation,
        };
        derive(secret, &parts).unwrap()
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
