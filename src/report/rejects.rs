//! The records that were invalid or rejected, exactly as they were read and with what is wrong:
//! mend and import that file.
//!
//! CSV keeps the input's own header, order and delimiter; the complaint goes into the column
//! `error`, the input's own one if it has one. It is in UTF-8 whatever the input was in, and
//! then begins with a byte order mark, which the reader believes before an `--encoding`: the same
//! command line imports the mended file. Bytes that were not text stay such, as the reader marked
//! them. NDJSON keeps each object's text; only its member `error` is set. A line that is not an
//! object comes back as `{"error": …, "input": line}`.

use std::io::{self, Write as _};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::formats::formula::inert;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::{InputForm, InputShape, RawRecord};

const ERROR: &str = "error";

#[derive(Debug)]
pub struct Rejects(RejectsWriter);

#[derive(Debug)]
enum RejectsWriter {
    Csv { writer: Box<csv::Writer<AtomicFile>>, place: ErrorCell },
    Ndjson(AtomicFile),
}

impl Rejects {
    /// An input without rejects gets a file without records, so that an old one never misleads.
    pub fn create(path: &Path, shape: &InputShape) -> io::Result<Self> {
        let mut file = AtomicFile::create(path)?;
        if shape.byte_order_mark {
            file.write_all("\u{feff}".as_bytes())?;
        }
        Ok(Self(match &shape.form {
            InputForm::Ndjson => RejectsWriter::Ndjson(file),
            InputForm::Csv { delimiter, header } => {
                let mut writer = csv::WriterBuilder::new().delimiter(*delimiter).flexible(true).from_writer(file);
                let place = ErrorCell::in_header(header);
                writer.write_record(place.put(header, ERROR))?;
                RejectsWriter::Csv { writer: Box::new(writer), place }
            }
        }))
    }

    pub fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        match (&mut self.0, record) {
            (RejectsWriter::Csv { writer, place }, RawRecord::Cells(cells)) => {
                Ok(writer.write_record(place.put(cells, &inert(error)))?)
            }
            (RejectsWriter::Ndjson(file), RawRecord::Line(line)) => writeln!(file, "{}", object(line, error)?),
            (RejectsWriter::Csv { .. }, RawRecord::Line(_)) | (RejectsWriter::Ndjson(_), RawRecord::Cells(_)) => {
                Err(io::Error::other("a record of another format than its input"))
            }
        }
    }

    pub fn finish(self) -> io::Result<WholeFile> {
        match self.0 {
            RejectsWriter::Csv { writer, .. } => writer.into_inner().map_err(csv::IntoInnerError::into_error)?.finish(),
            RejectsWriter::Ndjson(file) => file.finish(),
        }
    }
}

fn is_error(name: &[u8]) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(ERROR.as_bytes())
}

/// Where the complaint goes among the cells.
#[derive(Clone, Copy, Debug)]
struct ErrorCell {
    /// The input's own column of that name, of an earlier round of mending.
    own: Option<usize>,
    columns: usize,
}

impl ErrorCell {
    fn in_header(header: &[Vec<u8>]) -> Self {
        Self { own: header.iter().position(|name| is_error(name)), columns: header.len() }
    }

    /// A record with too few or too many cells keeps a wrong number of them: filled up, it would
    /// pass as whole when it is fed again unmended, with its data in the wrong columns. One cell
    /// too many, to have the complaint under its name, would do the same: a spreadsheet drops empty
    /// cells at the end when it saves. So the complaint of a short record stands behind its last
    /// cell, where it is not a valid value.
    fn put(self, cells: &[Vec<u8>], error: &str) -> Vec<Vec<u8>> {
        let mut cells = cells.to_vec();
        match self.own {
            Some(own) if cells.len() == self.columns => cells[own] = error.as_bytes().to_vec(),
            // One cell short of a header with its own column: the complaint alone would make the
            // number right.
            Some(_) if cells.len() + 1 == self.columns => cells.extend([error.as_bytes().to_vec(), Vec::new()]),
            _ => cells.push(error.as_bytes().to_vec()),
        }
        cells
    }
}

/// The members of an object in their order, with the spelling of their values; a name that stands
/// twice stands twice here too.
struct RawMembers(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = RawMembers;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMembers, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The line with its complaint, as one line of NDJSON.
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
    use crate::report::formats::formula::tests::PAYLOADS;

    fn cells(values: &[&str]) -> Vec<Vec<u8>> {
        values.iter().map(|value| value.as_bytes().to_vec()).collect()
    }

    fn csv_of(header: &[&str], records: &[&[&str]], delimiter: u8) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.csv");
        let shape = InputShape { form: InputForm::Csv { delimiter, header: cells(header) }, byte_order_mark: false };
        let mut rejects = Rejects::create(&path, &shape).unwrap();
        for record in records {
            rejects.write(&RawRecord::Cells(cells(record)), "bad").unwrap();
        }
        rejects.finish().unwrap().put_in_place().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn cells_come_back_in_the_inputs_own_form_with_the_complaint_at_the_end() {
        let text = csv_of(&["name", "mail"], &[&["a;b", " x\ny "], &["\"q\"", ""]], b';');
        assert_eq!(text, "name;mail;error\n\"a;b\";\" x\ny \";bad\n\"\"\"q\"\"\";;bad\n");
    }

    #[test]
    fn a_complaint_is_no_formula_and_the_cells_are_as_they_were_read() {
        for payload in PAYLOADS {
            for header in [&["name", "mail"][..], &["name", "error"]] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("rejects.csv");
                let form = InputForm::Csv { delimiter: b',', header: cells(header) };
                let mut rejects = Rejects::create(&path, &InputShape { form, byte_order_mark: false }).unwrap();
                rejects.write(&RawRecord::Cells(cells(&[payload, "x"])), payload).unwrap();
                rejects.finish().unwrap().put_in_place().unwrap();
                let record = csv::Reader::from_path(&path).unwrap().records().next().unwrap().unwrap();
                assert_eq!(&record[0], payload);
                assert_eq!(record[record.len() - 1], format!("'{payload}"));
            }
        }
    }

    #[test]
    fn an_error_column_of_the_input_is_replaced_where_it_stands() {
        let text = csv_of(&["Error", "name"], &[&["old", "a"]], b',');
        assert_eq!(text, "error,name\nbad,a\n");
    }

    #[test]
    fn a_ragged_record_never_gets_the_right_number_of_cells() {
        for header in [&["a", "b", "c"][..], &["a", "b", "error"], &["error", "b", "c"]] {
            let expected = if header.contains(&"error") { 3 } else { 4 };
            for cells in 0..7 {
                if cells == 3 {
                    continue;
                }
                let shape: Vec<_> = header.iter().map(|name| name.as_bytes().to_vec()).collect();
                let record = vec![b"x".to_vec(); cells];
                assert_ne!(
                    ErrorCell::in_header(&shape).put(&record, "bad").len(),
                    expected,
                    "{header:?}, {cells} cells"
                );
            }
        }
    }

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
