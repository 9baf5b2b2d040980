//! Which column, template or fixed value feeds each field.
//!
//! The user's options come first, then a preset, then the API's own names, then well-known aliases
//! if exactly one column fits. If two columns fit, that is an error, because the wrong phone number
//! is worse than a question. Columns that no rule names stay in the file, unless the API documents
//! them.

use super::advice::{check_export, check_replaced, check_required};
use super::column_names::{Column, ColumnNames, Place};
use super::fault::ColumnFault;
use super::header_words;
use super::rules::{ExtraRule, Recipe, TypedPart, WhereRule};
use super::selection::Condition;
use super::sources::{ExtraField, FieldSource, TextSource, feed};
use super::spelling::{aliases, fold, is_same};
use crate::domain::Field;
use crate::intake::options::InputOptions;

/// The optional request fields that the API documents. A column with exactly such a name is sent.
const DOCUMENTED: [&str; 10] = [
    "customer_address.street",
    "customer_address.number",
    "customer_address.city",
    "customer_address.state",
    "customer_address.zipcode",
    "customer_address.country",
    "customer_idType",
    "customer_idNumber",
    "customer_idCountry",
    "customer_idExpiration",
];

/// Whether a column with this name would be used, by an option or without one. Such a name is a
/// sign that the header was read correctly.
pub(crate) fn is_known(name: &str, options: &InputOptions) -> bool {
    let folded = fold(name);
    let asked = |typed: &str| is_same(typed, name);
    Field::ALL.into_iter().any(|field| asked(field.as_str()) || aliases(field).contains(&&*folded))
        || header_words::meaning(name).is_some()
        || is_documented(name)
        || options.keep.iter().any(|typed| asked(typed))
        || options.extras.iter().any(|rule| asked(&rule.column))
        || options.where_rules.iter().any(|rule| asked(&rule.column))
        || options.maps.iter().any(|rule| match &rule.recipe {
            Recipe::Column(column) => asked(column),
            Recipe::Template(parts) => {
                parts.iter().any(|part| matches!(part, TypedPart::Column(column) if asked(column)))
            }
        })
}

/// Whether a column with this name is sent without being named.
pub(crate) fn is_documented(name: &str) -> bool {
    DOCUMENTED.contains(&name)
}

/// Which column feeds which field, for the whole file.
#[derive(Clone, Debug)]
pub struct Mapping {
    feedings: [FieldSource; 6],
    pub(crate) extras: Vec<ExtraField>,
    pub(crate) kept: Vec<Column>,
    /// What the cells of a row must hold so that it is a record.
    pub(crate) conditions: Vec<Condition>,
    kept_names: Vec<String>,
    unused: Vec<String>,
}

impl Mapping {
    /// Returns each field with a description of what feeds it.
    pub fn fields(&self) -> impl Iterator<Item = (Field, String)> {
        Field::ALL.into_iter().map(|field| (field, self.feeding(field).describe(field)))
    }

    /// Returns the additional request fields that the first records have: the path in the request,
    /// and the column that feeds it.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extras.iter().filter(|extra| extra.seen).map(|extra| (extra.path.as_str(), extra.column.name.as_str()))
    }

    /// Returns the columns that are carried into the report.
    #[must_use]
    pub fn kept(&self) -> &[String] {
        &self.kept_names
    }

    /// Returns the columns that nothing uses. They stay in the file.
    #[must_use]
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    pub(crate) fn feeding(&self, field: Field) -> &FieldSource {
        &self.feedings[field as usize]
    }

    /// Finds what feeds each field, or returns why the columns cannot be matched.
    pub(crate) fn resolve(names: &ColumnNames, options: &InputOptions) -> Result<Self, ColumnFault> {
        let mut feedings: [FieldSource; 6] = Default::default();
        for field in Field::ALL {
            feedings[field as usize] = feed(names, options, field)?;
        }
        check_required(names, &feedings, options.preset)?;
        check_export(names, &feedings, options)?;
        check_replaced(names, &feedings, options)?;
        let conditions =
            options.where_rules.iter().map(|rule| Condition::of(names, rule)).collect::<Result<Vec<_>, _>>()?;
        let extras = extras(names, &options.extras)?;
        let kept: Vec<Column> = options
            .keep
            .iter()
            .map(|typed| names.named(typed, &format!("--keep {typed}")))
            .collect::<Result<_, _>>()?;
        let mut mapping = Self {
            kept_names: kept.iter().map(|column| column.name.clone()).collect(),
            feedings,
            extras,
            kept,
            conditions,
            unused: Vec::new(),
        };
        mapping.unused = mapping.find_unused(names);
        Ok(mapping)
    }

    /// Returns the mapping that keeps every column of the selected rows and feeds no field.
    pub(crate) fn keeping_all(names: &ColumnNames, where_rules: &[WhereRule]) -> Result<Self, ColumnFault> {
        let conditions = where_rules.iter().map(|rule| Condition::of(names, rule)).collect::<Result<Vec<_>, _>>()?;
        let kept: Vec<Column> = (0..names.as_slice().len()).map(|index| names.column(index)).collect();
        Ok(Self {
            feedings: Default::default(),
            extras: Vec::new(),
            kept,
            conditions,
            kept_names: names.as_slice().to_vec(),
            unused: Vec::new(),
        })
    }

    fn find_unused(&self, names: &ColumnNames) -> Vec<String> {
        let used: Vec<&Column> = self.used_columns().collect();
        let is_used = |index: usize| {
            let place = names.column(index).place;
            used.iter().any(|column| column.place == place || is_within(&column.place, &place))
        };
        let is_listed = |index: usize| match names {
            ColumnNames::Header(_) => true,
            ColumnNames::Keys(names) => !names[index].contains('.'),
        };
        let unused = (0..names.as_slice().len()).filter(|&index| is_listed(index) && !is_used(index));
        unused.map(|index| names.as_slice()[index].clone()).collect()
    }

    fn used_columns(&self) -> impl Iterator<Item = &Column> {
        self.sent_columns().chain(&self.kept).chain(self.conditions.iter().map(|condition| &condition.column))
    }

    /// Returns the columns whose cells are sent.
    pub(crate) fn sent_columns(&self) -> impl Iterator<Item = &Column> {
        self.feeding_columns().chain(self.extras.iter().map(|extra| &extra.column))
    }

    /// Returns the first of the columns that feed the fields of every customer.
    pub(crate) fn first_feeding_column(&self) -> Option<&Column> {
        self.feedings.iter().filter_map(|feeding| feeding.origin.as_ref()).find_map(TextSource::first_column)
    }

    /// Returns the columns that feed the fields of every customer.
    pub(crate) fn feeding_columns(&self) -> impl Iterator<Item = &Column> {
        self.feedings.iter().filter_map(|feeding| feeding.origin.as_ref()).flat_map(TextSource::columns)
    }
}

/// Whether a place lies within the object at another place.
fn is_within(place: &Place, outer: &Place) -> bool {
    match (place, outer) {
        (Place::Key { name: key, .. }, Place::Key { name: outer, .. }) => {
            key.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        _ => false,
    }
}

fn extras(names: &ColumnNames, rules: &[ExtraRule]) -> Result<Vec<ExtraField>, ColumnFault> {
    let mut extras: Vec<ExtraField> = Vec::new();
    for rule in rules {
        if let Some(other) = extras.iter().find(|extra| clash(&extra.path, &rule.path)) {
            return Err(ColumnFault::ExtraClash { one: other.path.clone(), other: rule.path.clone() });
        }
        let column = names.named(&rule.column, &format!("--extra {rule}"))?;
        extras.push(ExtraField { path: rule.path.clone(), column, seen: true });
    }
    for path in DOCUMENTED {
        // A path that the user named comes first.
        if extras.iter().any(|extra| clash(&extra.path, path)) {
            continue;
        }
        if let Some(column) = documented(names, path)? {
            let seen = names.as_slice().iter().any(|name| name == path);
            extras.push(ExtraField { path: path.to_owned(), column, seen });
        }
    }
    Ok(extras)
}

fn documented(names: &ColumnNames, path: &str) -> Result<Option<Column>, ColumnFault> {
    match (names.positions(|name| name == path)[..].len(), names) {
        (0, ColumnNames::Header(_)) => Ok(None),
        // A later object may have a key that the first objects did not have.
        (_, ColumnNames::Keys(_)) => Ok(Some(Column { name: path.to_owned(), place: Place::key(path) })),
        (_, ColumnNames::Header(_)) => names.named(path, "").map(Some),
    }
}

/// Whether two paths are the same, or one is the beginning of the other.
fn clash(one: &str, other: &str) -> bool {
    let begins =
        |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    begins(one, other) || begins(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::columns::fault::map_option;
    use crate::intake::columns::presets::Preset;
    use crate::intake::columns::template::{Cell, Row, assemble};

    fn header(names: &str) -> ColumnNames {
        ColumnNames::Header(names.split(',').map(str::to_owned).collect())
    }

    fn options(maps: &[&str], sets: &[&str], extras: &[&str]) -> InputOptions {
        InputOptions {
            maps: maps.iter().map(|typed| typed.parse().unwrap()).collect(),
            sets: sets.iter().map(|typed| typed.parse().unwrap()).collect(),
            extras: extras.iter().map(|typed| typed.parse().unwrap()).collect(),
            ..InputOptions::default()
        }
    }

    fn resolve(names: &str, maps: &[&str], sets: &[&str], extras: &[&str]) -> Result<Mapping, ColumnFault> {
        Mapping::resolve(&header(names), &options(maps, sets, extras))
    }

    fn origin(mapping: &Mapping, field: Field) -> &str {
        mapping.feeding(field).origin.as_ref().map_or("", TextSource::name)
    }

    #[test]
    fn names_match_without_regard_to_case_and_separators() {
        let mapping =
            resolve("Customer Name,E-MAIL,mobile_phone,Country-Code,customer_type,Send KYC Mail", &[], &[], &[])
                .unwrap();
        let found = Field::ALL.map(|field| origin(&mapping, field));
        assert_eq!(
            found,
            ["Customer Name", "E-MAIL", "mobile_phone", "Country-Code", "customer_type", "Send KYC Mail"]
        );
        assert!(mapping.unused().is_empty());
    }

    #[test]
    fn own_names_win_over_aliases() {
        let mapping = resolve("name,customer_name,email,phone,country", &[], &[], &[]).unwrap();
        assert_eq!(origin(&mapping, Field::Name), "customer_name");
        assert_eq!(mapping.unused(), ["name"]);
    }

    #[test]
    fn two_aliases_are_a_question_and_a_map_answers_it() {
        let fault = resolve("name,email,phone,mobile,country", &[], &[], &[]).unwrap_err();
        assert_eq!(
            fault,
            ColumnFault::Ambiguous {
                field: Field::Phone,
                candidates: vec!["phone".to_owned(), "mobile".to_owned()],
                preset: None
            }
        );
        let mapping = resolve("name,email,phone,mobile,country", &["phone=Mobile"], &[], &[]).unwrap();
        assert_eq!(origin(&mapping, Field::Phone), "mobile");
    }

    #[test]
    fn missing_columns_are_named_with_the_option_to_write() {
        let fault = resolve("First Name,Last Name,Email,Default Address Phone,Note", &[], &[], &[]).unwrap_err();
        let error = crate::intake::error::IntakeError::Columns { path: "x.csv".into(), fault };
        let text = error.to_string();
        assert!(text.contains("customer_name, customer_phone, customer_country"), "{text}");
        assert!(text.contains("\"Default Address Phone\""), "{text}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("--map 'customer_name={First Name} {Last Name}'"), "{hint}");
        assert!(hint.contains("--map 'customer_phone=Default Address Phone'"), "{hint}");
        assert!(hint.contains("--set customer_country=CODE"), "{hint}");
    }

    fn hint(names: &str, maps: &[&str]) -> String {
        let fault = resolve(names, maps, &[], &[]).unwrap_err();
        crate::intake::error::IntakeError::Columns { path: "x.csv".into(), fault }.hint().unwrap()
    }

    #[test]
    fn of_several_likely_columns_none_is_guessed() {
        let hint = hint("name,email,phone,Billing Country,ShippingCountry", &[]);
        assert_eq!(
            hint,
            "replace COLUMN by the column of customer_country, perhaps \"Billing Country\" or ShippingCountry: \
             --map customer_country=COLUMN"
        );
    }

    #[test]
    fn a_country_for_all_is_not_offered_while_a_column_looks_like_one() {
        for (names, column) in [
            ("name,email,phone,Land des Kunden", "Land des Kunden"),
            ("name,email,phone,País (facturación)", "País (facturación)"),
            ("name,email,phone,Home Country", "Home Country"),
        ] {
            assert_eq!(hint(names, &[]), map_option(Field::Country, column), "{names}");
        }
        assert!(hint("name,email,phone,Landkreis", &[]).contains("--set customer_country=CODE"));
    }

    #[test]
    fn what_only_describes_a_column_is_not_proposed() {
        let contacts = "Phonetic First Name,First Name,Last Name,E-mail - Label,E-mail - Value,Phone - Label,Phone - Value,country";
        assert_eq!(
            hint(contacts, &[]),
            "--map 'customer_name={First Name} {Last Name}' --map 'customer_email=E-mail - Value' \
             --map 'customer_phone=Phone - Value'"
        );
    }

    #[test]
    fn a_proposed_column_is_named_on_one_line_whatever_its_name_holds() {
        let resolve = |option: &str| {
            let names = ["name", "email", "My\r\nphone's $HOME", "country"].map(str::to_owned).to_vec();
            let given = options(&[option], &[], &[]);
            Mapping::resolve(&ColumnNames::Header(names), &given)
        };
        let fault = resolve("name=name").unwrap_err();
        let hint = crate::intake::columns::advice::hint(&fault, &|options| options.join(" ")).unwrap();
        assert_eq!(hint, r"--map 'customer_phone=My  phone'\''s $HOME'");
        assert!(resolve("customer_phone=My  phone's $HOME").is_ok());
    }

    #[test]
    fn a_known_export_tells_the_column_itself() {
        let salesforce = "SystemModstamp,LastName,Email,Name,OtherCountry,MailingCountry,Phone,MobilePhone";
        assert_eq!(
            hint(salesforce, &["phone=Phone"]),
            "this looks like an export of Salesforce: --from salesforce\n  or: --map customer_country=MailingCountry"
        );
    }

    #[test]
    fn what_a_preset_does_not_feed_is_wanted_with_it() {
        let stripe = "Created (UTC),Delinquent,Email,Name";
        assert_eq!(
            hint(stripe, &[]),
            "this looks like an export of Stripe: replace COLUMN by the column of customer_phone, customer_country: \
             --from stripe --map customer_phone=COLUMN --map customer_country=COLUMN\n  \
             or, if all customers are of one country, by which phones without + are then read: \
             --from stripe --map customer_phone=COLUMN --set customer_country=CODE\n  \
             Stripe exports phone and country only if they are ticked: tick them and \
             export again, or give them with --map or --set"
        );
        let given = InputOptions { preset: Some(Preset::Stripe), ..options(&[], &[], &[]) };
        let fault = Mapping::resolve(&header(stripe), &given).unwrap_err();
        let hint = crate::intake::error::IntakeError::Columns { path: "x.csv".into(), fault }.hint().unwrap();
        assert!(hint.contains(": --map customer_phone=COLUMN") && hint.contains("are ticked"), "{hint}");
    }

    #[test]
    fn a_fixed_value_replaces_a_missing_column() {
        let mapping = resolve("name,email,phone", &[], &["country=DE"], &[]).unwrap();
        assert_eq!(mapping.fields().nth(3), Some((Field::Country, "always \"DE\"".to_owned())));
    }

    #[test]
    fn duplicates_matter_only_where_they_are_used() {
        assert!(resolve("name,email,phone,country,x,x", &[], &[], &[]).is_ok());
        assert_eq!(
            resolve("name,email,email,phone,country", &[], &[], &[]).unwrap_err(),
            ColumnFault::Duplicate { name: "email".to_owned() }
        );
        assert!(matches!(
            resolve("name,email,phone,country,x,x", &["name=x"], &[], &[]),
            Err(ColumnFault::Duplicate { .. })
        ));
    }

    #[test]
    fn a_mistyped_column_is_answered_with_its_neighbour() {
        let fault = resolve("name,email,phone,country,Mobile Nr", &["phone=Mobil Nr"], &[], &[]).unwrap_err();
        assert!(matches!(&fault, ColumnFault::Unknown { near, .. } if near == &["Mobile Nr"]), "{fault}");
    }

    #[test]
    fn extra_fields_are_those_named_and_those_documented() {
        let names = "name,email,phone,country,City,customer_idNumber,password_hash";
        let mapping = resolve(names, &[], &[], &["customer_address.city=city"]).unwrap();
        let extras: Vec<_> = mapping.extras().collect();
        assert_eq!(extras, [("customer_address.city", "City"), ("customer_idNumber", "customer_idNumber")]);
        assert_eq!(mapping.unused(), ["password_hash"]);
    }

    #[test]
    fn extra_paths_that_cannot_be_in_one_request_are_refused() {
        for pair in [["a.b=City", "a=City"], ["a=City", "a.b.c=City"], ["a.b=City", "a.b=City"]] {
            let fault = resolve("name,email,phone,country,City", &[], &[], &pair).unwrap_err();
            assert!(matches!(fault, ColumnFault::ExtraClash { .. }), "{pair:?}");
        }
        assert!(resolve("name,email,phone,country,City", &[], &[], &["a.b=City", "a.bc=City"]).is_ok());
        let mapping =
            resolve("name,email,phone,country,customer_address.city,City", &[], &[], &["customer_address=City"])
                .unwrap();
        assert_eq!(mapping.extras().count(), 1);
    }

    struct Cells(&'static [&'static str]);

    impl Row<'static> for Cells {
        fn cell(&self, place: &Place) -> Cell<'static> {
            match place {
                Place::Index(index) => Cell::Text(self.0[*index]),
                Place::Key { .. } => Cell::Absent,
            }
        }
    }

    #[test]
    fn templates_leave_no_gaps() {
        let mapping =
            resolve("First,Middle,Last,email,phone,country", &["name={First} {Middle} {Last}"], &[], &[]).unwrap();
        let Some(TextSource::Template { pieces, .. }) = &mapping.feeding(Field::Name).origin else { panic!() };
        assert_eq!(assemble(pieces, &Cells(&["Ada", "", "King"])), "Ada King");
        assert_eq!(assemble(pieces, &Cells(&[" Ada ", "Augusta", ""])), "Ada Augusta");
        assert_eq!(assemble(pieces, &Cells(&["", " ", ""])), "");
    }
}
