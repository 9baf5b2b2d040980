//! Phone numbers. The only module that uses the phone library. `number` is a number in E.164,
//! `written` how people write one, `readings` what a cell can mean.
//!
//! Nearly all numbers are decided by tables that are made from the library's own rules, because
//! the library takes some thousand times as long. A table decides only what the library would
//! decide in the same way, and leaves everything else to it.
//!
//! Decisions: letters are refused, which includes vanity numbers (`1-800-FLOWERS`) and extensions
//! (`ext. 5`), because E.164 cannot hold them. A number with a decimal point or an exponent was
//! changed by a spreadsheet and may have lost digits, so it is refused before it is parsed.
//!
//! A word before a number that only names it (`Tel.:`, `Mobile:`, `tel:`) is left out.
//!
//! A cell can have several readings, because people write `00` for `+`, drop the `+`, or write the
//! `(0)` that is dialed only within the country. If two readings are known numbers and differ, the
//! cell is refused, because only a person can decide, and the wrong number reaches another person.

mod number;
mod readings;
mod written;

use rlibphonenumber::Region;

pub use self::number::Phone;
use self::number::{no_country_code, read};
use self::readings::{choose, judged_at_home, judged_by_length, other_readings, with_surplus_of};
use self::written::{check_characters, check_damage, is_international, with_plain_spaces, without_label};
use super::country_code::Country;
use crate::domain::text::trimmed;
use crate::domain::violation::{Code, Flaw};

impl Phone {
    /// Normalizes a number to E.164. `region` is the country whose rules apply to a number without
    /// `+`.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `phone.*` codes.
    pub fn parse(text: &str, region: Option<Country>) -> Result<Self, Flaw> {
        Self::of_record(text, region, None)
    }

    /// Normalizes the number of a record of `country` to E.164. `region` is the country whose rules
    /// apply to a number without `+`, if it is not the record's own.
    ///
    /// # Errors
    /// Returns a [`Flaw`] with one of the `phone.*` codes.
    pub fn of_record(text: &str, country: Option<Country>, region: Option<Country>) -> Result<Self, Flaw> {
        // Spreadsheet users type an apostrophe first, so that a cell does not become a number.
        let text = trimmed(text);
        let text = text.strip_prefix('\'').map_or(text, str::trim);
        if text.is_empty() {
            return Err(Flaw::new(Code::PhoneMissing, "every customer needs a phone number"));
        }
        let home = region.or(country);
        if let Some(number) = Self::plain(text) {
            return Ok(number);
        }
        Self::by_length(text)
            .or_else(|| judged_at_home(text, home?))
            .unwrap_or_else(|| Self::by_the_library(text, country, region))
    }

    /// Returns what [`Phone::of_record`] returns for a number that [`Phone::plain`] does not know,
    /// if the tables suffice. Returns `None` for all others.
    #[must_use]
    pub fn by_the_tables(text: &str, home: Country) -> Option<Self> {
        Self::national(text, home).or_else(|| judged_by_length(text)?.ok())
    }

    /// Does what [`Phone::of_record`] does for a text that is not empty, and uses the phone library
    /// in any case.
    fn by_the_library(text: &str, country: Option<Country>, region: Option<Country>) -> Result<Self, Flaw> {
        let text = without_label(text);
        check_damage(text)?;
        check_characters(text)?;
        let text = &*with_plain_spaces(text);
        let region = region.or(country);
        if !is_international(text) && region.is_none() {
            return Err(Flaw::new(Code::PhoneNoCountryCode, no_country_code(text)));
        }
        let region = region.and_then(|country| Region::from_code(country.alpha2()).ok());
        choose(read(text, region), &other_readings(text, region), country).map_err(|flaw| with_surplus_of(flaw, text))
    }
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod spellings;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

    use super::super::data_file;
    use super::number::number_of;
    use super::readings::may_begin_with;
    use super::written::is_between;
    use super::*;

    fn country(code: &str) -> Option<Country> {
        Some(Country::parse(code).unwrap())
    }

    /// Run with `UPDATE=1` to write the list again.
    #[test]
    fn the_list_of_calling_codes_is_that_of_the_phone_library() {
        let mut codes = std::collections::BTreeMap::<u16, Vec<String>>::new();
        for [first, second] in ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| [first, second])) {
            let alpha2 = format!("{first}{second}");
            let region = Region::from_code(&alpha2).ok().filter(|_| Country::plain(&alpha2).is_some());
            if let Some(code) = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region)) {
                codes.entry(u16::try_from(code).unwrap()).or_default().push(alpha2);
            }
        }
        let mut list =
            "# Calling codes, and the countries that have them, from the metadata of the phone library.\n".to_owned();
        list.extend(codes.into_iter().map(|(code, countries)| format!("{code} {}\n", countries.join(" "))));
        data_file::check("calling_codes.txt", list.as_bytes());
    }

    fn e164(text: &str, region: Option<Country>) -> Result<String, Code> {
        Phone::parse(text, region).map(|phone| phone.to_string()).map_err(|flaw| flaw.code)
    }

    #[test]
    fn what_is_short_of_its_area_code_is_refused_however_it_is_written() {
        // Canada has such numbers, for calls within Canada.
        for text in ["+13104384", "+1 310 4384", "+1 310/4384"] {
            assert_eq!(e164(text, None), Err(Code::PhoneImpossible), "{text}");
        }
    }

    #[test]
    fn every_example_normalises_to_its_e164_and_the_short_ones_are_refused() {
        let table = include_str!("../../../fixtures/data/phones-by-region.csv");
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(rows.len() > 150);
        for row in rows {
            let region = Country::parse(&row[0]).ok();
            let mobile = Ok(row[3].to_owned());
            assert_eq!(e164(&row[3], None), mobile, "{row:?}");
            assert_eq!(e164(&row[4], None), mobile, "{row:?}");
            assert_eq!(e164(&row[5], region), mobile, "{row:?}");
            assert_eq!(e164(&format!(" '{}", &row[3]), None), mobile, "{row:?}");
            assert!(Phone::parse(&row[3], None).unwrap().oddity().is_none(), "{row:?}");
            if !row[6].is_empty() {
                assert_eq!(e164(&row[6], None), Ok(row[6].to_owned()), "{row:?}");
            }
            if !row[7].is_empty() {
                // If a country also has shorter numbers, one digit less gives a possible number
                // outside all known ranges.
                let short = Phone::parse(&row[7], None);
                assert!(short.map_or(true, |phone| phone.oddity().is_some()), "{row:?}");
            }
        }
    }

    #[test]
    fn spreadsheet_damage_is_seen_before_anything_is_made_of_it() {
        for damaged in [
            "2.34904E+12",
            "2,34904E+12",
            "491512345678.0",
            "4.9e11",
            "1E5",
            "+4.9E11",
            "=\"0301\"",
            "=+49151",
            "#N/A",
            "0.5",
        ] {
            assert_eq!(e164(damaged, country("DE")), Err(Code::PhoneSpreadsheetDamage), "{damaged}");
        }
        assert_eq!(e164("0151.23456789", country("DE")), Ok("+4915123456789".to_owned()));
        assert_eq!(e164("201.555.0123", country("US")), Ok("+12015550123".to_owned()));
    }

    #[test]
    fn what_is_no_number_gets_its_own_code() {
        for (text, region, code) in [
            ("", None, Code::PhoneMissing),
            (" ' ", None, Code::PhoneMissing),
            ("1-800-FLOWERS", country("US"), Code::PhoneSyntax),
            ("+49 30 123456 ext. 5", None, Code::PhoneSyntax),
            ("+49 30 123456~78", None, Code::PhoneSyntax),
            ("030 123456 ~ 5", country("DE"), Code::PhoneSyntax),
            ("+49 151 1 / +49 151 2", None, Code::PhoneSyntax),
            ("+", None, Code::PhoneSyntax),
            ("---", country("US"), Code::PhoneSyntax),
            ("030 123456", None, Code::PhoneNoCountryCode),
            ("0049 30 123456", None, Code::PhoneNoCountryCode),
            ("12345", country("AQ"), Code::PhoneNoCountryCode),
            ("+999 123 456 789", None, Code::PhoneImpossible),
            ("+49 1", None, Code::PhoneImpossible),
            ("+431110", None, Code::PhoneImpossible),
            ("+43 1110", None, Code::PhoneImpossible),
            ("+1 201 555 01234567", None, Code::PhoneImpossible),
        ] {
            assert_eq!(e164(text, region), Err(code), "{text}");
        }
    }

    #[test]
    fn whatever_people_write_between_digits_changes_nothing() {
        for between in ('\0'..char::MAX).filter(|character| is_between(*character)) {
            let text = format!("+49{between}151{between}23456789");
            assert_eq!(e164(&text, None), Ok("+4915123456789".to_owned()), "{text:?}");
            let text = format!("0151{between}234{between}56789");
            assert_eq!(e164(&text, country("DE")), Ok("+4915123456789".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_word_before_a_number_that_only_names_it_is_left_out() {
        for text in [
            "Tel: +49 30 123456",
            "TEL.: +4930123456",
            "Tél. : +49 30 123456",
            "tel:+49-30-123456",
            "Phone: 030 123456",
            "'Telefon 030/123456",
            "電話：０３０ 123456",
            "Mobile: 0049 30 123456",
        ] {
            assert_eq!(e164(text, country("DE")), Ok("+4930123456".to_owned()), "{text}");
        }
        for (text, code) in [
            ("Fax: +49 30 123456", Code::PhoneSyntax),
            ("Telex: +49 30 123456", Code::PhoneSyntax),
            ("tel:+49-30-123456;ext=5", Code::PhoneSyntax),
            ("Tel:", Code::PhoneSyntax),
            ("Tel: 4.91761E+11", Code::PhoneSpreadsheetDamage),
        ] {
            assert_eq!(e164(text, country("DE")), Err(code), "{text}");
        }
    }

    #[test]
    fn what_makes_a_number_too_long_is_named_with_the_number_that_is_left() {
        for (text, named) in [
            ("+52 1 55 1234 5678", "without the 1 after +52 it is +525512345678"),
            ("+5215512345678", "without the 1 after +52 it is +525512345678"),
            ("Cel.: +52 (1) 55-1234-5678", "without the 1 after +52 it is +525512345678"),
            ("+52 044 55 1234 5678", "without the 044 after +52 it is +525512345678"),
            ("+52 01 55 1234 5678", "without the 01 after +52 it is +525512345678"),
            ("+34 0 612 34 56 78", "without the 0 after +34 it is +34612345678"),
            ("+33 33 6 12 34 56 78", "without the 33 after +33 it is +33612345678"),
        ] {
            let flaw = Phone::parse(text, country("MX")).unwrap_err();
            assert_eq!(flaw.code, Code::PhoneImpossible, "{text}");
            assert!(flaw.hint.contains(named), "{text}: {}", flaw.hint);
        }
        // Nothing is left that is a known number.
        let flaw = Phone::parse("+1 201 555 01234567", None).unwrap_err();
        assert!(!flaw.hint.contains("without"), "{}", flaw.hint);
    }

    #[test]
    fn national_and_dialled_spellings_follow_their_region() {
        for (text, region, expected) in [
            ("0049 30 123456", "DE", "+4930123456"),
            ("+44 (0)20 7946 0018", "GB", "+442079460018"),
            ("020 7946 0018", "GB", "+442079460018"),
            ("8 (912) 345-67-89", "RU", "+79123456789"),
            ("٠٥٠١٢٣٤٥٦٧", "AE", "+971501234567"),
            ("＋８１ ９０ １２３４ ５６７８", "JP", "+819012345678"),
        ] {
            assert_eq!(e164(text, country(region)), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_lost_plus_is_put_back_only_where_nothing_else_makes_sense() {
        for (text, region, expected) in [
            ("1 201 555 0123", "US", Ok("+12015550123")),
            ("5511961234567", "BR", Ok("+5511961234567")),
            ("919876543210", "IN", Ok("+919876543210")),
            // A valid number of Leer in Germany, and a valid German mobile number.
            ("4915123456789", "DE", Err(Code::PhoneNoCountryCode)),
            // National numbers without their leading zero.
            ("30 123456", "DE", Ok("+4930123456")),
            ("15123456789", "DE", Ok("+4915123456789")),
        ] {
            assert_eq!(e164(text, country(region)), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_number_that_the_next_reader_would_read_differently_is_refused() {
        // Each reader removes one zero.
        for (text, region) in [("0 000 0014", "SO"), ("+49 00 30 123456", "DE")] {
            assert_eq!(e164(text, country(region)), Err(Code::PhoneImpossible), "{text}");
        }
        assert_eq!(e164("06 698 12345", country("IT")), Ok("+390669812345".to_owned()));
    }

    #[test]
    fn a_possible_number_outside_known_ranges_is_sent_with_a_warning() {
        let phone = Phone::parse("+1 200 555 0123", None).unwrap();
        assert_eq!(phone.oddity().map(|flaw| flaw.code), Some(Code::PhoneNotAssigned));
    }

    /// Returns what the library's parser makes of a number.
    fn parsed(text: &str) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(text, None).ok()?;
        Some(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
    }

    fn examples() -> Vec<String> {
        let table = include_str!("../../../fixtures/data/phones-by-region.csv");
        csv::Reader::from_reader(table.as_bytes()).records().map(|row| row.unwrap()[3].to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_comes_out_is_e164(text in "[+0(]{0,2}[-0-9 ().]{0,20}", region in prop::sample::select(vec!["DE", "US", "IT", "NG", "JP", "SO"])) {
            if let Ok(phone) = Phone::parse(&text, country(region)) {
                let written = phone.to_string();
                prop_assert_eq!(number_of(&written), Some(phone.number), "{} from {}", written, text);
                prop_assert_eq!(e164(&written, None), Ok(written));
            }
        }

        #[test]
        fn grouping_changes_nothing(digits in "(43|49|98|1|44)[0-9]{4,12}", place in 1..5_usize) {
            let (plain, grouped) = (format!("+{digits}"), format!("+{} {}", &digits[..place], &digits[place..]));
            prop_assert_eq!(e164(&plain, None), e164(&grouped, None));
        }

        #[test]
        fn the_short_way_says_what_the_parser_says(
            example in prop::sample::select(examples()),
            groups in prop::collection::vec((any::<prop::sample::Index>(), "[-() 0]{1,2}"), 0..5),
        ) {
            let mut text = example;
            for (place, between) in groups {
                text.insert_str(1 + place.index(text.len()), &between);
            }
            if let Some(short) = Phone::plain(&text) {
                prop_assert_eq!(Some(short.to_string()), parsed(&text), "{}", text);
            }
        }

        #[test]
        fn only_what_begins_with_the_code_can_have_lost_its_plus(
            text in "(49|1|44|00)?[0-9 ()/.-]{4,14}|[٠-٩0-9]{6,12}",
            code in prop::sample::select(vec![49, 1, 44, 358]),
        ) {
            let parsed = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None);
            prop_assert!(may_begin_with(&text, code) || parsed.map_or(true, |number| number.country_code != code));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Phone::parse(&text, country("US"));
        }
    }
}
