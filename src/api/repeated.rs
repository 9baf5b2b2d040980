//! Hides our secrets in the data that the server returns about a customer. Quoted words are cleaned
//! elsewhere.
//!
//! Ids and links stay as they are, because they are the purpose of the run.

use serde_json::{Map, Value};

use super::lookup::PageResult;
use crate::domain::{AttemptResult, Data, Matches, Receipt};
use crate::redact::Redactor;

/// Members that stay as they are.
const UNTOUCHED: [&str; 4] = ["id", "customer_id", "kyc_link", "tos_link"];

pub(super) fn hide_in_attempt(result: &mut AttemptResult, secrets: &Redactor) {
    if let AttemptResult::Created { receipt, .. } = result {
        hide_in_receipt(receipt, secrets);
    }
}

pub(super) fn hide_in_page(page: &mut PageResult, secrets: &Redactor) {
    if let PageResult::Rows { found: Matches { exact, lookalike }, .. } = page {
        for customer in exact.iter_mut().chain(lookalike.as_deref_mut()) {
            hide_in_receipt(&mut customer.receipt, secrets);
        }
    }
}

fn hide_in_receipt(receipt: &mut Receipt, secrets: &Redactor) {
    if let Some(hidden) = receipt.data.text().and_then(|data| without(data, secrets)) {
        receipt.data = Data::of(Some(hidden));
    }
}

/// Returns the data without secrets, or `None` if it has none. Most data has none and stays as the
/// server wrote it.
fn without(data: &str, secrets: &Redactor) -> Option<String> {
    // JSON may escape any letter, so a secret may be spelled with escapes.
    if !secrets.is_in(data) && memchr::memmem::find(data.as_bytes(), b"\\u00").is_none() {
        return None;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(data) else { return Some(secrets.hide(data).into_owned()) };
    hide_in(&mut value, secrets, true).then(|| value.to_string())
}

/// Hides the secrets in a value. Returns whether it had any.
fn hide_in(value: &mut Value, secrets: &Redactor, is_customer: bool) -> bool {
    match value {
        Value::String(text) => {
            let found = secrets.is_in(text);
            if found {
                *text = secrets.hide(text).into_owned();
            }
            found
        }
        Value::Number(number) if secrets.is_in(&number.to_string()) => {
            *value = secrets.hide(&number.to_string()).into();
            true
        }
        Value::Array(values) => {
            values.iter_mut().fold(false, |found, value| hide_in(value, secrets, is_customer) | found)
        }
        Value::Object(map) => hide_in_map(map, secrets, is_customer),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn hide_in_map(map: &mut Map<String, Value>, secrets: &Redactor, is_customer: bool) -> bool {
    let mut found = false;
    for (name, value) in map.iter_mut() {
        if !(is_customer && UNTOUCHED.contains(&name.as_str())) {
            found |= hide_in(value, secrets, false);
        }
    }
    if map.keys().any(|name| secrets.is_in(name)) {
        found = true;
        *map = std::mem::take(map).into_iter().map(|(name, value)| (secrets.hide(&name).into_owned(), value)).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret/of-ours";

    fn secrets() -> Redactor {
        let secrets = Redactor::default();
        secrets.learn(SECRET);
        secrets
    }

    #[test]
    fn data_without_secrets_stay_as_the_server_wrote_them() {
        for data in [r#"{"id": 1e2,  "a":"b"}"#, r#"{"name":"Jos\u00e9",  "id":1}"#, "not JSON"] {
            assert_eq!(without(data, &secrets()), None, "{data}");
        }
    }

    #[test]
    fn data_lose_secrets_however_they_are_written_and_keep_ids_and_links() {
        for (data, hidden) in [
            (r#"{"note":"s3cret/of-ours"}"#, r#"{"note":"***"}"#),
            (r#"{"note":"s3cret\/of-ours"}"#, r#"{"note":"***"}"#),
            (
                r#"{"note":["\u0073\u00333cret/of-ours","\u0073\u0033cret/of-ours"]}"#,
                r#"{"note":["s33cret/of-ours","***"]}"#,
            ),
            (r#"{"s3cret/of-ours":{"id":"s3cret/of-ours"}}"#, r#"{"***":{"id":"***"}}"#),
            (
                r#"[{"id":"s3cret/of-ours","kyc_link":"https://k.example/s3cret/of-ours","x":"s3cret/of-ours"}]"#,
                r#"[{"id":"s3cret/of-ours","kyc_link":"https://k.example/s3cret/of-ours","x":"***"}]"#,
            ),
        ] {
            assert_eq!(without(data, &secrets()).as_deref(), Some(hidden), "{data}");
        }
    }

    #[test]
    fn the_data_of_a_customer_are_cleaned_and_its_ids_and_links_are_not() {
        let text = || Some(format!("a {SECRET}"));
        let data = Data::of(Some(format!(r#"{{"note":"{SECRET}"}}"#)));
        let mut receipt = Receipt { id: text(), kyc_link: text(), data, ..Receipt::default() };
        hide_in_receipt(&mut receipt, &secrets());
        assert_eq!((&receipt.id, &receipt.kyc_link), (&text(), &text()));
        assert_eq!(receipt.data.text(), Some(r#"{"note":"***"}"#));
    }
}
