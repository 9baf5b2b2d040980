//! A customer that may be sent.

use std::fmt;

use super::fields::country_code::Country;
use super::fields::email::Email;
use super::fields::kind::CustomerType;
use super::fields::name::CustomerName;
use super::fields::phone::Phone;
use super::json::JsonObject;

/// The documented fields of a customer, named as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Name,
    Email,
    Phone,
    Country,
    Type,
    SendKycMail,
}

impl Field {
    pub const ALL: [Self; 6] = [Self::Name, Self::Email, Self::Phone, Self::Country, Self::Type, Self::SendKycMail];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "customer_name",
            Self::Email => "customer_email",
            Self::Phone => "customer_phone",
            Self::Country => "customer_country",
            Self::Type => "customer_type",
            Self::SendKycMail => "send_kyc_mail",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }

    /// Returns what is sent if a record has nothing for the field: `nothing` if the record is then
    /// invalid.
    #[must_use]
    pub const fn default(self) -> &'static str {
        match self {
            Self::Type => "individual",
            Self::SendKycMail => "true",
            Self::Name | Self::Email | Self::Phone | Self::Country => "nothing",
        }
    }

    /// Whether the API requires the field.
    #[must_use]
    pub const fn is_required(self) -> bool {
        !matches!(self, Self::Type | Self::SendKycMail)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A customer of which every field passed validation. Only their own checks can create the parts,
/// so a `NewCustomer` may be sent.
#[derive(Clone, PartialEq)]
pub struct NewCustomer<'a> {
    pub name: CustomerName<'a>,
    pub email: Email<'a>,
    pub phone: Phone,
    pub country: Country,
    pub kind: CustomerType,
    pub send_kyc_mail: bool,
    /// Additional request fields (`--extra` and the documented ones), nested, or `None` if there
    /// are none. They never have one of the six names of [`Field`].
    pub extra: Option<Box<JsonObject>>,
}

/// Shows nothing, because personal data must stay out of logs and panics.
impl fmt::Debug for NewCustomer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCustomer").finish_non_exhaustive()
    }
}

impl NewCustomer<'_> {
    #[must_use]
    pub fn into_owned(self) -> NewCustomer<'static> {
        let Self { name, email, phone, country, kind, send_kyc_mail, extra } = self;
        NewCustomer { name: name.into_owned(), email: email.into_owned(), phone, country, kind, send_kyc_mail, extra }
    }
}
