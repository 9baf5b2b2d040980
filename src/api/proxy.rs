//! Decides which proxy the environment names, once, so that what is shown is what the client does.
//!
//! The HTTP library would read the variables by itself, and would bypass a proxy whose address it
//! does not understand. Personal data must not take another route than the user meant, so this
//! module rejects such an address.

use std::ffi::OsString;
use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;

use super::base_url::BaseUrl;
use crate::redact::Redactor;

/// The variables for HTTPS. The first one that holds a value wins. `HTTP_PROXY` would be for
/// targets on this machine, which are never proxied.
const VARIABLES: [(&str, &str); 2] = [("HTTPS_PROXY", "https_proxy"), ("ALL_PROXY", "all_proxy")];

/// The schemes that this client can use with a proxy.
const SCHEMES: [&str; 2] = ["http", "https"];

/// How requests reach the target.
#[derive(Clone, Default)]
pub enum Route {
    /// The HTTP library's reading of the system's settings.
    #[default]
    System,
    Direct,
    Proxy(Proxy),
}

/// The route if the environment names no proxy. Linux has no other settings.
const NONE_NAMED: Route = if cfg!(target_os = "linux") { Route::Direct } else { Route::System };

/// A proxy that the client can use.
#[derive(Clone)]
pub struct Proxy {
    variable: &'static str,
    /// The address, with user name and password if there are any.
    url: String,
    host: String,
}

/// A variable that does not name a usable proxy. Its value may hold a password and is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is set, but {flaw}")]
pub struct ProxyError {
    pub variable: &'static str,
    flaw: ProxyFlaw,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ProxyFlaw {
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it is empty, but {0} is not")]
    Empty(&'static str),
    #[error("its value has blanks in it or around it")]
    Blanks,
    #[error("its value has quotes in it")]
    Quotes,
    #[error("its value has a # in it, which ends an address")]
    Hash,
    #[error("its value has more than a host and a port")]
    Path,
    #[error("its scheme {0} is not supported, only http and https")]
    Scheme(String),
    #[error("its value is not an address of a proxy such as http://proxy.example.com:3128")]
    Address,
}

impl ProxyError {
    /// Returns how to correct the value, or `None` if the message says it.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        match self.flaw {
            ProxyFlaw::Empty(_) => Some("unset the one that is not meant"),
            ProxyFlaw::Hash => Some("in a password, write %23 for #"),
            ProxyFlaw::Path => Some("in a password, write %2F for /, %3F for ? and %40 for @"),
            ProxyFlaw::NotText | ProxyFlaw::Blanks | ProxyFlaw::Quotes | ProxyFlaw::Scheme(_) | ProxyFlaw::Address => {
                None
            }
        }
    }
}

impl Route {
    /// Returns the route to a target, from the variables of an environment.
    ///
    /// # Errors
    /// If a variable that applies to the target does not name a usable proxy.
    pub fn to(base: &BaseUrl, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ProxyError> {
        if base.is_loopback() {
            return Ok(Self::Direct);
        }
        let Some((name, value)) = chosen(&variable)? else { return Ok(NONE_NAMED) };
        let exceptions = ["NO_PROXY", "no_proxy"].into_iter().find_map(&variable).unwrap_or_default();
        if !is_proxied(base, &exceptions.to_string_lossy()) {
            return Ok(Self::Direct);
        }
        parse(&value)
            .map(|(url, host)| Self::Proxy(Proxy { variable: name, url, host }))
            .map_err(|flaw| ProxyError { variable: name, flaw })
    }

    /// Teaches a redactor the password of the proxy, as it is sent and as it is written in the
    /// address.
    pub(super) fn teach(&self, secrets: &Redactor) {
        let Self::Proxy(proxy) = self else { return };
        let Some((login, _)) = proxy.url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')) else { return };
        secrets.learn(login);
        if let Some((_, password)) = login.split_once(':') {
            secrets.learn(password);
            secrets.learn(&percent_decoded(password));
        }
    }

    pub(super) fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::Result<reqwest::ClientBuilder> {
        Ok(match self {
            Self::System => builder,
            Self::Direct => builder.no_proxy(),
            Self::Proxy(proxy) => builder.no_proxy().proxy(reqwest::Proxy::all(&proxy.url)?),
        })
    }
}

/// Decodes as the HTTP library does.
fn percent_decoded(text: &str) -> String {
    // In a form, `+` would be a blank.
    let form = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}

impl Proxy {
    #[must_use]
    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// Returns host and port, without user name and password.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Direct => f.write_str("Direct"),
            Self::Proxy(proxy) => proxy.fmt(f),
        }
    }
}

/// The address may hold a password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Returns the variable that applies, and its value, or `None` if there is none. An empty variable
/// counts as missing.
///
/// # Errors
/// If it is not UTF-8, or it is empty while its lower-case twin is not.
fn chosen(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<(&'static str, String)>, ProxyError> {
    for (upper, lower) in VARIABLES {
        let is_empty = |value: &Option<OsString>| value.as_ref().is_none_or(|value| value.is_empty());
        let (one, other) = (variable(upper), variable(lower));
        let (name, value) = match (is_empty(&one), is_empty(&other)) {
            (true, true) => continue,
            (true, false) if one.is_some() => {
                return Err(ProxyError { variable: upper, flaw: ProxyFlaw::Empty(lower) });
            }
            (true, false) => (lower, other),
            (false, _) => (upper, one),
        };
        let text = value.unwrap_or_default().into_string();
        return text
            .map(|text| Some((name, text)))
            .map_err(|_| ProxyError { variable: name, flaw: ProxyFlaw::NotText });
    }
    Ok(None)
}

/// Returns whether the target is proxied, by the library's own reading of `NO_PROXY`.
fn is_proxied(base: &BaseUrl, exceptions: &str) -> bool {
    let matcher = Matcher::builder().all("http://proxy.invalid").no(exceptions).build();
    // If the target is not an address, it stays proxied; the client will reject it.
    base.as_str().parse().map_or(true, |target| matcher.intercept(&target).is_some())
}

/// Returns the address as the library accepts it, and its host and port.
fn parse(value: &str) -> Result<(String, String), ProxyFlaw> {
    if value.contains(char::is_whitespace) {
        return Err(ProxyFlaw::Blanks);
    }
    if value.contains(['"', '\'', '`']) {
        return Err(ProxyFlaw::Quotes);
    }
    if value.contains('#') {
        return Err(ProxyFlaw::Hash);
    }
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = scheme.to_ascii_lowercase();
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return Err(ProxyFlaw::Address);
    }
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(ProxyFlaw::Scheme(scheme));
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if !value.contains("://") && authority.contains('/') {
        return Err(ProxyFlaw::Address);
    }
    if authority.contains(['/', '?', '\\']) || authority.matches('@').count() > 1 {
        return Err(ProxyFlaw::Path);
    }
    let url = format!("{scheme}://{authority}");
    // If one of the libraries does not understand the address, another may bypass the proxy.
    let matcher = Matcher::builder().all(url.as_str()).build();
    let understood = "https://target.invalid".parse().ok().and_then(|target| matcher.intercept(&target));
    let host = understood.as_ref().and_then(|proxy| proxy.uri().authority()).map(ToString::to_string);
    let is_url = url::Url::parse(&url).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    host.filter(|_| is_url).map(|host| (url, host)).ok_or(ProxyFlaw::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> BaseUrl {
        BaseUrl::parse(url).unwrap()
    }

    fn route(target: &str, variables: &[(&str, &str)]) -> Result<Route, ProxyError> {
        Route::to(&base(target), |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    /// Returns the host that requests to a target go through, or the words about the variable.
    fn through(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        match route("https://api.example.com/v1", variables) {
            Ok(Route::Proxy(proxy)) => Ok(Some(format!("{} {}", proxy.variable(), proxy.host()))),
            Ok(Route::Direct | Route::System) => Ok(None),
            Err(error) => Err(format!("{error}; {}", error.advice().unwrap_or_default())),
        }
    }

    #[test]
    fn the_first_variable_that_holds_something_names_the_proxy() {
        for (variables, expected) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "http://p.example.com:3128")], Some("HTTPS_PROXY p.example.com:3128")),
            (&[("https_proxy", "p.example.com:3128")], Some("https_proxy p.example.com:3128")),
            (&[("HTTPS_PROXY", "https://p.example.com/")], Some("HTTPS_PROXY p.example.com")),
            (&[("HTTPS_PROXY", "HTTP://ops:pa%23ss@10.0.0.1:80")], Some("HTTPS_PROXY 10.0.0.1:80")),
            (&[("HTTPS_PROXY", "http://[::1]:3128")], Some("HTTPS_PROXY [::1]:3128")),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://a:1")], Some("ALL_PROXY a:1")),
            (&[("https_proxy", "http://b:1"), ("ALL_PROXY", "http://a:1")], Some("https_proxy b:1")),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1")], Some("HTTPS_PROXY a:1")),
            // A variable that does not apply is not checked.
            (&[("HTTPS_PROXY", "http://a:1"), ("ALL_PROXY", "socks5://b:1")], Some("HTTPS_PROXY a:1")),
            (&[("HTTP_PROXY", "nonsense ")], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTPS_PROXY", "\"x\""), ("NO_PROXY", "example.com")], None),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "other.com, .example.com")], None),
            (&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "*")], None),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "ple.com")], Some("HTTPS_PROXY a:1")),
        ] {
            assert_eq!(through(variables), Ok(expected.map(str::to_owned)), "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_names_no_usable_proxy_is_refused_by_its_name_and_without_its_password() {
        for (value, words) in [
            ("\"http://u:secret@127.0.0.1:9\"", "quotes"),
            ("'http://127.0.0.1:9'", "quotes"),
            ("http://127.0.0.1:9 ", "blanks"),
            (" http://127.0.0.1:9", "blanks"),
            ("http://127.0.0.1:9\n", "blanks"),
            ("http://u:se#secret@127.0.0.1:9", "%23"),
            ("http://u:12/secret@127.0.0.1:9", "%2F"),
            ("http://u:12?secret@127.0.0.1:9", "%2F"),
            ("http://u:12@secret@127.0.0.1:9", "%40"),
            ("http://127.0.0.1:9/proxy.pac", "more than a host"),
            ("http:/x", "not an address"),
            ("http:///x", "more than a host"),
            ("http://", "not an address"),
            ("http://u:secret@", "not an address"),
            ("http://127.0.0.1:port", "not an address"),
            ("http://127.0.0.1:99999", "not an address"),
            ("socks5://127.0.0.1:9", "socks5"),
            ("socks5h://u:secret@127.0.0.1:9", "socks5h"),
            ("ftp://127.0.0.1:9", "ftp"),
        ] {
            let error = through(&[("HTTPS_PROXY", value)]).unwrap_err();
            assert!(error.starts_with("HTTPS_PROXY is set, but ") && error.contains(words), "{value}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let twins = through(&[("HTTPS_PROXY", ""), ("https_proxy", "http://127.0.0.1:9")]).unwrap_err();
        assert!(twins.contains("HTTPS_PROXY") && twins.contains("https_proxy"), "{twins}");
    }

    #[test]
    fn a_target_on_this_machine_is_never_proxied_whatever_the_variables_are() {
        for target in ["http://127.0.0.1:8080/api", "http://localhost/api", "https://[::1]/api"] {
            let found = route(target, &[("HTTPS_PROXY", "nonsense "), ("ALL_PROXY", "http://a:1")]);
            assert!(matches!(found, Ok(Route::Direct)), "{target}: {found:?}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let found = route("https://api.example.com", &[("HTTPS_PROXY", "http://ops:secret@a:1")]).unwrap();
        assert!(!format!("{found:?}").contains("secret"));
    }
}
