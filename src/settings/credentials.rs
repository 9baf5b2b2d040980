//! Credentials: the one source of tokens.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{AppAccount, Credentials, TokenSource};
use crate::cli::{APP_SECRET_VARIABLE, CredentialArgs, TOKEN_VARIABLE};
use crate::exit::Exit;
use crate::failure::Failure;

/// Returns the one source of tokens. Fails if there is none or more than one. Reads the file of the
/// app secret, so it may block.
pub(super) fn credentials(args: &CredentialArgs) -> Result<Credentials, Failure> {
    let (token, secret) = (secret_variable(TOKEN_VARIABLE)?, secret_variable(APP_SECRET_VARIABLE)?);
    let (file, id) = (&args.app_secret_file, args.account_id.as_deref().map(SecretString::from));
    let names_account = id.is_some() || secret.is_some() || file.is_some();
    match (token, &args.token_file, &args.token_command, names_account) {
        (Some(token), None, None, false) => Ok(Credentials::Source(TokenSource::fixed(&token)?)),
        (None, Some(path), None, false) => Ok(Credentials::Source(TokenSource::file(path.clone()))),
        (None, None, Some(command), false) => Ok(Credentials::Source(TokenSource::command(command.clone()))),
        (None, None, None, true) => account(id, secret, file.as_deref()),
        (None, None, None, false) => Err(Failure::new(Exit::Usage, "no credentials were given").hint(format!(
            "set {TOKEN_VARIABLE} to a bearer token, or use --token-file PATH, --token-command COMMAND, \
             or --account-id ID with the app secret in {APP_SECRET_VARIABLE} or --app-secret-file PATH"
        ))),
        _ => Err(Failure::new(Exit::Usage, "more than one source of credentials was given").hint(format!(
            "keep one of {TOKEN_VARIABLE}, --token-file, --token-command, and --account-id with its app secret \
             ({APP_SECRET_VARIABLE} or --app-secret-file)"
        ))),
    }
}

/// Returns the account that logs in. Fails unless there is an id and exactly one secret.
fn account(
    id: Option<SecretString>,
    secret: Option<SecretString>,
    file: Option<&Path>,
) -> Result<Credentials, Failure> {
    let account = match (id, secret, file) {
        (Some(id), Some(secret), None) => AppAccount::new(&id, &secret)?,
        (Some(id), None, Some(path)) => AppAccount::with_secret_file(&id, path)?,
        (_, Some(_), Some(_)) => {
            let words = format!("the app secret was given twice, by {APP_SECRET_VARIABLE} and --app-secret-file");
            return Err(Failure::new(Exit::Usage, words).hint("keep one of them"));
        }
        (Some(_), None, None) => {
            return Err(Failure::new(Exit::Usage, "--account-id was given without the app secret")
                .hint(format!("set {APP_SECRET_VARIABLE}, or name a file with it: --app-secret-file PATH")));
        }
        (None, ..) => {
            return Err(Failure::new(Exit::Usage, "an app secret was given without --account-id")
                .hint("name its account: --account-id ID (or CUSTOMER_IMPORT_ACCOUNT_ID)"));
        }
    };
    Ok(Credentials::Account(account))
}

/// Returns the value of a variable that holds a secret, or `None` if it is not set or blank.
pub(super) fn secret_variable(name: &str) -> Result<Option<SecretString>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let value = value.into_string().map(SecretString::from);
    let value = value.map_err(|_| Failure::new(Exit::Usage, format!("{name} is not UTF-8 text")))?;
    Ok(Some(value).filter(|value| !value.expose_secret().trim().is_empty()))
}
