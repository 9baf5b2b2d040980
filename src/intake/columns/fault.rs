//! Why the columns of a file cannot be matched with the fields of a customer, and what the user can
//! do about it.

use super::presets::Preset;
use super::rules::WhereRule;
use super::values::ValueRule;
use crate::domain::Field;
use crate::shell;

/// Why the columns of a file cannot be matched with the fields of a customer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnFault {
    #[error("no column for {}; columns found: {}", names(&.0.fields), list(&.0.found))]
    Missing(Box<MissingColumns>),
    #[error("more than one column may be {field}: {}", list(candidates))]
    Ambiguous { field: Field, candidates: Vec<String>, preset: Option<Preset> },
    /// A known export has the field elsewhere than where it was found, if it was found at all.
    #[error("in an export of {}, {field} is {source_name:?}{}", preset.title(), instead(taken))]
    Elsewhere { field: Field, preset: Preset, source_name: &'static str, taken: Option<String> },
    #[error("more than one column is named {name:?}")]
    Duplicate { name: String },
    #[error("{option}: there is no column {name:?}; columns found: {}", list(found))]
    Unknown { option: String, name: String, near: Vec<String>, found: Vec<String> },
    #[error("--where {rule}: there is no column {:?}; columns found: {}", rule.column, list(found))]
    NoSuchWhere { rule: Box<WhereRule>, near: Vec<String>, found: Vec<String> },
    #[error("--value {rule}: no column feeds {}; columns found: {}", rule.field, list(found))]
    NothingToReplace { rule: Box<ValueRule>, found: Vec<String> },
    #[error("--extra {one} and --extra {other} cannot both be in one request")]
    ExtraClash { one: String, other: String },
    #[error("{option} is given twice for {field}")]
    Repeated { option: &'static str, field: Field },
}

/// The required fields without a column, and what is known about the file besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingColumns {
    pub(crate) fields: Vec<Field>,
    pub(crate) found: Vec<String>,
    /// The preset that was named.
    pub(super) given: Option<Preset>,
    /// Columns whose cells are countries.
    pub(crate) countries: Vec<String>,
    /// What to do if the form of the file is the reason. Then mapping columns does not help.
    pub(crate) form: Option<FormAdvice>,
}

/// What to do about the form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormAdvice {
    pub(crate) words: String,
    /// The option with which the file can be read as it is, quoted for a shell.
    pub(crate) option: Option<String>,
}

impl FormAdvice {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), option: None }
    }
}

impl ColumnFault {
    /// Returns what the user can do about it. `command` returns the typed command with more
    /// options. Use `advice::hint`, which knows about missing columns too.
    pub(super) fn hint(&self, command: &dyn Fn(&[String]) -> String) -> Option<String> {
        match self {
            Self::Missing(_) => None,
            Self::Ambiguous { field, candidates, preset } => {
                let choices: Vec<_> = candidates.iter().map(|name| command(&[map_option(*field, name)])).collect();
                let preset = preset.map(|preset| format!("{}\n  or ", by_preset(preset, command)));
                Some(format!("{}choose one: {}", preset.unwrap_or_default(), choices.join("\n  or: ")))
            }
            Self::Elsewhere { field, preset, taken, .. } => {
                let option = match taken {
                    Some(column) => map_option(*field, column),
                    None => format!("--set {field}=VALUE"),
                };
                Some(format!("{}\n  or: {}", by_preset(*preset, command), command(&[option])))
            }
            Self::Duplicate { .. } => Some("give the columns different names".to_owned()),
            Self::Unknown { near, .. } if near.is_empty() => None,
            Self::Unknown { near, .. } => Some(format!("perhaps {}", quoted(near).join(" or "))),
            Self::NoSuchWhere { rule, near, .. } => Some(where_options(rule, near)),
            Self::NothingToReplace { rule, .. } => {
                Some(format!("name its column: {}", map_option(rule.field, "COLUMN")))
            }
            Self::ExtraClash { .. } => Some("a path must not be the beginning of another or appear twice".to_owned()),
            Self::Repeated { .. } => Some("keep one of them".to_owned()),
        }
    }
}

impl ColumnFault {
    /// Returns what to type in place of a word that caused the fault, or `None` if the word did not
    /// cause it or may be corrected in several ways.
    pub(crate) fn correct(&self, word: &str) -> Option<String> {
        match self {
            Self::NoSuchWhere { rule, near, .. } => {
                let [column] = &near[..] else { return None };
                let (option, typed) = word.strip_prefix("--where=").map_or(("", word), |typed| ("--where=", typed));
                let is_cause = typed.parse::<WhereRule>().is_ok_and(|typed| typed == **rule);
                is_cause.then(|| format!("{option}{}", rule.about(column)))
            }
            Self::Unknown { option, name, near, .. } => {
                let ([column], (option, rule)) = (&near[..], option.split_once(' ')?) else { return None };
                let field = rule.strip_suffix(name.as_str())?.strip_suffix('=')?;
                let before = word.strip_suffix(rule)?;
                let is_cause = before.is_empty() || before.strip_suffix('=') == Some(option);
                is_cause.then(|| format!("{before}{field}={}", recipe_of(&column.replace(char::is_control, " "))))
            }
            _ => None,
        }
    }
}

fn instead(taken: &Option<String>) -> String {
    taken.as_ref().map_or_else(|| ", and nothing takes it".to_owned(), |column| format!(", not {column:?}"))
}

/// Returns what to give instead of a rule about a column that is not there.
fn where_options(rule: &WhereRule, near: &[String]) -> String {
    let option = |column: &str| format!("--where {}", shell::quoted(&rule.about(column).to_string()));
    match near {
        [] => format!("name one of these columns: {}", option("COLUMN")),
        near => near.iter().map(|column| option(column)).collect::<Vec<_>>().join(" or "),
    }
}

/// Returns the command that reads the file with a preset.
pub(crate) fn by_preset(preset: Preset, command: &dyn Fn(&[String]) -> String) -> String {
    format!("this looks like an export of {}: {}", preset.title(), command(&[format!("--from {preset}")]))
}

/// Returns the option that maps a column to a field, quoted for a shell. A line break in the name
/// is replaced by a space, which names the same column and keeps the command on one line.
pub(crate) fn map_option(field: Field, column: &str) -> String {
    // A line break would end the command.
    map_recipe(field, &recipe_of(&column.replace(char::is_control, " ")))
}

/// Returns a column's name as the right-hand side of `--map`.
pub(crate) fn recipe_of(column: &str) -> String {
    if column.contains(['{', '}']) { braced(column) } else { column.to_owned() }
}

/// Returns a column's name as a part of a template. A space keeps a brace of the name apart from
/// that of the template; it is not compared.
pub(crate) fn braced(column: &str) -> String {
    let space = if column.starts_with('{') { " " } else { "" };
    format!("{{{space}{}}}", column.replace('{', "{{").replace('}', "}}"))
}

/// Returns the `--map` option for a column or template, quoted for a shell.
pub(crate) fn map_recipe(field: Field, recipe: &str) -> String {
    format!("--map {}", shell::quoted(&format!("{field}={recipe}")))
}

/// How many columns a message lists at most.
const LISTED: usize = 40;

fn list(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        count if count > LISTED => format!("{}, and {} more", quoted(&names[..LISTED]).join(", "), count - LISTED),
        _ => quoted(names).join(", "),
    }
}

/// Returns names with control characters escaped. A name is quoted if it would not stand out, and
/// shortened if it is too long for a name.
pub(crate) fn quoted(names: &[String]) -> Vec<String> {
    let shown = |name: &String| {
        let short: String = name.chars().take(60).collect();
        let plain = !short.is_empty()
            && short.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'));
        if plain { short } else { format!("{short:?}") }
    };
    names.iter().map(shown).collect()
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
}
