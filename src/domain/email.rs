//! The e-mail of a customer: what is sent, and what the ledger knows it by.

/// An address that passed validation, as it was given (trimmed).
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn key(&self) -> EmailKey {
        EmailKey::of(&self.0)
    }
}

/// What two spellings of one address have in common: lower case, NFC. No games with dots or plus signs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailKey(String);

impl EmailKey {
    /// The key of any text; whether it is an address is not asked.
    #[must_use]
    pub fn of(text: &str) -> Self {
        use unicode_normalization::UnicodeNormalization as _;
        Self(text.trim().to_lowercase().nfc().collect())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailKey(…)")
    }
}
