//! Tests that every spelling of a number is read as that number, or refused with a hint that leads
//! to it.

use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneMetadata, PhoneNumberFormat};

use super::number::{calling_codes, check};
use super::readings::lost_plus;
use super::written::is_rounded;
use super::*;
use crate::domain::fields::phone_ranges::RangePlace;
use crate::domain::fields::phone_ranges::tests::known_to_the_library;

fn country(code: &str) -> Option<Country> {
    Country::parse(code).ok()
}

/// The example numbers of each of the library's regions: mobile, fixed, and free of charge.
static EXAMPLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let regions = known_to_the_library().into_values().flatten();
    regions.flat_map(numbers_of).filter(|(_, number)| Phone::plain(number).is_some()).collect()
});

#[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
fn numbers_of(known: PhoneMetadata) -> Vec<(String, String)> {
    let (code, region) = (known.country_code(), known.id);
    let kinds = [known.mobile, known.fixed_line, known.toll_free].into_iter().flatten();
    let national = kinds.filter_map(|kind| kind.example_number);
    national.map(|number| (region.clone(), format!("+{code}{number}"))).collect()
}

/// The example numbers of all kinds of each region that is a country.
#[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
fn examples_of_all_kinds() -> Vec<(Country, String)> {
    let mut found = Vec::new();
    for known in known_to_the_library().into_values().flatten() {
        let Some(home) = country(&known.id) else { continue };
        let code = known.country_code();
        let kinds = [
            known.fixed_line,
            known.mobile,
            known.toll_free,
            known.premium_rate,
            known.shared_cost,
            known.personal_number,
            known.voip,
            known.pager,
            known.uan,
            known.voicemail,
        ];
        let national = kinds.into_iter().flatten().filter_map(|kind| kind.example_number);
        found.extend(national.map(|number| (home, format!("+{code}{number}"))));
    }
    found
}

/// Whether the long form of the tests was asked for.
fn is_long() -> bool {
    std::env::var_os("CUSTOMER_IMPORT_LONG").is_some()
}

/// Asserts that a text is read without the library as the library reads it. Returns whether it is
/// read without it.
fn is_read_alike(text: &str, home: Country) -> bool {
    let Some(phone) = Phone::national(text, home) else { return false };
    let read = Phone::by_the_library(text, Some(home), None).map(|phone| (phone, phone.assigned));
    let shown = read.as_ref().map(|(phone, _)| phone.to_string()).map_err(|flaw| (flaw.code, flaw.hint.clone()));
    assert!(read == Ok((phone, true)), "{text} in {home}: {phone}, by the library {shown:?}");
    assert!(phone.foreign(home).is_none(), "{text} in {home}");
    true
}

#[test]
fn national_numbers_are_read_without_the_library_as_by_it() {
    let all = examples_of_all_kinds();
    assert!(all.len() > 1000, "{}", all.len());
    let every = if is_long() { 1 } else { 5 };
    let (mut national_ones, mut read) = (0, 0);
    for (index, (home, number)) in all.iter().enumerate().step_by(every) {
        let (code, rest) = parts(number);
        let bare: String = rest.chars().filter(char::is_ascii_digit).collect();
        let spelled = national(number);
        let (_, other) = &all[(index + 7 * every) % all.len()];
        let mut texts = vec![spelled.clone(), rest.clone(), bare.clone(), national(other), other[1..].to_owned()];
        for before in ["0", "(0)", "0 ", "1", "8", "06", "01", "044", "00", &code, "9", "7"] {
            texts.push(format!("{before}{rest}"));
        }
        texts.push(format!("00{code}{bare}"));
        texts.push(format!("{spelled}5"));
        texts.push(format!("0{bare}50"));
        texts.push(spelled[..spelled.len() - 1].to_owned());
        texts.push(format!("0{}", &bare[1..]));
        texts.push(format!("0{}/{}", &bare[..2], &bare[2..]));
        for text in texts {
            is_read_alike(&text, *home);
        }
        // Some kinds cannot be called from abroad, or have the digits of others.
        if Phone::plain(number).is_some() {
            national_ones += 1;
            read += usize::from(is_read_alike(&spelled, *home));
        }
    }
    assert!(read * 20 > national_ones * 19, "{read} of {national_ones} without the library");
}

/// Returns the digits after the country code, as they are written abroad, and the code.
fn parts(e164: &str) -> (String, String) {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).unwrap();
    let spaced = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::International);
    let code = number.country_code.to_string();
    let rest = spaced.strip_prefix(&format!("+{code}")).unwrap().trim_start_matches([' ', '-']).to_owned();
    (code, rest)
}

fn national(e164: &str) -> String {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).unwrap();
    PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::National).into_owned()
}

/// Returns the number that a person ends with who does what the hint of a refusal says.
fn followed(text: &str, country: Option<Country>, meant: &str) -> Result<String, String> {
    let flaw = match Phone::of_record(text, country, None) {
        Ok(phone) => return Ok(phone.to_string()),
        Err(flaw) => flaw,
    };
    let hint = flaw.hint.into_owned();
    if hint.contains("write + instead of 00") {
        followed(&text.replacen("00", "+", 1), country, meant)
    } else if hint.contains("write the right one") && hint.contains(meant) {
        Ok(meant.to_owned())
    } else {
        Err(format!("{}: {hint}", flaw.code))
    }
}

#[test]
fn every_spelling_of_every_example_leads_to_its_number() {
    let (mut wrong, mut regions) = (Vec::new(), HashSet::new());
    for (region, number) in EXAMPLES.iter() {
        regions.insert(region);
        let (code, rest) = parts(number);
        // Ascension and Kosovo are not countries of the standard.
        let home = country(region);
        for spelling in [
            number.clone(),
            format!("+{code} {rest}"),
            national(number),
            format!("00{}", &number[1..]),
            format!("00{code} {rest}"),
            format!("00 {code}/{rest}"),
            format!("+{code} (0){rest}"),
            format!("+{code}(0) {rest}"),
            format!("00{code} (0) {rest}"),
        ] {
            let is_national = spelling == national(number);
            let read = followed(&spelling, home, number);
            if read.as_ref() != Ok(number) && !(is_national && home.is_none()) {
                wrong.push(format!("{region} {spelling}: {read:?}, not {number}"));
            }
        }
    }
    assert!(regions.len() > 240, "{}", regions.len());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_foreign_number_with_two_zeros_is_itself_or_refused() {
    for home in ["BR", "CO", "AU", "JP", "KR", "KH", "NG", "KE", "SG", "US", "RU", "HK", "TH", "ID", "DE", "AQ"] {
        for (_, number) in EXAMPLES.iter().step_by(5) {
            let spelling = format!("00{}", &number[1..]);
            let read = followed(&spelling, country(home), number);
            assert_eq!(read.as_ref(), Ok(number), "{spelling} in {home}");
        }
    }
}

#[test]
fn two_zeros_are_a_plus_unless_the_region_reads_another_number() {
    for (home, text, expected) in [
        ("BR", "0055 49 99123-4567", Err("may mean +5549991234567 or +49991234567; write + instead of 00")),
        ("CO", "0057 351 234 5678", Err("may mean +573512345678 or +73512345678; write + instead of 00")),
        ("AU", "0061 412 345 678", Ok("+61412345678")),
        ("JP", "0081 90-1234-5678", Ok("+819012345678")),
        ("KR", "0082 10-2000-0000", Ok("+821020000000")),
        ("KH", "00855 91 234 567", Ok("+85591234567")),
        ("NG", "00234 802 123 4567", Ok("+2348021234567")),
        ("KE", "00254 712 123456", Ok("+254712123456")),
        ("SG", "0065 8123 4567", Ok("+6581234567")),
        ("US", "001 201-555-0123", Ok("+12015550123")),
        ("US", "(00) 1 (201) 555 0123", Ok("+12015550123")),
        ("US", "００１ 201-555-0123", Ok("+12015550123")),
        ("DE", "0049 (0)30 123456", Ok("+4930123456")),
        ("DE", "0033 6 12 34 56 78", Ok("+33612345678")),
        ("US", "0049 30 123456", Err("write + instead of 00 if it is +4930123456")),
        ("AQ", "0049 30 123456", Err("write + instead of 00 if it is +4930123456")),
    ] {
        let read = Phone::of_record(text, country(home), None).map(|phone| phone.to_string());
        let read = read.map_err(|flaw| flaw.hint.into_owned());
        assert_eq!(read.as_deref().map_err(String::as_str), expected, "{text} in {home}");
    }
    let flaw = Phone::parse("0055 49 99123-4567", country("BR")).unwrap_err();
    assert_eq!(flaw.code, Code::PhoneAmbiguous);
}

#[test]
fn two_zeros_are_a_plus_for_the_records_country_whatever_the_region_of_the_others() {
    let read = |country, region| Phone::of_record("0049 30 123456", country, region).map(|phone| phone.to_string());
    assert_eq!(read(country("DE"), country("US")), Ok("+4930123456".to_owned()));
    assert!(read(country("FR"), country("US")).is_err());
    assert_eq!(read(country("FR"), country("DE")), Ok("+4930123456".to_owned()));
}

#[test]
fn a_zero_in_brackets_is_part_of_the_number_only_if_nothing_else_is_known() {
    for (text, expected) in [
        ("+39 (0)6 698 12345", Ok("+390669812345")),
        ("+39 (06) 698 12345", Ok("+390669812345")),
        ("+44 ( 0 ) 20 7946 0018", Ok("+442079460018")),
        ("+44 [0]20 7946 0018", Ok("+442079460018")),
        ("+7 (0) 912 345-67-89", Ok("+79123456789")),
        // A number in Varese, and a mobile number.
        ("+39 (0)332 123 4567", Err(Code::PhoneAmbiguous)),
    ] {
        let read = Phone::parse(text, None).map(|phone| phone.to_string()).map_err(|flaw| flaw.code);
        assert_eq!(read.as_deref().map_err(|code| *code), expected, "{text}");
    }
}

#[test]
fn bare_digits_that_end_in_zeros_were_rounded() {
    for rounded in ["491761000000", "49176100000", "4917610000000"] {
        let flaw = Phone::parse(rounded, country("DE")).unwrap_err();
        assert_eq!(flaw.code, Code::PhoneSpreadsheetDamage, "{rounded}");
    }
    for (text, number) in [
        ("+491761000000", "+491761000000"),
        ("0176 1000000", "+491761000000"),
        ("01761000000", "+491761000000"),
        ("1761000000", "+491761000000"),
    ] {
        let read = Phone::parse(text, country("DE")).map(|phone| phone.to_string()).map_err(|flaw| flaw.code);
        assert_eq!(read.as_deref(), Ok(number), "{text}");
    }
}

#[test]
fn a_number_is_foreign_if_it_lacks_the_code_of_its_country() {
    for (number, home, foreign) in [
        ("+4930123456", "DE", false),
        ("+4930123456", "AT", true),
        ("+12015550123", "CA", false),
        ("+12015550123", "PR", false),
        ("+12684641234", "US", false),
        ("+77012345678", "RU", false),
        ("+441534234567", "GB", false),
        ("+442079460018", "JE", false),
        ("+35312345678", "GB", true),
        ("+358401234567", "AX", false),
        ("+80012345678", "DE", true),
        // Countries without a code.
        ("+4930123456", "AQ", false),
    ] {
        let phone = Phone::parse(number, None).unwrap();
        let flaw = phone.foreign(country(home).unwrap());
        assert_eq!(flaw.map(|flaw| flaw.code), foreign.then_some(Code::PhoneOtherCountry), "{number} in {home}");
    }
    for (region, number) in EXAMPLES.iter() {
        let home = country(region);
        assert!(home.is_none_or(|home| !Phone::parse(number, None).unwrap().is_foreign(home)), "{number} in {region}");
    }
}

/// Returns what the library makes of a text, and whether it is a known number of at most 15 digits.
/// With an empty region, the text must start with `+`.
fn library(text: &str, region: &str) -> Option<(String, bool)> {
    let number = PHONE_NUMBER_UTIL.parse(text, Region::from_code(region).ok()).ok()?;
    let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned();
    let is_possible =
        matches!(PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number), Ok(NumberLengthType::IsPossible));
    let is_known = is_possible && PHONE_NUMBER_UTIL.is_valid_number(&number) && e164.len() <= 16;
    Some((e164, is_known))
}

/// Returns what a number was before `00` and `(0)` had two readings.
fn one_reading(text: &str, region: Option<Country>) -> Option<Phone> {
    let region = region.and_then(|country| Region::from_code(country.alpha2()).ok())?;
    let own = PHONE_NUMBER_UTIL.parse(text, Some(region)).ok();
    let number = match lost_plus(text, region) {
        Some(other) => {
            let own = own.and_then(|number| check(&number).ok()).filter(|own| own.assigned && *own != other);
            return own.is_none().then_some(other);
        }
        None => own?,
    };
    check(&number).ok()
}

const HOMES: [&str; 16] =
    ["BR", "CO", "AU", "JP", "KR", "KH", "NG", "KE", "SG", "US", "DE", "IT", "RU", "FI", "CI", "IL"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_long() { 200_000 } else { 2000 }))]

    /// Walks through the table, so that nearly all numbers are in use.
    #[test]
    fn any_national_number_is_read_without_the_library_as_by_it(
        (home, code) in select(calling_codes(include_str!("../calling_codes.txt")).collect::<Vec<_>>()),
        before in prop_oneof!["0", "", "[0-9]{1,3}", "[18]|06|01", "code"],
        choices in prop::collection::vec(any::<u16>(), 15),
    ) {
        let (mut place, mut text) = (RangePlace::after_code(code).unwrap(), before.to_owned());
        for choice in choices {
            let ways: Vec<_> = (0..10).filter_map(|digit| Some((digit, place.after(digit)?))).collect();
            if ways.is_empty() || (place.is_in_use() && choice % 4 == 0) {
                break;
            }
            let (digit, next) = ways[usize::from(choice) % ways.len()];
            text.push_str(&digit.to_string());
            place = next;
        }
        is_read_alike(&text, home);
    }

    /// Most of these are not in use, or too short or too long.
    #[test]
    fn what_is_judged_by_its_length_is_judged_so_by_the_library(
        (_, code) in select(calling_codes(include_str!("../calling_codes.txt")).collect::<Vec<_>>()),
        start in "[0-9]{0,4}",
        national in prop_oneof!["[0-9]{2,16}", "[1-9][0-9]{6,11}"],
        place in 0..8_usize,
        between in select(vec!["", " ", "-", "/", "(0)"]),
        example in prop::option::of((select(EXAMPLES.clone()), 1..20_usize)),
    ) {
        let mut text = match example {
            // An example with something before it, or a digit less or more.
            Some(((_, number), end)) => {
                let (code, rest) = (number[1..].split_at(code.to_string().len().min(3)).0.to_owned(), &number[1..]);
                format!("+{code}{start}{}", &rest[code.len()..rest.len().min(end + code.len())])
            }
            None => format!("+{code}{start}{national}"),
        };
        text.insert_str(text.len().min(place + 1), between);
        if let Some(judged) = Phone::by_length(&text) {
            let by_the_library = Phone::by_the_library(&text, None, None);
            let shown = |judged: &Result<Phone, Flaw>| match judged {
                Ok(phone) => format!("{phone} {}", phone.assigned),
                Err(flaw) => format!("{}: {}", flaw.code, flaw.hint),
            };
            prop_assert!(judged.as_ref().ok().map(|phone| phone.head) == by_the_library.as_ref().ok().map(|phone| phone.head));
            prop_assert_eq!(shown(&judged), shown(&by_the_library), "{}", text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_is_one_reading_and_no_other_reading_is_known(
        start in select(vec!["00", "", "+", "0", "(00) "]),
        number in prop_oneof![select(EXAMPLES.clone()).prop_map(|(_, number)| number), "\\+[1-9][0-9]{5,12}"],
        brackets in select(vec!["", "", "(0)"]),
        place in 0..4_usize,
        home in select(HOMES.to_vec()),
    ) {
        let digits = &number[1..];
        let text = format!("{start}{}{brackets}{}", &digits[..place], &digits[place..]);
        if let Ok(phone) = Phone::parse(&text, country(home)) {
            let mut readings = Vec::new();
            for text in [text.clone(), text.replace("(0)", "")] {
                let bare: String = text.chars().filter(char::is_ascii_digit).collect();
                readings.extend(library(&text, home));
                if !text.starts_with('+') && let Some(rest) = bare.strip_prefix("00") {
                    readings.extend(library(&format!("+{rest}"), ""));
                }
                let code = Region::from_code(home).ok().and_then(|home| PHONE_NUMBER_UTIL.get_country_code_for_region(home));
                if !text.starts_with('+') && bare.starts_with(&code.unwrap().to_string()) {
                    readings.extend(library(&format!("+{bare}"), ""));
                }
            }
            let sent = phone.to_string();
            prop_assert!(readings.iter().any(|(reading, _)| *reading == sent), "{text} in {home}: {sent} of {readings:?}");
            let other = readings.iter().find(|(reading, is_known)| *is_known && *reading != sent);
            prop_assert!(other.is_none(), "{text} in {home}: {sent} of {readings:?}");
        }
    }

    #[test]
    fn what_has_one_reading_is_read_as_before(
        start in select(vec!["", "0", "+"]),
        number in prop_oneof![select(EXAMPLES.clone()).prop_map(|(_, number)| number), "\\+[1-9][0-9]{5,12}"],
        home in select(HOMES.to_vec()),
        is_national: bool,
    ) {
        let text = match (is_national, library(&number, home)) {
            (true, Some((number, true))) => national(&number),
            _ => format!("{start}{}", &number[1..]),
        };
        if !text.starts_with("00") && !text.contains("(0)") && !is_rounded(&text) {
            let before = one_reading(&text, country(home)).map(|phone| (phone, phone.assigned));
            let now = Phone::parse(&text, country(home)).ok().map(|phone| (phone, phone.assigned));
            prop_assert!(now == before, "{text} in {home}: {now:?}");
        }
    }
}
