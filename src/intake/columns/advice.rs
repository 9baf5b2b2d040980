//! What the user can do if a required field does not have a column.

use super::column_names::ColumnNames;
use super::fault::{ColumnFault, map_option, map_recipe, quoted};
use super::header_words;
use super::presets::Preset;
use super::sources::{FieldSource, TextSource, preset_source, sourced};
use super::spelling::{fold, is_same};
use crate::domain::Field;
use crate::intake::options::InputOptions;

pub(crate) fn check_required(
    names: &ColumnNames,
    feedings: &[FieldSource; 6],
    given: Option<Preset>,
) -> Result<(), ColumnFault> {
    let is_missing = |field: &Field| {
        let feeding = &feedings[*field as usize];
        field.is_required() && !feeding.seen && feeding.set.is_none()
    };
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_missing).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let mut advice = advice(names, &fields, given);
    if let Some(headless) = Preset::headless(names.as_slice()) {
        advice = vec![headless.to_owned()];
    } else if names.as_slice().iter().any(|name| name.contains('@')) {
        let header = "customer_name,customer_email,customer_phone,customer_country";
        advice = vec![format!("the first line looks like a customer: add a header line above it, such as {header}")];
    }
    Err(ColumnFault::Missing { fields, found: names.as_slice().to_vec(), advice })
}

/// Refuses a file of a known export that would be read without its preset and otherwise than with
/// it. The usual names of columns are good guesses elsewhere, but here it is known what they mean.
pub(crate) fn check_export(
    names: &ColumnNames,
    feedings: &[FieldSource; 6],
    options: &InputOptions,
) -> Result<(), ColumnFault> {
    let Some(preset) = Preset::guess(names.as_slice()).filter(|_| options.preset.is_none()) else { return Ok(()) };
    let is_mapped = |field: Field| options.maps.iter().any(|rule| rule.field == field);
    for field in Field::ALL.into_iter().filter(|field| !is_mapped(*field)) {
        let Some(source_name) = preset_source(names, preset, field) else { continue };
        let feeding = &feedings[field as usize];
        let taken = feeding.origin.as_ref().filter(|_| feeding.seen).map(TextSource::name);
        // A fixed value says that there is no column, not which of two it is.
        let is_settled = match taken {
            Some(column) => is_same(column, field.as_str()),
            None => feeding.set.is_some(),
        };
        let known = sourced(names, field, source_name);
        if !is_settled && taken != known.as_ref().map(TextSource::name) {
            let taken = taken.map(str::to_owned);
            return Err(ColumnFault::Elsewhere { field, preset, source_name, taken });
        }
    }
    Ok(())
}

/// Refuses values to replace in a field that no column feeds. They would be replaced in vain, and
/// every customer would get the default.
pub(crate) fn check_replaced(
    names: &ColumnNames,
    feedings: &[FieldSource; 6],
    options: &InputOptions,
) -> Result<(), ColumnFault> {
    match options.values.iter().find(|rule| !feedings[rule.field as usize].seen) {
        None => Ok(()),
        Some(rule) => {
            Err(ColumnFault::NothingToReplace { rule: Box::new(rule.clone()), found: names.as_slice().to_vec() })
        }
    }
}

/// Returns what to type for the fields without a source: the preset that feeds all or some of them,
/// and options.
fn advice(names: &ColumnNames, fields: &[Field], given: Option<Preset>) -> Vec<String> {
    let guessed = Preset::guess(names.as_slice());
    let found = |field| guessed.and_then(|preset| preset_source(names, preset, field));
    let is_unfit = |name: &String| guessed.is_some_and(|preset| preset.is_unfit(name));
    let likely: Vec<String> = names.as_slice().iter().filter(|name| !is_unfit(name)).cloned().collect();
    let option = |&field: &Field| match found(field) {
        Some(source) => map_recipe(field, source),
        None => advise(field, &likely),
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
    let note = given.or(guessed).filter(|_| !lacking.is_empty()).and_then(Preset::note);
    if let (Some(last), Some(note)) = (advice.last_mut(), note) {
        last.push_str("; ");
        last.push_str(note);
    }
    advice
}

/// Returns the option to type for a field without a column, with the likely column. If several
/// columns are equally likely, it lists them and chooses none.
fn advise(field: Field, names: &[String]) -> String {
    if field == Field::Name {
        if let Some(template) = header_words::name_template(names) {
            return map_recipe(field, &template);
        }
        let with = |stems| names.iter().find(|name| contains_one(name, stems));
        let (first, last) =
            (with(&["firstname", "givenname", "forename"]), with(&["lastname", "surname", "familyname"]));
        if let (Some(first), Some(last)) = (first, last) {
            return map_recipe(field, &format!("{{{first}}} {{{last}}}"));
        }
    }
    let likely: Vec<String> = names.iter().filter(|name| sounds_like(name, field)).cloned().collect();
    let option = || map_option(field, "COLUMN");
    match &likely[..] {
        [] if field == Field::Country => format!("{} (or --set {field}=CODE for all)", option()),
        [] => option(),
        [column] => map_option(field, column),
        several => format!("{} ({})", option(), quoted(several).join(" or ")),
    }
}

/// Whether a column's name contains a word for a field, so that it is worth a question.
pub(crate) fn sounds_like(name: &str, field: Field) -> bool {
    let stems: &[&str] = match field {
        Field::Name => &["name"],
        Field::Email => &["mail"],
        Field::Phone => &["phone", "mobile", "telephone", "cellphone"],
        Field::Country => &["country", "nation"],
        Field::Type | Field::SendKycMail => &[],
    };
    contains_one(name, stems)
}

fn contains_one(name: &str, stems: &[&str]) -> bool {
    let folded = fold(name);
    stems.iter().any(|stem| folded.contains(stem))
}
