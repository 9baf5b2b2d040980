//! What is no CSV and no NDJSON: the other things that people have in files, told by how they begin, and what to do with each.

/// What a file looks like, and the next step.
pub(super) type Looks = (&'static str, &'static str);

const SAVE_AS: &str = "save the sheet as \"CSV UTF-8\" and import that";
const EXPORT: &str = "export the data as CSV (UTF-8) from where it comes";
const UNPACK: &str = "unpack it and import the CSV or NDJSON file in it";
const UTF8: &str = "save the file as UTF-8";
const NOT_THE_FILE: &str = "name the file that holds the customers";

/// Formats with signatures that are no text.
const SIGNATURES: [(&[u8], &str, &str); 25] = [
    (b"\x1f\x8b", "a gzip file, packed twice", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file, packed twice", UNPACK),
    (
        b"\xfd7zXZ\x00",
        "an xz file",
        "unpack it (unxz) and import the CSV or NDJSON file in it; gzip and zstd are read as they are",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls) or Word document (doc)", SAVE_AS),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"\x89PNG", "a PNG image", EXPORT),
    (b"\xff\xd8\xff", "a JPEG image", EXPORT),
    (b"GIF87a", "a GIF image", EXPORT),
    (b"GIF89a", "a GIF image", EXPORT),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "export the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE'",
    ),
    (b"PAR1", "a Parquet file", "export the table as CSV"),
    (b"Obj\x01", "an Avro file", "export the table as CSV"),
    (b"ORC\x0a", "an ORC file", "export the table as CSV"),
    (b"PGDMP", "a PostgreSQL dump", "export the table as CSV: \\copy TABLE to customers.csv csv header"),
    (b"\xff\xfe\x00\x00", "text in UTF-32", UTF8),
    (b"\x00\x00\xfe\xff", "text in UTF-32", UTF8),
    (b"{\\rtf", "a rich text document", SAVE_AS),
    (b"\x7fELF", "a program", NOT_THE_FILE),
    (b"MZ\x90\x00", "a program", NOT_THE_FILE),
    (b"Salted__", "an encrypted file", "decrypt it first"),
    (b"-----BEGIN PGP MESSAGE", "an encrypted file", "decrypt it first"),
    (b"age-encryption.org/v1", "an encrypted file", "decrypt it first"),
];

/// By the first bytes as they stand in the file.
pub(super) fn by_signature(head: &[u8]) -> Option<Looks> {
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

/// A zip archive by the names and types in it; office documents are zip archives.
fn zip(head: &[u8]) -> Looks {
    let holds = |part: &str| head.windows(part.len()).any(|window| window == part.as_bytes());
    if holds("opendocument.spreadsheet") {
        ("an OpenDocument sheet (ods)", SAVE_AS)
    } else if holds("opendocument.text") {
        ("a text document (odt)", EXPORT)
    } else if holds("word/") {
        ("a Word document (docx)", EXPORT)
    } else if holds("xl/") {
        ("an Excel workbook (xlsx)", SAVE_AS)
    } else if holds("[Content_Types].xml") {
        ("an office document (such as xlsx)", SAVE_AS)
    } else {
        ("a zip archive", UNPACK)
    }
}

/// By the beginning of what was decoded.
pub(super) fn by_text(head: &[u8]) -> Option<Looks> {
    const PAGE: [&str; 7] = ["<!doctype html", "<html", "<head", "<body", "<table", "<script", "<meta"];
    let start = head.trim_ascii_start();
    let begins = |text: &str| start.get(..text.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(text.as_bytes()));
    if PAGE.into_iter().any(begins) {
        let advice = "perhaps a login page was saved instead of the export, or a table of a page: open it in a spreadsheet and save it as \"CSV UTF-8\"";
        Some(("a web page (HTML)", advice))
    } else if begins("<?xml") {
        Some(("XML", EXPORT))
    } else if head.contains(&0) {
        Some(("a binary file", NOT_THE_FILE))
    } else {
        None
    }
}

/// JSON that is no object a line: an array, or a document over several lines.
pub(super) fn other_json(head: &[u8]) -> Option<Looks> {
    let text = head.trim_ascii_start();
    let after = text.get(1..).unwrap_or_default().trim_ascii_start().first();
    let is_array = text.first() == Some(&b'[') && after.is_some_and(|byte| b"{[]\"-0123456789".contains(byte));
    if is_array {
        Some(("a JSON array", "write one object a line: jq -c '.[]' FILE > customers.ndjson"))
    } else if is_spread(text) {
        Some(("a JSON document over several lines", "write one object a line: jq -c . FILE > customers.ndjson"))
    } else {
        None
    }
}

/// Whether an object goes on after its first line. A line that was cut off is another matter: what follows it is an object again.
fn is_spread(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return false };
    let (first, rest) = text.split_at(end);
    let is_unfinished = || serde_json::from_slice::<serde::de::IgnoredAny>(first).is_err_and(|error| error.is_eof());
    let next = rest.trim_ascii_start().first();
    text.first() == Some(&b'{') && next.is_some_and(|byte| *byte != b'{') && is_unfinished()
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
            ("name,\0", "binary"),
        ] {
            assert!(by_text(text.as_bytes()).unwrap().0.contains(word), "{text}");
        }
        assert_eq!(by_text(b"name,email\n"), None);
    }

    #[test]
    fn json_that_is_no_object_a_line_is_told() {
        for text in
            ["[{\"a\":1}]", "[]", "[\n  {", "[1,2]", "{\n  \"a\": 1\n}", "{ \"a\": 1,\n  \"b\": 2 }", "{\"a\": {\n}}"]
        {
            assert!(other_json(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["{\"a\":1}\n", "{\"a\":1\n{\"a\":1}\n", "{\"a\" 1}\n{}", "[name],[email]\n", "{\"a\":1"] {
            assert!(other_json(text.as_bytes()).is_none(), "{text}");
        }
    }
}
