//! When two spellings name the same column.

use crate::domain::{Field, folded_word};
use crate::intake::limits::MOST_COLUMNS;

/// Returns well-known names of a field's column, folded by [`fold`].
pub(crate) fn aliases(field: Field) -> &'static [&'static str] {
    match field {
        Field::Name => &["name", "fullname", "customerfullname", "contactname", "displayname"],
        Field::Email => &["email", "emailaddress", "mail", "mailaddress", "contactemail", "customeremailaddress"],
        Field::Phone => &[
            "phone",
            "phonenumber",
            "phoneno",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "mobileno",
            "mobilephonenumber",
            "cell",
            "cellphone",
            "cellphonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "contactphone",
            "customerphonenumber",
        ],
        Field::Country => {
            &["country", "countrycode", "countryname", "countryiso", "country/region", "customercountrycode"]
        }
        Field::Type => &["type"],
        Field::SendKycMail => &["kycmail", "kycemail", "sendkycemail"],
    }
}

/// Returns the form that all spellings of a column's name share.
pub(crate) fn fold(name: &str) -> String {
    folded_word(name).collect()
}

pub(crate) fn is_same(name: &str, other: &str) -> bool {
    folded_word(name).eq(folded_word(other))
}

/// Returns up to three names that are close to what the user typed.
pub(crate) fn near(typed: &str, names: &[String]) -> Vec<String> {
    let typed = fold(typed);
    let allowed = (typed.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &String)> = names
        .iter()
        .take(MOST_COLUMNS)
        .map(|name| (distance(&typed, &fold(name)), name))
        .filter(|(distance, name)| *distance <= allowed || (typed.len() > 2 && fold(name).contains(&typed)))
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

/// Returns a question with the names that are close to what the user typed, or an empty text if
/// none is.
pub(crate) fn did_you_mean(typed: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    match &near(typed, &names)[..] {
        [] => String::new(),
        near => format!("did you mean {}? ", near.join(" or ")),
    }
}

/// Returns how many characters must be changed, added, removed or swapped with the next one to turn
/// one name into the other.
/// Only the beginnings of long names are compared.
fn distance(one: &str, other: &str) -> usize {
    let beginning = |text: &str| text.chars().take(64).collect::<String>();
    strsim::osa_distance(&beginning(one), &beginning(other))
}
