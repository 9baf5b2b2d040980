//! Finds out what a server's sentence about an e-mail says: that a customer has it already, that
//! its form is wrong, or something that we do not understand.

use crate::domain::EmailWords;

/// Returns what a complaint about the e-mail says, or `None` if it is about the form of the e-mail,
/// which does not point to a customer.
pub(super) fn email_words(text: &str) -> Option<EmailWords> {
    if says_taken(text) {
        Some(EmailWords::Exists)
    } else if is_about_form(text) {
        None
    } else {
        Some(EmailWords::Unclear)
    }
}

/// Returns whether a sentence about the e-mail field says that the e-mail is in use: "already
/// exists", "has been taken", "is registered". "does not exist" says the opposite.
pub(super) fn says_taken(text: &str) -> bool {
    text.split(['.', ',', ';', ':', '!', '(', ')']).any(clause_says_taken)
}

/// Returns whether a sentence without a field names the e-mail, in any of the languages whose word
/// for it we know.
pub(super) fn names_email(text: &str) -> bool {
    const WORDS: [&str; 9] = ["email", "e-mail", "correo", "courriel", "почт", "邮箱", "郵箱", "メール", "이메일"];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// Returns whether a sentence without a field is about the e-mail or about the customer as a whole.
pub(super) fn is_about_email(text: &str) -> bool {
    const OTHER_FIELDS: [&str; 9] =
        ["phone", "mobile", "name", "country", "type", "address", "number", "document", "idempotency"];
    let lower = text.to_lowercase();
    names_email(text) || (lower.contains("customer") && !OTHER_FIELDS.iter().any(|field| lower.contains(field)))
}

/// Returns whether a text has an English word about the form of an address. Only whole words count,
/// because words of other languages contain them.
fn is_about_form(text: &str) -> bool {
    const FORM: [&str; 24] = [
        "valid",
        "invalid",
        "format",
        "formatted",
        "malformed",
        "syntax",
        "required",
        "require",
        "missing",
        "empty",
        "blank",
        "null",
        "string",
        "long",
        "longer",
        "short",
        "length",
        "characters",
        "character",
        "domain",
        "dns",
        "mx",
        "disposable",
        "deliverable",
    ];
    let text = text.to_lowercase();
    text.split(|character: char| !character.is_alphanumeric()).any(|word| FORM.contains(&word))
}

fn clause_says_taken(clause: &str) -> bool {
    let clause = clause.to_lowercase().replace('’', "'");
    let words: Vec<&str> = clause.split(|character: char| !character.is_alphanumeric() && character != '\'').collect();
    // "is in use": neither word says it by itself.
    let in_use = words.windows(2).position(|pair| pair == ["in", "use"]);
    let signs = words.iter().enumerate().filter(|(_, word)| is_sign(word)).map(|(at, _)| at).chain(in_use);
    signs.into_iter().any(|at| words[at] == "unique" || !is_negated(&words[..at]))
}

fn is_sign(word: &str) -> bool {
    matches!(
        word,
        "exist" | "exists" | "existing" | "taken" | "already" | "registered" | "unique" | "duplicate" | "used"
    )
}

/// Returns whether a "not" shortly before reverses the meaning: "not exist", "does not already
/// exist", "has not been registered".
fn is_negated(before: &[&str]) -> bool {
    before.iter().rev().take(3).any(|word| matches!(*word, "not" | "no" | "never" | "must") || word.ends_with("n't"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_that_say_the_email_is_in_use() {
        for text in [
            "Customer email already exists.",
            "The customer email has already been taken.",
            "This e-mail is registered",
            "EMAIL EXISTS",
            "Not created: the email is taken",
            "An account with this email is already in use",
            "Email is in use",
            "The e-mail must be unique",
            "Email must be unique.",
            "duplicate e-mail",
            "This address is used by somebody else",
        ] {
            assert!(says_taken(text), "{text}");
        }
    }

    #[test]
    fn sentences_that_do_not() {
        for text in [
            "The customer email must be a valid email address.",
            "The email domain does not exist",
            "This email doesn't exist",
            "This email doesn’t exist",
            "The address has not been registered with us",
            "No customer exists",
            "The email must exist",
            "This email is not in use",
            "The email has not been used",
            "",
        ] {
            assert!(!says_taken(text), "{text}");
        }
    }

    #[test]
    fn a_complaint_about_the_form_of_an_email_means_no_customer_and_other_words_may_mean_one() {
        for text in [
            "The customer email must be a valid email address.",
            "The email format is invalid.",
            "The customer email field is required.",
            "The email may not be longer than 255 characters",
            "The email domain does not exist",
        ] {
            assert_eq!(email_words(text), None, "{text}");
        }
        for text in [
            "E-Mail wird bereits verwendet",
            "Diese Adresse ist schon vergeben",
            "El correo ya está en uso",
            "Cette adresse n'est pas valide ou déjà prise",
            "このメールは登録済みです",
            "no",
        ] {
            assert_eq!(email_words(text), Some(EmailWords::Unclear), "{text}");
        }
        assert_eq!(email_words("A valid customer with this email exists"), Some(EmailWords::Exists));
    }

    #[test]
    fn a_sentence_about_another_field_is_not_about_the_email() {
        for text in ["Email is in use", "Your E-Mail", "Customer already exists", "A customer with this email exists"] {
            assert!(is_about_email(text), "{text}");
        }
        for text in
            ["The customer phone has already been taken", "Customer name exists", "Already exists", "idempotency"]
        {
            assert!(!is_about_email(text), "{text}");
        }
    }
}
