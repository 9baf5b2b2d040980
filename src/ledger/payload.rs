//! What was sent, and its hash.

use sha2::{Digest as _, Sha256};

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
