//! Exports of other systems, with their preset and without.

use customer_import::intake::Preset;

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

const EXPORTS: [Export; 30] = [
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
    Export { file: "outlook-contacts.csv", preset: "outlook", more: &[], phone: "+254712123456" },
    Export { file: "outlook-web-contacts.csv", preset: "outlook", more: &[], phone: "+254712123456" },
    Export { file: "mailchimp-audience.csv", preset: "mailchimp", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "klaviyo-profiles.csv", preset: "klaviyo", more: &[], phone: "+254712123456" },
    Export { file: "woocommerce-customers.csv", preset: "woocommerce", more: NO_PHONE, phone: "+447911123456" },
    Export { file: "magento-customers.csv", preset: "magento", more: NEITHER, phone: "+447911123456" },
    Export { file: "magento-customer-addresses.csv", preset: "magento", more: &[], phone: "+254712123456" },
    Export { file: "magento-customer-composite.csv", preset: "magento", more: &[], phone: "+254712123456" },
    Export { file: "zendesk-users.ndjson", preset: "zendesk", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "intercom-contacts.ndjson", preset: "intercom", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "xero-contacts.csv", preset: "xero", more: &[], phone: "+254712123456" },
    Export {
        file: "quickbooks-customer-contact-list.csv",
        preset: "quickbooks",
        more: NO_COUNTRY,
        phone: "+254712123456",
    },
    Export { file: "odoo-contacts.csv", preset: "odoo", more: &[], phone: "+254712123456" },
    Export { file: "keycloak-users.ndjson", preset: "keycloak", more: NEITHER, phone: "+447911123456" },
    Export { file: "okta-users.csv", preset: "okta", more: &[], phone: "+254712123456" },
    Export { file: "okta-users.ndjson", preset: "okta", more: &[], phone: "+254712123456" },
    Export { file: "cognito-users.csv", preset: "cognito", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "firebase-auth-users.ndjson", preset: "firebase", more: NO_COUNTRY, phone: "+254712123456" },
    Export { file: "chargebee-customers.ndjson", preset: "chargebee", more: &[], phone: "+254712123456" },
    Export { file: "square-customers.ndjson", preset: "square", more: &[], phone: "+254712123456" },
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
        // A key and a port have random digits, so any digits may be in them.
        let is_random = |line: &&str| {
            let line = line.to_ascii_lowercase();
            line.starts_with("idempotency-key:") || line.starts_with("host:")
        };
        let sent: String = sent.lines().filter(|line| !is_random(line)).collect();
        for person in ["Ada Lovelace", "Wanjiru Kamau", "José García", export.phone] {
            assert!(sent.contains(person), "{person} of {} is missing in {sent}", export.file);
        }
        for country in ["GBR", "KEN", "ESP"] {
            let is_its_own = !export.more.contains(&"country=GB");
            assert!(!is_its_own || sent.contains(country), "{country} of {} is missing in {sent}", export.file);
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
fn check_finds_the_preset_of_every_export_and_its_command_reads_what_is_whole() {
    let program = crate::harness::program().to_string_lossy().into_owned();
    for export in EXPORTS {
        let lab = Lab::new();
        lab.write(export.file, std::fs::read(fixture("exports").join(export.file)).unwrap());
        let refused = lab.run(&["check", export.file]).ends(65).says(&format!("--from {}", export.preset));
        let line = refused.stderr.lines().find_map(|line| Some(&line[line.find(&program)?..])).unwrap();
        if export.more.is_empty() {
            lab.shell(line).ends(0).says("3  to send");
        }
    }
}

#[test]
fn what_an_export_does_not_have_is_asked_for() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let [stripe, ..] = EXPORTS;
    let ran = stripe.import(&lab, &server.url, &["--from", "stripe"]).ends(65);
    ran.says("no column for customer_phone, customer_country").says("--set customer_country=CODE").says("are ticked");
    let ran = stripe.import(&lab, &server.url, &[]).ends(65);
    ran.says("--from stripe --map customer_phone=COLUMN").says("are ticked");
}

#[test]
fn the_column_that_a_preset_would_take_is_the_one_that_is_named() {
    let lab = Lab::new();
    let input = fixture("exports").join("salesforce-contacts.csv");
    let ran = lab.run(&["check", input.to_str().unwrap(), "--map", "customer_phone=Phone"]).ends(65);
    ran.says("--from salesforce\n  or: ").says("--map customer_country=MailingCountry");
}

#[test]
fn the_help_and_the_docs_name_every_preset() {
    let help = Lab::new().run(&["check", "--help"]).stdout;
    let words: Vec<&str> = help.split(|character: char| !character.is_alphanumeric()).collect();
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/input.md");
    let page = std::fs::read_to_string(page).unwrap();
    for preset in Preset::ALL.map(|preset| preset.to_string()) {
        assert!(words.contains(&preset.as_str()), "{preset} is not in the help");
        assert!(page.contains(&format!("| `{preset}` |")), "{preset} is not in docs/reference/input.md");
        assert!(EXPORTS.iter().any(|export| export.preset == preset), "{preset} has no export");
    }
}

#[test]
fn an_export_that_would_be_read_otherwise_without_its_preset_is_refused() {
    let lab = Lab::new();
    let okta = fixture("exports").join("okta-users.csv");
    let ran = lab.run(&["check", okta.to_str().unwrap()]).ends(65);
    ran.says("customer_name is \"{firstName} {lastName}\", not \"displayName\"").says("--from okta");
    let mapped = ["--map", "name={firstName} {lastName}", "--set", "phone=+447911123456"];
    lab.run(&[&["check", okta.to_str().unwrap()], &mapped[..]].concat()).ends(0);

    let odoo = "Name,Company Type,Related Company,Country,Phone,Email\n\
                Ada Lovelace,Individual,,GB,+447911123456,ada@example.com\n\
                Engines Ltd,Company,,GB,+447911123457,engines@example.com\n";
    lab.write("odoo.csv", odoo);
    let ran = lab.run(&["check", "odoo.csv"]).ends(65);
    ran.says("customer_type is \"Company Type\"").says("--from odoo").says("--set customer_type=VALUE");
    lab.run(&["check", "odoo.csv", "--from", "odoo"]).ends(1).says("type.unknown").says("write individual or business");
    lab.run(&["check", "odoo.csv", "--set", "type=individual"]).ends(0);

    let supabase = fixture("exports").join("supabase-users.csv");
    let given = ["--map", "name={first_name} {last_name}", "--set", "country=GB"];
    let ran = lab.run(&[&["check", supabase.to_str().unwrap()], &given[..]].concat()).ends(65);
    ran.says("customer_phone is \"+{phone}\", not \"phone\"").says("--map customer_phone=phone");
    let fallback = ["--set", "phone=+447911123456"];
    lab.run(&[&["check", supabase.to_str().unwrap()], &given[..], &fallback[..]].concat()).ends(65);
}

#[test]
fn an_export_whose_columns_say_what_they_are_needs_no_preset() {
    let lab = Lab::new();
    let grid = fixture("exports").join("magento-customer-grid.csv");
    lab.run(&["check", grid.to_str().unwrap()]).ends(0).says("3  to send");
    lab.run(&["check", grid.to_str().unwrap(), "--from", "magento"]).ends(0).says("3  to send");
}

#[test]
fn the_hint_says_what_else_to_know_of_an_export() {
    let lab = Lab::new();
    for (file, words) in [
        ("zendesk-users.ndjson", "--where role=end-user"),
        ("magento-customers.csv", "export Customer Addresses"),
        ("mailchimp-audience.csv", "CC and REGION"),
        ("keycloak-users.ndjson", ".attributes.phoneNumber[0]"),
    ] {
        let input = fixture("exports").join(file);
        lab.run(&["check", input.to_str().unwrap()]).ends(65).says(words);
    }
    let intercom = fixture("exports").join("intercom-contacts.ndjson");
    let ran = lab.run(&["check", intercom.to_str().unwrap()]).ends(65).says("--map customer_country=COLUMN");
    ran.says("from an IP address");
}

#[test]
fn an_export_without_a_header_or_with_lines_above_it_is_named_with_the_way_out() {
    let lab = Lab::new();
    let commas = ",".repeat(17);
    let user = |email: &str| {
        format!(
            "invented,{email},true,secret-hash,secret-salt,Ada Lovelace{commas},1767323045000,,+447911123456,false,,\n"
        )
    };
    lab.write("users.csv", [user("ada@example.com"), user("wanjiru@example.com")].concat());
    lab.run(&["check", "users.csv"]).ends(65).says("firebase auth:export").says("jq -c '.users[]'");
    lab.write("phones.csv", [user(""), user("ada@example.com")].concat());
    lab.run(&["check", "phones.csv"]).ends(65).says("firebase auth:export");

    let report = std::fs::read_to_string(fixture("exports").join("quickbooks-customer-contact-list.csv")).unwrap();
    lab.write("report.csv", format!("\"Example Co, LLC\",,,,,\nCustomer Contact List,,,,,\n\n{report}"));
    lab.run(&["check", "report.csv"]).ends(65).says("line 4 looks like the header: delete the lines above it");
}

#[test]
fn several_addresses_or_phones_in_one_cell_are_never_one_customer() {
    let lab = Lab::new();
    let header = "First Name,Last Name,E-mail 1 - Value,Phone 1 - Value,Address 1 - Country\n";
    let rows = "Ada,Lovelace,ada@example.com ::: secret@example.com,+447911123456,GB\n\
                José,García,jose@example.com,+34612345678 ::: +34612345679,ES\n";
    lab.write("contacts.csv", format!("{header}{rows}"));
    let ran = lab.run(&["check", "contacts.csv", "--from", "google"]).ends(1);
    ran.says("1  email.several").says("1  phone.several").says("2  invalid");
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
