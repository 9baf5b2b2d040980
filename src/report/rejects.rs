//! The rejects file: the invalid and rejected records, exactly as they were read, each with what is
//! wrong with it. The user corrects this file and imports it.
//!
//! CSV keeps the header, order and delimiter of the input. The error goes into the column `error`;
//! if the input has a column of that name, into that one. The file is in UTF-8. If the input was in
//! another encoding, the file begins with a byte order mark, which takes precedence over
//! `--encoding`, so the same command line imports the corrected file. Bytes that were not text stay
//! as the reader marked them.
//!
//! NDJSON keeps the text of each object; only its member `error` is set. A line that is not an
//! object becomes `{"error": …, "input": line}`.

use std::io::{self, Write as _};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::formats::formula::inert;
use crate::atomic_file::{AtomicFile, WholeFile};
use crate::domain::{InputForm, InputShape, RawRecord};

const ERROR: &str = "error";

/// A rejects file that is written beside its path and put in place when it is finished.
#[derive(Debug)]
pub struct Rejects(RejectsWriter);

#[derive(Debug)]
enum RejectsWriter {
    Csv { writer: Box<csv::Writer<AtomicFile>>, place: ErrorCell },
    Ndjson(AtomicFile),
}

impl Rejects {
    /// Creates the file, with a header but without records, so that an old file never misleads
    /// after a run without rejects.
    ///
    /// # Errors
    /// If the file cannot be created or written.
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

    /// Writes one record with its error.
    ///
    /// # Errors
    /// If the file cannot be written, or the record has another format than the input.
    pub fn write(&mut self, record: &RawRecord, error: &str) -> io::Result<()> {
        match (&mut self.0, record) {
            (RejectsWriter::Csv { writer, place }, RawRecord::Cells(cells)) => {
                Ok(writer.write_record(place.put(cells, &inert(error)))?)
            }
            (RejectsWriter::Ndjson(file), RawRecord::Line(line)) => writeln!(file, "{}", object(line, error)?),
            (RejectsWriter::Csv { .. }, RawRecord::Line(_)) | (RejectsWriter::Ndjson(_), RawRecord::Cells(_)) => {
                Err(io::Error::other("the record has another format than the input"))
            }
        }
    }

    /// Returns the finished file, which the caller puts in place.
    ///
    /// # Errors
    /// If the file cannot be written.
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

/// Which cell the error goes into.
#[derive(Clone, Copy, Debug)]
struct ErrorCell {
    /// The input's own column `error`, from an earlier round of corrections.
    own: Option<usize>,
    columns: usize,
}

impl ErrorCell {
    fn in_header(header: &[Vec<u8>]) -> Self {
        Self { own: header.iter().position(|name| is_error(name)), columns: header.len() }
    }

    /// Returns the cells with the error among them. A record with too few or too many cells keeps a
    /// wrong number of cells. If it were filled up, it would pass as valid when it is imported
    /// again uncorrected, with its data in the wrong columns. A spare cell that puts the error
    /// under its name would do the same, because spreadsheets drop empty cells at the end when they
    /// save. So the error of a short record comes right after its last cell, in a column in which
    /// it is not a valid value.
    fn put(self, cells: &[Vec<u8>], error: &str) -> Vec<Vec<u8>> {
        let mut cells = cells.to_vec();
        match self.own {
            Some(own) if cells.len() == self.columns => cells[own] = error.as_bytes().to_vec(),
            // The record is one cell short, and the header has its own `error`: the error alone
            // would make the number of cells right.
            Some(_) if cells.len() + 1 == self.columns => cells.extend([error.as_bytes().to_vec(), Vec::new()]),
            _ => cells.push(error.as_bytes().to_vec()),
        }
        cells
    }
}

/// The members of an object in their order and with the spelling of their values. Duplicate names
/// are kept.
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
