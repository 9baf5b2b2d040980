//! Files that the program trusts: its ledger, its configuration, its secrets.
//!
//! If another user can write such a file, that user can act in the user's name. So the program
//! checks the owner and the mode of what it opened. [`open`] never waits, because a named pipe in
//! place of a file would block the program before it listens to signals.
//!
//! Only Unix has owners and modes. On other systems every file is trusted.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("is {0}, not a plain file")]
    Kind(&'static str),
    #[error("belongs to user {owner}, and this program runs as user {user}")]
    Owner { owner: u32, user: u32 },
    #[error("can be written by every user of this machine")]
    Writable,
    #[error("has {0} names (hard links)")]
    SeveralNames(u64),
}

impl Distrust {
    /// Returns the command that fixes it if followed by the file's name, or `None` if there is
    /// none.
    #[must_use]
    pub fn remedy(self) -> Option<String> {
        match self {
            Self::Kind(_) | Self::SeveralNames(_) => None,
            Self::Owner { user, .. } => Some(format!("chown {user}")),
            Self::Writable => Some("chmod o-w".to_owned()),
        }
    }
}

/// Opens a plain file for reading. Fails for anything else instead of waiting for it, except for a
/// pipe that the program was given as a descriptor, such as `<(…)` of a shell.
///
/// # Errors
/// The error of the system, or `InvalidInput` if it is not a plain file.
pub fn open(path: &Path) -> io::Result<File> {
    let may_be_pipe = is_descriptor(path);
    // Checked before it is opened, because opening a device can have an effect.
    check_kind(&std::fs::metadata(path)?, may_be_pipe)?;
    let mut options = OpenOptions::new();
    options.read(true);
    if !may_be_pipe {
        never_waiting(&mut options);
    }
    let file = options.open(path)?;
    check_kind(&file.metadata()?, may_be_pipe)?;
    Ok(file)
}

/// Returns the content of a file that [`open`] opens.
///
/// # Errors
/// Those of [`open`] and of reading.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_kind(file: &Metadata, may_be_pipe: bool) -> io::Result<()> {
    match kind(file) {
        Some(PIPE) if may_be_pipe => Ok(()),
        Some(kind) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it {}", Distrust::Kind(kind)))),
        None => Ok(()),
    }
}

fn is_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder))
}

const PIPE: &str = "a named pipe";

/// Returns what it is, or `None` if it is a plain file.
fn kind(file: &Metadata) -> Option<&'static str> {
    let kind = file.file_type();
    if kind.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return Some(PIPE);
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some(if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        "a device"
    })
}

/// Fails if another user owns the file or every user can write it, and if it is not a plain file or
/// has several names.
///
/// # Errors
/// The reason.
pub fn check_own(file: &Metadata) -> Result<(), Distrust> {
    match (kind(file), Rights::of(file)) {
        (Some(kind), _) => Err(Distrust::Kind(kind)),
        (None, Some(rights)) => rights.check_own(user()),
        (None, None) => Ok(()),
    }
}

/// Fails if neither root nor the user made the link.
///
/// # Errors
/// The reason.
pub fn check_link(link: &Metadata) -> Result<(), Distrust> {
    match Rights::of(link) {
        Some(Rights { owner, .. }) if ![0, user()].contains(&owner) => Err(Distrust::Owner { owner, user: user() }),
        _ => Ok(()),
    }
}

/// Fails if neither root nor the user owns the configuration, or if every user can write it.
///
/// # Errors
/// The error of the system; the inner error is the reason.
pub fn check_configuration(file: &File) -> io::Result<Result<(), Distrust>> {
    let Some(rights) = Rights::of(&file.metadata()?) else { return Ok(Ok(())) };
    Ok(rights.check_configuration(user(), is_read_only(file)))
}

/// Returns whether others can read a secret and its owner can change that. Containers get their
/// secrets as files of root or on a read-only mount, so those do not count.
///
/// # Errors
/// The error of the system.
pub fn is_exposed(file: &File) -> io::Result<bool> {
    let rights = Rights::of(&file.metadata()?);
    Ok(rights.is_some_and(|rights| rights.is_exposed(user(), is_read_only(file))))
}

/// What others can do to the names in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    Safe,
    /// Its group can replace files in it.
    OfGroup,
    /// Its owner, who is neither this user nor root, can replace files in it.
    OfUser(u32),
}

/// Fails if every user can replace files in the folder.
///
/// # Errors
/// The reason.
pub fn check_folder(folder: &Metadata) -> Result<Folder, Distrust> {
    Rights::of(folder).map_or(Ok(Folder::Safe), |rights| rights.check_folder(user()))
}

const STICKY: u32 = 0o1000;

#[derive(Clone, Copy, Debug)]
struct Rights {
    owner: u32,
    mode: u32,
    names: u64,
}

impl Rights {
    fn check_own(self, user: u32) -> Result<(), Distrust> {
        if self.owner != user {
            return Err(Distrust::Owner { owner: self.owner, user });
        }
        if self.mode & 0o002 != 0 {
            return Err(Distrust::Writable);
        }
        if self.names > 1 { Err(Distrust::SeveralNames(self.names)) } else { Ok(()) }
    }

    fn check_configuration(self, user: u32, is_read_only: bool) -> Result<(), Distrust> {
        if ![0, user].contains(&self.owner) {
            return Err(Distrust::Owner { owner: self.owner, user });
        }
        if self.mode & 0o002 != 0 && !is_read_only { Err(Distrust::Writable) } else { Ok(()) }
    }

    /// A file of root counts as given to other users only, because root itself could change the
    /// mode.
    fn is_exposed(self, user: u32, is_read_only: bool) -> bool {
        let is_given = is_read_only || (self.owner == 0 && user != 0 && self.mode & 0o002 == 0);
        self.mode & 0o077 != 0 && !is_given
    }

    fn check_folder(self, user: u32) -> Result<Folder, Distrust> {
        let is_sticky = self.mode & STICKY != 0;
        if self.mode & 0o002 != 0 && !is_sticky {
            return Err(Distrust::Writable);
        }
        if ![0, user].contains(&self.owner) {
            return Ok(Folder::OfUser(self.owner));
        }
        Ok(if self.mode & 0o020 != 0 && !is_sticky { Folder::OfGroup } else { Folder::Safe })
    }
}

/// Makes opening return at once instead of waiting for the other end of a pipe.
#[cfg(unix)]
pub fn never_waiting(options: &mut OpenOptions) {
    flags(options, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY);
}

/// Does the same, and makes opening a link an error.
#[cfg(unix)]
pub fn never_following(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    flags(options, OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW);
}

/// The flags of the library are those of the system, as unsigned numbers.
#[cfg(unix)]
fn flags(options: &mut OpenOptions, flags: rustix::fs::OFlags) {
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
}

#[cfg(not(unix))]
pub fn never_waiting(_: &mut OpenOptions) {}

#[cfg(not(unix))]
pub fn never_following(_: &mut OpenOptions) {}

#[cfg(unix)]
impl Rights {
    fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self { owner: file.uid(), mode: file.mode(), names: file.nlink() })
    }
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn is_read_only(file: &File) -> bool {
    use rustix::fs::{StatVfsMountFlags, fstatvfs};
    fstatvfs(file).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(not(unix))]
impl Rights {
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

#[cfg(not(unix))]
fn is_read_only(_: &File) -> bool {
    false
}

/// Creates a folder and those above it, which only their owner can enter. Existing folders stay as
/// they are.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const OTHER: u32 = 1001;

    fn rights(owner: u32, mode: u32) -> Rights {
        Rights { owner, mode, names: 1 }
    }

    #[test]
    fn a_file_that_somebody_else_owns_or_may_write_is_not_ours_alone() {
        for (owner, mode, expected) in [
            (ME, 0o600, Ok(())),
            (ME, 0o660, Ok(())),
            (ME, 0o644, Ok(())),
            (ME, 0o602, Err(Distrust::Writable)),
            (OTHER, 0o600, Err(Distrust::Owner { owner: OTHER, user: ME })),
            (0, 0o600, Err(Distrust::Owner { owner: 0, user: ME })),
        ] {
            assert_eq!(rights(owner, mode).check_own(ME), expected, "{owner} {mode:o}");
        }
        let linked = Rights { names: 2, ..rights(ME, 0o600) };
        assert_eq!(linked.check_own(ME), Err(Distrust::SeveralNames(2)));
    }

    #[test]
    fn a_configuration_may_be_roots_or_our_own_and_readable_but_not_writable_by_all() {
        for (owner, mode, read_only, is_fine) in [
            (ME, 0o644, false, true),
            (0, 0o644, false, true),
            (ME, 0o664, false, true),
            (ME, 0o646, false, false),
            (0, 0o666, false, false),
            (0, 0o666, true, true),
            (OTHER, 0o600, false, false),
            (OTHER, 0o600, true, false),
        ] {
            assert_eq!(
                rights(owner, mode).check_configuration(ME, read_only).is_ok(),
                is_fine,
                "{owner} {mode:o} {read_only}"
            );
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_exposed_unless_a_container_gave_it_so() {
        for (owner, mode, user, read_only, is_exposed) in [
            (ME, 0o600, ME, false, false),
            (ME, 0o640, ME, false, true),
            (ME, 0o604, ME, false, true),
            (ME, 0o644, ME, true, false),
            (0, 0o644, ME, false, false),
            (0, 0o444, ME, true, false),
            (0, 0o646, ME, false, true),
            (0, 0o644, 0, false, true),
            (0, 0o444, 0, true, false),
        ] {
            assert_eq!(
                rights(owner, mode).is_exposed(user, read_only),
                is_exposed,
                "{owner} {mode:o} {user} {read_only}"
            );
        }
    }

    #[test]
    fn a_folder_that_everybody_may_write_is_refused_unless_it_is_sticky() {
        for (owner, mode, expected) in [
            (ME, 0o700, Ok(Folder::Safe)),
            (0, 0o755, Ok(Folder::Safe)),
            (0, 0o1777, Ok(Folder::Safe)),
            (ME, 0o777, Err(Distrust::Writable)),
            (0, 0o2777, Err(Distrust::Writable)),
            (0, 0o2775, Ok(Folder::OfGroup)),
            (ME, 0o1770, Ok(Folder::Safe)),
            (OTHER, 0o755, Ok(Folder::OfUser(OTHER))),
        ] {
            assert_eq!(rights(owner, mode).check_folder(ME), expected, "{owner} {mode:o}");
        }
    }

    #[test]
    fn what_is_not_a_plain_file_is_refused_by_its_kind_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, kind) in [
            (pipe.as_path(), "a named pipe"),
            (socket.as_path(), "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (folder.path(), "a folder"),
        ] {
            let error = open(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{kind}");
            assert!(error.to_string().contains(kind), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_that_was_given_as_a_descriptor_is_read_to_its_end() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        writer.write_all(b"token").unwrap();
        drop(writer);
        assert_eq!(read(Path::new(&path)).unwrap(), b"token");
    }
}
