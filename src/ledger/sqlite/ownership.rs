//! Whether a ledger is the user's alone.
//!
//! If another user can write a ledger, its log or its lock file, they decide whom a run takes for
//! imported. So each of these files must be the user's own. The names beside the ledger must not be
//! links, because SQLite and the lock would then write somewhere else. What the group of a file may
//! do is taken away, because container runtimes give volumes to a group.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use super::place::beside;
use crate::ledger::LedgerError;
use crate::shell;
use crate::trusted_file::{self, Distrust, Folder};

/// The names beside a ledger that SQLite and the lock use.
const SIDES: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// Refuses a ledger that is not the user's alone. `ledger` is its real name.
pub(super) fn check(ledger: &Path) -> Result<(), LedgerError> {
    if let Some(file) = there(ledger)? {
        check_file(ledger, &file, true)?;
    }
    for side in sides(ledger) {
        if let Some(file) = there(&side)? {
            check_file(&side, &file, false)?;
        }
    }
    check_folder(ledger)
}

/// Refuses a link to a ledger that another user than root made: it decides what is believed.
pub(super) fn check_link(path: &Path) -> Result<(), LedgerError> {
    match there(path)?.filter(Metadata::is_symlink) {
        Some(link) => trusted_file::check_link(&link).map_err(|why| distrusted(path, why)),
        None => Ok(()),
    }
}

/// Hard links to the ledger itself are an error of their own for writers, and do not hinder
/// readers.
pub(super) fn check_file(path: &Path, file: &Metadata, may_have_names: bool) -> Result<(), LedgerError> {
    match trusted_file::check_own(file) {
        Err(Distrust::SeveralNames(_)) if may_have_names => Ok(()),
        checked => checked.map_err(|why| distrusted(path, why)),
    }
}

/// Refuses a ledger in whose folder every user may replace files, and warns if some others may.
pub(super) fn check_folder(ledger: &Path) -> Result<(), LedgerError> {
    let folder = super::place::folder(ledger);
    let Some(metadata) = there(&folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))? else { return Ok(()) };
    match trusted_file::check_folder(&metadata).map_err(|why| refused_folder(ledger, why))? {
        Folder::Safe => {}
        Folder::OfGroup => tell(&format!(
            "the group of the folder {} may replace the ledger in it; if it should not: chmod g-w {}",
            folder.display(),
            shell::quoted(&folder.to_string_lossy())
        )),
        Folder::OfUser(owner) => {
            tell(&format!("user {owner}, who owns the folder {}, may replace the ledger in it", folder.display()))
        }
    }
    Ok(())
}

fn refused_folder(ledger: &Path, why: Distrust) -> LedgerError {
    let folder = super::place::folder(ledger).to_owned();
    match why {
        Distrust::Writable => {
            let names = std::iter::once(ledger.to_owned()).chain(sides(ledger));
            let files = names.filter(|name| name.symlink_metadata().is_ok()).collect();
            LedgerError::OpenFolder { folder, ledger: ledger.to_owned(), files }
        }
        _ => distrusted(&folder, why),
    }
}

/// A process opens its ledger several times.
fn tell(words: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| tracing::warn!("{words}"));
}

/// Takes away what others than the owner may do. Call this when the file is known to be a ledger.
pub(super) fn narrow(ledger: &Path) -> Result<(), LedgerError> {
    for path in std::iter::once(ledger.to_owned()).chain(sides(ledger)) {
        if let Some(file) = there(&path)? {
            narrow_file(&path, &file)?;
        }
    }
    Ok(())
}

/// By its name: SQLite's locks would end if a descriptor of the file were closed.
#[cfg(unix)]
fn narrow_file(path: &Path, file: &Metadata) -> Result<(), LedgerError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    match std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::warn!(
            "others than its owner could open {} (mode {mode:03o}), which holds people's data; they no longer can",
            path.display()
        ),
        // If no process can write here, this program does not change the mode.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
        // SQLite removes its side files when the last process leaves them.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(LedgerError::file(path, &error)),
    }
    Ok(())
}

#[cfg(not(unix))]
fn narrow_file(_: &Path, _: &Metadata) -> Result<(), LedgerError> {
    Ok(())
}

fn sides(ledger: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    SIDES.into_iter().map(|ending| beside(ledger, ending))
}

/// What the name itself is. `None` if nothing has it.
fn there(path: &Path) -> Result<Option<Metadata>, LedgerError> {
    match path.symlink_metadata() {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(LedgerError::file(path, &error)),
    }
}

fn distrusted(path: &Path, why: Distrust) -> LedgerError {
    LedgerError::Distrusted { path: path.to_owned(), why }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn allow(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn ledger() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().canonicalize().unwrap().join("a.db");
        std::fs::write(&ledger, "").unwrap();
        allow(&ledger, 0o600);
        (folder, ledger)
    }

    fn why(ledger: &Path) -> (PathBuf, Distrust) {
        match check(ledger) {
            Err(LedgerError::Distrusted { path, why }) => (path, why),
            checked => panic!("{checked:?}"),
        }
    }

    #[test]
    fn every_name_of_a_ledger_that_everybody_may_write_is_refused() {
        for ending in ["", "-wal", "-shm", "-journal", ".lock"] {
            let (_folder, ledger) = ledger();
            let file = beside(&ledger, ending);
            std::fs::write(&file, "").unwrap();
            assert!(check(&ledger).is_ok(), "{ending}");
            allow(&file, 0o606);
            assert_eq!(why(&ledger), (file, Distrust::Writable));
        }
    }

    #[test]
    fn a_name_beside_a_ledger_that_is_a_link_a_pipe_or_has_two_names_is_refused() {
        for ending in ["-wal", "-shm", "-journal", ".lock"] {
            let (folder, ledger) = ledger();
            let file = beside(&ledger, ending);
            let elsewhere = folder.path().join("elsewhere");
            symlink(&elsewhere, &file).unwrap();
            assert_eq!(why(&ledger), (file.clone(), Distrust::Kind("a link")));
            assert!(!elsewhere.exists());
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&elsewhere, "mine").unwrap();
            std::fs::hard_link(&elsewhere, &file).unwrap();
            assert_eq!(why(&ledger), (file.clone(), Distrust::SeveralNames(2)));
            std::fs::remove_file(&file).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
            assert_eq!(why(&ledger), (file, Distrust::Kind("a named pipe")));
        }
    }

    #[test]
    fn a_folder_in_which_everybody_may_replace_files_is_refused_unless_it_is_sticky() {
        let (folder, ledger) = ledger();
        for (mode, is_fine) in [(0o700, true), (0o775, true), (0o777, false), (0o1777, true)] {
            allow(folder.path(), mode);
            assert_eq!(check(&ledger).is_ok(), is_fine, "{mode:o}");
        }
    }

    #[test]
    fn what_others_than_the_owner_may_do_is_taken_away() {
        let (_folder, ledger) = ledger();
        let log = beside(&ledger, "-wal");
        std::fs::write(&log, "").unwrap();
        allow(&ledger, 0o660);
        allow(&log, 0o644);
        narrow(&ledger).unwrap();
        assert_eq!((mode(&ledger), mode(&log)), (0o600, 0o600));
    }
}
