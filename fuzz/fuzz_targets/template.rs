//! The name is what the template says: cells trimmed, runs of spaces as one, nothing where all
//! cells are empty.
#![no_main]

use customer_import::domain::{Code, RecordVerdict};
use customer_import::intake::{Format, InputOptions};
use customer_import_fuzz::{given, is_blank, read, table};
use libfuzzer_sys::arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use unicode_normalization::UnicodeNormalization as _;

#[derive(Arbitrary, Debug)]
enum Part {
    Text(String),
    Cell(u8),
}

const NAMES: [&str; 3] = ["First Name", "b", "c=d"];

fuzz_target!(|input: (Vec<Part>, [String; 3])| {
    let (parts, cells) = input;
    if cells.iter().any(|cell| cell.contains('\0')) || is_blank(&cells) {
        return;
    }
    let (mut typed, mut expected, mut holds_something) = ("name=".to_owned(), String::new(), false);
    for part in &parts {
        match part {
            Part::Text(text) => {
                typed.push_str(&text.replace('{', "{{").replace('}', "}}"));
                expected.push_str(text);
            }
            Part::Cell(index) => {
                let index = usize::from(index % 3);
                typed.push_str(&format!("{{{}}}", NAMES[index]));
                expected.push_str(cells[index].trim());
                holds_something |= !cells[index].trim().is_empty();
            }
        }
    }
    // Braces may be part of a column's name, so one that follows a column belongs to it.
    let mut followed = parts.iter().skip_while(|part| !matches!(part, Part::Cell(_)));
    if followed.any(|part| matches!(part, Part::Text(text) if text.starts_with('}'))) {
        return;
    }
    // Whatever is typed is understood or refused in words.
    let Ok(rule) = typed.parse() else { return };
    if !parts.iter().any(|part| matches!(part, Part::Cell(_))) {
        return;
    }
    let mut options = InputOptions { format: Format::Csv, delimiter: Some(b','), ..given() };
    options.sets.remove(0);
    options.maps.push(rule);
    let rows = [NAMES.map(str::to_owned).to_vec(), cells.to_vec()];
    let file = table(&rows, b',', csv::Terminator::Any(b'\n'), csv::QuoteStyle::Always);
    let mut feed = read(file, 1 << 20, &options).expect("a table");
    let record = feed.next().expect("a record").expect("a record");
    let mut words = expected.trim().split(' ').filter(|word| !word.is_empty());
    let expected = if holds_something { words.by_ref().collect::<Vec<_>>().join(" ") } else { String::new() };
    match &record.verdict {
        RecordVerdict::Valid { customer, .. } => {
            assert_eq!(customer.name.as_str(), expected.trim().nfc().collect::<String>());
        }
        RecordVerdict::Invalid { problems, .. } => {
            let missing = problems.iter().any(|problem| problem.code == Code::NameMissing);
            assert_eq!(missing, expected.is_empty());
        }
    }
    assert!(feed.next().is_none());
});
