//! No two types share a name: a reader who searches for one finds one.

use std::collections::BTreeMap;

use crate::sources::{Sources, types};

/// The names that more than one module defines, inside or outside of the sandbox.
fn shared(sources: &Sources, in_sandbox: bool) -> Vec<String> {
    let mut count = BTreeMap::<_, usize>::new();
    for (_, text) in
        sources.iter().filter(|(module, _)| module.first().is_some_and(|room| room == "sandbox") == in_sandbox)
    {
        types(text).into_iter().for_each(|name| *count.entry(name).or_default() += 1);
    }
    count.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

#[test]
fn no_two_types_outside_the_sandbox_share_a_name() {
    assert_eq!(shared(&Sources::read(), false), Vec::<String>::new());
}

#[test]
fn no_two_types_of_the_sandbox_share_a_name() {
    assert_eq!(shared(&Sources::read(), true), Vec::<String>::new());
}

#[test]
fn a_shared_name_is_reported_but_not_one_that_only_tests_share() {
    let files = [("a.rs", "struct A;\nstruct B;"), ("b.rs", "enum B {}\n#[cfg(test)]\nmod tests {\n    struct A;\n}")];
    let sources = Sources::of(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert_eq!(shared(&sources, false), ["B"]);
}
