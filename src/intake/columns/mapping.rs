//! Which column, template or fixed value feeds each field.
//!
//! The user's word comes first, then a preset's, then the API's own names, then well-known aliases where exactly one column fits. Two that fit are an
//! error: the wrong phone number is worse than a question. Columns that nobody named stay in the file, unless the API documents them.

use std::borrow::Cow;

use crate::domain::{Field, Json};

use super::presets::Preset;
use crate::intake::error::{ColumnFault, map_option, map_recipe, quoted};
use crate::intake::limits::MOST_COLUMNS;
use crate::intake::options::{ExtraRule, InputOptions, MapRule, Part, Recipe};

/// The further request fields that the API documents; a column of exactly such a name is sent.
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

/// Well-known names of a field's column, folded as [`fold`] does.
fn aliases(field: Field) -> &'static [&'static str] {
    match field {
        Field::Name => &["name", "fullname", "customerfullname", "contactname", "displayname"],
        Field::Email => &["email", "emailaddress", "mail", "mailaddress", "contactemail", "customeremailaddress"],
        Field::Phone => &[
            "phone",
            "phonenumber",
            "phoneno",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "mobileno",
            "mobilephonenumber",
            "cell",
            "cellphone",
            "cellphonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "contactphone",
            "customerphonenumber",
        ],
        Field::Country => {
            &["country", "countrycode", "countryname", "countryiso", "country/region", "customercountrycode"]
        }
        Field::Type => &["type"],
        Field::SendKycMail => &["kycmail", "kycemail", "sendkycemail"],
    }
}

/// What two spellings of one column name have in common.
fn fold(name: &str) -> String {
    folded(name).collect()
}

pub(crate) fn is_same(name: &str, other: &str) -> bool {
    folded(name).eq(folded(other))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|character| !character.is_whitespace() && !matches!(character, '_' | '-' | '\u{feff}' | '\u{200b}'))
        .flat_map(char::to_lowercase)
}

/// Whether a column of this name would be used without anybody asking, or is asked for: a sign that a header was read rightly.
pub(crate) fn is_known(name: &str, options: &InputOptions) -> bool {
    let folded = fold(name);
    let asked = |typed: &str| is_same(typed, name);
    Field::ALL.into_iter().any(|field| asked(field.as_str()) || aliases(field).contains(&&*folded))
        || DOCUMENTED.contains(&name)
        || options.keep.iter().any(|typed| asked(typed))
        || options.extras.iter().any(|rule| asked(&rule.column))
        || options.maps.iter().any(|rule| match &rule.recipe {
            Recipe::Column(column) => asked(column),
            Recipe::Template(parts) => parts.iter().any(|part| matches!(part, Part::Column(column) if asked(column))),
        })
}

/// The columns that a file has.
#[derive(Debug)]
pub(crate) enum Roster {
    /// The names of a CSV header, trimmed.
    Header(Vec<String>),
    /// The keys seen in the first objects of NDJSON; nested ones joined by dots. Other objects may have more.
    Keys(Vec<String>),
}

impl Roster {
    fn names(&self) -> &[String] {
        match self {
            Self::Header(names) | Self::Keys(names) => names,
        }
    }

    fn column(&self, index: usize) -> Column {
        let name = self.names()[index].clone();
        match self {
            Self::Header(_) => Column { place: Place::Index(index), name },
            Self::Keys(_) => Column { place: Place::key(&name), name },
        }
    }

    fn positions(&self, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        (0..self.names().len()).filter(|&index| fits(&self.names()[index])).collect()
    }

    /// The column that the user named: exactly so, or else but for case and separators.
    fn named(&self, typed: &str, option: &str) -> Result<Column, ColumnFault> {
        let exact = self.positions(|name| name == typed.trim());
        let found = if exact.is_empty() { self.positions(|name| is_same(name, typed)) } else { exact };
        match found[..] {
            [index] => Ok(self.column(index)),
            [] => Err(ColumnFault::Unknown {
                option: option.to_owned(),
                name: typed.to_owned(),
                near: near(typed, self.names()),
                found: self.names().to_vec(),
            }),
            [index, ..] => Err(ColumnFault::Duplicate { name: self.names()[index].clone() }),
        }
    }

    /// The column that bears the API's own name of a field.
    fn own(&self, field: Field) -> Option<Column> {
        let found = self.positions(|name| name == field.as_str());
        if let [index] = found[..] { Some(self.column(index)) } else { None }
    }

    /// The column that feeds a field without anybody saying so.
    fn obvious(&self, field: Field) -> Result<Option<Column>, ColumnFault> {
        let own = self.positions(|name| is_same(name, field.as_str()));
        let found = if own.is_empty() { self.positions(|name| aliases(field).contains(&&*fold(name))) } else { own };
        match found[..] {
            [] => Ok(None),
            [index] => Ok(Some(self.column(index))),
            [first, ..] if found.iter().all(|&index| self.names()[index] == self.names()[first]) => {
                Err(ColumnFault::Duplicate { name: self.names()[first].clone() })
            }
            _ => {
                let candidates = found.iter().map(|&index| self.names()[index].clone()).collect();
                Err(ColumnFault::Ambiguous { field, candidates, preset: Preset::guess(self.names()) })
            }
        }
    }
}

/// A column and where a record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The number of the cell, from 0.
    Index(usize),
    /// The key, or the keys on the way joined by dots; the first dot is known, for it is asked for with every record.
    Key { name: String, dot: Option<usize> },
}

impl Place {
    fn key(name: &str) -> Self {
        Self::Key { name: name.to_owned(), dot: name.find('.') }
    }
}

/// What a record has at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Absent,
    Text(&'a str),
    /// Anything of JSON but strings and null.
    Json(&'a Json),
}

/// A record whose cells can be asked for.
pub(crate) trait Row<'a> {
    fn cell(&self, place: &Place) -> Cell<'a>;
}

/// Where the text of a field comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Column(Column),
    Template {
        typed: String,
        pieces: Vec<Piece>,
    },
    /// The first of them that a record fills.
    FirstOf {
        name: String,
        origins: Vec<Self>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Column(Column),
}

/// How one field is fed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeding {
    pub(crate) origin: Option<Origin>,
    /// The value where the origin gives none.
    pub(crate) set: Option<String>,
    /// Whether the first records showed the origin; a key of NDJSON may come later.
    seen: bool,
}

/// A further field of the request.
#[derive(Clone, Debug)]
pub(crate) struct ExtraFeeding {
    /// The keys on the way, joined by dots.
    pub(crate) path: String,
    pub(crate) column: Column,
}

/// Which column feeds what, for the whole file.
#[derive(Clone, Debug)]
pub struct Mapping {
    feedings: [Feeding; 6],
    pub(crate) extras: Vec<ExtraFeeding>,
    pub(crate) kept: Vec<Column>,
    kept_names: Vec<String>,
    unused: Vec<String>,
}

impl Mapping {
    /// Each field with what feeds it, in words.
    pub fn fields(&self) -> impl Iterator<Item = (Field, String)> {
        Field::ALL.into_iter().map(|field| (field, self.feeding(field).describe(field)))
    }

    /// The further request fields: the path in the request and the column that feeds it.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extras.iter().map(|extra| (extra.path.as_str(), extra.column.name.as_str()))
    }

    /// The columns carried into the report.
    #[must_use]
    pub fn kept(&self) -> &[String] {
        &self.kept_names
    }

    /// The columns that nothing uses and that stay where they are.
    #[must_use]
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    pub(crate) fn feeding(&self, field: Field) -> &Feeding {
        &self.feedings[field as usize]
    }

    /// Finds what feeds each field.
    pub(crate) fn resolve(roster: &Roster, options: &InputOptions) -> Result<Self, ColumnFault> {
        let mut feedings: [Feeding; 6] = Default::default();
        for field in Field::ALL {
            feedings[field as usize] = feed(roster, options, field)?;
        }
        check_required(roster, &feedings, options.preset)?;
        let extras = extras(roster, &options.extras)?;
        let kept: Vec<Column> = options
            .keep
            .iter()
            .map(|typed| roster.named(typed, &format!("--keep {typed}")))
            .collect::<Result<_, _>>()?;
        let mut mapping = Self {
            kept_names: kept.iter().map(|column| column.name.clone()).collect(),
            feedings,
            extras,
            kept,
            unused: Vec::new(),
        };
        mapping.unused = mapping.find_unused(roster);
        Ok(mapping)
    }

    fn find_unused(&self, roster: &Roster) -> Vec<String> {
        let used: Vec<&Column> = self.used_columns().collect();
        let is_used = |index: usize| {
            let place = roster.column(index).place;
            used.iter().any(|column| column.place == place || is_within(&column.place, &place))
        };
        let is_listed = |index: usize| match roster {
            Roster::Header(_) => true,
            Roster::Keys(names) => !names[index].contains('.'),
        };
        let unused = (0..roster.names().len()).filter(|&index| is_listed(index) && !is_used(index));
        unused.map(|index| roster.names()[index].clone()).collect()
    }

    fn used_columns(&self) -> impl Iterator<Item = &Column> {
        let origins = self.feedings.iter().filter_map(|feeding| feeding.origin.as_ref()).flat_map(Origin::columns);
        origins.chain(self.extras.iter().map(|extra| &extra.column)).chain(&self.kept)
    }
}

/// Whether a place lies within the object at another.
fn is_within(place: &Place, outer: &Place) -> bool {
    match (place, outer) {
        (Place::Key { name: key, .. }, Place::Key { name: outer, .. }) => {
            key.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }
        _ => false,
    }
}

impl Origin {
    fn columns(&self) -> Vec<&Column> {
        match self {
            Self::Column(column) => vec![column],
            Self::Template { pieces, .. } => pieces
                .iter()
                .filter_map(|piece| if let Piece::Column(column) = piece { Some(column) } else { None })
                .collect(),
            Self::FirstOf { origins, .. } => origins.iter().flat_map(Self::columns).collect(),
        }
    }

    /// How messages name it: the column's own name, or the template as typed.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Column(column) => &column.name,
            Self::Template { typed, .. } => typed,
            Self::FirstOf { name, .. } => name,
        }
    }
}

impl Feeding {
    fn describe(&self, field: Field) -> String {
        let default = match field {
            Field::Type => "individual",
            Field::SendKycMail => "true",
            _ => "nothing",
        };
        match (self.origin.as_ref().filter(|_| self.seen), &self.set) {
            (Some(origin), None) => match origin {
                Origin::Column(column) => format!("column {:?}", column.name),
                Origin::Template { typed, .. } => format!("template {typed:?}"),
                Origin::FirstOf { name, .. } => format!("column {name}"),
            },
            (Some(origin), Some(value)) => format!("column {:?}, where empty {value:?}", origin.name()),
            (None, Some(value)) => format!("always {value:?}"),
            (None, None) => format!("no column: {default}"),
        }
    }
}

fn feed(roster: &Roster, options: &InputOptions, field: Field) -> Result<Feeding, ColumnFault> {
    let rule = only(options.maps.iter().filter(|rule| rule.field == field), "--map", field)?;
    let set = only(options.sets.iter().filter(|rule| rule.field == field), "--set", field)?;
    let by_preset = || options.preset.and_then(|preset| preset_origin(roster, preset, field));
    let found = match rule {
        Some(rule) => Some(mapped(roster, rule)?),
        None => match by_preset() {
            Some(origin) => Some(origin),
            // What such an export calls a type is no type of customer.
            None if options.preset.is_some() && !field.is_required() => roster.own(field).map(Origin::Column),
            None => roster.obvious(field)?.map(Origin::Column),
        },
    };
    let seen = found.is_some();
    // An object may have a key that the first ones had not.
    let later = || match roster {
        Roster::Header(_) => None,
        Roster::Keys(_) => Some(Origin::Column(Column { name: field.to_string(), place: Place::key(field.as_str()) })),
    };
    Ok(Feeding { origin: found.or_else(later), set: set.map(|rule| rule.value.clone()), seen })
}

/// The first of a preset's sources of a field that the file has.
fn preset_source(roster: &Roster, preset: Preset, field: Field) -> Option<&'static str> {
    let is_there = |source: &&str| MapRule::made(field, source).is_ok_and(|rule| mapped(roster, &rule).is_ok());
    preset.sources(field).iter().copied().find(|source| is_there(source))
}

/// What a preset says of a field, as far as the file has its columns.
fn preset_origin(roster: &Roster, preset: Preset, field: Field) -> Option<Origin> {
    let origin = |source: &&str| mapped(roster, &MapRule::made(field, source).ok()?).ok();
    let mut origins: Vec<Origin> = preset.sources(field).iter().filter_map(origin).collect();
    match origins.len() {
        0 | 1 => origins.pop(),
        _ => {
            let names: Vec<_> = origins.iter().map(|origin| format!("{:?}", origin.name())).collect();
            Some(Origin::FirstOf { name: names.join(" or "), origins })
        }
    }
}

fn only<T>(mut rules: impl Iterator<Item = T>, option: &'static str, field: Field) -> Result<Option<T>, ColumnFault> {
    let first = rules.next();
    if rules.next().is_some() { Err(ColumnFault::Repeated { option, field }) } else { Ok(first) }
}

fn mapped(roster: &Roster, rule: &MapRule) -> Result<Origin, ColumnFault> {
    let option = format!("--map {rule}");
    match &rule.recipe {
        Recipe::Column(typed) => roster.named(typed, &option).map(Origin::Column),
        Recipe::Template(parts) => {
            let piece = |part: &Part| match part {
                Part::Text(text) => Ok(Piece::Text(text.clone())),
                Part::Column(typed) => roster.named(typed, &option).map(Piece::Column),
            };
            let pieces = parts.iter().map(piece).collect::<Result<_, _>>()?;
            Ok(Origin::Template { typed: rule.source().to_owned(), pieces })
        }
    }
}

fn check_required(roster: &Roster, feedings: &[Feeding; 6], given: Option<Preset>) -> Result<(), ColumnFault> {
    let is_missing = |field: &Field| {
        let feeding = &feedings[*field as usize];
        field.is_required() && !feeding.seen && feeding.set.is_none()
    };
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_missing).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let mut advice = advice(roster, &fields, given);
    if roster.names().iter().any(|name| name.contains('@')) {
        let header = "customer_name,customer_email,customer_phone,customer_country";
        advice = vec![format!("the first line looks like a customer: add a header line above it, such as {header}")];
    }
    Err(ColumnFault::Missing { fields, found: roster.names().to_vec(), advice })
}

/// What to write for the fields that nothing feeds: the preset that feeds all or some of them, and options.
fn advice(roster: &Roster, fields: &[Field], given: Option<Preset>) -> Vec<String> {
    let guessed = Preset::guess(roster.names());
    let found = |field| guessed.and_then(|preset| preset_source(roster, preset, field));
    let option = |&field: &Field| match found(field) {
        Some(source) => map_recipe(field, source),
        None => advise(field, roster.names()),
    };
    let lacking: Vec<Field> = fields.iter().copied().filter(|&field| found(field).is_none()).collect();
    let (mut advice, rest) = match guessed.filter(|preset| Some(*preset) != given) {
        None => (Vec::new(), fields),
        Some(preset) => {
            let (joint, rest) = if lacking.is_empty() { ("; or", fields) } else { (", and with it", &lacking[..]) };
            (vec![format!("this looks like an export of {}: --from {preset}{joint}", preset.title())], rest)
        }
    };
    advice.extend(rest.iter().map(option));
    let reason = given.or(guessed).and_then(|preset| lacking.iter().find_map(|&field| preset.reason_to_lack(field)));
    if let (Some(last), Some(reason)) = (advice.last_mut(), reason) {
        last.push_str("; ");
        last.push_str(reason);
    }
    advice
}

/// The option to write for a field without a column, with the likely column. Of several that are as likely none is the answer.
fn advise(field: Field, names: &[String]) -> String {
    let with = |stems: &[&str]| -> Vec<String> {
        let fits = |name: &&String| stems.iter().any(|stem| fold(name).contains(stem));
        names.iter().filter(fits).cloned().collect()
    };
    let likely = match field {
        Field::Name => {
            let first = with(&["firstname", "givenname", "forename"]);
            let last = with(&["lastname", "surname", "familyname"]);
            match (&first[..], &last[..]) {
                ([first, ..], [last, ..]) => return map_recipe(field, &format!("{{{first}}} {{{last}}}")),
                _ => with(&["name"]),
            }
        }
        Field::Email => with(&["mail"]),
        Field::Phone => with(&["phone", "mobile", "telephone", "cellphone"]),
        Field::Country => with(&["country", "nation"]),
        Field::Type | Field::SendKycMail => Vec::new(),
    };
    let option = || map_option(field, "COLUMN");
    match &likely[..] {
        [] if field == Field::Country => format!("{} (or --set {field}=CODE for all)", option()),
        [] => option(),
        [column] => map_option(field, column),
        several => format!("{} ({})", option(), quoted(several).join(" or ")),
    }
}

fn extras(roster: &Roster, rules: &[ExtraRule]) -> Result<Vec<ExtraFeeding>, ColumnFault> {
    let mut extras: Vec<ExtraFeeding> = Vec::new();
    for rule in rules {
        if let Some(other) = extras.iter().find(|extra| clash(&extra.path, &rule.path)) {
            return Err(ColumnFault::ExtraClash { one: other.path.clone(), other: rule.path.clone() });
        }
        let column = roster.named(&rule.column, &format!("--extra {rule}"))?;
        extras.push(ExtraFeeding { path: rule.path.clone(), column });
    }
    for path in DOCUMENTED {
        // What the user says of a path comes first.
        if extras.iter().any(|extra| clash(&extra.path, path)) {
            continue;
        }
        if let Some(column) = documented(roster, path)? {
            extras.push(ExtraFeeding { path: path.to_owned(), column });
        }
    }
    Ok(extras)
}

fn documented(roster: &Roster, path: &str) -> Result<Option<Column>, ColumnFault> {
    match (roster.positions(|name| name == path)[..].len(), roster) {
        (0, Roster::Header(_)) => Ok(None),
        // An object may have a key that the first ones had not.
        (_, Roster::Keys(_)) => Ok(Some(Column { name: path.to_owned(), place: Place::key(path) })),
        (_, Roster::Header(_)) => roster.named(path, "").map(Some),
    }
}

/// Whether two paths are one, or one is the beginning of the other.
fn clash(one: &str, other: &str) -> bool {
    let begins =
        |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    begins(one, other) || begins(other, one)
}

/// Up to three names that differ from what was typed by little.
fn near(typed: &str, names: &[String]) -> Vec<String> {
    let typed = fold(typed);
    let allowed = (typed.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &String)> = names
        .iter()
        .take(MOST_COLUMNS)
        .map(|name| (distance(&typed, &fold(name)), name))
        .filter(|(distance, name)| *distance <= allowed || (typed.len() > 2 && fold(name).contains(&typed)))
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

/// How many characters must be changed, added or taken away. Long names are compared by their beginning.
fn distance(one: &str, other: &str) -> usize {
    let beginning = |text: &str| text.chars().take(64).collect::<String>();
    strsim::levenshtein(&beginning(one), &beginning(other))
}

/// The text of a template for one record: empty cells leave no gap, and nothing but empty cells leave nothing.
pub(crate) fn assemble<'a>(pieces: &[Piece], row: &impl Row<'a>) -> String {
    let mut text = String::new();
    let mut holds_something = false;
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Column(column) => {
                let cell = cell_text(row.cell(&column.place));
                holds_something |= !cell.trim().is_empty();
                text.push_str(cell.trim());
            }
        }
    }
    if holds_something { collapse_spaces(&text) } else { String::new() }
}

/// Runs of plain spaces become one; what stands within a cell otherwise, line breaks too, is for validation to judge.
fn collapse_spaces(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for character in text.trim().chars() {
        if character != ' ' || !collapsed.ends_with(' ') {
            collapsed.push(character);
        }
    }
    collapsed
}

/// A cell as text: numbers as they were written, truth values as JSON writes them, structures not
/// at all.
#[inline]
pub(crate) fn cell_text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Json(Json::Integer(number)) => Cow::Owned(number.to_string()),
        Cell::Json(Json::Number(number)) => Cow::Borrowed(number),
        Cell::Json(Json::Bool(value)) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Cell::Absent | Cell::Json(_) => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Roster {
        Roster::Header(names.split(',').map(str::to_owned).collect())
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
        mapping.feeding(field).origin.as_ref().map_or("", Origin::name)
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
        assert_eq!(hint, "--map customer_country=COLUMN (\"Billing Country\" or ShippingCountry)");
    }

    #[test]
    fn a_known_export_tells_the_column_itself() {
        let salesforce = "SystemModstamp,LastName,Email,Name,OtherCountry,MailingCountry,Phone,MobilePhone";
        assert_eq!(
            hint(salesforce, &["phone=Phone"]),
            "this looks like an export of Salesforce: --from salesforce; or --map customer_country=MailingCountry"
        );
    }

    #[test]
    fn what_a_preset_does_not_feed_is_wanted_with_it() {
        let stripe = "Created (UTC),Delinquent,Email,Name";
        assert_eq!(
            hint(stripe, &[]),
            "this looks like an export of Stripe: --from stripe, and with it --map customer_phone=COLUMN --map customer_country=COLUMN \
             (or --set customer_country=CODE for all); Stripe exports phone and country only where they were ticked: tick them and \
             export again, or give them with --map or --set"
        );
        let given = InputOptions { preset: Some(Preset::Stripe), ..options(&[], &[], &[]) };
        let fault = Mapping::resolve(&header(stripe), &given).unwrap_err();
        let hint = crate::intake::error::IntakeError::Columns { path: "x.csv".into(), fault }.hint().unwrap();
        assert!(hint.starts_with("--map customer_phone=COLUMN") && hint.contains("were ticked"), "{hint}");
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
        let Some(Origin::Template { pieces, .. }) = &mapping.feeding(Field::Name).origin else { panic!() };
        assert_eq!(assemble(pieces, &Cells(&["Ada", "", "King"])), "Ada King");
        assert_eq!(assemble(pieces, &Cells(&[" Ada ", "Augusta", ""])), "Ada Augusta");
        assert_eq!(assemble(pieces, &Cells(&["", " ", ""])), "");
    }
}
