//! The country that a misspelled name may mean. A guess is only shown to a person: no cell is ever
//! read by similarity.

use std::collections::BTreeMap;

use super::country_code::Country;
use super::country_names::{careful, lines, loose};
use crate::domain::text::trimmed;

/// Shorter names are near too many others.
const SHORTEST: usize = 5;
/// No name of a country is longer, in characters.
const LONGEST: usize = 60;
/// With more candidates than this, none of them is likely.
const MOST: usize = 3;

impl Country {
    /// Returns what to write instead of a text that is nearly the name of a country, or `None` if
    /// it is not near any name. It compares the text with every known name, so call it only for
    /// texts that are shown.
    #[must_use]
    pub fn advice(text: &str) -> Option<String> {
        let candidates = nearest(text);
        let (meant, written): (Vec<_>, Vec<_>) = match &candidates[..] {
            [] => return None,
            // The name as it would be typed is known only if nothing was folded away.
            [(country, name)] if is_one_word(text) && name.is_ascii() => (vec![capitalized(name)], vec![*country]),
            several => several.iter().map(|(country, _)| (country.usual_name().to_owned(), *country)).unzip(),
        };
        let codes = match &written[..] {
            [country] => format!("{}, {} or {}", country.alpha2(), country.alpha3(), country.usual_name()),
            several => several.iter().map(|country| country.described()).collect::<Vec<_>>().join(" or "),
        };
        Some(format!("is not a country name; did you mean {}? Write {codes}", meant.join(" or ")))
    }
}

/// Returns the countries whose names are nearest to a text, each with such a name. Returns none if
/// the text is not near any name, or near those of many countries.
fn nearest(text: &str) -> Vec<(Country, &'static str)> {
    let typed = careful(trimmed(text));
    let typed = loose(&typed);
    let length = typed.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Vec::new();
    }
    let letters = letters_of(&typed);
    let mut best = if length < 10 { 1 } else { 2 };
    let mut found: BTreeMap<&str, (Country, &'static str)> = BTreeMap::new();
    for (name, codes) in lines() {
        // A character more or less has at most four bytes.
        if name.len().abs_diff(typed.len()) > 4 * best {
            continue;
        }
        // Most names have too many other letters. Each step from a text to another puts in a
        // letter, takes one out, or does both.
        let others = letters.zip(letters_of(name)).map_or(0, |(one, other)| (one ^ other).count_ones());
        if others as usize > 2 * best {
            continue;
        }
        let distance = strsim::osa_distance(&typed, name);
        if distance < best {
            found.clear();
        }
        if distance <= best {
            best = distance;
            let countries = codes.split(' ').filter_map(Country::plain);
            countries.for_each(|country| _ = found.entry(country.alpha3()).or_insert((country, name)));
        }
    }
    if found.len() > MOST { Vec::new() } else { found.into_values().collect() }
}

/// Returns a bit for each letter that a text of ASCII has, or `None` for other texts. Letters may
/// share a bit.
fn letters_of(text: &str) -> Option<u32> {
    text.is_ascii().then(|| text.bytes().fold(0, |letters, byte| letters | 1 << (byte % 32)))
}

fn is_one_word(text: &str) -> bool {
    trimmed(text).bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn capitalized(name: &str) -> String {
    name.char_indices().map(|(at, letter)| if at == 0 { letter.to_ascii_uppercase() } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_country_is_guessed_with_what_to_write() {
        for (typed, advice) in [
            ("Deutshland", "is not a country name; did you mean Deutschland? Write DE, DEU or Germany"),
            ("  deutchland ", "is not a country name; did you mean Deutschland? Write DE, DEU or Germany"),
            ("Östereich", "is not a country name; did you mean Austria? Write AT, AUT or Austria"),
            ("Untied Kingdom", "is not a country name; did you mean United Kingdom? Write GB, GBR or United Kingdom"),
        ] {
            assert_eq!(Country::advice(typed).as_deref(), Some(advice), "{typed}");
        }
    }

    #[test]
    fn what_is_written_as_advised_is_that_country() {
        for code in ["DE", "GB", "NL", "US", "CD", "KP", "KR", "VG", "TW", "BO", "FM", "MF", "ST", "LA", "TZ"] {
            let country = Country::plain(code).unwrap();
            assert_eq!(Country::parse(country.usual_name()).ok(), Some(country), "{}", country.usual_name());
        }
    }

    #[test]
    fn what_is_near_nothing_or_short_is_not_guessed() {
        for typed in ["", "Atlantis", "XX", "Mali2x", "Berlin", "ada@example.com", "Baden-Württemberg"] {
            assert_eq!(Country::advice(typed), None, "{typed}");
        }
    }

    #[test]
    fn letters_rule_out_no_near_name() {
        for (name, _) in lines().filter(|(name, _)| name.is_ascii() && name.len() > 4).step_by(7) {
            let (first, second) = name.split_at(name.len() / 2);
            for near in [format!("{first}q{second}"), format!("q{}", &name[1..]), format!("{}{first}", &second[1..])] {
                let distance = strsim::osa_distance(&near, name);
                let [one, other] = [&near, name].map(|text| letters_of(text).unwrap());
                assert!((one ^ other).count_ones() as usize <= 2 * distance, "{near} {name}");
            }
        }
    }

    #[test]
    fn a_guess_is_never_a_reading() {
        for (name, _) in lines().filter(|(name, _)| name.is_ascii() && name.len() > 8).step_by(97) {
            let typed = format!("{}q{}", &name[..4], &name[4..]);
            assert!(Country::parse(&typed).is_err(), "{typed}");
        }
    }
}
