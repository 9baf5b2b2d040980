//! The columns of other systems' exports. A preset lists where each field is found. Columns that it
//! does not list stay in the file, so that password hashes, IP addresses and notes of an export do
//! not leave the machine by accident.

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
}

/// Where a field can be found: columns, or templates of columns. The first one that is not empty in
/// a record is used.
type Sources = &'static [&'static str];

impl Preset {
    pub const ALL: [Self; 7] =
        [Self::Stripe, Self::Shopify, Self::Hubspot, Self::Salesforce, Self::Auth0, Self::Supabase, Self::Paypal];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Shopify => "shopify",
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Auth0 => "auth0",
            Self::Supabase => "supabase",
            Self::Paypal => "paypal",
        }
    }

    /// Returns the name as its makers write it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe",
            Self::Shopify => "Shopify",
            Self::Hubspot => "HubSpot",
            Self::Salesforce => "Salesforce",
            Self::Auth0 => "Auth0",
            Self::Supabase => "Supabase",
            Self::Paypal => "PayPal",
        }
    }

    /// Returns where a field can be found. Stripe has two exports, of customers and of payments.
    /// Its phone and country columns exist only if they were ticked.
    pub(crate) const fn sources(self, field: Field) -> Sources {
        match (self, field) {
            (Self::Stripe, Field::Name) => &["Name", "Card Name"],
            (Self::Stripe, Field::Email) => &["Email", "Customer Email"],
            (Self::Stripe, Field::Phone) => &["Phone"],
            (Self::Stripe, Field::Country) => &["Address Country", "Country", "Card Address Country"],
            (Self::Shopify, Field::Name) => &["{First Name} {Last Name}"],
            (Self::Shopify, Field::Email) => &["Email"],
            (Self::Shopify, Field::Phone) => &["Phone", "Default Address Phone"],
            (Self::Shopify, Field::Country) => &["Default Address Country Code"],
            (Self::Hubspot, Field::Name) => &["{First Name} {Last Name}"],
            (Self::Hubspot, Field::Email) => &["Email"],
            (Self::Hubspot, Field::Phone) => &["Phone Number", "Mobile Phone Number"],
            (Self::Hubspot, Field::Country) => &["Country/Region"],
            (Self::Salesforce, Field::Name) => &["Name", "{FirstName} {LastName}"],
            (Self::Salesforce, Field::Email) => &["Email"],
            (Self::Salesforce, Field::Phone) => &["MobilePhone", "Phone"],
            (Self::Salesforce, Field::Country) => &["MailingCountry"],
            (Self::Auth0, Field::Name) => &["name", "{given_name} {family_name}"],
            (Self::Auth0, Field::Email) => &["email"],
            (Self::Auth0, Field::Phone) => &["phone_number"],
            (Self::Supabase, Field::Name) => &["{first_name} {last_name}"],
            (Self::Supabase, Field::Email) => &["email"],
            // The export has E.164 without its plus.
            (Self::Supabase, Field::Phone) => &["+{phone}"],
            (Self::Paypal, Field::Name) => &["Name"],
            (Self::Paypal, Field::Email) => &["From Email Address"],
            (Self::Paypal, Field::Phone) => &["Contact Phone Number"],
            (Self::Paypal, Field::Country) => &["Country Code"],
            (Self::Auth0 | Self::Supabase, Field::Country) | (_, Field::Type | Field::SendKycMail) => &[],
        }
    }

    /// Returns why an export may lack a field that it could have, or `None` if it does not lack it.
    pub(crate) const fn reason_to_lack(self, field: Field) -> Option<&'static str> {
        match (self, field) {
            (Self::Stripe, Field::Phone | Field::Country) => Some(
                "Stripe exports phone and country only if they are ticked: tick them and export again, or give them with --map or --set",
            ),
            _ => None,
        }
    }

    /// Returns the system whose export has this header, recognized by columns that only its exports
    /// have. Returns `None` if no system fits.
    pub(crate) fn guess(names: &[String]) -> Option<Self> {
        let has = |wanted: &[&str]| wanted.iter().all(|wanted| names.iter().any(|name| name == wanted));
        let signs: [(Self, &[&str]); 8] = [
            (Self::Stripe, &["Created (UTC)", "Delinquent", "Email"]),
            (Self::Stripe, &["Created (UTC)", "Seller Message", "Customer Email"]),
            (Self::Shopify, &["First Name", "Email", "Accepts Email Marketing"]),
            (Self::Hubspot, &["Record ID", "First Name", "Email"]),
            (Self::Salesforce, &["SystemModstamp", "LastName", "Email"]),
            (Self::Auth0, &["user_id", "email_verified", "email"]),
            (Self::Supabase, &["instance_id", "raw_user_meta_data", "email"]),
            (Self::Paypal, &["From Email Address", "Transaction ID", "Name"]),
        ];
        signs.into_iter().find(|(_, wanted)| has(wanted)).map(|(preset, _)| preset)
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

    /// The headers of the exports, and the NDJSON keys of Auth0.
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
