//! Every line is one record; a bad one does its neighbours no harm.
#![no_main]

use customer_import::domain::{RawRecord, RecordVerdict};
use customer_import::intake::{Format, InputOptions, IntakeError};
use customer_import_fuzz::{given, read};
use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use unicode_normalization::UnicodeNormalization as _;

#[derive(Arbitrary, Debug)]
enum Line {
    Good(String),
    Any(Vec<u8>),
}

fuzz_target!(|input: (Vec<Line>, u8)| {
    let (lines, piece) = input;
    let text = |line: &Line| match line {
        Line::Good(name) => serde_json::json!({ "name": name }).to_string().into_bytes(),
        // A zero byte makes a binary file.
        Line::Any(bytes) => bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | 0)).collect(),
    };
    let mut expected = vec![(Some("first".to_owned()), text(&Line::Good("first".to_owned())))];
    for line in &lines {
        let name = if let Line::Good(name) = line { Some(name.clone()) } else { None };
        expected.push((name, text(line)));
    }
    let file: Vec<u8> = expected.iter().flat_map(|(_, line)| [&line[..], b"\n"].concat()).collect();
    let options = InputOptions { format: Format::Ndjson, ..given() };
    let feed = match read(file, usize::from(piece), &options) {
        // A file that is mostly no text is refused as a whole.
        Err(IntakeError::Encoding { .. } | IntakeError::Utf16 { .. } | IntakeError::Foreign { .. }) => return,
        // Any line may have brought a key that fits twice.
        Err(IntakeError::Columns { .. }) => return,
        Err(error) => panic!("{error}"),
        Ok(feed) => feed,
    };
    let name_column = feed.mapping().fields().next().map(|(_, feeding)| feeding).unwrap_or_default();
    let mut records = feed.map(|record| record.expect("a record"));
    for (name, line) in expected {
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = records.next().expect("one record a line");
        assert!(record.raw == Some(RawRecord::Line(line.to_vec())));
        if let (Some(name), RecordVerdict::Valid { customer, .. }) = (name, &record.verdict)
            && name_column.starts_with("column \"name\"")
            && !name.trim().is_empty()
        {
            assert_eq!(customer.name.as_str(), name.trim().nfc().collect::<String>());
        }
    }
    assert!(records.next().is_none());
});
