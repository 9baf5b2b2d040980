//! Turns the cells of one record into a verdict. It collects every problem and guesses nothing.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::{
    Code, Country, CustomerName, CustomerType, Email, Field, Flaw, Json, JsonObject, NewCustomer, Phone, RecordVerdict,
    Severity, Violation, Violations, parse_yes_no, trim, trimmed,
};
use crate::intake::columns::column_names::Column;
use crate::intake::columns::mapping::Mapping;
use crate::intake::columns::sources::{ExtraField, TextSource};
use crate::intake::columns::template::{Cell, Row, assemble, cell_text};
use crate::intake::columns::values::Replacements;
use crate::intake::read::ndjson::kind;

/// A customer that may be sent and about whom there are warnings.
pub(crate) struct OddCustomer<'a> {
    customer: NewCustomer<'a>,
    /// Whether its name is odd. Its phone number shows quickly whether it is.
    has_odd_name: bool,
    has_odd_email: bool,
}

/// Returns the customer of a record that has nothing to report, or `None` if [`judge`] must look at
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
    /// Returns the customer with the warnings that [`judge`] has about it.
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
    let name = title.check_text().and_then(|()| CustomerName::parse(title.text.clone()));
    let name = findings.take(&title, name, CustomerName::oddity);

    let address = given(Field::Email);
    let email = address.check_structure().and_then(|()| Email::parse(address.text.clone()));
    let email = findings.take(&address, email, Email::oddity);

    let cell = given(Field::Country);
    let country = cell.check_structure().and_then(|()| Country::parse(&cell.text));
    let country = findings.take(&cell, country, |_| None);

    let cell = given(Field::Phone);
    let phone = cell.check_structure().and_then(|()| check_one_number(&cell.text));
    let phone = phone.and_then(|()| Phone::of_record(&cell.text, country, region));
    let phone = findings.take(&cell, phone, Phone::oddity);
    if country.is_none() && region.is_none() {
        findings.mark_consequence(Code::PhoneNoCountryCode);
    }
    findings.note(&cell, phone.zip(country).and_then(|(phone, country)| phone.foreign(country)));

    let cell = given(Field::Type);
    let kind = cell.check_structure().and_then(|()| cell.or(CustomerType::default(), CustomerType::parse));
    let kind = findings.take(&cell, kind, |_| None);

    let cell = given(Field::SendKycMail);
    let send_kyc_mail = cell.check_structure().and_then(|()| cell.or(true, parse_yes_no));
    let send_kyc_mail = findings.take(&cell, send_kyc_mail, |_| None);

    let extra = findings.extras(&mapping.extras, row);
    oddities.into_iter().for_each(|oddity| findings.violations.push(oddity));
    hold(&mut findings.violations, held);

    let has_problems = findings.violations.iter().any(|found| found.severity == Severity::Problem);
    match (name, email, phone, country, kind, send_kyc_mail) {
        (Some(name), Some(email), Some(phone), Some(country), Some(kind), Some(send_kyc_mail)) if !has_problems => {
            let customer = NewCustomer { name, email, phone, country, kind, send_kyc_mail, extra };
            RecordVerdict::Valid { customer, warnings: findings.violations }
        }
        _ => {
            let [email, name] = [address, title].map(|cell| Some(cell.text).filter(|text| !text.is_empty()));
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

/// Returns what a record has for a field, so that the report can name it even if other cells are
/// invalid. `None` if it has nothing.
pub(crate) fn given_text<'a>(mapping: &'a Mapping, row: &impl Row<'a>, field: Field) -> Option<Cow<'a, str>> {
    Some(Given::of(mapping, row, field).text).filter(|text| !text.is_empty())
}

/// What a record has for a field.
struct Given<'a> {
    field: Field,
    column: &'a str,
    /// The trimmed text, which is empty if the record has none.
    text: Cow<'a, str>,
    /// The JSON value, if it is not a string.
    json: Option<&'a Json>,
    /// Whether the text, or a cell that is part of it, is what databases write for an empty value.
    has_null_marker: bool,
}

impl<'a> Given<'a> {
    #[inline]
    fn of(mapping: &'a Mapping, row: &impl Row<'a>, field: Field) -> Self {
        let feeding = mapping.feeding(field);
        let (column, text, json) = match &feeding.origin {
            Some(TextSource::Column(column)) => content_of(column, row),
            Some(origin) => content(origin, row),
            None => (field.as_str(), Cow::Borrowed(""), None),
        };
        match &feeding.set {
            Some(value) if text.is_empty() && json.is_none() => {
                Self { field, column: field.as_str(), text: Cow::Borrowed(value), json: None, has_null_marker: false }
            }
            _ => {
                let has_null_marker = match &feeding.origin {
                    None | Some(TextSource::Column(_)) => is_null_marker(&text),
                    Some(origin) => {
                        text.contains(NULL_MARKERS_BEGIN) && (is_null_marker(&text) || null_part(origin, row))
                    }
                };
                Self { field, column, text, json, has_null_marker }
            }
        }
    }

    /// Refuses arrays and objects, because they are not a value of any field, and what databases
    /// write for an empty value.
    fn check_structure(&self) -> Result<(), Flaw> {
        match self.json {
            Some(value) if value.is_nested() => Err(self.misfit(value)),
            _ if self.has_null_marker => Err(null_marker()),
            _ => Ok(()),
        }
    }

    /// Refuses a name that is not a string, and text that a spreadsheet left behind.
    fn check_text(&self) -> Result<(), Flaw> {
        match (self.json, artefact(&self.text)) {
            (Some(value), _) => Err(self.misfit(value)),
            (None, _) if self.has_null_marker => Err(null_marker()),
            (None, Some(hint)) => Err(Flaw::new(Code::CellSpreadsheetDamage, hint)),
            (None, None) => Ok(()),
        }
    }

    fn misfit(&self, value: &Json) -> Flaw {
        let code = match self.field {
            Field::Name => Code::NameMissing,
            Field::Email => Code::EmailSyntax,
            Field::Phone => Code::PhoneSyntax,
            Field::Country => Code::CountryUnknown,
            Field::Type => Code::TypeUnknown,
            Field::SendKycMail => Code::KycMailNotBoolean,
        };
        Flaw::new(code, format!("is {}, not text", kind(value)))
    }

    fn or<T>(&self, default: T, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Flaw> {
        if self.text.is_empty() { Ok(default) } else { parse(&self.text) }
    }
}

/// Returns the name of what feeds a field, and what a record has there.
fn content<'a>(origin: &'a TextSource, row: &impl Row<'a>) -> (&'a str, Cow<'a, str>, Option<&'a Json>) {
    match origin {
        TextSource::Column(column) => content_of(column, row),
        TextSource::Template { typed, pieces } => (typed, Cow::Owned(assemble(pieces, row)), None),
        TextSource::FirstOf { name, origins } => origins
            .iter()
            .map(|origin| content(origin, row))
            .find(|(_, text, json)| !text.is_empty() || json.is_some())
            .unwrap_or((name, Cow::Borrowed(""), None)),
        TextSource::Replaced { origin, values } => {
            let (name, text, json) = content(origin, row);
            match values.get(&text) {
                Some(value) => (name, Cow::Borrowed(value), None),
                None => (name, text, json),
            }
        }
    }
}

#[inline]
fn content_of<'a>(column: &'a Column, row: &impl Row<'a>) -> (&'a str, Cow<'a, str>, Option<&'a Json>) {
    match row.cell(&column.place) {
        Cell::Text(text) => (&column.name, Cow::Borrowed(trimmed(text)), None),
        cell => (&column.name, trim(cell_text(cell)), if let Cell::Json(value) = cell { Some(value) } else { None }),
    }
}

/// Refuses a text in which two parts, separated as people separate phone numbers, are long enough
/// for a number each.
fn check_one_number(text: &str) -> Result<(), Flaw> {
    const SHORTEST: usize = 7;
    // Most cells have nothing that separates numbers.
    if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b' ' | b'+' | b'-' | b'.' | b'(' | b')')) {
        return Ok(());
    }
    let is_separator =
        |character: char| character.is_alphabetic() || matches!(character, ';' | ':' | ',' | '/' | '|' | '&' | '\n');
    let is_number = |part: &&str| part.bytes().filter(u8::is_ascii_digit).count() >= SHORTEST;
    match text.split(is_separator).filter(is_number).nth(1) {
        Some(_) => Err(Flaw::new(Code::PhoneSeveral, "holds more than one number: keep one")),
        None => Ok(()),
    }
}

/// Returns the complaint about a text that a program left in place of a value, or `None` if it is
/// not such a text.
#[inline(always)]
fn leftover(text: &str) -> Option<Flaw> {
    match text.as_bytes() {
        [b'#' | b'=' | b'0'..=b'9', ..] => artefact(text).map(|hint| Flaw::new(Code::CellSpreadsheetDamage, hint)),
        [b'\\' | b'(' | b'[' | b'<', ..] => is_null_marker(text).then(null_marker),
        _ => None,
    }
}

/// Whether databases and their tools write this for an empty value. It cannot be a value.
#[inline]
fn is_null_marker(text: &str) -> bool {
    match text.as_bytes() {
        [b'\\', ..] => text == "\\N",
        [b'(' | b'[' | b'<', ..] => {
            ["(null)", "[null]", "<null>"].iter().any(|marker| text.eq_ignore_ascii_case(marker))
        }
        _ => false,
    }
}

fn null_marker() -> Flaw {
    Flaw::new(Code::CellNullMarker, "is what databases write for an empty value: leave the cell empty, or fill it in")
}

const NULL_MARKERS_BEGIN: [char; 4] = ['\\', '(', '[', '<'];

/// Whether a template was filled with what databases write for an empty value.
fn null_part<'a>(origin: &'a TextSource, row: &impl Row<'a>) -> bool {
    match origin {
        TextSource::Column(_) => false,
        TextSource::Template { .. } => {
            origin.columns().iter().any(|column| is_null_marker(cell_text(row.cell(&column.place)).trim()))
        }
        TextSource::FirstOf { origins, .. } => {
            let used = origins.iter().find(|origin| !content(origin, row).1.is_empty());
            used.is_some_and(|origin| null_part(origin, row))
        }
        TextSource::Replaced { origin, values } => {
            values.get(&content(origin, row).1).is_none() && null_part(origin, row)
        }
    }
}

/// Returns what is wrong with a text that a spreadsheet left in place of a value, or `None` if it
/// is not such a text.
#[inline]
fn artefact(text: &str) -> Option<&'static str> {
    if matches!(text.as_bytes(), [b'#' | b'=' | b'0'..=b'9', ..]) { named_artefact(text) } else { None }
}

fn named_artefact(text: &str) -> Option<&'static str> {
    // In English, then what differs in German, French, Spanish, Italian, Portuguese, Dutch, Polish
    // and Turkish.
    const ERRORS: &[&str] = &[
        "#N/A",
        "#NA",
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NULL!",
        "#NUM!",
        "#ERROR!",
        "#SPILL!",
        "#CALC!",
        "#NV",
        "#BEZUG!",
        "#WERT!",
        "#ZAHL!",
        "#VALEUR!",
        "#NOM?",
        "#NOMBRE!",
        "#N/D",
        "#¡REF!",
        "#¡VALOR!",
        "#¿NOMBRE?",
        "#¡DIV/0!",
        "#¡NUM!",
        "#RIF!",
        "#VALORE!",
        "#NOME?",
        "#VALOR!",
        "#N/B",
        "#VERW!",
        "#WAARDE!",
        "#NAAM?",
        "#GETAL!",
        "#ADR!",
        "#ARG!",
        "#NAZWA?",
        "#LICZBA!",
        "#YOK",
    ];
    if text.starts_with('#') && ERRORS.iter().any(|error| text.eq_ignore_ascii_case(error)) {
        Some("is a spreadsheet's error value, not data; export the values again")
    } else if text.starts_with("###") && text.bytes().all(|byte| byte == b'#') {
        Some("is how a spreadsheet shows a value in a narrow column; make the column wider and export again")
    } else if text.starts_with("=\"") || (text.starts_with('=') && text.contains(['(', '!', '+'])) {
        Some("is a spreadsheet formula, not its value; export the values")
    } else if is_scientific(text) {
        Some(
            "was turned into a number by a spreadsheet and digits are lost; export the column as text from the original",
        )
    } else {
        None
    }
}

/// Whether a text has the form in which spreadsheets write large numbers, such as `1.23457E+11`:
/// one digit, an optional fraction, `E+` and two or more digits.
fn is_scientific(text: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let Some((mantissa, exponent)) = text.split_once("E+") else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole, 1) && digits(fraction, 1) && digits(exponent, 2)
}

/// What was found about a record so far.
struct Findings<'a> {
    violations: Violations<'a>,
}

impl<'a> Findings<'a> {
    /// Returns the value and notes what is odd about it. If there is a complaint instead, notes
    /// that and returns `None`.
    #[inline]
    fn take<T>(
        &mut self,
        given: &Given<'a>,
        checked: Result<T, Flaw>,
        oddity: impl Fn(&T) -> Option<Flaw>,
    ) -> Option<T> {
        let (value, flaw) = match checked {
            Ok(value) => {
                let odd = oddity(&value);
                (Some(value), odd)
            }
            Err(flaw) => (None, Some(flaw)),
        };
        self.note(given, flaw);
        value
    }

    #[inline]
    fn note(&mut self, given: &Given<'a>, flaw: Option<Flaw>) {
        if let Some(flaw) = flaw {
            self.violations.push(flaw.at(given.column, given.text.clone()));
        }
    }

    /// Marks the last violation as a consequence if it has this code.
    fn mark_consequence(&mut self, code: Code) {
        if let Some(last) = self.violations.last_mut().filter(|last| last.code == code) {
            last.is_consequence = true;
        }
    }

    /// Returns the additional fields of the request. Empty ones are left out.
    #[inline]
    fn extras(&mut self, feedings: &'a [ExtraField], row: &impl Row<'a>) -> Option<Box<JsonObject>> {
        if feedings.is_empty() { None } else { self.some_extras(feedings, row) }
    }

    fn some_extras(&mut self, feedings: &'a [ExtraField], row: &impl Row<'a>) -> Option<Box<JsonObject>> {
        let mut extra = JsonObject::new();
        for feeding in feedings {
            let cell = row.cell(&feeding.column.place);
            if let Cell::Absent = cell {
                continue;
            }
            match extra_value(cell) {
                Ok(Some(value)) => insert(&mut extra, &feeding.path, value),
                Ok(None) => {}
                Err(flaw) => self.violations.push(complain(flaw, &feeding.column, row)),
            }
        }
        (!extra.is_empty()).then(|| Box::new(extra))
    }
}

fn complain<'a>(flaw: Flaw, column: &'a Column, row: &impl Row<'a>) -> Violation<'a> {
    flaw.at(&column.name, cell_text(row.cell(&column.place)))
}

/// Returns the value of an additional field. Text stays text, and JSON keeps its type.
fn extra_value(cell: Cell<'_>) -> Result<Option<Json>, Flaw> {
    match cell {
        Cell::Absent => Ok(None),
        Cell::Text(text) => match (text.trim(), leftover(text.trim())) {
            ("", _) => Ok(None),
            (_, Some(flaw)) => Err(flaw),
            (text, None) => Ok(Some(Json::Text(text.nfc().collect()))),
        },
        Cell::Json(value) => Ok(Some(value.clone())),
    }
}

/// Inserts a value at a dotted path. Paths do not clash, because [`Mapping`] refuses those that do.
fn insert(object: &mut JsonObject, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first.to_owned()).or_insert_with(|| Json::Object(JsonObject::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::intake::columns::column_names::{ColumnNames, Place};
    use crate::intake::options::InputOptions;

    struct Cells<'a>(&'a [&'a str]);

    impl<'a> Row<'a> for Cells<'a> {
        fn cell(&self, place: &Place) -> Cell<'a> {
            let Place::Index(index) = place else { return Cell::Absent };
            self.0.get(*index).map_or(Cell::Absent, |text| Cell::Text(text))
        }
    }

    const COLUMNS: [&str; 7] =
        ["name", "email", "phone", "country", "customer_type", "send_kyc_mail", "customer_address.city"];

    fn mapping(sets: &[&str]) -> Mapping {
        mapping_of(sets, &[])
    }

    fn mapping_of(sets: &[&str], values: &[&str]) -> Mapping {
        let options = InputOptions {
            sets: sets.iter().map(|set| set.parse().unwrap()).collect(),
            values: values.iter().map(|value| value.parse().unwrap()).collect(),
            ..InputOptions::default()
        };
        Mapping::resolve(&ColumnNames::Header(COLUMNS.map(str::to_owned).to_vec()), &options).unwrap()
    }

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
            prop_assert!(see(&with, &one, None, &mut None) == see(&without, &other, None, &mut None));
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

    #[test]
    fn null_markers_are_refused_in_every_field_and_extra() {
        const GOOD: [&str; 7] = ["Ada", "ada@kunde.de", "+4915123456789", "DE", "", "", "Köln"];
        let mapping = mapping(&[]);
        for marker in ["\\N", "(null)", "[NULL]", "<null>", " \\N "] {
            for column in 0..GOOD.len() {
                let mut cells = GOOD;
                cells[column] = marker;
                let mut odd = None;
                assert!(see(&mapping, &Cells(&cells), None, &mut odd).is_none() && odd.is_none(), "{cells:?}");
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

    #[test]
    fn artefacts_are_told_from_text() {
        for text in [
            "#N/A",
            "#NV",
            "#¡REF!",
            "#######",
            "#ref!",
            "=\"0123\"",
            "=SUM(A1)",
            "=A1+B1",
            "1.23457E+11",
            "4,9E+12",
            "1E+10",
        ] {
            assert!(artefact(text).is_some(), "{text}");
        }
        for text in ["#1 Pizza", "#NVIDIA", "##", "A=B", "N/A Ltd", "", "12E4", "1.5E+3", "B1E+10", "E+11"] {
            assert!(artefact(text).is_none(), "{text}");
        }
    }

    #[test]
    fn paths_nest() {
        let mut object = JsonObject::new();
        insert(&mut object, "a.b", Json::Integer(1));
        insert(&mut object, "a.c.d", Json::Integer(2));
        insert(&mut object, "e", Json::Integer(3));
        assert_eq!(Json::Object(object).to_string(), r#"{"a":{"b":1,"c":{"d":2}},"e":3}"#);
    }
}
