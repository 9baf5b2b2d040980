//! Yes or no, as users write it.

use super::violation::{Code, Flaw};

/// Parses `true`, `yes` and `1`, or `false`, `no` and `0`, in any case.
///
/// # Errors
/// Returns a [`Flaw`] if the text is not one of these.
pub fn parse_yes_no(text: &str) -> Result<bool, Flaw> {
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    if is_one_of(["true", "yes", "1"]) {
        Ok(true)
    } else if is_one_of(["false", "no", "0"]) {
        Ok(false)
    } else {
        Err(Flaw::new(Code::KycMailNotBoolean, "write true or false (yes, no, 1 and 0 also work)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_have_three_words_each() {
        for text in ["true", "YES", " 1 "] {
            assert_eq!(parse_yes_no(text), Ok(true));
        }
        for text in ["False", "no", "0"] {
            assert_eq!(parse_yes_no(text), Ok(false));
        }
        for text in ["", "2", "y", "ja", "truee"] {
            assert_eq!(parse_yes_no(text).unwrap_err().code, Code::KycMailNotBoolean);
        }
    }
}
