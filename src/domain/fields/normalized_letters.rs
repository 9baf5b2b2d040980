//! Letters that are safe beside any other letter: they are already composed, never compose with a
//! letter before them, and are not marks that could be in the wrong order. Nearly all names consist
//! of such letters and need no normalization.

/// The first and last letter of each range, in order. Unicode has more such letters, but these are
/// the ones that occur in names. A test asks the library about each.
const RANGES: [(char, char); 60] = [
    // Latin, without the characters that a lost letter, a broken cell or a wrong encoding leaves.
    (' ', '!'),
    ('#', '>'),
    ('@', '~'),
    ('\u{a1}', '\u{a6}'),
    ('\u{a8}', '\u{ae}'),
    ('\u{b0}', '\u{bd}'),
    ('\u{c0}', '\u{15f}'),
    ('\u{161}', '\u{177}'),
    ('\u{179}', '\u{17c}'),
    ('\u{17e}', '\u{2c5}'),
    ('\u{2c7}', '\u{2db}'),
    ('\u{2dd}', '\u{2ff}'),
    // Greek, Cyrillic, Armenian.
    ('\u{388}', '\u{482}'),
    ('\u{48a}', '\u{52f}'),
    ('\u{531}', '\u{58f}'),
    // Hebrew, Arabic.
    ('\u{5d0}', '\u{5ea}'),
    ('\u{620}', '\u{64a}'),
    ('\u{671}', '\u{6d5}'),
    // Devanagari, Bengali, Gurmukhi, Gujarati, Oriya.
    ('\u{900}', '\u{93b}'),
    ('\u{93d}', '\u{94c}'),
    ('\u{94e}', '\u{950}'),
    ('\u{960}', '\u{97f}'),
    ('\u{980}', '\u{9bb}'),
    ('\u{9bf}', '\u{9cc}'),
    ('\u{a00}', '\u{a32}'),
    ('\u{a37}', '\u{a3b}'),
    ('\u{a3d}', '\u{a4c}'),
    ('\u{a80}', '\u{abb}'),
    ('\u{abd}', '\u{acc}'),
    ('\u{b00}', '\u{b3b}'),
    ('\u{b3f}', '\u{b4c}'),
    // Tamil, Telugu, Kannada, Malayalam, Sinhala.
    ('\u{b80}', '\u{bbd}'),
    ('\u{bbf}', '\u{bcc}'),
    ('\u{c00}', '\u{c3b}'),
    ('\u{c3d}', '\u{c4c}'),
    ('\u{c80}', '\u{cbb}'),
    ('\u{cbd}', '\u{cc1}'),
    ('\u{cc3}', '\u{ccc}'),
    ('\u{d00}', '\u{d3a}'),
    ('\u{d3f}', '\u{d4c}'),
    ('\u{d80}', '\u{dc9}'),
    ('\u{dcb}', '\u{dce}'),
    ('\u{dd0}', '\u{dde}'),
    // Thai, Lao, Burmese, Georgian, Ethiopic, Khmer.
    ('\u{e00}', '\u{e37}'),
    ('\u{e3b}', '\u{e47}'),
    ('\u{e4c}', '\u{e7f}'),
    ('\u{e80}', '\u{eb7}'),
    ('\u{ebb}', '\u{ec7}'),
    ('\u{1000}', '\u{102d}'),
    ('\u{102f}', '\u{1036}'),
    ('\u{103b}', '\u{108c}'),
    ('\u{10a0}', '\u{10ff}'),
    ('\u{1200}', '\u{135c}'),
    ('\u{1780}', '\u{17d1}'),
    // Vietnamese, and the typographic apostrophe.
    ('\u{1e00}', '\u{1eff}'),
    ('\u{2018}', '\u{2019}'),
    // Kana, Chinese characters, Hangul.
    ('\u{3041}', '\u{3096}'),
    ('\u{30a1}', '\u{30ff}'),
    ('\u{3400}', '\u{9fff}'),
    ('\u{ac00}', '\u{d7a3}'),
];

const WORD: usize = u64::BITS as usize;

/// One bit for each of the first 65,536 characters.
static UNTROUBLED: [u64; 0x1_0000 / WORD] = {
    let mut words = [0; 0x1_0000 / WORD];
    let mut range = 0;
    while range < RANGES.len() {
        let mut letter = RANGES[range].0 as usize;
        while letter <= RANGES[range].1 as usize {
            words[letter / WORD] |= 1 << (letter % WORD);
            letter += 1;
        }
        range += 1;
    }
    words
};

#[inline]
const fn is_marked(word: usize, bit: usize) -> bool {
    UNTROUBLED[word] >> (bit % WORD) & 1 == 1
}

pub(crate) fn is_untroubled(letter: char) -> bool {
    let letter = letter as usize;
    letter < 0x1_0000 && is_marked(letter / WORD, letter)
}

/// Does the same for the first character of these bytes, which must be beyond ASCII. Its UTF-8 form
/// is its index in the table: the last byte is the bit, and the bytes before it are the word.
#[inline]
pub(crate) fn is_untroubled_letter(utf8: &[u8]) -> bool {
    let payload = |byte: u8| usize::from(byte) % WORD;
    match *utf8 {
        [first @ 0xc0..=0xdf, second, ..] => is_marked(payload(first) % 0x20, payload(second)),
        [first @ 0xe0..=0xef, second, third, ..] => {
            is_marked(payload(first) % 0x10 * WORD + payload(second), payload(third))
        }
        _ => false,
    }
}

/// Whether this is a single mark that does not compose with any letter, so that it is safe between
/// two safe letters. These are the viramas of Indic scripts and the tone marks of Thai.
pub(crate) const fn is_apart(marks: &str) -> bool {
    matches!(
        marks.as_bytes(),
        [0xe0, 0xa5 | 0xa7 | 0xa9 | 0xab | 0xad | 0xaf | 0xb1 | 0xb3 | 0xb5, 0x8d] | [0xe0, 0xb9, 0x88..=0x8b]
    )
}

#[cfg(test)]
mod tests {
    use unicode_normalization::char::canonical_combining_class;
    use unicode_normalization::{IsNormalized, is_nfc_quick};

    use super::*;

    #[test]
    fn untroubled_letters_are_composed_beside_any_other() {
        let is_in_a_range = |letter| RANGES.iter().any(|(first, last)| (*first..=*last).contains(&letter));
        for letter in '\0'..=char::MAX {
            assert_eq!(is_untroubled(letter), is_in_a_range(letter), "{letter}");
            let bytes = letter.to_string();
            assert!(letter.is_ascii() || is_untroubled_letter(bytes.as_bytes()) == is_untroubled(letter), "{letter}");
            if is_untroubled(letter) {
                let is_composed = is_nfc_quick([letter, 'a', letter].into_iter()) == IsNormalized::Yes;
                assert!(is_composed && canonical_combining_class(letter) == 0, "{letter}");
            }
        }
    }

    #[test]
    fn a_mark_that_is_apart_composes_with_no_letter() {
        let marks: Vec<_> = ('\0'..=char::MAX).filter(|mark| is_apart(mark.encode_utf8(&mut [0; 4]))).collect();
        assert_eq!(marks.len(), 13);
        assert!(marks.iter().all(|mark| canonical_combining_class(*mark) != 0 && !is_untroubled(*mark)));
        for letter in ('\0'..=char::MAX).filter(|letter| is_untroubled(*letter)) {
            let quick = |mark: &char| is_nfc_quick([letter, *mark, letter].into_iter());
            assert!(marks.iter().all(|mark| quick(mark) == IsNormalized::Yes), "{letter}");
        }
    }
}
