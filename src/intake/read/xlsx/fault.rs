//! Why a workbook cannot be read.

use std::io;

use crate::domain::shorten;

/// The longest sheet name that a message shows, in characters. Excel allows 31.
const SHOWN: usize = 40;

/// Why a workbook cannot be read. It is carried inside an [`io::Error`] through the layers that
/// read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkbookFault {
    #[error("it is damaged ({0})")]
    Damaged(String),
    #[error("its parts are encrypted")]
    Encrypted,
    #[error("it has more than {limit}")]
    TooLarge { limit: &'static str },
    #[error("none of its visible sheets has a value")]
    NoSheet { hidden: Vec<String> },
    #[error("{} of its sheets have values: {}", names.len(), list(names))]
    SeveralSheets { names: Vec<String> },
    #[error("it does not have a sheet {}; it has {}", quoted(name), list(names))]
    MissingSheet { name: String, names: Vec<String> },
    #[error("the sheet {} does not have a value", quoted(name))]
    EmptySheet { name: String },
    #[error("the cells {range} are merged, so the records in them lack values that they seem to have")]
    Merged { range: String },
    #[error("the header cells {range} are merged, so it is not clear which column their name belongs to")]
    MergedHeader { range: String },
}

/// What to do about merged cells of the header.
pub(crate) const UNMERGE_HEADER: &str =
    "unmerge them in the spreadsheet and write a name above each column, all in one row";

impl WorkbookFault {
    pub(super) fn damaged(what: impl Into<String>) -> io::Error {
        Self::Damaged(what.into()).into()
    }

    /// Returns what the user can do about it. `command` returns the typed command with more
    /// options.
    pub(crate) fn hint(&self, command: &dyn Fn(&[String]) -> String) -> String {
        let with_sheet = |name: &String| command(&[format!("--sheet {}", argument(name))]);
        match self {
            Self::Damaged(_) => "open it in the spreadsheet, save it again as .xlsx, and import that".to_owned(),
            Self::Encrypted => "open it in the spreadsheet, remove the password, and save it as .xlsx".to_owned(),
            Self::TooLarge { .. } => "save the sheet as \"CSV UTF-8\" and import that".to_owned(),
            Self::NoSheet { hidden } => match hidden.first() {
                Some(name) => format!("to read a hidden sheet: {}", with_sheet(name)),
                None => "the export probably failed: run it again".to_owned(),
            },
            Self::SeveralSheets { names } => {
                let commands: Vec<_> = names.iter().map(with_sheet).collect();
                format!("choose the sheet with the customers: {}", commands.join("\n  or: "))
            }
            Self::MissingSheet { .. } | Self::EmptySheet { .. } => {
                "name the sheet with the customers with --sheet, or leave --sheet out".to_owned()
            }
            Self::MergedHeader { .. } => UNMERGE_HEADER.to_owned(),
            Self::Merged { .. } => {
                "unmerge the cells in the spreadsheet and write the value into each of them".to_owned()
            }
        }
    }
}

impl From<WorkbookFault> for io::Error {
    fn from(fault: WorkbookFault) -> Self {
        Self::other(fault)
    }
}

fn argument(name: &str) -> String {
    crate::shell::quoted(name)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", shorten(name, SHOWN))
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
