//! The README and the pages of `docs/` do not drift: their commands parse, their keys are options,
//! their links lead to files, and what they show on a terminal is what the program prints.

use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};
use customer_import::cli::Cli;

use crate::harness::{Lab, fixture};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that people read, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root().join(name)).into();
    found.extend(files(&root().join("docs"), "md"));
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The fenced blocks of a page: language and content.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split("```");
    parts.next();
    let mut blocks = Vec::new();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        blocks.push(block.split_once('\n').unwrap());
    }
    blocks
}

/// The words of a line as a shell splits them: quotes, backslashes and comments, nothing else.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.into_iter().chain(word).collect()
}

/// What follows the program's name in a command, up to the end of the command.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let named = words.iter().position(|word| word == "customer-import" || word.ends_with("/bin/customer-import"));
    let run = words.starts_with(&["cargo".to_owned(), "run".to_owned()]) && !words.contains(&"--example".to_owned());
    let start = named.or_else(|| words.iter().position(|word| run && word == "--"))? + 1;
    let ends = |word: &String| [";", "|", "&&", "||", ">", "2>", ">>", "&"].contains(&word.as_str());
    Some(words[start..].iter().take_while(|word| !ends(word)).cloned().collect())
}

#[test]
fn the_readme_can_be_read_in_two_minutes() {
    let size = std::fs::metadata(root().join("README.md")).unwrap().len();
    assert!(size <= 6 * 1024, "README.md has {size} bytes");
}

#[test]
fn every_command_that_a_page_shows_is_understood() {
    let mut count = 0;
    for (path, text) in pages() {
        for (language, content) in blocks(&text) {
            if !["sh", "crontab", "ini"].contains(&language) {
                continue;
            }
            for line in content.replace("\\\n", " ").lines() {
                // A comment, or a key of a unit that is not a command.
                if line.starts_with('#') || (language == "ini" && !line.starts_with("ExecStart=")) {
                    continue;
                }
                let Some(arguments) = arguments(line) else { continue };
                let all = std::iter::once("customer-import".to_owned()).chain(arguments);
                if let Err(error) = Cli::try_parse_from(all) {
                    assert!(!error.use_stderr(), "{}: {line}\n{error}", path.display());
                }
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn every_key_of_a_configuration_that_a_page_shows_is_an_option() {
    let command = Cli::command();
    let import = command.find_subcommand("import").unwrap();
    let known = |key: &str| {
        // Values are a table for each field and not those of one option.
        if key == "values" {
            return true;
        }
        let is = |argument: &clap::Arg| argument.get_long() == Some(key);
        import.get_arguments().any(is) || command.get_arguments().any(is)
    };
    let mut count = 0;
    for (path, text) in pages() {
        for (_, content) in blocks(&text).into_iter().filter(|(language, _)| *language == "toml") {
            let table = toml::de::DeTable::parse(content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for key in table.get_ref().keys() {
                assert!(known(key.get_ref()), "{}: {}", path.display(), key.get_ref());
                count += 1;
            }
        }
    }
    assert!(count > 5, "only {count} keys were found");
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let mut count = 0;
    for (path, text) in pages() {
        let without_blocks: String = text.split("```").step_by(2).collect();
        for link in without_blocks.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = path.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let slug = |line: &str| {
                    let title = line.trim_start_matches('#').trim().to_lowercase();
                    title
                        .chars()
                        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                        .collect::<String>()
                        .replace(' ', "-")
                };
                let titles = std::fs::read_to_string(&target).unwrap();
                let found = titles.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
                assert!(found, "{}: {link}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} links were found");
}

/// A line without what differs from run to run: digits and ids, and how many spaces they take. The
/// cells of an excerpt are masked, as they are if standard error is not a terminal.
fn lasting(line: &str) -> String {
    if let Some((number, cells)) = line.split_once(" | ")
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{number} | {}", cells.replace(char::is_alphanumeric, "*"));
    }
    let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    let word =
        |word: &str| if is_id(&word) { "ID".to_owned() } else { word.replace(|c: char| c.is_ascii_digit(), "0") };
    let mut words: Vec<_> = line.split_whitespace().map(word).collect();
    // Ports and seconds have other numbers of digits.
    words.iter_mut().for_each(|word| {
        while word.contains("00") {
            *word = word.replace("00", "0");
        }
    });
    words.join(" ")
}

#[test]
fn what_the_pages_show_is_what_the_terminal_shows() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("fixtures")).unwrap();
    for name in ["customers.csv", "messy.csv"] {
        std::fs::copy(fixture(name), lab.path("fixtures").join(name)).unwrap();
    }
    let pages = pages();
    let blocks = pages.iter().flat_map(|(_, text)| blocks(text));
    let shown: Vec<_> = blocks.filter(|(language, _)| *language == "console").collect();
    assert!(shown.len() >= 3, "{shown:?}");
    for (_, content) in shown {
        let (command, output) = content.split_once('\n').unwrap();
        let arguments = arguments(command.strip_prefix("$ ").unwrap()).unwrap();
        let ran = lab.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let printed = format!("{}{}", ran.stderr, ran.stdout);
        let printed: Vec<_> = printed.lines().map(lasting).collect();
        for line in output.lines().filter(|line| !line.trim().is_empty() && line.trim() != "…") {
            assert!(printed.contains(&lasting(line)), "{command} does not print {line:?}:\n{}", printed.join("\n"));
        }
    }
}

/// What stands in single backquotes outside of blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All files below a folder that have this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|each| each == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_test_that_the_architecture_names_for_an_invariant_exists() {
    let architecture = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, invariants) = architecture.split_once("## Invariants").unwrap();
    let (invariants, _) = invariants.split_once("\n## ").unwrap();
    let sources = ["src", "crates", "tests"].into_iter().flat_map(|folder| files(&root().join(folder), "rs"));
    let sources: String = sources.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let named: Vec<_> = quoted(invariants).into_iter().filter(|name| name.matches('_').count() > 2).collect();
    assert!(named.len() >= 12, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}()"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_source_file_that_a_page_names_exists() {
    let is_path = |name: &String| {
        let begins = ["src/", "crates/", "tests/", "examples/", "benches/", "fixtures/", "docs/"]
            .iter()
            .any(|folder| name.starts_with(folder));
        begins && !name.contains(['*', ' ', '<']) && !name.contains("FEATURE") && !name.contains(".report.")
    };
    let pages = pages().into_iter().filter(|(path, _)| !path.ends_with("CHANGELOG.md"));
    for (path, text) in pages {
        for name in quoted(&text).into_iter().filter(is_path) {
            assert!(root().join(&name).exists(), "{}: {name}", path.display());
        }
    }
    let architecture = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, formerly) = architecture.split_once("## Formerly").unwrap();
    let sources = files(&root().join("src"), "rs");
    for row in formerly.lines().filter_map(|line| line.split(" | ").nth(1)) {
        for name in quoted(row).into_iter().filter(|name| name.ends_with(".rs")) {
            assert!(sources.iter().any(|path| path.ends_with(&name)), "\"Formerly\" leads to {name}");
        }
    }
}

#[test]
fn recipes_and_workflows_call_steps_that_exist_and_pin_what_they_use() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let (script, recipes, workflow) = (read(".ci/run"), read("justfile"), read(".github/workflows/ci.yml"));
    let mut count = 0;
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    for line in recipes.lines().chain(workflow.lines()).filter(|line| !is_comment(line)) {
        let Some((_, steps)) = line.split_once(".ci/run ") else { continue };
        for step in steps.split(' ').filter(|step| step.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())) {
            assert!(script.contains(&format!("step_{step}()")), "{line}");
            count += 1;
        }
    }
    assert!(count > 8, "only {count} steps are called");
    for line in workflow.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")) {
        let (_, version) = line.split_once('@').unwrap();
        let commit = version.split(' ').next().unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    }
    let manifest = read("Cargo.toml");
    let (_, version) = manifest.split_once("rust-version = \"").unwrap();
    let version = version.split('"').next().unwrap();
    assert!(workflow.contains(&format!("toolchain install {version} ")), "{version}");
    assert!(read("README.md").contains(&format!("Rust {version} or newer")), "{version}");
}
