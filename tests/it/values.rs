//! Values of the input that mean something else here: `--value`, `[values.FIELD]`, and the list of
//! those that are not known.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::harness::{FAST, Lab, Ran, Server, rows};
use crate::proxy::{Harm, Proxy};
use crate::terminal;

const GERMAN: &str = "Name,E-Mail,Telefon,Land,Kundentyp,Post\n\
                      Ada,ada@kunde.de,+4917612345001,Deutschland,Firma,ja\n\
                      Bea,bea@kunde.de,+4917612345002,D-Land,Privat,nein\n\
                      Eva,eva@kunde.de,+4917612345003,DE, Firma ,ja\n";

const MAPS: [&str; 4] = ["--map", "type=Kundentyp", "--map", "send_kyc_mail=Post"];
const VALUES: [&str; 10] = [
    "--value",
    "type:Firma=business",
    "--value",
    "type:Privat=individual",
    "--value",
    "country:D-Land=DE",
    "--value",
    "send_kyc_mail:ja=yes",
    "--value",
    "send_kyc_mail:nein=no",
];

/// Type, country and mail of each request, by e-mail.
fn sent(bodies: &[Vec<u8>]) -> BTreeMap<String, (String, String, bool)> {
    let one = |body: &Vec<u8>| {
        let body: Value = serde_json::from_slice(body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let mail = body["send_kyc_mail"].as_bool().unwrap();
        (text("customer_email"), (text("customer_type"), text("customer_country"), mail))
    };
    bodies.iter().map(one).collect()
}

#[test]
fn the_values_that_were_given_are_sent_and_the_rejects_and_reports_keep_the_cells() {
    let lab = Lab::with_input(GERMAN);
    let server = Server::start(&lab, &["--fault", "422:bea@kunde.de"]);
    let proxy = Proxy::start(&server, Harm::None);
    let args =
        [&["import", "in.csv", "--base-url", &proxy.url, "--rejects", "r.csv", "--keep", "Kundentyp"], &FAST[..]];
    lab.run(&[&args.concat()[..], &MAPS, &VALUES].concat()).ends(1);
    let found = proxy.seen(|seen| sent(&seen.bodies));
    let expected = [("ada", "business", true), ("bea", "individual", false), ("eva", "business", true)];
    let expected =
        expected.map(|(name, kind, mail)| (format!("{name}@kunde.de"), (kind.to_owned(), "DEU".to_owned(), mail)));
    assert_eq!(found, BTreeMap::from(expected));
    let rejects = &rows(&lab.path("r.csv"))[0];
    assert_eq!(
        (rejects["Kundentyp"].as_str(), rejects["Land"].as_str(), rejects["Post"].as_str()),
        ("Privat", "D-Land", "nein")
    );
    assert_eq!(lab.report()[0]["Kundentyp"], "Firma");
    // The data that was sent is what the ledger compares, so the same options say the same again.
    let again = [
        &["report", "in.csv", "--base-url", &proxy.url, "--report", "again.csv", "--keep", "Kundentyp"][..],
        &MAPS,
        &VALUES,
    ];
    lab.run(&again.concat()).ends(1);
    assert_eq!(lab.read("again.csv"), lab.read("in.report.csv"));
}

#[test]
fn a_value_of_the_file_counts_until_the_same_value_is_typed() {
    let lab = Lab::with_input(GERMAN);
    let table = "[map]\ntype = \"Kundentyp\"\nsend_kyc_mail = \"Post\"\n[values.customer_country]\nD-Land = \"DE\"\n\
                 [values.send_kyc_mail]\nja = true\nnein = false\n[values.customer_type]\nFirma = \"individual\"\nPrivat = \"individual\"\n";
    lab.write("c.toml", table);
    let server = Server::start(&lab, &[]);
    let proxy = Proxy::start(&server, Harm::None);
    let args = ["import", "in.csv", "--config", "c.toml", "--base-url", &proxy.url, "--value", "type:Firma=business"];
    lab.run(&[&args[..], &FAST].concat()).ends(0);
    let found = proxy.seen(|seen| sent(&seen.bodies));
    assert_eq!(found["ada@kunde.de"], ("business".to_owned(), "DEU".to_owned(), true));
    assert_eq!(found["bea@kunde.de"], ("individual".to_owned(), "DEU".to_owned(), false));
}

#[test]
fn in_the_environment_each_line_is_a_value() {
    let lab = Lab::with_input(GERMAN);
    let mut command = lab.command(&["check", "in.csv", "--map", "type=Kundentyp"]);
    command.env("CUSTOMER_IMPORT_VALUE", "type:Firma=business\ntype:Privat=individual\ncountry:D-Land=DE");
    Ran::of(&mut command).ends(0).says("column \"Kundentyp\", 2 values replaced").says("3  to send");
}

#[test]
fn a_template_and_a_marker_of_a_database_can_be_replaced_as_a_whole() {
    let lab = Lab::new();
    lab.write("in.csv", "First,Last,email,phone,country\nAda,\\N,ada@kunde.de,+4917612345001,DE\nBea,\\N,bea@kunde.de,+4917612345002,\\N\n");
    let map = ["check", "in.csv", "--map", "name={First} {Last}", "--report", "r.csv"];
    lab.run(&map).ends(1).says("3  cell.null_marker");
    lab.run(&[&map[..], &["--value", r"name:Ada \N=Ada King", "--value", r"country:\N=DE"]].concat()).ends(1);
    let statuses: Vec<_> = rows(&lab.path("r.csv")).iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["valid", "invalid"]);
}

#[test]
fn numbers_and_truth_values_of_json_are_replaced_by_their_spelling() {
    let lab = Lab::new();
    let line = |name: &str, kind: &str| {
        format!(
            r#"{{"name":"{name}","email":"{name}@kunde.de","phone":"+4917612345001","country":"DE","kind":{kind}}}"#
        )
    };
    lab.write("in.ndjson", [line("a", "1"), line("b", "true"), line("c", "\"2\""), line("d", "[1]")].join("\n"));
    let args =
        ["check", "in.ndjson", "--map", "type=kind", "--value", "type:1=business", "--value", "type:true=individual"];
    let ran = lab.run(&[&args[..], &["--value", "type:2=business", "--report", "r.csv"]].concat()).ends(1);
    let codes: Vec<_> = rows(&lab.path("r.csv")).iter().map(|row| row["error_code"].clone()).collect();
    assert_eq!(codes, ["", "", "", "type.unknown"], "{}", ran.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused_before_the_file_is_read() {
    let lab = Lab::with_input(GERMAN);
    for (value, words) in [
        ("kind:Firma=business", "the fields are name, email, phone, country, type and send_kyc_mail"),
        ("type:Firma", "write FIELD:FROM=TO"),
        ("type:Firma=firm", "write individual or business"),
        ("type:Firma=", "\"Firma\" has no new value yet"),
    ] {
        lab.run(&["check", "in.csv", "--value", value]).ends(2).says(words);
    }
    let twice = ["check", "in.csv", "--value", "type:a=business", "--value", "type:a=individual"];
    lab.run(&twice).ends(2).says("\"a\" becomes both \"business\" and \"individual\"");
    // No column feeds the field, so every customer would get the default.
    lab.write("in.csv", GERMAN.replace("Kundentyp", "Sorte"));
    lab.run(&["check", "in.csv", "--value", "type:Firma=business"])
        .ends(65)
        .says("no column feeds customer_type; columns found: Name, E-Mail, Telefon, Land, Sorte, Post")
        .says("--map customer_type=COLUMN");
}

/// The lines between the explanation and the blank line after them.
fn table_of(printed: &str, field: &str) -> String {
    let head = format!("[values.{field}]\n");
    let (_, rest) = printed.split_once(&head).unwrap_or_else(|| panic!("no {head} in\n{printed}"));
    format!("{head}{}\n", rest.split("\n\n").next().unwrap())
}

#[test]
fn the_values_that_are_listed_make_the_file_of_options_that_a_check_needs() {
    let lab = Lab::with_input(GERMAN);
    let (code, printed) = terminal::run(&mut lab.command(&[&["check", "in.csv"][..], &MAPS].concat()), "");
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("\"Firma\" = \"business\"      # 2 rows\n\"Privat\" = \"individual\"   # 1 row\n"),
        "{printed}"
    );
    assert!(printed.contains("\"D-Land\" = \"\"   # 1 row\n"), "{printed}");
    let tables = ["customer_type", "send_kyc_mail", "customer_country"].map(|field| table_of(&printed, field)).concat();

    // As it is pasted, it still asks.
    lab.write("c.toml", &tables);
    let args = [&["check", "in.csv", "--config", "c.toml"][..], &MAPS].concat();
    lab.run(&args).ends(2).says("values.customer_country: \"D-Land\" has no new value yet");
    lab.write("c.toml", tables.replace("\"\"", "\"DEU\""));
    lab.run(&args).ends(0).says("3  to send");
}

#[test]
fn elsewhere_than_on_a_terminal_no_value_is_listed() {
    let lab = Lab::with_input(GERMAN);
    let ran = lab.run(&[&["check", "in.csv"][..], &MAPS].concat()).ends(1);
    let words =
        "5 values are not known (customer_country, customer_type, send_kyc_mail); on a terminal, `check` lists them";
    assert!(ran.stderr.contains(words) && !ran.stderr.contains("Privat"), "{}", ran.stderr);
}

#[test]
fn a_printed_command_repeats_the_options_in_quotes() {
    let lab = Lab::with_input(GERMAN);
    let server = Server::start(&lab, &["--fault", "500:bea@kunde.de"]);
    let options = ["--max-attempts", "1", "--no-lookup", "--where", "Land=D-Land", "--hold", "name.looks_garbled"];
    let ran = lab.run(&[&lab.import_args(&server, &options)[..], &MAPS, &VALUES].concat()).ends(4);
    let resume = ran.stdout.lines().find(|line| line.starts_with("resume")).unwrap_or_else(|| panic!("{}", ran.stdout));
    for words in
        ["--where Land=D-Land", "--hold name.looks_garbled", "--value type:Firma=business", "send_kyc_mail:nein=no"]
    {
        assert!(resume.contains(words), "{words} in {resume}");
    }
}

#[test]
fn a_cell_that_is_not_listed_means_what_it_meant() {
    let kinds = prop::collection::vec("(business|Business|individual|firm|firma|Firma GmbH||[a-z ]{0,4})", 1..8);
    proptest!(ProptestConfig::with_cases(12), |(kinds in kinds, from in "Firma|f|business!|[A-Z]{1,3}")| {
        prop_assume!(kinds.iter().all(|kind| kind.trim() != from));
        let lab = Lab::new();
        let row = |(number, kind): (usize, &String)| format!("P,p{number}@kunde.de,+4917612345001,DE,{kind}\n");
        let rows_of_file: String = kinds.iter().enumerate().map(row).collect();
        lab.write("in.csv", format!("name,email,phone,country,customer_type\n{rows_of_file}"));
        let code = lab.run(&["check", "in.csv", "--report", "a.csv"]).code;
        let value = format!("type:{from}=business");
        lab.run(&["check", "in.csv", "--report", "b.csv", "--value", &value]).ends(code);
        prop_assert_eq!(lab.read("a.csv"), lab.read("b.csv"));
    });
}
