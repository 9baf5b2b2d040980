//! A bearer token, and what it says about itself.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// A bearer token that fits into a header: visible ASCII only. Never shown.
#[derive(Clone)]
pub struct Token(Arc<ParsedToken>);

/// Shared by all clones, because each request has some, and none should copy the secret.
struct ParsedToken {
    secret: SecretString,
    /// See [`Token::ends_at`].
    ends_at: Option<Timestamp>,
}

/// Why a text is not a token. Does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("is empty")]
    Empty,
    #[error("contains blanks or line breaks")]
    Blanks,
    #[error("is in quotes")]
    Quoted,
    #[error("looks like a line of an environment file (`NAME=…`)")]
    Assignment,
    #[error("is a JSON object")]
    Json,
    #[error("contains characters that a token cannot have")]
    Characters,
    #[error("is longer than any token")]
    TooLong,
}

impl TokenError {
    /// Returns what to do about it. `what` is the secret: a token or an app secret.
    pub(super) fn advice(self, what: &str) -> Option<String> {
        let rest = match self {
            Self::Blanks => "without `Bearer`",
            Self::Quoted => "without the quotes",
            Self::Assignment => "without the name",
            Self::Json => "which is one of its values",
            Self::Empty | Self::Characters | Self::TooLong => return None,
        };
        Some(format!("give the {what} alone, {rest}"))
    }
}

/// Fails if an app secret is wrapped as a token must not be. Unlike a token, a secret may hold any
/// characters, so it is refused only if what is around it cannot be a part of it.
pub(super) fn check_secret(text: &str) -> Result<(), TokenError> {
    let text = text.trim();
    let is_in = |quote: char| text.len() > 2 && text.starts_with(quote) && text.ends_with(quote);
    if serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok() {
        return Err(TokenError::Json);
    }
    if is_in('"') || is_in('\'') {
        return Err(TokenError::Quoted);
    }
    let name = text.split_once('=').map_or("", |(name, _)| name);
    let is_variable = name.starts_with("export ") || name.contains('_') || name.eq_ignore_ascii_case("secret");
    if is_variable && is_assignment(text) { Err(TokenError::Assignment) } else { Ok(()) }
}

impl Token {
    /// Parses a token. Blanks around it are dropped, because files and the output of commands end
    /// in a line break.
    ///
    /// # Errors
    /// If the text cannot be a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.starts_with('{') {
            return Err(TokenError::Json);
        }
        if text.starts_with(['"', '\'']) {
            return Err(TokenError::Quoted);
        }
        if is_assignment(text) {
            return Err(TokenError::Assignment);
        }
        if text.chars().any(char::is_whitespace) {
            return Err(TokenError::Blanks);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(Arc::new(ParsedToken { secret: SecretString::from(text), ends_at: ends_at(text) })))
    }

    /// Returns the subject of a JSON Web Token, or `None` if it does not say. It only tells
    /// accounts apart, so nothing is verified.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        match claims(self.expose())?.get("sub")? {
            Value::String(subject) => Some(subject.clone()),
            Value::Number(subject) => Some(subject.to_string()),
            _ => None,
        }
    }

    /// Returns when the token ends, by the issuer's clock, or `None` if it does not say.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.0.ends_at
    }

    pub(super) fn expose(&self) -> &str {
        self.0.secret.expose_secret()
    }
}

/// Returns the end of a JSON Web Token.
fn ends_at(token: &str) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and a number out of range is not a time"
    )]
    let second = claims(token)?.get("exp")?.as_f64()? as i64;
    Timestamp::from_second(second).ok()
}

fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Whether a text is `NAME=value` or `export NAME=value`. A token may end with `=`, but it does not
/// have one before other characters.
fn is_assignment(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    text.split_once('=').is_some_and(|(name, value)| {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name && !value.trim_start_matches('=').is_empty()
    })
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
            ("\"abc\"", TokenError::Quoted),
            ("'abc'", TokenError::Quoted),
            ("TOKEN=abc", TokenError::Assignment),
            ("export API_TOKEN=\"abc\"", TokenError::Assignment),
            ("{\"access_token\": \"abc\"}", TokenError::Json),
            ("a\0b", TokenError::Characters),
            ("tökén", TokenError::Characters),
        ] {
            assert_eq!(Token::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn an_app_secret_is_refused_if_it_is_surely_wrapped() {
        for (text, error) in [
            ("\"s3cret\"", TokenError::Quoted),
            ("'s3cret'\n", TokenError::Quoted),
            ("APP_SECRET=s3cret", TokenError::Assignment),
            ("export SECRET=\"s3cret\"", TokenError::Assignment),
            ("secret=s3cret", TokenError::Assignment),
            ("{\"app_secret\": \"s3cret\"}", TokenError::Json),
        ] {
            assert_eq!(check_secret(text), Err(error), "{text:?}");
        }
        for text in ["s\"é\\", "'x", "{x", "a=b", "YWJjZA==", "x_y==", "pass phrase", "=_=", "\"\""] {
            assert_eq!(check_secret(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_token_may_end_with_padding() {
        for text in ["YWJj=", "YWJjZA==", "1|abc-DEF~+/="] {
            assert_eq!(Token::parse(text).unwrap().expose(), text);
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

    #[test]
    fn a_web_token_tells_when_it_ends_and_nonsense_tells_nothing() {
        for (claims, second) in [
            (r#"{"exp":1700000000}"#, Some(1_700_000_000)),
            (r#"{"exp":1700000000.9}"#, Some(1_700_000_000)),
            (r#"{"exp":1e300}"#, None),
            (r#"{"exp":"1700000000"}"#, None),
            (r#"{"sub":"x"}"#, None),
            ("[]", None),
        ] {
            let token = Token::parse(&format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(claims))).unwrap();
            assert_eq!(token.ends_at().map(Timestamp::as_second), second, "{claims}");
        }
    }
}
