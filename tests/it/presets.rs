//! Exports of other systems, with their preset and without.

use crate::harness::{FAST, Lab, Ran, Server, fixture};
use crate::proxy::{Harm, Proxy};

struct Export {
    file: &'static str,
    preset: &'static str,
    /// What the export does not have.
    more: &'static [&'static str],
    phone: &'static str,
}

const NO_COUNTRY: &[&str] = &["--set", "country=GB"];
const NEITHER: &[&str] = &["--set", "country=GB", "--set", "phone=+447911123456"];
const NO_PHONE: &[&str] = &["--set", "phone=+447911123456"];

const EXPORTS: [Export; 10] = [
    Export { file: "stripe-customers.csv", preset: "stripe", more: NEITHER, phone: "+447911123456" },
    Export { file: "stripe-payments.csv", preset: "stripe", more: NO_PHONE, phone: "+447911123456" },
    Export { file: "shopify-customers.csv", preset: "shopify", more: &[], phone: "+254712123456" },
    Export { file: "hubspot-contacts.csv", preset: "hubspot", more: &[], phone: "+254712123456" },
    Export { file: "salesforce-contacts.csv", preset: "salesforce", more: &[], phone: "+442079460018" },
    Export { file: "auth0-users.ndjson", preset: "auth0", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "supabase-users.csv", preset: "supabase", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "paypal-activity.csv", preset: "paypal", more: &[], phone: "+254712123456" },
    Export { file: "google-contacts.csv", preset: "google", more: &[], phone: "+254712123456" },
    Export { file: "google-contacts-older.csv", preset: "google", more: &[], phone: "+254712123456" },
];

impl Export {
    fn import(&self, lab: &Lab, url: &str, more: &[&str]) -> Ran {
        let input = lab.write(self.file, std::fs::read(fixture("exports").join(self.file)).unwrap());
        lab.run(&[&["import", input.to_str().unwrap(), "--base-url", url], &FAST[..], more].concat())
    }
}

#[test]
fn every_export_imports_with_its_preset_and_nothing_else_leaves_the_machine() {
    for export in EXPORTS {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        let proxy = Proxy::start(&server, Harm::None);
        export.import(&lab, &proxy.url, &[&["--from", export.preset], export.more].concat()).ends(0);
        assert_eq!(server.customers().len(), 3, "{}", export.file);
        let sent = proxy.seen(|seen| String::from_utf8(seen.sent.clone()).unwrap());
        // A key is of random digits, which may be anybody's.
        let is_key = |line: &&str| line.to_ascii_lowercase().starts_with("idempotency-key:");
        let sent: String = sent.lines().filter(|line| !is_key(line)).collect();
        for person in ["Ada Lovelace", "Wanjiru Kamau", "José García", export.phone] {
            assert!(sent.contains(person), "{person} of {} is missing in {sent}", export.file);
        }
        for secret in ["secret", "192.0.2.7", "$2a$", "4242", "1990-01-01"] {
            assert!(!sent.contains(secret), "{secret} of {} left the machine: {sent}", export.file);
        }
    }
}

#[test]
fn without_its_preset_an_export_is_refused_with_the_way_out() {
    for export in EXPORTS {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        export.import(&lab, &server.url, &[]).ends(65).says(&format!("--from {}", export.preset));
        assert_eq!(server.requests(), 0);
    }
}

#[test]
fn what_an_export_does_not_have_is_asked_for() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let [stripe, ..] = EXPORTS;
    let ran = stripe.import(&lab, &server.url, &["--from", "stripe"]).ends(65);
    ran.says("no column for customer_phone, customer_country").says("--set customer_country=CODE").says("were ticked");
    let ran = stripe.import(&lab, &server.url, &[]).ends(65);
    ran.says("--from stripe, and with it --map customer_phone=COLUMN").says("were ticked");
}

#[test]
fn the_column_that_a_preset_would_take_is_the_one_that_is_named() {
    let lab = Lab::new();
    let input = fixture("exports").join("salesforce-contacts.csv");
    let ran = lab.run(&["check", input.to_str().unwrap(), "--map", "customer_phone=Phone"]).ends(65);
    ran.says("--from salesforce; or ").says("--map customer_country=MailingCountry");
}

#[test]
fn an_export_that_would_be_read_otherwise_without_its_preset_is_refused() {
    let lab = Lab::new();
    let supabase = fixture("exports").join("supabase-users.csv");
    let given = ["--map", "name={first_name} {last_name}", "--set", "country=GB"];
    let ran = lab.run(&[&["check", supabase.to_str().unwrap()], &given[..]].concat()).ends(65);
    ran.says("customer_phone is \"+{phone}\", not \"phone\"").says("--map customer_phone=phone");
}

#[test]
fn a_map_comes_before_a_preset_and_check_shows_what_feeds_what() {
    let lab = Lab::new();
    let input = fixture("exports").join("shopify-customers.csv");
    let args = ["check", input.to_str().unwrap(), "--from", "shopify", "--map", "name={Last Name}, {First Name}"];
    let ran = lab.run(&args).ends(0).says("\"Phone\" or \"Default Address Phone\"");
    ran.says("template \"{Last Name}, {First Name}\"").says("(not used)");
    lab.run(&["check", input.to_str().unwrap(), "--from", "shopfiy"]).ends(2).says("shopify");
}

#[test]
fn a_column_that_is_not_there_names_the_nearest() {
    let lab = Lab::new();
    lab.customers(1);
    lab.run(&["check", "in.csv", "--keep", "custmer_name"]).ends(65).says("perhaps").says("customer_name");
}
