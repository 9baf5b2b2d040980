//! Reads lines of NDJSON in bounded memory, and parses the object on each line.
//!
//! serde_json parses. The visitor here also refuses what serde_json accepts: a repeated key, and
//! nesting and strings beyond the limits. Numbers keep the spelling of the input. serde_json
//! returns integers exactly and all other numbers as floats, so if a line has such a number it is
//! parsed a second time for the number's text.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead};

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::{Code, Flaw, Json, JsonObject};

use crate::intake::limits::{DEEPEST, LONGEST_CELL, LONGEST_RECORD, MOST_COLUMNS};

/// Reads one line after the other into its own buffer.
pub(crate) struct LineReader<R> {
    input: R,
    /// LF, or CR in a file from an old Mac.
    line_end: u8,
    line: u64,
    buffer: Vec<u8>,
    blank_rows: u64,
}

/// What the next read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineScan {
    /// A line that is not blank. `ended` is false if the last line lacks its line end.
    Line {
        line: u64,
        ended: bool,
    },
    /// A line beyond the limit, which was skipped.
    TooLarge {
        line: u64,
    },
    End,
}

impl<R: BufRead> LineReader<R> {
    /// `line` is the number of the first line that `input` returns, and `line_end` is the byte that
    /// ends lines.
    pub(crate) fn new(input: R, line_end: u8, line: u64) -> Self {
        Self { input, line_end, line: line - 1, buffer: Vec::new(), blank_rows: 0 }
    }

    /// Returns the rest of the input, and the number of its first line.
    pub(crate) fn into_rest(self) -> (R, u64) {
        (self.input, self.line + 1)
    }

    /// Returns the line of the last [`LineScan::Line`], without its line end.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns how many blank lines were skipped so far.
    pub(crate) fn blank_rows(&self) -> u64 {
        self.blank_rows
    }

    /// Reads the next line that is not blank.
    pub(crate) fn advance(&mut self) -> io::Result<LineScan> {
        loop {
            self.buffer.clear();
            let (length, ended) = self.read_line()?;
            if length == 0 && !ended {
                return Ok(LineScan::End);
            }
            self.line += 1;
            if length > LONGEST_RECORD {
                return Ok(LineScan::TooLarge { line: self.line });
            }
            if self.buffer.last() == Some(&b'\r') {
                self.buffer.pop();
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(LineScan::Line { line: self.line, ended });
            }
            self.blank_rows += 1;
        }
    }

    /// Reads to the next line end and keeps no more than the limit. Returns the length of the line,
    /// and whether it has a line end.
    fn read_line(&mut self) -> io::Result<(usize, bool)> {
        let mut length = 0usize;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok((length, false));
            }
            let end = memchr::memchr(self.line_end, chunk);
            let content = &chunk[..end.unwrap_or(chunk.len())];
            let room = (LONGEST_RECORD + 1).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&content[..content.len().min(room)]);
            length = length.saturating_add(content.len());
            let used = content.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok((length, true));
            }
        }
    }
}

/// Parses the object on a line. It borrows from the line as far as possible.
pub(crate) fn parse_object(line: &str) -> Result<Object<'_>, Flaw> {
    let (fault, has_floats) = (Cell::new(None), Cell::new(false));
    let mut reader = serde_json::Deserializer::from_str(line);
    let strict = Strict { depth: 0, fault: &fault, has_floats: &has_floats };
    let parsed = if line.trim_ascii_start().starts_with('{') {
        reader.deserialize_map(Whole(strict)).map(Ok)
    } else {
        strict.deserialize(&mut reader).map(|item| Err(kind(&item.into_json())))
    };
    match parsed.and_then(|parsed| reader.end().map(|()| parsed)) {
        Ok(Ok(mut object)) => {
            if has_floats.get() {
                object.set_numbers(line).map_err(|error| explain(&error, None))?;
            }
            Ok(object)
        }
        Ok(Err(kind)) => Err(Flaw::new(Code::JsonNotAnObject, format!("holds {kind}; each line must be one object"))),
        Err(error) => match fault.take() {
            None => Err(after_object(line).unwrap_or_else(|| explain(&error, None))),
            fault => Err(explain(&error, fault)),
        },
    }
}

/// Returns the complaint about what follows the object on its line, or `None` if it is neither
/// another object nor a comma.
fn after_object(line: &str) -> Option<Flaw> {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let hint = match line.get(values.byte_offset()..)?.trim_start().as_bytes() {
        [b'{', ..] => "holds more than one object: write one per line with jq -c . FILE > customers.ndjson",
        [b',', rest @ ..] if rest.trim_ascii().is_empty() => {
            "ends with a comma: remove it with sed 's/,[[:space:]]*$//' FILE | jq -c . > customers.ndjson"
        }
        [b',', rest @ ..] if rest.trim_ascii_start().first() == Some(&b'{') => {
            "holds objects with commas between them: write one per line with sed 's/,[[:space:]]*$//; s/.*/[&]/' FILE | jq -c '.[]' > customers.ndjson"
        }
        _ => return None,
    };
    Some(Flaw::new(Code::JsonSyntax, hint))
}

/// Keys and values in the order of the line. Each key occurs once.
pub(crate) struct Object<'a> {
    entries: Vec<(Cow<'a, str>, Item<'a>)>,
    /// One bit for each key. It rules out most of the keys that are absent.
    signs: u64,
}

/// Returns the bit of a key, made from what differs most often between keys: length and last byte.
const fn sign(key: &str) -> u64 {
    let end = if let Some(end) = key.as_bytes().last() { *end as usize } else { 0 };
    1 << ((key.len() + 5 * end) % 64)
}

impl<'a> Object<'a> {
    fn new() -> Self {
        // Enough room for most objects, so that the list does not need to grow.
        Self { entries: Vec::with_capacity(8), signs: 0 }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Item<'a>> {
        if self.signs & sign(key) == 0 {
            return None;
        }
        self.entries().find(|(known, _)| *known == key).map(|(_, item)| item)
    }

    /// Replaces numbers by their spelling on the line, because serde_json's visitors receive
    /// floats.
    fn set_numbers(&mut self, line: &'a str) -> serde_json::Result<()> {
        let ObjectMembers(raw) = serde_json::from_str(line)?;
        for ((_, item), raw) in self.entries.iter_mut().zip(raw) {
            if let Item::Other(value) = item {
                *value = as_written(raw)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, key: Cow<'a, str>, item: Item<'a>) {
        self.signs |= sign(&key);
        self.entries.push((key, item));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Item<'a>)> {
        self.entries.iter().map(|(key, item)| (&**key, item))
    }
}

/// A value of an object.
pub(crate) enum Item<'a> {
    Text(Cow<'a, str>),
    /// Anything except a string.
    Other(Json),
}

impl Item<'_> {
    fn into_json(self) -> Json {
        match self {
            Self::Text(text) => Json::Text(text.into_owned()),
            Self::Other(value) => value,
        }
    }
}

/// Returns the JSON type of a value, for messages.
pub(crate) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Integer(_) | Json::Number(_) => "a number",
        Json::Text(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// Returns a value with its numbers as they are spelled on the line, which must already be valid.
/// Each level of nesting is parsed once more, but there are few levels.
fn as_written(raw: &RawValue) -> serde_json::Result<Json> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let members = members.into_iter().map(|(name, raw)| Ok((name, as_written(raw)?)));
            Json::Object(members.collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Json::Array(items.into_iter().map(as_written).collect::<serde_json::Result<_>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text)?),
        Some(b't' | b'f') => Json::Bool(serde_json::from_str(text)?),
        Some(b'n') => Json::Null,
        _ => number(text),
    })
}

fn number(text: &str) -> Json {
    match text.parse() {
        // Integers do not have a negative zero.
        Ok(integer) if text != "-0" => Json::Integer(integer),
        _ => Json::Number(text.into()),
    }
}

/// The values of an object, in the order of the line.
struct ObjectMembers<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for ObjectMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = ObjectMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ObjectMembers<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some((IgnoredAny, value)) = entries.next_entry()? {
            values.push(value);
        }
        Ok(ObjectMembers(values))
    }
}

/// What [`Strict`] refuses although serde_json accepts it.
enum Fault {
    DuplicateKey(String),
    TooDeep,
    TooLong,
    TooMany,
}

fn explain(error: &serde_json::Error, fault: Option<Fault>) -> Flaw {
    match fault {
        Some(Fault::DuplicateKey(key)) => {
            let key: String = key.chars().take(60).collect();
            Flaw::new(
                Code::JsonDuplicateKey,
                format!("the key {key:?} appears twice in one object; keep the right one"),
            )
        }
        Some(Fault::TooDeep) => Flaw::new(Code::JsonSyntax, format!("nests deeper than {DEEPEST} levels")),
        Some(Fault::TooLong) => Flaw::new(Code::RowTooLarge, "holds a string of more than 64 KiB"),
        Some(Fault::TooMany) => Flaw::new(Code::RowTooLarge, "holds an object of more than 1,024 keys"),
        None => {
            let text = error.to_string();
            let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
            Flaw::new(Code::JsonSyntax, format!("column {}: {words}", error.column()))
        }
    }
}

/// Builds a value, and refuses what two parsers could understand differently.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: u8,
    /// Set before the visitor returns an error of its own, because serde's errors carry only text.
    fault: &'a Cell<Option<Fault>>,
    /// Set if there is a number whose value does not show how it was spelled.
    has_floats: &'a Cell<bool>,
}

impl Strict<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            Err(self.refuse(Fault::TooDeep))
        } else {
            Ok(Self { depth: self.depth + 1, ..self })
        }
    }

    fn refuse<E: de::Error>(self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn text<'de, E: de::Error>(self, text: Cow<'de, str>) -> Result<Item<'de>, E> {
        if text.len() > LONGEST_CELL { Err(self.refuse(Fault::TooLong)) } else { Ok(Item::Text(text)) }
    }

    /// `before` is the number of keys in the same object before this one.
    fn check_key<E: de::Error>(self, key: &str, before: usize, is_known: bool) -> Result<(), E> {
        if before == MOST_COLUMNS {
            Err(self.refuse(Fault::TooMany))
        } else if key.len() > LONGEST_CELL {
            Err(self.refuse(Fault::TooLong))
        } else if is_known {
            Err(self.refuse(Fault::DuplicateKey(key.to_owned())))
        } else {
            Ok(())
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Item<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Item<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Item<'de>, E> {
        Ok(Item::Other(Json::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Item<'de>, E> {
        Ok(Item::Other(Json::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item<'de>, E> {
        Ok(Item::Other(Json::Integer(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item<'de>, E> {
        Ok(Item::Other(Json::Integer(value.into())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item<'de>, E> {
        self.has_floats.set(true);
        // [`Object::set_numbers`] replaces this when the whole line has proved valid.
        Ok(Item::Other(Json::Number(Box::default())))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Item<'de>, E> {
        self.text(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Item<'de>, E> {
        self.text(Cow::Owned(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            array.push(item.into_json());
        }
        Ok(Item::Other(Json::Array(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Item<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut object = JsonObject::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            self.check_key(&key, object.len(), object.contains_key(&*key))?;
            let value = entries.next_value_seed(seed)?;
            object.insert(key.into_owned(), value.into_json());
        }
        Ok(Item::Other(Json::Object(object)))
    }
}

/// The object of a whole line.
struct Whole<'a>(Strict<'a>);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object<'de>, A::Error> {
        let seed = self.0.deeper()?;
        let mut object = Object::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            self.0.check_key(&key, object.entries.len(), object.get(&key).is_some())?;
            let item = entries.next_value_seed(seed)?;
            object.add(key, item);
        }
        Ok(object)
    }
}

/// A key, which borrows from the line unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn code(line: &str) -> Option<Code> {
        parse_object(line).err().map(|flaw| flaw.code)
    }

    #[test]
    fn lines_are_counted_and_blank_ones_skipped() {
        let mut reader = LineReader::new(&b"{}\r\n\n  \n{\"a\":1}\nlast"[..], b'\n', 1);
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 1, ended: true });
        assert_eq!(reader.bytes(), b"{}");
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 4, ended: true });
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 5, ended: false });
        assert_eq!(reader.advance().unwrap(), LineScan::End);
        assert_eq!(reader.blank_rows(), 2);
    }

    #[test]
    fn lines_may_end_with_cr_alone() {
        let mut reader = LineReader::new(&b"{}\r\r{\"a\":1}\r"[..], b'\r', 1);
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 1, ended: true });
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 3, ended: true });
        assert_eq!(reader.bytes(), b"{\"a\":1}");
        assert_eq!(reader.advance().unwrap(), LineScan::End);
    }

    #[test]
    fn a_long_line_is_skipped_in_bounded_memory() {
        let input = io::repeat(b'x').take(50 << 20).chain(&b"\n{}"[..]);
        let mut reader = LineReader::new(BufReader::new(input), b'\n', 1);
        assert_eq!(reader.advance().unwrap(), LineScan::TooLarge { line: 1 });
        assert!(reader.buffer.capacity() <= 4 * LONGEST_RECORD);
        assert_eq!(reader.advance().unwrap(), LineScan::Line { line: 2, ended: false });
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert_eq!(code(r#"{"a":1,"b":{"a":2}}"#), None);
        assert_eq!(code(r#"{"a":1,"a":2}"#), Some(Code::JsonDuplicateKey));
        assert_eq!(code(r#"{"a":[{"b":1,"b":1}]}"#), Some(Code::JsonDuplicateKey));
        assert_eq!(code(r#"{"a":1,"\u0061":2}"#), Some(Code::JsonDuplicateKey));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(code(&nested(31)), None);
        assert_eq!(code(&nested(32)), Some(Code::JsonSyntax));
        assert_eq!(code(&nested(100_000)), Some(Code::JsonSyntax));
    }

    #[test]
    fn bad_json_is_told_with_its_column() {
        for line in
            [r#"{"a":1"#, r#"{"a" 1}"#, "{} x", "{'a':1}", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#, r#"{"a":NaN}"#]
        {
            let flaw = parse_object(line).err().unwrap();
            assert_eq!(flaw.code, Code::JsonSyntax, "{line}");
            assert!(flaw.hint.starts_with("column "), "{}", flaw.hint);
        }
        for line in ["1", "[]", "\"a\"", "null", "true"] {
            assert_eq!(code(line), Some(Code::JsonNotAnObject), "{line}");
        }
        assert_eq!(code(&format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST_CELL + 1))), Some(Code::RowTooLarge));
        let keys = |count: usize| (0..count).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(code(&format!("{{{}}}", keys(1024))), None);
        assert_eq!(code(&format!("{{{}}}", keys(1025))), Some(Code::RowTooLarge));
    }

    #[test]
    fn what_follows_an_object_is_named_with_the_command_that_mends_it() {
        for (line, words) in [
            (r#"{"a":1}{"b":2}"#, "jq -c . FILE"),
            (r#"{"a":1} {"b":2"#, "jq -c . FILE"),
            (r#"{"a":1},"#, "ends with a comma"),
            (r#"{"a":1} , "#, "ends with a comma"),
            (r#"{"a":1},{"b":2}"#, "jq -c '.[]'"),
            (r#"{"a":1} x"#, "trailing characters"),
        ] {
            let flaw = parse_object(line).err().unwrap();
            assert!(flaw.code == Code::JsonSyntax && flaw.hint.contains(words), "{line}: {}", flaw.hint);
        }
    }
}
