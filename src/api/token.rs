//! A bearer token, and what it tells of itself.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

/// A bearer token that fits into a header: visible ASCII and nothing else. Never shown.
#[derive(Clone)]
pub struct Token(SecretString);

/// Why a text is no token. The text itself is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("is empty")]
    Empty,
    #[error("contains blanks or line breaks (a token stands alone, without `Bearer`)")]
    Blanks,
    #[error("contains characters that no token has")]
    Characters,
    #[error("is longer than any token")]
    TooLong,
}

impl Token {
    /// Blanks around the token are dropped: files and commands end in a line break.
    ///
    /// # Errors
    /// When the text cannot be a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.chars().any(char::is_whitespace) {
            return Err(TokenError::Blanks);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// Whose token it is, where it tells: the subject of a JSON Web Token. Nothing is verified; it only tells accounts apart.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        let payload = self.expose().split('.').nth(1)?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        match claims.get("sub")? {
            serde_json::Value::String(subject) => Some(subject.clone()),
            serde_json::Value::Number(subject) => Some(subject.to_string()),
            _ => None,
        }
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_visible_ascii() {
        assert_eq!(Token::parse(" abc.DEF-1_2\r\n").unwrap().expose(), "abc.DEF-1_2");
        for (text, error) in [
            ("", TokenError::Empty),
            (" \n", TokenError::Empty),
            ("a b", TokenError::Blanks),
            ("a\r\nX-Evil: 1", TokenError::Blanks),
            ("Bearer abc", TokenError::Blanks),
            ("a\0b", TokenError::Characters),
            ("tökén", TokenError::Characters),
        ] {
            assert_eq!(Token::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn a_web_token_tells_whose_it_is_and_any_other_token_does_not() {
        // The middle parts are {"sub":"account-7"} and {"sub":7}.
        for (token, subject) in [
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY2NvdW50LTcifQ.x", Some("account-7")),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOjd9.x", Some("7")),
            ("1|plain-token", None),
            ("a.b.c", None),
        ] {
            assert_eq!(Token::parse(token).unwrap().subject().as_deref(), subject, "{token}");
        }
    }
}
