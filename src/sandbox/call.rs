//! A request as received, and what it asks for.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{Query, Request},
    http::{
        HeaderMap, HeaderValue, Method, Uri,
        header::{ACCEPT, CONTENT_TYPE},
    },
};
use sha2::{Digest, Sha256};

use super::{
    form::email_of,
    record::{AuthSeen, Event},
};

/// The path at which the API begins.
pub(super) const BASE: &str = "/api/v1";

/// A request, read whole.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None` if the body was too large or broke off.
    pub(super) body: Option<Bytes>,
    /// The e-mail that the request is about: from the body of a post, from the query of a look-up.
    pub(super) email: Option<String>,
}

/// What a path and a method ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Create,
    List,
    Show(&'a str),
    LogIn,
    Refresh,
    LoginPage,
    WrongMethod { allowed: &'static str },
    Nowhere,
}

impl Call {
    pub(super) async fn read(request: Request, limit: usize) -> Self {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, limit).await.ok();
        let email = match parts.method {
            Method::GET => query(&parts.uri).remove("email"),
            _ => body.as_deref().and_then(email_of),
        };
        Self { method: parts.method, uri: parts.uri, headers: parts.headers, body, email }
    }

    pub(super) fn route(&self) -> Route<'_> {
        let path = self.uri.path();
        let Some(rest) = path.strip_prefix(BASE) else {
            return if path == "/login" { Route::LoginPage } else { Route::Nowhere };
        };
        match (rest, &self.method) {
            ("/customer", &Method::POST) => Route::Create,
            ("/customer", &Method::GET) => Route::List,
            ("/customer", _) => Route::WrongMethod { allowed: "GET, HEAD, POST" },
            ("/auth/login", &Method::POST) => Route::LogIn,
            ("/auth/login", _) => Route::WrongMethod { allowed: "POST" },
            ("/auth/refresh-token", &Method::GET) => Route::Refresh,
            ("/auth/refresh-token", _) => Route::WrongMethod { allowed: "GET, HEAD" },
            _ => match rest.strip_prefix("/customer/") {
                Some(id) if !id.is_empty() && self.method == Method::GET => Route::Show(id),
                Some(id) if !id.is_empty() => Route::WrongMethod { allowed: "GET, HEAD" },
                _ => Route::Nowhere,
            },
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty())
    }

    pub(super) fn query(&self) -> HashMap<String, String> {
        query(&self.uri)
    }

    /// Returns whether the client says that it reads JSON. Any other client counts as a browser.
    pub(super) fn wants_json(&self) -> bool {
        self.headers.get_all(ACCEPT).iter().any(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")))
    }

    /// Returns the body as the framework reads it: without fields if its content type is not JSON.
    pub(super) fn fields<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let is_json = |kind: &HeaderValue| kind.to_str().is_ok_and(|kind| kind.contains("json"));
        if self.headers.get(CONTENT_TYPE).is_some_and(is_json) { body } else { b"{}" }
    }

    /// Returns the `received` line of the request.
    pub(super) fn received(&self, n: u64, auth: AuthSeen) -> Event {
        let path = self.uri.path();
        Event::Received {
            n,
            method: self.method.to_string(),
            path: path.strip_prefix(BASE).unwrap_or(path).to_owned(),
            key: self.key().map(str::to_owned),
            email: self.email.clone(),
            body_sha256: self.body.as_deref().map(sha256),
            auth,
        }
    }
}

fn query(uri: &Uri) -> HashMap<String, String> {
    Query::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
