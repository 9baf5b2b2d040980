//! The words of a server, made fit for a report and a terminal.

use crate::domain::shorten;

/// The longest text that is quoted, in characters.
const QUOTED: usize = 200;

/// One line of at most 200 characters, control characters escaped, never an HTML page.
pub(super) fn quote(text: &str) -> String {
    let text = text.trim();
    if is_html(text) {
        return "an HTML page".to_owned();
    }
    shorten(text, QUOTED)
}

/// Whether a text is a page rather than a message.
pub(super) fn is_html(text: &str) -> bool {
    const SIGNS: [&str; 5] = ["<html", "<!doctype", "<head", "<body", "</"];
    let text = text.to_ascii_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shortened_and_stay_on_one_line() {
        assert_eq!(quote(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
        assert_eq!(quote(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(quote(" a\r\nb\u{1b}[31m\u{202e} "), "a\\r\\nb\\u{1b}[31m\\u{202e}");
    }

    #[test]
    fn a_page_is_named_and_not_quoted() {
        assert_eq!(quote("<!DOCTYPE html><p>secret</p>"), "an HTML page");
        assert_eq!(quote("a < b > c"), "a < b > c");
    }
}
