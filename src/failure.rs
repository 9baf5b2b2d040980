//! Why a command ended early: the exit code, the message with its causes, and the next step.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::api::{AuthError, ClientError};
use crate::domain::{StopReason, StopWords};
use crate::exit::Exit;
use crate::intake::IntakeError;
use crate::ledger::{DatabaseProblem, LedgerError, LedgerName, LostName};
use crate::limits;
use crate::shell::{self, command, quoted, typed};
use crate::trusted_file::Distrust;

/// Hint for a reached limit that the message names.
const RAISE: &str = "raise that limit, then run the same command again";

/// An error that ends a command. It is displayed as `what failed: cause`, with the hint on a second
/// line.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
    /// The run that ended with it. `None` if none had begun.
    run: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, error: anyhow::Error::msg(message.to_string()), hint: None, run: None }
    }

    /// Also keeps the causes of the error.
    pub fn of(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { exit, error: anyhow::Error::new(error), hint: None, run: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the failure for what this process lacks.
    pub fn lacking(short: limits::Shortage) -> Self {
        short.hint.into_iter().fold(Self::new(Exit::Io, short.what), Self::hint)
    }

    /// Returns the failure for a thread that could not be started.
    pub fn no_thread(error: &std::io::Error) -> Self {
        Self::new(Exit::Io, limits::no_thread(error)).hint(RAISE)
    }

    /// Returns the failure for a file that other users can write although the program trusts it.
    /// `what` precedes its path in the message.
    pub fn distrusted(what: &str, path: &Path, why: Distrust) -> Self {
        Self::new(Exit::Configuration, format!("{what}{} {why}", path.display())).hint(hint_of_distrust(path, why))
    }

    /// Returns the failure for the reason why a run would stop.
    #[must_use]
    pub fn of_stop(reason: &StopReason) -> Self {
        let StopWords { why, advice } = reason.words().clone();
        advice.into_iter().fold(Self::new(Exit::from(reason), why), Self::hint)
    }

    #[must_use]
    pub fn context(mut self, what: String) -> Self {
        self.error = self.error.context(what);
        self
    }

    /// Returns what failed and why, without the next step.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{:#}", self.error)
    }

    /// Returns what failed and why, with the next step apart, as a run remembers it.
    #[must_use]
    pub fn stop_words(&self) -> StopWords {
        StopWords { why: self.words(), advice: self.hint.clone() }
    }

    #[must_use]
    pub fn of_run(mut self, name: &str) -> Self {
        self.run = Some(name.to_owned());
        self
    }

    /// Returns the name of the run that ended with it, or `None` if none had begun.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// Whether columns are missing, which `init` can help to find.
    #[must_use]
    pub fn lacks_columns(&self) -> bool {
        self.error.downcast_ref::<IntakeError>().is_some_and(IntakeError::lacks_columns)
    }

    /// Returns the error of the ledger behind it, or `None` if it has none.
    #[must_use]
    pub fn ledger_error(&self) -> Option<&LedgerError> {
        self.error.downcast_ref()
    }

    /// Adds the command that does what the hint says.
    #[must_use]
    pub fn hint_command(mut self, command: &str) -> Self {
        self.hint = self.hint.map(|hint| format!("{hint}: {command}"));
        self
    }

    /// Whether there is no ledger where the command looks for one.
    #[must_use]
    pub fn lacks_ledger(&self) -> bool {
        self.error.downcast_ref::<LedgerError>().is_some_and(LedgerError::is_missing)
    }

    /// Adds another way to the hint.
    #[must_use]
    pub fn or_hint(mut self, other: &str) -> Self {
        self.hint = Some(self.hint.map_or_else(|| other.to_owned(), |hint| format!("{hint}\n  or {other}")));
        self
    }

    /// Returns the hint, or `None` if there is none.
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
            LedgerError::Folder(path) => {
                &format!("name a file in it: --ledger {}", quoted_path(&path.join("customers.db")))
            }
            LedgerError::Locked(_) => "wait until that run ends; `report` and `check` can be used meanwhile",
            LedgerError::Missing(_) => {
                "check --base-url, --account and --ledger, and that its disk is mounted; the first import creates a ledger"
            }
            LedgerError::Empty(_) => "the first import turns it into a ledger",
            LedgerError::Foreign { .. } => "name another file with --ledger",
            LedgerError::SeveralNames { path, .. } => {
                &format!("remove the other names, which this lists: find / -samefile {}", quoted_path(path))
            }
            LedgerError::MountPoint(_) => "mount the folder that holds it instead of the file",
            LedgerError::NetworkDisk { .. } => "name a local disk with --ledger",
            LedgerError::Unlockable { .. } => "if this is a network disk, name a local one with --ledger",
            LedgerError::Lost { lost, .. } => hint_of_lost(lost),
            LedgerError::OtherAccount { .. } => {
                "use that account's credentials (a token and --account-id cannot be compared: keep the kind that was used first), \
                 or give this account a name of its own: --account NAME"
            }
            LedgerError::Newer { .. } => "use a newer version of this program",
            LedgerError::Moved { to, is_complete: true, .. } => {
                &format!("name that ledger: --ledger {}", quoted(&to.to_string()))
            }
            LedgerError::Moved { path, to, is_complete: false } => &format!(
                "only that database knows; complete the move before the next import: \
                 customer-import ledger move --from {} --ledger {}",
                quoted_path(path),
                quoted(&to.to_string())
            ),
            LedgerError::Damaged { .. } => {
                "nothing more was sent; restore the newest copy of the ledger, then run the same command again"
            }
            LedgerError::Limit { .. } => RAISE,
            LedgerError::Io { .. } => {
                "nothing more was sent; check the disk and its permissions, then run the same command again"
            }
            LedgerError::Database { ledger, problem } => &hint_of_database(ledger, problem),
        };
        Self::of(exit, error).hint(hint)
    }
}

/// Returns what to do about a ledger in a database.
fn hint_of_database(ledger: &LedgerName, problem: &DatabaseProblem) -> String {
    let migrate = || format!("customer-import ledger migrate --ledger {}", quoted(&ledger.to_string()));
    match problem {
        DatabaseProblem::Settings(_) => {
            "check the address, the source of the password and --ledger-ca-file; a database on another machine needs TLS".to_owned()
        }
        DatabaseProblem::Unreachable(_) => {
            "nothing more was sent; check the database and the way to it, then run the same command again".to_owned()
        }
        DatabaseProblem::Refused(_) => format!(
            "check the user, the password and the rights of its role; its owner makes the tables with: {}",
            migrate()
        ),
        DatabaseProblem::Missing => format!(
            "check the name of the database; for a first import omit --require-ledger, or create the ledger: {}",
            migrate()
        ),
        DatabaseProblem::Foreign(_) => "name another database with --ledger".to_owned(),
        DatabaseProblem::Older { .. } => format!("bring it up to date while no run holds it: {}", migrate()),
        DatabaseProblem::Newer { .. } => "use a newer version of this program".to_owned(),
        DatabaseProblem::Knows { .. } => {
            "nothing was moved; use that ledger as it is, with `ledger pull` for what the file knows beyond it, \
             or forget the account there first (ledger forget --target)"
                .to_owned()
        }
        DatabaseProblem::TakenOver { .. } => {
            "nothing more was sent, and no report was written; that run goes on with the ledger, so look at its report"
                .to_owned()
        }
        DatabaseProblem::Forgot { .. } => {
            "nothing more was sent; ask whoever runs the database which commits its failover lost, \
             then run the same command again"
                .to_owned()
        }
        DatabaseProblem::Damaged(_) => {
            "nothing more was sent; restore the newest copy of the database, then run the same command again".to_owned()
        }
        DatabaseProblem::Failed(_) => {
            "nothing more was sent; see the log of the database, then run the same command again".to_owned()
        }
    }
}

/// Returns the hint for a file that is not trusted. It warns before the command that fixes it,
/// because another user who could write the file may have done so.
fn hint_of_distrust(path: &Path, why: Distrust) -> String {
    let path = quoted(&path.to_string_lossy());
    match (why, why.remedy()) {
        (Distrust::Owner { owner, .. }, Some(remedy)) => {
            format!("run this as user {owner}, or, if you trust the file: {remedy} {path}")
        }
        (_, Some(remedy)) => format!("if no other user changed anything there: {remedy} {path}"),
        (Distrust::SeveralNames(_), None) => {
            format!("remove the other names, which this lists: find / -samefile {path}")
        }
        (_, None) => "remove it, or name another file".to_owned(),
    }
}

/// Returns the hint for a folder that every user can write. If the mode of a volume cannot be
/// changed, a folder in it can belong to the ledger alone. What the ledger remembers must move with
/// it.
fn hint_of_open_folder(folder: &Path, ledger: &Path, files: &[PathBuf]) -> String {
    let own = folder.join("ledger");
    let moved = if files.is_empty() {
        String::new()
    } else {
        let files: Vec<_> = files.iter().map(|file| quoted_path(file)).collect();
        format!(" && mv {} {}", files.join(" "), quoted_path(&own))
    };
    let named = own.join(ledger.file_name().unwrap_or_default());
    format!(
        "if no other user changed anything there: chmod o-w {}; \
         or give the ledger a folder of its own in it: mkdir -m 700 {}{moved}, and from then on --ledger {}",
        quoted_path(folder),
        quoted_path(&own),
        quoted_path(&named)
    )
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Returns what to do if a file of a run lost its name.
pub(crate) fn hint_of_lost(lost: &LostName) -> &'static str {
    match lost {
        LostName::LockFile(_) => "do not touch the lock file during a run; run the same command again",
        LostName::Ledger { now: Some(_) } => {
            "give the ledger its name back before the next import, because a new ledger would send everything again"
        }
        LostName::Ledger { now: None } => {
            "before the next import, pull the customers of the API into a new ledger, because it does not know those that this run created"
        }
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        let is_correctable = typed().any(|word| error.correct(&word).is_some());
        let corrected = is_correctable.then(|| command(typed(), |word| error.correct(word)));
        let hint = error.hint_for(&shell::again).map(|hint| match corrected {
            Some(corrected) => format!("{hint}; the whole command: {corrected}"),
            None => hint,
        });
        let (exit, hint) =
            if error.is_of_the_machine() { (Exit::Io, Some(RAISE.to_owned())) } else { (Exit::Input, hint) };
        Self { exit, error: anyhow::Error::new(error), hint, run: None }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::CaFile { .. } => "check the path and the permissions of the file that --ca-file names",
            ClientError::NoCertificate { path } => {
                // openssl must not write over what it reads.
                let output = if path.file_name().is_some_and(|name| name == "ca.pem") { "ca2.pem" } else { "ca.pem" };
                &format!(
                    "name a text file that begins with -----BEGIN CERTIFICATE-----; convert a binary certificate \
                     with: openssl x509 -inform der -in {} -out {output}",
                    quoted_path(path)
                )
            }
            ClientError::Build(_) => {
                "check that the system's certificates are installed (ca-certificates) and that the proxy's address is correct"
            }
        };
        Self::of(Exit::Configuration, error).hint(hint)
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let hint = error.advice();
        // Its text already has the cause, because a run that stops keeps only the text.
        let failure = Self::new(Exit::Credentials, error);
        hint.into_iter().fold(failure, Self::hint)
    }
}
