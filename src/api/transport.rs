//! Classifies requests that got no response: was anything sent?

use std::error::Error;
use std::io;

use super::quote;
use crate::domain::{AttemptResult, Complaint, ComplaintCode, DoubtCause, StopReason, StopWords};
use crate::limits;
use crate::redact::Redactor;

/// How a request without a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransportError {
    /// No connection was made, so nothing of the request was sent. `hopeless` if another attempt
    /// will not help.
    NotSent { cause: String, hopeless: bool },
    /// The server is not the one it should be, or supports no TLS version that we accept. Another
    /// attempt would not change that.
    Refused(String),
    /// The request itself cannot be built. This is our fault and the same for every record.
    Unsendable(String),
    /// A byte may have been sent.
    Silence(String),
}

impl TransportError {
    /// Classifies an error of the HTTP library. Everything that is not certainly unsent is possibly
    /// sent.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let host = error.url().map_or_else(|| "the API".to_owned(), host_of);
        let error = error.without_url();
        if error.is_builder() {
            return Self::Unsendable(quote::quote(&root_cause(&error)));
        }
        if !error.is_connect() {
            return Self::Silence(no_answer(&error));
        }
        match refusal(&error) {
            Some(reason) => Self::Refused(quote::quote(&reason)),
            None => unreached(&host, &error),
        }
    }

    /// Returns the error of a request that missed the moment until which it could leave.
    pub(super) fn late() -> Self {
        Self::NotSent { cause: "held back because it could not leave in time".to_owned(), hopeless: false }
    }

    /// Returns the error of a request whose response took too much processor time.
    pub(super) fn endless() -> Self {
        Self::Silence(
            "no answer: reading it took seconds of processor time (interim responses without end?)".to_owned(),
        )
    }

    /// Returns the error without our secrets. Its words may come from a proxy or a certificate.
    pub(super) fn without(self, secrets: &Redactor) -> Self {
        let hide = |text: String| secrets.hide(&text).into_owned();
        match self {
            Self::NotSent { cause, hopeless } => Self::NotSent { cause: hide(cause), hopeless },
            Self::Refused(reason) => Self::Refused(hide(reason)),
            Self::Unsendable(reason) => Self::Unsendable(hide(reason)),
            Self::Silence(cause) => Self::Silence(hide(cause)),
        }
    }

    pub(super) fn into_attempt(self) -> AttemptResult {
        match self {
            Self::NotSent { cause, hopeless } => AttemptResult::NotSent { cause, hopeless },
            Self::Silence(message) => AttemptResult::Unanswered {
                cause: DoubtCause::Silence,
                complaint: Complaint { code: ComplaintCode::NoAnswer, message },
                pause: None,
            },
            Self::Refused(reason) => AttemptResult::Stop(refused(&reason)),
            Self::Unsendable(reason) => AttemptResult::Stop(unsendable(&reason)),
        }
    }
}

pub(super) fn refused(reason: &str) -> StopReason {
    let why = format!("the server cannot be trusted: {reason}");
    StopReason::Configuration(StopWords { why, advice: advice(reason).map(str::to_owned) })
}

/// Returns what to do about a refused certificate, by the TLS library's reason. `None` if there is
/// no advice.
fn advice(reason: &str) -> Option<&'static str> {
    let says = |sign: &str| reason.contains(sign);
    if says("expired") || says("not valid yet") || says("NotValidYet") {
        Some("check the clock of this machine; if it is right, the server needs a new certificate")
    } else if says("not valid for name") || says("NotValidForName") {
        Some("check the host in the base URL")
    } else if says("certificate") {
        Some("if the server has its own certificate authority, name its file with --ca-file")
    } else {
        None
    }
}

pub(super) fn unsendable(reason: &str) -> StopReason {
    StopReason::Configuration(format!("cannot build the request: {reason}").into())
}

/// Returns the host, with the port if it is not the default one.
fn host_of(url: &url::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// Returns why no connection was made. The errors of name look-up and proxy say that only in their
/// texts.
fn unreached(host: &str, error: &(dyn Error + 'static)) -> TransportError {
    // The words of the C libraries of Linux and macOS for a name that certainly does not exist.
    const NO_SUCH_NAME: [&str; 3] =
        ["Name or service not known", "nodename nor servname provided", "Name does not resolve"];
    let (texts, timed_out) = (chain(error).map(ToString::to_string).collect::<Vec<_>>(), is_timeout(error));
    let says = |sign: &str| texts.iter().any(|text| text.contains(sign));
    let (why, hopeless) = if NO_SUCH_NAME.into_iter().any(says) {
        ("name not found".to_owned(), true)
    } else if says("proxy authorization required") {
        ("the proxy refuses our credentials (407)".to_owned(), true)
    } else if timed_out {
        ("no connection in time".to_owned(), false)
    } else if let Some(limit) = limit_of(error) {
        (limit, false)
    } else {
        (quote::quote(&plain(&root_cause(error))), false)
    };
    TransportError::NotSent { cause: format!("cannot reach {host} ({why})"), hopeless }
}

/// Returns the limit of this machine that prevented the connection, or `None` if none did.
fn limit_of(error: &(dyn Error + 'static)) -> Option<String> {
    let of = |error: &(dyn Error + 'static)| error.downcast_ref::<io::Error>().and_then(limits::behind);
    chain(error).find_map(of).map(str::to_owned)
}

/// Returns the cause without its number: `Connection refused (os error 111)` becomes `connection
/// refused`.
fn plain(cause: &str) -> String {
    let text = cause.split(" (os error").next().unwrap_or(cause);
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    // `TLS` and the like stay as they are.
    if letters.clone().next().is_some_and(char::is_uppercase) { text.to_owned() } else { first + letters.as_str() }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout))
}

fn no_answer(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        format!("no answer: {}", quote::quote(&root_cause(error)))
    }
}

/// Returns why the TLS layer refused the server, or `None` if it did not. Only the texts show it:
/// we cannot name the library's error type, and an `io::Error` that wraps it prints its text but
/// leaves it out of the chain of sources.
fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    const SIGNS: [&str; 4] = [
        "invalid peer certificate",
        "peer sent no certificates",
        "peer is incompatible",
        "received fatal alert: ProtocolVersion",
    ];
    chain(error).map(ToString::to_string).find(|text| SIGNS.iter().any(|sign| text.starts_with(sign)))
}

fn root_cause(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Outer(#[source] io::Error);

    /// An error wrapped as these errors are: an `io::Error` within an `io::Error` within the
    /// client's error.
    fn wrapped(text: &str) -> Outer {
        Outer(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, text.to_owned())))
    }

    #[test]
    fn a_refused_certificate_is_found_however_deep_it_is_wrapped() {
        for text in [
            "invalid peer certificate: UnknownIssuer",
            "invalid peer certificate: certificate expired: verification time 1 (UNIX)",
            "peer is incompatible: ServerDoesNotSupportTls12Or13",
            "received fatal alert: ProtocolVersion",
        ] {
            assert_eq!(refusal(&wrapped(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_connection_that_fails_otherwise_is_no_refusal() {
        for text in ["connection reset by peer", "tls handshake eof", "received fatal alert: InternalError"] {
            assert_eq!(refusal(&wrapped(text)), None, "{text}");
        }
    }

    #[test]
    fn the_cause_of_a_connection_that_did_not_come_about_is_told_and_whether_to_hope() {
        for (text, told, hopeless) in [
            ("failed to lookup address information: Name or service not known", "name not found", true),
            ("failed to lookup address information: Temporary failure in name resolution", "in name resolution", false),
            ("tunnel error: proxy authorization required", "credentials (407)", true),
            ("Connection refused (os error 111)", "(connection refused)", false),
            ("TLS handshake eof", "(TLS handshake eof)", false),
        ] {
            let TransportError::NotSent { cause, hopeless: found } = unreached("api.example.com", &wrapped(text))
            else {
                panic!()
            };
            assert!(cause.starts_with("cannot reach api.example.com (") && cause.contains(told), "{cause}");
            assert_eq!(found, hopeless, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_way_out_that_fits_its_reason() {
        for (reason, way_out) in [
            ("invalid peer certificate: UnknownIssuer", "--ca-file"),
            ("invalid peer certificate: certificate expired: verification time 1 (UNIX)", "clock"),
            ("invalid peer certificate: certificate not valid yet: verification time 1 (UNIX)", "clock"),
            (
                "invalid peer certificate: certificate not valid for name \"x\"; certificate is only valid for y",
                "base URL",
            ),
        ] {
            let AttemptResult::Stop(stop) = TransportError::Refused(reason.to_owned()).into_attempt() else {
                panic!("no stop")
            };
            assert!(stop.words().advice.as_ref().is_some_and(|advice| advice.contains(way_out)), "{stop:?}");
        }
        assert_eq!(advice("peer is incompatible: ServerDoesNotSupportTls12Or13"), None);
    }
}
