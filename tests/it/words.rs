//! Files as people write them, in their languages: what the program proposes is enough to import
//! them, and every customer becomes who the file says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{FAST, Lab, Server, fixture};
use crate::proxy::{Harm, Proxy};

/// What a file's header means, as the program proposes it.
pub(crate) const PEOPLE: [(&str, &str); 5] = [
    ("german.csv", "customer_name={Vorname} {Nachname}"),
    ("spanish.csv", "customer_name={Nombre} {Apellidos}"),
    ("french.csv", "customer_name={Prénom} {Nom}"),
    ("turkish.csv", "customer_name={Ad} {Soyad}"),
    ("japanese.csv", "customer_name={姓} {名}"),
];

const EMAIL: [&str; 5] = ["E-Mail-Adresse", "Correo electrónico", "Adresse e-mail", "E-posta", "メールアドレス"];

/// The country, phone and name that each good row means, by its e-mail. The column `Probe` has
/// them.
pub(crate) fn expected(lab: &Lab, name: &str) -> BTreeMap<String, String> {
    let text = lab.read(name);
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |is_wanted: &dyn Fn(&str) -> bool| header.iter().position(is_wanted).unwrap();
    let (probe, email) = (at(&|name| name == "Probe"), at(&|name| EMAIL.contains(&name)));
    let rows = reader.records().map(Result::unwrap).filter(|row| !row[probe].is_empty());
    rows.map(|row| (row[email].to_owned(), row[probe].to_owned())).collect()
}

#[test]
fn what_is_proposed_is_enough_for_a_file_in_another_language() {
    for (file, proposed) in PEOPLE {
        let lab = Lab::new();
        lab.write(file, std::fs::read(fixture("people").join(file)).unwrap());
        lab.run(&["check", file]).ends(65).says(&format!("check {file} --map '{proposed}'\n"));
        let expected = expected(&lab, file);
        assert_eq!(expected.len(), 190, "{file}");
        lab.run(&["check", file, "--map", proposed]).ends(1).says("190");

        let server = Server::start(&lab, &[]);
        let proxy = Proxy::start(&server, Harm::None);
        lab.run(&[&["import", file, "--map", proposed, "--base-url", &proxy.url], &FAST[..]].concat()).ends(1);
        let bodies = proxy.seen(|seen| seen.bodies.clone());
        let sent: BTreeMap<String, String> = bodies.iter().map(|body| sent(body)).collect();
        assert_eq!(sent, expected, "{file}");
    }
}

/// The e-mail of a request, and its country, phone and name.
pub(crate) fn sent(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let rest = ["customer_country", "customer_phone", "customer_name"].map(text);
    (text("customer_email"), rest.join(" "))
}

#[test]
fn half_a_name_is_never_sent_as_the_name() {
    let lab = Lab::new();
    for (header, proposed) in [
        ("Name;Vorname", "{Vorname} {Name}"),
        ("Nom;Prénom", "{Prénom} {Nom}"),
        ("Nombre;Apellido", "{Nombre} {Apellido}"),
        ("Имя;Фамилия", "{Имя} {Фамилия}"),
    ] {
        lab.write("in.csv", format!("{header};E-Mail;Telefon;Land\nA;B;a@example.com;+4915123456789;Deutschland\n"));
        lab.run(&["check", "in.csv"]).ends(65).says(&format!("check in.csv --map 'customer_name={proposed}'\n"));
    }
    for name in ["Name", "Nom", "Nombre", "Имя", "氏名", "ФИО", "Ad Soyad"] {
        lab.write("in.csv", format!("{name};E-Mail;Telefon;Land\nA B;a@example.com;+4915123456789;Deutschland\n"));
        lab.run(&["check", "in.csv"]).ends(0);
    }
}

#[test]
fn of_two_columns_with_words_of_one_field_none_is_chosen() {
    let lab = Lab::new();
    lab.write("in.csv", "Name;E-Mail;Telefon;Handy;Land\nA;a@example.com;+4915123456789;+4915123456780;D\n");
    lab.run(&["check", "in.csv"]).ends(65).says("more than one column may be customer_phone: Telefon, Handy");
    // A word of English is taken as before, whatever else there is.
    lab.write("in.csv", "Name;E-Mail;Phone;Handy;Land\nA;a@example.com;+4915123456789;+4915123456780;D\n");
    lab.run(&["check", "in.csv"]).ends(0);
}
