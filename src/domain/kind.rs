//! The two kinds of customers.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CustomerType {
    #[default]
    Individual,
    Business,
}

impl CustomerType {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Business => "business",
        }
    }
}
