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

/// Returns a typed command as a shell reads it back, with the words that `other` replaces. An
/// account id is replaced by a placeholder, because it is an e-mail in base64.
pub fn command(typed: impl Iterator<Item = String>, other: impl Fn(&str) -> Option<String>) -> String {
    let mut hide = false;
    let shown = typed.map(|word| match other(&word) {
        _ if std::mem::replace(&mut hide, word == ACCOUNT) => HIDDEN.to_owned(),
        _ if word.strip_prefix(ACCOUNT).is_some_and(|rest| rest.starts_with('=')) => format!("{ACCOUNT}={HIDDEN}"),
        Some(replaced) => quoted(&replaced),
        None => quoted(&word),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Returns the words of this process's command line.
pub fn typed() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

const ACCOUNT: &str = "--account-id";
const HIDDEN: &str = "ACCOUNT_ID";

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
