//! Countries of ISO 3166-1.
//!
//! A country is recognized by its alpha-2 or alpha-3 code, or by an English name that has only this
//! meaning. The whole text must match: prefixes and similar names do not count. `UK`, England,
//! Scotland, Wales and Northern Ireland mean GBR, because that is the code that ISO has for them.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::text::trimmed;
use crate::domain::violation::{Code, Flaw};

/// An assigned country, stored as its index in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(u8);

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha3())
    }
}

impl Country {
    /// Returns the country that a code or an English name means.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `country.*` codes.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if let Some(country) = Self::plain(trimmed(text)) {
            return Ok(country);
        }
        let key = fold(text);
        if key.is_empty() {
            return Err(Flaw::new(Code::CountryMissing, "every customer needs a country"));
        }
        if let Some(&country) = ATLAS.countries.get(&key) {
            return Ok(country);
        }
        if let Some((_, choices)) = AMBIGUOUS.iter().find(|(name, _)| *name == key) {
            let hint = format!("means more than one country; write {choices}");
            return Err(Flaw::new(Code::CountryAmbiguous, hint));
        }
        let hint = match ATLAS.unassigned.get(&key) {
            Some(reason) => format!("{reason}; write the code of a current country"),
            None => {
                "is not a country code or name; write a code, such as DE or DEU, or the usual English name".to_owned()
            }
        };
        Err(Flaw::new(Code::CountryUnknown, hint))
    }

    /// Returns the country of a code, or `None` if the text is not an assigned code. Nearly all
    /// cells hold a code, which does not need folding.
    #[must_use]
    pub fn plain(code: &str) -> Option<Self> {
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
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.alpha3())
    }
}

/// For command lines. It accepts the same texts as a cell.
impl std::str::FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|flaw| flaw.hint.into_owned())
    }
}

/// Names that people write and that mean more than one country.
const AMBIGUOUS: [(&str, &str); 4] = [
    ("congo", "COD (Democratic Republic of the Congo, Kinshasa) or COG (Republic of the Congo, Brazzaville)"),
    ("the congo", "COD (Democratic Republic of the Congo, Kinshasa) or COG (Republic of the Congo, Brazzaville)"),
    ("korea", "KOR (South Korea) or PRK (North Korea)"),
    ("virgin islands", "VGB (British) or VIR (U.S.)"),
];

/// The codes of the assigned countries, and which country each code of two or three letters means.
struct Codes {
    countries: Vec<(&'static str, &'static str)>,
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
    for (country, [alpha2, alpha3, _]) in countries() {
        for place in [alpha2, alpha3].into_iter().filter_map(|code| code_place(code.as_bytes())) {
            codes.places[place] = Some(country);
        }
        codes.countries.push((alpha2, alpha3));
    }
    codes
});

struct Atlas {
    /// Folded codes and names of the assigned countries.
    countries: HashMap<String, Country>,
    /// Folded codes and names that are reserved or withdrawn, and why they do not mean a current
    /// country.
    unassigned: HashMap<String, String>,
}

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| Atlas {
    countries: spellings(),
    unassigned: unassigned(include_str!("countries_not_assigned.txt")),
});

/// Returns each country with its line `alpha2 TAB alpha3 TAB name|name|…`.
fn countries() -> impl Iterator<Item = (Country, [&'static str; 3])> {
    (0..).map(Country).zip(lines_of_three(include_str!("countries.txt")))
}

fn spellings() -> HashMap<String, Country> {
    let of_line = |(country, [alpha2, alpha3, names]): (Country, [&'static str; 3])| {
        names.split('|').chain([alpha2, alpha3]).map(move |spelling| (fold(spelling), country))
    };
    countries().flat_map(of_line).collect()
}

/// Parses lines of `code TAB state TAB name`.
fn unassigned(table: &'static str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for [code, state, name] in lines_of_three(table) {
        let article = if state.starts_with(['e', 'i', 'u']) { "an" } else { "a" };
        found.insert(fold(code), format!("{code} is {article} {state} code ({name}), not an assigned one"));
        found.entry(fold(name)).or_insert_with(|| format!("{name} has no assigned code ({code} is {state})"));
    }
    found
}

fn lines_of_three(table: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut parts = line.split('\t');
        Some([parts.next()?, parts.next()?, parts.next()?])
    })
}

/// Returns the form that all spellings of one name share: composed letters, lower case, single
/// spaces, straight apostrophes.
fn fold(text: &str) -> String {
    let composed: String = text.nfc().collect();
    let words: Vec<&str> = composed.split_whitespace().collect();
    words.join(" ").replace('\u{2019}', "'").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows of a table in `fixtures/data`, without its header.
    fn rows(table: &'static str) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn every_assigned_code_is_known_in_any_case() {
        let table = rows(include_str!("../../../fixtures/data/countries-iso3166-1.csv"));
        assert_eq!(table.len(), 249);
        for row in table {
            for spelling in [&row[0], &row[1], &row[0].to_lowercase(), &format!(" {}\u{a0}", row[1].to_lowercase())] {
                let country = Country::parse(spelling).unwrap();
                assert_eq!((country.alpha2(), country.alpha3()), (&*row[0], &*row[1]), "{spelling}");
            }
        }
    }

    #[test]
    fn every_english_name_means_its_country() {
        for row in rows(include_str!("../../../fixtures/data/country-names-en.csv")) {
            // ISO's short name of one Congo is the everyday name of both, so it is refused,
            // whatever the table says.
            if row[0] == "CONGO" {
                continue;
            }
            assert_eq!(Country::parse(&row[0]).map(Country::alpha3), Ok(&*row[1]), "{}", row[0]);
        }
    }

    #[test]
    fn codes_that_are_not_assigned_are_refused_with_the_reason_and_uk_is_an_alias() {
        for row in rows(include_str!("../../../fixtures/data/countries-not-assigned.csv")) {
            if row[0] == "UK" {
                continue;
            }
            let flaw = Country::parse(&row[0]).unwrap_err();
            assert_eq!(flaw.code, Code::CountryUnknown, "{}", row[0]);
            assert!(flaw.hint.contains(&row[2]), "{}", flaw.hint);
        }
        assert_eq!(Country::parse("uk").unwrap().alpha3(), "GBR");
    }

    #[test]
    fn shared_names_are_refused_with_the_choices() {
        for (name, choice) in [("Congo", "COG"), ("KOREA", "PRK"), ("Virgin  Islands", "VIR")] {
            let flaw = Country::parse(name).unwrap_err();
            assert_eq!(flaw.code, Code::CountryAmbiguous);
            assert!(flaw.hint.contains(choice));
        }
    }

    #[test]
    fn usual_names_and_spellings_mean_their_country() {
        for (name, alpha3) in [
            ("U.S.A.", "USA"),
            ("Great Britain", "GBR"),
            ("Scotland", "GBR"),
            ("Côte d’Ivoire", "CIV"),
            ("cote d'ivoire", "CIV"),
            ("Co\u{302}te d'Ivoire", "CIV"),
            ("Curacao", "CUW"),
            ("St. Lucia", "LCA"),
            ("Samoa", "WSM"),
            ("Niger", "NER"),
            ("Guinea", "GIN"),
            ("Czech Republic", "CZE"),
            ("Türkiye", "TUR"),
        ] {
            assert_eq!(Country::parse(name).map(Country::alpha3), Ok(alpha3), "{name}");
        }
    }

    #[test]
    fn prefixes_and_near_misses_are_no_country() {
        for name in ["Germ", "Nige", "Unit", "Germny", "840", "DEUT", "Kosovo", "XK", "-"] {
            assert_eq!(Country::parse(name).unwrap_err().code, Code::CountryUnknown, "{name}");
        }
        assert_eq!(Country::parse(" \t").unwrap_err().code, Code::CountryMissing);
    }
}
