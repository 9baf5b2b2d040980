//! Recognizes and names the limits of the operating system.
//!
//! A limit appears as an error of whatever needed the next descriptor, thread or byte, far from its
//! cause. These functions name the limit, so that a message does not blame a disk or a server for
//! it.

use std::io;

/// What may limit the memory of a process, for messages.
pub const MEMORY: &str = "the limit on memory (RLIMIT_AS, ulimit -v, or the container's)";

/// What a run needs in addition to the program itself, in bytes: the stacks of its threads and the
/// pieces of the input that it holds.
const LEAST_MEMORY: usize = 24 * 1024 * 1024;

/// The same in addresses, which `ulimit -v` limits: the allocator reserves 64 MiB of them for each
/// thread, aligned, and uses little of that. If a thread finds none left, the process aborts.
fn least_addresses() -> usize {
    const FOR_A_THREAD: usize = 80 * 1024 * 1024;
    /// Those that do not depend on the number of cores.
    const THREADS: usize = 7;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    FOR_A_THREAD * (THREADS + cores)
}

/// What the main thread needs at most, in bytes. The other threads set their own stack size.
const LEAST_STACK: u64 = 512 * 1024;

/// Returns what this process lacks from the start, or `None`. Tables, keys and names need random
/// bytes, and libraries panic or abort without them or without memory, so both are checked first.
#[must_use]
pub fn lacking() -> Option<String> {
    if let Err(error) = getrandom::u32() {
        return Some(format!(
            "the system provides no random bytes (getrandom, or /dev/urandom, or the container's seccomp profile: {error})"
        ));
    }
    let least = if is_memory_limited() { least_addresses() } else { LEAST_MEMORY };
    if !has_memory(least) {
        let mib = least / (1024 * 1024);
        return Some(format!("there are less than {mib} MiB of memory left: {MEMORY} is reached"));
    }
    has_small_stack().then(|| {
        let kib = LEAST_STACK / 1024;
        format!("the limit on the stack (RLIMIT_STACK, ulimit -s) is below {kib} KiB")
    })
}

/// Returns whether so much memory can be reserved. `black_box` keeps the compiler from removing the
/// unused memory, and the check with it.
fn has_memory(bytes: usize) -> bool {
    let mut memory = Vec::<u8>::new();
    let is_there = memory.try_reserve_exact(bytes).is_ok();
    std::hint::black_box(&memory);
    is_there
}

/// Returns whether the stack is too small. A stack overflow would end the process without a
/// message.
#[cfg(target_os = "linux")]
fn has_small_stack() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::Stack).current.is_some_and(|limit| limit < LEAST_STACK)
}

#[cfg(not(target_os = "linux"))]
fn has_small_stack() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn is_memory_limited() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::As).current.is_some()
}

#[cfg(not(target_os = "linux"))]
fn is_memory_limited() -> bool {
    false
}

/// Returns why a thread could not be started, with the limit that caused it.
#[must_use]
pub fn no_thread(error: &io::Error) -> String {
    let limit = match error.kind() {
        // The system returns the same error if it has no memory for the stack.
        io::ErrorKind::WouldBlock if is_memory_limited() => {
            &format!(": {MEMORY}, or the one on processes and threads (RLIMIT_NPROC, ulimit -u), is reached")
        }
        io::ErrorKind::WouldBlock => {
            ": the limit on processes and threads (RLIMIT_NPROC, ulimit -u, or the container's) is reached"
        }
        io::ErrorKind::OutOfMemory => &format!(": {MEMORY} is reached"),
        _ => "",
    };
    format!("cannot start a thread{limit} ({error})")
}

/// Returns the limit that caused an error of a file, or `None` if none did.
#[must_use]
pub fn behind(error: &io::Error) -> Option<&'static str> {
    const OWN_FILES: i32 = 24;
    const ALL_FILES: i32 = 23;
    let error = within(error).unwrap_or(error);
    match error.raw_os_error() {
        Some(OWN_FILES) if cfg!(unix) => Some("the limit on open files (RLIMIT_NOFILE, ulimit -n) is reached"),
        Some(ALL_FILES) if cfg!(unix) => Some("the system's limit on open files is reached"),
        _ if error.kind() == io::ErrorKind::FileTooLarge => {
            Some("the limit on the size of a file (RLIMIT_FSIZE, ulimit -f) is reached")
        }
        _ => None,
    }
}

/// Returns the error of the system inside one that a library wrapped, or `None` if it has none.
fn within(error: &io::Error) -> Option<&io::Error> {
    error.get_ref()?.source()?.downcast_ref()
}

/// Returns the message of an error of a file, with the limit that caused it if there is one.
/// Libraries that wrap an error drop its number, so this also tries to open a file.
#[must_use]
pub fn told(error: &io::Error) -> String {
    behind(error).or_else(no_descriptor).map_or_else(|| error.to_string(), |limit| format!("{limit} ({error})"))
}

/// Returns the error of a write with the limit in its message, so that the limit survives if a
/// library rewraps the error.
#[must_use]
pub fn named(error: io::Error) -> io::Error {
    match behind(&error) {
        Some(limit) => io::Error::other(format!("{limit} ({error})")),
        None => error,
    }
}

fn no_descriptor() -> Option<&'static str> {
    let opened = if cfg!(unix) { std::fs::File::open("/dev/null").err() } else { None };
    opened.as_ref().and_then(behind)
}

/// Returns the limit that may have caused the error of a library that hides the error of the
/// system. Finds it by trying; `size` is the size in bytes of the file that was written.
#[must_use]
pub fn suspected(size: u64) -> Option<&'static str> {
    const SIZE: &str = "the limit on the size of a file (RLIMIT_FSIZE, ulimit -f) is reached";
    no_descriptor().or_else(|| is_at_size_limit(size).then_some(SIZE))
}

/// The largest page of a database, in bytes. A file with less room than this below the limit cannot
/// grow by a page.
#[cfg(target_os = "linux")]
const LARGEST_WRITE: u64 = 64 * 1024;

#[cfg(target_os = "linux")]
fn is_at_size_limit(size: u64) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    limit.is_some_and(|limit| size.saturating_add(LARGEST_WRITE) > limit)
}

#[cfg(not(target_os = "linux"))]
fn is_at_size_limit(_: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_limit_names_it_and_any_other_error_does_not() {
        let of = |code| behind(&io::Error::from_raw_os_error(code)).unwrap_or_default();
        if cfg!(unix) {
            assert!(
                of(24).contains("RLIMIT_NOFILE") && of(23).contains("open files") && of(27).contains("RLIMIT_FSIZE")
            );
        }
        assert_eq!((of(28), of(13)), ("", ""));
        let wrapped = named(io::Error::from(io::ErrorKind::FileTooLarge)).to_string();
        assert!(wrapped.contains("RLIMIT_FSIZE") && told(&io::Error::other(wrapped.clone())) == wrapped, "named once");
    }

    #[test]
    fn a_limit_behind_the_words_of_a_library_is_named() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0} at path")]
        struct AtPath(#[source] io::Error);
        let wrapped = |code| io::Error::other(AtPath(io::Error::from_raw_os_error(code)));
        assert!(!cfg!(unix) || told(&wrapped(24)).contains("RLIMIT_NOFILE"), "{}", told(&wrapped(24)));
        assert!(!told(&wrapped(2)).contains("RLIMIT"));
    }

    #[test]
    fn a_thread_that_cannot_be_started_is_blamed_on_the_limit_that_its_error_means() {
        let words = no_thread(&io::Error::from(io::ErrorKind::WouldBlock));
        assert!(words.contains("RLIMIT_NPROC"), "{words}");
        assert!(!no_thread(&io::Error::from(io::ErrorKind::PermissionDenied)).contains("limit"));
    }
}
