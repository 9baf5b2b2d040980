//! What all spellings of one word share.

use unicode_normalization::UnicodeNormalization as _;

/// Returns the letters of a word in lower case, without spaces, `_` and `-`.
pub(crate) fn folded_word(word: &str) -> impl Iterator<Item = char> {
    word.chars()
        .filter(|letter| !letter.is_whitespace() && !matches!(letter, '_' | '-' | '\u{feff}' | '\u{200b}'))
        .flat_map(char::to_lowercase)
}

/// Returns a word in lower case, without accents, spaces and punctuation.
pub(crate) fn plain_word(word: &str) -> String {
    if word.is_ascii() { plain_ascii(word).collect() } else { plain_letters(word).collect() }
}

/// Whether `plain` is what [`plain_word`] returns for the word. Stops at the first difference.
pub(crate) fn is_plain_form(plain: &str, word: &str) -> bool {
    if word.is_ascii() { plain_ascii(word).eq(plain.chars()) } else { plain_letters(word).eq(plain.chars()) }
}

fn plain_ascii(word: &str) -> impl Iterator<Item = char> {
    folded_word(word).filter(is_kept)
}

fn plain_letters(word: &str) -> impl Iterator<Item = char> {
    let letters = folded_word(word).nfkd().filter(is_kept).nfc();
    letters.map(|letter| if letter == 'ı' { 'i' } else { letter })
}

/// Returns the first letter of [`plain_word`] without folding the rest of the word, unless accents
/// of its own follow the letter.
pub(crate) fn plain_initial(word: &str) -> Option<char> {
    let letter = folded_word(word).find(is_kept)?;
    if letter.is_ascii_alphanumeric() {
        return Some(letter);
    }
    plain_word(letter.encode_utf8(&mut [0; 4])).chars().next().or_else(|| plain_word(word).chars().next())
}

const fn is_kept(letter: &char) -> bool {
    !matches!(*letter, '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{655}' | '.' | ',' | ':' | ';' | '*' | '\'' | '"'
            | '(' | ')' | '/' | '\u{2019}' | '\u{2bc}' | '\u{30fb}' | '\u{200e}' | '\u{200f}')
}
