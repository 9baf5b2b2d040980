//! The name of a customer.

/// A trimmed, NFC-normalised name without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerName(String);

impl CustomerName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
