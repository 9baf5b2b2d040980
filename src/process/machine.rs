//! What this machine gives the process: room on its disks, descriptors, memory.

use std::io;
use std::path::Path;

/// Returns how many bytes this user can still write to the disk of a folder.
///
/// # Errors
/// If the folder cannot be examined, or this user cannot make files in it.
#[cfg(unix)]
pub(crate) fn free_space(folder: &Path) -> io::Result<u64> {
    use rustix::fs::{Access, access, statvfs};
    access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    let disk = statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Elsewhere the system is not asked.
#[cfg(not(unix))]
pub(crate) fn free_space(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// Returns how many files and connections this process may open, or `None` if there is no limit.
#[cfg(unix)]
pub(crate) fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
pub(crate) fn descriptors() -> Option<u64> {
    None
}

/// Returns the limit on the memory of this process in bytes: of its shell or of its container. The
/// start has checked that of the shell. `None` if there is no limit.
pub(crate) fn memory() -> Option<u64> {
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|limit| limit.trim().parse().ok());
    shell_memory().into_iter().chain(container).min()
}

#[cfg(unix)]
fn shell_memory() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    [Resource::As, Resource::Data].into_iter().filter_map(|limit| getrlimit(limit).current).min()
}

#[cfg(not(unix))]
fn shell_memory() -> Option<u64> {
    None
}
