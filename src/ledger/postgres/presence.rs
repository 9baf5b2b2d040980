//! How a process sees that the last holder of the lease is dead.
//!
//! A holder keeps a file locked that bears the number of its term. The kernel frees the lock when
//! the process dies, and not while it is stopped. So a process of the same boot that gets the lock
//! knows that the other one is dead: it need not wait until the lease is too old, and that process
//! sends nothing any more. If the file is not there, or the boot is another one, nothing is known.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

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
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        crate::trusted_file::never_following(&mut options);
        let is_same_boot = self.boot.is_some() && self.boot == boot();
        is_same_boot && options.open(lock).is_ok_and(|file| file.try_lock().is_ok())
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
}
