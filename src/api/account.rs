//! The account that logs in, and its app secret.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::auth_error::AuthError;
use super::secret_file::read_private;
use super::token::check_secret;
use crate::redact::Redactor;

const WHAT: &str = "app secret file";

/// The id and secret that a login needs. The id is a person's e-mail in base64, so it is shown as
/// little as the secret is.
pub struct AppAccount {
    id: SecretString,
    secret: SecretString,
}

impl AppAccount {
    /// Creates an account. Blanks around the id and the secret are dropped.
    ///
    /// # Errors
    /// If one of them is empty, or the secret is in quotes, a line of an environment file or JSON.
    pub fn new(id: &SecretString, secret: &SecretString) -> Result<Self, AuthError> {
        let kept = |text: &SecretString, what| match text.expose_secret().trim() {
            "" => Err(AuthError::Empty(what)),
            text => Ok(SecretString::from(text)),
        };
        check_secret(secret.expose_secret()).map_err(AuthError::MalformedSecret)?;
        Ok(Self { id: kept(id, "account id")?, secret: kept(secret, "app secret")? })
    }

    /// Creates an account with the secret from a file that only its owner may read.
    ///
    /// # Errors
    /// If the file cannot be read, other users may read it, or it holds no text.
    pub fn with_secret_file(id: &SecretString, path: &Path) -> Result<Self, AuthError> {
        let secret = String::from_utf8(read_private(WHAT, path)?).map_err(|_| AuthError::NoText(WHAT))?;
        Self::new(id, &SecretString::from(secret))
    }

    /// Returns the account's id, which tells accounts apart.
    pub(super) fn id(&self) -> &str {
        self.id.expose_secret()
    }

    /// Returns the body of a login.
    pub(super) fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Login<'a> {
            account_id: &'a str,
            app_secret: &'a str,
        }
        let login = Login { account_id: self.id(), app_secret: self.secret.expose_secret() };
        // Two strings can always be serialized.
        serde_json::to_vec(&login).unwrap_or_default()
    }

    /// Teaches a redactor everything of the account that a server may repeat.
    pub(super) fn teach(&self, secrets: &Redactor) {
        secrets.learn(self.secret.expose_secret());
        secrets.learn(self.id());
        if let Some(email) = decoded(self.id()) {
            secrets.learn(&email);
        }
    }
}

fn decoded(id: &str) -> Option<String> {
    let plain = id.trim_end_matches('=');
    let bytes = BASE64_STANDARD_NO_PAD.decode(plain).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(plain)).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

impl fmt::Debug for AppAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppAccount(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, secret: &str) -> Result<AppAccount, AuthError> {
        AppAccount::new(&id.into(), &secret.into())
    }

    #[test]
    fn the_body_of_a_login_names_both_whatever_they_hold() {
        let body = account(" id= ", "s\"é\\\n").unwrap().body();
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(said, serde_json::json!({"account_id": "id=", "app_secret": "s\"é\\"}));
        assert!(matches!(account(" ", "s"), Err(AuthError::Empty("account id"))));
        assert!(matches!(account("id", "\n"), Err(AuthError::Empty("app secret"))));
        assert!(matches!(account("id", "'s'"), Err(AuthError::MalformedSecret(_))));
    }

    #[test]
    fn nothing_of_an_account_is_shown_not_even_where_the_server_repeats_it() {
        // The id is `ada@example.org`.
        let account = account("YWRhQGV4YW1wbGUub3Jn", "s3cret").unwrap();
        assert_eq!(format!("{account:?}"), "AppAccount(***)");
        let secrets = Redactor::default();
        account.teach(&secrets);
        let words = secrets.hide("no s3cret of YWRhQGV4YW1wbGUub3Jn (ada@example.org)").into_owned();
        assert_eq!(words, "no *** of *** (***)");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        for (mode, refused) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let account = AppAccount::with_secret_file(&"id".into(), &path);
            assert_eq!(matches!(account, Err(AuthError::Exposed { .. })), refused, "{mode:o}");
        }
    }
}
