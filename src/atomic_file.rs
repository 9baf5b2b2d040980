//! A file that is there whole or not at all: written beside its place, synced, and renamed over it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Becomes the file at its path when it is committed; dropped before that, it leaves no trace. Only its owner can read it, unless that is asked for.
#[derive(Debug)]
pub struct AtomicFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl AtomicFile {
    pub fn create(path: &Path) -> io::Result<Self> {
        refuse_what_is_no_file(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A killed process leaves this behind: the name says whose it was.
        let file = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(".tmp").tempfile_in(folder(path))?;
        Ok(Self { writer: BufWriter::new(file), path: path.to_owned() })
    }

    /// For what another service must read; nobody's data belongs into it. The umask has no say: it speaks for files that a user makes.
    pub fn readable_by_all(self) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            self.writer.get_ref().as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        Ok(self)
    }

    /// Writes the rest and syncs it. The file is whole then, and not at its place yet.
    pub fn finish(self) -> io::Result<WholeFile> {
        let file = self.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok(WholeFile { file, path: self.path })
    }

    pub fn commit(self) -> io::Result<()> {
        self.finish()?.put_in_place()
    }
}

/// A file that is whole and synced, and leaves no trace unless it is put in place. Of files that
/// belong together none should be put in place before all are whole.
#[derive(Debug)]
pub struct WholeFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    pub fn put_in_place(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself must outlive a power cut too.
        File::open(folder(&self.path))?.sync_all()
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A rename would replace a link or a pipe instead of writing through it, which is not what whoever made it wants.
pub fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if !there.file_type().is_file() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a plain file is there"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
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
