//! The fault matrix tells what is proven where, so what it names must be there.

#[test]
fn every_test_that_the_fault_matrix_names_exists() {
    let matrix = include_str!("../../docs/fault-matrix.md");
    let mut sources = String::new();
    for folder in ["tests/it", "src", "crates"] {
        read_all(&crate::harness::fixture("..").join(folder), &mut sources);
    }
    let quoted = matrix.split('`').skip(1).step_by(2);
    let is_test =
        |name: &&str| name.contains('_') && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    let (mut named, mut missing) = (0, Vec::new());
    for name in quoted.filter(is_test) {
        named += 1;
        if !sources.contains(&format!("fn {name}()")) {
            missing.push(name);
        }
    }
    assert!(named > 50, "only {named} tests are named");
    assert!(missing.is_empty(), "{missing:?}");
}

/// Appends every source file below a folder.
fn read_all(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else {
            sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
    }
}
