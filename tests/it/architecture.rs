//! The rule of imports in the documentation of `lib.rs`, held against the files of `src`.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::Sources;

/// Folders and the crates that only they may name.
const ONLY_IN: [(&str, &[&str]); 3] = [
    ("ledger::sqlite", &["rusqlite"]),
    ("ledger::postgres", &["tokio_postgres", "tokio_postgres_rustls", "tokio_rustls"]),
    ("style", &["anstyle"]),
];

/// Folders and the crates that they may not name.
const NOT_IN: [(&str, &[&str]); 2] =
    [("domain", &["tokio", "reqwest", "rusqlite", "clap", "axum", "anstyle", "console"]), ("report", &["reqwest"])];

type Rule = BTreeMap<String, BTreeSet<String>>;

/// What stands in backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What each module may import, from the table and the sentence that says which modules are
/// `tools`.
fn rule(lib: &str) -> Rule {
    let docs: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let prose = docs.join(" ");
    let (_, sentence) = prose.split_once("`tools` stands for").expect("the sentence about `tools`");
    let tools = quoted(sentence.split_once('.').expect("its end").0);
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|');
        let name = quoted(cells.next()?).into_iter().next()?;
        Some((name, cells.next()?.trim().to_owned()))
    };
    let rows: BTreeMap<_, _> = docs.iter().filter_map(|line| row(line)).collect();
    let resolved = |names: BTreeSet<String>| -> BTreeSet<String> {
        names.into_iter().flat_map(|name| if name == "tools" { tools.clone() } else { [name].into() }).collect()
    };
    let all = resolved(rows.keys().cloned().collect());
    let allowed = |cell: &str| {
        let named = resolved(quoted(cell));
        if cell.starts_with("all") { all.difference(&named).cloned().collect() } else { named }
    };
    rows.iter()
        .flat_map(|(name, cell)| resolved([name.clone()].into()).into_iter().map(|name| (name, allowed(cell))))
        .collect()
}

/// One line for each import that the rule does not allow.
fn broken(rule: &Rule, sources: &Sources) -> Vec<String> {
    let mut broken = Vec::new();
    for (module, _) in sources.iter().filter(|(module, _)| !module.is_empty()) {
        let allowed = rule.get(&module[0]);
        let imported = sources.rooms_imported(module);
        let wrong = imported.iter().filter(|room| allowed.is_none_or(|allowed| !allowed.contains(*room)));
        broken.extend(wrong.map(|room| format!("{} imports {room}", module.join("::"))));
        if allowed.is_none() {
            broken.push(format!("{} is not in the table of lib.rs", module[0]));
        }
    }
    broken
}

fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.match_indices(&path).any(|(at, _)| !text[..at].ends_with(is_word)) || text.contains(&format!("use {name};"))
}

/// One line for each file that names a crate that it may not know.
fn unwelcome(sources: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    for (module, text) in sources.iter() {
        let path = module.join("::");
        let within = |folder: &str| path == folder || path.starts_with(&format!("{folder}::"));
        let outside = ONLY_IN.iter().filter(|(folder, _)| !within(folder));
        let inside = NOT_IN.iter().filter(|(folder, _)| within(folder));
        let crates = outside.chain(inside).flat_map(|(_, crates)| *crates);
        found.extend(crates.filter(|name| names_crate(text, name)).map(|name| format!("{path} names {name}")));
    }
    found
}

#[test]
fn every_import_is_one_that_the_rule_in_lib_rs_allows() {
    let rule = rule(include_str!("../../src/lib.rs"));
    assert!(rule.len() > 20, "{rule:?}");
    assert_eq!(broken(&rule, &Sources::read()), Vec::<String>::new());
}

#[test]
fn only_what_stands_above_settings_imports_cli_and_the_sandbox_imports_nothing() {
    let rule = rule(include_str!("../../src/lib.rs"));
    let importers: Vec<_> = rule.iter().filter(|(_, allowed)| allowed.contains("cli")).map(|(name, _)| name).collect();
    assert_eq!(importers, ["commands", "config", "settings"]);
    assert!(rule["sandbox"].is_empty() && rule["domain"].is_empty());
}

#[test]
fn no_file_names_a_crate_that_its_folder_may_not_know() {
    assert_eq!(unwelcome(&Sources::read()), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles: Vec<_> = Sources::read().circles().iter().map(|module| module.join("::")).collect();
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn a_broken_rule_is_reported() {
    let lib = "//! `tools` stands for `x` and\n//! `y`. More.\n//! | module | imports |\n//! | `tools` | `tools` |\n\
               //! | `a` | `tools` |\n//! | `b` | all but `c` |\n//! | `c` | |\n";
    let rule = rule(lib);
    assert_eq!(rule["a"], ["x".to_owned(), "y".to_owned()].into());
    assert_eq!(rule["b"], ["a", "b", "x", "y"].map(str::to_owned).into());
    let files = [
        ("a/mod.rs", "use crate::x::X;"),
        ("a/deep/er.rs", "use super::super::super::c::C;"),
        ("b.rs", "fn f(_: crate::c::C) {}"),
        ("d.rs", ""),
        ("domain/z.rs", "use tokio::time;\nfn f() { mytokio::g(); }"),
    ];
    let sources = Sources::of(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    let missing = ["d", "domain"].map(|name| format!("{name} is not in the table of lib.rs"));
    assert_eq!(
        broken(&rule, &sources),
        [["a::deep::er imports c", "b imports c"].map(str::to_owned), missing].concat()
    );
    assert_eq!(unwelcome(&sources), ["domain::z names tokio"]);
}
