//! Which texts a server may call equal although their bytes differ.
//!
//! Database collations ignore case, accents and width, and some treat `ø` as `o`. Each collation
//! has its own rules, so [`lookalike`] folds more than any of them. If two texts fold to different
//! forms, every server treats them as different.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Returns the form that all look-alikes of a text share.
#[must_use]
pub fn lookalike(text: &str) -> String {
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    let plain = text.trim().nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    let mut form = String::with_capacity(text.len());
    for letter in plain.filter(|letter| !is_combining_mark(*letter)) {
        match base(letter) {
            Some(base) => form.push_str(base),
            None => form.push(letter),
        }
    }
    form
}

/// Returns what people and collations write for a letter that no normal form decomposes, or `None`
/// for all other letters.
const fn base(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'ø' => "o",
        'ł' => "l",
        'đ' => "d",
        'ı' => "i",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_a_collation_may_call_equal_share_a_form() {
        for (one, other) in [
            ("José@Example.com", "jose@example.com"),
            ("straße@example.com", "STRASSE@example.com"),
            ("ｊｏｓｅ@example.com", "jose@example.com"),
            ("søren@example.com", "soren@example.com"),
            ("Łukasz.Đ@example.com", "lukasz.d@example.com"),
            ("İlkıN@example.com", "ilkin@example.com"),
            (" a@example.com ", "a@example.com"),
        ] {
            assert_eq!(lookalike(one), lookalike(other), "{one}");
        }
        assert_ne!(lookalike("jo@example.com"), lookalike("joe@example.com"));
    }
}
