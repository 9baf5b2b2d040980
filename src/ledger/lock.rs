//! At most one process writes. The lock is a file of its own beside the ledger, since SQLite's file is opened by readers too.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// Held for as long as the value lives. The kernel frees it on any death of the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
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

/// Options that create a file only its owner can read.
pub(super) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
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
}
