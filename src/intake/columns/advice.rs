//! What the user can do if a required field does not have a column.

use super::column_names::ColumnNames;
use super::fault::{ColumnFault, FormAdvice, MissingColumns, by_preset, map_option, map_recipe, quoted};
use super::header_words::{self, Meaning};
use super::presets::Preset;
use super::sources::{FieldSource, TextSource, preset_source, sourced};
use super::spelling::{aliases, fold, is_same};
use crate::domain::{Field, is_hidden};
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
    let form = if let Some(headless) = Preset::headless(names.as_slice()) {
        Some(FormAdvice::new(headless))
    } else if names.as_slice().iter().any(|name| name.contains('@')) {
        let header = "customer_name,customer_email,customer_phone,customer_country";
        let words = format!("the first line looks like a customer: add a header line above it, such as {header}");
        Some(FormAdvice::new(words))
    } else {
        None
    };
    let found = names.as_slice().to_vec();
    Err(ColumnFault::Missing(Box::new(MissingColumns { fields, found, given, countries: Vec::new(), form })))
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

/// What to type for a field without a column.
struct FieldAdvice {
    field: Field,
    /// Quoted for a shell. Names `COLUMN` if no column is likely, or several are.
    option: String,
    /// The columns to choose from, if several are likely.
    choice: Vec<String>,
    /// Whether exactly one column is likely.
    is_sure: bool,
}

/// Returns what the user can do about a fault, or `None` if there is nothing. `command` returns the
/// typed command with more options.
pub(crate) fn hint(fault: &ColumnFault, command: &dyn Fn(&[String]) -> String) -> Option<String> {
    match fault {
        ColumnFault::Missing(missing) => Some(hint_of_missing(missing, command)),
        other => other.hint(command),
    }
}

/// Returns what to do about missing columns: the preset that feeds all or some of them, and the
/// complete command. `command` returns the typed command with more options.
fn hint_of_missing(missing: &MissingColumns, command: &dyn Fn(&[String]) -> String) -> String {
    let MissingColumns { fields, found, given, form, .. } = missing;
    if let Some(FormAdvice { words, option }) = form {
        return match option {
            Some(option) => format!("{words}: {}", command(std::slice::from_ref(option))),
            None => words.clone(),
        };
    }
    let names = ColumnNames::Header(found.clone());
    let guessed = Preset::guess(found);
    let known = |field| guessed.and_then(|preset| preset_source(&names, preset, field));
    let advised: Vec<FieldAdvice> =
        fields.iter().map(|field| advise(*field, missing, known(*field), guessed)).collect();
    let lacking: Vec<&FieldAdvice> = advised.iter().filter(|advice| known(advice.field).is_none()).collect();
    let hint = match guessed.filter(|preset| Some(*preset) != *given) {
        None => by_options(&advised.iter().collect::<Vec<_>>(), command),
        Some(preset) if lacking.is_empty() => {
            let options = by_options(&advised.iter().collect::<Vec<_>>(), command);
            format!("{}\n  or: {options}", by_preset(preset, command))
        }
        Some(preset) => {
            let with_preset = |options: &[String]| command(&[&[format!("--from {preset}")], options].concat());
            format!("this looks like an export of {}: {}", preset.title(), by_options(&lacking, &with_preset))
        }
    };
    match given.or(guessed).filter(|_| !lacking.is_empty()).and_then(Preset::note) {
        Some(note) => format!("{hint}\n  {note}"),
        None => hint,
    }
}

/// Returns the command with the options for all fields, after what is still to be chosen. A country
/// can also be given for all customers, unless a column looks like one.
fn by_options(advised: &[&FieldAdvice], command: &dyn Fn(&[String]) -> String) -> String {
    let open = |advice: &&&FieldAdvice| !advice.is_sure;
    let choice = |advice: &&FieldAdvice| match &advice.choice[..] {
        [] => advice.field.to_string(),
        several => format!("{}, perhaps {}", advice.field, quoted(several).join(" or ")),
    };
    let choices: Vec<_> = advised.iter().filter(open).map(choice).collect();
    let options: Vec<_> = advised.iter().map(|advice| advice.option.clone()).collect();
    let mut hint = command(&options);
    if !choices.is_empty() {
        let between = if advised.iter().all(|advice| advice.choice.is_empty()) { ", " } else { "; " };
        hint = format!("replace COLUMN by the column of {}: {hint}", choices.join(between));
    }
    let wants_country = |advice: &&FieldAdvice| advice.field == Field::Country;
    if advised.iter().any(|advice| wants_country(advice) && !advice.is_sure && advice.choice.is_empty()) {
        let set = |advice: &&FieldAdvice| match wants_country(advice) {
            true => format!("--set {}=CODE", advice.field),
            false => advice.option.clone(),
        };
        hint += "\n  or, if all customers are of one country, by which phones without + are then read: ";
        hint += &command(&advised.iter().map(set).collect::<Vec<_>>());
    }
    hint
}

/// Returns the option to type for a field without a column: with the source that a preset knows, or
/// else with the likely column.
fn advise(field: Field, missing: &MissingColumns, known: Option<&str>, guessed: Option<Preset>) -> FieldAdvice {
    let sure = |option: String| FieldAdvice { field, option, choice: Vec::new(), is_sure: true };
    if let Some(source) = known {
        return sure(map_recipe(field, source));
    }
    let is_unfit = |name: &String| {
        guessed.is_some_and(|preset| preset.is_unfit(name)) || only_describes(name) || name.chars().any(is_untypable)
    };
    let names: Vec<String> = missing.found.iter().filter(|name| !is_unfit(name)).cloned().collect();
    if field == Field::Name
        && let Some(template) = header_words::name_template(&names).or_else(|| english_template(&names))
    {
        return sure(map_recipe(field, &template));
    }
    let mut likely: Vec<String> = names.iter().filter(|name| sounds_like(name, field)).cloned().collect();
    if likely.is_empty() {
        likely = names.iter().filter(|name| has_word_of(name, field)).cloned().collect();
    }
    if likely.is_empty() && field == Field::Country {
        let is_other = |name: &String| Field::ALL.into_iter().any(|other| other != field && has_word_of(name, other));
        likely = names.into_iter().filter(|name| missing.countries.contains(name) && !is_other(name)).collect();
    }
    match &likely[..] {
        [column] => sure(map_option(field, column)),
        _ => FieldAdvice { field, option: map_option(field, "COLUMN"), choice: likely, is_sure: false },
    }
}

/// Whether a column's name contains a word for a field, so that it is worth a question.
pub(crate) fn sounds_like(name: &str, field: Field) -> bool {
    let stems: &[&str] = match field {
        Field::Name => &["name"],
        Field::Email => &["mail"],
        Field::Phone => &["phone", "mobile"],
        Field::Country => &["country", "nation"],
        Field::Type | Field::SendKycMail => &[],
    };
    contains_one(name, stems)
}

fn contains_one(name: &str, words: &[&str]) -> bool {
    let folded = fold(name);
    words.iter().any(|word| folded.contains(word))
}

fn english_template(names: &[String]) -> Option<String> {
    let with = |words| names.iter().find(|name| contains_one(name, words));
    let first = with(&["firstname", "givenname", "forename"])?;
    let last = with(&["lastname", "surname", "familyname"])?;
    Some(format!("{{{first}}} {{{last}}}"))
}

/// Whether a column only describes another one, as `E-mail 1 - Label` and `Phonetic First Name` do.
fn only_describes(name: &str) -> bool {
    let folded = fold(name);
    let ends = ["label", "type", "verified", "status", "consent", "optin", "subscribed", "date"];
    folded.contains("phonetic") || ends.iter().any(|end| folded.ends_with(end))
}

/// Whether a character cannot be typed in a command on one line.
fn is_untypable(character: char) -> bool {
    is_hidden(character) && !character.is_whitespace()
}

/// Whether one of the words of a column's name is a usual name of the field in any language.
fn has_word_of(name: &str, field: Field) -> bool {
    let is_of = |word: &str| {
        aliases(field).contains(&&*fold(word)) || header_words::meaning(word) == Some(Meaning::Field(field))
    };
    name.split(|letter: char| !letter.is_alphanumeric() && letter != '-').any(is_of)
}
