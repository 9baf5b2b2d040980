//! The elements and texts of a part, one after the other, none of them larger than a limit.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::archive::PartReader;
use super::fault::WorkbookFault;
use crate::intake::limits::{HEAD, LONGEST_CELL, LONGEST_RECORD};
use crate::intake::open::changed::InputChanged;
use crate::intake::open::unpack::UnpackFault;

/// The deepest nesting of elements. Workbooks have about ten.
const DEEPEST_ELEMENT: usize = 256;

/// Reads the XML of a part.
pub(super) struct XmlPart {
    reader: Reader<BoundedRead>,
    buffer: Vec<u8>,
    depth: usize,
}

impl XmlPart {
    pub(super) fn new(part: PartReader) -> Self {
        let input = BoundedRead { input: BufReader::with_capacity(HEAD, part), since: 0 };
        let mut reader = Reader::from_reader(input);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), depth: 0 }
    }

    /// Returns what comes next. An element without content is a start and an end.
    pub(super) fn next_event(&mut self) -> io::Result<Event<'_>> {
        self.buffer.clear();
        self.reader.get_mut().since = 0;
        let event = self.reader.read_event_into(&mut self.buffer).map_err(explained)?;
        match &event {
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::DocType(_) => return Err(WorkbookFault::damaged("a part has a document type")),
            Event::Eof if self.depth > 0 => return Err(WorkbookFault::damaged("a part ends too early")),
            _ => {}
        }
        if self.depth > DEEPEST_ELEMENT {
            return Err(WorkbookFault::damaged("its elements are nested too deeply"));
        }
        Ok(event)
    }
}

fn explained(error: quick_xml::Error) -> io::Error {
    let quick_xml::Error::Io(error) = &error else { return WorkbookFault::damaged(error.to_string()) };
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.is::<InputChanged>()) {
        io::Error::other(InputChanged)
    } else if let Some(fault) = inner.and_then(|inner| inner.downcast_ref::<UnpackFault>()) {
        io::Error::other(fault.clone())
    } else if let Some(fault) = inner.and_then(|inner| inner.downcast_ref::<WorkbookFault>()) {
        io::Error::other(fault.clone())
    } else if let Some(code) = error.raw_os_error() {
        io::Error::from_raw_os_error(code)
    } else {
        WorkbookFault::damaged(error.to_string())
    }
}

/// Returns an attribute, whatever its prefix, or `None` if the element does not have it.
pub(super) fn attribute<'a>(element: &'a BytesStart<'_>, name: &str) -> io::Result<Option<Cow<'a, str>>> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| WorkbookFault::damaged(error.to_string()))?;
        if attribute.key.local_name().into_inner() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            return Ok(Some(value.map_err(|error| WorkbookFault::damaged(error.to_string()))?));
        }
    }
    Ok(None)
}

/// Whether an attribute of the type boolean is true.
pub(super) fn is_set(element: &BytesStart<'_>, name: &str) -> io::Result<bool> {
    Ok(attribute(element, name)?.is_some_and(|value| is_true(&value)))
}

pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true")
}

/// A text that is put together from several events, cut off one byte after the limit of a cell.
#[derive(Debug, Default)]
pub(super) struct CellText {
    text: String,
}

impl CellText {
    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Adds the text of an event. All other events do not add anything.
    pub(super) fn add(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Text(text) => self.push(&text.xml10_content()),
            Event::CData(text) => self.push(&text.xml10_content()),
            Event::GeneralRef(reference) => match resolved(reference)? {
                Resolved::Char(character) => self.push(character.encode_utf8(&mut [0; 4])),
                Resolved::Text(text) => self.push(text),
            },
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str) {
        if !self.is_too_long() {
            self.text.push_str(text);
        }
    }

    /// Whether the text is longer than a cell may be. It may not be complete then.
    pub(super) fn is_too_long(&self) -> bool {
        self.text.len() > LONGEST_CELL
    }

    /// Replaces `_xHHHH_`, which Excel writes for characters that XML cannot hold.
    pub(super) fn unescape(&mut self) {
        if let Some(text) = unescaped(&self.text) {
            self.text = text;
        }
    }
}

enum Resolved {
    Char(char),
    Text(&'static str),
}

fn resolved(reference: &BytesRef<'_>) -> io::Result<Resolved> {
    let character = reference.resolve_char_ref().map_err(|error| WorkbookFault::damaged(error.to_string()))?;
    let text = quick_xml::escape::resolve_xml_entity(reference);
    let found = character.map(Resolved::Char).or(text.map(Resolved::Text));
    found.ok_or_else(|| WorkbookFault::damaged("an unknown entity"))
}

/// Returns the text with its escaped characters, or `None` if it does not have any.
fn unescaped(text: &str) -> Option<String> {
    let mut rest = text;
    let mut result = String::new();
    while let Some(at) = rest.find("_x") {
        let (before, from) = rest.split_at(at);
        result.push_str(before);
        match escaped(from) {
            Some(character) => {
                result.push(character);
                rest = &from["_xHHHH_".len()..];
            }
            None => {
                result.push_str("_x");
                rest = &from[2..];
            }
        }
    }
    if rest.len() == text.len() {
        return None;
    }
    result.push_str(rest);
    Some(result)
}

/// Returns the character for `_xHHHH_` at the start of a text.
fn escaped(text: &str) -> Option<char> {
    let digits = text.get(2..6).filter(|_| text.as_bytes().get(6) == Some(&b'_'))?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

/// Stops if one event is larger than a record may be, because an event is read into memory.
struct BoundedRead {
    input: BufReader<PartReader>,
    /// How many bytes were read for the current event.
    since: usize,
}

impl Read for BoundedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl BufRead for BoundedRead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > LONGEST_RECORD {
            return Err(WorkbookFault::TooLarge { limit: "1 MiB in one element" }.into());
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.since += amount;
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_characters_are_read_and_all_else_is_kept() {
        for (escaped, text) in [
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("a_xb", "a_xb"),
            ("_x00_", "_x00_"),
            ("_xD800_é", "_xD800_é"),
            ("é_xé000_", "é_xé000_"),
            ("_x0041__x0042_", "AB"),
        ] {
            let found = unescaped(escaped).unwrap_or_else(|| escaped.to_owned());
            assert_eq!(found, text);
        }
    }
}
