//! At most one process writes. The lock is a file of its own beside the ledger, since SQLite's file is opened by readers too.
//!
//! The lock belongs to the file, so it is named after the file's one real name, however the ledger was called.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{Creation, LedgerError};

/// Held for as long as the value lives. The kernel frees it on any death of the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// `ledger` is what [`real_file`] gave.
    pub(super) fn acquire(ledger: &Path) -> Result<Self, LedgerError> {
        let path = beside(ledger, ".lock");
        let file = owner_only().write(true).open(&path).map_err(|error| LedgerError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LedgerError::Locked(ledger.to_owned())),
            Err(TryLockError::Error(error)) => Err(LedgerError::io(&path, error)),
        }
    }
}

/// Whether some process holds the ledger just now. It looks by taking a share of the lock for an
/// instant, so only a run that seems to be alive or killed is worth asking for.
pub(super) fn is_held(ledger: &Path) -> bool {
    let Ok(real) = ledger.canonicalize() else { return false };
    let Ok(file) = File::open(beside(&real, ".lock")) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The real name of the ledger's file. Before the file exists a link to it has no real name, so where that is allowed it is made first.
/// SQLite gives its side files the rights of the main one, so that must be right from its first moment.
pub(super) fn real_file(path: &Path, creation: Creation) -> Result<PathBuf, LedgerError> {
    let failed = |error: io::Error| LedgerError::io(path, error);
    if creation == Creation::Allowed {
        owner_only().write(true).open(path).map_err(failed)?;
    }
    let real = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LedgerError::Missing(path.to_owned()),
        _ => failed(error),
    })?;
    match names_of(&real).map_err(failed)? {
        0 | 1 => Ok(real),
        names => Err(LedgerError::SeveralNames { path: real, names }),
    }
}

/// How many hard links the file has. Each would have a lock and a log of its own.
#[cfg(unix)]
fn names_of(path: &Path) -> io::Result<u64> {
    std::fs::metadata(path).map(|file| std::os::unix::fs::MetadataExt::nlink(&file))
}

#[cfg(not(unix))]
fn names_of(_: &Path) -> io::Result<u64> {
    Ok(1)
}

/// The name of a side file.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Options that create a file only its owner can read.
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("a.db");
        let held = Lock::acquire(&ledger).unwrap();
        assert!(matches!(Lock::acquire(&ledger), Err(LedgerError::Locked(_))));
        drop(held);
        assert!(Lock::acquire(&ledger).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_to_nothing_yet_names_the_file_that_it_will_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
        std::os::unix::fs::symlink("a.db", &link).unwrap();
        assert!(matches!(real_file(&link, Creation::Refused), Err(LedgerError::Missing(_))));
        assert!(!file.exists());
        let real = real_file(&link, Creation::Allowed).unwrap();
        assert_eq!(real, file.canonicalize().unwrap());
        assert_eq!(real_file(&file, Creation::Refused).unwrap(), real);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_two_hard_links_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
        std::fs::write(&file, "").unwrap();
        std::fs::hard_link(&file, link).unwrap();
        assert!(matches!(real_file(&file, Creation::Allowed), Err(LedgerError::SeveralNames { names: 2, .. })));
    }
}
