//! The data files of this folder that tests generate. For tests only.

use std::path::Path;

/// Checks that a data file holds this content. Run with `UPDATE=1`, it writes the file instead.
pub(super) fn check(name: &str, content: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/fields").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, content).unwrap();
        return;
    }
    let held = std::fs::read(&path).unwrap();
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    let different = lines(&held).into_iter().zip(lines(content)).find(|(held, made)| held != made);
    assert!(held == content, "{name} is out of date (UPDATE=1 writes it): {different:?}");
}

#[test]
#[should_panic(expected = "calling_codes.txt is out of date (UPDATE=1 writes it)")]
fn a_file_with_other_content_is_out_of_date() {
    // What is written if someone updates the files.
    if std::env::var_os("UPDATE").is_some() {
        panic!("calling_codes.txt is out of date (UPDATE=1 writes it)");
    }
    check("calling_codes.txt", b"1 US\n");
}
