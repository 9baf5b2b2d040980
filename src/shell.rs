//! Quotes the words of a command line for printing.

/// Returns the word in the form that a POSIX shell reads back as the same word.
///
/// Quotes every word that has anything but plain ASCII, because a shell may split or expand it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_unless_a_shell_takes_it_as_it_is() {
        for (word, expected) in [
            ("--map", "--map"),
            ("customer_email=E-Mail", "customer_email=E-Mail"),
            ("a b.csv", "'a b.csv'"),
            ("It's", r"'It'\''s'"),
            ("$HOME", "'$HOME'"),
            ("Straße", "'Straße'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
