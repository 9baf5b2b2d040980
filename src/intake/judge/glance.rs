//! Turns the cells of a usual record into a customer, with little work. It decides only what
//! `validate` would decide in the same way, and leaves everything else to it.

use super::findings::Findings;
use super::leftovers::leftover;
use crate::domain::{
    Country, CustomerName, CustomerType, Email, Field, Flaw, JsonObject, NewCustomer, Phone, Violations, parse_yes_no,
    trimmed,
};
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::sources::TextSource;
use crate::intake::columns::template::{Cell, Row};
use crate::intake::columns::values::Replacements;

/// A customer that may be sent and about whom there are warnings.
pub(crate) struct OddCustomer<'a> {
    customer: NewCustomer<'a>,
    /// Whether its name is odd. Its phone number shows quickly whether it is.
    has_odd_name: bool,
    has_odd_email: bool,
}

/// Returns the customer of a record that has nothing to report, or `None` if `judge` must look at
/// it. Nearly all records are like this and do not need what messages need. `region` is the country
/// of phone numbers without `+`, if it is not the record's own. If there are only warnings to
/// report, the customer goes into `odd`, out of the way of all others.
///
/// Inlined, with the phone number last because it takes longest: moving a customer after building
/// it takes longer than building it.
#[inline(always)]
pub(crate) fn see<'a>(
    mapping: &'a Mapping,
    row: &impl Row<'a>,
    region: Option<Country>,
    odd: &mut Option<OddCustomer<'a>>,
) -> Option<NewCustomer<'a>> {
    let name = plain_text(mapping, row, Field::Name)?;
    if leftover(name).is_some() {
        return None;
    }
    let (name, has_odd_name) = CustomerName::at_a_glance(name)?;
    let (email, has_odd_email) = Email::at_a_glance(plain_text(mapping, row, Field::Email)?)?;
    let kind = match plain_text(mapping, row, Field::Type)? {
        "" if mapping.feeding(Field::Type).set.is_some() => return None,
        "" => CustomerType::default(),
        text => CustomerType::parse(text).ok()?,
    };
    let send_kyc_mail = match plain_text(mapping, row, Field::SendKycMail)? {
        "" if mapping.feeding(Field::SendKycMail).set.is_some() => return None,
        "" => true,
        text => parse_yes_no(text).ok()?,
    };
    let extra = if mapping.extras.is_empty() { None } else { plain_extras(mapping, row)? };
    let text = plain_text(mapping, row, Field::Country)?;
    let country = match Country::plain(text) {
        Some(country) => country,
        None => country_by_name(text)?,
    };
    let text = plain_text(mapping, row, Field::Phone)?;
    let phone = match Phone::plain(text) {
        Some(phone) => phone,
        None => phone_by_the_tables(text, region.unwrap_or(country))?,
    };
    if has_odd_name | has_odd_email | !phone.is_assigned() | phone.is_foreign(country) {
        let customer = NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra };
        *odd = Some(OddCustomer { customer, has_odd_name, has_odd_email });
        return None;
    }
    Some(NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra })
}

/// Returns a number in national spelling, or one that is not in use. Kept out of the fast path of
/// files that have none.
#[cold]
#[inline(never)]
fn phone_by_the_tables(text: &str, home: Country) -> Option<Phone> {
    Phone::by_the_tables(text, home)
}

/// Returns the country of a name. Kept out of the fast path of files that have codes.
#[cold]
#[inline(never)]
fn country_by_name(text: &str) -> Option<Country> {
    Country::named(text)
}

impl<'a> OddCustomer<'a> {
    /// Returns the customer with the warnings that `judge` has about it.
    pub(crate) fn with_warnings(self, mapping: &'a Mapping, row: &impl Row<'a>) -> (NewCustomer<'a>, Violations<'a>) {
        let Self { customer, has_odd_name, has_odd_email } = self;
        let mut warnings = Violations::default();
        let mut note = |field, flaw: Option<Flaw>| {
            if let Some(flaw) = flaw {
                let column = mapping.feeding(field).origin.as_ref().map_or(field.as_str(), TextSource::name);
                warnings.push(flaw.at(column, plain_text(mapping, row, field).unwrap_or_default()));
            }
        };
        if has_odd_name {
            note(Field::Name, customer.name.oddity());
        }
        if has_odd_email {
            note(Field::Email, customer.email.oddity());
        }
        note(Field::Phone, customer.phone.oddity());
        note(Field::Phone, customer.phone.foreign(customer.country));
        (customer, warnings)
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
                "030 1234567/0301234568", "0301234 / 5678901", "151 0000000000", "15100000000", "(0)15123456789", "+49151", ""]),
            country in select(vec!["DE", "deu", " DEU ", "Germany", "Deutschland ", "Congo", "XX", "<null>", ""]),
            others in (
                select(vec!["", "business", " Individual", "firm"]),
                select(vec!["", "no", "TRUE ", "maybe"]),
                select(vec!["", "Köln", "#REF!"]),
            ),
            sets in select(vec![vec![], vec!["customer_type=business", "send_kyc_mail=no"], vec!["customer_country=FR"]]),
            values in select(vec![vec![], vec!["type:firm=business", "email:ü@b.de=u@b.de", "name:#N/A=Ada", "country:Congo=COD"]]),
        ) {
            let (kind, mail, city) = others;
            let (mapping, cells) = (mapping_of(&sets, &values), [name, email, phone, country, kind, mail, city]);
            let row = Cells(&cells);
            let mut odd = None;
            let plain = see(&mapping, &row, None, &mut odd);
            prop_assert!(plain.is_none() || odd.is_none());
            let is_odd = odd.is_some();
            let seen = plain.map(|customer| (customer, Violations::default()));
            if let Some((customer, warnings)) = seen.or_else(|| Some(odd?.with_warnings(&mapping, &row))) {
                match judge(&mapping, &row, None, Vec::new(), &[]) {
                    RecordVerdict::Valid { customer: judged, warnings: said } => {
                        prop_assert!(customer == judged && is_odd != said.is_empty(), "{:?}: {:?}", cells, said);
                        prop_assert_eq!(warnings, said, "{:?}", cells);
                    }
                    RecordVerdict::Invalid { problems, .. } => prop_assert!(false, "{:?}: {:?}", cells, problems),
                }
            }
        }
    }

    #[test]
    fn a_glance_is_enough_for_the_usual_record_and_for_one_with_a_warning() {
        const USUAL: [&str; 7] = ["Ada", "ada@kunde.de", "+4915123456789", "DE", "", "", "Köln"];
        for (column, cell, is_odd) in [
            (0, " Ada ", false),
            (3, "Germany", false),
            (0, "unknown", true),
            (0, "J?rgen", true),
            (1, "ada@example.com", true),
            (2, "+491100123456", true),
            (3, "FR", true),
        ] {
            let mut cells = USUAL;
            cells[column] = cell;
            let (mapping, mut odd) = (mapping(&[]), None);
            let plain = see(&mapping, &Cells(&cells), None, &mut odd);
            assert_eq!((plain.is_some(), odd.is_some()), (!is_odd, is_odd), "{cells:?}");
        }
    }
}
