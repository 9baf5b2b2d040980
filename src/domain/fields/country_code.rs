//! The assigned countries of ISO 3166-1 and their codes.

use std::fmt;
use std::sync::LazyLock;

/// An assigned country, stored as its index in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(u8);

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha3())
    }
}

/// Russia in Vietnamese, and the code of Nigeria if the case of its letters does not matter. It is
/// the only name of a country that is spelled like another country's code.
pub(super) const NGA: &str = "Nga";

impl Country {
    /// Returns the country of a code, or `None` if the text is not an assigned code. Nearly all
    /// cells hold a code, which does not need folding.
    #[must_use]
    pub fn plain(code: &str) -> Option<Self> {
        if code == NGA {
            return None;
        }
        let place = code_place(code.as_bytes())?;
        CODES.places.get(place).copied().flatten()
    }

    /// Returns the index of the country in the table, for tables of other properties.
    pub(super) const fn index(self) -> u8 {
        self.0
    }

    #[must_use]
    pub fn alpha2(self) -> &'static str {
        CODES.countries[usize::from(self.0)].0
    }

    #[must_use]
    pub fn alpha3(self) -> &'static str {
        CODES.countries[usize::from(self.0)].1
    }

    /// An English name as people write it: short, and without commas and brackets if there is one.
    /// It reads the table anew, so it is for messages only.
    pub(super) fn usual_name(self) -> &'static str {
        const LONG: usize = 40;
        let Some((_, [alpha2, _, names])) = countries().find(|(country, _)| *country == self) else { return "" };
        let is_usual = |name: &&str| {
            name.len() <= LONG && !name.contains([',', '(', '.']) && name.contains(|letter: char| letter.is_lowercase())
        };
        match alpha2 {
            "GB" => "United Kingdom",
            "NL" => "Netherlands",
            _ => names.split('|').find(is_usual).or_else(|| names.split('|').next()).unwrap_or_default(),
        }
    }

    /// The alpha-3 code with an English name that tells it from others of a similar name.
    pub(super) fn described(self) -> String {
        let (_, alpha3, name) = CODES.countries[usize::from(self.0)];
        let name = match alpha3 {
            "COD" => "Democratic Republic of the Congo, Kinshasa",
            "COG" => "Republic of the Congo, Brazzaville",
            "KOR" => "South Korea",
            "PRK" => "North Korea",
            "VGB" => "British",
            "VIR" => "U.S.",
            _ => name,
        };
        format!("{alpha3} ({name})")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.alpha3())
    }
}

/// The codes of the assigned countries, and which country each code of two or three letters means.
struct Codes {
    /// Alpha-2, alpha-3 and an English name of each.
    countries: Vec<(&'static str, &'static str, &'static str)>,
    places: Vec<Option<Country>>,
}

const LETTERS: usize = 26;

/// Returns the index of a code of two or three letters, in any case, among all possible codes.
/// Returns `None` for any other text.
fn code_place(code: &[u8]) -> Option<usize> {
    let letter = |byte: u8| byte.is_ascii_alphabetic().then(|| usize::from(byte.to_ascii_uppercase() - b'A'));
    match *code {
        [a, b] => Some(letter(a)? * LETTERS + letter(b)?),
        [a, b, c] => Some(((1 + letter(a)?) * LETTERS + letter(b)?) * LETTERS + letter(c)?),
        _ => None,
    }
}

static CODES: LazyLock<Codes> = LazyLock::new(|| {
    let mut codes = Codes { countries: Vec::new(), places: vec![None; LETTERS.pow(2) + LETTERS.pow(3)] };
    for (country, [alpha2, alpha3, names]) in countries() {
        for place in [alpha2, alpha3].into_iter().filter_map(|code| code_place(code.as_bytes())) {
            codes.places[place] = Some(country);
        }
        codes.countries.push((alpha2, alpha3, names.split('|').next().unwrap_or_default()));
    }
    codes
});

/// Returns each country with its line `alpha2 TAB alpha3 TAB name|name|…`.
fn countries() -> impl Iterator<Item = (Country, [&'static str; 3])> {
    (0..).map(Country).zip(lines_of_three(include_str!("countries.txt")))
}

/// Parses lines of three cells between tabs. Lines that begin with `#` are comments.
pub(super) fn lines_of_three(table: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut parts = line.split('\t');
        Some([parts.next()?, parts.next()?, parts.next()?])
    })
}
