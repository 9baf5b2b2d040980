//! Turns the cells of one record into a verdict. It collects every problem and guesses nothing.

use std::borrow::Cow;

use super::findings::Findings;
use super::given::Given;
use crate::domain::{
    Code, Country, CustomerName, CustomerType, Email, Field, Flaw, NewCustomer, Phone, RecordVerdict, Severity,
    Violation, Violations, parse_yes_no,
};
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::template::Row;

/// Judges any record. `region` is the country of phone numbers without `+`, if it is not the
/// record's own. `oddities` are the warnings that were found while the record was read, and `held`
/// the warnings that count as problems.
pub(crate) fn judge<'a>(
    mapping: &'a Mapping,
    row: &impl Row<'a>,
    region: Option<Country>,
    oddities: Vec<Violation<'a>>,
    held: &[Code],
) -> RecordVerdict<'a> {
    let mut findings = Findings { violations: Violations::default() };
    let given = |field| Given::of(mapping, row, field);

    let title = given(Field::Name);
    let name = title.check_text().and_then(|()| CustomerName::judged(title.text.clone()));
    let name = findings.take_judged(&title, name);

    let address = given(Field::Email);
    let email = address.check_structure().and_then(|()| Email::judged(address.text.clone()));
    let email = findings.take_judged(&address, email);

    let (country, phone) = judge_country_and_phone(&mut findings, mapping, row, region, None);

    let cell = given(Field::Type);
    let kind = cell.check_structure().and_then(|()| cell.or(CustomerType::default(), CustomerType::parse));
    let kind = findings.take(&cell, kind);

    let cell = given(Field::SendKycMail);
    let send_kyc_mail = cell.check_structure().and_then(|()| cell.or(true, parse_yes_no));
    let send_kyc_mail = findings.take(&cell, send_kyc_mail);

    let extra = findings.extras(&mapping.extras, row);
    oddities.into_iter().for_each(|oddity| findings.violations.push(oddity));
    let customer = match (name, email, phone, country, kind, send_kyc_mail) {
        (Some(name), Some(email), Some(phone), Some(country), Some(kind), Some(send_kyc_mail)) => {
            Some(NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra })
        }
        _ => None,
    };
    conclude(findings, customer, held, || [address, title].map(|cell| cell.text))
}

/// Judges the country of a record, and its phone number, which depends on the country. `refused` is
/// what [`Country::parse`] says about the country's text, if that is known.
pub(super) fn judge_country_and_phone<'a>(
    findings: &mut Findings<'a>,
    mapping: &'a Mapping,
    row: &impl Row<'a>,
    region: Option<Country>,
    refused: Option<Flaw>,
) -> (Option<Country>, Option<Phone>) {
    let cell = Given::of(mapping, row, Field::Country);
    let parsed = || refused.map_or_else(|| Country::parse(&cell.text), Err);
    let country = cell.check_structure().and_then(|()| parsed());
    let country = findings.take(&cell, country);

    let cell = Given::of(mapping, row, Field::Phone);
    let phone = cell.check_structure().and_then(|()| check_one_number(&cell.text));
    let phone = phone.and_then(|()| Phone::of_record(&cell.text, country, region));
    let phone = findings.take_judged(&cell, phone.map(|phone| (phone, phone.oddity())));
    if country.is_none() && region.is_none() {
        findings.mark_consequence(Code::PhoneNoCountryCode);
    }
    findings.note(&cell, phone.zip(country).and_then(|(phone, country)| phone.foreign(country)));
    (country, phone)
}

/// Returns the verdict on a record. `customer` is what its cells are, if none of them is refused,
/// and `given` returns its e-mail and its name as they were given.
#[inline]
pub(super) fn conclude<'a>(
    mut findings: Findings<'a>,
    customer: Option<NewCustomer<'a>>,
    held: &[Code],
    given: impl FnOnce() -> [Cow<'a, str>; 2],
) -> RecordVerdict<'a> {
    hold(&mut findings.violations, held);
    let has_problems = findings.violations.iter().any(|found| found.severity == Severity::Problem);
    match customer.filter(|_| !has_problems) {
        Some(customer) => RecordVerdict::Valid { customer, warnings: findings.violations },
        None => {
            let [email, name] = given().map(|text| Some(text).filter(|text| !text.is_empty()));
            RecordVerdict::Invalid { email, name, problems: findings.violations }
        }
    }
}

/// Turns the warnings with one of these codes into problems.
pub(crate) fn hold(violations: &mut [Violation<'_>], held: &[Code]) {
    for violation in violations.iter_mut().filter(|violation| held.contains(&violation.code)) {
        violation.severity = Severity::Problem;
    }
}

/// Refuses a text in which two parts, separated as people separate phone numbers, are long enough
/// for a number each.
fn check_one_number(text: &str) -> Result<(), Flaw> {
    const SHORTEST: usize = 7;
    // Rules out most texts.
    if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b' ' | b'-' | b'(' | b')')) {
        return Ok(());
    }
    let is_separator =
        |character: char| character.is_alphabetic() || matches!(character, ';' | ':' | ',' | '/' | '|' | '&' | '\n');
    let (mut numbers, mut digits) = (0, 0);
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits += 1;
            numbers += u32::from(digits == SHORTEST);
        } else if is_separator(character) {
            digits = 0;
        }
    }
    if numbers < 2 { Ok(()) } else { Err(Flaw::new(Code::PhoneSeveral, "holds more than one number: keep one")) }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::glance::{Seen, see};
    use super::*;
    use crate::domain::trimmed;
    use crate::intake::columns::column_names::{ColumnNames, Place};
    use crate::intake::columns::template::Cell;
    use crate::intake::options::InputOptions;

    pub(in crate::intake::judge) struct Cells<'a>(pub(in crate::intake::judge) &'a [&'a str]);

    impl<'a> Row<'a> for Cells<'a> {
        fn cell(&self, place: &Place) -> Cell<'a> {
            let Place::Index(index) = place else { return Cell::Absent };
            self.0.get(*index).map_or(Cell::Absent, |text| Cell::Text(text))
        }
    }

    const COLUMNS: [&str; 7] =
        ["name", "email", "phone", "country", "customer_type", "send_kyc_mail", "customer_address.city"];

    pub(in crate::intake::judge) fn mapping(sets: &[&str]) -> Mapping {
        mapping_of(sets, &[])
    }

    pub(in crate::intake::judge) fn mapping_of(sets: &[&str], values: &[&str]) -> Mapping {
        let options = InputOptions {
            sets: sets.iter().map(|set| set.parse().unwrap()).collect(),
            values: values.iter().map(|value| value.parse().unwrap()).collect(),
            ..InputOptions::default()
        };
        Mapping::resolve(&ColumnNames::Header(COLUMNS.map(str::to_owned).to_vec()), &options).unwrap()
    }

    proptest! {
        #[test]
        fn a_replaced_value_is_judged_as_if_the_file_had_it(
            name in select(vec!["Ada", " X ", "\\N", "#N/A"]),
            country in select(vec!["DE", "BRD?", " BRD?", "brd?", ""]),
            kind in select(vec!["", "Firma", "firma", " Firma\u{a0}", "Firma ", "individual"]),
            mail in select(vec!["", "ja", "Ja", "no"]),
            is_set in any::<bool>(),
        ) {
            let sets: &[&str] = if is_set { &["type=individual", "country=FR"] } else { &[] };
            let values = ["name:X=Ada X", r"name:\N=Eva", "country:BRD?=DE", "type:Firma=business", "send_kyc_mail:ja=yes"];
            let by_hand = |cell: &'static str| match trimmed(cell) {
                "X" => "Ada X",
                "\\N" => "Eva",
                "BRD?" => "DE",
                "Firma" => "business",
                "ja" => "yes",
                _ => cell,
            };
            let cells = [name, "ada@kunde.de", "+4915123456789", country, kind, mail, "Köln"];
            let (with, without) = (mapping_of(sets, &values), mapping_of(sets, &[]));
            let edited = cells.map(by_hand);
            let (one, other) = (Cells(&cells), Cells(&edited));
            prop_assert!(see(&with, &one, None, &mut Seen::Nothing) == see(&without, &other, None, &mut Seen::Nothing));
            let judged = [(&with, &one), (&without, &other)].map(|(mapping, row)| judge(mapping, row, None, Vec::new(), &[]));
            match judged {
                [RecordVerdict::Valid { customer, .. }, RecordVerdict::Valid { customer: expected, .. }] => {
                    prop_assert!(customer == expected);
                }
                [one, other] => prop_assert_eq!(one.violations(), other.violations()),
            }
        }
    }

    #[test]
    fn null_markers_are_refused_in_every_field_and_extra() {
        const GOOD: [&str; 7] = ["Ada", "ada@kunde.de", "+4915123456789", "DE", "", "", "Köln"];
        let mapping = mapping(&[]);
        for marker in ["\\N", "(null)", "[NULL]", "<null>", " \\N "] {
            for column in 0..GOOD.len() {
                let mut cells = GOOD;
                cells[column] = marker;
                assert!(see(&mapping, &Cells(&cells), None, &mut Seen::Nothing).is_none(), "{cells:?}");
                let verdict = judge(&mapping, &Cells(&cells), None, Vec::new(), &[]);
                let codes: Vec<_> = verdict.violations().iter().map(|violation| violation.code).collect();
                assert!(verdict.is_invalid() && codes.contains(&Code::CellNullMarker), "{cells:?}: {codes:?}");
            }
        }
    }

    #[test]
    fn a_null_marker_in_a_part_of_a_template_is_refused() {
        let options = InputOptions {
            maps: vec!["customer_name={name} {customer_address.city}".parse().unwrap()],
            ..InputOptions::default()
        };
        let mapping = Mapping::resolve(&ColumnNames::Header(COLUMNS.map(str::to_owned).to_vec()), &options).unwrap();
        let cells = |city| ["Ada", "ada@kunde.de", "+4915123456789", "DE", "", "", city];
        for (city, codes) in [("\\N", vec![Code::CellNullMarker; 2]), ("(Sir)", vec![])] {
            let cells = cells(city);
            let verdict = judge(&mapping, &Cells(&cells), None, Vec::new(), &[]);
            let found: Vec<_> = verdict.violations().iter().map(|violation| violation.code).collect();
            assert_eq!(found, codes, "{city}");
        }
    }

    #[test]
    fn two_phone_numbers_in_a_cell_are_refused() {
        let mapping = mapping(&[]);
        for (phone, code) in [
            ("+49 151 23456789; +49 30 1234567", Some(Code::PhoneSeveral)),
            ("+4915123456789/+49301234567", Some(Code::PhoneSeveral)),
            ("+4915123456789 ::: +49301234567", Some(Code::PhoneSeveral)),
            ("+4915123456789 or +49301234567", Some(Code::PhoneSeveral)),
            ("+4915123456789\n+49301234567", Some(Code::PhoneSeveral)),
            ("030/12345678", None),
            ("Tel 030 12345678", None),
            ("Tel: +49 30 1234567, Mobil: +49 151 23456789", Some(Code::PhoneSeveral)),
        ] {
            let cells = ["Ada", "ada@kunde.de", phone, "DE", "", "", ""];
            let verdict = judge(&mapping, &Cells(&cells), None, Vec::new(), &[]);
            assert_eq!(verdict.violations().first().map(|violation| violation.code), code, "{phone:?}");
        }
    }

    #[test]
    fn a_number_of_another_country_is_sent_with_a_warning() {
        let judged = |phone, country| {
            let cells = ["Ada", "ada@kunde.de", phone, country, "", "", ""];
            match judge(&mapping(&[]), &Cells(&cells), None, Vec::new(), &[]) {
                RecordVerdict::Valid { warnings, .. } => warnings.iter().map(|found| found.code).collect(),
                RecordVerdict::Invalid { .. } => Vec::new(),
            }
        };
        assert_eq!(judged("+4915123456789", "FR"), [Code::PhoneOtherCountry]);
        assert_eq!(judged("+1 200 555 0123", "FR"), [Code::PhoneNotAssigned, Code::PhoneOtherCountry]);
        assert_eq!(judged("+1 200 555 0123", "CA"), [Code::PhoneNotAssigned]);
    }
}
