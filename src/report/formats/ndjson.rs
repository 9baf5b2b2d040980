//! Writes a report as NDJSON: the columns of the CSV report with their exact values, and the
//! server's `data` as received.

use std::fmt::Debug;
use std::io::{self, Write};

use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::value::RawValue;

use super::columns::{CHECKED_AT, MoreColumns, checked_at, kept_columns};
use super::writer::ReportWriter;
use crate::domain::ReportLine;

#[derive(Debug)]
pub(super) struct NdjsonReport<W> {
    output: W,
    kept: Vec<String>,
    has_checks: bool,
}

impl<W: Write> NdjsonReport<W> {
    pub(super) fn new(output: W, more: MoreColumns<'_>) -> Self {
        Self { output, kept: kept_columns(more.kept), has_checks: more.has_checks }
    }
}

impl<W: Write + Debug> ReportWriter<W> for NdjsonReport<W> {
    fn write(&mut self, line: &ReportLine) -> io::Result<()> {
        let mut text = serialized(line, &self.kept, self.has_checks)?;
        text.push(b'\n');
        self.output.write_all(&text)
    }

    fn finish(self: Box<Self>) -> io::Result<W> {
        Ok(self.output)
    }
}

fn serialized(line: &ReportLine, kept: &[String], has_checks: bool) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let mut map = serializer.serialize_map(None)?;
    let receipt = &line.receipt;
    map.serialize_entry("row", &line.position.row)?;
    map.serialize_entry("line", &line.position.line)?;
    map.serialize_entry("status", line.status.as_str())?;
    map.serialize_entry("customer_email", &given(&line.email))?;
    map.serialize_entry("id", &receipt.id)?;
    map.serialize_entry("customer_id", &receipt.customer_id)?;
    map.serialize_entry("kyc_link", &receipt.kyc_link)?;
    map.serialize_entry("tos_link", &receipt.tos_link)?;
    map.serialize_entry("kyc_status", &receipt.kyc_status)?;
    map.serialize_entry("tos_status", &receipt.tos_status)?;
    map.serialize_entry("created_at", &receipt.created_at)?;
    map.serialize_entry("http_status", &line.http_status)?;
    map.serialize_entry("attempts", &line.attempts)?;
    map.serialize_entry("error_code", &given(&line.error_code))?;
    map.serialize_entry("error", &given(&line.error))?;
    map.serialize_entry("warning", &given(&line.warning))?;
    if has_checks {
        map.serialize_entry(CHECKED_AT, &checked_at(line))?;
    }
    for (name, value) in kept.iter().zip(&line.kept) {
        map.serialize_entry(name, value)?;
    }
    map.serialize_entry("data", &data(receipt.data.text()))?;
    map.end()?;
    Ok(text)
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the server's own text, or `None` if it is not JSON on one line. The ledger keeps it on
/// one line.
fn data(text: Option<&str>) -> Option<&RawValue> {
    let is_one_line = |raw: &&RawValue| !raw.get().contains(['\n', '\r']);
    text.and_then(|text| serde_json::from_str(text).ok()).filter(is_one_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Data, Position, Receipt, Status};

    #[test]
    fn every_field_is_there_and_data_comes_as_received() {
        let position = Position { row: 1, line: 2 };
        let mut line = ReportLine::new(position, Status::Created, "a@example.com".to_owned(), vec!["=1".to_owned()]);
        line.receipt = Receipt { data: Data::of(Some(r#"{"z":1.50,"a":[]}"#.to_owned())), ..Receipt::default() };
        let mut report =
            Box::new(NdjsonReport::new(Vec::new(), MoreColumns { has_checks: true, kept: &["status".to_owned()] }));
        report.write(&line).unwrap();
        let text = String::from_utf8(report.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"row\":1,\"line\":2,\"status\":\"created\",\"customer_email\":\"a@example.com\",\"id\":null,\
             \"customer_id\":null,\"kyc_link\":null,\"tos_link\":null,\"kyc_status\":null,\"tos_status\":null,\
             \"created_at\":null,\"http_status\":null,\"attempts\":0,\"error_code\":null,\"error\":null,\"warning\":null,\
             \"kyc_checked_at\":null,\"input_status\":\"=1\",\"data\":{\"z\":1.50,\"a\":[]}}\n"
        );
    }
}
