//! What an operating system's limit looks like from inside, and what it is called.
//!
//! A limit shows up as an error of whatever needed the next descriptor, thread or byte, far from its cause. These functions name the limit,
//! so that a disk or a server is not blamed for it.

use std::io;

/// What may keep a process from getting memory.
pub const MEMORY: &str = "the limit on memory (RLIMIT_AS, ulimit -v, or the container's)";

/// What a run needs beyond the program itself: the stacks of its threads, and the pieces of the input that it holds.
const LEAST_MEMORY: usize = 24 * 1024 * 1024;

/// What the first thread needs at most, in bytes. Others have stacks of their own size.
const LEAST_STACK: u64 = 512 * 1024;

/// What this process lacks from its start. Tables, keys and names need random bytes, and libraries panic or abort if they get none, or no
/// memory; so both are tried before anything else is.
#[must_use]
pub fn lacking() -> Option<String> {
    if let Err(error) = getrandom::u32() {
        return Some(format!(
            "the system gives no random bytes (getrandom, or /dev/urandom, or the container's seccomp profile: {error})"
        ));
    }
    if !has_memory(LEAST_MEMORY) {
        let mib = LEAST_MEMORY / (1024 * 1024);
        return Some(format!("there are less than {mib} MiB of memory left: {MEMORY} is reached"));
    }
    has_small_stack().then(|| {
        let kib = LEAST_STACK / 1024;
        format!("the limit on the stack (RLIMIT_STACK, ulimit -s) is below {kib} KiB")
    })
}

/// The compiler removes memory that it sees to be unused, and the question with it.
fn has_memory(bytes: usize) -> bool {
    let mut memory = Vec::<u8>::new();
    let is_there = memory.try_reserve_exact(bytes).is_ok();
    std::hint::black_box(&memory);
    is_there
}

/// A stack that overflows ends the process without a word.
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

/// Why no thread could be started, with the limit that is behind it.
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

/// The limit behind an error of a file, if there is one.
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

/// The system's error in one that a library added words to. `None` if there is none.
fn within(error: &io::Error) -> Option<&io::Error> {
    error.get_ref()?.source()?.downcast_ref()
}

/// An error of a file in words, with the limit behind it if there is one. Libraries that add words to an error drop its number, so it is
/// also tried whether a file can be opened.
#[must_use]
pub fn told(error: &io::Error) -> String {
    behind(error).or_else(no_descriptor).map_or_else(|| error.to_string(), |limit| format!("{limit} ({error})"))
}

/// The error of a write in words that survive what libraries make of it on its way up.
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

/// The limit that may be behind the error of a library which does not give the system's own, found by trying. `size` is how large the file
/// is that was written to.
#[must_use]
pub fn suspected(size: u64) -> Option<&'static str> {
    const SIZE: &str = "the limit on the size of a file (RLIMIT_FSIZE, ulimit -f) is reached";
    no_descriptor().or_else(|| is_at_size_limit(size).then_some(SIZE))
}

/// No page of a database is larger than this, so a file that has less room than this cannot grow by one.
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
