//! The body of `POST {base}/customer`.
//!
//! The ledger stores these bytes before they are sent, and a run after a crash sends the same bytes
//! again. So the body is a function of the customer alone: all names sorted, at every depth, and no
//! blanks.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::domain::{Field, Json, JsonObject, NewCustomer};

/// Most bodies are shorter, in bytes.
const USUAL_LENGTH: usize = 256;

/// Returns the request body of a customer as canonical JSON.
#[must_use]
pub fn body(customer: &NewCustomer<'_>) -> Vec<u8> {
    let phone = customer.phone.to_string();
    let documented = [
        (Field::Name, PlainValue::Text(customer.name.as_str())),
        (Field::Email, PlainValue::Text(customer.email.as_str())),
        (Field::Phone, PlainValue::Text(&phone)),
        (Field::Country, PlainValue::Text(customer.country.alpha3())),
        (Field::Type, PlainValue::Text(customer.kind.as_str())),
        (Field::SendKycMail, PlainValue::Flag(customer.send_kyc_mail)),
    ];
    canonical(documented, customer.extra.as_deref())
}

/// The value of a documented field.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum PlainValue<'a> {
    Text(&'a str),
    Flag(bool),
}

impl From<PlainValue<'_>> for Json {
    fn from(plain: PlainValue<'_>) -> Self {
        match plain {
            PlainValue::Text(text) => Self::Text(text.to_owned()),
            PlainValue::Flag(flag) => Self::Bool(flag),
        }
    }
}

/// An object whose names are in the order given.
struct Flat<'a>([(Field, PlainValue<'a>); 6]);

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (field.as_str(), value)))
    }
}

/// Adds the documented fields last, so that no extra field can replace them.
fn canonical(mut documented: [(Field, PlainValue<'_>); 6], extra: Option<&JsonObject>) -> Vec<u8> {
    documented.sort_unstable_by_key(|(field, _)| field.as_str());
    // Without extra fields, a flat object in order gives the same bytes without copies of names and
    // values.
    let mut body = Vec::with_capacity(USUAL_LENGTH);
    if extra.is_none() && serde_json::to_writer(&mut body, &Flat(documented)).is_ok() {
        return body;
    }
    let mut members = extra.cloned().unwrap_or_default();
    members.extend(documented.into_iter().map(|(field, value)| (field.as_str().to_owned(), value.into())));
    Json::Object(members).to_string().into_bytes()
}

/// Returns the hash that the ledger keeps after it has erased a body.
#[must_use]
pub fn payload_hash(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Returns the names of the payload's fields. Empty if the bytes are not a body of ours.
#[must_use]
pub fn fields(body: &[u8]) -> BTreeSet<String> {
    object(body).unwrap_or_default().into_iter().map(|(name, _)| name).collect()
}

/// Returns name, phone and e-mail of a stored body, to compare with what a look-up found. `None` if
/// the bytes are not a body of ours.
#[must_use]
pub fn facts(body: &[u8]) -> Option<SentFacts> {
    let object = object(body)?;
    let text = |field: Field| object.get(field.as_str())?.as_str().map(str::to_owned);
    Some(SentFacts { name: text(Field::Name)?, phone: text(Field::Phone)?, email: text(Field::Email)? })
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

/// The data that identifies a customer that was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SentFacts {
    pub name: String,
    pub phone: String,
    pub email: String,
}

/// What [`classify`](super::classify()) needs to know about the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SentRequest<'a> {
    pub email: &'a str,
    /// Read only if the response is a failure, which is rare.
    pub body: &'a [u8],
}

impl SentRequest<'_> {
    /// Returns the names of the payload's fields. An error that names one of them is about the
    /// data.
    pub(super) fn fields(&self) -> BTreeSet<String> {
        fields(self.body)
    }
}

/// Personal data stays out of logs and panics.
impl fmt::Debug for SentFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentFacts").finish_non_exhaustive()
    }
}

impl fmt::Debug for SentRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentRequest").field("fields", &self.fields()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documented() -> [(Field, PlainValue<'static>); 6] {
        [
            (Field::Name, PlainValue::Text("Ada \"L\"")),
            (Field::Email, PlainValue::Text("Ada@Example.org")),
            (Field::Phone, PlainValue::Text("+2349039395114")),
            (Field::Country, PlainValue::Text("NGA")),
            (Field::Type, PlainValue::Text("individual")),
            (Field::SendKycMail, PlainValue::Flag(true)),
        ]
    }

    fn extra(value: Value) -> JsonObject {
        let Json::Object(members) = value.into() else { panic!("no object") };
        members
    }

    #[test]
    fn a_body_has_the_six_fields_and_the_extra_ones_sorted_at_every_depth() {
        let body =
            canonical(documented(), Some(&extra(json!({"zip": 1, "customer_address": {"street": "x", "city": "y"}}))));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"customer_address":{"city":"y","street":"x"},"customer_country":"NGA","customer_email":"Ada@Example.org","customer_name":"Ada \"L\"","customer_phone":"+2349039395114","customer_type":"individual","send_kyc_mail":true,"zip":1}"#
        );
    }

    #[test]
    fn without_extra_fields_the_bytes_are_as_if_there_could_be_some() {
        let with = canonical(documented(), Some(&extra(json!({"zzz": 1}))));
        let without = canonical(documented(), None);
        let expected = String::from_utf8(with).unwrap().replace(r#","zzz":1"#, "");
        assert_eq!(String::from_utf8(without).unwrap(), expected);
    }

    #[test]
    fn the_order_of_extra_fields_does_not_change_the_bytes() {
        let one = canonical(documented(), Some(&extra(json!({"a": [{"c": 1, "b": 2}], "d": null}))));
        let other = canonical(documented(), Some(&extra(json!({"d": null, "a": [{"b": 2, "c": 1}]}))));
        assert_eq!(one, other);
        assert_eq!(payload_hash(&one), payload_hash(&other));
    }

    #[test]
    fn an_extra_field_cannot_replace_a_documented_one() {
        let body = canonical(documented(), Some(&extra(json!({"customer_email": "other@example.org"}))));
        assert_eq!(facts(&body).unwrap().email, "Ada@Example.org");
    }

    #[test]
    fn a_body_tells_what_was_sent() {
        let body = canonical(documented(), Some(&extra(json!({"customer_idNumber": "7"}))));
        let facts = facts(&body).unwrap();
        assert_eq!((facts.name.as_str(), facts.phone.as_str()), ("Ada \"L\"", "+2349039395114"));
        assert_eq!(facts.email, "Ada@Example.org");
        let fields = fields(&body);
        assert_eq!(fields.len(), 7);
        assert!(fields.contains("customer_idNumber"));
        assert_eq!(super::facts(b"[]"), None);
        assert!(super::fields(b"7").is_empty());
    }

    #[test]
    fn the_hash_is_sha_256() {
        let hash: String = payload_hash(b"").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_was_sent_is_not_shown_by_debug() {
        let body = canonical(documented(), None);
        assert!(
            !format!("{:?} {:?}", SentRequest { email: "Ada@Example.org", body: &body }, facts(&body)).contains("Ada")
        );
    }
}
