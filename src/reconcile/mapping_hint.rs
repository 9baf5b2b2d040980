//! Suggests which column to check if the API rejects one record after the other with the same
//! message.

use crate::domain::Field;

/// Returns the hint: for each field that the message names, its current source and the option that
/// changes it.
pub(crate) fn hint(words: &str, columns: &[(String, String)]) -> String {
    let words = plain(words);
    let suspects: Vec<_> = columns
        .iter()
        .filter(|(field, _)| words.contains(&plain(field)))
        .map(|(field, feeding)| {
            format!("{field} is read from {feeding}: if that is wrong, name another column with {}", option(field))
        })
        .collect();
    if suspects.is_empty() {
        return "run `check` to see which column feeds which field, and correct it with --map".to_owned();
    }
    suspects.join("; ")
}

/// Lower case and with spaces, because servers write `customer_name`, `customer name` and `Customer
/// Name`.
fn plain(words: &str) -> String {
    words.to_lowercase().replace('_', " ")
}

/// Returns the option that maps a field: --map if the API has a rule for it, --extra otherwise.
fn option(field: &str) -> &'static str {
    if Field::parse(field).is_some() { "--map" } else { "--extra" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<(String, String)> {
        [("customer_name", "column \"Company\""), ("customer_address.city", "column \"Town\"")]
            .map(|(field, feeding)| (field.to_owned(), feeding.to_owned()))
            .to_vec()
    }

    #[test]
    fn the_field_that_the_server_complains_of_is_named_with_its_column_and_the_option() {
        for words in ["customer_name: is too long", "The Customer Name field format is invalid."] {
            let hint = hint(words, &columns());
            assert_eq!(
                hint,
                "customer_name is read from column \"Company\": if that is wrong, name another column with --map"
            );
        }
        assert!(hint("customer_address.city: unknown", &columns()).ends_with("name another column with --extra"));
    }

    #[test]
    fn words_without_a_field_point_to_check() {
        assert!(hint("Invalid request", &columns()).contains("check"));
    }
}
