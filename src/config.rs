//! The file of `--config`: options that are written down once.
//!
//! Each entry becomes an argument before the typed ones, unless the command line or the environment
//! already has that option. So an option means the same wherever it is given, and is parsed by the
//! same rules. The values of `value` and `[values.FIELD]` are the exception: each of them counts
//! unless the same value was typed.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::{CONFIG_VARIABLE, Cli, FILE_VALUE};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::ValueRule;
use crate::trusted_file;

/// Keys that are rejected because others may read the file.
const SECRETS: [&str; 5] = ["token", "app-secret", "app_secret", "secret", "password"];

/// Returns the typed arguments, extended by those of the file that they name.
pub fn expand(typed: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    if !may_name_a_file(&typed) {
        return Ok(typed);
    }
    // If the arguments have errors, the real parse reports them.
    let Ok(matches) = Cli::command().ignore_errors(true).try_get_matches_from(&typed) else { return Ok(typed) };
    let mut command = Cli::command();
    command.build();
    let leaf = Leaf::of(&command, &matches);
    let Ok(Some(path)) = leaf.matches.try_get_one::<PathBuf>("config") else { return Ok(typed) };
    let text = read(path)?;
    let added = File { path, text: &text }.words(&command, &leaf)?;
    let at = leaf.end_in(&typed);
    Ok([&typed[..at], &added, &typed[at..]].concat())
}

/// Returns whether `--config` may be given. It saves building all options twice, which takes longer
/// than to check a small file.
fn may_name_a_file(typed: &[OsString]) -> bool {
    let names_it = |word: &OsString| word.as_encoded_bytes().starts_with(b"--config");
    std::env::var_os(CONFIG_VARIABLE).is_some() || typed.iter().any(names_it)
}

/// Returns the text of the file. Fails if anyone other than root and the user can have written it,
/// because it can name a command to run.
fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |error: io::Error| {
        let exit = if error.kind() == io::ErrorKind::InvalidInput { Exit::Configuration } else { Exit::Usage };
        Failure::new(exit, error).context(format!("cannot read --config {}", path.display()))
    };
    let mut file = trusted_file::open(path).map_err(cannot)?;
    trusted_file::check_configuration(&file)
        .map_err(cannot)?
        .map_err(|why| Failure::distrusted("--config ", path, why))?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

/// The subcommand that was typed.
struct Leaf<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
    names: Vec<&'a str>,
}

impl<'a> Leaf<'a> {
    fn of(command: &'a Command, matches: &'a ArgMatches) -> Self {
        let mut leaf = Self { command, matches, names: Vec::new() };
        while let Some((name, matches)) = leaf.matches.subcommand()
            && let Some(command) = leaf.command.find_subcommand(name)
        {
            (leaf.command, leaf.matches) = (command, matches);
            leaf.names.push(name);
        }
        leaf
    }

    /// Returns the index after the name of the last subcommand.
    fn end_in(&self, typed: &[OsString]) -> usize {
        let mut names = self.names.iter();
        let mut wanted = names.next();
        for (index, word) in typed.iter().enumerate().skip(1) {
            if wanted.is_some_and(|name| word == *name) {
                wanted = names.next();
                if wanted.is_none() {
                    return index + 1;
                }
            }
        }
        typed.len()
    }

    /// Returns whether the command line or the environment already has the option.
    fn is_given(&self, option: &Arg) -> bool {
        let source = self.matches.value_source(option.get_id().as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn words(&self, command: &Command, leaf: &Leaf<'_>) -> Result<Vec<OsString>, Failure> {
        let table = DeTable::parse(self.text).map_err(|error| self.wrong(error.span(), error.message()))?;
        let mut words = Vec::new();
        let takes_values = leaf.command.get_arguments().any(|own| own.get_long() == Some(FILE_VALUE));
        for (key, value) in table.get_ref() {
            if let Some(rules) = self.rules(key.get_ref(), value)? {
                let entry = |rule: ValueRule| format!("--{FILE_VALUE}={}", rule.to_entry()).into();
                words.extend(rules.into_iter().filter(|_| takes_values).map(entry));
                continue;
            }
            let option = self.option(command, key)?;
            let entry = self.entry(option, key.get_ref(), value)?;
            let ours = leaf.command.get_arguments().find(|own| may_stand(own) && own.get_long() == option.get_long());
            if ours.is_some_and(|own| !leaf.is_given(own)) {
                words.extend(entry);
            }
        }
        Ok(words)
    }

    fn option<'a>(&self, command: &'a Command, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<&'a Arg, Failure> {
        let name = key.get_ref().as_ref();
        if SECRETS.contains(&name) {
            let why = format!("{name} does not belong in a file that others can read");
            return Err(self
                .wrong(Some(key.span()), &why)
                .hint("use token-file, token-command, app-secret-file or the environment"));
        }
        let mut known = Vec::new();
        collect(command, &mut known);
        if let Some(option) = known.iter().find(|option| option.get_long() == Some(name)) {
            return Ok(option);
        }
        let near = known
            .iter()
            .filter_map(|option| option.get_long())
            .max_by(|one, other| strsim::jaro_winkler(one, name).total_cmp(&strsim::jaro_winkler(other, name)));
        let failure = self.wrong(Some(key.span()), &format!("no option is called {name}"));
        Err(match near {
            Some(near) => failure.hint(format!("did you mean {near}? keys are the long options without their dashes")),
            None => failure,
        })
    }

    /// Returns the arguments that an entry stands for. Parses each of them, so that an error names
    /// the line of the entry.
    fn entry(&self, option: &Arg, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<OsString>, Failure> {
        let wrong = |why: &str| self.wrong(Some(value.span()), &format!("{key}: {why}"));
        let texts = match (option.get_action(), value.get_ref()) {
            (ArgAction::SetTrue, DeValue::Boolean(is_on)) => {
                return Ok(if *is_on { vec![format!("--{key}").into()] } else { Vec::new() });
            }
            (ArgAction::SetTrue, _) => return Err(wrong("write true or false")),
            (ArgAction::Append, DeValue::Array(items)) => {
                let text = |item: &Spanned<DeValue<'_>>| plain(item.get_ref());
                items.iter().map(text).collect::<Option<Vec<_>>>()
            }
            (ArgAction::Append, DeValue::Table(entries)) => {
                let pair = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    Some(format!("{name}={}", plain(value.get_ref())?))
                };
                entries.iter().map(pair).collect()
            }
            (_, single) => plain(single).map(|text| vec![text]),
        };
        let texts = texts.ok_or_else(|| wrong("write a string, or a list of strings if the option can be repeated"))?;
        let words: Vec<OsString> = texts.into_iter().map(|text| format!("--{key}={text}").into()).collect();
        let trial = Command::new("trial").no_binary_name(true).arg(option.clone().env(None::<&str>).required(false));
        match trial.try_get_matches_from(&words) {
            Ok(_) => Ok(words),
            Err(error) => {
                let told = error.to_string();
                let first = told.lines().next().unwrap_or_default();
                Err(wrong(first.strip_prefix("error: ").unwrap_or(first)))
            }
        }
    }

    /// Returns the rules of an entry that replaces values, or `None` if it is another entry.
    fn rules(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Option<Vec<ValueRule>>, Failure> {
        match (key, value.get_ref()) {
            ("values", DeValue::Table(fields)) => {
                let rules = fields.iter().map(|(field, entries)| self.rules_of_field(field.get_ref(), entries));
                Ok(Some(rules.collect::<Result<Vec<_>, _>>()?.concat()))
            }
            ("value", DeValue::Array(items)) => {
                let rule = |item: &Spanned<DeValue<'_>>| {
                    let typed = plain(item.get_ref()).unwrap_or_default();
                    typed.parse().map_err(|error| self.wrong(Some(item.span()), &format!("value: {error}")))
                };
                items.iter().map(rule).collect::<Result<_, _>>().map(Some)
            }
            ("values", _) => Err(self
                .wrong(Some(value.span()), "values: write a table for each field")
                .hint("[values.customer_type]\n\"Firma\" = \"business\"")),
            ("value", _) => Err(self.wrong(Some(value.span()), "value: write a list of strings")),
            _ => Ok(None),
        }
    }

    fn rules_of_field(&self, field: &str, entries: &Spanned<DeValue<'_>>) -> Result<Vec<ValueRule>, Failure> {
        let wrong = |span, why: &str| self.wrong(Some(span), &format!("values.{field}: {why}"));
        let DeValue::Table(entries) = entries.get_ref() else {
            return Err(wrong(entries.span(), "write a table with a line for each value"));
        };
        let rule = |(from, to): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let text = match to.get_ref() {
                DeValue::Boolean(value) => Some(value.to_string()),
                value => plain(value),
            };
            let text = text.ok_or_else(|| wrong(to.span(), "write a string"))?;
            ValueRule::new(field, from.get_ref(), &text).map_err(|error| wrong(from.span(), &error.to_string()))
        };
        entries.iter().map(rule).collect()
    }

    fn wrong(&self, span: Option<Range<usize>>, why: &str) -> Failure {
        let before = &self.text[..span.map_or(0, |span| span.start.min(self.text.len()))];
        let line = before.matches('\n').count() + 1;
        Failure::new(Exit::Usage, format!("{}, line {line}: {why}", shown(self.path)))
    }
}

/// Collects every option of every command that is allowed in a file: those that also have an
/// environment variable.
fn collect<'a>(command: &'a Command, found: &mut Vec<&'a Arg>) {
    found.extend(command.get_arguments().filter(|option| may_stand(option)));
    command.get_subcommands().for_each(|command| collect(command, found));
}

fn may_stand(option: &Arg) -> bool {
    option.get_env().is_some() && option.get_id() != "config"
}

fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, typed: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file).unwrap();
        let mut all: Vec<OsString> = vec!["customer-import".into()];
        all.extend(typed.iter().map(OsString::from));
        all.extend(["--config".into(), path.into()]);
        match expand(all) {
            Ok(words) => {
                let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                Ok(words[1..words.len() - 2].to_vec())
            }
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn entries_become_words_behind_the_command_and_typed_ones_win() {
        let file = "rate = \"2/s\"\nconcurrency = 4\nstrict = true\nyes = false\nkeep = [\"a\", \"b\"]\n[map]\nname = \"{First} {Last}\"\n";
        let typed = ["-v", "import", "in.csv", "--concurrency", "2"];
        let words = with(file, &typed).unwrap();
        let mut added = words[2..words.len() - 3].to_vec();
        added.sort();
        assert_eq!(added, ["--keep=a", "--keep=b", "--map=name={First} {Last}", "--rate=2/s", "--strict"]);
        assert_eq!(words[words.len() - 3..], ["in.csv", "--concurrency", "2"]);
    }

    #[test]
    fn options_of_other_commands_may_stand_in_the_same_file() {
        assert_eq!(with("concurrency = 4\nregion = \"DE\"", &["check", "x"]).unwrap(), ["check", "--region=DE", "x"]);
        assert_eq!(with("account = \"a\"", &["ledger", "show"]).unwrap(), ["ledger", "show", "--account=a"]);
    }

    #[test]
    fn values_of_a_file_are_words_of_their_own_beside_the_typed_ones() {
        let file = "value = [\"type:Privat=individual\"]\n[values.send_kyc_mail]\nja = true\n\"a:b=c\" = \"no\"\n";
        let words = with(file, &["check", "x", "--value", "type:Firma=business"]).unwrap();
        let mut added = words[1..words.len() - 3].to_vec();
        added.sort();
        let expected = [
            r#"--file-value=["customer_type","Privat","individual"]"#,
            r#"--file-value=["send_kyc_mail","a:b=c","no"]"#,
            r#"--file-value=["send_kyc_mail","ja","true"]"#,
        ];
        assert_eq!(added, expected);
        assert_eq!(with(file, &["ledger", "show"]).unwrap(), ["ledger", "show"]);
    }

    #[test]
    fn a_yes_to_imports_is_none_to_forgetting() {
        let forget = ["ledger", "forget", "--target"];
        assert_eq!(with("yes = true", &forget).unwrap(), forget);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_nearest_key() {
        for (file, words) in [
            ("\nbase_url = \"x\"", "line 2: no option is called base_url"),
            ("rate = 5", "line 1: rate: invalid value '5'"),
            ("strict = \"yes\"", "line 1: strict: write true or false"),
            ("a = 1\nrate = [", "line 2"),
            ("rate = [\"1/s\"]", "line 1: rate: write a string"),
            ("token = \"x\"", "line 1: token does not belong"),
            ("config = \"other.toml\"", "line 1: no option is called config"),
            ("map = [\"fax=x\"]", "line 1: map: invalid value 'fax=x'"),
            ("value = [\"fax:a=b\"]", "line 1: value: \"fax\" is not a field"),
            ("value = \"type:a=business\"", "line 1: value: write a list of strings"),
            ("values = 1", "line 1: values: write a table for each field"),
            ("[values]\ntype = 1", "line 2: values.type: write a table"),
            ("[values.fax]\na = \"b\"", "line 2: values.fax: \"fax\" is not a field"),
            ("[values.type]\na = [1]", "line 2: values.type: write a string"),
            (
                "[values.type]\nPrivat = \"individual\"\nFirma = \"\"",
                "line 3: values.type: \"Firma\" has no new value yet",
            ),
            ("[values.type]\nFirma = \"firm\"", "line 2: values.type: \"firm\": write individual or business"),
        ] {
            let told = with(file, &["import", "in.csv"]).unwrap_err();
            assert!(told.contains(words), "{file:?}: {told}");
        }
    }
}
