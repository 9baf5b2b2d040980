//! Properties of every input: values arrive code point for code point, and no row is lost or
//! invented, whatever encoding, delimiter or packing the file has and however its bytes arrive.

use std::io::{self, Cursor, Read};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;

use crate::domain::{InputRecord, RawRecord};

use super::error::IntakeError;
use super::feed::Feed;
use super::open::unpack::tests::{gzip, zst};
use super::open::{sniff, unsupported};
use super::options::{Format, InputOptions, parse_encoding};

/// How to turn a text into a file.
#[derive(Clone, Copy, Debug)]
struct Made {
    encoding: &'static Encoding,
    marked: bool,
    packing: &'static str,
    line_end: &'static str,
    delimiter: u8,
}

fn made() -> impl Strategy<Value = Made> {
    (
        prop::sample::select(vec![UTF_8, UTF_16LE, UTF_16BE, WINDOWS_1252]),
        any::<bool>(),
        prop::sample::select(vec!["", "gzip", "zstd", "members", "frames"]),
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
        prop::sample::select(b",;\t|".to_vec()),
    )
        .prop_map(|(encoding, marked, packing, line_end, delimiter)| {
            // A code page does not have a byte order mark.
            let marked = marked && encoding != WINDOWS_1252;
            Made { encoding, marked, packing, line_end, delimiter }
        })
}

impl Made {
    fn csv(self, rows: &[Vec<String>]) -> Vec<u8> {
        let terminator = match self.line_end {
            "\r\n" => csv::Terminator::CRLF,
            end => csv::Terminator::Any(end.as_bytes()[0]),
        };
        let mut writer = csv::WriterBuilder::new().delimiter(self.delimiter).terminator(terminator).from_writer(vec![]);
        for row in rows {
            writer.write_record(row).unwrap();
        }
        self.file(&String::from_utf8(writer.into_inner().unwrap()).unwrap())
    }

    fn file(self, text: &str) -> Vec<u8> {
        let text = if self.marked { format!("\u{feff}{text}") } else { text.to_owned() };
        let bytes = match self.encoding {
            encoding if encoding == UTF_16LE => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            encoding if encoding == UTF_16BE => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            encoding => encoding.encode(&text).0.into_owned(),
        };
        let (one, other) = bytes.split_at(bytes.len() / 2);
        match self.packing {
            "gzip" => gzip(&bytes),
            "zstd" => zst(&bytes),
            "members" => [gzip(one), gzip(other)].concat(),
            "frames" => [zst(one), zst(other)].concat(),
            _ => bytes,
        }
    }

    /// Fixes every field, so that all cells can hold anything.
    fn options(self) -> InputOptions {
        let sets = ["name=A", "email=a@b.de", "phone=+4915123456789", "country=DE"];
        InputOptions {
            format: Format::Csv,
            delimiter: Some(self.delimiter),
            encoding: (!self.marked).then_some(self.encoding),
            sets: sets.iter().map(|typed| typed.parse().unwrap()).collect(),
            want_raw: true,
            ..InputOptions::default()
        }
    }
}

/// A reader that returns at most this many bytes at a time.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.1.min(buffer.len());
        self.0.read(&mut buffer[..size])
    }
}

fn feed(bytes: &[u8], piece: usize, options: &InputOptions) -> Result<Feed, IntakeError> {
    Feed::of(Path::new("customers"), Pieces(Cursor::new(bytes.to_vec()), piece), options)
}

fn cells(record: &InputRecord<'_>) -> Vec<String> {
    let Some(RawRecord::Cells(cells)) = &record.raw else { panic!("no cells") };
    cells.iter().map(|cell| String::from_utf8(cell.clone()).unwrap()).collect()
}

fn is_blank(row: &[String]) -> bool {
    row.iter().all(|cell| cell.trim_ascii().is_empty())
}

proptest! {
    #[test]
    fn values_arrive_code_point_for_code_point(
        made in made(),
        // All of these are in Windows-1252 too, and the feed accepts no others there.
        rows in prop::collection::vec(prop::collection::vec("[a-zA-Z\"',; |\n\r\tÀ-ÿ€Š]{0,9}", 3), 1..12),
        piece in prop::sample::select(vec![1usize, 2, 3, 7, 1 << 20]),
    ) {
        let header = ["x", "y", "z"].map(str::to_owned).to_vec();
        let file = made.csv(&[vec![header], rows.clone()].concat());
        let mut feed = match feed(&file, piece, &made.options()) {
            Ok(feed) => feed,
            // By chance the letters of a code page may be valid UTF-8. The feed asks about that
            // instead of guessing.
            Err(IntakeError::AlreadyUtf8 { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        let read: Vec<Vec<String>> = feed.by_ref().map(|record| cells(&record.unwrap())).collect();
        let (blank, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_blank(row));
        prop_assert_eq!(read, written);
        prop_assert_eq!(feed.skipped().blank_rows, blank.len() as u64);
    }

    #[test]
    fn any_text_at_all_arrives_in_utf8_and_utf16(
        encoding in prop::sample::select(vec![UTF_8, UTF_16LE, UTF_16BE]),
        packing in prop::sample::select(vec!["", "gzip", "frames"]),
        cell in "[^\0\u{feff}]{1,40}",
    ) {
        let made = Made { encoding, marked: true, packing, line_end: "\n", delimiter: b',' };
        let row = vec![cell, "!".to_owned()];
        let file = made.csv(&[vec!["x".to_owned(), "y".to_owned()], row.clone()]);
        let read: Vec<Vec<String>> =
            feed(&file, 5, &made.options()).unwrap().map(|record| cells(&record.unwrap())).collect();
        prop_assert_eq!(read, vec![row]);
    }

    #[test]
    fn a_packed_file_cut_anywhere_is_an_error_after_whole_rows_only(
        packing in prop::sample::select(vec!["gzip", "zstd"]),
        count in 1usize..3000,
        share in 0.0..1.0f64,
    ) {
        let made = Made { encoding: UTF_8, marked: false, packing, line_end: "\n", delimiter: b',' };
        let row = |n: usize| vec![n.wrapping_mul(2_654_435_761).to_string(), format!("end{n}")];
        let rows: Vec<_> = std::iter::once(vec!["x".to_owned(), "y".to_owned()]).chain((0..count).map(row)).collect();
        let file = made.csv(&rows);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
        let length = 4 + (share * (file.len() - 4) as f64) as usize;
        if let Ok(feed) = feed(&file[..length], 1 << 20, &made.options()) {
            let mut read: Vec<_> = feed.collect();
            let is_told = matches!(read.pop(), Some(Err(IntakeError::Packed { .. })));
            prop_assert!(is_told);
            for (record, row) in read.into_iter().zip(&rows[1..]) {
                prop_assert_eq!(&cells(&record.unwrap()), row);
            }
        }
    }

    #[test]
    fn the_sniffer_takes_anything(
        head in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            prop::collection::vec(prop::sample::select(b"ab,;\t|\"\r\n=seP{}[] \xc3\xa9".to_vec()), 0..400),
        ],
        complete in any::<bool>(),
    ) {
        let delimiter = sniff::delimiter(&head, complete, |name| name == "a");
        prop_assert!(b",;\t|".contains(&delimiter));
        let _ = (sniff::format(&head), sniff::separator_line(&head));
        let _ = (sniff::csv_decay(&head, complete, delimiter, 1), sniff::ndjson_decay(&head, complete));
        let _ = (unsupported::by_signature(&head), unsupported::by_text(&head), unsupported::other_json(&head));
    }

    #[test]
    fn the_delimiter_of_a_plain_table_is_found(
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        rows in prop::collection::vec(prop::collection::vec("[a-z]{1,5}[,;|]?[a-z]{0,5}", 3), 1..30),
        is_known in any::<bool>(),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(vec![]);
        writer.write_record(["name", "email", "phone"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let head = writer.into_inner().unwrap();
        let found = sniff::delimiter(&head, true, |name| is_known && ["name", "email", "phone"].contains(&name));
        prop_assert_eq!(found, delimiter);
    }

    #[test]
    fn lines_of_json_arrive_code_point_for_code_point(
        encoding in prop::sample::select(vec![UTF_8, UTF_16LE, UTF_16BE]),
        packing in prop::sample::select(vec!["", "gzip", "frames"]),
        names in prop::collection::vec(any::<String>(), 1..8),
        gaps in 0u64..3,
        ended in any::<bool>(),
    ) {
        let made = Made { encoding, marked: true, packing, line_end: "\n", delimiter: b',' };
        let lines: Vec<_> = names.iter().map(|name| serde_json::json!({ "x": name }).to_string()).collect();
        let between = "\n".repeat(usize::try_from(gaps).unwrap() + 1);
        let text = format!("{}{}", lines.join(&between), if ended { "\n" } else { "" });
        let options = InputOptions { format: Format::Ndjson, ..made.options() };
        let mut feed = feed(&made.file(&text), 3, &options).unwrap();
        let read: Vec<_> = feed.by_ref().map(|record| record.unwrap().raw).collect();
        prop_assert!(read == lines.iter().map(|line| Some(RawRecord::Line(line.clone().into_bytes()))).collect::<Vec<_>>());
        prop_assert_eq!(feed.skipped().blank_rows, gaps * (lines.len() as u64 - 1));
    }

    #[test]
    fn anything_is_read_the_same_however_it_comes_in_pieces(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(prop::sample::select(b"a,;\"\r\n{}[]:1\0\xc3\xa9\xff\xfe\x81\x1b$B".to_vec()), 0..300),
        ],
        encoding in prop::sample::select(vec!["utf-8", "utf-16le", "windows-1252", "shift_jis", "iso-2022-jp", "gb18030"]),
        format in prop::sample::select(vec![Format::Auto, Format::Csv, Format::Ndjson]),
        packing in prop::sample::select(vec!["", "gzip", "zstd", "neither"]),
        piece in 1usize..9,
    ) {
        let file = match packing {
            "gzip" => gzip(&bytes),
            "zstd" => zst(&bytes),
            // Starts like a packed file and is not one.
            "neither" => [b"\x1f\x8b\x08\0", &bytes[..]].concat(),
            _ => bytes,
        };
        let made = Made { encoding: UTF_8, marked: true, packing: "", line_end: "\n", delimiter: b',' };
        let encoding = Some(parse_encoding(encoding).unwrap());
        let options = InputOptions { format, encoding, delimiter: None, ..made.options() };
        let told = |piece: usize| -> Vec<String> {
            match feed(&file, piece, &options) {
                Ok(feed) => feed.map(|read| match read {
                    Ok(record) => {
                        let cells = match &record.raw {
                            Some(RawRecord::Cells(cells) | RawRecord::Misread(cells)) => format!("{cells:?}"),
                            Some(RawRecord::Line(line)) => format!("{line:?}"),
                            None => String::new(),
                        };
                        format!("{:?} {cells}", record.position)
                    }
                    Err(error) => error.to_string(),
                }).collect(),
                Err(error) => vec![error.to_string()],
            }
        };
        prop_assert_eq!(told(piece), told(1 << 20));
    }
}
