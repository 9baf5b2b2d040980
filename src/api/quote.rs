//! Makes a server's words fit for a report and a terminal.

use std::borrow::Cow;

use crate::domain::shorten;

/// The longest text that is quoted, in characters.
const QUOTED: usize = 200;

/// Returns the text on one line, at most 200 characters long, with control characters escaped.
/// Never returns an HTML page.
pub(super) fn quote(text: &str) -> String {
    let text = text.trim();
    if is_html(text) {
        return "an HTML page".to_owned();
    }
    shorten(text, QUOTED)
}

/// Returns the text with links cut down to their hosts. With a whole link, any reader could act for
/// a person.
pub(super) fn without_links(text: &str) -> Cow<'_, str> {
    const ENDS: &[char] = &['"', '\'', '<', '>', '(', ')', '[', ']', '{', '}', ',', ';', '`'];
    let is_end = |c: char| c.is_whitespace() || ENDS.contains(&c);
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        let link = &after[..after.find(is_end).unwrap_or(after.len())];
        let host = &link[..link.find(['/', '?', '#']).unwrap_or(link.len())];
        kept.extend([before, "://", host, if link.len() > host.len() + 1 { "/***" } else { &link[host.len()..] }]);
        rest = &after[link.len()..];
    }
    if kept.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(kept + rest) }
}

/// Returns whether a text is a page rather than a message.
pub(super) fn is_html(text: &str) -> bool {
    const SIGNS: [&str; 5] = ["<html", "<!doctype", "<head", "<body", "</"];
    if !text.contains('<') {
        return false;
    }
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
    fn of_links_only_the_hosts_are_shown() {
        for (text, shown) in [
            ("see https://kyc.example.com/a/b?c=d, please", "see https://kyc.example.com/***, please"),
            (
                "https://a.example https://b.example/ (http://c.example?x)",
                "https://a.example https://b.example/ (http://c.example/***)",
            ),
            ("no link: a/b :/ x", "no link: a/b :/ x"),
            ("://", "://"),
        ] {
            assert_eq!(without_links(text), shown);
        }
    }

    #[test]
    fn a_page_is_named_and_not_quoted() {
        assert_eq!(quote("<!DOCTYPE html><p>secret</p>"), "an HTML page");
        assert_eq!(quote("a < b > c"), "a < b > c");
    }
}
