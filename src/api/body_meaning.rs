//! Reduces a response body to the distinctions that matter.

use std::collections::BTreeSet;

use serde_json_borrow::ObjectAsVec;

use super::email_taken::{email_words, is_about_email, names_email, says_taken};
use super::envelope::{Envelope, StatusClaim, Unreadable, flat, named, text_of};
use super::response::{Body, Response};
use super::wire::SentRequest;
use crate::domain::{Data, EmailKey, EmailWords, Field, Receipt};

/// The meaning of a response body. Its texts are the server's words, fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyMeaning {
    /// Success, with an id that proves it.
    Created {
        receipt: Box<Receipt>,
        other_email: Option<String>,
    },
    /// Success, but without an id.
    NoId,
    /// Success and failure at once: within the body, or between body and HTTP status.
    Contradiction,
    /// The idempotency key is too old.
    KeyExpired,
    /// Any other complaint about the idempotency key: missing, required, used for other data.
    KeyFault(String),
    /// The server is still working on a request with this key or for this customer.
    Busy(String),
    /// A complaint about the e-mail. It may mean that a customer has this e-mail already.
    Email(EmailWords, String),
    /// Complaints about fields of the payload.
    Fields(String),
    /// "Something went wrong".
    WentWrong(String),
    /// Some other readable reason.
    Reason(String),
    /// JSON without a known meaning.
    Nothing,
    Unreadable(Unreadable),
    Cut,
    TooLong,
}

/// The meaning of a response, with the status to judge it by.
pub(super) struct JudgedBody {
    /// The status to judge by. If a 2xx holds a failure, this is its inner code, or 422 if it has
    /// none.
    pub status: u16,
    pub said: BodyMeaning,
    /// Whether the application wrote the response. A status alone does not prove it, because
    /// gateways answer too.
    pub by_application: bool,
}

pub(super) fn hear(answer: &Response, sent: SentRequest<'_>) -> JudgedBody {
    let status = answer.status;
    let unheard = |said| JudgedBody { status, said, by_application: false };
    let envelope = match &answer.body {
        Body::Cut => return unheard(BodyMeaning::Cut),
        Body::TooLong => return unheard(BodyMeaning::TooLong),
        Body::Packed => return unheard(BodyMeaning::Unreadable(Unreadable::Packed)),
        Body::Whole(bytes) => Envelope::read(bytes),
    };
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(kind) => return unheard(BodyMeaning::Unreadable(kind)),
    };
    let (status, said) = meaning(answer, &envelope, sent);
    JudgedBody { status, said, by_application: envelope.is_the_applications() }
}

fn meaning(answer: &Response, envelope: &Envelope<'_>, sent: SentRequest<'_>) -> (u16, BodyMeaning) {
    let status = answer.status;
    let failed = |code| (code, failure(code, answer, envelope, sent));
    match (envelope.claim(), (200..=299).contains(&status)) {
        (StatusClaim::Success | StatusClaim::Silent, true) => (status, success(answer, envelope, sent)),
        (StatusClaim::Failure(Some(code)), true) => failed(code),
        (StatusClaim::Failure(None), true) => failed(UNPROCESSABLE),
        (StatusClaim::Unknown, true) => (status, BodyMeaning::Nothing),
        (StatusClaim::Contradiction, _) | (StatusClaim::Success, false) => (status, BodyMeaning::Contradiction),
        (StatusClaim::Failure(_) | StatusClaim::Silent | StatusClaim::Unknown, false) => failed(status),
    }
}

const UNPROCESSABLE: u16 = 422;

fn success(answer: &Response, envelope: &Envelope<'_>, sent: SentRequest<'_>) -> BodyMeaning {
    let root = envelope.root();
    let place = envelope.data().into_iter().chain([root]).find_map(|map| Some((map, receipt(answer, map)?)));
    let Some((map, receipt)) = place else { return BodyMeaning::NoId };
    let receipt = Box::new(Receipt { data: Data::of(envelope.raw_data()), ..receipt });
    BodyMeaning::Created { receipt, other_email: other_email(answer, map, sent) }
}

/// Returns what a map says about a customer, or `None` if it has no id.
pub(super) fn receipt(answer: &Response, map: &ObjectAsVec<'_>) -> Option<Receipt> {
    let text = |name| text_of(map, name);
    let receipt = Receipt {
        id: text("id"),
        customer_id: text("customer_id"),
        kyc_link: text("kyc_link"),
        tos_link: text("tos_link"),
        kyc_status: text("kyc_status").or_else(|| text("customer_kyc_status")).map(|text| answer.quote(&text)),
        tos_status: text("tos_status").map(|text| answer.quote(&text)),
        created_at: text("created_at").map(|text| answer.quote(&text)),
        data: Data::None,
    };
    (receipt.id.is_some() || receipt.customer_id.is_some()).then_some(receipt)
}

fn other_email(answer: &Response, map: &ObjectAsVec<'_>, sent: SentRequest<'_>) -> Option<String> {
    let email = text_of(map, Field::Email.as_str()).or_else(|| text_of(map, "email"))?;
    (email != sent.email && EmailKey::of(&email) != EmailKey::of(sent.email)).then(|| answer.quote(&email))
}

/// Returns the meaning of a failure. Complaints about fields are the most exact, so they come
/// first; sentences without a field count only if there are none.
fn failure(status: u16, answer: &Response, envelope: &Envelope<'_>, sent: SentRequest<'_>) -> BodyMeaning {
    let fields = sent.fields();
    if let Some(map) = envelope.error_maps().find(|map| names_fields(map, sent.email, &fields)) {
        return field_errors(answer, map);
    }
    let sentences = envelope.sentences();
    let find = |test: &dyn Fn(&str) -> bool| sentences.iter().find(|sentence| test(&sentence.to_lowercase()));
    if let Some(words) = find(&|text| is_busy(status, text)) {
        BodyMeaning::Busy(answer.quote(words))
    } else if let Some(words) = find(&is_about_key) {
        if words.to_lowercase().contains("expired") {
            BodyMeaning::KeyExpired
        } else {
            BodyMeaning::KeyFault(answer.quote(words))
        }
    } else if let Some(words) = find(&|text| is_about_email(text) && says_taken(text)) {
        BodyMeaning::Email(EmailWords::Exists, answer.quote(words))
    } else if let Some(words) = find(&went_wrong) {
        BodyMeaning::WentWrong(answer.quote(words))
    } else if let Some(words) = find(&|text| names_email(text) && email_words(text).is_some()) {
        BodyMeaning::Email(EmailWords::Unclear, answer.quote(words))
    } else if let Some(sentence) = sentences.first() {
        BodyMeaning::Reason(answer.quote(sentence))
    } else {
        BodyMeaning::Nothing
    }
}

fn is_busy(status: u16, text: &str) -> bool {
    let at_it = ["in progress", "being processed", "still processing", "already processing"];
    let about_request = status == 409 || text.contains("request") || is_about_key(text);
    about_request && at_it.iter().any(|words| text.contains(words))
}

fn is_about_key(text: &str) -> bool {
    text.contains("idempotency") || text.contains("idempotent")
}

/// Returns whether the server describes an exception of its own, whatever the status. `text` is in
/// lower case.
pub(super) fn went_wrong(text: &str) -> bool {
    ["something went wrong", "server error", "try again later"].iter().any(|words| text.contains(words))
}

/// Returns whether a map lists complaints by field. A map that repeats the e-mail is an echo of the
/// request, not a list of complaints.
fn names_fields(map: &ObjectAsVec<'_>, email: &str, fields: &BTreeSet<String>) -> bool {
    let is_echo = map.values().any(|value| value.as_str() == Some(email));
    !is_echo && map.iter().any(|(name, value)| is_field(name, fields) && !flat(value).is_empty())
}

/// Returns whether a name belongs to a field: `customer_address.city` and `customer_address.0` are
/// complaints about `customer_address`.
fn is_field(name: &str, fields: &BTreeSet<String>) -> bool {
    let top = name.split('.').next().unwrap_or(name);
    !is_note(name) && (is_email_field(top) || fields.contains(top))
}

/// Returns whether a name is about the request as a whole: `error` and `message` are, even if the
/// payload has fields of these names.
fn is_note(name: &str) -> bool {
    matches!(name, "error" | "message")
}

fn is_email_field(name: &str) -> bool {
    name == Field::Email.as_str() || name == "email"
}

fn field_errors(answer: &Response, map: &ObjectAsVec<'_>) -> BodyMeaning {
    let words = |text: &str| answer.quote(text);
    let complaints = map.iter().filter(|(name, _)| !is_note(name)).map(|(name, value)| named(name, &flat(value)));
    let complaints = complaints.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    let about_email = map.iter().filter(|(name, _)| is_email_field(name)).map(|(_, value)| flat(value));
    let mut about_email =
        about_email.filter(|text| !text.is_empty()).filter_map(|text| Some((email_words(&text)?, text)));
    match about_email.next() {
        Some((EmailWords::Exists, text)) => BodyMeaning::Email(EmailWords::Exists, words(&text)),
        Some((unclear, _)) => BodyMeaning::Email(unclear, words(&complaints)),
        None => BodyMeaning::Fields(words(&complaints)),
    }
}
