//! Files as people really have them: packed, in other encodings, of other programs, hostile.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{HEADER, Lab, Ran, Server, customers, email, rows};
use crate::proxy::{Harm, Proxy};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn one(name: &str) -> String {
    format!("{HEADER}\n{name},a@example.com,+4917612345001,DEU\n")
}

/// The program with something on its standard input.
fn piped(lab: &Lab, args: &[&str], input: &[u8]) -> Ran {
    let mut child =
        lab.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that has seen enough closes its end.
    drop(child.stdin.take().unwrap().write_all(input));
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn packed_files_are_imported_as_what_is_in_them() {
    let text = customers(20);
    let (one, other) = text.split_at(200);
    for packed in [
        gzip(text.as_bytes()),
        zst(text.as_bytes()),
        [gzip(one.as_bytes()), gzip(other.as_bytes())].concat(),
        [zst(one.as_bytes()), zst(other.as_bytes())].concat(),
    ] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.write("in.csv", packed);
        lab.import(&server, &[]).ends(0).says("20  created");
        server.has_each_once((0..20).map(email));
    }
}

#[test]
fn packed_standard_input_is_read_too() {
    let lab = Lab::new();
    for packed in [gzip(customers(5).as_bytes()), zst(customers(5).as_bytes())] {
        piped(&lab, &["check", "-"], &packed).ends(0).says("5  to send");
    }
}

#[test]
fn a_last_line_without_its_end_from_a_pipe_is_not_sent_in_whatever_form_it_comes() {
    let text = one("A");
    let cut = text.trim_end();
    let lab = Lab::new();
    for input in [cut.as_bytes().to_vec(), gzip(cut.as_bytes()), utf16(&format!("\u{feff}{cut}"))] {
        piped(&lab, &["check", "-"], &input).ends(1).says("standard input:2: row 1").says("ends in the middle");
    }
    for input in [text.as_bytes().to_vec(), zst(text.as_bytes()), utf16(&format!("\u{feff}{text}"))] {
        piped(&lab, &["check", "-"], &input).ends(0).says("1  to send");
    }
}

#[test]
fn a_packed_file_that_was_not_copied_to_its_end_sends_nothing() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    for packed in [gzip(customers(5000).as_bytes()), zst(customers(5000).as_bytes())] {
        lab.write("in.csv", &packed[..packed.len() - 9]);
        lab.import(&server, &[]).ends(65).says("it is cut off").says("hint:");
    }
    let mut damaged = gzip(customers(50).as_bytes());
    let last = damaged.len() - 5;
    damaged[last] ^= 0x55;
    lab.write("in.csv", damaged);
    lab.import(&server, &[]).ends(65).says("damaged");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_file_that_unpacks_without_end_is_stopped() {
    let lab = Lab::new();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(HEADER.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b'\n'), 80 << 20), &mut encoder).unwrap();
    lab.write("in.csv", encoder.finish().unwrap());
    lab.run(&["check", "in.csv"]).ends(65).says("500 times").says("unpack it first");
}

#[test]
fn other_encodings_are_read_by_their_mark_or_their_name() {
    let lab = Lab::new();
    let imported = |lab: &Lab, args: &[&str]| {
        lab.run(&[&["check", "in.csv", "--report", "out.csv", "--keep", "customer_name"], args].concat()).ends(0);
        rows(&lab.path("out.csv"))[0]["customer_name"].clone()
    };
    lab.write("in.csv", utf16(&format!("\u{feff}{}", one("Jörg 字"))));
    assert_eq!(imported(&lab, &[]), "Jörg 字");
    lab.write("in.csv", utf16(&one("Jörg 字")));
    lab.run(&["check", "in.csv"]).ends(65).says("--encoding UTF-16LE");
    assert_eq!(imported(&lab, &["--encoding", "utf-16le"]), "Jörg 字");
    lab.write("in.csv", latin(&one("Jörg")));
    lab.run(&["check", "in.csv"]).ends(65).says("--encoding windows-1252");
    assert_eq!(imported(&lab, &["--encoding", "latin1"]), "Jörg");
    let named = Ran::of(lab.command(&["check", "in.csv"]).env("CUSTOMER_IMPORT_ENCODING", "cp1252"));
    named.ends(0).says("1  to send");
    lab.run(&["check", "in.csv", "--encoding", "utf-7"]).ends(2).says("windows-1252");
    lab.write("in.csv", one("Jörg"));
    lab.run(&["check", "in.csv", "--encoding", "cp1252"]).ends(65).says("is in UTF-8").says("leave out --encoding");
}

#[test]
fn a_byte_that_is_no_text_is_a_problem_of_its_record_and_the_rejects_say_so_again() {
    let lab = Lab::new();
    let good = customers(150);
    let bad = |byte: u8| [good.as_bytes(), b"J", &[byte], b"rg,j@example.com,+4917612345001,DEU\n"].concat();
    lab.write("in.csv", bad(0xf6));
    // What goes to a pipe shows the form of a cell and not its letters; the report has them.
    lab.run(&["check", "in.csv", "--report", "r.csv"])
        .ends(1)
        .says("row.encoding: `*\\*****`")
        .says("0xF6, line 152")
        .says("--encoding");
    assert!(lab.read("r.csv").contains("J\\xF6rg"));
    lab.write("in.csv", bad(0x81));
    let args = ["check", "in.csv", "--encoding", "windows-1252", "--rejects", "again.csv"];
    lab.run(&args).ends(1).says("row.encoding: `*\\*****`").says("0x81, line 152");
    lab.run(&["check", "again.csv", "--encoding", "windows-1252"])
        .ends(65)
        .says("1 of the first 1 record cannot be read as");
}

#[test]
fn rejects_of_another_encoding_are_mended_and_imported_with_the_same_options() {
    let lab = Lab::new();
    lab.write("in.csv", latin(&format!("{HEADER}\nJörg,nobody,+4917612345001,DEU\n")));
    lab.run(&["check", "in.csv", "--encoding", "cp1252", "--rejects", "again.csv"]).ends(1);
    let mended = lab.read("again.csv").replace("nobody", "j@example.com");
    assert!(mended.contains("Jörg"), "{mended}");
    lab.write("again.csv", mended);
    let args = ["check", "again.csv", "--encoding", "cp1252", "--keep", "customer_name", "--report", "out.csv"];
    lab.run(&args).ends(0);
    assert_eq!(rows(&lab.path("out.csv"))[0]["customer_name"], "Jörg");
}

#[test]
fn blank_rows_are_counted_and_are_no_records() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let [header, one, other] = [0, 1, 2].map(|line| customers(2).lines().nth(line).unwrap().to_owned());
    lab.write("in.csv", format!(",,,\r\n{header}\r\n{one}\r\n\r\n,,,\r\n \r\n\"\",,\" \",\r\n{other}\r\n\r\n"));
    let json = lab.run(&["check", "in.csv", "--summary", "json"]).ends(0).summary();
    assert_eq!((json["records_read"].as_u64(), json["blank_rows"].as_u64()), (Some(2), Some(6)));
    lab.run(&["check", "in.csv"]).ends(0).says("6  blank rows skipped");
    let json = lab.import(&server, &["--summary", "json"]).ends(0).summary();
    assert_eq!((json["records_read"].as_u64(), json["blank_rows"].as_u64()), (Some(2), Some(6)));
    let outcomes: u64 = json["outcomes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(outcomes, 2);
    let lines: Vec<_> = lab.report().iter().map(|row| (row["row"].clone(), row["line"].clone())).collect();
    assert_eq!(lines, [("1", "3"), ("2", "8")].map(|(row, line)| (row.to_owned(), line.to_owned())));
    lab.write(
        "in.ndjson",
        "\n{\"name\":\"A\",\"email\":\"a@example.com\",\"phone\":\"+4917612345001\",\"country\":\"DE\"}\n \n",
    );
    let json = lab.run(&["check", "in.ndjson", "--summary", "json"]).ends(0).summary();
    assert_eq!(json["blank_rows"], 2);
}

#[test]
fn joined_files_are_one_file_unless_their_columns_are_in_another_order() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let [header, one, other] = [0, 1, 2].map(|line| customers(2).lines().nth(line).unwrap().to_owned());
    lab.write("in.csv", format!("{header}\n{one}\n\u{feff}{}\n{other}\n", header.to_uppercase()));
    let json = lab.run(&["check", "in.csv", "--summary", "json"]).ends(0).summary();
    assert_eq!((json["records_read"].as_u64(), json["repeated_headers"].as_u64()), (Some(2), Some(1)));
    lab.run(&["check", "in.csv"]).ends(0).says("1  repeated header skipped");
    let json = lab.import(&server, &["--summary", "json"]).ends(0).summary();
    assert_eq!((json["outcomes"]["created"].as_u64(), json["repeated_headers"].as_u64()), (Some(2), Some(1)));
    let lines: Vec<_> = lab.report().iter().map(|row| (row["row"].clone(), row["line"].clone())).collect();
    assert_eq!(lines, [("1", "2"), ("2", "4")].map(|(row, line)| (row.to_owned(), line.to_owned())));

    let mut names: Vec<_> = header.split(',').collect();
    names.swap(0, 1);
    lab.write("in.csv", format!("{header}\n{one}\n{}\n{other}\n", names.join(",")));
    lab.run(&["check", "in.csv"]).ends(65).says("in.csv, line 3: the header appears again").says("line 3");
    lab.import(&server, &[]).ends(65);
}

#[test]
fn any_delimiter_and_line_end_is_found_out() {
    let lab = Lab::new();
    for delimiter in [",", ";", "\t", "|"] {
        for end in ["\n", "\r\n", "\r"] {
            for first in ["", "\u{feff}", &format!("sep={delimiter}\n")] {
                let text = customers(3).replace(',', delimiter).replace('\n', end);
                lab.write("in.csv", format!("{}{text}", first.replace('\n', end)));
                let ran = lab.run(&["check", "in.csv", "--report", "out.csv"]).ends(0).says("3  to send");
                drop(ran);
                let expected = if first.starts_with("sep") { "5" } else { "4" };
                assert_eq!(rows(&lab.path("out.csv"))[2]["line"], expected, "{delimiter:?} {end:?} {first:?}");
            }
        }
    }
}

fn utf16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn a_plain_table_is_read_in_every_form_that_programs_give_it() {
    let table = customers(2);
    let semicolons = table.replace(',', ";");
    let tabs = table.replace(',', "\t").replace('\n', "\r\n");
    let quoted = |delimiter: &str| {
        let line = |line: &str| format!("\"{}\"\r\n", line.replace(',', &format!("\"{delimiter}\"")));
        table.lines().map(line).collect::<String>()
    };
    let each = |line: &dyn Fn(usize, &str) -> String| -> String {
        table.lines().enumerate().map(|(n, text)| format!("{}\n", line(n, text))).collect()
    };
    let lab = Lab::new();
    for (form, bytes) in [
        ("Excel's Unicode text", utf16(&format!("\u{feff}{tabs}"))),
        ("UTF-16 with CR alone", utf16_be(&format!("\u{feff}{}", semicolons.replace('\n', "\r")))),
        ("a sep line in UTF-16", utf16(&format!("\u{feff}sep=;\r\n{semicolons}"))),
        ("a sep line after a mark", format!("\u{feff}sep=;\r\n{semicolons}").into_bytes()),
        ("UTF-16 in gzip", gzip(&utf16(&format!("\u{feff}{tabs}")))),
        ("zeros after gzip", [gzip(table.as_bytes()), vec![0; 1024]].concat()),
        ("frames of zstd cut within a cell", [zst(&table.as_bytes()[..90]), zst(&table.as_bytes()[90..])].concat()),
        ("all in quotes, semicolons", quoted(";").into_bytes()),
        ("all in quotes, bars, a mark", format!("\u{feff}{}", quoted("|")).into_bytes()),
        ("a mark within the first quotes", quoted(",").replacen('"', "\"\u{feff}", 1).into_bytes()),
        ("two marks", format!("\u{feff}\u{feff}{table}").into_bytes()),
        ("a delimiter after every row", each(&|_, line| format!("{line},")).into_bytes()),
        ("many delimiters after every row", each(&|_, line| format!("{line},,,")).into_bytes()),
        ("tabs in cells", each(&|n, line| format!("{line},{}", ["note", "\"a\tb\"", "\"c\td\te\""][n])).into_bytes()),
        (
            "decimal commas",
            each(&|n, line| format!("{};{}", line.replace(',', ";"), ["amount", "1,5", "2,75"][n])).into_bytes(),
        ),
        ("mixed line ends", table.replacen('\n', "\r\n", 1).replacen("DEU\n", "DEU\r", 1).into_bytes()),
    ] {
        lab.write("in.csv", bytes);
        let ran = lab.run(&["check", "in.csv"]);
        assert_eq!(ran.code, 0, "{form}: {}", ran.stderr);
        ran.says("2  to send");
    }
    lab.write("in.csv", table.lines().next().unwrap());
    lab.run(&["check", "in.csv"]).ends(0).says("0  to send");
    lab.write("in.csv", each(&|n, line| format!("{line}{}", if n > 0 { "," } else { "" })));
    lab.run(&["check", "in.csv"]).ends(1).says("end the header with as many");
    lab.write("in.csv", [gzip(table.as_bytes()), b"and more".to_vec()].concat());
    lab.run(&["check", "in.csv"]).ends(65).says("other data follows its end");
}

#[test]
fn ndjson_is_read_with_any_line_end_and_in_any_encoding() {
    let lines = |end: &str| -> String {
        let object = |n| {
            format!("{{\"name\":\"Jörg\",\"email\":\"{}\",\"phone\":\"+4917612345001\",\"country\":\"DE\"}}", email(n))
        };
        (0..3).map(|n| object(n) + end).collect()
    };
    let lab = Lab::new();
    for end in ["\n", "\r\n", "\r"] {
        let text = lines(end);
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.clone().into_bytes(),
            marked.clone().into_bytes(),
            utf16(&marked),
            utf16_be(&marked),
            gzip(text.as_bytes()),
        ] {
            lab.write("in.ndjson", bytes);
            lab.run(&["check", "in.ndjson", "--report", "out.csv"]).ends(0).says("3  to send");
            assert_eq!(rows(&lab.path("out.csv"))[2]["line"], "3", "{end:?}");
        }
    }
}

/// How the folder of an encrypted workbook names its content, after the signature.
const ENCRYPTED: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0";

#[test]
fn what_is_neither_csv_nor_ndjson_is_told_with_the_way_out() {
    let lab = Lab::new();
    let tar = [&b"customers.csv"[..], &[0; 244], b"ustar\x0000", &[0; 300]].concat();
    for (bytes, what, advice) in [
        (&b"PK\x03\x04\x14\0\0\0[Content_Types].xml\0xl/workbook.xml"[..], "damaged", "save it again as .xlsx"),
        (b"PK\x03\x04\x14\0\0\0[Content_Types].xml\0word/document.xml", "docx", "CSV"),
        (b"PK\x03\x04\x14\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "ods", ".xlsx"),
        (b"PK\x03\x04\x14\0\0\0customers.csv", "zip", "unpack"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "xls", ".xlsx"),
        (ENCRYPTED, "encrypted", "remove the password"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF", "CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0", "PNG", "CSV"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG", "CSV"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "HTML", "login"),
        (b"<?xml version=\"1.0\"?><customers/>", "XML", "CSV"),
        (b"[{\"name\":\"A\"}]", "JSON array", "jq"),
        (b"{\n  \"name\": \"A\"\n}\n", "over several lines", "jq"),
        (b"SQLite format 3\0\x10\0", "SQLite", "sqlite3"),
        (&tar, "tar", "unpack"),
        (b"BZh91AY&SY\0\0", "bzip2", "bunzip2"),
        (b"\xfd7zXZ\0\0\x04", "xz", "unxz"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7-Zip", "unpack"),
        (b"name,email\n\0\x01\x02,x\n", "binary", "name the file"),
    ] {
        lab.write("in.csv", bytes);
        lab.run(&["check", "in.csv"]).ends(65).says(what).says(advice);
    }
}

#[test]
fn ndjson_goes_on_after_every_kind_of_bad_line() {
    let lab = Lab::new();
    let good = |n: usize| {
        format!("{{\"name\":\"A\",\"email\":\"{}\",\"phone\":\"+4917612345{n:03}\",\"country\":\"DE\"}}\n", email(n))
    };
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bad = [
        ("{\"name\":\"A\",", "json.syntax"),
        ("{\"name\":\"A\",\"name\":\"B\"}", "json.duplicate_key"),
        ("[1]", "json.not_an_object"),
        ("{\"x\":1e999}", "json.syntax"),
        ("{\"x\":\"\\ud800\"}", "json.syntax"),
        (&deep, "json.syntax"),
        (&format!("{{\"x\":\"{}\"}}", "y".repeat(70_000)), "row.too_large"),
        (&format!("{{\"x\":\"{}\"}}", "y".repeat(2 << 20)), "row.too_large"),
    ];
    let mut text = good(0);
    for (n, (line, _)) in (1..).zip(&bad) {
        text.push_str(&format!("{line}\n{}", good(n)));
    }
    lab.write("in.ndjson", text);
    lab.run(&["check", "in.ndjson", "--report", "out.csv"]).ends(1);
    let report = rows(&lab.path("out.csv"));
    let codes: Vec<_> = report.iter().skip(1).step_by(2).map(|row| row["error_code"].as_str()).collect();
    assert_eq!(codes, bad.iter().map(|(_, code)| *code).collect::<Vec<_>>());
    assert!(report.iter().step_by(2).all(|row| row["status"] == "valid"), "{report:?}");
    assert_eq!(report.last().unwrap()["line"], "17");
}

/// More than the program ever needs, and far less than the inputs below would take.
#[cfg(target_os = "linux")]
const KIBIBYTES: usize = 64 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_whatever_comes() {
    let lab = Lab::new();
    let many = (KIBIBYTES << 10) + (8 << 20);
    let check = |name: &str, start: &str, filling: &[u8], code: i32, words: &str| {
        let mut file = std::io::BufWriter::new(std::fs::File::create(lab.path(name)).unwrap());
        file.write_all(start.as_bytes()).unwrap();
        let chunk = filling.repeat((1 << 16) / filling.len());
        for _ in 0..many / chunk.len() {
            file.write_all(&chunk).unwrap();
        }
        file.into_inner().unwrap();
        let command = lab.command(&[]);
        let program = command.get_program().to_owned();
        let limited = format!("ulimit -d {KIBIBYTES}; exec \"$0\" \"$@\"");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &limited]).arg(program).args(["check", name]).current_dir(lab.path(""));
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        Ran::of(&mut shell).ends(code).says(words);
        std::fs::remove_file(lab.path(name)).unwrap();
    };
    let row = customers(1);
    check("quote.csv", &format!("{row}A,\"b"), b"x,y\n", 65, "line 3: a quote opens here");
    check("line.csv", &row, b"x", 1, "row.too_large");
    check("header.csv", "", b"x", 65, "the header has more than");
    check("columns.csv", &row, b"a,", 1, "row.too_large");
    let object = "{\"name\":\"A\",\"email\":\"a@example.com\",\"phone\":\"+4917612345001\",\"country\":\"DE\"}\n";
    check("line.ndjson", object, b"{\"x\":", 1, "row.too_large");
    check("deep.ndjson", object, b"[[[[[[[[", 1, "row.too_large");
}

#[test]
fn numbers_of_ndjson_are_kept_and_sent_digit_for_digit() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let proxy = Proxy::start(&server, Harm::None);
    let person = r#""name":"Ada","email":"ada@example.com","phone":"+4915123456789","country":"DEU""#;
    lab.write(
        "in.ndjson",
        format!(
            r#"{{{person},"legacy":98765432109876543210987,"score":{{"x":[4503599627370496.123456,1e2,-0,1.0]}}}}"#
        ),
    );
    let import = ["import", "in.ndjson", "--base-url", &proxy.url, "--keep", "legacy", "--extra", "score=score"];
    lab.run(&[&import[..], &["--report", "out.csv", "--report", "out.ndjson", "--settle", "300ms"]].concat()).ends(0);
    let body = proxy.seen(|seen| String::from_utf8(seen.bodies[0].clone()).unwrap());
    assert!(body.ends_with(r#""score":{"x":[4503599627370496.123456,1e2,-0,1.0]},"send_kyc_mail":true}"#), "{body}");
    assert_eq!(rows(&lab.path("out.csv"))[0]["legacy"], "98765432109876543210987");
    assert!(lab.read("out.ndjson").contains(r#""legacy":"98765432109876543210987""#));
}
