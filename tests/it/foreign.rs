//! Files of other programs, real ones of `fixtures/foreign` and texts: exit 65, what the file is,
//! and what to do.

use crate::harness::{Lab, customers, fixture};

#[test]
fn a_file_of_another_program_is_told_by_name_with_the_way_out() {
    let cases = [
        ("customers.xls", "an old Excel workbook (xls)", "save it as .xlsx"),
        ("customers.ods", "an OpenDocument sheet (ods)", "save it as .xlsx"),
        ("customers.docx", "a Word document (docx)", "export the data as CSV (UTF-8)"),
        ("customers.pdf", "a PDF document", "export the data as CSV (UTF-8)"),
        ("customers.png", "a PNG image", "export the data as CSV (UTF-8)"),
        ("customers.jpg", "a JPEG image", "export the data as CSV (UTF-8)"),
        ("customers.tiff", "a TIFF image", "export the data as CSV (UTF-8)"),
        ("customers.sqlite", "an SQLite database", "sqlite3 -header -csv"),
        ("customers.parquet", "a Parquet file", "export the table as CSV"),
        ("customers.feather", "an Arrow or Feather file", "export the table as CSV"),
        ("customers.orc", "an ORC file", "export the table as CSV"),
        ("customers.zip", "a zip archive", "unpack it"),
        ("customers.tar", "a tar archive", "unpack it"),
        ("customers.7z", "a 7-Zip archive", "unpack it"),
        ("customers.csv.bz2", "a bzip2 file", "bunzip2"),
        ("customers.csv.xz", "an xz file", "unxz"),
    ];
    let lab = Lab::new();
    for (name, what, advice) in cases {
        let path = fixture("foreign").join(name);
        lab.run(&["check", path.to_str().unwrap()]).ends(65).says(what).says(advice);
        // The name does not mislead the program, nor does a package around it.
        let packed = zstd::encode_all(&std::fs::read(&path).unwrap()[..], 1).unwrap();
        lab.write("in.csv", packed);
        lab.run(&["check", "in.csv"]).ends(65).says(what);
    }
    let files = std::fs::read_dir(fixture("foreign")).unwrap().count();
    assert_eq!(files, cases.len() + 3, "each file but the README and the two workbooks has its verdict");
}

#[test]
fn a_damaged_archive_is_told_with_a_step_that_works() {
    let lab = Lab::new();
    let bytes = std::fs::read(fixture("foreign").join("customers.zip")).unwrap();
    for (name, bytes) in [
        ("z.xlsx", &bytes[..bytes.len() / 2]),
        ("z.xlsx", &b"PK\x03\x04 and nothing else"[..]),
        ("z.zip", &bytes[..40]),
    ] {
        lab.write(name, bytes);
        let ran = lab.run(&["check", name]).ends(65).says("it is a damaged zip archive").says("copy or download");
        assert!(!ran.stderr.contains("unpack it"), "{}", ran.stderr);
    }
    lab.write("z.xlsx", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    lab.run(&["check", "z.xlsx"]).ends(65).says("an empty zip archive").says("run it again");
}

#[test]
fn a_text_that_is_no_table_is_told_by_name_with_the_way_out() {
    let person = r#"{"name":"A","email":"a@example.com"}"#;
    let lab = Lab::new();
    for (text, what, advice) in [
        ("<html xmlns:o=\"urn:schemas-microsoft-com:office:office\"><table><tr><td>Ada</table>", "HTML", "CSV UTF-8"),
        ("<!-- saved -->\n<div><table></table></div>", "HTML", "CSV"),
        (
            "<?xml version=\"1.0\"?>\n<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"/>",
            "an Excel workbook as XML (2003)",
            "save it as .xlsx",
        ),
        ("<customers>\n<customer name=\"Ada\"/>\n</customers>\n", "XML", "CSV"),
        ("Rar!\x1a\x07\x01\0", "a RAR archive", "unpack"),
        ("{\\rtf1\\ansi Ada}", "rich text", "CSV UTF-8"),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada King\r\nEND:VCARD\r\n", "vCard", "CSV (UTF-8) instead"),
        ("dn: uid=ada,dc=example,dc=com\nmail: ada@example.com\n", "LDIF", "CSV"),
        ("---\n- name: Ada\n  email: ada@example.com\n", "YAML", "CSV"),
        ("- name: Ada\n  email: ada@example.com\n", "YAML", "CSV"),
        ("Return-Path: <a@example.com>\r\nSubject: customers\r\n\r\nHello\r\n", "e-mail", "name the file"),
        ("From ada@example.com Tue Jan  2 10:00:00 2024\nSubject: customers\n\nHello\n", "e-mail", "name the file"),
        ("-- MySQL dump 10.13\nINSERT INTO `customers` VALUES (1,'Ada');\n", "SQL dump", "export the table"),
        ("[\n{\"name\":\"A\"},\n{\"name\":\"B\"}\n]\n", "JSON array", "jq -c '.[]'"),
        ("[\"A\",\"a@example.com\"]\n[\"B\",\"b@example.com\"]\n", "JSON arrays, one per line", "write objects"),
        ("{\n  \"name\": \"A\"\n}\n", "over several lines", "jq -c ."),
        (&format!("{{\"customers\": [\n{person},\n{person}\n]}}\n"), "over several lines", "jq -c ."),
        (&format!("{{\"page\":1,\"customers\":[{person}]}}\n"), "no column for", "jq -c '.[\"customers\"][]'"),
        (&format!("\x1e{person}\n\x1e{person}\n"), "JSON text sequence", "tr -d"),
        ("name: Ada\nemail: ada@example.com\n", "no column for", "only one column"),
    ] {
        lab.write("in.csv", text);
        lab.run(&["check", "in.csv"]).ends(65).says(what).says(advice);
        // The same in UTF-16, as Windows saves it.
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        lab.write("in.csv", utf16);
        let ran = lab.run(&["check", "in.csv"]).ends(65);
        assert!(ran.stderr.contains("hint:"), "{}", ran.stderr);
    }
}

#[test]
fn a_table_in_an_unusual_form_is_told_what_to_change() {
    let table = customers(2);
    let lab = Lab::new();
    let titled = |title: &str| format!("{title}{table}");
    let quoted: String = table.lines().map(|line| format!("\"{line}\"\n")).collect();
    for (text, advice) in [
        (titled("Customers of 2024\n"), "line 2 looks like the header: delete the lines above it"),
        (titled("Customers of 2024,,,\r\n,,,\r\n").replace(',', ";"), "line 3 looks like the header"),
        (titled("\"sep=,\"\r\n"), "line 2 looks like the header"),
        (quoted, "in one pair of quotes"),
        (table.replace(',', ":"), "--delimiter ':'"),
        (table.replace(',', "^"), "--delimiter '^'"),
        (table.replace(',', "；"), "save the file with commas"),
        (table.lines().skip(1).collect::<Vec<_>>().join("\n"), "add a header line"),
    ] {
        lab.write("in.csv", text);
        lab.run(&["check", "in.csv"]).ends(65).says(advice);
    }
    lab.write("in.csv", table.replace(',', "^"));
    lab.run(&["check", "in.csv", "--delimiter", "^"]).ends(0).says("2  to send");
}
