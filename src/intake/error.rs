//! Why a file cannot be read as customers.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::{Field, shown};
use crate::shell;

use super::presets::Preset;
use super::unpack::UnpackFault;
use super::watched::InputChanged;

/// A file that cannot be customers, or cannot be read on. A bad record is none of these.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("cannot read {}{}", shown(path), behind(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be unpacked: {fault}", shown(path))]
    Packed { path: PathBuf, fault: UnpackFault },
    #[error("{} is a directory, not a file", shown(path))]
    Directory { path: PathBuf },
    #[error("{} is no regular file", shown(path))]
    NotAFile { path: PathBuf },
    #[error("{} is empty", shown(path))]
    Empty { path: PathBuf },
    #[error("{} is not CSV or NDJSON: it looks like {what}", shown(path))]
    Foreign { path: PathBuf, what: &'static str, advice: &'static str },
    #[error("{} is text in {found} without a byte order mark", shown(path))]
    Utf16 { path: PathBuf, found: &'static str },
    #[error("{} is in UTF-8, not in {named}", shown(path))]
    AlreadyUtf8 { path: PathBuf, named: &'static str },
    #[error("{}, line {line}: the header is not {encoding}", shown(path))]
    HeaderEncoding { path: PathBuf, line: u64, encoding: &'static str, suggestion: Option<&'static str> },
    #[error("{}, line {line}: the header has more than {what}", shown(path))]
    HeaderTooLarge { path: PathBuf, line: u64, what: &'static str },
    #[error("{}: {undecodable} of the first {of} records are not {encoding}, the first on line {line}", shown(path))]
    Encoding {
        path: PathBuf,
        undecodable: u64,
        of: u64,
        line: u64,
        encoding: &'static str,
        suggestion: Option<&'static str>,
    },
    #[error(
        "{}, line {line}: a quote opens here and is not closed, or not within 64 KiB{}",
        shown(path),
        within(column)
    )]
    OpenQuote { path: PathBuf, line: u64, column: Option<String> },
    #[error("{}: {fault}", shown(path))]
    Columns { path: PathBuf, fault: ColumnFault },
    #[error("the input changed while it was read: {}", shown(path))]
    Changed { path: PathBuf },
    #[error("a thread that reads the input failed; this is a fault of this program")]
    Abandoned,
    #[error("{}", crate::limits::no_thread(.0))]
    NoThread(io::Error),
}

/// Names a limit, which the system's own words do not.
fn behind(error: &io::Error) -> String {
    crate::limits::behind(error).map(|limit| format!(": {limit}")).unwrap_or_default()
}

fn within(column: &Option<String>) -> String {
    column.as_ref().map(|column| format!(" (column {column})")).unwrap_or_default()
}

/// Why the columns of a file cannot be matched with the fields of a customer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnFault {
    #[error("no column for {}; columns found: {}", names(fields), list(found))]
    Missing { fields: Vec<Field>, found: Vec<String>, advice: Vec<String> },
    #[error("more than one column may be {field}: {}", list(candidates))]
    Ambiguous { field: Field, candidates: Vec<String>, preset: Option<Preset> },
    #[error("more than one column is named {name:?}")]
    Duplicate { name: String },
    #[error("{option}: there is no column {name:?}; columns found: {}", list(found))]
    Unknown { option: String, name: String, near: Vec<String>, found: Vec<String> },
    #[error("--extra {one} and --extra {other} cannot both be in one request")]
    ExtraClash { one: String, other: String },
    #[error("{option} is given twice for {field}")]
    Repeated { option: &'static str, field: Field },
}

const SAVE_AS_UTF8: &str = "save the file as UTF-8 (in Excel: \"CSV UTF-8\")";

impl IntakeError {
    /// Reading failed: the file, or what it was packed with.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.get_ref().is_some_and(|inner| inner.is::<InputChanged>()) {
            return Self::Changed { path };
        }
        match source.get_ref().and_then(|inner| inner.downcast_ref::<UnpackFault>()) {
            Some(fault) => Self::Packed { path, fault: fault.clone() },
            None => Self::Read { path, source },
        }
    }

    /// Missing columns, where the form of the file is the reason for it, and what to do about that.
    pub(super) fn advised(mut self, about_form: Option<String>) -> Self {
        if let (Self::Columns { fault: ColumnFault::Missing { advice, .. }, .. }, Some(form)) = (&mut self, about_form)
        {
            *advice = vec![form];
        }
        self
    }

    /// Missing keys, where a document holds a list that may have them. One that has an e-mail of its own is a customer.
    pub(super) fn within(mut self, list: Option<&str>) -> Self {
        if let (Self::Columns { fault: ColumnFault::Missing { fields, advice, .. }, .. }, Some(list)) =
            (&mut self, list)
            && fields.contains(&Field::Email)
        {
            let filter = shell::quoted(&format!(".[{list:?}][]"));
            *advice = vec![format!("if the customers are in {list:?}: jq -c {filter} FILE > customers.ndjson")];
        }
        self
    }

    /// Whether the machine is at fault, and not the input.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        match self {
            Self::NoThread(_) => true,
            Self::Read { source, .. } => crate::limits::behind(source).is_some(),
            _ => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path; a file named on the command line is looked for in the current folder".to_owned()
            }
            Self::Read { .. } | Self::Abandoned | Self::NoThread(_) => return None,
            Self::Empty { .. } => "see whether the export that makes it came to its end, and make it again".to_owned(),
            Self::Directory { .. } => "name one file of it".to_owned(),
            Self::NotAFile { .. } => "for a pipe, give - as the input and pipe into this program".to_owned(),
            Self::Foreign { advice, .. } => (*advice).to_owned(),
            Self::Packed { fault: UnpackFault::Cut, .. } => "get or make the file again".to_owned(),
            Self::Packed { fault: UnpackFault::Followed | UnpackFault::Damaged(_), .. } => {
                "get or make the file again; if it unpacks elsewhere, import what it unpacks to".to_owned()
            }
            Self::Packed { .. } => "if this is right, unpack it first (gunzip, unzstd) and import that".to_owned(),
            Self::Utf16 { found, .. } => format!("give --encoding {found}, or {SAVE_AS_UTF8}"),
            Self::AlreadyUtf8 { .. } => "leave out --encoding (or CUSTOMER_IMPORT_ENCODING)".to_owned(),
            Self::HeaderEncoding { suggestion, .. } | Self::Encoding { suggestion, .. } => match suggestion {
                Some(name) => format!("if it is in {name}, give --encoding {name}; or {SAVE_AS_UTF8}"),
                None => format!("give another --encoding, or {SAVE_AS_UTF8}"),
            },
            Self::HeaderTooLarge { .. } => "check the delimiter (--delimiter) and that the first line is the header".to_owned(),
            Self::OpenQuote { .. } => {
                "close the quote, or write a quote inside a quoted cell twice (\"\"); nothing after this line could be read".to_owned()
            }
            Self::Columns { fault, .. } => return fault.hint(),
            Self::Changed { .. } => "run again once nothing writes to the file any more".to_owned(),
        };
        Some(hint)
    }
}

impl ColumnFault {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { advice, .. } => Some(advice.join(" ")),
            Self::Ambiguous { field, candidates, preset } => {
                let options: Vec<String> = candidates.iter().map(|name| map_option(*field, name)).collect();
                let choice = format!("choose one: {}", options.join(" or "));
                Some(match preset {
                    Some(preset) => {
                        format!("this looks like an export of {}: --from {preset}; or {choice}", preset.title())
                    }
                    None => choice,
                })
            }
            Self::Duplicate { .. } => Some("give the columns different names".to_owned()),
            Self::Unknown { near, .. } if near.is_empty() => None,
            Self::Unknown { near, .. } => Some(format!("perhaps {}", quoted(near).join(" or "))),
            Self::ExtraClash { .. } => {
                Some("one path may not be the beginning of another, nor be given twice".to_owned())
            }
            Self::Repeated { .. } => Some("keep one of them".to_owned()),
        }
    }
}

/// The option that maps a column to a field, ready to be typed into a shell.
pub(super) fn map_option(field: Field, column: &str) -> String {
    let escaped = if column.contains(['{', '}']) {
        format!("{{{}}}", column.replace('{', "{{").replace('}', "}}"))
    } else {
        column.to_owned()
    };
    map_recipe(field, &escaped)
}

/// The same for what is a column or a template as it is typed.
pub(super) fn map_recipe(field: Field, recipe: &str) -> String {
    format!("--map {}", shell::quoted(&format!("{field}={recipe}")))
}

/// More columns than this are not listed.
const LISTED: usize = 40;

fn list(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        count if count > LISTED => format!("{}, and {} more", quoted(&names[..LISTED]).join(", "), count - LISTED),
        _ => quoted(names).join(", "),
    }
}

/// Names with control characters escaped, in quotes where they would not stand out, cut where they are no names.
pub(super) fn quoted(names: &[String]) -> Vec<String> {
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
