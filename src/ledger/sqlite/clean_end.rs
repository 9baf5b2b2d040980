//! What a writer leaves behind at a clean end, so that the next one need not check the whole file.
//!
//! A check of the whole file takes seconds for a million customers, however few rows an import has.
//! It finds damage that came from outside since the last one: another program that wrote to the
//! file, a copy that was cut off, a disk that fails. A file that SQLite closed in order, and whose
//! size and times are still the same, was written by nobody. So the note holds these, in the lock
//! file, which every writer of every version empties first. A copy, a restored backup and a file
//! whose log was left behind do not fit a note. What a disk changes by itself changes no times:
//! that is found once in [`EVERY`].

use std::fs::Metadata;
use std::time::Duration;

use jiff::Timestamp;

/// How long the last check of the whole file is good for.
const EVERY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The state of the file at a clean end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CleanEnd {
    /// When the whole file was checked.
    checked_at: Timestamp,
    size: u64,
    /// When content and inode were last changed, in nanoseconds. Nobody can set the second one.
    modified: i128,
    changed: i128,
}

impl CleanEnd {
    /// Returns `None` on systems that do not say when the inode was changed.
    #[cfg(unix)]
    pub(super) fn of(file: &Metadata, checked_at: Timestamp) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Self {
            checked_at,
            size: file.len(),
            modified: nanoseconds(file.mtime(), file.mtime_nsec()),
            changed: nanoseconds(file.ctime(), file.ctime_nsec()),
        })
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata, _: Timestamp) -> Option<Self> {
        None
    }

    pub(super) fn to_text(self) -> String {
        let Self { checked_at, size, modified, changed } = self;
        format!("clean {checked_at} {size} {modified} {changed}\n")
    }

    /// Returns `None` for any other text, and for one that is cut off.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.strip_prefix("clean ")?.split(' ');
        let end = Self {
            checked_at: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
            modified: words.next()?.parse().ok()?,
            changed: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(end)
    }

    /// Returns when the whole file was last checked, if it is still as it was at this end and the
    /// check is not too old. A check in the future is of a clock that was wrong.
    pub(super) fn checked_at(self, file: &Metadata, now: Timestamp) -> Option<Timestamp> {
        let age = Duration::try_from(now.duration_since(self.checked_at)).ok()?;
        (age < EVERY && Self::of(file, self.checked_at) == Some(self)).then_some(self.checked_at)
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_note_reads_as_it_was_written_and_a_cut_or_foreign_one_not_at_all() {
        let end = CleanEnd { checked_at: now(), size: 4096, modified: -5, changed: 1_790_000_000_123_456_789 };
        let text = end.to_text();
        assert_eq!(CleanEnd::from_text(&text), Some(end));
        for length in 0..text.len() {
            assert_eq!(CleanEnd::from_text(&text[..length]), None, "{length}");
        }
        for other in
            ["process 7\nsince 2026-03-01T12:00:00Z\n", "clean now 1 2 3\n", "clean 2026-03-01T12:00:00Z 1 2 3 4\n"]
        {
            assert_eq!(CleanEnd::from_text(other), None, "{other}");
        }
    }

    #[test]
    fn a_check_is_good_for_a_week_and_for_the_same_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let state = || file.as_file().metadata().unwrap();
        let end = CleanEnd::of(&state(), now()).unwrap();
        let after = |time: Duration| now() + time;
        assert_eq!(end.checked_at(&state(), after(Duration::ZERO)), Some(now()));
        assert_eq!(end.checked_at(&state(), after(EVERY - Duration::from_secs(1))), Some(now()));
        assert_eq!(end.checked_at(&state(), after(EVERY)), None);
        assert_eq!(end.checked_at(&state(), now() - Duration::from_secs(1)), None);
        file.as_file().set_len(1).unwrap();
        assert_eq!(end.checked_at(&state(), now()), None);
    }
}
