//! The two types of customers.

use crate::domain::violation::{Code, Flaw};

/// Whether a customer is a person or a business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CustomerType {
    #[default]
    Individual,
    Business,
}

impl CustomerType {
    /// Parses the API's two words, in any case. Synonyms are not guessed, because the type of a
    /// customer has legal consequences.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with the code `type.unknown` for any other text.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        [Self::Individual, Self::Business]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| Flaw::new(Code::TypeUnknown, "write individual or business"))
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Business => "business",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_words_are_known() {
        assert_eq!(CustomerType::parse(" Business ").unwrap(), CustomerType::Business);
        assert_eq!(CustomerType::parse("INDIVIDUAL").unwrap(), CustomerType::Individual);
        for other in ["person", "company", "", "busines"] {
            assert_eq!(CustomerType::parse(other).unwrap_err().code, Code::TypeUnknown);
        }
    }
}
