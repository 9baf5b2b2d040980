//! The columns of other systems' exports. A preset lists where each field is found. Columns that it
//! does not list stay in the file, so that password hashes, IP addresses and notes of an export do
//! not leave the machine by accident.

use std::fmt;
use std::str::FromStr;

use crate::domain::Field;

use super::rules::RuleError;
use super::spelling::did_you_mean;

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
    Outlook,
    Mailchimp,
    Klaviyo,
    Woocommerce,
    Magento,
    Zendesk,
    Intercom,
    Xero,
    Quickbooks,
    Odoo,
    Keycloak,
    Okta,
    Cognito,
    Firebase,
    Chargebee,
    Square,
}

/// Where a field can be found: columns, or templates of columns. The first one that is not empty in
/// a record is used.
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
    kind: Sources,
    /// Columns, and what is within them, that look like a field but are not one.
    unfit: Sources,
    /// What to know if a field has no column.
    note: Option<&'static str>,
}

/// An export that has no field.
const BARE: Export = Export {
    typed: "",
    title: "",
    signs: &[],
    name: &[],
    email: &[],
    phone: &[],
    country: &[],
    kind: &[],
    unfit: &[],
    note: None,
};

impl Preset {
    pub const ALL: [Self; 24] = [
        Self::Stripe,
        Self::Shopify,
        Self::Hubspot,
        Self::Salesforce,
        Self::Auth0,
        Self::Supabase,
        Self::Paypal,
        Self::Google,
        Self::Outlook,
        Self::Mailchimp,
        Self::Klaviyo,
        Self::Woocommerce,
        Self::Magento,
        Self::Zendesk,
        Self::Intercom,
        Self::Xero,
        Self::Quickbooks,
        Self::Odoo,
        Self::Keycloak,
        Self::Okta,
        Self::Cognito,
        Self::Firebase,
        Self::Chargebee,
        Self::Square,
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
                    "Stripe exports phone and country only if they are ticked: tick them and export again, or give them with --map or --set",
                ),
                ..BARE
            },
            Self::Shopify => &Export {
                typed: "shopify",
                title: "Shopify",
                signs: &[&["First Name", "Email", "Accepts Email Marketing"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email"],
                phone: &["Phone", "Default Address Phone"],
                country: &["Default Address Country Code"],
                ..BARE
            },
            Self::Hubspot => &Export {
                typed: "hubspot",
                title: "HubSpot",
                signs: &[&["Record ID", "First Name", "Email"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email"],
                phone: &["Phone Number", "Mobile Phone Number"],
                country: &["Country/Region"],
                ..BARE
            },
            Self::Salesforce => &Export {
                typed: "salesforce",
                title: "Salesforce",
                signs: &[&["SystemModstamp", "LastName", "Email"]],
                name: &["Name", "{FirstName} {LastName}"],
                email: &["Email"],
                phone: &["MobilePhone", "Phone"],
                country: &["MailingCountry"],
                ..BARE
            },
            Self::Auth0 => &Export {
                typed: "auth0",
                title: "Auth0",
                signs: &[&["user_id", "email_verified", "email"]],
                name: &["name", "{given_name} {family_name}"],
                email: &["email"],
                phone: &["phone_number"],
                ..BARE
            },
            // Its phone is E.164 without the plus.
            Self::Supabase => &Export {
                typed: "supabase",
                title: "Supabase",
                signs: &[&["instance_id", "raw_user_meta_data", "email"]],
                name: &["{first_name} {last_name}"],
                email: &["email"],
                phone: &["+{phone}"],
                ..BARE
            },
            Self::Paypal => &Export {
                typed: "paypal",
                title: "PayPal",
                signs: &[&["From Email Address", "Transaction ID", "Name"]],
                name: &["Name"],
                email: &["From Email Address"],
                phone: &["Contact Phone Number"],
                country: &["Country Code"],
                ..BARE
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
                    "{First Name} {Last Name}",
                    "{Given Name} {Additional Name} {Family Name}",
                ],
                email: &["E-mail 1 - Value"],
                phone: &["Phone 1 - Value"],
                country: &["Address 1 - Country"],
                ..BARE
            },
            // Outlook for Windows and Outlook on the web. Phone and country are the private ones if
            // both are there, because a national number is read by the rules of the country.
            Self::Outlook => &Export {
                typed: "outlook",
                title: "Outlook",
                signs: &[&["First Name", "E-mail Address", "E-mail 2 Address"]],
                name: &["{First Name} {Middle Name} {Last Name}", "{First Name} {Last Name}"],
                email: &["E-mail Address"],
                phone: &["Mobile Phone", "Primary Phone", "Home Phone", "Business Phone"],
                country: &["Home Country/Region", "Home Country", "Business Country/Region", "Business Country"],
                ..BARE
            },
            Self::Mailchimp => &Export {
                typed: "mailchimp",
                title: "Mailchimp",
                signs: &[&["Email Address", "MEMBER_RATING", "OPTIN_TIME"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email Address"],
                phone: &["Phone Number", "Phone"],
                unfit: &["CC", "REGION"],
                note: Some("Mailchimp guesses CC and REGION from an IP address, so they are not taken as the country"),
                ..BARE
            },
            Self::Klaviyo => &Export {
                typed: "klaviyo",
                title: "Klaviyo",
                signs: &[&["Email", "Klaviyo ID"]],
                name: &["{First Name} {Last Name}"],
                email: &["Email"],
                phone: &["Phone Number"],
                country: &["Country"],
                ..BARE
            },
            Self::Woocommerce => &Export {
                typed: "woocommerce",
                title: "WooCommerce",
                signs: &[&["Last Active", "Sign Up", "AOV"]],
                name: &["Name"],
                email: &["Email"],
                country: &["Country / Region"],
                note: Some("the customers report of WooCommerce has no phone"),
                ..BARE
            },
            // The exports of customers, of their addresses and of both, and the grid of customers.
            Self::Magento => &Export {
                typed: "magento",
                title: "Magento",
                signs: &[
                    &["email", "_website", "_store", "password_hash"],
                    &["_email", "_website", "_entity_id", "telephone"],
                    &["Email", "Customer Since", "Web Site"],
                ],
                name: &["Name", "{firstname} {middlename} {lastname}", "{firstname} {lastname}"],
                email: &["email"],
                phone: &["Phone", "telephone", "_address_telephone"],
                country: &["Country", "country_id", "_address_country_id"],
                note: Some(
                    "Magento's Customers Main File has neither phone nor country: export Customer Addresses, which has both",
                ),
                ..BARE
            },
            Self::Zendesk => &Export {
                typed: "zendesk",
                title: "Zendesk",
                signs: &[&["email", "role", "shared_phone_number"]],
                name: &["name"],
                email: &["email"],
                phone: &["phone"],
                note: Some(
                    "agents and admins are among the users of Zendesk: import the customers alone with --where role=end-user",
                ),
                ..BARE
            },
            Self::Intercom => &Export {
                typed: "intercom",
                title: "Intercom",
                signs: &[&["email", "workspace_id", "external_id"]],
                name: &["name"],
                email: &["email"],
                phone: &["phone"],
                unfit: &["location"],
                note: Some("Intercom guesses a location from an IP address, so it is not taken as the country"),
                ..BARE
            },
            // Its template for imports marks the column that must be filled.
            Self::Xero => &Export {
                typed: "xero",
                title: "Xero",
                signs: &[&["EmailAddress", "POCountry", "DDINumber"]],
                name: &["ContactName", "*ContactName"],
                email: &["EmailAddress"],
                phone: &["MobileNumber", "PhoneNumber"],
                country: &["POCountry", "SACountry"],
                ..BARE
            },
            // The report Customer Contact List of QuickBooks Online, in the spelling of today and
            // in an older one. `Full name` is a contact, not the customer.
            Self::Quickbooks => &Export {
                typed: "quickbooks",
                title: "QuickBooks",
                signs: &[
                    &["Customer full name", "Phone numbers", "Email"],
                    &["Customer", "Phone Numbers", "Email", "Full Name"],
                ],
                name: &["Customer full name", "Customer"],
                email: &["Email"],
                phone: &["Phone numbers"],
                note: Some("QuickBooks may write the kind of a phone before its number: delete Fax: … and the like"),
                ..BARE
            },
            Self::Odoo => &Export {
                typed: "odoo",
                title: "Odoo",
                signs: &[&["Name", "Company Type", "Related Company"]],
                name: &["Name"],
                email: &["Email"],
                phone: &["Mobile", "Phone"],
                country: &["Country"],
                kind: &["Company Type"],
                note: Some("Odoo exports the fields that are chosen: choose Email, Phone, Mobile and Country"),
                ..BARE
            },
            Self::Keycloak => &Export {
                typed: "keycloak",
                title: "Keycloak",
                signs: &[&["createdTimestamp", "username", "emailVerified"]],
                name: &["{firstName} {lastName}"],
                email: &["email"],
                unfit: &["attributes"],
                note: Some(
                    "attributes of Keycloak are lists: jq -c '(.users // [.])[] | .phone = .attributes.phoneNumber[0]' FILE > customers.ndjson turns one into a phone",
                ),
                ..BARE
            },
            // The file that Okta imports, and the users as its API lists them.
            Self::Okta => &Export {
                typed: "okta",
                title: "Okta",
                signs: &[&["login", "email", "secondEmail", "primaryPhone"], &["profile.login", "profile.email"]],
                name: &["{firstName} {lastName}", "{profile.firstName} {profile.lastName}"],
                email: &["email", "profile.email"],
                phone: &["mobilePhone", "primaryPhone", "profile.mobilePhone", "profile.primaryPhone"],
                country: &["countryCode", "profile.countryCode"],
                ..BARE
            },
            // The file that Cognito imports.
            Self::Cognito => &Export {
                typed: "cognito",
                title: "Cognito",
                signs: &[&["cognito:username", "email"]],
                name: &["name", "{given_name} {family_name}"],
                email: &["email"],
                phone: &["phone_number"],
                ..BARE
            },
            Self::Firebase => &Export {
                typed: "firebase",
                title: "Firebase Auth",
                signs: &[&["localId", "email"]],
                name: &["displayName"],
                email: &["email"],
                phone: &["phoneNumber"],
                ..BARE
            },
            Self::Chargebee => &Export {
                typed: "chargebee",
                title: "Chargebee",
                signs: &[&["email", "auto_collection", "net_term_days"]],
                name: &["{first_name} {last_name}"],
                email: &["email"],
                phone: &["phone"],
                country: &["billing_address.country"],
                ..BARE
            },
            Self::Square => &Export {
                typed: "square",
                title: "Square",
                signs: &[&["given_name", "email_address", "creation_source"]],
                name: &["{given_name} {family_name}"],
                email: &["email_address"],
                phone: &["phone_number"],
                country: &["address.country"],
                ..BARE
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
            Field::Type => export.kind,
            Field::SendKycMail => &[],
        }
    }

    /// Whether a column of such an export looks like a field but is not one.
    pub(crate) fn is_unfit(self, name: &str) -> bool {
        let is_within =
            |outer: &&str| name.strip_prefix(*outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.export().unfit.iter().any(is_within)
    }

    /// What to know if an export of this system lacks a field.
    pub(crate) const fn note(self) -> Option<&'static str> {
        self.export().note
    }

    /// Returns the system whose export has this header, recognized by columns that only its exports
    /// have. Returns `None` if no system fits.
    pub(crate) fn guess(names: &[String]) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.wrote(names))
    }

    /// Returns what to do with an export that has no header, by its first record, or `None` if it
    /// is not known.
    /// `firebase auth:export users.csv` writes 26 to 29 cells, of which the third is a boolean.
    pub(crate) fn headless(record: &[String]) -> Option<&'static str> {
        let is_firebase = (26..=29).contains(&record.len()) && matches!(record[2].as_str(), "true" | "false");
        is_firebase.then_some(
            "this looks like the CSV of firebase auth:export, which has no header: export users.json instead, then jq -c '.users[]' users.json > customers.ndjson, and --from firebase",
        )
    }

    fn wrote(self, names: &[String]) -> bool {
        let has = |wanted: &Sources| wanted.iter().all(|wanted| names.iter().any(|name| name == wanted));
        self.export().signs.iter().any(has)
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
        Self::ALL.into_iter().find(|preset| preset.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            RuleError::new(format!("{}write one of {}", did_you_mean(text, &names), names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::columns::rules::{MapRule, Recipe, TypedPart};

    const FILES: [(Preset, &str); 31] = [
        (Preset::Stripe, "stripe-customers.csv"),
        (Preset::Stripe, "stripe-payments.csv"),
        (Preset::Shopify, "shopify-customers.csv"),
        (Preset::Hubspot, "hubspot-contacts.csv"),
        (Preset::Salesforce, "salesforce-contacts.csv"),
        (Preset::Auth0, "auth0-users.ndjson"),
        (Preset::Supabase, "supabase-users.csv"),
        (Preset::Paypal, "paypal-activity.csv"),
        (Preset::Google, "google-contacts.csv"),
        (Preset::Google, "google-contacts-older.csv"),
        (Preset::Outlook, "outlook-contacts.csv"),
        (Preset::Outlook, "outlook-web-contacts.csv"),
        (Preset::Mailchimp, "mailchimp-audience.csv"),
        (Preset::Klaviyo, "klaviyo-profiles.csv"),
        (Preset::Woocommerce, "woocommerce-customers.csv"),
        (Preset::Magento, "magento-customers.csv"),
        (Preset::Magento, "magento-customer-addresses.csv"),
        (Preset::Magento, "magento-customer-composite.csv"),
        (Preset::Magento, "magento-customer-grid.csv"),
        (Preset::Zendesk, "zendesk-users.ndjson"),
        (Preset::Intercom, "intercom-contacts.ndjson"),
        (Preset::Xero, "xero-contacts.csv"),
        (Preset::Quickbooks, "quickbooks-customer-contact-list.csv"),
        (Preset::Odoo, "odoo-contacts.csv"),
        (Preset::Keycloak, "keycloak-users.ndjson"),
        (Preset::Okta, "okta-users.csv"),
        (Preset::Okta, "okta-users.ndjson"),
        (Preset::Cognito, "cognito-users.csv"),
        (Preset::Firebase, "firebase-auth-users.ndjson"),
        (Preset::Chargebee, "chargebee-customers.ndjson"),
        (Preset::Square, "square-customers.ndjson"),
    ];

    /// The columns of a file, or the keys of its first object.
    fn names(file: &str) -> Vec<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        if file.ends_with(".csv") {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            return reader.headers().unwrap().iter().map(str::to_owned).collect();
        }
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let mut keys = Vec::new();
        collect(&first, "", &mut keys);
        keys
    }

    fn collect(object: &serde_json::Value, prefix: &str, keys: &mut Vec<String>) {
        for (key, value) in object.as_object().into_iter().flatten() {
            let path = format!("{prefix}{key}");
            collect(value, &format!("{path}."), keys);
            keys.push(path);
        }
    }

    #[test]
    fn an_export_is_known_by_its_header_and_a_plain_file_is_none() {
        for (preset, file) in FILES {
            let names = names(file);
            assert_eq!(Preset::guess(&names), Some(preset), "{file}");
            let others = Preset::ALL.into_iter().filter(|other| *other != preset);
            assert!(others.into_iter().all(|other| !other.wrote(&names)), "{file}");
        }
        for preset in Preset::ALL {
            assert!(FILES.iter().any(|(known, _)| *known == preset), "{preset} has no file");
        }
        for plain in [
            ["Name", "Email", "Phone", "Country", "Customer ID"],
            ["First Name", "Last Name", "E-mail Address", "Mobile Phone", "Country"],
            ["email", "name", "phone", "role", "created_at"],
        ] {
            assert_eq!(Preset::guess(&plain.map(str::to_owned)), None);
        }
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
