//! Rejects of NDJSON: the text of each object, of which only the member `error` is set. A line that
//! is not an object becomes `{"error": …, "input": line}`.

use std::io::{self, Write as _};
use std::path::Path;

use super::members::RawMembers;
use super::writer::{ERROR, RejectsWriter, is_error, other_form};
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::RawRecord;

#[derive(Debug)]
pub(super) struct NdjsonRejects(AtomicFile);

impl NdjsonRejects {
    pub(super) fn create(path: &Path, byte_order_mark: bool) -> io::Result<Self> {
        let mut file = AtomicFile::create(path)?;
        if byte_order_mark {
            file.write_all("\u{feff}".as_bytes())?;
        }
        Ok(Self(file))
    }
}

impl RejectsWriter for NdjsonRejects {
    fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        let RawRecord::Line(line) = record else { return Err(other_form()) };
        writeln!(self.0, "{}", object(line, error)?)
    }

    fn finish(self: Box<Self>) -> io::Result<WholeFile> {
        self.0.finish()
    }
}

/// Returns the line with its error, as one line of NDJSON.
fn object(line: &[u8], error: &str) -> serde_json::Result<String> {
    let complaint = format!("\"{ERROR}\":{}", serde_json::to_string(error)?);
    let Ok(RawMembers(members)) = serde_json::from_slice(line) else {
        let input = serde_json::to_string(&String::from_utf8_lossy(line))?;
        return Ok(format!("{{{complaint},\"input\":{input}}}"));
    };
    let mut parts = Vec::new();
    for (name, value) in members.into_iter().filter(|(name, _)| !is_error(name.as_bytes())) {
        parts.push(format!("{}:{}", serde_json::to_string(&name)?, value.get()));
    }
    parts.push(complaint);
    Ok(format!("{{{}}}", parts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_keep_their_order_and_the_spelling_of_their_numbers() {
        assert_eq!(
            object(br#"{"z":1.50,"error":"old","a":1e3}"#, "bad \"x\"").unwrap(),
            r#"{"z":1.50,"a":1e3,"error":"bad \"x\""}"#
        );
        assert_eq!(object(b"{}", "bad").unwrap(), r#"{"error":"bad"}"#);
    }

    #[test]
    fn a_line_that_is_no_object_is_kept_as_text() {
        assert_eq!(object(b"[1", "bad").unwrap(), r#"{"error":"bad","input":"[1"}"#);
    }
}
