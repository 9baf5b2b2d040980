//! What a cell of a spreadsheet can hold.

use std::borrow::Cow;

/// The most UTF-16 units in a cell, which is how Excel counts.
const LONGEST: usize = 32_767;

/// What the text of a cell ends with if the rest did not fit.
const CUT: &str = "… [cut: a cell of a spreadsheet holds 32,767 characters]";

/// Returns whether a cell can hold the whole text.
pub(in crate::report) fn fits(text: &str) -> bool {
    text.len() <= LONGEST || units(text) <= LONGEST
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns the text, cut to what a cell can hold, with a mark at its end.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    if fits(text) {
        return Cow::Borrowed(text);
    }
    let room = LONGEST - units(CUT);
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += c.len_utf16();
        taken > room
    });
    let kept = end.map_or(text, |(end, _)| &text[..end]);
    Cow::Owned(format!("{kept}{CUT}"))
}

/// Appends the text as XML. A character that XML cannot hold becomes `_xHHHH_`, as in Excel, and
/// the underscore of a text that already looks like that becomes `_x005F_`.
pub(super) fn push_escaped(xml: &mut String, text: &str) {
    for (at, character) in text.char_indices() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '_' if is_escape(&text[at..]) => xml.push_str("_x005F_"),
            '\t' | '\n' => xml.push(character),
            // XML reads a carriage return as a line feed.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                xml.push_str(&format!("_x{:04X}_", u32::from(character)));
            }
            _ => xml.push(character),
        }
    }
}

/// Returns whether the text begins with what a spreadsheet reads as one character: `_x000D_`.
fn is_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7 && bytes.starts_with(b"_x") && bytes[6] == b'_' && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut xml = String::new();
        push_escaped(&mut xml, text);
        xml
    }

    /// What a spreadsheet reads.
    pub(in crate::report) fn unescaped(xml: &str) -> String {
        let mut text = String::new();
        let mut rest = xml;
        let entities = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
        while let Some(character) = rest.chars().next() {
            let entity = entities.iter().find(|(entity, _)| rest.starts_with(entity));
            let (character, length) = match entity {
                Some((entity, meant)) => (*meant, entity.len()),
                None if is_escape(rest) => {
                    (char::from_u32(u32::from_str_radix(&rest[2..6], 16).unwrap()).unwrap(), "_x000D_".len())
                }
                None => (character, character.len_utf8()),
            };
            text.push(character);
            rest = &rest[length..];
        }
        text
    }

    #[test]
    fn what_xml_cannot_hold_is_escaped_as_excel_does() {
        assert_eq!(escaped("a\r\n\t\u{1b}<&>\"é😀"), "a_x000D_\n\t_x001B_&lt;&amp;&gt;&quot;é😀");
        assert_eq!(escaped("\0\u{fffe}"), "_x0000__xFFFE_");
    }

    #[test]
    fn what_looks_like_an_escape_is_escaped_itself() {
        assert_eq!(escaped("_x000D_"), "_x005F_x000D_");
        assert_eq!(escaped("_x00_ _x000d_ _xzzzz_"), "_x00_ _x005F_x000d_ _xzzzz_");
    }

    #[test]
    fn a_long_text_is_cut_as_excel_counts() {
        let fitting = "😀".repeat(LONGEST / 2) + "a";
        assert!(fits(&fitting) && matches!(cut(&fitting), Cow::Borrowed(_)));
        for long in [fitting + "b", "é".repeat(LONGEST + 1), "a".repeat(70_000)] {
            let short = cut(&long);
            assert!(!fits(&long) && fits(&short) && short.ends_with(CUT));
            assert!(units(&short) >= LONGEST - 1, "no more is cut than must be");
            assert!(long.starts_with(short.strip_suffix(CUT).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn every_text_can_be_read_back(text in "([ -~]|[\0-\u{1f}]|_x00[0-5][0-9A-Fa-f]_|_x|é|😀|\u{fffe}|\u{ffff}){0,12}") {
            let xml = escaped(&text);
            let is_no_xml = |c: char| c < ' ' && !matches!(c, '\t' | '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
            let bad: Vec<char> = xml.chars().filter(|c| is_no_xml(*c)).collect();
            prop_assert!(bad.is_empty(), "{bad:?}");
            prop_assert_eq!(unescaped(&xml), text);
        }
    }
}
