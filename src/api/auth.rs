//! Where bearer tokens come from.
//!
//! A run outlives its token many times over. An account logs in and refreshes, which takes requests
//! of its own: when, is for delivery to decide. Any other source is asked again when its token was
//! refused; one that has nothing better to offer ends the run.

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

/// What a user has to show to the API.
#[derive(Debug)]
pub enum Credentials {
    Source(TokenSource),
    Account(AppAccount),
}

impl Credentials {
    /// The owner, if the credentials name one. It tells accounts apart and is never shown.
    ///
    /// # Errors
    /// When the source has no token.
    pub async fn owner(&self) -> Result<Option<String>, AuthError> {
        match self {
            Self::Source(source) => Ok(source.token().await?.subject()),
            Self::Account(account) => Ok(Some(account.id().to_owned())),
        }
    }

    /// The token that is all there will ever be, if that is so.
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

    /// What to say when the token was refused and there is no other.
    const fn dead_end(&self) -> &'static str {
        match self {
            Self::Static(_) => {
                "it was given as it is; give a fresh one, a token file or command that can be asked again, or --account-id to log in"
            }
            Self::File(_) => "the token file still holds the same one",
            Self::Command(_) => "the token command printed the same one again",
        }
    }
}

/// The current token of a source that is not the API, and the way to the next.
pub struct TokenSource {
    source: TokenProvider,
    /// Held while the source is asked, so that it is asked once however many wait.
    current: Mutex<Option<Token>>,
}

impl TokenSource {
    /// A token that was handed over, without a way to get another.
    ///
    /// # Errors
    /// When it cannot be a token.
    pub fn fixed(token: &SecretString) -> Result<Self, AuthError> {
        Token::parse(token.expose_secret())
            .map(|token| Self::of(TokenProvider::Static(token)))
            .map_err(AuthError::Malformed)
    }

    /// A file that others may not read. It is read when a token is needed, and again when one was
    /// refused.
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

    /// The token to send.
    ///
    /// # Errors
    /// When the source has none.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref() {
            return Ok(token.clone());
        }
        let token = self.source.fetch().await?;
        *current = Some(token.clone());
        Ok(token)
    }

    /// A token in the place of one that the API refused. A late caller, whose token was replaced
    /// meanwhile, gets the new one.
    ///
    /// # Errors
    /// When the source has no other.
    pub async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| *token != refused) {
            return Ok(token.clone());
        }
        let token = self.source.fetch().await?;
        if token == *refused {
            return Err(AuthError::Refused(self.source.dead_end()));
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
    // The text goes on as a secret, so that it is wiped when it is dropped.
    let text = SecretString::from(text);
    Token::parse(text.expose_secret()).map_err(AuthError::Malformed)
}

/// Reading may block, on a pipe even for long, so it happens beside the runtime.
async fn from_file(path: PathBuf) -> Result<Token, AuthError> {
    let at = path.clone();
    let read = tokio::task::spawn_blocking(move || read_private(TOKEN_FILE, &path)).await;
    let bytes = read
        .unwrap_or_else(|gone| Err(AuthError::File { what: TOKEN_FILE, path: at, source: io::Error::other(gone) }))?;
    token_of(bytes)
}

/// The shell is the system's, whatever PATH says. It leads a process group, so that what it started
/// ends with it.
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

/// The processes of a command that was not waited for to its end. They are killed when this is
/// dropped, because the time limit is over or the program leaves.
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

    /// The command ended by itself. What it left running, it left on purpose.
    fn leave_alone(mut self) {
        self.leader = None;
    }
}

#[cfg(unix)]
impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // An error means that none of them is left.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// Elsewhere only the shell itself is ended.
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
