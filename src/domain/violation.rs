//! What is wrong, or odd, about a record of the input.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::{fmt, mem, slice};

use super::text::shortened;

/// Whether a record may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Problem,
    Warning,
}

macro_rules! codes {
    ($($variant:ident $text:literal $severity:ident,)*) => {
        /// The stable codes of problems and warnings. Other programs read them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($variant,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    NameMissing "name.missing" Problem,
    NameTooLong "name.too_long" Problem,
    NameControlCharacters "name.control_characters" Problem,
    EmailMissing "email.missing" Problem,
    EmailSyntax "email.syntax" Problem,
    EmailSeveral "email.several" Problem,
    EmailTooLong "email.too_long" Problem,
    PhoneMissing "phone.missing" Problem,
    PhoneSyntax "phone.syntax" Problem,
    PhoneSeveral "phone.several" Problem,
    PhoneImpossible "phone.impossible" Problem,
    PhoneAmbiguous "phone.ambiguous" Problem,
    PhoneNoCountryCode "phone.no_country_code" Problem,
    PhoneSpreadsheetDamage "phone.spreadsheet_damage" Problem,
    CountryMissing "country.missing" Problem,
    CountryUnknown "country.unknown" Problem,
    CountryAmbiguous "country.ambiguous" Problem,
    TypeUnknown "type.unknown" Problem,
    KycMailNotBoolean "kyc_mail.not_boolean" Problem,
    RowColumnCount "row.column_count" Problem,
    RowEscapedQuotes "row.escaped_quotes" Problem,
    RowTooLarge "row.too_large" Problem,
    RowEncoding "row.encoding" Problem,
    JsonSyntax "json.syntax" Problem,
    JsonNotAnObject "json.not_an_object" Problem,
    JsonDuplicateKey "json.duplicate_key" Problem,
    CellSpreadsheetDamage "cell.spreadsheet_damage" Problem,
    CellNullMarker "cell.null_marker" Problem,
    PhoneNotAssigned "phone.not_assigned" Warning,
    PhoneOtherCountry "phone.other_country" Warning,
    EmailReservedDomain "email.reserved_domain" Warning,
    NameLooksGarbled "name.looks_garbled" Warning,
    NamePlaceholder "name.placeholder" Warning,
    RowSwallowedLines "row.swallowed_lines" Warning,
    DuplicateDiffers "duplicate.differs" Warning,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a value's own check says against it: a code, and what to do. The caller adds where the
/// value is.
#[derive(Clone, PartialEq, Eq)]
pub struct Flaw {
    pub code: Code,
    pub hint: Cow<'static, str>,
}

/// Leaves out the hint, because a hint may quote personal data, which must stay out of logs and
/// panics.
impl fmt::Debug for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flaw").field("code", &self.code).finish_non_exhaustive()
    }
}

impl Flaw {
    #[must_use]
    pub fn new(code: Code, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { code, hint: hint.into() }
    }

    /// Returns this complaint about the value of a column.
    #[must_use]
    pub fn at<'a>(self, column: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Violation<'a> {
        Violation::new(self.code, column, value, self.hint)
    }
}

/// One complaint about one cell, or about a whole record. It borrows its texts where they are,
/// because most violations are only counted.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation<'a> {
    pub code: Code,
    /// The code's own severity, or `Problem` for a warning that the user holds records for.
    pub severity: Severity,
    /// The input's own name of the column, or the field's name if no column feeds it. Empty if the
    /// complaint is about the whole record.
    pub column: Cow<'a, str>,
    /// The cell's text, shortened, with control characters escaped. Empty if the cell is empty.
    pub value: Cow<'a, str>,
    /// What is wrong and what to do about it: one short sentence without a final period.
    pub hint: Cow<'static, str>,
    /// Whether it only follows from another violation of the same record, so that it has no count
    /// of its own.
    pub is_consequence: bool,
}

/// Leaves out value and hint, because personal data must stay out of logs and panics.
impl fmt::Debug for Violation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Violation").field("code", &self.code).field("column", &self.column).finish_non_exhaustive()
    }
}

impl<'a> Violation<'a> {
    #[must_use]
    pub fn new(
        code: Code,
        column: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            column: column.into(),
            value: shortened(value.into(), SHOWN),
            hint: hint.into(),
            is_consequence: false,
        }
    }

    /// Returns the same violation without borrowing.
    #[must_use]
    pub fn into_owned(self) -> Violation<'static> {
        let Self { code, severity, column, value, hint, is_consequence } = self;
        let [column, value] = [column, value].map(|text| Cow::Owned(text.into_owned()));
        Violation { code, severity, column, value, hint, is_consequence }
    }

    #[must_use]
    pub fn as_consequence(self) -> Self {
        Self { is_consequence: true, ..self }
    }
}

/// The violations of a record. Most records that have any have one, which needs no allocation.
#[derive(Clone)]
pub enum Violations<'a> {
    One(Violation<'a>),
    /// None, or more than one.
    Several(Vec<Violation<'a>>),
}

impl Default for Violations<'_> {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl<'a> Violations<'a> {
    pub fn push(&mut self, violation: Violation<'a>) {
        if self.is_empty() {
            *self = Self::One(violation);
            return;
        }
        *self = match mem::take(self) {
            Self::One(first) => Self::Several(vec![first, violation]),
            Self::Several(mut all) => {
                all.push(violation);
                Self::Several(all)
            }
        };
    }

    #[must_use]
    pub fn into_vec(self) -> Vec<Violation<'a>> {
        match self {
            Self::One(violation) => vec![violation],
            Self::Several(all) => all,
        }
    }

    /// Returns the same violations without borrowing.
    #[must_use]
    pub fn into_owned(self) -> Violations<'static> {
        match self {
            Self::One(violation) => Violations::One(violation.into_owned()),
            Self::Several(all) => Violations::Several(all.into_iter().map(Violation::into_owned).collect()),
        }
    }
}

impl<'a> From<Vec<Violation<'a>>> for Violations<'a> {
    fn from(all: Vec<Violation<'a>>) -> Self {
        Self::Several(all)
    }
}

impl<'a> Deref for Violations<'a> {
    type Target = [Violation<'a>];

    fn deref(&self) -> &Self::Target {
        match self {
            Self::One(violation) => slice::from_ref(violation),
            Self::Several(all) => all,
        }
    }
}

impl DerefMut for Violations<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::One(violation) => slice::from_mut(violation),
            Self::Several(all) => all,
        }
    }
}

impl PartialEq for Violations<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Violations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&**self).finish()
    }
}

/// The longest value that a message quotes, in characters.
const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shortened_and_control_characters_escaped() {
        let violation = Violation::new(Code::NameControlCharacters, "name", "a\u{1b}[31m\nb", "remove it");
        assert_eq!(violation.value, "a\\u{1b}[31m\\nb");
        let long = Violation::new(Code::NameTooLong, "name", "é".repeat(61), "shorten it");
        assert_eq!(long.value, format!("{}…", "é".repeat(60)));
    }

    #[test]
    fn violations_are_those_that_were_pushed_in_their_order() {
        let columns = ["a", "b", "c"];
        let mut found = Violations::default();
        for (count, column) in columns.iter().enumerate() {
            assert_eq!(found.len(), count);
            found.push(Violation::new(Code::NameMissing, *column, "", "fill it in"));
            found.iter_mut().for_each(|violation| violation.severity = Severity::Warning);
        }
        assert!(found.iter().map(|violation| &*violation.column).eq(columns));
        assert!(found.iter().all(|violation| violation.severity == Severity::Warning));
        let one = Violations::One(found[0].clone());
        assert_eq!(one, Violations::from(vec![found[0].clone()]));
        assert!(one != found && one.clone().into_owned().into_vec() == found[..1]);
        assert_eq!(found.clone().into_owned(), found);
    }

    #[test]
    fn codes_are_told_apart_by_their_text() {
        let texts: std::collections::HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
