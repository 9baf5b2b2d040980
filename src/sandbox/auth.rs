//! Authentication: bearer tokens, login and refresh.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    config::{Config, Credentials},
    record::AuthSeen,
    sync::lock_ignoring_poison,
};

/// The tokens that the server knows.
#[derive(Debug)]
pub(super) struct Auth {
    fixed: Option<String>,
    credentials: Option<Credentials>,
    life: Duration,
    /// Tokens that the server issued, and when each ends. Never emptied, because the server must
    /// keep refusing an old token.
    issued: Mutex<HashMap<String, Instant>>,
}

impl Auth {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            fixed: config.token.clone(),
            credentials: config.credentials.clone(),
            life: config.token_life,
            issued: Mutex::default(),
        }
    }

    /// Judges the `Authorization` header.
    pub(super) fn judge(&self, headers: &HeaderMap, now: Instant) -> AuthSeen {
        let Some(token) = bearer(headers) else { return AuthSeen::None };
        if !token.is_empty() && self.is_valid(token, now) { AuthSeen::Ok } else { AuthSeen::Bad }
    }

    fn is_valid(&self, token: &str, now: Instant) -> bool {
        match lock_ignoring_poison(&self.issued).get(token) {
            Some(end) => now < *end,
            None => self.fixed.as_ref().is_none_or(|fixed| fixed == token),
        }
    }

    /// Returns a token, or `None` if the account or the secret is wrong.
    pub(super) fn log_in(&self, account_id: &str, app_secret: &str, now: Instant) -> Option<String> {
        let known = match &self.credentials {
            Some(known) => known.account_id == account_id && known.app_secret == app_secret,
            None => !account_id.is_empty() && !app_secret.is_empty(),
        };
        known.then(|| self.issue(now))
    }

    /// Issues a token that is valid from now on.
    pub(super) fn issue(&self, now: Instant) -> String {
        let token = format!("sandbox-{}", Uuid::now_v7().simple());
        lock_ignoring_poison(&self.issued).insert(token.clone(), now + self.life);
        token
    }

    /// Ends the token of a request.
    pub(super) fn revoke(&self, headers: &HeaderMap, now: Instant) {
        if let Some(token) = bearer(headers) {
            lock_ignoring_poison(&self.issued).insert(token.to_owned(), now);
        }
    }

    /// Returns the life of a new token, in seconds.
    pub(super) fn expires_in(&self) -> u64 {
        self.life.as_secs()
    }
}

/// Returns the token of a request, or `None` if it has no `Authorization` header. Empty if the
/// header does not hold a token.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?;
    Some(header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).map_or("", str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn an_issued_token_lives_its_life_and_no_longer() {
        let auth = Auth::new(&Config { token: Some("fixed".into()), ..Config::default() });
        let token = auth.log_in("account", "secret", Instant::now()).unwrap();
        assert_eq!(auth.judge(&sent(&token), Instant::now()), AuthSeen::Ok);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(auth.judge(&sent(&token), Instant::now()), AuthSeen::Ok);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(auth.judge(&sent(&token), Instant::now()), AuthSeen::Bad);
        assert_eq!(auth.judge(&sent("fixed"), Instant::now()), AuthSeen::Ok);
    }

    #[tokio::test]
    async fn a_fixed_token_shuts_out_all_others_and_without_one_any_will_do() {
        let now = Instant::now();
        let strict = Auth::new(&Config { token: Some("fixed".into()), ..Config::default() });
        assert_eq!(strict.judge(&sent("other"), now), AuthSeen::Bad);
        assert_eq!(strict.judge(&HeaderMap::new(), now), AuthSeen::None);
        let open = Auth::new(&Config::default());
        assert_eq!(open.judge(&sent("other"), now), AuthSeen::Ok);
        assert_eq!(open.judge(&sent(""), now), AuthSeen::Bad);
    }

    #[tokio::test]
    async fn login_asks_for_the_secret_when_there_is_one() {
        let credentials = Credentials { account_id: "acme".into(), app_secret: "s3cret".into() };
        let auth = Auth::new(&Config { credentials: Some(credentials), ..Config::default() });
        assert!(auth.log_in("acme", "s3cret", Instant::now()).is_some());
        assert!(auth.log_in("acme", "wrong", Instant::now()).is_none());
        assert!(Auth::new(&Config::default()).log_in("", "", Instant::now()).is_none());
    }
}
