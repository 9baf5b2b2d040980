//! Texts that a program left in place of a value: the errors and formulas of spreadsheets, and what
//! databases write for an empty value.

use crate::domain::{Code, Flaw};

/// Returns the complaint about a text that a program left in place of a value, or `None` if it is
/// not such a text.
#[inline(always)]
pub(super) fn leftover(text: &str) -> Option<Flaw> {
    match text.as_bytes() {
        [b'#' | b'=' | b'0'..=b'9', ..] => artefact(text).map(|hint| Flaw::new(Code::CellSpreadsheetDamage, hint)),
        [b'\\' | b'(' | b'[' | b'<', ..] => is_null_marker(text).then(null_marker),
        _ => None,
    }
}

/// Whether databases and their tools write this for an empty value. It cannot be a value.
#[inline]
pub(super) fn is_null_marker(text: &str) -> bool {
    match text.as_bytes() {
        [b'\\', ..] => text == "\\N",
        [b'(' | b'[' | b'<', ..] => {
            ["(null)", "[null]", "<null>"].iter().any(|marker| text.eq_ignore_ascii_case(marker))
        }
        _ => false,
    }
}

pub(super) fn null_marker() -> Flaw {
    Flaw::new(Code::CellNullMarker, "is what databases write for an empty value: leave the cell empty, or fill it in")
}

pub(super) const NULL_MARKERS_BEGIN: [char; 4] = ['\\', '(', '[', '<'];

/// Returns what is wrong with a text that a spreadsheet left in place of a value, or `None` if it
/// is not such a text.
#[inline]
pub(super) fn artefact(text: &str) -> Option<&'static str> {
    if matches!(text.as_bytes(), [b'#' | b'=' | b'0'..=b'9', ..]) { named_artefact(text) } else { None }
}

fn named_artefact(text: &str) -> Option<&'static str> {
    // In English, then what differs in German, French, Spanish, Italian, Portuguese, Dutch, Polish
    // and Turkish.
    const ERRORS: &[&str] = &[
        "#N/A",
        "#NA",
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NULL!",
        "#NUM!",
        "#ERROR!",
        "#SPILL!",
        "#CALC!",
        "#NV",
        "#BEZUG!",
        "#WERT!",
        "#ZAHL!",
        "#VALEUR!",
        "#NOM?",
        "#NOMBRE!",
        "#N/D",
        "#¡REF!",
        "#¡VALOR!",
        "#¿NOMBRE?",
        "#¡DIV/0!",
        "#¡NUM!",
        "#RIF!",
        "#VALORE!",
        "#NOME?",
        "#VALOR!",
        "#N/B",
        "#VERW!",
        "#WAARDE!",
        "#NAAM?",
        "#GETAL!",
        "#ADR!",
        "#ARG!",
        "#NAZWA?",
        "#LICZBA!",
        "#YOK",
    ];
    if text.starts_with('#') && ERRORS.iter().any(|error| text.eq_ignore_ascii_case(error)) {
        Some("is a spreadsheet's error value, not data; export the values again")
    } else if text.starts_with("###") && text.bytes().all(|byte| byte == b'#') {
        Some("is how a spreadsheet shows a value in a narrow column; make the column wider and export again")
    } else if text.starts_with("=\"") || (text.starts_with('=') && text.contains(['(', '!', '+'])) {
        Some("is a spreadsheet formula, not its value; export the values")
    } else if is_scientific(text) {
        Some(
            "was turned into a number by a spreadsheet and digits are lost; export the column as text from the original",
        )
    } else {
        None
    }
}

/// Whether a text has the form in which spreadsheets write large numbers, such as `1.23457E+11`:
/// one digit, an optional fraction, `E+` and two or more digits.
fn is_scientific(text: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let Some((mantissa, exponent)) = text.split_once("E+") else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole, 1) && digits(fraction, 1) && digits(exponent, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artefacts_are_told_from_text() {
        for text in [
            "#N/A",
            "#NV",
            "#¡REF!",
            "#######",
            "#ref!",
            "=\"0123\"",
            "=SUM(A1)",
            "=A1+B1",
            "1.23457E+11",
            "4,9E+12",
            "1E+10",
        ] {
            assert!(artefact(text).is_some(), "{text}");
        }
        for text in ["#1 Pizza", "#NVIDIA", "##", "A=B", "N/A Ltd", "", "12E4", "1.5E+3", "B1E+10", "E+11"] {
            assert!(artefact(text).is_none(), "{text}");
        }
    }
}
