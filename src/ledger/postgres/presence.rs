//! How a process sees that the last holder of the lease is dead.
//!
//! A holder keeps a file locked that bears the number of its term. The kernel frees the lock when
//! the process dies, and not while it is stopped. So a process of the same boot that gets the lock
//! knows that the other one is dead: it need not wait until the lease is too old, and that process
//! sends nothing any more. If the file is not there, or the boot is another one, nothing is known.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Clock;

/// The locked file of this process. It is removed with this value.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    locked: File,
}

impl Presence {
    /// Returns `None` if the file cannot be made or locked: then no process sees it, which only
    /// makes others wait.
    pub(super) fn of(term: Uuid) -> Option<Self> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        sweep_old(&folder);
        let path = folder.join(name(term));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).inspect_err(|error| tracing::debug!("no lock for the lease: {error}")).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, locked: file })
    }

    /// Frees the lock and leaves the file, as the kernel does for a process that dies.
    pub(super) fn unlock(self) {
        drop(self.locked.unlock());
        std::mem::forget(self);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn name(term: Uuid) -> String {
    format!("customer-import-{term}.lock")
}

/// How old the file of a dead process must be to be removed by any other one. Long before that its
/// lease is over.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes the files of processes that were killed and whose successor did not see it, because it
/// was on another host.
fn sweep_old(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|found| {
            let term = found.strip_prefix("customer-import-").and_then(|rest| rest.strip_suffix(".lock"));
            term.is_some_and(|term| Uuid::parse_str(term).is_ok())
        });
        // Of the entry itself, if it is a link.
        let age = || entry.metadata().and_then(|found| found.modified()).ok()?.elapsed().ok();
        if is_ours && age().is_some_and(|age| age > OLD) && is_free(&entry.path()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

/// Returns whether this is a file that no process has locked.
fn is_free(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    crate::trusted_file::never_following(&mut options);
    options.open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// What a holder writes down so that others can see whether it is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub term: Uuid,
    /// The number of its boot, if its system has one.
    pub boot: Option<String>,
    pub lock: Option<PathBuf>,
}

impl Trace {
    /// Returns whether the process is surely dead. The file is left, because the name of another
    /// one must not be removed.
    pub(super) fn is_dead(&self) -> bool {
        let Some(lock) = self.lock.as_ref().filter(|lock| lock.file_name() == Some(name(self.term).as_ref())) else {
            return false;
        };
        let is_same_boot = self.boot.is_some() && self.boot == boot();
        is_same_boot && is_free(lock)
    }

    /// Removes the file of a process that is dead.
    pub(super) fn sweep(&self) {
        if let Some(lock) = &self.lock {
            drop(std::fs::remove_file(lock));
        }
    }
}

/// Returns the number of this boot, or `None` if the system has none.
pub(super) fn boot() -> Option<String> {
    Clock::system().now().boot.map(|clock| format!("{:032x}", clock.boot))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn trace(presence: &Presence, term: Uuid) -> Trace {
        Trace { term, boot: boot(), lock: Some(presence.path().to_owned()) }
    }

    #[test]
    fn a_process_is_dead_if_its_lock_is_free_and_nothing_is_known_of_one_that_left_no_file() {
        let term = Uuid::new_v4();
        let presence = Presence::of(term).unwrap();
        let trace = trace(&presence, term);
        assert!(!trace.is_dead(), "it is alive");
        assert!(!Trace { boot: Some("another".to_owned()), ..trace.clone() }.is_dead());
        // As a process that was killed leaves it.
        let path = presence.path().to_owned();
        drop(presence);
        std::fs::write(&path, "").unwrap();
        assert!(trace.is_dead());
        assert!(!Trace { boot: Some("another".to_owned()), ..trace.clone() }.is_dead(), "another machine");
        assert!(!Trace { term: Uuid::new_v4(), ..trace.clone() }.is_dead(), "another term's file");
        trace.sweep();
        assert!(!trace.is_dead(), "it left no file");
    }

    #[test]
    fn the_old_files_of_dead_processes_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, days: u64| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - OLD * u32::try_from(days).unwrap()).unwrap();
            file
        };
        let [dead, alive, new] = [0; 3].map(|_| name(Uuid::new_v4()));
        make(&dead, 2);
        let alive_file = make(&alive, 2);
        alive_file.try_lock().unwrap();
        make(&new, 0);
        make("customer-import-notes.lock", 2);
        std::os::unix::fs::symlink("nowhere", folder.path().join(name(Uuid::nil()))).unwrap();
        sweep_old(folder.path());
        assert!(!folder.path().join(&dead).exists());
        for kept in [&alive, &new, "customer-import-notes.lock"] {
            assert!(folder.path().join(kept).exists(), "{kept}");
        }
    }
}
