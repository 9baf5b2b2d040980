//! What ends a command early: the exit code, the words, the next step.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::api::{AuthError, ClientError};
use crate::exit::Exit;
use crate::intake::IntakeError;
use crate::ledger::{LedgerError, LostName};
use crate::limits;
use crate::shell::quoted;
use crate::trusted_file::Distrust;

/// What to do about a limit that a message names.
const RAISE: &str = "raise that limit, then run the same command again";

#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
    /// The run that it ended. `None` if none had begun.
    run: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, error: anyhow::Error::msg(message.to_string()), hint: None, run: None }
    }

    /// Keeps the causes of the error, too.
    pub fn of(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { exit, error: anyhow::Error::new(error), hint: None, run: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure because a thread could not be started.
    pub fn no_thread(error: &std::io::Error) -> Self {
        Self::new(Exit::Io, limits::no_thread(error)).hint(RAISE)
    }

    /// A failure because others than the user can write a file that the program believes. `what`
    /// says which one it is.
    pub fn distrusted(what: &str, path: &Path, why: Distrust) -> Self {
        Self::new(Exit::Configuration, format!("{what}{} {why}", path.display())).hint(hint_of_distrust(path, why))
    }

    #[must_use]
    pub fn context(mut self, what: String) -> Self {
        self.error = self.error.context(what);
        self
    }

    /// What failed and why, without the next step.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{:#}", self.error)
    }

    #[must_use]
    pub fn of_run(mut self, name: &str) -> Self {
        self.run = Some(name.to_owned());
        self
    }

    /// The run that it ended. `None` if none had begun.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// What to do about it, if anything can be said.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let exit = Exit::from(&error);
        let hint = match &error {
            LedgerError::Distrusted { path, why } => return Self::distrusted("", path, *why),
            LedgerError::OpenFolder { folder, ledger, files } => &hint_of_open_folder(folder, ledger, files),
            LedgerError::Folder(path) => &format!("name a file in it: --ledger {}", shell(&path.join("customers.db"))),
            LedgerError::Locked(_) => "wait until that run ends; `report` and `check` can be used meanwhile",
            LedgerError::Missing(_) => {
                "check --base-url, --account and --ledger, and whether its disk is mounted; a first import makes a ledger"
            }
            LedgerError::Empty(_) => "a first import makes a ledger of it",
            LedgerError::Foreign { .. } => "name another file with --ledger",
            LedgerError::SeveralNames { .. } => "remove the other names (`find / -samefile` lists them)",
            LedgerError::MountPoint(_) => "mount the folder that holds it instead of the file",
            LedgerError::NetworkDisk { .. } => "name a local disk with --ledger",
            LedgerError::Unlockable { .. } => "a network disk? name a local one with --ledger",
            LedgerError::Lost { lost, .. } => hint_of_lost(lost),
            LedgerError::OtherAccount { .. } => {
                "use that account's credentials (tokens and --account-id do not compare: go on with what came first), \
                 or give this account a name of its own: --account NAME"
            }
            LedgerError::Newer { .. } => "use the newer version of this program",
            LedgerError::Damaged { .. } => {
                "nothing more was sent; put back a copy of its newest state, then run the same command again"
            }
            LedgerError::Limit { .. } => RAISE,
            LedgerError::Io { .. } => {
                "nothing more was sent; see to the disk and its rights, then run the same command again"
            }
        };
        Self::of(exit, error).hint(hint)
    }
}

/// Returns the command that mends it, if there is one. It must not be followed blindly, because a
/// user who could write the file may have done so.
fn hint_of_distrust(path: &Path, why: Distrust) -> String {
    let path = quoted(&path.to_string_lossy());
    match (why, why.remedy()) {
        (Distrust::Owner { owner, .. }, Some(remedy)) => {
            format!("run this as user {owner}; or, if you know what put it there and trust it: {remedy} {path}")
        }
        (_, Some(remedy)) => format!("if nobody else changed anything there: {remedy} {path}"),
        (Distrust::SeveralNames(_), None) => format!("remove the other names: find / -samefile {path}"),
        (_, None) => "remove it, or name another file".to_owned(),
    }
}

/// Where the mode of a volume cannot be chosen, a folder within it can be the ledger's own. What the ledger remembers must move with it.
fn hint_of_open_folder(folder: &Path, ledger: &Path, files: &[PathBuf]) -> String {
    let own = folder.join("ledger");
    let moved = if files.is_empty() {
        String::new()
    } else {
        let files: Vec<_> = files.iter().map(|file| shell(file)).collect();
        format!(" && mv {} {}", files.join(" "), shell(&own))
    };
    let named = own.join(ledger.file_name().unwrap_or_default());
    format!(
        "if nobody else changed anything there: chmod o-w {}; \
         or give the ledger a folder of its own in it: mkdir -m 700 {}{moved}, and from then on --ledger {}",
        shell(folder),
        shell(&own),
        shell(&named)
    )
}

fn shell(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// What to do if a name was taken from the files of a run.
pub(crate) fn hint_of_lost(lost: &LostName) -> &'static str {
    match lost {
        LostName::LockFile(_) => "leave the lock file alone while a run is at work; run the same command again",
        LostName::Ledger { now: Some(_) } => {
            "give the ledger its name back before anything is imported again: a new ledger would send everything once more"
        }
        LostName::Ledger { now: None } => {
            "run `customer-import ledger pull` before the next import, so that a new ledger knows whom this run created"
        }
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        let hint = error.hint();
        let (exit, hint) =
            if error.is_of_the_machine() { (Exit::Io, Some(RAISE.to_owned())) } else { (Exit::Input, hint) };
        Self { exit, error: anyhow::Error::new(error), hint, run: None }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::CaFile { .. } => "see to the path and the rights of what --ca-file names",
            ClientError::NoCertificate { .. } => {
                "--ca-file wants text that begins with -----BEGIN CERTIFICATE-----; \
                 a binary certificate becomes that by: openssl x509 -inform der -in FILE -out ca.pem"
            }
            ClientError::Build(_) => {
                "are the certificates of the system installed (ca-certificates), and is the proxy's address right?"
            }
        };
        Self::of(Exit::Configuration, error).hint(hint)
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let hint = match &error {
            AuthError::File { .. } => Some("check its path, and whether this user may read it"),
            _ => None,
        };
        // Its text holds the cause already, because a run that stops keeps only the text.
        let failure = Self::new(Exit::Credentials, error);
        hint.into_iter().fold(failure, Self::hint)
    }
}
