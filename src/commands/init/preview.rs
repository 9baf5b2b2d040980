//! The first records as they would be sent, and how many of the sample can be sent.

use crate::domain::{NewCustomer, RecordVerdict};
use crate::failure::Failure;
use crate::intake::{Feed, InputOptions, IntakeError};
use crate::reconcile::input::InputHandle;
use crate::redact::masked;

/// How many records are shown.
const SHOWN: usize = 3;

/// What an import would make of the sample.
pub(super) struct Preview {
    /// Name, e-mail, phone, country, type and whether an e-mail is sent, of the first valid
    /// records.
    pub(super) rows: Vec<[String; 6]>,
    pub(super) valid: u64,
    pub(super) records: u64,
}

impl Preview {
    /// Reads the first records with these options. Returns `None` if a field does not have a source
    /// yet.
    pub(super) fn of(input: &InputHandle, options: &InputOptions, records: u64) -> Result<Option<Self>, Failure> {
        let feed = match Feed::of_file(input.file(), options) {
            Ok(feed) => feed,
            Err(IntakeError::Columns { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut preview = Self { rows: Vec::new(), valid: 0, records: 0 };
        for record in feed.take(usize::try_from(records).unwrap_or(usize::MAX)) {
            preview.records += 1;
            if let RecordVerdict::Valid { customer, .. } = record?.verdict {
                preview.valid += 1;
                if preview.rows.len() < SHOWN {
                    preview.rows.push(row(&customer));
                }
            }
        }
        Ok(Some(preview))
    }
}

fn row(customer: &NewCustomer<'_>) -> [String; 6] {
    [
        customer.name.as_str().to_owned(),
        customer.email.as_str().to_owned(),
        customer.phone.to_string(),
        customer.country.alpha3().to_owned(),
        customer.kind.as_str().to_owned(),
        if customer.send_kyc_mail { "gets an e-mail" } else { "no e-mail" }.to_owned(),
    ]
}

/// Returns a row without what identifies a person, for output that may be kept.
pub(super) fn masked_row([name, email, phone, rest @ ..]: &[String; 6]) -> [String; 6] {
    let beginning = |text: &str, length: usize| text.chars().take(length).chain("***".chars()).collect::<String>();
    let name: Vec<String> = name.split_whitespace().map(|word| beginning(word, 1)).collect();
    let [country, kind, mail] = rest.clone();
    [name.join(" "), masked(email).trim().to_owned(), beginning(phone, 3), country, kind, mail]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_kept_names_nobody() {
        let row = ["Ada King", "ada@example.com", "+4930123456", "DEU", "individual", "no e-mail"].map(str::to_owned);
        assert_eq!(masked_row(&row), ["A*** K***", "a***@e***", "+49***", "DEU", "individual", "no e-mail"]);
    }
}
