//! The country of a cell.
//!
//! A country is recognized by its alpha-2, alpha-3 or numeric code, or by a name that has only this
//! meaning; `country_names` has the names. The whole text must match: prefixes and similar names do
//! not count. `UK`, England, Scotland, Wales and Northern Ireland mean GBR, because that is the
//! code that ISO has for them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use unicode_normalization::UnicodeNormalization as _;

use super::country_code::{Country, lines_of_three};
use super::country_names;
use crate::domain::text::trimmed;
use crate::domain::violation::{Code, Flaw};

impl Country {
    /// Returns the country that a code or a name means.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `country.*` codes.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if let Some(country) = Self::plain(trimmed(text)) {
            return Ok(country);
        }
        if trimmed(text).is_empty() {
            return Err(Flaw::new(Code::CountryMissing, "every customer needs a country"));
        }
        match &country_names::countries(text)[..] {
            [] => {}
            [country] => return Ok(*country),
            choices => {
                let choices: Vec<_> = choices.iter().map(|country| country.described()).collect();
                let hint = format!("means more than one country; write {}", choices.join(" or "));
                return Err(Flaw::new(Code::CountryAmbiguous, hint));
            }
        }
        let hint = UNASSIGNED.get(&fold(text)).map_or(UNKNOWN, String::as_str);
        Err(Flaw::new(Code::CountryUnknown, hint))
    }
}

/// For command lines. It accepts the same texts as a cell.
impl std::str::FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|flaw| flaw.hint.into_owned())
    }
}

const UNKNOWN: &str = "is not a country code or name; write a code, such as DE or DEU, or the usual name";

/// Folded codes and names that are reserved or withdrawn, and the hints that say why they do not
/// mean a current country.
static UNASSIGNED: LazyLock<HashMap<String, String, RandomState>> =
    LazyLock::new(|| unassigned(include_str!("countries_not_assigned.txt")));

/// Parses lines of `code TAB state TAB name`.
fn unassigned(table: &'static str) -> HashMap<String, String, RandomState> {
    let mut found = HashMap::default();
    for [code, state, name] in lines_of_three(table) {
        let article = if state.starts_with(['e', 'i', 'u']) { "an" } else { "a" };
        let hint = |reason: String| format!("{reason}; write the code of a current country");
        found.insert(fold(code), hint(format!("{code} is {article} {state} code ({name}), not an assigned one")));
        found.entry(fold(name)).or_insert_with(|| hint(format!("{name} has no assigned code ({code} is {state})")));
    }
    found
}

/// Returns the form that all spellings of one name share: composed letters, lower case, single
/// spaces, straight apostrophes.
fn fold(text: &str) -> String {
    let composed = if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) };
    let mut folded = String::with_capacity(composed.len());
    for word in composed.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    if folded.is_ascii() {
        folded.make_ascii_lowercase();
        return folded;
    }
    folded.replace('\u{2019}', "'").to_lowercase()
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
        for name in ["Germ", "Nige", "Unit", "Germny", "999", "84", "DEUT", "Kosovo", "XK", "-"] {
            assert_eq!(Country::parse(name).unwrap_err().code, Code::CountryUnknown, "{name}");
        }
        assert_eq!(Country::parse(" \t").unwrap_err().code, Code::CountryMissing);
    }
}
