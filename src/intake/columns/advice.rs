//! What to do if a required field has no column.

use super::column_names::ColumnNames;
use super::fault::{ColumnFault, map_option, map_recipe, quoted};
use super::header_words;
use super::presets::Preset;
use super::sources::{FieldSource, preset_source};
use super::spelling::fold;
use crate::domain::Field;

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
    if names.as_slice().iter().any(|name| name.contains('@')) {
        let header = "customer_name,customer_email,customer_phone,customer_country";
        advice = vec![format!("the first line looks like a customer: add a header line above it, such as {header}")];
    }
    Err(ColumnFault::Missing { fields, found: names.as_slice().to_vec(), advice })
}

/// What to write for the fields that nothing feeds: the preset that feeds all or some of them, and
/// options.
fn advice(names: &ColumnNames, fields: &[Field], given: Option<Preset>) -> Vec<String> {
    let guessed = Preset::guess(names.as_slice());
    let found = |field| guessed.and_then(|preset| preset_source(names, preset, field));
    let option = |&field: &Field| match found(field) {
        Some(source) => map_recipe(field, source),
        None => advise(field, names.as_slice()),
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

/// The option to write for a field without a column, with the likely column. Of several that are as
/// likely none is the answer.
fn advise(field: Field, names: &[String]) -> String {
    let with = |stems: &[&str]| -> Vec<String> {
        let fits = |name: &&String| stems.iter().any(|stem| fold(name).contains(stem));
        names.iter().filter(fits).cloned().collect()
    };
    let likely = match field {
        Field::Name => {
            if let Some(template) = header_words::name_template(names) {
                return map_recipe(field, &template);
            }
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
