//! The rules for the body of `POST /customer`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::Dialect;

/// A body that follows the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) country: String,
    pub(super) kind: String,
    pub(super) mail: bool,
}

/// Complaints by field.
pub(super) type Complaints = BTreeMap<String, Vec<String>>;

/// Why a body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not a JSON object.
    Unreadable,
    /// Fields are missing or wrong.
    Invalid(Complaints),
}

impl Form {
    /// Reads a body, and finds everything that is wrong with it.
    ///
    /// # Errors
    /// If the body is not a JSON object, or breaks the rules.
    pub(super) fn read(body: &[u8], dialect: Dialect) -> Result<Self, Refusal> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return Err(Refusal::Unreadable) };
        let mut complaints = Complaints::new();
        let form = Self {
            name: required(&fields, "customer_name", &mut complaints),
            email: required(&fields, "customer_email", &mut complaints),
            phone: required(&fields, "customer_phone", &mut complaints),
            country: required(&fields, "customer_country", &mut complaints),
            kind: match fields.get("customer_type") {
                None | Some(Value::Null) if dialect != Dialect::Laravel => "individual".to_owned(),
                _ => required(&fields, "customer_type", &mut complaints),
            },
            mail: mail(&fields, &mut complaints),
        };
        form.judge(&mut complaints);
        if complaints.is_empty() { Ok(form) } else { Err(Refusal::Invalid(complaints)) }
    }

    /// Checks the rules beyond presence. Missing fields have their complaint already.
    fn judge(&self, complaints: &mut Complaints) {
        let mut rule = |field: &str, value: &str, kept: bool, words: &str| {
            if !value.is_empty() && !kept {
                complain(complaints, field, words);
            }
        };
        let parts: Vec<&str> = self.email.split('@').collect();
        let is_email = parts.len() == 2 && parts.iter().all(|part| !part.is_empty());
        rule("customer_email", &self.email, is_email, "The customer email field must be a valid email address.");
        let digits = self.phone.strip_prefix('+').unwrap_or_default();
        let is_phone = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        rule("customer_phone", &self.phone, is_phone, "The customer phone field format is invalid.");
        let is_country = self.country.len() == 3 && self.country.bytes().all(|byte| byte.is_ascii_uppercase());
        rule("customer_country", &self.country, is_country, "The customer country field must be 3 characters.");
        let is_kind = matches!(self.kind.as_str(), "individual" | "business");
        rule("customer_type", &self.kind, is_kind, "The selected customer type is invalid.");
    }
}

/// Returns the e-mail of a body, even if the rest is wrong. The log and the faults need it.
pub(super) fn email_of(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("customer_email")?.as_str().map(str::to_owned)
}

fn required(fields: &Map<String, Value>, field: &str, complaints: &mut Complaints) -> String {
    let spoken = field.replace('_', " ");
    match fields.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => return text.clone(),
        None | Some(Value::Null | Value::String(_)) => {
            complain(complaints, field, &format!("The {spoken} field is required."));
        }
        Some(_) => complain(complaints, field, &format!("The {spoken} field must be a string.")),
    }
    String::new()
}

/// Returns whether an e-mail is sent to the customer: yes, unless the request declines it.
fn mail(fields: &Map<String, Value>, complaints: &mut Complaints) -> bool {
    match fields.get("send_kyc_mail") {
        None => true,
        Some(Value::Bool(mail)) => *mail,
        Some(_) => {
            complain(complaints, "send_kyc_mail", "The send kyc mail field must be true or false.");
            false
        }
    }
}

fn complain(complaints: &mut Complaints, field: &str, words: &str) {
    complaints.entry(field.to_owned()).or_default().push(words.to_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({"customer_name": "Ann Lee", "customer_email": "ann@example.com", "customer_phone": "+2349039395114",
            "customer_country": "NGA", "customer_address": {"city": "Lagos"}})
    }

    fn read(body: &Value, dialect: Dialect) -> Result<Form, Refusal> {
        Form::read(&serde_json::to_vec(body).unwrap(), dialect)
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = body();
        body[field] = value;
        body
    }

    #[test]
    fn type_and_mail_have_defaults_and_other_fields_pass() {
        let form = read(&body(), Dialect::Seed).unwrap();
        assert_eq!(form.kind, "individual");
        assert!(form.mail);
        assert!(!read(&with("send_kyc_mail", json!(false)), Dialect::Seed).unwrap().mail);
    }

    #[test]
    fn the_laravel_dialect_demands_the_type() {
        let Err(Refusal::Invalid(complaints)) = read(&body(), Dialect::Laravel) else { panic!("accepted") };
        assert_eq!(complaints["customer_type"], ["The customer type field is required."]);
        assert!(read(&with("customer_type", json!("business")), Dialect::Laravel).is_ok());
    }

    #[test]
    fn every_complaint_is_made_at_once() {
        let Err(Refusal::Invalid(complaints)) = read(&json!({"customer_email": "ann"}), Dialect::Docs) else {
            panic!("accepted")
        };
        let fields: Vec<_> = complaints.keys().map(String::as_str).collect();
        assert_eq!(fields, ["customer_country", "customer_email", "customer_name", "customer_phone"]);
        assert_eq!(complaints["customer_name"], ["The customer name field is required."]);
    }

    #[test]
    fn wrong_values_are_refused() {
        for (field, value) in [
            ("customer_email", json!("a@b@c")),
            ("customer_phone", json!("09039395114")),
            ("customer_country", json!("NG")),
            ("customer_type", json!("person")),
            ("customer_name", json!(7)),
            ("send_kyc_mail", json!("true")),
        ] {
            let Err(Refusal::Invalid(complaints)) = read(&with(field, value), Dialect::Seed) else {
                panic!("{field} was accepted")
            };
            assert_eq!(complaints.len(), 1, "{field}");
            assert!(complaints.contains_key(field));
        }
    }

    #[test]
    fn what_is_no_object_is_unreadable() {
        assert_eq!(Form::read(b"7", Dialect::Seed), Err(Refusal::Unreadable));
        assert_eq!(Form::read(b"{", Dialect::Seed), Err(Refusal::Unreadable));
    }
}
