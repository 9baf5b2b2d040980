//! The command line as it was typed, to print it again with changes.

use std::fmt;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::shell;

/// The words of a command line. Displayed as text for a shell, without the account id.
#[derive(Clone, Debug)]
pub(super) struct TypedCommand {
    program: String,
    items: Vec<TypedItem>,
}

/// An option with its value, or another word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TypedItem {
    /// The long name of an option. `None` for the command, the input, and short options.
    option: Option<String>,
    words: Vec<String>,
    is_positional: bool,
}

/// The input is the first word after the command that is not an option.
const COMMAND: usize = 0;
const INPUT: usize = 1;

impl TypedCommand {
    pub(super) fn of_this_process() -> Self {
        Self::of(shell::typed())
    }

    pub(super) fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default();
        let with_value = options_with_a_value();
        let (mut items, mut only_positionals) = (Vec::new(), false);
        while let Some(word) = words.next() {
            let option = word.strip_prefix("--").filter(|_| !only_positionals);
            items.push(match option {
                Some("") => {
                    only_positionals = true;
                    TypedItem { option: None, words: vec![word], is_positional: false }
                }
                Some(option) => match option.split_once('=') {
                    Some((name, _)) => TypedItem::option(name, [Some(word.clone()), None]),
                    None if with_value.iter().any(|name| name == option) => {
                        TypedItem::option(option, [Some(word.clone()), words.next()])
                    }
                    None => TypedItem::option(option, [Some(word.clone()), None]),
                },
                None => {
                    let is_positional = only_positionals || word == "-" || !word.starts_with('-');
                    TypedItem { option: None, words: vec![word], is_positional }
                }
            });
        }
        Self { program, items }
    }

    /// Returns the name of the command, or `None` if none was typed.
    pub(super) fn command(&self) -> Option<&str> {
        self.items.iter().find(|item| item.is_positional)?.words.first().map(String::as_str)
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.items.iter().any(|item| item.option.as_deref() == Some(option))
    }

    pub(super) fn named(self, command: &str) -> Self {
        self.with_positional(COMMAND, command)
    }

    /// Puts other words in place of the command, and leaves out its input and all options that the
    /// other command does not have.
    pub(super) fn instead(mut self, command: &[&str]) -> Self {
        let at = self.items.iter().position(|item| item.is_positional).unwrap_or(self.items.len());
        let words =
            command.iter().map(|word| TypedItem { option: None, words: vec![(*word).to_owned()], is_positional: true });
        let rest = self.items.split_off(at).into_iter().filter(|item| !item.is_positional && item.words != ["--"]);
        self.items.extend(words.chain(rest));
        self.with_options_of(command)
    }

    pub(super) fn with_input(self, path: &str) -> Self {
        // A name that looks like an option must not become one.
        let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
        self.with_positional(INPUT, &path)
    }

    pub(super) fn with(mut self, option: &str, value: &str) -> Self {
        // An option after `--` would be read as an input.
        let end = self.items.iter().position(|item| item.words == ["--"]).unwrap_or(self.items.len());
        // Alone, a value that begins with a dash would be read as an option.
        let words = if value.starts_with('-') {
            [Some(format!("--{option}={value}")), None]
        } else {
            [Some(format!("--{option}")), Some(value.to_owned())]
        };
        self.items.insert(end, TypedItem::option(option, words));
        self
    }

    pub(super) fn without(mut self, options: &[&str]) -> Self {
        self.items.retain(|item| !item.option.as_deref().is_some_and(|option| options.contains(&option)));
        self
    }

    /// Returns the input, or `None` if none was typed.
    pub(super) fn input(&self) -> Option<&str> {
        self.items.iter().filter(|item| item.is_positional).nth(INPUT)?.words.first().map(String::as_str)
    }

    /// Leaves out all options that another command does not have.
    pub(super) fn with_options_of(mut self, command: &[&str]) -> Self {
        let mut all = Cli::command();
        all.build();
        let found = command.iter().try_fold(&all, |within, name| within.find_subcommand(name));
        let known: Vec<_> = found.map(long_names).unwrap_or_default();
        self.items.retain(|item| item.option.as_ref().is_none_or(|option| known.contains(option)));
        self
    }

    fn with_positional(mut self, index: usize, word: &str) -> Self {
        if let Some(item) = self.items.iter_mut().filter(|item| item.is_positional).nth(index) {
            item.words = vec![word.to_owned()];
        }
        self
    }
}

impl TypedItem {
    fn option(name: &str, words: [Option<String>; 2]) -> Self {
        let words = words.into_iter().flatten().collect();
        Self { option: Some(name.to_owned()), words, is_positional: false }
    }
}

impl fmt::Display for TypedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.items.iter().flat_map(|item| &item.words).cloned();
        f.write_str(&shell::command(std::iter::once(self.program.clone()).chain(words), |_| None))
    }
}

fn long_names(command: &clap::Command) -> Vec<String> {
    command.get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect()
}

/// Returns the long names of the options of all commands whose value may be a word of its own.
fn options_with_a_value() -> Vec<String> {
    fn collect(command: &clap::Command, found: &mut Vec<String>) {
        let options = command.get_arguments().filter(|option| option.get_action().takes_values());
        found.extend(options.filter_map(clap::Arg::get_long).map(str::to_owned));
        command.get_subcommands().for_each(|command| collect(command, found));
    }
    let mut found = Vec::new();
    collect(&Cli::command(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> TypedCommand {
        TypedCommand::of(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn what_a_shell_would_split_or_expand_is_quoted() {
        let command = typed(&["customer-import", "import", "a b.csv", "--map", "customer_name={It's}"]);
        assert_eq!(command.to_string(), r"customer-import import 'a b.csv' --map 'customer_name={It'\''s}'");
    }

    #[test]
    fn another_command_keeps_the_options_that_it_has() {
        let import = "x -v --config c.toml import --ledger=l.db --keep a --token-file t -- -a";
        let command = typed(&import.split(' ').collect::<Vec<_>>()).instead(&["ledger", "pull"]);
        assert_eq!(command.to_string(), "x -v --config c.toml ledger pull --ledger=l.db --token-file t");
    }

    #[test]
    fn an_account_id_is_not_repeated() {
        for (id, shown) in [
            (&["--account-id", "YWRh"][..], "--account-id ACCOUNT_ID"),
            (&["--account-id=YWRh"], "--account-id=ACCOUNT_ID"),
        ] {
            let command = typed(&[&["x", "import"], id, &["a.csv"]].concat());
            assert_eq!(command.to_string(), format!("x import {shown} a.csv"));
        }
    }

    #[test]
    fn a_spooled_standard_input_is_named_by_its_file() {
        let command = typed(&["x", "-v", "import", "--keep", "-", "-", "--yes"]).with_input("/state/spool/stdin-x");
        assert_eq!(command.to_string(), "x -v import --keep - /state/spool/stdin-x --yes");
    }

    #[test]
    fn the_input_is_found_wherever_it_stands() {
        for (words, expected) in [
            (&["x", "--config", "c.toml", "import", "--yes", "a.csv"][..], "x --config c.toml import --yes -.csv"),
            (&["x", "import", "--rate", "5/s", "--", "-a.csv"], "x import --rate 5/s -- -.csv"),
        ] {
            let command = typed(words);
            assert_eq!(command.command(), Some("import"));
            assert_eq!(command.with_input("-.csv").to_string(), expected.replace("-.csv", "./-.csv"));
        }
    }

    #[test]
    fn options_are_added_before_the_end_of_options_and_removed_with_their_values() {
        let command = typed(&["x", "import", "--rejects", "r.csv", "--report=a", "--", "in.csv"]);
        assert!(command.has("rejects") && command.has("report") && !command.has("yes"));
        let command = command.without(&["rejects", "report"]).with("rejects", "mend.csv");
        assert_eq!(command.to_string(), "x import --rejects mend.csv -- in.csv");
    }
}
