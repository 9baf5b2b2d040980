//! What the user can say about the input.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, X_USER_DEFINED};

use super::columns::presets::Preset;
use super::columns::rules::{ExtraRule, MapRule, RuleError, SetRule, WhereRule};
use super::columns::values::ValueRule;
use crate::domain::{Code, Country, Severity};

/// How to read a file. With the default, everything is detected from the content.
#[derive(Clone, Debug, Default)]
pub struct InputOptions {
    pub format: Format,
    /// The delimiter of a CSV file, or `None` to detect it.
    pub delimiter: Option<u8>,
    /// The encoding of text without a byte order mark. `None` means UTF-8.
    pub encoding: Option<&'static Encoding>,
    /// The sheet of a workbook, or `None` for the only one that has values.
    pub sheet: Option<String>,
    /// The system that exported the file.
    pub preset: Option<Preset>,
    pub maps: Vec<MapRule>,
    pub values: Vec<ValueRule>,
    pub sets: Vec<SetRule>,
    pub extras: Vec<ExtraRule>,
    /// What the cells of a row must hold so that it is a record.
    pub where_rules: Vec<WhereRule>,
    /// The columns to carry into the report.
    pub keep: Vec<String>,
    /// The country of phone numbers without `+`. `None` means the record's own country.
    pub region: Option<Country>,
    /// The warnings that count as problems.
    pub holds: Vec<HoldRule>,
    /// Whether each record carries its cells as they were read, which the rejects need.
    pub want_raw: bool,
    /// Whether every column is kept and none feeds a field, to look at a file before its columns
    /// are matched.
    pub is_unmapped: bool,
    /// Whether the input came through a pipe, whose writer may have died. If so, a last CSV record
    /// without a line end counts as cut off.
    pub may_be_cut: bool,
}

/// The form of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    #[default]
    Auto,
    Csv,
    Ndjson,
    Xlsx,
}

impl FromStr for Format {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "xlsx" => Ok(Self::Xlsx),
            _ => Err(RuleError::new("write auto, csv, ndjson or xlsx")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Xlsx => "xlsx",
        })
    }
}

/// Returns the delimiter for what the user typed: one ASCII character, `\t` or `tab`.
///
/// # Errors
/// Returns an error for anything else, and for characters that have another meaning in CSV.
pub fn parse_delimiter(text: &str) -> Result<u8, RuleError> {
    match text.as_bytes() {
        b"\\t" | b"tab" | b"TAB" => Ok(b'\t'),
        [byte] if is_delimiter(*byte) => Ok(*byte),
        _ => Err(RuleError::new("write one character such as , or ; or | or the word tab")),
    }
}

/// Whether a character can be a delimiter, because it has no other meaning in CSV.
pub(super) fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\r' | b'\n' | 0)
}

/// The rule of `--hold`: the code of a warning that counts as a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRule(pub(super) Code);

impl fmt::Display for HoldRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for HoldRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A duplicate is found when all records are read, and it is never sent anyway.
        let can_be_held = |code: &&Code| code.severity() == Severity::Warning && **code != Code::DuplicateDiffers;
        let codes: Vec<_> = Code::ALL.iter().filter(can_be_held).collect();
        if let Some(code) = codes.iter().find(|code| code.as_str() == text) {
            return Ok(Self(**code));
        }
        let why = match Code::ALL.iter().find(|code| code.as_str() == text) {
            Some(_) => "such records are never sent anyway",
            None => "this is not the code of a warning",
        };
        let list: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        Err(RuleError::new(format!("{why}; the warnings that can hold a record are {}", list.join(", "))))
    }
}

/// Returns the encoding that has this name. All labels of the WHATWG Encoding Standard are
/// accepted: `windows-1252`, `latin1`, `utf-16le`, `shift_jis` …
///
/// # Errors
/// Returns an error if the standard does not have the name, or warns against the encoding.
pub fn parse_encoding(text: &str) -> Result<&'static Encoding, RuleError> {
    let known = Encoding::for_label_no_replacement(text.as_bytes()).filter(|encoding| *encoding != X_USER_DEFINED);
    known.ok_or_else(|| RuleError::new("write a name such as utf-8, windows-1252, utf-16le, iso-8859-2 or shift_jis"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_have_their_usual_names() {
        for (name, encoding) in [("cp1252", "windows-1252"), ("Latin1", "windows-1252"), (" UTF-16LE ", "UTF-16LE")] {
            assert_eq!(parse_encoding(name).unwrap().name(), encoding);
        }
        for wrong in ["", "utf-7", "ebcdic", "hz-gb-2312", "replacement", "x-user-defined"] {
            assert!(parse_encoding(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_warnings_about_one_record_can_be_held() {
        assert_eq!("name.looks_garbled".parse(), Ok(HoldRule(Code::NameLooksGarbled)));
        for wrong in ["", "name.missing", "duplicate.differs", "name"] {
            let error = wrong.parse::<HoldRule>().unwrap_err().to_string();
            assert!(error.contains("phone.not_assigned, phone.other_country, "), "{wrong}: {error}");
            assert!(!error.contains("name.missing") && !error.contains("duplicate.differs"), "{wrong}: {error}");
        }
    }

    #[test]
    fn delimiters_are_single_signs() {
        assert_eq!(parse_delimiter(";").unwrap(), b';');
        assert_eq!(parse_delimiter("tab").unwrap(), b'\t');
        assert_eq!(parse_delimiter("\\t").unwrap(), b'\t');
        for wrong in ["", ";;", "a", "\"", "é"] {
            assert!(parse_delimiter(wrong).is_err(), "{wrong}");
        }
    }
}
