//! Recognizes text in the encoding of the old Macintosh that was read as Windows-1252.
//!
//! Every byte has a meaning in both, so such a file is read without an error: `Krüger` becomes
//! `KrŸger` and `Sánchez` becomes `S‡nchez`. Only what no name has in this place counts. So some
//! letters are not seen: ö becomes `š` and í becomes `’`, which are usual in names.

/// Whether a letter of this name became a character that no name has there.
pub(super) fn is_macintosh_text(name: &str) -> bool {
    let mut before = None;
    let mut letters = name.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let after = letters.peek().map(|(_, after)| *after);
        if is_misread(name, at, before, letter, after) {
            return true;
        }
        before = Some(letter);
    }
    false
}

fn is_misread(name: &str, at: usize, before: Option<char>, letter: char, after: Option<char>) -> bool {
    let follows_letter = before.is_some_and(is_latin);
    let follows_small = before.is_some_and(is_small_latin);
    let precedes_small = after.is_some_and(is_small_latin);
    let ends_word = after.is_none_or(|after| !after.is_alphanumeric());
    match letter {
        // á à â ò.
        '‡' | 'ˆ' | '‰' | '˜' => follows_letter && precedes_small || follows_small && ends_word,
        // ã õ ø æ ï ô Ø. People write some of these between words and after them.
        '‹' | '›' | '¿' | '¾' | '•' | '™' | '¯' => follows_letter && precedes_small,
        // Ü. After a name it says that a person is dead.
        '†' => follows_letter && after.is_some_and(is_latin),
        // ß.
        '§' => follows_small && (ends_word || precedes_small),
        // ü. French has this letter, in names that are all capitals.
        'Ÿ' => follows_small || follows_letter && precedes_small,
        'Š' | 'Ž' => is_caron_of_macintosh(name, at),
        _ => false,
    }
}

/// Whether the `Š` or `Ž` at this place was ä or é. Names begin with these letters, also names that
/// are joined to a word (`AutoŠkola`), and names in capitals have them anywhere.
pub(super) fn is_caron_of_macintosh(name: &str, at: usize) -> bool {
    let start = name[..at].rfind(|letter: char| !letter.is_alphabetic());
    let start = start.map_or(0, |start| start + name[start..].chars().next().map_or(0, char::len_utf8));
    let begun = &name[start..at];
    let after = name[at..].chars().nth(1);
    match after {
        // A letter that joins two words follows a whole word, and that has a vowel. `DŽ` is one
        // letter of Croatian.
        Some(after) if is_small_latin(after) => {
            let is_vowel = |letter: char| !letter.is_ascii() || "AEIOUYaeiouy".contains(letter);
            !begun.is_empty() && begun != "D" && !begun.contains(is_vowel)
        }
        Some(after) if after.is_alphabetic() => false,
        // No word ends like this.
        _ => begun.chars().next_back().is_some_and(is_small_latin),
    }
}

fn is_latin(letter: char) -> bool {
    letter.is_ascii_alphabetic() || matches!(letter, 'À'..='ɏ' if letter.is_alphabetic())
}

fn is_small_latin(letter: char) -> bool {
    is_latin(letter) && letter.is_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread(name: &str) -> String {
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(&encoding_rs::MACINTOSH.encode(name).0).0.into_owned()
    }

    #[test]
    fn what_a_wrong_encoding_made_of_a_name_is_seen() {
        for name in [
            "Krüger",
            "Jürgen Groß",
            "Weißmann",
            "Müller",
            "MÜLLER",
            "Jäger",
            "Schäfer",
            "Bäcker",
            "Léa",
            "José",
            "René Dupont",
            "Sánchez",
            "João",
            "Guimarães",
            "Simões",
            "Søren",
            "Kjær",
            "Côme",
            "Anaïs",
            "Nicolò Rossi",
        ] {
            let misread = misread(name);
            assert!(is_macintosh_text(&misread), "{name}: {misread}");
            assert!(!is_macintosh_text(name), "{name}");
        }
        assert_eq!(misread("Krüger"), "KrŸger");
    }

    #[test]
    fn no_name_of_a_language_that_has_these_letters_is_suspected() {
        for name in [
            "Šimon Žižka",
            "ŠIMONOVÁ",
            "BALÁŽ",
            "Anna Bednárová-Šťastná",
            "DŽEMILA DŽAFIĆ",
            "Džemila",
            "DŽemila",
            "AutoŠkola Novák",
            "MŠ Praha",
            "ZŠ",
            "VOŠ a SŠ",
            "Žanna",
            "Õnne Šmidt",
            "Šarūnas",
            "D'Šilva",
            "O’Šea",
            "L'HAŸ-LES-ROSES",
            "LOUŸS",
            "Pierre Louÿs",
            "DE FAŸ",
            "Max Müller †",
            "Müller† & Söhne",
            "Acme™",
            "Acme™ Ltd",
            "Nestlé™ SA",
            "Ana • Maria",
            "Ana•Maria",
            "‹Ada› King",
            "§ 5 Ltd",
            "3¾ Ltd",
            "¿Ada?",
            "50‰ GmbH",
            "Ỳ Šà",
        ] {
            assert!(!is_macintosh_text(name), "{name}");
        }
    }
}
