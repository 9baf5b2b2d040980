//! Bearer tokens, and the sources that they come from.
//!
//! A run outlives many tokens. An account logs in and refreshes with additional requests;
//! `delivery` decides when. Any other source is read again when the API refuses its token. If the
//! source then has no other token, the run ends.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::account::AppAccount;
use super::auth_error::{AuthError, COMMAND_LIMIT};
use super::secret_file::{SECRET_CAP, read_private};
use super::token::{Token, TokenError};

const TOKEN_FILE: &str = "token file";

/// What the user gave to authenticate with.
#[derive(Debug)]
pub enum Credentials {
    Source(TokenSource),
    Account(AppAccount),
}

impl Credentials {
    /// Returns the owner, or `None` if the credentials do not name one. It tells accounts apart and
    /// is never shown.
    ///
    /// # Errors
    /// If the source has no token.
    pub async fn owner(&self) -> Result<Option<String>, AuthError> {
        match self {
            Self::Source(source) => Ok(source.token().await?.subject()),
            Self::Account(account) => Ok(Some(account.id().to_owned())),
        }
    }

    /// Returns the token if it is the only one there will ever be, or `None` if the credentials can
    /// give others.
    #[must_use]
    pub const fn only_token(&self) -> Option<&Token> {
        match self {
            Self::Source(TokenSource { source: TokenProvider::Static(token), .. }) => Some(token),
            Self::Source(_) | Self::Account(_) => None,
        }
    }
}

/// A source that can be asked for tokens.
enum TokenProvider {
    Static(Token),
    File(PathBuf),
    Command(String),
}

impl TokenProvider {
    async fn fetch(&self) -> Result<Token, AuthError> {
        match self {
            Self::Static(token) => Ok(token.clone()),
            Self::File(path) => from_file(path.clone()).await,
            Self::Command(command) => from_command(command, COMMAND_LIMIT).await,
        }
    }

    /// Returns why the run must end when the API has refused the token and the source has no other.
    const fn dead_end(&self) -> AuthError {
        let (why, advice) = match self {
            Self::Static(_) => (
                "a token that was given directly cannot be renewed",
                "give a fresh one, use a token file or a token command, or log in with --account-id",
            ),
            Self::File(_) => ("the token file still holds the same token", "write a fresh token into the file"),
            Self::Command(_) => {
                ("the token command printed the same token again", "check that the command requests a fresh token")
            }
        };
        AuthError::Refused { why, advice }
    }
}

/// The current token of a source other than the API, and the way to the next one.
pub struct TokenSource {
    source: TokenProvider,
    /// Held while the source is asked, so that it is asked once even if many tasks wait for it.
    current: Mutex<Option<Token>>,
}

impl TokenSource {
    /// A token that the user gave directly. It cannot be renewed.
    ///
    /// # Errors
    /// If the text cannot be a token.
    pub fn fixed(token: &SecretString) -> Result<Self, AuthError> {
        Token::parse(token.expose_secret())
            .map(|token| Self::of(TokenProvider::Static(token)))
            .map_err(AuthError::Malformed)
    }

    /// A file that only its owner may read. It is read when a token is needed, and again when the
    /// API refuses one.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self::of(TokenProvider::File(path))
    }

    /// A command for `/bin/sh` that prints a token.
    #[must_use]
    pub fn command(command: String) -> Self {
        Self::of(TokenProvider::Command(command))
    }

    fn of(source: TokenProvider) -> Self {
        Self { source, current: Mutex::new(None) }
    }

    /// Returns the token to send.
    ///
    /// # Errors
    /// If the source has none.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref() {
            return Ok(token.clone());
        }
        let token = self.source.fetch().await?;
        *current = Some(token.clone());
        Ok(token)
    }

    /// Returns a token to replace one that the API refused. If another caller has replaced it
    /// meanwhile, returns that one.
    ///
    /// # Errors
    /// If the source has no other token.
    pub async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| *token != refused) {
            return Ok(token.clone());
        }
        let token = self.source.fetch().await?;
        if token == *refused {
            return Err(self.source.dead_end());
        }
        *current = Some(token.clone());
        Ok(token)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            TokenProvider::Static(_) => "static",
            TokenProvider::File(_) => "file",
            TokenProvider::Command(_) => "command",
        };
        f.debug_struct("TokenSource").field("source", &source).finish_non_exhaustive()
    }
}

fn token_of(bytes: Vec<u8>) -> Result<Token, AuthError> {
    if bytes.len() as u64 > SECRET_CAP {
        return Err(AuthError::Malformed(TokenError::TooLong));
    }
    let text = String::from_utf8(bytes).map_err(|_| AuthError::Malformed(TokenError::Characters))?;
    // Held as a secret, so that the text is wiped when it is dropped.
    let text = SecretString::from(text);
    Token::parse(text.expose_secret()).map_err(AuthError::Malformed)
}

/// Reads on a thread that may block, because a pipe can block for long.
async fn from_file(path: PathBuf) -> Result<Token, AuthError> {
    let at = path.clone();
    let read = tokio::task::spawn_blocking(move || read_private(TOKEN_FILE, &path)).await;
    let bytes = read
        .unwrap_or_else(|gone| Err(AuthError::File { what: TOKEN_FILE, path: at, source: io::Error::other(gone) }))?;
    token_of(bytes)
}

/// Runs the command in the system's shell, whatever PATH says. The shell leads a process group, so
/// that the processes it started end with it.
async fn from_command(command: &str, limit: Duration) -> Result<Token, AuthError> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    #[cfg(unix)]
    shell.process_group(0);
    let mut child = shell.kill_on_drop(true).spawn().map_err(AuthError::Command)?;
    let group = ProcessGroup::of(&child);
    let printed = tokio::time::timeout(limit, printed(&mut child)).await.map_err(|_| AuthError::CommandSlow)?;
    group.leave_alone();
    token_of(printed?)
}

/// The processes of a command that has not ended. They are killed when this is dropped, because the
/// time limit is over or the program exits.
struct ProcessGroup {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

#[cfg(unix)]
impl ProcessGroup {
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        Self { leader }
    }

    /// The command ended by itself, so what it left running, it left on purpose.
    fn leave_alone(mut self) {
        self.leader = None;
    }
}

#[cfg(unix)]
impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // An error means that none of the processes is left.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// On other systems only the shell itself is ended.
#[cfg(not(unix))]
impl ProcessGroup {
    fn of(_: &Child) -> Self {
        Self {}
    }

    fn leave_alone(self) {}
}

async fn printed(child: &mut Child) -> Result<Vec<u8>, AuthError> {
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(SECRET_CAP + 1).read_to_end(&mut bytes).await.map_err(AuthError::Command)?;
    }
    let status = child.wait().await.map_err(AuthError::Command)?;
    if status.success() { Ok(bytes) } else { Err(AuthError::CommandFailed(status)) }
}

#[cfg(test)]
mod tests;
