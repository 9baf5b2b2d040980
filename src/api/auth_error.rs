use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::token::TokenError;
use crate::domain::{StopReason, StopWords, shown};
use crate::shell::quoted;

/// How long a command may take to print a token.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no token to send. The messages never show a token or a secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The API refused the token, and the source has no other.
    #[error("the API refused the token, and {why}")]
    Refused { why: &'static str, advice: &'static str },
    #[error("the token {0}")]
    Malformed(TokenError),
    #[error("the app secret {0}")]
    MalformedSecret(TokenError),
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("the {0} is not UTF-8 text")]
    NoText(&'static str),
    #[error("cannot read the {what} {}: {source}", shown(path))]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("other users may read the {what} {}", shown(path))]
    Exposed { what: &'static str, path: PathBuf },
    #[error("cannot run the token command: {0}")]
    Command(io::Error),
    #[error("the token command failed: {0}")]
    CommandFailed(ExitStatus),
    #[error("the token command took longer than {} s", COMMAND_LIMIT.as_secs())]
    CommandSlow,
}

impl AuthError {
    /// Returns what the user can do, or `None` if the message says enough.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Refused { advice, .. } => Some((*advice).to_owned()),
            Self::Malformed(flaw) => flaw.advice("token"),
            Self::MalformedSecret(flaw) => flaw.advice("app secret"),
            Self::File { .. } => Some("check its path and that this user can read it".to_owned()),
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", quoted(&path.to_string_lossy()))),
            Self::Empty(_) | Self::NoText(_) | Self::Command(_) | Self::CommandFailed(_) | Self::CommandSlow => None,
        }
    }
}

impl From<AuthError> for StopReason {
    fn from(error: AuthError) -> Self {
        Self::Credentials(StopWords { why: error.to_string(), advice: error.advice() })
    }
}
