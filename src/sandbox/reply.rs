//! A response before it is sent. It is a type of its own because responses are stored, replayed and
//! spoiled on the way.

use std::io::Write as _;

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

const NOTICE: &str = "<br />\n<b>Deprecated</b>:  Optional parameter $account declared before required parameter $customer in \
                      <b>/var/www/app/Http/Controllers/CustomerController.php</b> on line <b>57</b><br />\n";
const COMMENT: &str = "\n<!-- 0.043 s, 12 queries -->\n";

/// Status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// How much of a response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything.
    Whole,
    /// Nothing: the connection is reset.
    Reset,
    /// Up to the middle of the headers.
    CutHead,
    /// Up to the middle of the body.
    CutBody,
    /// Nothing, while the connection stays open.
    Never,
}

impl Reply {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// Returns a page as proxies and frameworks make them.
    pub(super) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n\
             </body>\n</html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn text(status: u16, words: &str) -> Self {
        Self::new(status, "text/plain", words.to_owned())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::new(status, "application/json", "")
    }

    /// Returns the redirect to the login page that a framework sends to clients that it takes for
    /// browsers.
    pub(super) fn to_login() -> Self {
        Self::html(302, "Redirecting to /login").with(header::LOCATION, HeaderValue::from_static("/login"))
    }

    fn new(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { status, headers, body: body.into() }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Puts stray bytes before the body, as a forgotten `echo` does.
    #[must_use]
    pub(super) fn prefixed(mut self, stray: &str) -> Self {
        self.body = [stray.as_bytes(), &self.body].concat().into();
        self
    }

    /// Puts an interpreter's notice before the body and a cache's comment after it.
    #[must_use]
    pub(super) fn noticed(mut self) -> Self {
        self.body = [NOTICE.as_bytes(), &self.body, COMMENT.as_bytes()].concat().into();
        self
    }

    /// Compresses the body with gzip.
    #[must_use]
    pub(super) fn packed(mut self) -> Self {
        let mut packed = Vec::new();
        let mut encoder = GzEncoder::new(&mut packed, Compression::default());
        // Writing to memory cannot fail.
        if encoder.write_all(&self.body).and_then(|()| encoder.try_finish()).is_err() {
            return self;
        }
        drop(encoder);
        self.body = packed.into();
        self.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
    }

    pub(super) fn is_packed(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == header::CONTENT_ENCODING)
    }

    pub(super) fn is_json(&self) -> bool {
        self.headers.iter().any(|(name, kind)| name == header::CONTENT_TYPE && kind == "application/json")
    }

    /// Returns the response to send, with `body` instead of its own if there is one.
    pub(super) fn into_response(self, body: Option<Body>) -> Response {
        let mut response = Response::new(body.unwrap_or_else(|| Body::from(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}
