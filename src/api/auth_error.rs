use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::token::TokenError;
use crate::domain::{StopReason, shown};
use crate::shell::quoted;

/// How long a command may take to print a token.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no token to send. The messages never show a token or a secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The API refused the token, and the source has no other.
    #[error("the API refused the token, and {0}")]
    Refused(&'static str),
    #[error("the token {0}")]
    Malformed(TokenError),
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("the {0} is not UTF-8 text")]
    NoText(&'static str),
    #[error("cannot read the {what} {}: {source}", shown(path))]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("other users may read the {what} {}; hint: chmod 600 {}", shown(path), quoted(&path.to_string_lossy()))]
    Exposed { what: &'static str, path: PathBuf },
    #[error("cannot run the token command: {0}")]
    Command(io::Error),
    #[error("the token command failed: {0}")]
    CommandFailed(ExitStatus),
    #[error("the token command took longer than {} s", COMMAND_LIMIT.as_secs())]
    CommandSlow,
}

impl From<AuthError> for StopReason {
    fn from(error: AuthError) -> Self {
        Self::Credentials(error.to_string())
    }
}
