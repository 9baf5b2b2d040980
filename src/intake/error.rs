//! Why a file cannot be read as customers.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::{Field, counted, grouped, shown};
use crate::shell;

use super::columns::advice;
use super::columns::fault::{ColumnFault, FormAdvice};
use super::open::changed::InputChanged;
use super::open::unpack::UnpackFault;
use super::read::xlsx::fault::WorkbookFault;

/// A file that cannot hold customers, or cannot be read any further. A bad record is not an error.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("cannot read {}{}", shown(path), behind(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be unpacked: {fault}", shown(path))]
    Packed { path: PathBuf, fault: UnpackFault },
    #[error("the workbook {} cannot be read: {fault}", shown(path))]
    Workbook { path: PathBuf, fault: WorkbookFault },
    #[error("{} is not an xlsx workbook", shown(path))]
    NotAWorkbook { path: PathBuf },
    #[error("{} does not have sheets, but --sheet was given", shown(path))]
    WithoutSheets { path: PathBuf },
    #[error("{} is a directory, not a file", shown(path))]
    Directory { path: PathBuf },
    #[error("{} is not a regular file", shown(path))]
    NotAFile { path: PathBuf },
    #[error("{} is empty", shown(path))]
    Empty { path: PathBuf },
    #[error("{} is not CSV, NDJSON or XLSX: it looks like {what}", shown(path))]
    Foreign { path: PathBuf, what: &'static str, advice: &'static str },
    #[error("{} is text in {found} without a byte order mark", shown(path))]
    Utf16 { path: PathBuf, found: &'static str },
    #[error("{} is in UTF-8, not in {named}", shown(path))]
    AlreadyUtf8 { path: PathBuf, named: &'static str },
    #[error("{}, line {line}: the header is not {encoding}", shown(path))]
    HeaderEncoding { path: PathBuf, line: u64, encoding: &'static str, suggestion: Option<&'static str> },
    #[error("{}, line {line}: the header has more than {what}", shown(path))]
    HeaderTooLarge { path: PathBuf, line: u64, what: &'static str },
    #[error("{}: {} of the first {} cannot be read as {encoding}, the first on line {line}", shown(path), grouped(*undecodable), counted(*of, "record"))]
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
    #[error("{}, line {line}: the header appears again, with its columns in another order", shown(path))]
    OtherHeader { path: PathBuf, line: u64 },
    #[error("{}: {fault}", shown(path))]
    Columns { path: PathBuf, fault: ColumnFault },
    #[error("the input changed while it was read: {}", shown(path))]
    Changed { path: PathBuf },
    #[error("a reader thread failed; this is a fault of this program")]
    Abandoned,
    #[error("{}", crate::limits::no_thread(.0))]
    NoThread(io::Error),
}

/// Returns a hint whose commands name the input, if it was typed. Standard input has no name that
/// another tool could read.
fn naming(path: &Path, hint: &str) -> String {
    let is_typed = shell::typed().any(|word| Path::new(&word) == path);
    if is_typed { shell::naming_input(hint, path) } else { hint.to_owned() }
}

/// Names the limit behind an error, because the system's own message does not.
fn behind(error: &io::Error) -> String {
    crate::limits::behind(error).map(|limit| format!(": {limit}")).unwrap_or_default()
}

fn within(column: &Option<String>) -> String {
    column.as_ref().map(|column| format!(" (column {column})")).unwrap_or_default()
}

const SAVE_AS_UTF8: &str = "save the file as UTF-8 (in Excel: \"CSV UTF-8\")";

impl IntakeError {
    /// Returns the error for a failed read: unpacking failed, the file changed, or the system
    /// reported something else.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.get_ref().is_some_and(|inner| inner.is::<InputChanged>()) {
            return Self::Changed { path };
        }
        if let Some(fault) = source.get_ref().and_then(|inner| inner.downcast_ref::<WorkbookFault>()) {
            return Self::Workbook { path, fault: fault.clone() };
        }
        match source.get_ref().and_then(|inner| inner.downcast_ref::<UnpackFault>()) {
            Some(fault) => Self::Packed { path, fault: fault.clone() },
            None => Self::Read { path, source },
        }
    }

    /// Replaces the advice about missing columns if the form of the file is the reason for them.
    pub(super) fn advised(mut self, about_form: Option<FormAdvice>) -> Self {
        if let Self::Columns { fault: ColumnFault::Missing(missing), .. } = &mut self
            && about_form.is_some()
        {
            missing.form = about_form;
        }
        self
    }

    /// Adds the columns that look like countries by their cells, for the advice about a missing
    /// country.
    pub(super) fn with_countries(mut self, columns: impl FnOnce() -> Vec<String>) -> Self {
        if let Self::Columns { fault: ColumnFault::Missing(missing), .. } = &mut self
            && missing.fields.contains(&Field::Country)
        {
            missing.countries = columns();
        }
        self
    }

    /// Replaces the advice about missing keys if the document holds a list that may have them. An
    /// object that has an e-mail of its own is a customer, so its advice stays.
    pub(super) fn within(mut self, list: Option<&str>) -> Self {
        if let (Self::Columns { fault: ColumnFault::Missing(missing), .. }, Some(list)) = (&mut self, list)
            && missing.fields.contains(&Field::Email)
        {
            let filter = shell::quoted(&format!(".[{list:?}][]"));
            missing.form = Some(FormAdvice::new(format!(
                "if the customers are in {list:?}: jq -c {filter} FILE > customers.ndjson"
            )));
        }
        self
    }

    /// Returns what to type in place of a word of the command line that caused the error, or `None`
    /// if there is no single correction.
    #[must_use]
    pub fn correct(&self, word: &str) -> Option<String> {
        if let Self::Columns { fault, .. } = self { fault.correct(word) } else { None }
    }

    /// Whether required fields have no column, and the form of the file is not the reason.
    #[must_use]
    pub fn lacks_columns(&self) -> bool {
        matches!(self, Self::Columns { fault: ColumnFault::Missing(missing), .. } if missing.form.is_none())
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

    /// Returns what the user can do about the error, or `None` if there is nothing. Names options
    /// without a command.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.hint_for(&|options| options.join(" "))
    }

    /// Does the same with complete commands: `command` returns the typed command with more options.
    #[must_use]
    pub fn hint_for(&self, command: &dyn Fn(&[String]) -> String) -> Option<String> {
        let hint = match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path; a relative path starts at the current folder".to_owned()
            }
            Self::Read { .. } | Self::Abandoned | Self::NoThread(_) => return None,
            Self::Workbook { fault, .. } => fault.hint(command),
            Self::NotAWorkbook { .. } => "leave out --format (or CUSTOMER_IMPORT_FORMAT)".to_owned(),
            Self::WithoutSheets { .. } => "leave out --sheet (or CUSTOMER_IMPORT_SHEET)".to_owned(),
            Self::Empty { .. } => "the export probably failed: run it again".to_owned(),
            Self::Directory { .. } => "name one file in it".to_owned(),
            Self::NotAFile { .. } => "to read from a pipe, use - as the input".to_owned(),
            Self::Foreign { path, advice, .. } => naming(path, advice),
            Self::Packed { fault: UnpackFault::Cut, .. } => "copy or export the file again".to_owned(),
            Self::Packed { fault: UnpackFault::Followed | UnpackFault::Damaged(_), .. } => {
                "copy or export the file again; if another program can unpack it, import the unpacked file".to_owned()
            }
            Self::Packed { fault: UnpackFault::Archive(_), .. } => {
                "copy or download the file again; if a spreadsheet can open it, save it there as .xlsx and import that".to_owned()
            }
            Self::Packed { .. } => "if this is expected, unpack it first (gunzip, unzstd) and import the result".to_owned(),
            Self::Utf16 { found, .. } => format!("{SAVE_AS_UTF8}, or: {}", command(&[format!("--encoding {found}")])),
            Self::AlreadyUtf8 { .. } => "leave out --encoding (or CUSTOMER_IMPORT_ENCODING)".to_owned(),
            Self::HeaderEncoding { suggestion, .. } | Self::Encoding { suggestion, .. } => match suggestion {
                Some(name) => {
                    format!("{SAVE_AS_UTF8}, or, if it is in {name}: {}", command(&[format!("--encoding {name}")]))
                }
                None => format!("give another --encoding, or {SAVE_AS_UTF8}"),
            },
            Self::HeaderTooLarge { .. } => "check the delimiter (--delimiter) and that the first line is the header".to_owned(),
            Self::OpenQuote { .. } => {
                "close the quote, or write a quote inside a quoted cell twice (\"\"); nothing after this line could be read".to_owned()
            }
            Self::OtherHeader { line, .. } => {
                format!("files were joined here: write what begins at line {line} to a file of its own, and import both")
            }
            Self::Columns { path, fault } => return advice::hint(fault, command).map(|hint| naming(path, &hint)),
            Self::Changed { .. } => "run again when no program writes to the file".to_owned(),
        };
        Some(hint)
    }
}
