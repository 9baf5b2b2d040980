//! Turns the cells of a usual record into a customer, with little work. It decides only what
//! `validate` would decide in the same way, and leaves everything else to it.

use std::borrow::Cow;

use super::findings::Findings;
use super::leftovers::leftover;
use super::validate::{conclude, judge_country_and_phone};
use crate::domain::{
    Code, Country, CustomerName, CustomerType, Email, Field, Flaw, JsonObject, NameOddity, NewCustomer, Phone,
    RecordVerdict, Violations, parse_yes_no, trimmed,
};
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::sources::TextSource;
use crate::intake::columns::template::{Cell, Row};
use crate::intake::columns::values::Replacements;

/// What a glance saw of a record with something to report.
pub(crate) enum Seen<'a> {
    /// Too little to use it.
    Nothing,
    /// Cells of which only the country or the phone number may be refused, and why the country is
    /// refused, if that was seen.
    AllButPlace(Option<Flaw>),
    /// A customer that may be sent, with warnings.
    Odd(OddCustomer<'a>),
}

/// A customer that may be sent and about whom there are warnings.
pub(crate) struct OddCustomer<'a> {
    customer: NewCustomer<'a>,
    name_oddity: Option<NameOddity>,
    /// Whether its e-mail is odd. Its phone number shows quickly whether it is.
    has_odd_email: bool,
}

/// Returns the customer of a record that has nothing to report, or `None` if `judge` must look at
/// it. Nearly all records are like this and do not need what messages need. `region` is the country
/// of phone numbers without `+`, if it is not the record's own. What it saw of another record goes
/// into `seen`, out of the way of the usual ones.
///
/// Inlined, with the phone number last because it takes longest: moving a customer after building
/// it takes longer than building it.
#[inline(always)]
pub(crate) fn see<'a>(
    mapping: &'a Mapping,
    row: &impl Row<'a>,
    region: Option<Country>,
    seen: &mut Seen<'a>,
) -> Option<NewCustomer<'a>> {
    let (name, name_oddity) = see_name(mapping, row)?;
    let (email, has_odd_email) = Email::at_a_glance(plain_text(mapping, row, Field::Email)?)?;
    let kind = see_kind(mapping, row)?;
    let send_kyc_mail = see_mail(mapping, row)?;
    let extra = if mapping.extras.is_empty() { None } else { plain_extras(mapping, row)? };
    let text = plain_text(mapping, row, Field::Country)?;
    // Matched, because `or_else` copies what it returns.
    let country = match Country::plain(text) {
        Some(country) => country,
        None => match country_by_name(text) {
            Ok(country) => country,
            Err(flaw) => {
                // In place of an empty cell stands what the user set.
                *seen = Seen::AllButPlace(Some(flaw).filter(|_| !text.is_empty()));
                return None;
            }
        },
    };
    let text = plain_text(mapping, row, Field::Phone)?;
    let phone = match Phone::plain(text) {
        Some(phone) => phone,
        None => {
            let Some(phone) = phone_by_the_tables(text, region.unwrap_or(country)) else {
                *seen = Seen::AllButPlace(None);
                return None;
            };
            phone
        }
    };
    if name_oddity.is_some() | has_odd_email | !phone.is_assigned() | phone.is_foreign(country) {
        let customer = NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra };
        *seen = Seen::Odd(OddCustomer { customer, name_oddity, has_odd_email });
        return None;
    }
    Some(NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra })
}

/// Returns the name, and what is odd about it.
#[inline(always)]
fn see_name<'a>(mapping: &'a Mapping, row: &impl Row<'a>) -> Option<(CustomerName<'a>, Option<NameOddity>)> {
    let name = plain_text(mapping, row, Field::Name)?;
    if leftover(name).is_some() { None } else { CustomerName::at_a_glance(name) }
}

#[inline(always)]
fn see_kind<'a>(mapping: &'a Mapping, row: &impl Row<'a>) -> Option<CustomerType> {
    match plain_text(mapping, row, Field::Type)? {
        "" if mapping.feeding(Field::Type).set.is_some() => None,
        "" => Some(CustomerType::default()),
        text => CustomerType::parse(text).ok(),
    }
}

#[inline(always)]
fn see_mail<'a>(mapping: &'a Mapping, row: &impl Row<'a>) -> Option<bool> {
    match plain_text(mapping, row, Field::SendKycMail)? {
        "" if mapping.feeding(Field::SendKycMail).set.is_some() => None,
        "" => Some(true),
        text => parse_yes_no(text).ok(),
    }
}

/// Returns a number in national spelling, or one that is not in use. Kept out of the fast path of
/// files that have none.
#[cold]
#[inline(never)]
fn phone_by_the_tables(text: &str, home: Country) -> Option<Phone> {
    Phone::by_the_tables(text, home)
}

/// Returns what [`Country::parse`] returns. Kept out of the fast path of files that have codes.
#[cold]
#[inline(never)]
fn country_by_name(text: &str) -> Result<Country, Flaw> {
    Country::parse(text)
}

impl<'a> Seen<'a> {
    /// Returns what `judge` returns for the record, or `None` if too little was seen of it. `held`
    /// are the warnings that count as problems.
    pub(crate) fn judged(
        self,
        mapping: &'a Mapping,
        row: &impl Row<'a>,
        region: Option<Country>,
        held: &[Code],
    ) -> Option<RecordVerdict<'a>> {
        let mut findings = Findings { violations: Violations::default() };
        let customer = match self {
            Self::Nothing => return None,
            Self::AllButPlace(country) => placed(&mut findings, mapping, row, region, country)?,
            Self::Odd(OddCustomer { customer, name_oddity, has_odd_email }) => {
                note(&mut findings, mapping, row, Field::Name, name_oddity.map(NameOddity::flaw));
                if has_odd_email {
                    note(&mut findings, mapping, row, Field::Email, customer.email.oddity());
                }
                note(&mut findings, mapping, row, Field::Phone, customer.phone.oddity());
                note(&mut findings, mapping, row, Field::Phone, customer.phone.foreign(customer.country));
                Some(customer)
            }
        };
        let text = |field| Cow::Borrowed(plain_text(mapping, row, field).unwrap_or_default());
        Some(conclude(findings, customer, held, || [Field::Email, Field::Name].map(text)))
    }
}

/// Judges the country and the phone number of a record whose other cells were seen. `country` is
/// why its country is refused, if that was seen. Returns its customer, if neither is refused.
fn placed<'a>(
    findings: &mut Findings<'a>,
    mapping: &'a Mapping,
    row: &impl Row<'a>,
    region: Option<Country>,
    country: Option<Flaw>,
) -> Option<Option<NewCustomer<'a>>> {
    let (name, name_oddity) = see_name(mapping, row)?;
    let (email, has_odd_email) = Email::at_a_glance(plain_text(mapping, row, Field::Email)?)?;
    let (kind, send_kyc_mail) = (see_kind(mapping, row)?, see_mail(mapping, row)?);
    let extra = if mapping.extras.is_empty() { None } else { plain_extras(mapping, row)? };
    note(findings, mapping, row, Field::Name, name_oddity.map(NameOddity::flaw));
    if has_odd_email {
        note(findings, mapping, row, Field::Email, email.oddity());
    }
    let (country, phone) = judge_country_and_phone(findings, mapping, row, region, country);
    let customer = |(country, phone)| NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra };
    Some(country.zip(phone).map(customer))
}

/// Notes what is odd about the text of a field.
fn note<'a>(findings: &mut Findings<'a>, mapping: &'a Mapping, row: &impl Row<'a>, field: Field, oddity: Option<Flaw>) {
    if let Some(oddity) = oddity {
        let column = mapping.feeding(field).origin.as_ref().map_or(field.as_str(), TextSource::name);
        findings.violations.push(oddity.at(column, plain_text(mapping, row, field).unwrap_or_default()));
    }
}

/// Returns the additional fields of the request, or `None` if one of them has a problem.
#[inline(never)]
fn plain_extras<'a>(mapping: &'a Mapping, row: &impl Row<'a>) -> Option<Option<Box<JsonObject>>> {
    let mut findings = Findings { violations: Violations::default() };
    let extra = findings.extras(&mapping.extras, row);
    findings.violations.is_empty().then_some(extra)
}

/// Returns the trimmed text that a record has for a field, which is empty if it has none. Returns
/// `None` if the text does not come from one cell of text.
#[inline(always)]
fn plain_text<'a>(mapping: &'a Mapping, row: &impl Row<'a>, field: Field) -> Option<&'a str> {
    let cell = match &mapping.feeding(field).origin {
        Some(TextSource::Column(column)) => row.cell(&column.place),
        Some(TextSource::Replaced { origin, values }) => return replaced_text(origin, values, row),
        Some(_) => return None,
        None => Cell::Absent,
    };
    match cell {
        Cell::Text(text) => Some(trimmed(text)),
        Cell::Absent => Some(""),
        Cell::Json(_) => None,
    }
}

/// Returns the trimmed text of a column with its values replaced, as [`plain_text`] does. Kept out
/// of the fast path of files without such values.
#[inline(never)]
fn replaced_text<'a>(origin: &TextSource, values: &'a Replacements, row: &impl Row<'a>) -> Option<&'a str> {
    let TextSource::Column(column) = origin else { return None };
    match row.cell(&column.place) {
        Cell::Text(text) => Some(values.get(trimmed(text)).unwrap_or(trimmed(text))),
        Cell::Absent => Some(""),
        Cell::Json(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::validate::judge;
    use super::super::validate::tests::{Cells, mapping, mapping_of};
    use super::*;
    use crate::domain::RecordVerdict;

    proptest! {
        #[test]
        fn a_glance_at_a_record_says_what_judging_it_says(
            name in select(vec!["Ada", "unknown", "J?rgen", "JÃ¼rgen", "M&uuml;ller", "\\N", " Zoë ", "", "#N/A", "1E+10", "=A1", "1.5", "a?", "Ame\u{301}lie", "\u{202e}x"]),
            email in select(vec!["a@b.de", " a@b.de ", "", "a@b.test", "Ada@B-C.org", "a@b", "ü@b.de", "=\"a@b.de\""]),
            phone in select(vec!["+4915123456789", "'+4915123456789", "+49 151 23456789", "+33612345678", "+12005550123", "+1 200 555-0123", "+491100123456", "'+12005550123", "+14155552", "+39 (0)332 123 4567", "015123456789", "0151/23456789",
                "030 1234567/0301234568", "0301234 / 5678901", "151 0000000000", "15100000000", "(0)15123456789", "+49151", "\\N", "0176 12345678; 030 1234567", "Tel: +4915123456789", ""]),
            country in select(vec!["DE", "deu", " DEU ", "Germany", "Deutschland ", "Congo", "XX", "<null>", ""]),
            others in (
                select(vec!["", "business", " Individual", "firm"]),
                select(vec!["", "no", "TRUE ", "maybe"]),
                select(vec!["", "Köln", "#REF!"]),
            ),
            region in select(vec![None, Country::plain("FR")]),
            held in select(vec![vec![], vec![Code::EmailReservedDomain, Code::PhoneOtherCountry]]),
            sets in select(vec![vec![], vec!["customer_type=business", "send_kyc_mail=no"], vec!["customer_country=FR"]]),
            values in select(vec![vec![], vec!["type:firm=business", "email:ü@b.de=u@b.de", "name:#N/A=Ada", "country:Congo=COD"]]),
        ) {
            let (kind, mail, city) = others;
            let (mapping, cells) = (mapping_of(&sets, &values), [name, email, phone, country, kind, mail, city]);
            let row = Cells(&cells);
            let mut seen = Seen::Nothing;
            let plain = see(&mapping, &row, region, &mut seen);
            prop_assert!(plain.is_none() || matches!(seen, Seen::Nothing));
            let warnings = Violations::default();
            let glanced = plain.map(|customer| RecordVerdict::Valid { customer, warnings });
            let glanced = glanced.or_else(|| seen.judged(&mapping, &row, region, &held));
            match (glanced, judge(&mapping, &row, region, Vec::new(), &held)) {
                (None, _) => {}
                (
                    Some(RecordVerdict::Valid { customer, warnings }),
                    RecordVerdict::Valid { customer: judged, warnings: said },
                ) => prop_assert!(customer == judged && warnings == said, "{:?}: {:?}", cells, said),
                (
                    Some(RecordVerdict::Invalid { email, name, problems }),
                    RecordVerdict::Invalid { email: given_email, name: given_name, problems: said },
                ) => {
                    prop_assert_eq!((email, name), (given_email, given_name));
                    prop_assert_eq!(&problems, &said, "{:?}", cells);
                    let marks = |all: &Violations<'_>| -> Vec<_> {
                        all.iter().map(|one| (one.severity, one.is_consequence, one.hint.clone())).collect()
                    };
                    prop_assert_eq!(marks(&problems), marks(&said));
                }
                (Some(glanced), judged) => prop_assert!(false, "{:?}: {:?} {:?}", cells, glanced, judged),
            }
        }
    }

    #[test]
    fn a_glance_is_enough_for_the_usual_record_and_for_what_is_often_odd_or_wrong() {
        const USUAL: [&str; 7] = ["Ada", "ada@kunde.de", "+4915123456789", "DE", "", "", "Köln"];
        for (column, cell, is_odd) in [
            (0, " Ada ", false),
            (3, "Germany", false),
            (0, "unknown", true),
            (0, "J?rgen", true),
            (1, "ada@example.com", true),
            (2, "+491100123456", true),
            (3, "FR", true),
            (3, "Atlantis", true),
            (2, "+4915", true),
            (2, "", true),
        ] {
            let mut cells = USUAL;
            cells[column] = cell;
            let (mapping, mut seen) = (mapping(&[]), Seen::Nothing);
            let plain = see(&mapping, &Cells(&cells), None, &mut seen);
            assert_eq!((plain.is_some(), !matches!(seen, Seen::Nothing)), (!is_odd, is_odd), "{cells:?}");
        }
    }
}
