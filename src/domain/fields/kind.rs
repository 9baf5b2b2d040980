//! The two kinds of customers.

use crate::domain::violation::{Code, Flaw};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CustomerType {
    #[default]
    Individual,
    Business,
}

impl CustomerType {
    /// The API's own two words, in any case. Synonyms are not guessed: who is a business has
    /// consequences in law.
    ///
    /// # Errors
    /// A [`Flaw`] with the code `type.unknown`.
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
