//! Whole feeds: what is read of a file, record by record, and why a file is refused.

use std::collections::BTreeSet;
use std::io::Cursor;

use proptest::prelude::*;

use crate::domain::{Code, Field, NewCustomer, RawRecord, RecordVerdict, Severity};

use super::*;
use crate::intake::open::unpack::tests::gzip;

fn feed(bytes: &[u8], options: &InputOptions) -> Result<Feed, IntakeError> {
    Feed::of(Path::new("customers"), Cursor::new(bytes.to_vec()), options)
}

fn read(text: &str) -> Vec<InputRecord<'static>> {
    read_with(text.as_bytes(), &InputOptions::default())
}

fn read_with(bytes: &[u8], options: &InputOptions) -> Vec<InputRecord<'static>> {
    feed(bytes, options).unwrap().map(Result::unwrap).collect()
}

fn fixture(name: &str, options: &InputOptions) -> Vec<InputRecord<'static>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    Feed::open(&path, options).unwrap().map(Result::unwrap).collect()
}

fn codes(record: &InputRecord<'_>) -> Vec<Code> {
    record.verdict.violations().iter().map(|violation| violation.code).collect()
}

fn customer<'a, 'b>(record: &'b InputRecord<'a>) -> &'b NewCustomer<'a> {
    match &record.verdict {
        RecordVerdict::Valid { customer, .. } => customer,
        RecordVerdict::Invalid { problems, .. } => panic!("{problems:?}"),
    }
}

const HEADER: &str = "name,email,phone,country\n";
const GOOD: &str = "Ada,ada@kunde.de,+4915123456789,DE\n";

#[test]
fn the_good_fixtures_hold_the_same_customers_and_no_problem() {
    let options = InputOptions { keep: vec!["legacy_id".to_owned()], ..InputOptions::default() };
    let (csv, ndjson) = (fixture("customers.csv", &options), fixture("customers.ndjson", &options));
    assert_eq!(csv.len(), 41);
    assert_eq!(ndjson.len(), csv.len());
    for (one, other) in csv.iter().zip(&ndjson) {
        assert!(customer(one) == customer(other), "row {}", one.position.row);
        assert_eq!(one.kept, other.kept);
        assert_eq!(one.position.line, one.position.row + 1);
        assert_eq!(codes(one), [Code::EmailReservedDomain], "row {}", one.position.row);
    }
}

#[test]
fn the_messy_fixtures_show_every_code_that_a_small_file_can_hold() {
    let options = InputOptions::default();
    let records: Vec<_> = ["messy.csv", "messy.ndjson"].into_iter().flat_map(|name| fixture(name, &options)).collect();
    let shown: BTreeSet<Code> = records.iter().flat_map(codes).collect();
    let elsewhere = [Code::RowTooLarge, Code::RowEncoding, Code::RowEscapedQuotes, Code::DuplicateDiffers];
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code) && !elsewhere.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(records.iter().filter(|record| matches!(record.verdict, RecordVerdict::Valid { .. })).count() >= 10);
}

#[test]
fn rows_and_lines_are_right_to_the_end_of_the_file() {
    let text = "\u{feff}name,email,phone,country,note\r\nA,a@b.de,1,DE,\"x\r\ny\"\r\n\r\n,,,,\r\nB,b@b.de,1,DE,z";
    let positions: Vec<_> = read(text).iter().map(|record| (record.position.row, record.position.line)).collect();
    assert_eq!(positions, [(1, 2), (2, 6)]);
}

#[test]
fn every_problem_of_a_record_is_told_with_its_column() {
    let records = read("Full Name,E-Mail,Mobile,Country\n,nobody,12,Atlantis\n");
    let RecordVerdict::Invalid { email, problems, .. } = &records[0].verdict else { panic!() };
    let told: Vec<_> = problems.iter().map(|found| (found.code, &*found.column)).collect();
    assert_eq!(
        told,
        [
            (Code::NameMissing, "Full Name"),
            (Code::EmailSyntax, "E-Mail"),
            (Code::CountryUnknown, "Country"),
            (Code::PhoneNoCountryCode, "Mobile"),
        ]
    );
    let consequences: Vec<_> = problems.iter().filter(|found| found.is_consequence).map(|found| found.code).collect();
    assert_eq!(consequences, [Code::PhoneNoCountryCode]);
    assert_eq!(email.as_deref(), Some("nobody"));
}

#[test]
fn records_of_another_width_are_told_and_the_next_one_is_read() {
    let records = read(&format!("{HEADER}Ada,ada@kunde.de\n{GOOD}a,b,c,d,e\n{GOOD}"));
    assert_eq!(codes(&records[0]), [Code::RowColumnCount]);
    assert_eq!(codes(&records[2]), [Code::RowColumnCount]);
    assert_eq!(records.iter().filter(|record| codes(record).is_empty()).count(), 2);
}

#[test]
fn a_file_without_one_object_is_told_by_its_first_line() {
    let hint = |text: &str| feed(text.as_bytes(), &InputOptions::default()).unwrap_err().hint().unwrap_or_default();
    assert!(
        hint("{\"name\":\"Ada\"},\n{\"name\":\"Bo\"},\n")
            .contains("line 1 is not a JSON object (ends with a comma: remove it with sed")
    );
    assert!(hint("{\"name\":\"Ada\"},\n{\"name\":\"Bo\"}\n").contains("--map"));
}

#[test]
fn a_row_in_which_the_file_ends_is_told_from_one_that_lacks_cells() {
    let hint = |text: &str| read(&format!("{HEADER}{text}"))[0].verdict.violations()[0].hint.to_string();
    assert!(hint("Ada").starts_with("has 1 cell but the header has 4: the file ends within this row"));
    assert!(hint("Ada,a@kunde.de\n").starts_with("has 2 cells but the header has 4: a line break"));
}

#[test]
fn undecodable_cells_are_told_and_not_replaced() {
    let mut bytes = format!("{HEADER}{}", GOOD.repeat(150)).into_bytes();
    bytes.extend_from_slice(b"J\xf6rg,j@kunde.de,+4915123456789,DE\n");
    let records = read_with(&bytes, &InputOptions { want_raw: true, ..InputOptions::default() });
    let last = records.last().unwrap();
    let RecordVerdict::Invalid { problems, .. } = &last.verdict else { panic!() };
    assert_eq!(problems[0].code, Code::RowEncoding);
    assert!(problems[0].hint.contains("0xF6, line 152"), "{}", problems[0].hint);
    let Some(RawRecord::Cells(cells)) = &last.raw else { panic!() };
    assert_eq!(cells[0], b"J\xf6rg");
}

#[test]
fn a_file_in_another_encoding_is_refused_as_a_whole() {
    let bytes = [HEADER.as_bytes(), GOOD.as_bytes(), b"J\xf6rg,j@kunde.de,+4915123456789,DE\n"].concat();
    let error = feed(&bytes, &InputOptions::default()).unwrap_err();
    assert!(matches!(error, IntakeError::Encoding { undecodable: 1, of: 2, line: 3, .. }), "{error}");
    let header = feed(b"n\xe4me,email\n", &InputOptions::default()).unwrap_err();
    assert!(matches!(header, IntakeError::HeaderEncoding { line: 1, .. }));
}

#[test]
fn an_open_quote_ends_the_feed_and_names_its_place() {
    let mut feed =
        feed(format!("{HEADER}{GOOD}Ada,\"ada@kunde.de,1,DE\n{GOOD}").as_bytes(), &InputOptions::default()).unwrap();
    assert!(feed.next().unwrap().is_ok());
    let error = feed.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "customers, line 3: a quote opens here and is not closed, or not within 64 KiB (column email)"
    );
    assert!(feed.next().is_none());
}

#[test]
fn a_record_beyond_a_limit_is_told_and_the_next_one_is_read() {
    let records = read(&format!("{HEADER}{},b,c,d\n{GOOD}", "x".repeat(70_000)));
    assert_eq!(codes(&records[0]), [Code::RowTooLarge]);
    assert_eq!(codes(&records[1]), []);
    let long = format!(
        "{{\"name\":\"A\",\"email\":\"a@b.de\",\"phone\":\"+4915123456789\",\"country\":\"DE\"}}\n{{\"x\":\"{}\"}}\n",
        "x".repeat(1 << 21)
    );
    assert_eq!(read(&long).iter().map(codes).collect::<Vec<_>>(), [vec![], vec![Code::RowTooLarge]]);
}

#[test]
fn templates_fixed_values_and_extras_make_a_customer() {
    let text = "First,Last,Mail,Tel,City,customer_idType,secret\nAda,King,ada@kunde.de,0151 23456789,Köln,,x\n";
    let options = InputOptions {
        maps: vec!["name={First} {Last}".parse().unwrap()],
        sets: vec!["country=DE".parse().unwrap(), "type=business".parse().unwrap()],
        extras: vec!["customer_address.city=City".parse().unwrap()],
        keep: vec!["secret".to_owned()],
        ..InputOptions::default()
    };
    let records = read_with(text.as_bytes(), &options);
    let customer = customer(&records[0]);
    assert_eq!((customer.name.as_str(), &*customer.phone.to_string()), ("Ada King", "+4915123456789"));
    assert_eq!(customer.kind.as_str(), "business");
    assert!(customer.send_kyc_mail);
    assert_eq!(
        Json::Object(*customer.extra.clone().unwrap()),
        serde_json::json!({"customer_address": {"city": "Köln"}}).into()
    );
    assert_eq!(records[0].kept, ["x"]);
}

#[test]
fn an_export_of_a_shop_is_read_with_a_few_maps() {
    let text = "Customer ID,First Name,Last Name,Email,Default Address Country Code,Default Address Phone,Phone,Note\n\
                '77,Ada,King,ada@kunde.de,DE,,'+4915123456789,\n";
    let refused = feed(text.as_bytes(), &InputOptions::default()).unwrap_err();
    assert_eq!(
        refused.hint().unwrap(),
        "--map 'customer_name={First Name} {Last Name}' --map 'customer_country=Default Address Country Code'"
    );
    let maps = ["customer_name={First Name} {Last Name}", "customer_country=Default Address Country Code"];
    let options =
        InputOptions { maps: maps.iter().map(|typed| typed.parse().unwrap()).collect(), ..InputOptions::default() };
    assert_eq!(customer(&read_with(text.as_bytes(), &options)[0]).phone.to_string(), "+4915123456789");
}

#[test]
fn what_spreadsheets_leave_behind_is_never_sent() {
    let text = "name,email,phone,country,customer_idNumber\n\
                #N/A,ada@kunde.de,+4915123456789,DE,1\n\
                Ada,ada@kunde.de,+4915123456789,DE,\"=\"\"0123\"\"\"\n\
                Ada,#REF!,#VALUE!,#N/A,\n";
    let found: Vec<_> = read(text).iter().map(codes).collect();
    assert_eq!(found[0], [Code::CellSpreadsheetDamage]);
    assert_eq!(found[1], [Code::CellSpreadsheetDamage]);
    assert_eq!(found[2], [Code::EmailSyntax, Code::CountryUnknown, Code::PhoneSpreadsheetDamage]);
}

#[test]
fn structures_and_numbers_are_no_texts() {
    let text = r#"{"name":["A"],"email":7,"phone":4.9e11,"country":true}"#;
    assert_eq!(
        codes(&read(text)[0]),
        [Code::NameMissing, Code::EmailSyntax, Code::CountryUnknown, Code::PhoneSpreadsheetDamage,]
    );
}

#[test]
fn numbers_are_kept_and_sent_digit_for_digit() {
    let numbers = [
        "98765432109876543210987",
        "4503599627370496.123456",
        "1e2",
        "1E+2",
        "-0",
        "-0.0",
        "1.0",
        "0.10",
        "7",
        "-7",
        "18446744073709551615",
        "18446744073709551616",
    ];
    for number in numbers {
        let nested = format!(r#"{{"a":[{number},{{"b":{number},"c":[],"d":"\u00e9","e":null,"f":true}}]}}"#);
        let text = format!(
            r#"{{"name":"Ada","email":"ada@kunde.de","phone":"+4915123456789","country":"DE","n":{number},"o": {nested}}}"#
        );
        let options = InputOptions {
            extras: vec!["x.n=n".parse().unwrap(), "x.o=o".parse().unwrap()],
            keep: ["n", "o", "o.a"].map(str::to_owned).to_vec(),
            ..InputOptions::default()
        };
        let records = read_with(text.as_bytes(), &options);
        let nested = nested.replace("\\u00e9", "é");
        let array = nested.strip_prefix(r#"{"a":"#).unwrap().strip_suffix('}').unwrap();
        assert_eq!(records[0].kept, [number, &nested, array]);
        let extra = Json::Object(*customer(&records[0]).extra.clone().unwrap());
        assert_eq!(extra.to_string(), format!(r#"{{"x":{{"n":{number},"o":{nested}}}}}"#));
    }
}

#[test]
fn numbers_that_a_float_would_make_one_are_other_data() {
    let row = |number: &str| {
        format!(r#"{{"name":"Ada","email":"ada@kunde.de","phone":"+4915123456789","country":"DE","n":{number}}}"#)
    };
    let text = [row("98765432109876543210987"), row("98765432109876543210988")].join("\n");
    let options = InputOptions { extras: vec!["n=n".parse().unwrap()], ..InputOptions::default() };
    let records = read_with(text.as_bytes(), &options);
    assert_ne!(customer(&records[0]).extra, customer(&records[1]).extra);
}

#[test]
fn json_values_keep_their_type_and_keys_may_be_nested() {
    let text = r#"{"profile":{"name":" Ada "},"email":"ada@kunde.de","phone":12015550123,"country":"US","send_kyc_mail":false,"customer_idNumber":12,"customer_address":{"city":"Köln","unit":5}}"#;
    let options = InputOptions { maps: vec!["name=profile.name".parse().unwrap()], ..InputOptions::default() };
    let records = read_with(text.as_bytes(), &options);
    let customer = customer(&records[0]);
    assert_eq!((customer.name.as_str(), &*customer.phone.to_string()), ("Ada", "+12015550123"));
    assert!(!customer.send_kyc_mail);
    let expected = serde_json::json!({"customer_idNumber": 12, "customer_address": {"city": "Köln"}});
    assert_eq!(Json::Object(*customer.extra.clone().unwrap()), expected.into());
}

#[test]
fn a_key_that_the_first_objects_lack_is_used_when_it_comes() {
    let first = r#"{"name":"A","email":"a@b.de","phone":"+4915123456789","country":"DE"}"#;
    let padding = format!("{first}\n").repeat(1000);
    let last = r#"{"name":"B","email":"b@b.de","phone":"+4915123456789","country":"DE","customer_type":"business"}"#;
    let records = read(&format!("{padding}{last}"));
    assert_eq!(customer(records.last().unwrap()).kind.as_str(), "business");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.csv");
    std::fs::write(&path, format!("{HEADER}{GOOD}")).unwrap();
    let mut feed = Feed::open(&path, &InputOptions::default()).unwrap();
    assert!(feed.next().unwrap().is_ok());
    std::fs::write(&path, format!("{HEADER}{GOOD}{GOOD}")).unwrap();
    let rest: Vec<_> = feed.collect();
    assert!(matches!(rest.last(), Some(Err(IntakeError::Changed { .. }))));
}

#[test]
fn a_packed_file_that_changes_is_told_as_changed_and_not_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.csv.gz");
    let rows: String = (0..30_000u32).map(|n| format!("Ada{},a@b.de,1,DE\n", n.wrapping_mul(2_654_435_761))).collect();
    let packed = gzip(format!("{HEADER}{rows}").as_bytes());
    std::fs::write(&path, &packed).unwrap();
    let mut feed = Feed::open(&path, &InputOptions::default()).unwrap();
    assert!(feed.next().unwrap().is_ok());
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    assert!(matches!(feed.last(), Some(Err(IntakeError::Changed { .. }))));
}

#[test]
fn other_json_is_refused_with_the_way_out() {
    let error = feed(b"[{\"name\":\"A\"}]", &InputOptions::default()).unwrap_err();
    assert!(error.hint().unwrap().contains("jq -c '.[]'"), "{error}");
}

#[test]
fn debug_output_holds_no_persons_data() {
    let options = InputOptions { want_raw: true, keep: vec!["name".to_owned()], ..InputOptions::default() };
    let records = read_with(format!("{HEADER}{GOOD}Grace,grace,1,DE\n").as_bytes(), &options);
    let shown = format!("{records:?}");
    assert!(!["Ada", "ada@", "Grace", "grace", "4915"].iter().any(|data| shown.contains(data)), "{shown}");
}

/// Fixes every field by `--set`, so that any bytes can be read as records.
fn anything_goes(want_raw: bool) -> InputOptions {
    let sets = ["name=A", "email=a@b.de", "phone=+4915123456789", "country=DE"];
    InputOptions {
        sets: sets.iter().map(|typed| typed.parse().unwrap()).collect(),
        want_raw,
        ..InputOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_read_without_panic_and_rows_count_up(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(prop::sample::select(b"a,;\"\r\n{}[]:1\xc3\xa9".to_vec()), 0..300),
        ],
        format in prop::sample::select(vec![Format::Auto, Format::Csv, Format::Ndjson]),
    ) {
        let options = InputOptions { format, ..anything_goes(true) };
        if let Ok(feed) = feed(&bytes, &options) {
            let (mut row, mut line) = (0, 0);
            for record in feed {
                let Ok(record) = record else { break };
                row += 1;
                prop_assert_eq!(record.position.row, row);
                prop_assert!(record.position.line > line);
                line = record.position.line;
                let bad = codes(&record).iter().any(|code| code.severity() == Severity::Problem);
                prop_assert_eq!(bad, matches!(record.verdict, RecordVerdict::Invalid { .. }));
            }
        }
    }

    #[test]
    fn what_the_csv_crate_writes_comes_back_cell_for_cell(
        rows in prop::collection::vec(prop::collection::vec("[a-zA-Z\"',; |\n\r\té字]{0,12}", 3), 1..20),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let options = InputOptions { delimiter: Some(delimiter), format: Format::Csv, ..anything_goes(true) };
        let read = read_with(&text, &options);
        let written: Vec<_> = rows.iter().filter(|row| row.iter().any(|cell| !cell.trim_ascii().is_empty())).collect();
        prop_assert_eq!(read.len(), written.len());
        for (record, row) in read.iter().zip(written) {
            let cells: Vec<Vec<u8>> = row.iter().map(|cell| cell.clone().into_bytes()).collect();
            prop_assert!(record.raw == Some(RawRecord::Cells(cells)));
        }
    }
}

#[test]
fn mapping_words_tell_what_feeds_each_field() {
    let feed = feed(b"name,email,phone,country,x\n", &InputOptions::default()).unwrap();
    let fields: Vec<_> = feed.mapping().fields().collect();
    assert_eq!(fields[0], (Field::Name, "column \"name\"".to_owned()));
    assert_eq!(fields[4], (Field::Type, "no column: individual".to_owned()));
    assert_eq!(feed.mapping().unused(), ["x"]);
}

#[test]
fn quotes_within_a_cell_that_are_written_with_a_backslash_are_refused() {
    for cell in [
        r#""Dwayne \"Rock\" Jay""#,
        r#""\"Rock\" Jay""#,
        r#""Ada \"King\"""#,
        r#""Screen 15\" wide""#,
        r#""Ada \"King, Countess\"""#,
    ] {
        let records = read(&format!("{HEADER}{cell},ada@kunde.de,+4915123456789,DE\n{GOOD}"));
        assert_eq!(codes(&records[0]), [Code::RowEscapedQuotes], "{cell}");
        assert_eq!(codes(&records[1]), [], "{cell}");
    }
    for cell in [r#""Dwayne ""Rock"" Jay""#, r"AC\DC", r#""AC\DC""#, r#""{""a"":""b\\c""}""#, r#""Ada ""the\King""""#] {
        let records = read(&format!("{HEADER}{cell},ada@kunde.de,+4915123456789,DE\n"));
        assert!(!records[0].verdict.is_invalid(), "{cell}: {:?}", codes(&records[0]));
    }
    // JSON in a column that nothing uses.
    let json = read(&format!("note,{HEADER}\"{{\"\"a\"\":\"\"b\\\"\"c\\\"\"\"\"}}\",{GOOD}"));
    assert_eq!(codes(&json[0]), []);
}

#[test]
fn a_column_without_a_name_that_every_row_lacks_is_not_a_column() {
    let records = read(&format!("name,email,phone,country,,\n{GOOD}{GOOD}name,email,phone,country,,\n{GOOD}"));
    assert_eq!(records.iter().map(codes).collect::<Vec<_>>(), vec![vec![]; 3]);
    // The rows of a file that has the column now and then are judged one by one.
    let records = read(&format!("name,email,phone,country,\n{GOOD}Ada,ada@kunde.de,+4915123456789,DE,\n"));
    assert_eq!(codes(&records[0]), [Code::RowColumnCount]);
    assert_eq!(codes(&records[1]), []);
    let hint = &records[0].verdict.violations()[0].hint;
    assert!(hint.contains("remove the delimiter at the end of the header"), "{hint}");
}

#[test]
fn a_row_that_lacks_its_last_cells_says_which() {
    let records = read(&format!("name,email,phone,country,note,vip\n{GOOD}Ada,ada@kunde.de,DE\n"));
    let hints: Vec<_> = records.iter().map(|record| record.verdict.violations()[0].hint.clone()).collect();
    let missing = "has 4 cells but the header has 6: the last 2 cells are missing (note, vip), as spreadsheets leave \
                   out empty ones: end the row with 2 more delimiters";
    assert!(hints[0].starts_with(missing), "{}", hints[0]);
    assert!(hints[1].ends_with("a line break or a missing delimiter?"), "{}", hints[1]);
}
