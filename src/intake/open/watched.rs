//! The input file: opened once, read from its beginning as often as needed, and checked for changes
//! after every read.
//!
//! The descriptor stays open from the plan to the report, so renaming another file over the name or
//! removing the name does not disturb a run. Bytes are returned only if the file is still in the
//! state in which it was opened. This is enough, because the operating system updates a file's
//! times before the written bytes can be read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::changed::InputChanged;
use crate::intake::error::IntakeError;

/// An open input file and the state in which it was opened.
#[derive(Debug)]
pub struct InputFile {
    path: PathBuf,
    file: File,
    seen: Mutex<Comparison>,
}

/// The result of the comparisons so far.
#[derive(Debug)]
enum Comparison {
    /// The file is still in this state.
    Unchanged(State),
    /// The file changed. It never counts as unchanged again.
    Changed,
}

/// What distinguishes one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    content: Content,
    /// When the inode last changed. Programs cannot set this time, so it shows a write even if the
    /// writer restored the modification time.
    inode_changed: (i64, i64),
    circumstances: Circumstances,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    size: u64,
    modified: Option<SystemTime>,
}

/// What changes an inode without changing its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Circumstances {
    /// Number of names, mode, owner and group.
    attributes: (u64, u32, u32, u32),
    /// Whether the file's name still leads to this file.
    is_at_its_name: bool,
}

impl State {
    /// Whether the content can still be the same. A later inode change is not a change of the
    /// content if another name, mode, owner or place explains it.
    fn is_still(&self, now: &Self) -> bool {
        let is_explained = self.circumstances != now.circumstances;
        self.content == now.content && (self.inode_changed == now.inode_changed || is_explained)
    }
}

impl InputFile {
    /// Opens a regular file and remembers its state.
    ///
    /// # Errors
    /// Returns an error if the file does not exist, cannot be opened, or is not a regular file.
    pub fn open(path: &Path) -> Result<Arc<Self>, IntakeError> {
        let broken = |error| IntakeError::reading(path, error);
        // Checked before opening, because opening a pipe without a writer would block.
        refuse_what_is_no_file(path, &std::fs::metadata(path).map_err(broken)?)?;
        let file = File::open(path).map_err(broken)?;
        let metadata = file.metadata().map_err(broken)?;
        refuse_what_is_no_file(path, &metadata)?;
        let state = state(&metadata, true);
        Ok(Arc::new(Self { path: path.to_owned(), file, seen: Mutex::new(Comparison::Unchanged(state)) }))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its size in bytes and when its content last changed. The time is `None` if the file
    /// system has none.
    ///
    /// # Errors
    /// Returns an error if the state of the file cannot be read.
    pub fn size_and_time(&self) -> io::Result<(u64, Option<SystemTime>)> {
        let metadata = self.file.metadata()?;
        Ok((metadata.len(), metadata.modified().ok()))
    }

    /// Compares the file with its state when it was opened.
    ///
    /// # Errors
    /// Returns an error if the file has changed, or if its state cannot be read any more.
    pub fn check_unchanged(&self) -> Result<(), IntakeError> {
        self.compare().map_err(|error| IntakeError::reading(&self.path, error))
    }

    fn compare(&self) -> io::Result<()> {
        // A poisoned lock is safe to use, because nothing panics while the lock is held.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Comparison::Unchanged(then) = *seen else { return Err(io::Error::other(InputChanged)) };
        let metadata = self.file.metadata()?;
        let mut now = state(&metadata, then.circumstances.is_at_its_name);
        if now == then {
            return Ok(());
        }
        // The name is looked up only if the inode changed.
        now.circumstances.is_at_its_name = is_at(&self.path, &metadata);
        if then.is_still(&now) {
            *seen = Comparison::Unchanged(now);
            return Ok(());
        }
        *seen = Comparison::Changed;
        Err(io::Error::other(InputChanged))
    }

    /// Returns a reader that starts at the beginning of the file and is independent of all other
    /// readers.
    pub(crate) fn reader(self: &Arc<Self>) -> impl Read + Seek + Send + use<> {
        CheckedReader { file: Arc::clone(self), at: 0 }
    }
}

struct CheckedReader {
    file: Arc<InputFile>,
    at: u64,
}

impl Read for CheckedReader {
    /// Returns bytes only if the file is unchanged after they were read. This includes the end of
    /// the file, because a truncated file must not look like a shorter one.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file.file, buffer, self.at)?;
        self.file.compare()?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for CheckedReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

fn refuse_what_is_no_file(path: &Path, metadata: &Metadata) -> Result<(), IntakeError> {
    let path = path.to_owned();
    if metadata.is_dir() {
        return Err(IntakeError::Directory { path });
    }
    // A pipe can be read only once, but the input is read several times.
    if metadata.is_file() { Ok(()) } else { Err(IntakeError::NotAFile { path }) }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    file.read_at(buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt as _;
    file.seek_read(buffer, at)
}

#[cfg(unix)]
fn state(metadata: &Metadata, is_at_its_name: bool) -> State {
    use std::os::unix::fs::MetadataExt as _;
    State {
        content: Content { size: metadata.len(), modified: metadata.modified().ok() },
        inode_changed: (metadata.ctime(), metadata.ctime_nsec()),
        circumstances: Circumstances {
            attributes: (metadata.nlink(), metadata.mode(), metadata.uid(), metadata.gid()),
            is_at_its_name,
        },
    }
}

#[cfg(not(unix))]
fn state(metadata: &Metadata, is_at_its_name: bool) -> State {
    State {
        content: Content { size: metadata.len(), modified: metadata.modified().ok() },
        inode_changed: (0, 0),
        circumstances: Circumstances { attributes: (0, 0, 0, 0), is_at_its_name },
    }
}

#[cfg(unix)]
fn is_at(path: &Path, open: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()))
}

#[cfg(not(unix))]
fn is_at(path: &Path, _: &Metadata) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};
    use std::io::Write as _;

    use super::*;

    struct World {
        folder: tempfile::TempDir,
        input: Arc<InputFile>,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("in.csv");
            fs::write(&path, "0123456789").unwrap();
            // The clock of the file system is coarser than the duration of this test.
            let past = SystemTime::now() - std::time::Duration::from_secs(60);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_times(FileTimes::new().set_modified(past)).unwrap();
            let input = InputFile::open(&path).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
            Self { folder, input }
        }

        fn path(&self) -> &Path {
            self.input.path()
        }

        fn other(&self) -> PathBuf {
            self.folder.path().join("other.csv")
        }

        #[track_caller]
        fn is_changed(&self) {
            assert!(matches!(self.input.check_unchanged(), Err(IntakeError::Changed { .. })));
            let read = self.input.reader().read(&mut [0; 4]).unwrap_err();
            assert!(matches!(IntakeError::reading(self.path(), read), IntakeError::Changed { .. }));
        }

        #[track_caller]
        fn is_unchanged(&self) {
            self.input.check_unchanged().unwrap();
            let mut all = String::new();
            self.input.reader().read_to_string(&mut all).unwrap();
            assert_eq!(all, "0123456789");
        }
    }

    #[test]
    fn readers_share_no_place_in_the_file() {
        let world = World::new();
        let (mut one, mut other) = (world.input.reader(), world.input.reader());
        let mut bytes = [0; 4];
        one.read_exact(&mut bytes).unwrap();
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"0123");
        one.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"4567");
    }

    #[test]
    fn a_file_that_was_written_cut_or_appended_to_is_changed_and_stays_so() {
        let rewrite = |path: &Path| fs::write(path, "abcdefghij").unwrap();
        let cut = |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(5).unwrap();
        let append = |path: &Path| OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap();
        for change in [&rewrite as &dyn Fn(&Path), &cut, &append] {
            let world = World::new();
            world.is_unchanged();
            change(world.path());
            world.is_changed();
            fs::write(world.path(), "0123456789").unwrap();
            world.is_changed();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_write_whose_modification_time_was_restored_is_a_change() {
        let world = World::new();
        let modified = fs::metadata(world.path()).unwrap().modified().unwrap();
        let mut file = OpenOptions::new().write(true).open(world.path()).unwrap();
        file.write_all(b"abcdefghij").unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
        world.is_changed();
    }

    #[cfg(unix)]
    #[test]
    fn what_happens_to_the_name_is_no_change() {
        let renamed_over = |world: &World| {
            fs::write(world.other(), "others").unwrap();
            fs::rename(world.other(), world.path()).unwrap();
        };
        let moved_away = |world: &World| fs::rename(world.path(), world.other()).unwrap();
        let removed = |world: &World| fs::remove_file(world.path()).unwrap();
        let linked = |world: &World| fs::hard_link(world.path(), world.other()).unwrap();
        let guarded = |world: &World| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(world.path(), fs::Permissions::from_mode(0o400)).unwrap();
        };
        for act in [&renamed_over as &dyn Fn(&World), &moved_away, &removed, &linked, &guarded] {
            let world = World::new();
            act(&world);
            world.is_unchanged();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_write_after_a_harmless_change_is_a_change() {
        let world = World::new();
        fs::rename(world.path(), world.other()).unwrap();
        world.is_unchanged();
        fs::write(world.other(), "abcdefghij").unwrap();
        world.is_changed();
    }

    #[test]
    fn a_directory_and_a_missing_file_are_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(InputFile::open(folder.path()), Err(IntakeError::Directory { .. })));
        let missing = InputFile::open(&folder.path().join("no.csv")).unwrap_err();
        assert!(matches!(missing, IntakeError::Read { .. }) && missing.hint().is_some());
    }
}
