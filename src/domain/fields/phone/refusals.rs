//! Tests that what the tables refuse of numbers without `+`, the phone library refuses with the
//! same words.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use rlibphonenumber::PHONE_NUMBER_UTIL;

use super::readings::judged_at_home;
use super::*;
use crate::domain::fields::phone_ranges::tests::known_to_the_library;

/// The library's regions that are countries, with the digits of a number of each.
static HOMES: LazyLock<Vec<(Country, String)>> = LazyLock::new(|| {
    let regions = known_to_the_library().into_values().flatten();
    let home = |region: &str| Country::plain(region).zip(Region::from_code(region).ok());
    let homes = regions.filter_map(|known| home(&known.id)).filter_map(|(country, region)| {
        let example = PHONE_NUMBER_UTIL.get_example_number(region).ok()?;
        Some((country, example.national_number.to_string()))
    });
    homes.collect()
});

/// Asserts that a text is refused without the library as by the library. Returns whether it is
/// refused without it.
fn is_refused_alike(text: &str, home: Country) -> bool {
    let Some(Err(flaw)) = judged_at_home(text, home) else { return false };
    let read = Phone::by_the_library(text, Some(home), None).map(|phone| phone.to_string());
    assert_eq!(read, Err(flaw), "{text} in {home}");
    true
}

/// What people dial before a number, and what may be taken for it.
const DIALED: [&str; 12] = ["", "0", "1", "8", "01", "06", "9", "044", "011", "15", "0 ", "(0"];

#[test]
fn numbers_of_all_countries_with_digits_too_many_are_refused_without_the_library() {
    let (mut all, mut refused) = (0, 0);
    for (home, number) in HOMES.iter() {
        for before in DIALED {
            for count in 2..=20 {
                let text: String =
                    before.chars().chain(number.chars().chain("1234567890".chars().cycle()).take(count)).collect();
                let is_refused = is_refused_alike(&text, *home);
                if before.is_empty() && count > 15 {
                    all += 1;
                    refused += usize::from(is_refused);
                }
            }
        }
    }
    assert!(refused * 20 > all * 19, "{refused} of {all} without the library");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_digits_are_refused_without_the_library_only_as_by_it(
        home in any::<Index>(),
        other in any::<Index>(),
        way in 0..6_u8,
        before in select(DIALED.to_vec()),
        start in 0..8_usize,
        digits in "[0-9]{20}",
        count in 2..20_usize,
    ) {
        let (home, number) = home.get(&HOMES);
        let (_, other) = other.get(&HOMES);
        let code = PHONE_NUMBER_UTIL
            .get_country_code_for_region(Region::from_code(home.alpha2()).unwrap())
            .map_or_else(String::new, |code| code.to_string());
        let beginning = match way {
            0 => String::new(),
            1 => number[..start.min(number.len())].to_owned(),
            2 => format!("{code}{}", &number[..start.min(number.len())]),
            3 => format!("{code}{before}"),
            4 => other[..start.min(other.len())].to_owned(),
            _ => number.clone(),
        };
        let before = if way == 3 { "" } else { before };
        let text: String = before.chars().chain(beginning.chars().chain(digits.chars()).take(count)).collect();
        is_refused_alike(&text, *home);
    }
}
