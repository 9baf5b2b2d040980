//! The address of the API.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use url::{Host, Url};

use crate::domain::shorten;

/// The longest text that is shown of a rejected address, in characters.
const SHOWN: usize = 200;

/// The checked, normalized address of the API. Two spellings of one address are equal, because the
/// ledger identifies a target by its address.
///
/// ```
/// use customer_import::api::BaseUrl;
///
/// let base = BaseUrl::parse("HTTPS://API.Example.com:443/v1/")?;
/// assert_eq!(base.as_str(), "https://api.example.com/v1");
///
/// let refused = BaseUrl::parse("http://api.example.com/v1").unwrap_err();
/// assert!(refused.to_string().starts_with("`http://` is for this machine only"));
/// # Ok::<(), customer_import::api::BaseUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    url: Url,
    /// The address without the trailing `/` that [`Url`] insists on for a bare host.
    text: String,
}

/// Why a text is not an address of an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    #[error("not a URL: {0}")]
    Syntax(url::ParseError),
    #[error("contains blanks or control characters")]
    Characters,
    #[error("starts with `{0}://`")]
    Scheme(String),
    #[error("`http://` is for this machine only, because it would send the token and personal data unencrypted")]
    Cleartext,
    #[error("contains a user name or password")]
    UserInfo,
    #[error("contains a query (`?…`)")]
    Query,
    #[error("contains a fragment (`#…`)")]
    Fragment,
    #[error("has no host")]
    Host,
}

impl BaseUrlError {
    /// Returns what the user can do.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Syntax(_) | Self::Host => "give an address such as https://api.example.com/v1",
            Self::Characters => "give the address in one piece, without blanks and line breaks",
            Self::Scheme(_) | Self::Cleartext => "give an `https://` address",
            Self::UserInfo => "use the options for credentials",
            Self::Query | Self::Fragment => "give the address without it",
        }
    }
}

impl BaseUrl {
    /// Parses and normalizes an address.
    ///
    /// # Errors
    /// If the text is not an absolute `https` address (or `http` to this machine), or has more than
    /// scheme, host, port and path.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        // The URL standard silently drops line breaks and tabs, but an address with them is a
        // mistake that the user should see.
        if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err(BaseUrlError::Characters);
        }
        let url = Url::parse(text).map_err(BaseUrlError::Syntax)?;
        refuse_surplus(&url)?;
        let url = normalised(url)?;
        refuse_cleartext(&url)?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    /// Returns a text that may be an address, without the parts that may be secret, so that it can
    /// be shown. The text need not be a valid address.
    #[must_use]
    pub fn without_secrets(text: &str) -> String {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        // A password that is not encoded may hold a `/`, a `?` or a `#`, so the last `@` of the
        // text ends it.
        let (secret, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
        let (rest, query) = rest.find(['?', '#']).map_or((rest, ""), |at| (&rest[..at], "?***"));
        let sign = if text.contains("://") { "://" } else { "" };
        shorten(&format!("{scheme}{sign}{secret}{rest}{query}"), SHOWN)
    }

    /// Returns the normalized address, without a `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host without the port; an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Returns whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Returns whether requests are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns the address below this one. Segments are percent-encoded, so a segment cannot become
    /// two.
    #[must_use]
    pub fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        // Only addresses without a host have no path segments, and `parse` rejects those.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

fn refuse_surplus(url: &Url) -> Result<(), BaseUrlError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BaseUrlError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BaseUrlError::UserInfo);
    }
    if url.query().is_some() {
        return Err(BaseUrlError::Query);
    }
    if url.fragment().is_some() {
        return Err(BaseUrlError::Fragment);
    }
    Ok(())
}

fn refuse_cleartext(url: &Url) -> Result<(), BaseUrlError> {
    if url.scheme() == "https" || is_loopback(url) { Ok(()) } else { Err(BaseUrlError::Cleartext) }
}

/// Removes slashes at the end and the dot of a fully qualified name. [`Url`] has normalized case
/// and default ports already.
fn normalised(mut url: Url) -> Result<Url, BaseUrlError> {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let qualified = url.domain().and_then(|domain| domain.strip_suffix('.')).map(str::to_owned);
    if let Some(domain) = qualified {
        url.set_host(Some(&domain)).map_err(BaseUrlError::Syntax)?;
    }
    if url.host_str().is_none_or(str::is_empty) { Err(BaseUrlError::Host) } else { Ok(url) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As [`BaseUrl::parse`].
impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        for text in [
            "https://api.yativo.com/api/v1",
            "https://api.yativo.com/api/v1/",
            "https://api.yativo.com/api/v1//",
            "HTTPS://API.Yativo.com:443/api/v1",
            "  https://api.yativo.com./api/v1 ",
            "https://api.yativo.com/api/x/../v1",
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.as_str(), "https://api.yativo.com/api/v1", "{text}");
            assert_eq!(base, BaseUrl::parse("https://api.yativo.com/api/v1").unwrap(), "{text}");
            assert_eq!(base.host(), "api.yativo.com");
        }
        assert_eq!(BaseUrl::parse("https://example.com/").unwrap().as_str(), "https://example.com");
        assert_ne!(BaseUrl::parse("https://example.com/A"), BaseUrl::parse("https://example.com/a"));
        assert_eq!(BaseUrl::parse("https://example.com:8443").unwrap().as_str(), "https://example.com:8443");
    }

    #[test]
    fn cleartext_goes_to_this_machine_only() {
        for text in ["http://127.0.0.1:8080/api/v1", "http://127.9.9.9", "http://[::1]:99/x", "http://LOCALHOST:1/"] {
            assert!(BaseUrl::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in [
            "http://api.yativo.com",
            "http://128.0.0.1",
            "http://[::2]",
            "http://localhost.example.com",
            "http://0.0.0.0",
        ] {
            assert_eq!(BaseUrl::parse(text), Err(BaseUrlError::Cleartext), "{text}");
        }
        assert!(!BaseUrl::parse("https://api.yativo.com").unwrap().is_loopback());
    }

    #[test]
    fn what_does_not_belong_into_an_address_is_refused() {
        let error = |text| BaseUrl::parse(text).unwrap_err();
        assert_eq!(error("https://user:pass@example.com"), BaseUrlError::UserInfo);
        assert_eq!(error("https://user@example.com"), BaseUrlError::UserInfo);
        assert_eq!(error("https://example.com/?a=b"), BaseUrlError::Query);
        assert_eq!(error("https://example.com/#a"), BaseUrlError::Fragment);
        assert_eq!(error("ftp://example.com/"), BaseUrlError::Scheme("ftp".to_owned()));
        assert_eq!(error("https://exa\nmple.com/"), BaseUrlError::Characters);
        assert!(matches!(error("api.yativo.com/api/v1"), BaseUrlError::Syntax(_)));
        assert!(matches!(error("https://"), BaseUrlError::Syntax(_)));
        assert!(matches!(error(""), BaseUrlError::Syntax(_)));
        assert!(BaseUrl::parse("localhost:8080").is_err());
    }

    #[test]
    fn segments_are_encoded_and_stay_one() {
        let base = BaseUrl::parse("https://example.com/api/v1/").unwrap();
        assert_eq!(base.join(&["customer"]).as_str(), "https://example.com/api/v1/customer");
        assert_eq!(base.join(&["customer", "a/b?c"]).as_str(), "https://example.com/api/v1/customer/a%2Fb%3Fc");
        assert_eq!(BaseUrl::parse("https://example.com").unwrap().join(&["auth", "login"]).path(), "/auth/login");
    }

    #[test]
    fn what_is_shown_of_a_refused_address_has_no_password_and_no_token() {
        for (text, shown) in [
            ("https://u:SECRET@api.example.com/v1", "https://***@api.example.com/v1"),
            ("https://u:SEC/RET?#@api.example.com/v1", "https://***@api.example.com/v1"),
            ("https://api.example.com/v1?token=SECRET", "https://api.example.com/v1?***"),
            ("https://api.example.com/v1#SECRET", "https://api.example.com/v1?***"),
            ("u:SECRET@api.example.com", "***@api.example.com"),
            ("https://u:SECRET@api.example.com?token=SECRET@x", "https://***@x"),
            ("ftp://api.example.com", "ftp://api.example.com"),
            ("https://a\u{1b}[2J\nb", "https://a\\u{1b}[2J\\nb"),
        ] {
            assert_eq!(BaseUrl::without_secrets(text), shown);
        }
    }
}
