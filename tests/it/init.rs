//! `init`: what it proposes is enough to read a file, what it is not sure of stays open, and
//! nothing is left behind or replaced by accident.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{FAST, Lab, Server, exit_code, fixture};
use crate::proxy::{Harm, Proxy};
use crate::terminal;
use crate::words::{PEOPLE, expected, sent};

/// The file that `init` writes for `in.csv`.
const CONFIG: &str = "in.toml";

const GOOD: &str = "Name,E-Mail,Telefon,Land\nAda King,ada@example.com,030 123456,Deutschland\n\
                    Bo Li,bo@example.com,+33 6 12 34 56 78,Frankreich\n";
const TWO_PHONES: &str = "Name,E-Mail,Telefon,Handy,Land\nAda King,ada@example.com,030 123456,0151 23456789,D\n\
                          Bo Li,bo@example.com,030 123457,0151 23456780,D\n";
const NO_COUNTRY: &str = "Name,E-Mail,Telefon\nAda King,ada@example.com,030 123456\nBo Li,bo@example.com,030 123457\n";

fn lab_with(text: &str) -> Lab {
    let lab = Lab::new();
    lab.write("in.csv", text);
    lab
}

/// The names of the files in the lab, without the state directory.
fn files(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "state");
    names.sort();
    names
}

#[test]
fn what_is_proposed_first_is_enough_for_a_file_in_another_language() {
    for (file, _) in PEOPLE {
        let lab = Lab::new();
        lab.write(file, std::fs::read(fixture("people").join(file)).unwrap());
        let expected = expected(&lab, file);
        let config = file.replace(".csv", ".toml");
        lab.run(&["init", file]).ends(0).says("190 of 200 records can be sent");
        // The ten bad rows are invalid, and no good one is.
        lab.run(&["check", file, "--config", &config]).ends(1).says("190");

        let server = Server::start(&lab, &[]);
        let proxy = Proxy::start(&server, Harm::None);
        lab.run(&[&["import", file, "--config", &config, "--base-url", &proxy.url], &FAST[..]].concat()).ends(1);
        let bodies = proxy.seen(|seen| seen.bodies.clone());
        let sent: BTreeMap<String, String> = bodies.iter().map(|body| sent(body)).collect();
        assert_eq!(sent, expected, "{file}");
    }
}

/// A column with the type of customer in the language of each file: its header, a business and an
/// individual.
const KINDS: [(&str, [&str; 3]); 5] = [
    ("german.csv", ["Kundentyp", "Firma", "Privat"]),
    ("spanish.csv", ["Tipo de cliente", "Empresa", "Persona"]),
    ("french.csv", ["Type de client", "Entreprise", "Particulier"]),
    ("turkish.csv", ["Müşteri tipi", "Şirket", "Bireysel"]),
    ("japanese.csv", ["顧客区分", "法人", "個人"]),
];

/// Adds a column, whose cells depend on the row.
fn with_column(text: &str, header: &str, cell: impl Fn(usize) -> &'static str) -> String {
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut rows =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut output = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(Vec::new());
    for (index, row) in rows.records().enumerate() {
        let mut row = row.unwrap();
        row.push_field(if index == 0 { header } else { cell(index) });
        output.write_record(&row).unwrap();
    }
    String::from_utf8(output.into_inner().unwrap()).unwrap()
}

#[test]
fn types_of_customers_are_translated_from_each_language() {
    for (file, [header, business, individual]) in KINDS {
        let lab = Lab::new();
        let text = std::fs::read_to_string(fixture("people").join(file)).unwrap();
        lab.write(file, with_column(&text, header, |row| if row.is_multiple_of(3) { business } else { individual }));
        let expected = expected(&lab, file);
        lab.run(&["init", file, "--output", "c.toml"]).ends(0).says("190 of 200 records can be sent");
        let server = Server::start(&lab, &[]);
        let proxy = Proxy::start(&server, Harm::None);
        lab.run(&[&["import", file, "--config", "c.toml", "--base-url", &proxy.url], &FAST[..]].concat()).ends(1);
        let bodies = proxy.seen(|seen| seen.bodies.clone());
        let people: BTreeMap<String, String> = bodies.iter().map(|body| sent(body)).collect();
        assert_eq!(people, expected, "{file}");
        for body in bodies {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let email = body["customer_email"].as_str().unwrap();
            let row: usize = email.split(['.', '@']).nth(1).unwrap().parse().unwrap();
            assert_eq!(body["customer_type"], if row.is_multiple_of(3) { "business" } else { "individual" }, "{email}");
        }
    }
}

#[test]
fn a_value_that_is_not_known_stays_commented_out_and_its_records_are_invalid() {
    let lab = Lab::new();
    let text = "Name,E-Mail,Telefon,Land,Kundentyp,KYC-Mail\nAda,ada@example.com,030 123456,D,Verein,ja\n\
                Bo,bo@example.com,030 123457,D,Firma,nein\nCy,cy@example.com,030 123458,D,,ja\n";
    lab.write("in.csv", text);
    lab.run(&["init", "in.csv"])
        .ends(0)
        .says("\"Firma\" (1) = business, 1 value with an unknown meaning")
        .says("2 of 3 records can be sent");
    let written = lab.read(CONFIG);
    for line in ["# Verein = \"individual or business\"", "Firma = \"business\"", "ja = \"true\"", "nein = \"false\""] {
        assert!(written.lines().any(|found| found == line), "{line}: {written}");
    }
    lab.run(&["check", "in.csv", "--config", CONFIG]).ends(1).says("type.unknown");
    let value = ["--value", "customer_type:Verein=business", "--where", "Land=D", "--hold", "name.looks_garbled"];
    lab.run(&[&["init", "in.csv", "--force"], &value[..]].concat()).ends(0).says("3 of 3 records can be sent");
    lab.run(&["check", "in.csv", "--config", CONFIG]).ends(0).says("2  KYC e-mails");

    lab.write("in.csv", text);
    let (code, printed) = terminal::run(&mut lab.command(&["init", "in.csv", "--force"]), "2");
    assert_eq!(code, 0, "{printed}");
    assert!(lab.read(CONFIG).contains("Verein = \"business\""), "{printed}");
}

#[test]
fn what_is_sure_is_written_for_the_owner_alone_and_read_by_check() {
    let lab = lab_with(GOOD);
    let ran = lab.run(&["init", "in.csv"]).ends(0).says("2 of 2 records can be sent").says("written: in.toml");
    let text = lab.read(CONFIG);
    for line in ["customer_name = \"Name\"", "customer_phone = \"Telefon\"", "customer_country = \"Land\""] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert_eq!(std::fs::metadata(lab.path(CONFIG)).unwrap().permissions().mode() & 0o777, 0o600);
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("next: ")).unwrap();
    let next: Vec<&str> = next.split(' ').skip(1).collect();
    assert_eq!(next, ["check", "in.csv", "--config", "in.toml"]);
    lab.run(&next).ends(0).says("2");
    // Neither what is printed nor what is written names a person.
    for person in ["Ada", "ada@", "123456", "Bo Li"] {
        assert!(!ran.stdout.contains(person) && !text.contains(person), "{person}: {}{text}", ran.stdout);
    }
}

#[test]
fn a_file_is_replaced_only_with_force() {
    let lab = lab_with(GOOD);
    lab.write(CONFIG, "# mine\n");
    lab.run(&["init", "in.csv"])
        .ends(2)
        .says("in.toml exists")
        .says("--force")
        .says("--output in2.toml writes another");
    assert_eq!(lab.read(CONFIG), "# mine\n");
    lab.run(&["init", "in.csv", "--output", "other.toml"]).ends(0);
    lab.run(&["init", "in.csv", "--force"]).ends(0);
    assert!(lab.read(CONFIG).contains("[map]"));
    for wrong in [&["--output", "in.csv"][..], &["--output", "./in.csv", "--force"]] {
        let refused = lab.run(&[&["init", "in.csv"], wrong].concat()).ends(2).says("would be overwritten");
        refused.says("--output ").says("in2.toml");
    }
    assert_eq!(lab.read("in.csv"), GOOD);
    lab.run(&["init", "in.csv", "--output", "no/such/folder.toml"]).ends(74);
    assert_eq!(files(&lab), ["in.csv", "in.toml", "other.toml"]);
}

#[test]
fn what_is_not_sure_stays_commented_out_and_check_stops() {
    for (text, guesses) in [
        (TWO_PHONES, &["# customer_phone = \"Telefon\"", "# customer_phone = \"Handy\""][..]),
        (NO_COUNTRY, &["# customer_country = \"COLUMN\"", "# customer_country = \"CODE\""]),
    ] {
        let lab = lab_with(text);
        lab.run(&["init", "in.csv"]).ends(65).says("where you fill in customer_");
        let written = lab.read(CONFIG);
        for guess in guesses {
            assert!(written.lines().any(|line| line == *guess), "{guess}: {written}");
        }
        lab.run(&["check", "in.csv", "--config", CONFIG]).ends(65);
        // What was guessed right works as soon as the mark is removed.
        let decided = written
            .replacen("# customer_phone = ", "customer_phone = ", 1)
            .replace("# customer_country = \"CODE\"", "customer_country = \"DE\"");
        lab.write(CONFIG, decided);
        lab.run(&["check", "in.csv", "--config", CONFIG]).ends(0).says("2");
    }
}

#[test]
fn a_country_is_never_guessed_for_all() {
    for text in [NO_COUNTRY, "Name,E-Mail,Telefon,Herkunft\nAda,ada@example.com,030 123456,Deutschland\n"] {
        let lab = lab_with(text);
        lab.run(&["init", "in.csv"]).ends(65);
        let written = lab.read(CONFIG);
        assert!(!written.lines().any(|line| line.starts_with("customer_country")), "{written}");
    }
}

#[test]
fn a_file_that_cannot_hold_customers_is_refused_as_by_check() {
    let lab = Lab::new();
    for (text, words) in [
        ("id,colour\n1,red\n", "no column for customer_name"),
        ("Ada,ada@example.com,+4930123456,DE\nBo,bo@example.com,+4930123457,DE\n", "add a header line above it"),
        ("", "is empty"),
    ] {
        lab.write("in.csv", text);
        lab.run(&["init", "in.csv"]).ends(65).says(words);
        lab.run(&["check", "in.csv"]).ends(65).says(words);
    }
    lab.run(&["init", "in.csv", "--map", "name=x"]).ends(65);
    assert_eq!(files(&lab), ["in.csv"]);
}

#[test]
fn questions_are_asked_on_a_terminal_and_their_answers_written() {
    let lab = lab_with(TWO_PHONES);
    let (code, printed) = terminal::run(&mut lab.command(&["init", "in.csv"]), "2");
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("Which column is customer_phone?"), "{printed}");
    // On a terminal the first records are shown as they would be sent.
    assert!(printed.contains("Ada King  ada@example.com  +4915123456789  DEU"), "{printed}");
    assert!(lab.read(CONFIG).contains("customer_phone = \"Handy\""));
    lab.run(&["check", "in.csv", "--config", CONFIG]).ends(0);

    let lab = lab_with(NO_COUNTRY);
    let (code, printed) = terminal::run(&mut lab.command(&["init", "in.csv"]), "1\nÖsterreich");
    assert_eq!(code, 0, "{printed}");
    assert!(lab.read(CONFIG).contains("[set]\ncustomer_country = \"AUT\""));
}

#[test]
fn who_leaves_at_a_question_leaves_nothing_behind() {
    let lab = lab_with(TWO_PHONES);
    let (code, printed) = terminal::run(&mut lab.command(&["init", "in.csv"]), "\u{4}");
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("nothing was written"), "{printed}");
    assert_eq!(files(&lab), ["in.csv"]);

    let (mut person, program) = terminal::open();
    let mut command = terminal::controlled(&lab.command(&["init", "in.csv"]));
    command.stdin(program.try_clone().unwrap()).stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = command.spawn().unwrap();
    let mut printed = Vec::new();
    while !String::from_utf8_lossy(&printed).contains("s to skip") {
        let mut piece = [0; 4096];
        let length = person.read(&mut piece).unwrap();
        printed.extend(&piece[..length]);
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(exit_code(child.wait().unwrap()), 130);
    assert_eq!(files(&lab), ["in.csv"]);
}

#[test]
fn keys_within_objects_packed_files_and_standard_input_are_looked_at_too() {
    let lab = Lab::new();
    let object = |n: usize| {
        format!(
            "{{\"id\":{n},\"person\":{{\"name\":\"Ada {n}\"}},\"kontakt\":{{\"mail\":\"a{n}@example.com\",\"telefon\":\"+4930123456{n}\"}},\
             \"country\":\"DE\"}}\n"
        )
    };
    lab.write("in.ndjson", (0..3).map(object).collect::<String>());
    lab.run(&["init", "in.ndjson", "--map", "name=person.name", "--map", "phone=kontakt.telefon"]).ends(0);
    assert!(lab.read("in.toml").contains("customer_email = \"kontakt.mail\""), "{}", lab.read("in.toml"));
    lab.run(&["check", "in.ndjson", "--config", "in.toml"]).ends(0).says("3");

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, GOOD.as_bytes()).unwrap();
    lab.write("packed.csv.gz", encoder.finish().unwrap());
    lab.run(&["init", "packed.csv.gz"]).ends(0);
    lab.run(&["check", "packed.csv.gz", "--config", "packed.toml"]).ends(0);

    lab.run(&["init", "-"]).ends(2).says("--output");
    let piped = || std::process::Stdio::from(std::fs::File::open(lab.path("in.ndjson")).unwrap());
    let mut command = lab.command(&["init", "-", "--output", "piped.toml", "--map", "name=person.name"]);
    crate::harness::Ran::of(command.stdin(piped())).ends(65).says("check - --config piped.toml");
    let spool = lab.path("state").join("customer-import").join("spool");
    assert_eq!(std::fs::read_dir(spool).map_or(0, Iterator::count), 0);
}

#[test]
fn what_was_typed_stands_in_the_file() {
    let lab = Lab::new();
    let text = "Kürzel|Name|E-Mail|Tel|Ort\n1|Jörg King|j@example.com|030 123456|Köln\n";
    lab.write("in.csv", in_windows_1252(text));
    let typed = ["--encoding", "windows-1252", "--delimiter", "|", "--set", "country=DE", "--region", "DE"];
    let more = ["--keep", "Kürzel", "--extra", "customer_address.city=Ort", "--set", "send_kyc_mail=false"];
    lab.run(&[&["init", "in.csv"], &typed[..], &more].concat()).ends(0);
    let ran = lab.run(&["check", "in.csv", "--config", CONFIG, "--report", "r.csv"]).ends(0);
    ran.says("always \"DE\"").says("0  KYC e-mails").says("customer_address.city  column \"Ort\"");
    assert!(lab.read("r.csv").lines().next().unwrap().ends_with(",Kürzel"));
}

/// The text in windows-1252, of which it uses only Latin letters.
fn in_windows_1252(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

#[test]
fn a_known_export_is_read_by_its_preset() {
    for (file, preset, code) in [
        ("shopify-customers.csv", "shopify", 0),
        ("odoo-contacts.csv", "odoo", 0),
        ("auth0-users.ndjson", "auth0", 65),
        ("mailchimp-audience.csv", "mailchimp", 65),
    ] {
        let lab = Lab::new();
        lab.write(file, std::fs::read(fixture("exports").join(file)).unwrap());
        lab.run(&["init", file, "--output", "c.toml"]).ends(code);
        let written = lab.read("c.toml");
        assert!(written.contains(&format!("from = \"{preset}\"")), "{written}");
        assert!(!written.contains("secret"), "{written}");
        let set = if code == 0 { &[][..] } else { &["--set", "customer_country=GB"] };
        lab.run(&[&["check", file, "--config", "c.toml"], set].concat()).says("to send");
        assert!(!written.lines().any(|line| line.starts_with("customer_country")), "{written}");
    }
}
