//! The values of an object as cells of a table.

use serde_json::value::RawValue;

use super::members::RawMembers;
use super::writer::is_error;

/// Deeper objects stay JSON text.
const DEEPEST: usize = 32;

/// Returns the values by name. The name of a value in a nested object is its path, joined by dots,
/// as in `--map`; numbers keep their spelling, arrays stay JSON text, `null` is an empty text.
/// Returns `None` if the line is not an object, or two values have one name.
pub(super) fn flatten(line: &[u8]) -> Option<Vec<(String, String)>> {
    let RawMembers(members) = serde_json::from_slice(line).ok()?;
    let mut cells = Vec::new();
    for (name, value) in members.into_iter().filter(|(name, _)| !is_error(name.as_bytes())) {
        add(&mut cells, name, &value, 1);
    }
    let names: std::collections::HashSet<_> = cells.iter().map(|(name, _)| name).collect();
    let is_plain = names.len() == cells.len();
    is_plain.then_some(cells)
}

fn add(cells: &mut Vec<(String, String)>, name: String, value: &RawValue, depth: usize) {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') if depth < DEEPEST => match serde_json::from_str(text) {
            Ok(RawMembers(members)) if !members.is_empty() => {
                for (member, value) in members {
                    add(cells, format!("{name}.{member}"), &value, depth + 1);
                }
            }
            _ => cells.push((name, text.to_owned())),
        },
        Some(b'"') => {
            let decoded = serde_json::from_str(text).unwrap_or_else(|_| text.to_owned());
            cells.push((name, decoded));
        }
        Some(b'n') => cells.push((name, String::new())),
        _ => cells.push((name, text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_and_nested_ones_have_their_path_as_name() {
        let line = br#"{"z":1.50,"error":"old","a":{"b":"x\ty","c":{"d":null}},"e":[1,{"f":2}],"g":true,"h":{}}"#;
        let expected =
            [("z", "1.50"), ("a.b", "x\ty"), ("a.c.d", ""), ("e", r#"[1,{"f":2}]"#), ("g", "true"), ("h", "{}")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(flatten(line).unwrap(), expected);
    }

    #[test]
    fn what_has_no_single_value_for_a_name_is_not_flattened() {
        for line in [&b"[1]"[..], br#"{"a":1,"a":2}"#, br#"{"a.b":1,"a":{"b":2}}"#, b"{\"a\":\"\xff\"}"] {
            assert_eq!(flatten(line), None);
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let line = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        let cells = flatten(line.as_bytes()).unwrap();
        assert_eq!(cells.len(), 1);
        assert_eq!(cells[0].0.len(), 2 * DEEPEST - 1);
    }
}
