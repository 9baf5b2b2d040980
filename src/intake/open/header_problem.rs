//! Why a CSV file seems to lack its columns, if the form of the file is the reason: a title above
//! the header, whole lines in quotes, or cells with an unusual separator. Column options would not
//! help with such a file, so the hint is about its form.

use super::sniff::DELIMITERS;
use crate::intake::columns::fault::FormAdvice;
use crate::intake::options::is_delimiter;
use crate::intake::read::csv::RecordScan;
use crate::intake::read::csv::slice::SliceReader;
use crate::shell::quoted;

/// How many records are searched for a header.
pub(crate) const LOOKED_AT: usize = 30;
/// How many known names make a line a header, and not a coincidence.
const ENOUGH: usize = 2;

/// What the first line is, if it is not the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderProblem {
    /// The header is on a later line.
    HeaderBelow { line: u64 },
    /// The whole header is in one pair of quotes.
    Quoted,
    /// There is a space before the quotes around a name, so the quotes are part of the name.
    Spaced,
    /// This character separates the cells.
    Parted(char),
    /// There is only one column, and its name is not known.
    OneColumn,
}

/// Whether so many names are known that a row is a header, although the row that was taken for it
/// has `known` known names.
pub(crate) fn is_header(names: usize, known: usize) -> bool {
    names >= ENOUGH.max(known + 1)
}

impl HeaderProblem {
    /// Finds out what is wrong with the form of a file, or returns `None` if nothing is. `text`
    /// begins with the line that was taken for the header, and `line` is its number.
    pub(crate) fn of(text: &[u8], delimiter: u8, line: u64, is_known: impl Fn(&str) -> bool) -> Option<Self> {
        let mut reader = SliceReader::new(text, delimiter, line);
        let Ok(RecordScan::Record { .. }) = reader.advance() else { return None };
        let header: Vec<_> = reader.record().cells().map(String::from_utf8_lossy).collect();
        let known = header.iter().filter(|name| is_known(name.trim())).count();
        if let [only] = &header[..]
            && let Some(parting) = parting(only, &is_known)
        {
            let is_quoted = text.trim_ascii_start().first() == Some(&b'"');
            return Some(if is_quoted { Self::Quoted } else { Self::Parted(parting) });
        }
        if header.iter().any(|name| is_known(unquoted(name))) {
            return Some(Self::Spaced);
        }
        let below =
            DELIMITERS.iter().filter_map(|&delimiter| header_below(text, delimiter, line, known, &is_known)).min();
        below
            .map(|line| Self::HeaderBelow { line })
            .or_else(|| (header.len() == 1 && known == 0 && !header[0].contains('@')).then_some(Self::OneColumn))
    }

    /// Returns what the user can do about it.
    pub(crate) fn advice(&self) -> FormAdvice {
        let option = match self {
            Self::Parted(sign) if *sign != ' ' && u8::try_from(*sign).is_ok_and(is_delimiter) => {
                Some(format!("--delimiter {}", if *sign == '\'' { quoted("'") } else { format!("'{sign}'") }))
            }
            _ => None,
        };
        FormAdvice { words: self.words(option.is_some()), option }
    }

    fn words(&self, has_option: bool) -> String {
        match self {
            Self::HeaderBelow { line } => format!("line {line} looks like the header: delete the lines above it"),
            Self::Quoted => "the whole first line is in one pair of quotes: quote each name and each cell separately, \
                             or remove the quotes around the lines"
                .to_owned(),
            Self::Spaced => {
                "a space before a quote makes the quotes part of the name: remove the spaces after the delimiters \
                             in all lines"
                    .to_owned()
            }
            Self::Parted(' ') => {
                "the columns seem to be separated by spaces: save the file with commas instead".to_owned()
            }
            Self::Parted(sign) if has_option => format!("'{sign}' seems to separate the columns"),
            Self::Parted(sign) => format!("'{sign}' seems to separate the columns: save the file with commas instead"),
            Self::OneColumn => {
                "only one column was found: check that this is the right file, that its first line is the header, \
                                and which delimiter it uses (--delimiter)"
                    .to_owned()
            }
        }
    }
}

/// Returns the content of quotes that follow a space, or an empty text if there are none.
fn unquoted(name: &str) -> &str {
    let after_space = name.strip_prefix(' ').map(|name| name.trim());
    after_space.and_then(|name| name.strip_prefix('"')?.strip_suffix('"')).unwrap_or_default()
}

/// Returns the character between the names of a header that was read as one cell.
fn parting(header: &str, is_known: &impl Fn(&str) -> bool) -> Option<char> {
    let fits = |sign: &char| header.split(*sign).filter(|name| is_known(name.trim())).count() >= ENOUGH;
    header.chars().filter(|sign| !sign.is_alphanumeric() && !matches!(sign, '_' | '-')).find(fits)
}

/// Returns the line of the first record below that has more known names than the first.
fn header_below(text: &[u8], delimiter: u8, line: u64, known: usize, is_known: &impl Fn(&str) -> bool) -> Option<u64> {
    let mut reader = SliceReader::new(text, delimiter, line);
    for _ in 0..LOOKED_AT {
        let Ok(RecordScan::Record { line, .. }) = reader.advance() else { return None };
        let names = reader.record().cells().filter_map(|cell| std::str::from_utf8(cell).ok());
        if is_header(names.filter(|name| is_known(name.trim())).count(), known) {
            return Some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread(text: &str) -> Option<HeaderProblem> {
        HeaderProblem::of(text.as_bytes(), b',', 1, |name| ["name", "email", "phone"].contains(&name))
    }

    #[test]
    fn a_title_above_the_header_is_seen_whatever_parts_the_cells() {
        for text in [
            "Customers of 2024\nname,email\nA,a@b.de\n",
            "Customers of 2024\r\rname;email\r",
            "\"A\ntitle\"\nname|email\n",
            "Customers,,\nname,email,x\n",
        ] {
            assert!(matches!(misread(text), Some(HeaderProblem::HeaderBelow { line: 2 | 3 })), "{text:?}");
        }
        assert_eq!(misread("name,mail,x\nA,name,1\nB,email,2\n"), None);
        assert_eq!(misread("Vorname,Ort\nA,B\n"), None);
    }

    #[test]
    fn a_header_in_one_cell_is_told_apart_by_what_parts_it() {
        assert_eq!(misread("\"name,email\"\n"), Some(HeaderProblem::Quoted));
        for sign in [':', '^', '；', '、', ' ', '/'] {
            let found = misread(&format!("name{sign}email\n")).unwrap();
            assert_eq!(found, HeaderProblem::Parted(sign));
            assert_eq!(found.advice().option.is_some(), sign.is_ascii() && sign != ' ', "{:?}", found.advice());
        }
        assert_eq!(misread("name  email  phone\n"), Some(HeaderProblem::Parted(' ')));
        assert_eq!(misread("\"name\", \"email\"\n"), Some(HeaderProblem::Spaced));
        assert_eq!(misread("\"name\", email\n"), None);
        assert_eq!(misread("Kunde\nA\n"), Some(HeaderProblem::OneColumn));
        assert_eq!(misread("email\na@b.de\n"), None);
        assert_eq!(misread("a@b.de\n"), None);
    }
}
