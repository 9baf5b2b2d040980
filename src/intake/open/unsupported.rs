//! Formats that are neither CSV, NDJSON nor XLSX, recognized by how they begin, and what the user
//! can do with each.

/// What a file looks like, and the next step for the user.
pub(crate) type Looks = (&'static str, &'static str);

const SAVE_AS: &str = "save it as .xlsx and import that";
const AS_IT_IS: &str =
    "a workbook is read as it is: leave out --format, and unpack it if it is packed with gzip or zstd";
const EXPORT: &str = "export the data as CSV (UTF-8) from its source";
const UNPACK: &str = "unpack it and import the CSV or NDJSON file in it";
const UTF8: &str = "save the file as UTF-8";
const NOT_THE_FILE: &str = "name the file that holds the customers";

/// Binary formats and their signatures.
const SIGNATURES: [(&[u8], &str, &str); 35] = [
    (b"\x1f\x8b", "a gzip file, packed twice", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file, packed twice", UNPACK),
    (
        b"\xfd7zXZ\x00",
        "an xz file",
        "unpack it (unxz) and import the CSV or NDJSON file in it; gzip and zstd are read as they are",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", "the export probably failed: run it again"),
    // The list of what is in such a file may be at its end, beyond the bytes that are looked at.
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel workbook (xls), a workbook with a password, or an old Word document (doc)",
        "open it in the spreadsheet, remove the password if it has one, and save it as .xlsx",
    ),
    (b"\x04\x22\x4d\x18", "an lz4 file", "unpack it (unlz4) and import the CSV or NDJSON file in it"),
    (b"LZIP\x01", "an lzip file", UNPACK),
    (b"\x1f\x9d", "a file packed by compress", UNPACK),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"%!PS", "a PostScript document", EXPORT),
    (b"\x89PNG", "a PNG image", EXPORT),
    (b"\xff\xd8\xff", "a JPEG image", EXPORT),
    (b"GIF87a", "a GIF image", EXPORT),
    (b"GIF89a", "a GIF image", EXPORT),
    (b"II*\x00", "a TIFF image", EXPORT),
    (b"MM\x00*", "a TIFF image", EXPORT),
    (b"bplist00", "a property list", EXPORT),
    (b"!BDN", "an Outlook data file (pst)", "export the contacts as CSV from Outlook"),
    (b"\x00\x01\x00\x00Standard ", "an Access database", "export the table as CSV from Access"),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "export the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE'",
    ),
    (b"PAR1", "a Parquet file", "export the table as CSV"),
    (b"ARROW1\x00\x00", "an Arrow or Feather file", "export the table as CSV"),
    (b"Obj\x01", "an Avro file", "export the table as CSV"),
    (b"ORC\x0a", "an ORC file", "export the table as CSV"),
    (b"PGDMP", "a PostgreSQL dump", "export the table as CSV: \\copy TABLE to customers.csv csv header"),
    (b"\xff\xfe\x00\x00", "text in UTF-32", UTF8),
    (b"\x00\x00\xfe\xff", "text in UTF-32", UTF8),
    (b"{\\rtf", "a rich text document", "save its table as \"CSV UTF-8\" and import that"),
    (b"\x7fELF", "a program", NOT_THE_FILE),
    (b"MZ\x90\x00", "a program", NOT_THE_FILE),
    (b"Salted__", "an encrypted file", "decrypt it first"),
    (b"-----BEGIN PGP MESSAGE", "an encrypted file", "decrypt it first"),
    (b"age-encryption.org/v1", "an encrypted file", "decrypt it first"),
];

/// Recognizes a format by the first bytes of the file, before decoding.
pub(crate) fn by_signature(head: &[u8]) -> Option<Looks> {
    if head.starts_with(b"\xd0\xcf\x11\xe0") && holds_utf16(head, "EncryptedPackage") {
        return Some((
            "an encrypted Excel workbook",
            "open it in the spreadsheet, remove the password, and save it as .xlsx",
        ));
    }
    if let Some((_, what, advice)) = SIGNATURES.into_iter().find(|(signature, ..)| head.starts_with(signature)) {
        return Some((what, advice));
    }
    if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        return Some((
            "a bzip2 file",
            "unpack it (bunzip2) and import the CSV or NDJSON file in it; gzip and zstd are read as they are",
        ));
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", UNPACK));
    }
    head.starts_with(b"PK\x03\x04").then(|| zip(head))
}

/// Recognizes a zip archive by the names and types inside it, because office documents are zip
/// archives.
fn zip(head: &[u8]) -> Looks {
    let holds = |part: &str| head.windows(part.len()).any(|window| window == part.as_bytes());
    if holds("opendocument.spreadsheet") {
        ("an OpenDocument sheet (ods)", SAVE_AS)
    } else if holds("opendocument.text") {
        ("a text document (odt)", EXPORT)
    } else if holds("word/") {
        ("a Word document (docx)", EXPORT)
    } else if holds("xl/workbook.bin") {
        ("a binary Excel workbook (xlsb)", SAVE_AS)
    } else if holds("xl/") {
        ("an Excel workbook (xlsx)", AS_IT_IS)
    } else if holds(".iwa") {
        ("an iWork document (numbers)", "export it as Excel (.xlsx) from Numbers")
    } else if holds("[Content_Types].xml") {
        ("an office document", SAVE_AS)
    } else {
        ZIP
    }
}

/// A zip archive that does not say what it holds.
const ZIP: Looks = ("a zip archive", UNPACK);

fn holds_utf16(head: &[u8], text: &str) -> bool {
    let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    holds(head, &text)
}

/// Whether a zip archive that cannot be read is a workbook, to the look of it.
pub(crate) fn looks_like_a_workbook(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") && zip(head).1 == AS_IT_IS
}

/// Whether nothing in the first bytes of a zip archive says what it holds.
pub(crate) fn looks_like_any_archive(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") && zip(head) == ZIP
}

/// How text formats that are not tables begin, in lower case.
const BEGINNINGS: [(&str, &str, &str); 22] = [
    ("<!doctype html", PAGE, PAGE_ADVICE),
    ("<html", PAGE, PAGE_ADVICE),
    ("<head", PAGE, PAGE_ADVICE),
    ("<body", PAGE, PAGE_ADVICE),
    ("<table", PAGE, PAGE_ADVICE),
    ("<script", PAGE, PAGE_ADVICE),
    ("<meta", PAGE, PAGE_ADVICE),
    ("<?xml", "XML", EXPORT),
    ("begin:vcard", "a vCard address book", "export the contacts as CSV (UTF-8) instead of vCard"),
    ("begin:vcalendar", "a calendar", NOT_THE_FILE),
    ("dn: ", "LDIF, the export of a directory", EXPORT),
    ("version: 1\ndn: ", "LDIF, the export of a directory", EXPORT),
    ("mime-version: ", MAIL, NOT_THE_FILE),
    ("return-path: ", MAIL, NOT_THE_FILE),
    ("delivered-to: ", MAIL, NOT_THE_FILE),
    ("received: ", MAIL, NOT_THE_FILE),
    ("-- mysql dump", DUMP, DUMP_ADVICE),
    ("-- mariadb dump", DUMP, DUMP_ADVICE),
    ("--\n-- postgresql database dump", DUMP, DUMP_ADVICE),
    ("create table ", DUMP, DUMP_ADVICE),
    ("insert into ", DUMP, DUMP_ADVICE),
    ("\x1e{", "a JSON text sequence", "remove the record separators: tr -d '\\036' < FILE > customers.ndjson"),
];
const PAGE: &str = "a web page (HTML)";
const PAGE_ADVICE: &str = "perhaps a login page was saved instead of the export, or a table of a page: open it in a spreadsheet and save it \
                           as \"CSV UTF-8\"";
const MAIL: &str = "an e-mail";
const DUMP: &str = "an SQL dump";
const DUMP_ADVICE: &str = "load it into its database and export the table as CSV";

/// Recognizes a format by the beginning of the decoded text.
pub(crate) fn by_text(head: &[u8]) -> Option<Looks> {
    let start = head.trim_ascii_start();
    let begins = |text: &str| start.get(..text.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(text.as_bytes()));
    if begins("<?xml") && holds(start, b"urn:schemas-microsoft-com:office:spreadsheet") {
        Some(("an Excel workbook as XML (2003)", SAVE_AS))
    } else if let Some((_, what, advice)) = BEGINNINGS.into_iter().find(|(beginning, ..)| begins(beginning)) {
        Some((what, advice))
    } else if head.contains(&0) {
        Some(("a binary file", NOT_THE_FILE))
    } else if is_markup(start) {
        Some(("XML or HTML", EXPORT))
    } else if is_yaml(start) {
        Some(("YAML", EXPORT))
    } else if begins("from ") && holds(start, b"\nSubject: ") {
        Some((MAIL, NOT_THE_FILE))
    } else {
        None
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether the text starts with a tag and closes one somewhere. Both are needed, because a column
/// may be named `<DATE>`.
fn is_markup(start: &[u8]) -> bool {
    matches!(start, [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'?', ..]) && (holds(start, b"</") || holds(start, b"/>"))
}

/// Whether the text starts with the mark between YAML documents, or with a list of named values.
fn is_yaml(start: &[u8]) -> bool {
    let line = start.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().trim_ascii_end();
    line == b"---"
        || line.starts_with(b"%YAML")
        || (line.starts_with(b"- ") && (line.ends_with(b":") || holds(line, b": ")))
}

/// Recognizes JSON that is not one object per line: an array, or a document over several lines.
pub(crate) fn other_json(head: &[u8]) -> Option<Looks> {
    let text = head.trim_ascii_start();
    let after = text.get(1..).unwrap_or_default().trim_ascii_start().first();
    let is_array = text.first() == Some(&b'[') && after.is_some_and(|byte| b"{[]\"-0123456789".contains(byte));
    if is_array && is_array_a_line(text) {
        Some((
            "JSON arrays, one per line",
            "write objects instead: jq -c '{name: .[0], email: .[1]}' FILE > customers.ndjson",
        ))
    } else if is_array {
        Some(("a JSON array", "write one object per line: jq -c '.[]' FILE > customers.ndjson"))
    } else if is_spread(text) {
        Some(("a JSON document over several lines", "write one object per line: jq -c . FILE > customers.ndjson"))
    } else {
        None
    }
}

fn first_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    Some((&text[..end], text[end..].trim_ascii_start()))
}

/// Whether an array ends with its line and another array begins on the next one.
fn is_array_a_line(text: &[u8]) -> bool {
    let is_whole = |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    first_line(text).is_some_and(|(first, rest)| rest.first() == Some(&b'[') && is_whole(first))
}

/// Whether an object continues after its first line. A line that was cut off does not count,
/// because an object follows it.
fn is_spread(text: &[u8]) -> bool {
    let Some((first, rest)) = first_line(text) else { return false };
    let is_unfinished = || serde_json::from_slice::<serde::de::IgnoredAny>(first).is_err_and(|error| error.is_eof());
    // `{"customers": [` is not a line that was cut off, whatever the next line begins with.
    let opens = matches!(first.trim_ascii_end().last(), Some(b'[' | b'{'));
    text.first() == Some(&b'{') && rest.first().is_some_and(|byte| opens || *byte != b'{') && is_unfinished()
}

/// Returns the name of the first array of objects in a document: `customers` of `{"customers":[{`.
pub(crate) fn array_of_objects(head: &[u8]) -> Option<&str> {
    let is_list = |at: usize| head[at + 1..].trim_ascii_start().first() == Some(&b'{');
    let key = |at: usize| {
        let before = head[..at].trim_ascii_end().strip_suffix(b":")?.trim_ascii_end().strip_suffix(b"\"")?;
        let start = before.iter().rposition(|byte| *byte == b'"')? + 1;
        std::str::from_utf8(&before[start..]).ok()
    };
    let brackets = head.iter().enumerate().filter(|(_, byte)| **byte == b'[');
    brackets.filter(|(at, _)| is_list(*at)).find_map(|(at, _)| key(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_told_by_name() {
        let tar = [&b"customers.csv"[..], &[0; 244], b"ustar\x0000"].concat();
        for (bytes, word) in [
            (&b"\x1f\x8b\x08\x00"[..], "gzip"),
            (b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml", "xlsx"),
            (b"PK\x03\x04....[Content_Types].xml....word/document.xml", "docx"),
            (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "ods"),
            (b"PK\x03\x04....readme", "zip"),
            (b"%PDF-1.7", "PDF"),
            (b"BZh91AY&SY", "bzip2"),
            (&tar, "tar"),
        ] {
            let (what, advice) = by_signature(bytes).unwrap();
            assert!(what.contains(word) && !advice.is_empty(), "{what}");
        }
        assert_eq!(by_signature(b"BZhang,email\n"), None);
        for (text, word) in [
            ("  <!DOCTYPE html><html>", "HTML"),
            ("<table><tr>", "HTML"),
            ("<?xml version=", "XML"),
            ("<customers><customer/></customers>", "XML"),
            ("BEGIN:VCARD\r\nVERSION:3.0", "vCard"),
            ("version: 1\ndn: uid=a", "LDIF"),
            ("From a@b.de Tue Jan  2\nSubject: x\n", "e-mail"),
            ("Return-Path: <a@b.de>\n", "e-mail"),
            ("-- MySQL dump 10.13\n", "SQL"),
            ("---\n- name: Ada\n", "YAML"),
            ("- name: Ada\n  email: x\n", "YAML"),
            ("\u{1e}{}\n", "sequence"),
            ("name,\0", "binary"),
        ] {
            assert!(by_text(text.as_bytes()).unwrap().0.contains(word), "{text}");
        }
        for table in ["name,email\n", "<DATE>,<TIME>\n1,2\n", "From Date,To\n", "- ,name\n"] {
            assert_eq!(by_text(table.as_bytes()), None, "{table}");
        }
    }

    #[test]
    fn json_that_is_no_object_a_line_is_told() {
        for text in [
            "[{\"a\":1}]",
            "[]",
            "[\n  {",
            "[1,2]",
            "{\n  \"a\": 1\n}",
            "{ \"a\": 1,\n  \"b\": 2 }",
            "{\"a\": {\n}}",
            "{\"a\": [\n{\"b\":1},\n",
            "[1,2]\n[3,4]\n",
        ] {
            assert!(other_json(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["{\"a\":1}\n", "{\"a\":1\n{\"a\":1}\n", "{\"a\" 1}\n{}", "[name],[email]\n", "{\"a\":1"] {
            assert!(other_json(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_list_within_a_document_is_named() {
        assert_eq!(array_of_objects(br#"{"n":[1],"users" : [ {"name":"A"}]}"#), Some("users"));
        assert_eq!(array_of_objects(br#"{"n":[1],"users":[]}"#), None);
        assert_eq!(array_of_objects(b"[{"), None);
    }
}
