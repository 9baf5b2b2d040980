//! An answer before it goes out: kept apart from axum's, for it is stored, replayed and spoiled on the way.

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::Value;

/// Status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// A page as proxies and frameworks make them.
    pub(super) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n\
             </body>\n</html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::new(status, "application/json", "")
    }

    /// The way to the login page that a framework shows to those it takes for browsers.
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

    /// Stray bytes before the body, as a forgotten `echo` leaves them.
    #[must_use]
    pub(super) fn prefixed(mut self, stray: &str) -> Self {
        self.body = [stray.as_bytes(), &self.body].concat().into();
        self
    }

    /// The answer to send, with another body in place of its own if need be.
    pub(super) fn into_response(self, body: Option<Body>) -> Response {
        let mut response = Response::new(body.unwrap_or_else(|| Body::from(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}
