//! The files of `src` as modules: what each imports and which types it defines.
//!
//! It reads text, not syntax, as `.ci/figures` does and with the same results. Comments and tests
//! are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where a module stands: `["ledger", "sqlite", "lock"]`. Empty means `lib.rs`.
pub(crate) type Module = Vec<String>;

pub(crate) struct Sources {
    texts: BTreeMap<Module, String>,
    uses: BTreeMap<Module, Vec<Use>>,
}

/// One path of a `use` declaration, without its braces.
struct Use {
    is_public: bool,
    path: String,
}

impl Sources {
    /// All of `src` but `main.rs` and the files that are only tests.
    pub(crate) fn read() -> Self {
        let root = crate::harness::fixture("../src");
        let files = files(&root).into_iter().map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), text)
        });
        Self::of(files)
    }

    /// Of the paths below `src` and what the files contain.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_product = |path: &str| {
            let test = |part: &str| ["tests", "tests.rs", "properties.rs", "conformance.rs"].contains(&part);
            path != "main.rs" && !path.split('/').any(test)
        };
        let texts: BTreeMap<Module, String> = files
            .into_iter()
            .filter(|(path, _)| is_product(path))
            .map(|(path, text)| (module(&path), product(&text)))
            .collect();
        let uses = texts.iter().map(|(module, text)| (module.clone(), declarations(text).0)).collect();
        Self { texts, uses }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Module, &str)> {
        self.texts.iter().map(|(module, text)| (module, text.as_str()))
    }

    /// The names in the root of the crate that each module takes something from, re-exports
    /// included.
    pub(crate) fn rooms_imported(&self, module: &Module) -> BTreeSet<String> {
        let paths = self.paths(module, true);
        let rooms = paths.iter().filter_map(|path| absolute(module, path)?.into_iter().next());
        rooms.filter(|room| Some(room) != module.first()).collect()
    }

    /// The modules that each module takes something from. A re-export is not an import, but it is
    /// followed.
    pub(crate) fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let paths = self.paths(module, false);
        let targets = paths.iter().filter_map(|path| self.definition(module, path, &mut BTreeSet::new()));
        targets.filter(|target| target != module).collect()
    }

    /// The modules that import themselves through others.
    pub(crate) fn circles(&self) -> BTreeSet<Module> {
        let imports: BTreeMap<_, _> = self.texts.keys().map(|module| (module, self.imports(module))).collect();
        let reaches_itself = |module: &Module| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
            while let Some(from) = next.pop() {
                next.extend(imports[from].iter().filter(|target| reached.insert(*target)));
            }
            reached.contains(module)
        };
        self.texts.keys().filter(|module| reaches_itself(module)).cloned().collect()
    }

    /// The paths of all `use` declarations, and those in the code that begin with `crate` or
    /// `super`.
    fn paths(&self, module: &Module, reexports: bool) -> Vec<String> {
        let used = self.uses[module].iter().filter(|each| reexports || !each.is_public).map(|each| each.path.clone());
        used.chain(paths_in_code(&declarations(&self.texts[module]).1)).collect()
    }

    /// The module in whose file the item of a path is defined. `None` if it is of another crate.
    fn definition(&self, module: &Module, path: &str, seen: &mut BTreeSet<(Module, String)>) -> Option<Module> {
        let first = path.split("::").next()?;
        let child = [&module[..], &[first.to_owned()]].concat();
        let path = if self.texts.contains_key(&child) { format!("self::{path}") } else { path.to_owned() };
        let mut at = module.clone();
        for (index, part) in path.split("::").enumerate() {
            let inner = [&at[..], &[part.to_owned()]].concat();
            match (index, part) {
                (0, "self") => {}
                (0, "crate") => at.clear(),
                (_, "super") => drop(at.pop()?),
                (0, _) => return None,
                _ if self.texts.contains_key(&inner) => at = inner,
                _ => {
                    let reexport = self.uses[&at].iter().find(|each| each.is_public && name(&each.path) == part);
                    if let Some(reexport) = reexport.filter(|_| seen.insert((at.clone(), part.to_owned()))) {
                        return self.definition(&at, &reexport.path, seen).or(Some(at));
                    }
                    break;
                }
            }
        }
        Some(at)
    }
}

/// The path from the root of the crate. `None` if it is of this module or of another crate.
fn absolute(module: &Module, path: &str) -> Option<Module> {
    let mut parts = path.split("::").peekable();
    let mut at = module.clone();
    if parts.next_if_eq(&"crate").is_some() {
        at.clear();
    } else {
        parts.peek().filter(|part| **part == "super")?;
    }
    while parts.next_if_eq(&"super").is_some() {
        at.pop()?;
    }
    Some(at.into_iter().chain(parts.map(str::to_owned)).collect())
}

/// The names of the types that a text defines. An alias inside of a block is of a trait and does
/// not count.
pub(crate) fn types(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let item = without_visibility(line.trim_start());
        let Some((kind, rest)) = item.split_once(' ') else { continue };
        if ["struct", "enum", "trait", "union"].contains(&kind) || (kind == "type" && !line.starts_with(' ')) {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn module(path: &str) -> Module {
    let parts = path.trim_end_matches(".rs").split('/');
    parts.filter(|part| !["lib", "mod"].contains(part)).map(str::to_owned).collect()
}

/// The text without comments and without the test module, which stands at the end of a file.
fn product(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let is_tests = |at: &usize| {
        let mut after = lines[at + 1..].iter().skip_while(|line| line.starts_with("#["));
        lines[*at] == "#[cfg(test)]"
            && after.next().is_some_and(|line| without_visibility(line).starts_with("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_tests).unwrap_or(lines.len());
    lines[..end].iter().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}

fn without_visibility(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else { return item };
    let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    inner.strip_prefix(' ').unwrap_or(item)
}

/// The paths of the `use` declarations, and the text without them.
fn declarations(text: &str) -> (Vec<Use>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(tree) = without_visibility(line.trim_start()).strip_prefix("use ") else {
            rest += &format!("{line}\n");
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree += lines.next().unwrap_or(";").trim_start();
        }
        let is_public = line.trim_start().starts_with("pub");
        let paths = expand(tree.split(';').next().unwrap_or_default());
        uses.extend(paths.into_iter().map(|path| Use { is_public, path }));
    }
    (uses, rest)
}

/// The paths of a use tree: `a::{b, c::d as e}` is `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in inner.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(letter),
        }
    }
    parts.iter().flat_map(|part| expand(part)).map(|path| format!("{before}{path}")).collect()
}

fn name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Every `crate::…` and `super::…` of a text.
fn paths_in_code(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c: char| !is_path(c)).map(|word| word.trim_matches(':'));
    let begins = |word: &&str| word.starts_with("crate::") || word.starts_with("super::");
    words.filter(begins).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        Sources::of(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    fn at(path: &str) -> Module {
        path.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn imports_are_read_from_trees_from_code_and_from_relative_paths() {
        let text = "use crate::{a::A, b::{C, d::D as E}};\npub(crate) use super::f::F;\nfn g() { crate::h::i(); }\n// crate::k\n\
                    #[cfg(test)]\nmod tests {\n    use crate::l;\n}\n";
        let read = sources(&[("here/mod.rs", text), ("here/tests.rs", "use crate::m;")]);
        let rooms: Vec<_> = read.rooms_imported(&at("here")).into_iter().collect();
        assert_eq!(rooms, ["a", "b", "f", "h"]);
    }

    #[test]
    fn a_circle_of_files_is_found_through_re_exports_too() {
        let one = ("a/one.rs", "use super::two::Two;");
        let through = ("a/mod.rs", "mod one;\nmod two;\npub use one::One;");
        let back = ("a/two.rs", "use crate::a::One;");
        let found = sources(&[through, one, back, ("b.rs", "use crate::a::One;")]).circles();
        assert_eq!(found, [at("a::one"), at("a::two")].into());
        assert!(sources(&[through, one, ("a/two.rs", "use std::fmt;")]).circles().is_empty());
    }

    #[test]
    fn types_are_found_under_any_visibility_and_aliases_of_traits_are_not() {
        let text = "pub(crate) struct A<'a>;\nenum B {}\n    pub trait C {}\ntype D = u8;\n    type Item = u8;\nfn structure() {}\n";
        assert_eq!(types(text).into_iter().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    }
}
