//! Countries of ISO 3166-1.

/// An assigned country, known by its alpha-3 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country {
    alpha2: &'static str,
    alpha3: &'static str,
}

impl Country {
    #[must_use]
    pub const fn alpha2(self) -> &'static str {
        self.alpha2
    }

    #[must_use]
    pub const fn alpha3(self) -> &'static str {
        self.alpha3
    }
}
