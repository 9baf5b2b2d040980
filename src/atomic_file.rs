//! Writes files that are either complete or absent: each is written beside its destination, synced,
//! and renamed over it.
//!
//! Until the rename it is a temporary file, which may hold people's data and must not be left
//! behind. Dropping it removes it, and [`abandon_all`] removes it if the process ends while another
//! thread still writes it. Neither helps against a kill. Therefore a writer locks its temporary
//! file while it uses it, and the next writer of the same file removes the unlocked ones
//! ([`sweep`]).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::limits;

/// How much is written at once, in bytes. A report of a million records has half a gigabyte.
const BUFFER: usize = 64 * 1024;

/// A file that appears at its path when it is committed. If it is dropped before, it leaves no
/// trace. Only its owner can read it, unless [`AtomicFile::readable_by_all`] is called.
#[derive(Debug)]
pub struct AtomicFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
    /// Dropped after the file, because the file must be registered until it is removed.
    _in_use: InUse,
}

impl AtomicFile {
    pub fn create(path: &Path) -> io::Result<Self> {
        refuse_what_is_no_file(path)?;
        let (file, in_use) = temporary(folder(path), &prefix(path))?;
        Ok(Self { writer: BufWriter::with_capacity(BUFFER, file), path: path.to_owned(), _in_use: in_use })
    }

    /// Makes the file readable by every user, whatever the umask is. Only for files without
    /// people's data that another service reads.
    pub fn readable_by_all(self) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            self.writer.get_ref().as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        Ok(self)
    }

    /// Returns what was written, to be read. The file is removed with the reader.
    pub fn into_reader(self) -> io::Result<WrittenFile> {
        let Self { writer, _in_use, .. } = self;
        let mut file = writer.into_inner().map_err(|error| limits::named(error.into_error()))?;
        file.rewind()?;
        Ok(WrittenFile { reader: BufReader::new(file), _in_use })
    }

    /// Writes the rest and syncs it. The file is then complete, but not yet in place.
    pub fn finish(self) -> io::Result<WholeFile> {
        let file = self.writer.into_inner().map_err(|error| limits::named(error.into_error()))?;
        file.as_file().sync_all()?;
        Ok(WholeFile { file, path: self.path, _in_use: self._in_use })
    }

    pub fn commit(self) -> io::Result<()> {
        self.finish()?.put_in_place()
    }

    /// Does the same, but never replaces a file.
    ///
    /// # Errors
    /// The error of the system, which is `AlreadyExists` if a file is there by now.
    pub fn commit_new(self) -> io::Result<()> {
        let WholeFile { file, path, _in_use } = self.finish()?;
        file.persist_noclobber(&path).map_err(|error| error.error)?;
        File::open(folder(&path))?.sync_all()
    }
}

/// A file that was written only to be read again.
#[derive(Debug)]
pub struct WrittenFile {
    reader: BufReader<NamedTempFile>,
    /// As in [`AtomicFile`].
    _in_use: InUse,
}

impl Read for WrittenFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reader.read(bytes)
    }
}

/// A file that is complete and synced, and leaves no trace unless it is put in place. If files
/// belong together, put none in place before all are complete.
#[derive(Debug)]
pub struct WholeFile {
    file: NamedTempFile,
    path: PathBuf,
    /// As in [`AtomicFile`].
    _in_use: InUse,
}

impl WholeFile {
    pub fn put_in_place(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself must also survive a power cut.
        File::open(folder(&self.path))?.sync_all()
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).map_err(limits::named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(limits::named)
    }
}

/// Fails if the path exists and is not a plain file, because a rename would replace a link or a
/// pipe instead of writing through it, which is not what its owner wants.
pub fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if !there.file_type().is_file() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is not a plain file"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates the temporary file of a report, opens its folder, and leaves nothing behind, so that an
/// unusable name fails before a run and not after it.
///
/// # Errors
/// The error of the system, or `AlreadyExists` if the path is not a plain file.
pub fn try_out(path: &Path) -> io::Result<()> {
    refuse_what_is_no_file(path)?;
    temporary(folder(path), &prefix(path)).map(drop)?;
    // Opened only, because the folder is synced after the rename. A sync here would prove nothing
    // about that one.
    File::open(folder(path)).map(drop)
}

/// The part of a name that is kept, in bytes. Usual file systems allow 255, so this leaves room for
/// what is added.
const LONGEST: usize = 200;

/// Returns the prefix of a temporary file. It names the destination, because a killed process
/// leaves the file behind.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = name.char_indices().map(|(start, c)| start + c.len_utf8());
    let end = ends.take_while(|end| *end <= LONGEST).last().unwrap_or_default();
    format!(".{}.", &name[..end])
}

const SUFFIX: &str = ".tmp";

/// How many letters and digits the library puts between prefix and suffix.
const RANDOM: usize = 6;

/// How often another process that sweeps may remove a new file just before it is locked.
const TRIES: u32 = 10;

/// Returns a locked, owner-only temporary file whose name [`sweep_all`] recognizes by its prefix.
/// Keep the second value as long as the file.
///
/// # Errors
/// The error of the operating system, or `Interrupted` if the process is about to end.
pub fn temporary(folder: &Path, prefix: &str) -> io::Result<(NamedTempFile, InUse)> {
    for _ in 0..TRIES {
        let (file, in_use) = create_in_use(folder, prefix)?;
        // If the system has no locks, nothing is swept either.
        let locked = file.as_file().try_lock();
        if locked.is_ok() && !file.path().exists() {
            continue;
        }
        return Ok((file, in_use));
    }
    Err(io::Error::other("temporary files disappear as soon as they are made"))
}

/// Creates a temporary file and registers it in one step, so that the end of the process cannot
/// come between the two.
fn create_in_use(folder: &Path, prefix: &str) -> io::Result<(NamedTempFile, InUse)> {
    let mut all = all_in_use();
    let all = all.as_mut().ok_or(io::ErrorKind::Interrupted)?;
    let file = tempfile::Builder::new().prefix(prefix).suffix(SUFFIX).make_in(folder, open_new)?;
    let path = file.path().to_owned();
    all.insert(path.clone());
    Ok((file, InUse(path)))
}

/// Opens a new file for its owner alone. The library would do the same, but it replaces the error
/// of the system by one that names the temporary file, which the user has not typed.
fn open_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The temporary files of this process. `None` if it is about to end and must not create more.
static ALL_IN_USE: Mutex<Option<BTreeSet<PathBuf>>> = Mutex::new(Some(BTreeSet::new()));

fn all_in_use() -> MutexGuard<'static, Option<BTreeSet<PathBuf>>> {
    ALL_IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a temporary file, so that it is removed if the process ends.
#[derive(Debug)]
pub struct InUse(PathBuf);

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(all) = all_in_use().as_mut() {
            all.remove(&self.0);
        }
    }
}

/// Removes the temporary files of threads that the end of the process does not wait for. Call it
/// last: no temporary file can be created afterwards.
pub fn abandon_all() {
    for path in all_in_use().take().unwrap_or_default() {
        drop(std::fs::remove_file(path));
    }
}

/// Removes the temporary files that killed processes left behind when they wrote this file.
pub fn sweep(path: &Path) {
    sweep_all(folder(path), &prefix(path));
}

/// Does the same for any prefix that was given to [`temporary`]. A file that cannot be removed
/// stays, which does no harm except that its owner wants it gone.
pub fn sweep_all(folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_plain && name.to_str().is_some_and(|name| is_temporary(name, prefix)) {
            drop(remove_if_left_behind(&entry.path()));
        }
    }
}

fn is_temporary(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Removes the file unless a process uses it, which then holds its lock. Does not open files of
/// other users.
fn remove_if_left_behind(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    if file.try_lock().is_ok() && is_own(&file)? { std::fs::remove_file(path) } else { Ok(()) }
}

/// Returns whether this user owns the file. Needed because a privileged user can open the files of
/// all users.
#[cfg(target_os = "linux")]
fn is_own(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
fn is_own(_: &File) -> io::Result<bool> {
    Ok(true)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_seen_before_the_commit_and_nothing_is_left_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_whole_file_is_not_seen_before_it_is_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, "old").unwrap();
        drop(AtomicFile::create(&path).unwrap().finish().unwrap());
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        let whole = file.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        whole.put_in_place().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_behind_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let kept = [
            "report.csv",
            ".report.csv.abc.tmp",
            ".report.csv.abcdef.bak",
            ".other.csv.abcdef.tmp",
            ".report.csv.ab-def.tmp",
        ];
        for name in kept.into_iter().chain([".report.csv.aB3def.tmp"]) {
            std::fs::write(folder.path().join(name), "p0@example.com").unwrap();
        }
        let in_use = AtomicFile::create(&path).unwrap();
        sweep(&path);
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert!(!left.contains(&".report.csv.aB3def.tmp".to_owned()), "{left:?}");
        assert_eq!(left.len(), kept.len() + 1, "{left:?}");
        in_use.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_name_as_long_as_the_file_system_allows_can_be_written_and_a_longer_one_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a".repeat(255), "é".repeat(127)] {
            let path = folder.path().join(&name);
            try_out(&path).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a trial leaves nothing behind");
            AtomicFile::create(&path).unwrap().commit().unwrap();
            assert!(path.exists());
            std::fs::remove_file(&path).unwrap();
        }
        assert!(try_out(&folder.path().join("a".repeat(256))).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        AtomicFile::create(&path).unwrap().commit().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_for_all_can_be_read_by_all_and_written_by_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.prom");
        AtomicFile::create(&path).unwrap().readable_by_all().unwrap().commit().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_folders_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(AtomicFile::create(&link).is_err());
        assert!(AtomicFile::create(folder.path()).is_err());
    }
}
