//! The body of the request for a record.

use unicode_normalization::UnicodeNormalization as _;

use crate::api::wire;
use crate::domain::{FoundCustomer, NewCustomer};
use crate::ledger::{PayloadHash, SentPayload};

/// The body of the request for a record, its hash, and the e-mail in it.
#[derive(Clone)]
pub struct Payload {
    pub(super) body: Vec<u8>,
    pub(super) hash: PayloadHash,
    pub(super) email: String,
}

impl Payload {
    /// Returns the body for a customer.
    #[must_use]
    pub fn of(customer: &NewCustomer<'_>) -> Self {
        let body = wire::body(customer);
        Self { hash: PayloadHash::of(&body), body, email: customer.email.as_str().to_owned() }
    }

    /// Returns the body of an earlier run, as the ledger kept it. `email` is used if the body
    /// cannot be read.
    #[must_use]
    pub fn stored(body: Vec<u8>, email: &str) -> Self {
        let email = wire::facts(&body).map_or_else(|| email.to_owned(), |facts| facts.email);
        Self { hash: PayloadHash::of(&body), body, email }
    }

    /// Returns what the ledger needs of it when its record ends.
    pub(super) fn sent(&self) -> SentPayload<'_> {
        SentPayload { hash: self.hash, body: &self.body }
    }

    /// Returns whether a customer that a look-up found has our name and phone number.
    pub(super) fn is_shown_by(&self, customer: &FoundCustomer) -> bool {
        let Some(ours) = wire::facts(&self.body) else { return false };
        let name = customer.name.as_deref().map(|name| name.trim().nfc().collect::<String>());
        let phone = customer.phone.as_deref().map(digits);
        name == Some(ours.name) && phone == Some(digits(&ours.phone))
    }
}

/// Hides the body, because it has people's data.
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("hash", &self.hash).finish_non_exhaustive()
    }
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailKey, Receipt};

    #[test]
    fn a_customer_is_ours_by_name_and_phone_and_a_body_that_tells_neither_is_nobodys() {
        let found = |name: &str, phone: &str| FoundCustomer {
            email: EmailKey::of("ada@example.org"),
            receipt: Receipt::default(),
            name: Some(name.to_owned()),
            phone: Some(phone.to_owned()),
            age: None,
        };
        let body = br#"{"customer_email":"ada@example.org","customer_name":"Ada","customer_phone":"+12"}"#;
        let ours = Payload::stored(body.to_vec(), "");
        assert_eq!(ours.email, "ada@example.org");
        assert!(ours.is_shown_by(&found(" Ada ", "1 2")));
        assert!(!ours.is_shown_by(&found("Ada", "+13")));
        assert!(!ours.is_shown_by(&found("Bob", "+12")));
        assert!(!Payload::stored(b"{}".to_vec(), "ada@example.org").is_shown_by(&found("", "")));
    }
}
