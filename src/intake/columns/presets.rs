//! The columns of other systems' exports. A preset names where a field is found; what it does not
//! name stays in the file, so that password hashes, IP addresses and notes of an export never leave
//! the machine by accident.

use std::fmt;
use std::str::FromStr;

use crate::domain::Field;

use super::rules::RuleError;

/// A system whose exports are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    Stripe,
    Shopify,
    Hubspot,
    Salesforce,
    Auth0,
    Supabase,
    Paypal,
    Google,
}

/// Where a field may be found: columns, or templates of columns; the first that a record fills.
type Sources = &'static [&'static str];

/// What is known of a system's exports.
struct Export {
    /// As `--from` has it.
    typed: &'static str,
    /// As its makers write it.
    title: &'static str,
    /// The columns that no other export has, a list for each form of the export.
    signs: &'static [Sources],
    name: Sources,
    email: Sources,
    phone: Sources,
    country: Sources,
    /// What to know if a field has no column.
    note: Option<&'static str>,
}

impl Preset {
    pub const ALL: [Self; 8] = [
        Self::Stripe,
        Self::Shopify,
        Self::Hubspot,
        Self::Salesforce,
        Self::Auth0,
        Self::Supabase,
        Self::Paypal,
        Self::Google,
    ];

    /// The table of what is known: an entry for each system.
    const fn export(self) -> &'static Export {
        match self {
            // Two exports, of customers and of payments.
            Self::Stripe => &Export {
                typed: "stripe",
                title: "Stripe",
                signs: &[
                    &["Created (UTC)", "Delinquent", "Email"],
                    &["Created (UTC)", "Seller Message", "Customer Email"],
                ],
                name: &["Name", "Card Name"],
                email: &["Email", "Customer Email"],
                phone: &["Phone"],
                country: &["Address Country", "Country", "Card Address Country"],
                note: Some(
                    "Stripe exports phone and country only where they were ticked: tick them and export again, or give them with --map or --set",
                ),
            },
            Self::Shopify => &Export {
                typed: "shopify",
                title: "Shopify",
                signs: &[&["First Name", "Email", "Accepts Email Marketing"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email"],
                phone: &["Phone", "Default Address Phone"],
                country: &["Default Address Country Code"],
                note: None,
            },
            Self::Hubspot => &Export {
                typed: "hubspot",
                title: "HubSpot",
                signs: &[&["Record ID", "First Name", "Email"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email"],
                phone: &["Phone Number", "Mobile Phone Number"],
                country: &["Country/Region"],
                note: None,
            },
            Self::Salesforce => &Export {
                typed: "salesforce",
                title: "Salesforce",
                signs: &[&["SystemModstamp", "LastName", "Email"]],
                name: &["Name", "{FirstName} {LastName}"],
                email: &["Email"],
                phone: &["MobilePhone", "Phone"],
                country: &["MailingCountry"],
                note: None,
            },
            Self::Auth0 => &Export {
                typed: "auth0",
                title: "Auth0",
                signs: &[&["user_id", "email_verified", "email"]],
                name: &["name", "{given_name} {family_name}"],
                email: &["email"],
                phone: &["phone_number"],
                country: &[],
                note: None,
            },
            // Its phone is E.164 without the plus.
            Self::Supabase => &Export {
                typed: "supabase",
                title: "Supabase",
                signs: &[&["instance_id", "raw_user_meta_data", "email"]],
                name: &["{first_name} {last_name}"],
                email: &["email"],
                phone: &["+{phone}"],
                country: &[],
                note: None,
            },
            Self::Paypal => &Export {
                typed: "paypal",
                title: "PayPal",
                signs: &[&["From Email Address", "Transaction ID", "Name"]],
                name: &["Name"],
                email: &["From Email Address"],
                phone: &["Contact Phone Number"],
                country: &["Country Code"],
                note: None,
            },
            // The header of today, and the one before it. Several addresses or phones in one cell
            // are parted by ` ::: `, and such a cell is a problem of its record.
            Self::Google => &Export {
                typed: "google",
                title: "Google Contacts",
                signs: &[&["First Name", "E-mail 1 - Value"], &["Given Name", "E-mail 1 - Value"]],
                name: &[
                    "Name",
                    "{First Name} {Middle Name} {Last Name}",
                    "{Given Name} {Additional Name} {Family Name}",
                ],
                email: &["E-mail 1 - Value"],
                phone: &["Phone 1 - Value"],
                country: &["Address 1 - Country"],
                note: None,
            },
        }
    }

    const fn as_str(self) -> &'static str {
        self.export().typed
    }

    /// As its makers write it.
    pub(crate) const fn title(self) -> &'static str {
        self.export().title
    }

    /// Where an export of this system has a field; empty if it has none.
    pub(crate) const fn sources(self, field: Field) -> Sources {
        let export = self.export();
        match field {
            Field::Name => export.name,
            Field::Email => export.email,
            Field::Phone => export.phone,
            Field::Country => export.country,
            Field::Type | Field::SendKycMail => &[],
        }
    }

    /// What to know if an export of this system lacks a field.
    pub(crate) const fn note(self) -> Option<&'static str> {
        self.export().note
    }

    /// The system that a header belongs to, by columns that no other export has.
    pub(crate) fn guess(names: &[String]) -> Option<Self> {
        let has = |wanted: &Sources| wanted.iter().all(|wanted| names.iter().any(|name| name == wanted));
        Self::ALL.into_iter().find(|preset| preset.export().signs.iter().any(has))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.as_str() == text)
            .ok_or_else(|| RuleError::new(format!("write one of {}", Self::ALL.map(Self::as_str).join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::columns::rules::{MapRule, Recipe, TypedPart};

    /// The exports' own headers; NDJSON keys for Auth0.
    fn headers() -> Vec<(Preset, Vec<String>)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports");
        let files = [
            (Preset::Stripe, "stripe-customers.csv"),
            (Preset::Stripe, "stripe-payments.csv"),
            (Preset::Shopify, "shopify-customers.csv"),
            (Preset::Hubspot, "hubspot-contacts.csv"),
            (Preset::Salesforce, "salesforce-contacts.csv"),
            (Preset::Supabase, "supabase-users.csv"),
            (Preset::Paypal, "paypal-activity.csv"),
            (Preset::Google, "google-contacts.csv"),
            (Preset::Google, "google-contacts-older.csv"),
        ];
        let header = |name: &str| {
            let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
            reader.headers().unwrap().iter().map(str::to_owned).collect()
        };
        files.into_iter().map(|(preset, name)| (preset, header(name))).collect()
    }

    #[test]
    fn an_export_is_known_by_its_header_and_a_plain_file_is_none() {
        for (preset, header) in headers() {
            assert_eq!(Preset::guess(&header), Some(preset));
        }
        let plain = ["Name", "Email", "Phone", "Country", "Customer ID"].map(str::to_owned);
        assert_eq!(Preset::guess(&plain), None);
    }

    #[test]
    fn every_source_is_a_column_or_a_template() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
            for field in Field::ALL {
                for source in preset.sources(field) {
                    assert!(MapRule::made(field, source).is_ok(), "{preset} {source}");
                }
            }
        }
        let rule = MapRule::made(Field::Phone, "+{phone}").unwrap();
        assert_eq!(
            rule.recipe,
            Recipe::Template(vec![TypedPart::Text("+".to_owned()), TypedPart::Column("phone".to_owned())])
        );
    }
}
