//! Recognizes and names the limits of the operating system.
//!
//! A limit appears as an error of whatever needed the next descriptor, thread or byte, far from its
//! cause. These functions name the limit, so that a message does not blame a disk or a server for
//! it.

use std::io;
use std::num::NonZero;
use std::sync::OnceLock;

/// What a command needs in addition to the program itself, in bytes: the stacks of its threads and
/// the pieces of the input that it holds.
///
/// It is reserved and freed to see whether it is there. The GNU allocator takes a block of up to 32
/// MiB that is freed as a sign that such blocks come often, and keeps what it would return to the
/// system. A command that only reads is a tenth faster with that. One that sends goes on for hours
/// after it has read the input, and reserves more, so that the memory for its duplicates goes back.
const fn least_memory(requests: usize) -> usize {
    if requests == 0 { 24 << 20 } else { 33 << 20 }
}

/// What the main thread needs at most, in bytes. The other threads set their own stack size.
const LEAST_STACK: u64 = 512 * 1024;

const MIB: u64 = 1024 * 1024;

/// What each request in flight needs, in bytes: its task, its connection and the records that are
/// ready behind it.
const PER_REQUEST: u64 = 96 * 1024;

/// How much more one process can use than another one at the same point, in bytes.
const SPREAD: u64 = MIB;

/// What this process lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub what: String,
    /// What to do about it, if the program knows.
    pub hint: Option<String>,
}

/// A limit on memory that a shell can set. If it is reached in mid-run, the process aborts, so a
/// command first asks for what it needs at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemoryLimit {
    Addresses,
    /// What a process can write to: its heap and the stacks of its threads.
    Data,
}

impl MemoryLimit {
    const ALL: [Self; 2] = [Self::Data, Self::Addresses];

    const fn name(self) -> &'static str {
        match self {
            Self::Addresses => "the limit on memory (RLIMIT_AS, ulimit -v, or the container's)",
            Self::Data => "the limit on data (RLIMIT_DATA, ulimit -d)",
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Addresses => "-v",
            Self::Data => "-d",
        }
    }

    /// Returns what a start needs until the arguments are parsed, in bytes: one thread, and the
    /// parser.
    const fn at_start(self) -> u64 {
        match self {
            Self::Addresses => 160 * MIB,
            Self::Data => 12 * MIB,
        }
    }

    /// Returns what a command with so many requests in flight needs, in bytes. A thread needs its
    /// stack of 2 MiB and a heap of its own, for which the allocator reserves 64 MiB of addresses,
    /// aligned.
    fn least(self, requests: u64) -> u64 {
        /// Those that do not depend on the number of cores.
        const THREADS: u64 = 7;
        let threads = THREADS + cores() as u64;
        let without = match self {
            Self::Addresses => 80 * MIB * threads,
            Self::Data => 3 * MIB * threads + 16 * MIB,
        };
        without.saturating_add(requests.saturating_mul(PER_REQUEST))
    }

    /// Returns what is missing if `used` bytes are used, `limit` is the limit and `least` are
    /// needed, or `None` if enough is left. The hint is enough for `hinted` bytes.
    fn shortage(self, used: u64, limit: u64, least: u64, hinted: u64) -> Option<Shortage> {
        (limit < used.saturating_add(least)).then(|| Shortage {
            what: format!("there are less than {} MiB of memory left: {} is reached", least / MIB, self.name()),
            hint: Some(format!(
                "ulimit {} {}",
                self.option(),
                used.saturating_add(hinted).saturating_add(SPREAD).div_ceil(1024)
            )),
        })
    }

    /// Returns what is missing at the start of this process, or `None`.
    fn missing_at_start(self) -> Option<Shortage> {
        let (used, limit) = self.usage()?;
        self.shortage(used, limit, self.at_start(), self.least(0))
    }

    /// Returns what is missing for so many requests in flight, or `None`.
    fn missing_for(self, requests: u64) -> Option<Shortage> {
        let (used, limit) = self.usage()?;
        let least = self.least(requests);
        self.shortage(used, limit, least, least)
    }

    /// Returns what this process uses and the limit, in bytes, or `None` if there is no limit.
    #[cfg(target_os = "linux")]
    fn usage(self) -> Option<(u64, u64)> {
        use rustix::process::{Resource, getrlimit};
        let (resource, field) = match self {
            Self::Addresses => (Resource::As, "VmSize:"),
            Self::Data => (Resource::Data, "VmData:"),
        };
        let limit = getrlimit(resource).current?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let used = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok());
        Some((used.unwrap_or(0_u64).saturating_mul(1024), limit))
    }

    #[cfg(not(target_os = "linux"))]
    fn usage(self) -> Option<(u64, u64)> {
        None
    }

    /// Returns the limit that is set, or `None`.
    fn set() -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.usage().is_some())
    }
}

/// Returns how many threads run at a time at most, by the machine and by the limits of its
/// containers. Read once, because the limits of containers take several files.
#[must_use]
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// Returns what may limit the memory of this process, for messages.
#[must_use]
pub fn memory() -> &'static str {
    MemoryLimit::set().unwrap_or(MemoryLimit::Addresses).name()
}

/// Returns what this process lacks from the start, or `None`. Tables, keys and names need random
/// bytes, and libraries panic or abort without them or without memory, so both are checked first.
#[must_use]
pub fn lacking() -> Option<Shortage> {
    if let Err(error) = getrandom::u32() {
        let what = format!(
            "the system provides no random bytes (getrandom, or /dev/urandom, or the container's seccomp profile: {error})"
        );
        return Some(Shortage { what, hint: None });
    }
    if let Some(short) = MemoryLimit::ALL.into_iter().find_map(MemoryLimit::missing_at_start) {
        return Some(short);
    }
    has_small_stack().then(|| {
        let kib = LEAST_STACK / 1024;
        Shortage {
            what: format!("the limit on the stack (RLIMIT_STACK, ulimit -s) is below {kib} KiB"),
            hint: Some(format!("ulimit -s {}", 2 * kib)),
        }
    })
}

/// Returns the memory that this process lacks for so many requests in flight, or `None`.
#[must_use]
pub fn lacking_memory(requests: usize) -> Option<Shortage> {
    let missing = |limit: MemoryLimit| limit.missing_for(requests as u64);
    MemoryLimit::ALL.into_iter().find_map(missing).or_else(|| {
        let least = least_memory(requests);
        let what = format!("there are less than {} MiB of memory left: {} is reached", least >> 20, memory());
        (!has_memory(least)).then_some(Shortage { what, hint: None })
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

/// Returns why a thread could not be started, with the limit that caused it.
#[must_use]
pub fn no_thread(error: &io::Error) -> String {
    let limit = match error.kind() {
        // The system returns the same error if it has no memory for the stack.
        io::ErrorKind::WouldBlock if MemoryLimit::set().is_some() => {
            &format!(": {}, or the one on processes and threads (RLIMIT_NPROC, ulimit -u), is reached", memory())
        }
        io::ErrorKind::WouldBlock => {
            ": the limit on processes and threads (RLIMIT_NPROC, ulimit -u, or the container's) is reached"
        }
        io::ErrorKind::OutOfMemory => &format!(": {} is reached", memory()),
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

    #[test]
    fn a_scarce_limit_on_memory_names_itself_and_the_command_that_raises_it_enough() {
        for (limit, option) in [(MemoryLimit::Addresses, "ulimit -v"), (MemoryLimit::Data, "ulimit -d")] {
            let (used, least) = (5_000_000, limit.least(1000));
            assert!(limit.at_start() < limit.least(0) && limit.least(8) < least);
            assert_eq!(limit.shortage(used, used + least, least, least), None);
            let short = limit.shortage(used, used + least - 1, least, least).unwrap();
            assert!(short.what.contains(option), "{short:?}");
            let kib: u64 = short.hint.unwrap().strip_prefix(option).unwrap().trim().parse().unwrap();
            assert_eq!(limit.shortage(used, kib * 1024, least, least), None, "the command raises it enough");
        }
    }
}
