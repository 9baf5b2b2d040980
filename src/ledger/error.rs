//! What can be wrong with a ledger. Each ends the run; which exit code it picks is decided in
//! `exit`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::location::LedgerName;
use crate::domain::shown;
use crate::limits;
use crate::trusted_file::Distrust;

#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{0}")]
    Locked(Occupied),
    #[error("the ledger {} does not exist", shown(.0))]
    Missing(PathBuf),
    /// Perhaps another run has just begun to make it.
    #[error("the ledger {} is empty", shown(.0))]
    Empty(PathBuf),
    #[error("{} is not a ledger of this program: {why}", shown(path))]
    Foreign { path: PathBuf, why: String },
    #[error("the ledger {} is a folder", shown(.0))]
    Folder(PathBuf),
    #[error("the ledger {} has {names} names (hard links), each with a lock of its own", shown(path))]
    SeveralNames { path: PathBuf, names: u64 },
    #[error("the ledger {} is a mount point of its own: runs that see it by another mount have another lock", shown(.0))]
    MountPoint(PathBuf),
    #[error("{} lies on a network file system ({kind}), where locks do not keep other machines out", shown(path))]
    NetworkDisk { path: PathBuf, kind: &'static str },
    /// Others than this user can change what the ledger says.
    #[error("{} {why}", shown(path))]
    Distrusted { path: PathBuf, why: Distrust },
    /// Every user can replace the files in the ledger's folder. `files` are those of the ledger
    /// that are there.
    #[error("{} {}", shown(folder), Distrust::Writable)]
    OpenFolder { folder: PathBuf, ledger: PathBuf, files: Vec<PathBuf> },
    #[error("{} was written by a newer version of this program (schema {found}, this one knows {known})", shown(path))]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// `ledger move` has marked it, so that no run uses it beside the database that has its
    /// content.
    #[error("the ledger {} {}", shown(path), if *is_complete { format!("moved to {to}") } else { format!("is being moved to {to}, and whether that is done is not known yet") })]
    Moved { path: PathBuf, to: LedgerName, is_complete: bool },
    #[error("the ledger knows {account:?} at {base_url} as another account than the one of this token")]
    OtherAccount { base_url: String, account: String },
    #[error("the ledger {} is damaged: {why}", shown(path))]
    Damaged { path: PathBuf, why: String },
    #[error("{} cannot be locked: {why}", shown(path))]
    Unlockable { path: PathBuf, why: String },
    /// It was renamed, removed or replaced while it was held.
    #[error("{}", lost.told(path))]
    Lost { path: PathBuf, lost: LostName },
    /// Of the process or the system, and not of the disk.
    #[error("the ledger {ledger} cannot be used: {why}")]
    Limit { ledger: LedgerName, why: String },
    #[error("the ledger {ledger} cannot be used: {why}")]
    Io { ledger: LedgerName, why: String },
    #[error("the ledger {ledger} {problem}")]
    Database { ledger: LedgerName, problem: DatabaseProblem },
}

/// What can be wrong with a ledger in a database.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DatabaseProblem {
    /// Of what the user gave: the address, the password, the certificates.
    #[error("cannot be connected to: {0}")]
    Settings(String),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The database does not let this role in, or not do what it has to.
    #[error("refuses this program: {0}")]
    Refused(String),
    #[error("does not exist: its database has no schema customer_import")]
    Missing,
    #[error("is not one of this program: {0}")]
    Foreign(String),
    #[error("was made by an older version of this program (schema {found}, this one needs {needed})")]
    Older { found: i32, needed: i32 },
    #[error("was made by a newer version of this program (schema {found}, this one knows {known})")]
    Newer { found: i32, known: i32 },
    /// So nothing can be moved there, because two histories of an account cannot become one.
    #[error("knows {account:?} at {base_url} already")]
    Knows { account: String, base_url: String },
    /// Another run took it, because this one was silent for longer than its lease.
    #[error("was taken over{}", by.as_ref().map_or_else(String::new, |by| format!(" by {by}")))]
    TakenOver { by: Option<Holder> },
    #[error("has forgotten the last {commits} commits of this run")]
    Forgot { commits: u64 },
    #[error("is damaged: {0}")]
    Damaged(String),
    #[error("cannot be used: {0}")]
    Failed(String),
}

/// A ledger that another run holds.
#[derive(Clone, Debug)]
pub struct Occupied {
    pub ledger: LedgerName,
    /// `None` if the holder did not write it down.
    pub by: Option<Holder>,
}

/// What a run writes about itself into the lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub process: u32,
    pub host: Option<String>,
    pub since: Timestamp,
    pub run: Option<String>,
    /// False if it holds the ledger for a moment only, to write what is at hand.
    pub stays: bool,
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another run holds the ledger {}", self.ledger)?;
        self.by.as_ref().map_or(Ok(()), |by| write!(f, ": {by}"))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, host, since, run, .. } = self;
        write!(f, "process {process}")?;
        if let Some(host) = host {
            write!(f, " on {host}")?;
        }
        write!(f, " since {} UTC", since.strftime("%Y-%m-%d %H:%M:%S"))?;
        run.as_ref().map_or(Ok(()), |run| write!(f, " (run {run})"))
    }
}

/// Which name no longer leads to the file that a run holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostName {
    LockFile(PathBuf),
    Ledger {
        /// The held file's name now. `None`: it has none any more, or the system does not tell it.
        now: Option<PathBuf>,
    },
}

impl LostName {
    fn told(&self, ledger: &Path) -> String {
        let ledger = shown(ledger);
        match self {
            Self::LockFile(path) => {
                format!("the lock file {} of the ledger was removed or replaced during the run", shown(path))
            }
            Self::Ledger { now: Some(now) } => {
                format!("the ledger {ledger} was renamed during the run; what this run did is in {}", shown(now))
            }
            Self::Ledger { now: None } => format!(
                "the ledger {ledger} was removed or replaced during the run; its file has no name any more, \
                 and what this run did stands only in the report"
            ),
        }
    }
}

impl LedgerError {
    pub(super) fn io(ledger: impl Into<LedgerName>, error: impl std::fmt::Display) -> Self {
        Self::Io { ledger: ledger.into(), why: error.to_string() }
    }

    /// An error of a file, with the limit behind it if there is one.
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        match limits::behind(error) {
            Some(_) => Self::Limit { ledger: path.into(), why: limits::told(error) },
            None => Self::io(path, error),
        }
    }

    /// Whether another run holds the ledger now, so that nothing that this one says of it is sure.
    #[must_use]
    pub const fn is_taken_over(&self) -> bool {
        matches!(self, Self::Database { problem: DatabaseProblem::TakenOver { .. }, .. })
    }

    /// Whether there is no ledger, or none that holds anything yet.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Empty(_) | Self::Database { problem: DatabaseProblem::Missing, .. })
    }

    /// Returns the path of a ledger that was removed or replaced, so that what it knew is lost.
    /// Returns `None` for all other errors.
    #[must_use]
    pub fn removed(&self) -> Option<&Path> {
        match self {
            Self::Lost { path, lost: LostName::Ledger { now: None } } => Some(path),
            _ => None,
        }
    }

    /// Whether the name of the ledger leads elsewhere than to the file that was written to.
    #[must_use]
    pub const fn is_without_name(&self) -> bool {
        matches!(self, Self::Lost { lost: LostName::Ledger { .. }, .. })
    }
}
