//! Command lines for printing, quoted so that they work when pasted.

use std::path::Path;

/// Returns the word in the form that a shell reads back as the same word.
///
/// Quotes every word that has anything but plain ASCII, because a shell may split or expand it.
/// Escapes what controls the terminal or the direction of writing, because a file may have such a
/// name to disguise the command. `$'…'` would be shorter, but dash does not know it.
#[must_use]
pub fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.contains(is_disguise) {
        // A shell drops the line breaks at the end of what a command prints.
        let shown = word.trim_end_matches('\n');
        let last = &word[shown.len()..];
        let printed = format!("\"$(printf '{}')\"", shown.chars().enumerate().map(escaped).collect::<String>());
        if last.is_empty() { printed } else { format!("{printed}'{last}'") }
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c)
}

fn is_disguise(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns a character, of which the place in its word is known, for the format of `printf`. An
/// interactive shell expands some characters in any quotes, and `printf` would take a dash at the
/// beginning for an option.
fn escaped((place, c): (usize, char)) -> String {
    match c {
        '%' => "%%".to_owned(),
        '-' if place == 0 => r"\055".to_owned(),
        c if is_plain(c) || c == ' ' || !c.is_ascii() && !is_disguise(c) => c.into(),
        c => c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")).collect(),
    }
}

/// Returns a hint in which the commands of other tools name this input instead of `FILE`. They do
/// not write over it.
#[must_use]
pub fn naming_input(hint: &str, input: &Path) -> String {
    const OUTPUT: &str = "> customers.ndjson";
    let typed = input.to_string_lossy();
    // A tool would take a dash at the beginning for an option.
    let name = if typed.starts_with('-') { format!("./{typed}") } else { typed.into_owned() };
    let name = quoted(&name);
    // A name with `FILE` in it must not be replaced where the hint has it already.
    let is_named = name.contains(" FILE ") && hint.contains(&name);
    let named = if is_named { hint.to_owned() } else { hint.replace(" FILE ", &format!(" {name} ")) };
    let is_output = input.file_name().is_some_and(|name| name == "customers.ndjson");
    if is_output { named.replace(OUTPUT, "> customers2.ndjson") } else { named }
}

/// Returns whether a text is the address of a PostgreSQL database.
#[must_use]
pub fn is_database_url(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Returns whether the address of a database may hold a password. If in doubt it does: a user can
/// write an `@` that is not part of a password as `%40`.
#[must_use]
pub fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let is_before_host = rest.split_once(':').is_some_and(|(_, after)| after.contains('@'));
    // The name of a parameter can be written with escapes, and none that is allowed needs one.
    let names = rest.split_once('?').map_or("", |(_, parameters)| parameters).split('&');
    let is_parameter = names.map(|parameter| parameter.split('=').next().unwrap_or_default().to_lowercase());
    is_before_host || is_parameter.into_iter().any(|name| name.contains("password") || name.contains('%'))
}

/// Returns a typed command as a shell reads it back, with the words that `other` replaces. Leaves
/// out the account id and the addresses of databases that hold a password.
pub fn command(typed: impl Iterator<Item = String>, other: impl Fn(&str) -> Option<String>) -> String {
    let mut hide = false;
    let shown = typed.map(|word| match other(&word) {
        _ if std::mem::replace(&mut hide, word == ACCOUNT) => HIDDEN.to_owned(),
        _ if is_secret_url(&word) => {
            word.split_once("://").map_or_else(String::new, |(scheme, _)| format!("{scheme}://ADDRESS"))
        }
        _ if word.strip_prefix(ACCOUNT).is_some_and(|rest| rest.starts_with('=')) => format!("{ACCOUNT}={HIDDEN}"),
        Some(replaced) => quoted(&replaced),
        None => quoted(&word),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Whether a typed word, alone or as the value of an option, is an address with a password.
fn is_secret_url(word: &str) -> bool {
    let value = if word.starts_with('-') { word.split_once('=').map_or(word, |(_, value)| value) } else { word };
    is_database_url(value) && holds_password(value)
}

/// Returns the words of this process's command line.
pub fn typed() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

/// Returns the command that was typed with more options, which are already quoted.
#[must_use]
pub fn again(options: &[String]) -> String {
    with_options(typed().collect(), options)
}

fn with_options(mut typed: Vec<String>, options: &[String]) -> String {
    // Nothing after `--` is an option.
    let rest = typed.iter().position(|word| word == "--").map(|end| typed.split_off(end)).unwrap_or_default();
    let parts = [command(typed.into_iter(), |_| None), options.join(" "), command(rest.into_iter(), |_| None)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Its value is replaced by a placeholder, because an account id is an e-mail in base64.
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
            ("a\u{1b}[2J\n'b'\\.csv", r#""$(printf 'a\033\1332J\012\047b\047\134.csv')""#),
            ("\u{202e}vsc.é", r#""$(printf '\342\200\256vsc.é')""#),
            ("-\u{7}1 %!", r#""$(printf '\055\0071 %%\041')""#),
            ("a\n", "\"$(printf 'a')\"'\n'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    #[cfg(unix)]
    fn every_shell_reads_a_quoted_word_back() {
        let words = [
            "\u{1b}]0;title\u{7}a b.csv",
            "-a\t--\u{202e}\"$HOME\" `id` $(id) 'x' \\033 %s %% ! !! !$.csv",
            "\u{2066}Straße\u{2069}(1)*?[a]{b,c}~#;&|<>\u{85}1",
            "a\nb\n\n",
            "\n",
            "It's",
        ];
        let line = format!("printf '%s\\0' {}", words.map(quoted).join(" "));
        let mut tried = 0;
        for shell in ["sh", "dash", "bash", "zsh", "ksh", "busybox"] {
            let arguments: &[&str] = if shell == "busybox" { &["sh", "-c", &line] } else { &["-c", &line] };
            let Ok(ran) = std::process::Command::new(shell).args(arguments).output() else { continue };
            tried += 1;
            let read = String::from_utf8(ran.stdout).unwrap();
            assert_eq!(read.split_terminator('\0').collect::<Vec<_>>(), words, "{shell}: {line}");
        }
        assert!(tried > 0);
    }

    #[test]
    fn commands_of_other_tools_name_the_input_and_never_write_over_it() {
        let hint = "write one per line: jq -c . FILE > customers.ndjson";
        for (input, command) in [
            ("a b.json", "jq -c . 'a b.json' > customers.ndjson"),
            ("-a.json", "jq -c . ./-a.json > customers.ndjson"),
            ("out/customers.ndjson", "jq -c . out/customers.ndjson > customers2.ndjson"),
        ] {
            assert_eq!(naming_input(hint, Path::new(input)), format!("write one per line: {command}"));
        }
    }

    fn typed_words(words: &[&str]) -> impl Iterator<Item = String> {
        words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn what_a_shell_would_split_or_expand_is_quoted() {
        let words = ["customer-import", "import", "a b.csv", "--map", "customer_name={It's}"];
        assert_eq!(
            command(typed_words(&words), |_| None),
            r"customer-import import 'a b.csv' --map 'customer_name={It'\''s}'"
        );
    }

    #[test]
    fn an_account_id_is_not_repeated() {
        for id in [&["--account-id", "YWRh"][..], &["--account-id=YWRh"]] {
            let command = command(typed_words(&[&["x", "import"], id, &["a.csv"]].concat()), |_| None);
            assert!(command.contains("ACCOUNT_ID a.csv") && !command.contains("YWRh"), "{command}");
        }
    }

    #[test]
    fn an_address_with_a_password_is_not_repeated() {
        for (word, shown) in [
            ("--ledger=postgres://u:secret@h/d", "x --ledger=postgres://ADDRESS"),
            ("postgresql://h/d?user=u&password=secret", "x postgresql://ADDRESS"),
            ("postgres://u@h:5432/d", "x postgres://u@h:5432/d"),
        ] {
            assert_eq!(command(typed_words(&["x", word]), |_| None), shown);
        }
    }

    #[test]
    fn a_word_can_be_replaced() {
        let shown =
            command(typed_words(&["x", "check", "in.csv"]), |word| (word == "in.csv").then(|| "a b.csv".into()));
        assert_eq!(shown, "x check 'a b.csv'");
    }

    #[test]
    fn more_options_stand_before_what_cannot_be_an_option() {
        let options = ["--map 'a=b c'".to_owned()];
        for (words, expected) in [
            (&["x", "check", "a b.csv"][..], "x check 'a b.csv' --map 'a=b c'"),
            (&["x", "check", "--", "-a.csv"], "x check --map 'a=b c' -- -a.csv"),
        ] {
            assert_eq!(with_options(typed_words(words).collect(), &options), expected);
        }
    }
}
