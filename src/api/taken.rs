//! Does a server's sentence say that a customer with this e-mail is there already?

/// Whether a sentence about the e-mail field says that the e-mail is in use: "already exists", "has been taken", "is registered".
/// "does not exist" says the opposite.
pub(super) fn says_taken(text: &str) -> bool {
    text.split(['.', ',', ';', ':', '!', '(', ')']).any(clause_says_taken)
}

/// Whether a sentence that belongs to no field is about the e-mail, or about the customer as a whole.
pub(super) fn is_about_email(text: &str) -> bool {
    const OTHER_FIELDS: [&str; 9] =
        ["phone", "mobile", "name", "country", "type", "address", "number", "document", "idempotency"];
    let text = text.to_lowercase();
    let names_email = text.contains("email") || text.contains("e-mail");
    names_email || (text.contains("customer") && !OTHER_FIELDS.iter().any(|field| text.contains(field)))
}

fn clause_says_taken(clause: &str) -> bool {
    let clause = clause.to_lowercase().replace('’', "'");
    let words: Vec<&str> = clause.split(|character: char| !character.is_alphanumeric() && character != '\'').collect();
    words.iter().enumerate().any(|(at, word)| is_sign(word) && !is_negated(&words[..at]))
}

fn is_sign(word: &str) -> bool {
    matches!(word, "exist" | "exists" | "existing" | "taken" | "already" | "registered")
}

/// "not exist", "does not already exist", "has not been registered": a "not" shortly before turns the meaning.
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
            "",
        ] {
            assert!(!says_taken(text), "{text}");
        }
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
