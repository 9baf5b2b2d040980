//! Files as people have them: each shape and each value here was once posted as it stood, read as
//! something else, or refused without saying what to write. `c1` and so on are the findings.

use std::collections::BTreeMap;

use crate::harness::{FAST, HEADER, Lab, Ran, Server, rows};
use crate::proxy::{Harm, Proxy};

const PHONE: &str = "+4917612345001";

/// What a report of `check` says of each row: its status, the codes of its problems, and those of
/// its warnings.
fn verdicts(lab: &Lab, input: &str, more: &[&str]) -> (Ran, Vec<(String, String)>) {
    let ran = lab.run(&[&["check", input, "--report", "verdicts.csv"], more].concat());
    let told = |row: &BTreeMap<String, String>| {
        let warnings = row["warning"].split("; ").filter_map(|warning| warning.split_once(':'));
        let codes = warnings.map(|(code, _)| code).filter(|code| *code != "email.reserved_domain");
        let codes =
            if row["error_code"].is_empty() { codes.collect::<Vec<_>>().join(";") } else { row["error_code"].clone() };
        (row["status"].clone(), codes)
    };
    let verdicts = rows(&lab.path("verdicts.csv")).iter().map(told).collect();
    (ran, verdicts)
}

/// Fails unless each cell of a column has its verdict: no code, a warning or a problem.
#[track_caller]
fn judged(header: &str, row: impl Fn(&str) -> String, cells: &[(&str, &str, &str)]) {
    let lab = Lab::new();
    let lines: String = cells.iter().map(|(cell, ..)| format!("{}\n", row(cell))).collect();
    lab.write("in.csv", format!("{header}\n{lines}"));
    let (_, verdicts) = verdicts(&lab, "in.csv", &[]);
    assert_eq!(verdicts.len(), cells.len());
    for ((cell, status, code), (found, codes)) in cells.iter().zip(&verdicts) {
        assert_eq!((&**status, &**code), (&**found, &**codes), "{cell}");
    }
}

/// The phones that the server got, by e-mail.
fn imported(lab: &Lab, input: &str, more: &[&str]) -> (Ran, BTreeMap<String, serde_json::Value>) {
    let server = Server::start(lab, &[]);
    let proxy = Proxy::start(&server, Harm::None);
    let ran = lab.run(&[&["import", input, "--base-url", &proxy.url], &FAST[..], more].concat());
    let bodies = proxy.seen(|seen| seen.bodies.clone());
    let sent = bodies.iter().map(|body| {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        (body["customer_email"].as_str().unwrap().to_owned(), body)
    });
    (ran, sent.collect())
}

#[test]
fn c1_two_zeros_never_lead_to_another_person() {
    let cells = [
        ("BR", "0055 49 99123-4567", None),
        ("CO", "0057 351 234 5678", None),
        ("AU", "0061 412 345 678", Some("+61412345678")),
        ("JP", "0081 90-1234-5678", Some("+819012345678")),
        ("KR", "0082 10-2000-0000", Some("+821020000000")),
        ("KH", "00855 91 234 567", Some("+85591234567")),
        ("NG", "00234 802 123 4567", Some("+2348021234567")),
        ("KE", "00254 712 123456", Some("+254712123456")),
        ("SG", "0065 8123 4567", Some("+6581234567")),
        ("US", "001 201-555-0123", Some("+12015550123")),
        ("US", "0049 30 123456", None),
    ];
    let lab = Lab::new();
    let row = |(n, (country, phone, _)): (usize, &(&str, &str, _))| format!("Ada,p{n}@example.com,{phone},{country}\n");
    lab.write("in.csv", format!("{HEADER}\n{}", cells.iter().enumerate().map(row).collect::<String>()));
    let (ran, sent) = imported(&lab, "in.csv", &[]);
    let ran = ran.ends(1).says("2  phone.ambiguous").says("write + instead of 00");
    let ran = ran.says("write + instead of 00 if it is");
    for (n, (country, cell, expected)) in cells.iter().enumerate() {
        let phone = sent.get(&format!("p{n}@example.com")).map(|body| body["customer_phone"].as_str().unwrap());
        assert_eq!(phone, *expected, "{cell} in {country}: {}", ran.stderr);
    }
    // As the hint says.
    let text = cells.iter().fold(lab.read("in.csv"), |text, (_, cell, expected)| match expected {
        None => text.replace(cell, &cell.replacen("00", "+", 1)),
        Some(_) => text,
    });
    lab.write("in.csv", text);
    let (_, sent) = imported(&lab, "in.csv", &[]);
    let right = ["+5549991234567", "+573512345678", "+4930123456"];
    let phones: Vec<_> = sent.values().map(|body| body["customer_phone"].as_str().unwrap()).collect();
    assert!(phones.len() == cells.len() && right.iter().all(|phone| phones.contains(phone)), "{phones:?}");
}

#[test]
fn c2_below_a_header_in_another_order_no_person_is_sent_under_the_name_of_a_company() {
    let first = format!("name,email,phone,country,company\nAda,ada@example.com,{PHONE},DE,Engines Ltd\n");
    let row = format!("bo@example.com,Engines Ltd,Bo,{PHONE},DE\n");
    for header in [
        "email,company,name,phone,country",
        "E-Mail;Company;Name;Phone;Country",
        "\u{feff}\"Email\",COMPANY,*name,Phone,Country",
    ] {
        let lab = Lab::new();
        lab.write("in.csv", format!("{first}{}\n{row}", header.replace(';', ",")));
        let (ran, sent) = imported(&lab, "in.csv", &[]);
        ran.ends(65).says("in.csv, line 3: the header appears again, with its columns in another order");
        assert!(sent.is_empty());
    }
    let lab = Lab::new();
    let again = "Name,E-Mail,*Phone,COUNTRY,Company";
    lab.write("in.csv", format!("{first}{again}\nBo,bo@example.com,{PHONE},DE,Engines Ltd\n"));
    let (ran, sent) = imported(&lab, "in.csv", &[]);
    ran.ends(0).says("1  repeated header skipped").says("2  created");
    assert_eq!(sent["bo@example.com"]["customer_name"], "Bo");
}

#[test]
fn c3_what_databases_and_programs_leave_behind_is_refused_or_told() {
    let names = [
        (r"\N", "invalid", "cell.null_marker"),
        ("(null)", "invalid", "cell.null_marker"),
        ("null null", "valid", "name.placeholder"),
        ("O&#039;Brien", "valid", "name.looks_garbled"),
        ("M&uuml;ller", "valid", "name.looks_garbled"),
        (r"O\'Neil", "valid", "name.looks_garbled"),
        ("b'Jose'", "valid", "name.looks_garbled"),
        (r"Jos\u00e9", "valid", "name.looks_garbled"),
        ("k.A.", "valid", "name.placeholder"),
        ("unbekannt", "valid", "name.placeholder"),
        ("-", "valid", "name.placeholder"),
        (".", "valid", "name.placeholder"),
        ("#NV", "invalid", "cell.spreadsheet_damage"),
        ("KrŸger", "valid", "name.looks_garbled"),
        ("Ada King", "valid", ""),
    ];
    let mut n = 0..;
    let mails = std::cell::RefCell::new(&mut n);
    let mail = || format!("p{}@kunde.de", mails.borrow_mut().next().unwrap());
    judged(HEADER, |name| format!("{name},{},{PHONE},DE", mail()), &names);
    let ids = [
        (r"\N", "invalid", "cell.null_marker"),
        ("[null]", "invalid", "cell.null_marker"),
        ("<NULL>", "invalid", "cell.null_marker"),
        ("#NV", "invalid", "cell.spreadsheet_damage"),
        ("T22000129", "valid", ""),
    ];
    let header = format!("{HEADER},customer_idNumber");
    judged(&header, |id| format!("Ada,{},{PHONE},DE,{id}", mail()), &ids);
    let phones = [
        ("#NV", "invalid", "phone.spreadsheet_damage"),
        (r"\N", "invalid", "cell.null_marker"),
        ("k.A.", "invalid", "phone.syntax"),
        ("-", "invalid", "phone.syntax"),
    ];
    judged(HEADER, |phone| format!("Ada,{},{phone},DE", mail()), &phones);
    let countries = [("#NV", "invalid", "country.unknown"), (r"\N", "invalid", "cell.null_marker")];
    judged(HEADER, |country| format!("Ada,{},{PHONE},{country}", mail()), &countries);
}

#[test]
fn c4_quotes_written_with_a_backslash_are_refused_also_when_the_rejects_are_imported_as_they_are() {
    let lab = Lab::new();
    let text =
        format!("{HEADER}\n\"Dwayne \\\"Rock\\\" Jay\",rock@example.com,{PHONE},DE\nAda,ada@example.com,{PHONE},DE\n");
    lab.write("in.csv", text);
    let (ran, sent) = imported(&lab, "in.csv", &["--rejects", "mend.csv"]);
    ran.ends(1).says("row.escaped_quotes").says(r#"quotes within a cell are written \" here: write them twice ("")"#);
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["ada@example.com"]);
    lab.run(&["check", "in.csv", "--rejects", "mend.xlsx"]).ends(1);
    // Nobody corrects them, twice.
    for (input, again) in [
        ("mend.csv", "again.csv"),
        ("again.csv", "third.csv"),
        ("mend.xlsx", "again.xlsx"),
        ("again.xlsx", "third.csv"),
    ] {
        let (ran, sent) = imported(&lab, input, &["--rejects", again]);
        assert!(sent.is_empty(), "{input}: {sent:?}");
        ran.ends(1).says("1  invalid");
    }
    let wrong = r#""Dwayne \Rock\"" Jay""""#;
    let mend = lab.read("again.csv");
    let (kept, surplus) = mend.split_once(",\"this row is not as it was read").unwrap();
    assert!(mend.contains(wrong) && surplus.trim_end().ends_with("then delete this cell\""), "{mend}");
    let right = r#""Dwayne ""Rock"" Jay""#;
    lab.write("mend.csv", format!("{}\n", kept.replacen(wrong, right, 1)));
    let (ran, sent) = imported(&lab, "mend.csv", &[]);
    ran.ends(0).says("1  created");
    assert_eq!(sent["rock@example.com"]["customer_name"], "Dwayne \"Rock\" Jay");
}

#[test]
fn c4_a_row_with_such_quotes_that_lacks_cells_stays_invalid_however_often_it_is_imported_uncorrected() {
    for header in [",note", ", note ", ",error,", ", error , ", ", note , ", ", note ,ERROR ,x "] {
        let lab = Lab::new();
        let row = format!("\"Dwayne \\\"Rock\\\" Jay\",rock@kunde.de,{PHONE},DE");
        lab.write("in.csv", format!("{HEADER}{header}\n{row}\n"));
        for [input, again] in [["in.csv", "a.csv"], ["a.csv", "b.csv"], ["b.csv", "c.csv"], ["c.csv", "d.xlsx"]] {
            lab.run(&["check", input, "--rejects", again]).ends(1).says("0  to send");
        }
    }
}

#[test]
fn c5_countries_and_headers_in_peoples_words_are_known() {
    let countries = [
        ("Deutschland", "DEU"),
        ("Schweiz", "CHE"),
        ("España", "ESP"),
        ("D", "DEU"),
        ("Myanmar (Burma)", "MMR"),
        ("Palestinian Territories", "PSE"),
        ("Congo - Kinshasa", "COD"),
        ("St. Vincent & Grenadines", "VCT"),
        ("Korea (Republic of)", "KOR"),
        ("Bahamas, The", "BHS"),
        ("United States (US)", "USA"),
        ("Germany (DE)", "DEU"),
    ];
    let lab = Lab::new();
    let row = |(n, (name, _)): (usize, &(&str, &str))| format!("Ada;p{n}@example.com;{PHONE};{name}\n");
    let people: String = countries.iter().enumerate().map(row).collect();
    for header in ["Nombre;Email;Telefon;Land", "Nombre;E-Mail;Telefon;Pays"] {
        lab.write("in.csv", format!("{header}\n{people}"));
        let (ran, sent) = imported(&lab, "in.csv", &["--ledger", &format!("{}.db", header.len())]);
        ran.ends(0);
        for (n, (name, code)) in countries.iter().enumerate() {
            assert_eq!(sent[&format!("p{n}@example.com")]["customer_country"], *code, "{name}");
        }
    }
}

#[test]
fn c6_c7_values_of_another_language_become_right_with_what_check_prints() {
    let lab = Lab::new();
    let row = |n: usize| {
        let (kind, mail) = if n.is_multiple_of(3) { ("Privat", "nein") } else { ("Firma", "ja") };
        format!("Ada;p{n}@example.com;030 1234567;DE;{kind};{mail}\n")
    };
    let people: String = (0..30).map(row).collect();
    lab.write("in.csv", format!("Name;E-Mail;Telefon;Land;Kundentyp;KYC-Mail\n{people}"));
    let map = ["--map", "customer_type=Kundentyp", "--map", "send_kyc_mail=KYC-Mail"];
    let checked = |more: &[&str]| {
        let mut check = lab.command(&[&["check", "in.csv", "--color", "never"], more].concat());
        let (code, printed) = crate::terminal::run(&mut check, "");
        assert_eq!(code, 1, "{printed}");
        printed
    };
    let printed = checked(&map);
    assert!(printed.contains("\"Firma\" 20 times, \"Privat\" 10 times"), "{printed}");
    let tables = printed.split("\n\n").filter(|part| part.starts_with("[values."));
    lab.write("in.toml", tables.collect::<Vec<_>>().join("\n\n"));
    let (ran, sent) = imported(&lab, "in.csv", &[&map[..], &["--config", "in.toml"]].concat());
    ran.ends(0);
    for n in 0..30 {
        let body = &sent[&format!("p{n}@example.com")];
        let expected = if n % 3 == 0 { ("individual", false) } else { ("business", true) };
        assert_eq!(
            (body["customer_type"].as_str().unwrap(), body["send_kyc_mail"].as_bool().unwrap()),
            expected,
            "{n}"
        );
    }
    let values = ["--value", "customer_type:Firma=business", "--value", "customer_type:Privat=individual"];
    let more = ["--value", "send_kyc_mail:ja=yes", "--value", "send_kyc_mail:nein=no"];
    lab.run(&[&["check", "in.csv"], &map[..], &values, &more].concat()).ends(0).says("30  to send");

    // A phone without a country is an echo of the unknown country.
    let row =
        |n: usize| format!("Ada,p{n}@example.com,030 123456{n},{}\n", if n < 7 { "Nirgendwo" } else { "Irgendwo" });
    lab.write("in.csv", format!("{HEADER}\n{}", (0..10).map(row).collect::<String>()));
    let printed = checked(&[]);
    assert!(printed.contains("10  country.unknown (problem, first in row 1)"), "{printed}");
    assert!(printed.contains("\"Nirgendwo\" 7 times, \"Irgendwo\" 3 times"), "{printed}");
    assert!(printed.contains("10  phone.no_country_code not counted"), "{printed}");
}

#[test]
fn c9_rows_that_lack_their_last_columns_are_named_and_a_delimiter_too_many_is_no_column() {
    let lab = Lab::new();
    let person = |n: usize| format!("Ada,p{n}@example.com,{PHONE},DE");
    lab.write("in.csv", format!("{HEADER},note,vip\n{}\n{},x\n{},x,y\n", person(0), person(1), person(2)));
    let (ran, verdicts) = verdicts(&lab, "in.csv", &[]);
    let ran = ran.ends(1).says("the last 2 cells are missing (note, vip), as spreadsheets leave out empty ones");
    ran.says("the last cell is missing (vip)").says("1  to send");
    assert_eq!(verdicts.iter().filter(|(_, code)| code == "row.column_count").count(), 2);
    for delimiters in [",", ",,,"] {
        lab.write("in.csv", format!("{HEADER}{delimiters}\n{}\n{}\n", person(0), person(1)));
        lab.run(&["check", "in.csv"]).ends(0).says("2  to send");
    }
    // Only some rows lack it, so a cell may be missing anywhere.
    lab.write("in.csv", format!("{HEADER},\n{},\n{}\n", person(0), person(1)));
    lab.run(&["check", "in.csv"]).ends(1).says("remove the delimiter at the end of the header");
}

#[test]
fn c10_what_stands_around_an_address_or_a_number_is_left_out_or_named() {
    let header = "name;email;phone;country";
    let cells = [
        ("Ada King <ada@kunde.de>", "valid", ""),
        ("\"Ada King <ada2@kunde.de>\"", "valid", ""),
        ("<ada3@kunde.de>", "valid", ""),
        ("mailto:ada4@kunde.de", "valid", ""),
        ("\"a@kunde.de; b@kunde.de\"", "invalid", "email.several"),
        ("a@kunde.de, b@kunde.de", "invalid", "email.several"),
        ("Ada <a@kunde.de>, Bo <b@kunde.de>", "invalid", "email.several"),
        ("'ada5@kunde.de", "invalid", "email.syntax"),
        ("ada @kunde.de", "invalid", "email.syntax"),
    ];
    judged(header, |email| format!("Ada;{email};{PHONE};DE"), &cells);
    let mails = std::cell::Cell::new(0);
    let mail = || {
        mails.set(mails.get() + 1);
        format!("p{}@kunde.de", mails.get())
    };
    let cells = [
        ("Tel: +49 176 12345001", "valid", ""),
        ("tel:+4917612345001", "valid", ""),
        ("+49 176 12345001; +49 30 1234567", "invalid", "row.column_count"),
        ("\"+49 176 12345001; +49 30 1234567\"", "invalid", "phone.several"),
        ("+52 1 55 1234 5678", "invalid", "phone.impossible"),
    ];
    judged(header, |phone| format!("Ada;{};{phone};DE", mail()), &cells);
    let lab = Lab::new();
    lab.write(
        "in.csv",
        format!(
            "{header}\nAda;Ada King <ada@kunde.de>;Tel: +49 176 12345001;DE\nBo;'bo@kunde.de;+52 1 55 1234 5678;MX\n"
        ),
    );
    let (ran, sent) = imported(&lab, "in.csv", &[]);
    ran.ends(1).says("begins with an apostrophe, which a spreadsheet writes before text: remove it");
    let error = &lab.report()[1]["error"];
    assert!(error.contains("without the 1 after +52 it is +525512345678: write that if it is meant"), "{error}");
    assert_eq!(sent["ada@kunde.de"]["customer_phone"], "+4917612345001");
}

#[test]
fn c13_a_plan_of_ndjson_names_only_what_occurs_and_a_file_of_its_kind() {
    let lab = Lab::new();
    let person = |phone: &str| {
        format!(r#"{{"name":"Ada","email":"{phone}@example.com","phone":"{phone}","country":"DE","x":1}}"#)
    };
    lab.write("in.ndjson", format!("{}\n{}\n", person(PHONE), person("123")));
    let ran = lab.run(&["check", "in.ndjson"]).ends(1).says("(not used)        x\n").says("--rejects mend.ndjson\n");
    let said = ran.stdout;
    assert!(!said.contains("customer_address") && !said.contains("mend.csv") && !said.contains("mend.xlsx"), "{said}");
}
