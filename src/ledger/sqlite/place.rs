//! Whether a ledger may lie where it lies.
//!
//! Two kinds of places are refused, because there the locks do not keep a second run out: a network
//! file system, where another machine may not see them, and a file that is a mount point of its
//! own, as a container runtime makes it from `-v l.db:/l.db`. In the second case every container
//! sees the same file, but each has its own lock file and its own log beside it.

use std::path::{Path, PathBuf};

use crate::ledger::LedgerError;

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name of a side file.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Refuses a ledger file, or the folder of a ledger that is yet to be made, if it lies in the wrong
/// place.
pub(super) fn check(path: &Path) -> Result<(), LedgerError> {
    if path.is_file() && system::is_mount_point(path) {
        return Err(LedgerError::MountPoint(path.to_owned()));
    }
    match system::network(path) {
        Some(kind) => Err(LedgerError::NetworkDisk { path: path.to_owned(), kind }),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};

    use super::table::{FUSE, is_listed, kind_of_fuse, kind_of_magic};

    /// Old kernels do not answer this in `statx`; the list of mounts does, for this process's own
    /// view.
    pub(super) fn is_mount_point(path: &Path) -> bool {
        let attributes = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS)
            .map(|file| (file.stx_attributes, file.stx_attributes_mask));
        match attributes {
            Ok((is, known)) if known.contains(StatxAttributes::MOUNT_ROOT) => is.contains(StatxAttributes::MOUNT_ROOT),
            _ => is_listed(path, &mounts()),
        }
    }

    pub(super) fn network(path: &Path) -> Option<&'static str> {
        // The kernel's type of this number differs between architectures; the magic itself has 32
        // bits everywhere.
        #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let magic = statfs(path).ok()?.f_type as u32;
        if magic == FUSE {
            let device = std::fs::metadata(path).ok()?.dev();
            return kind_of_fuse((rustix::fs::major(device), rustix::fs::minor(device)), &mounts());
        }
        kind_of_magic(magic)
    }

    fn mounts() -> String {
        std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
    }
}

/// Elsewhere nothing is known about the place; the lock file and the names must do.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::Path;

    pub(super) fn is_mount_point(_: &Path) -> bool {
        false
    }

    pub(super) fn network(_: &Path) -> Option<&'static str> {
        None
    }
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod table {
    use std::path::Path;

    /// Says nothing about where the data are; the kind of such a mount stands in the list of
    /// mounts.
    pub(super) const FUSE: u32 = 0x6573_5546;

    /// File systems whose files other machines can open too, by the number that `statfs` gives.
    /// Local ones, `overlay` and plain FUSE are not in it.
    const NETWORK: [(u32, &str); 15] = [
        // flock becomes a lock on bytes there, which collides with SQLite's own, and old servers
        // lock nothing.
        (0x0000_6969, "NFS"),
        // These three are one protocol; with the option `nobrl` locks stay on this machine.
        (0x0000_517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        // Shares of virtual machines; the host does not see the guest's locks, and shared memory of
        // two guests is not shared.
        (0x0102_1997, "9p"),
        (0x786f_4256, "a VirtualBox share"),
        (0xbacb_acbc, "a VMware share"),
        // Cluster file systems: locks may be off or local (`localflock`), and SQLite's log needs
        // memory that all users of a file share.
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x1983_0326, "BeeGFS"),
        (0x4750_4653, "GPFS"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
    ];

    /// FUSE file systems whose files other machines can open too.
    const NETWORK_FUSE: [&str; 16] = [
        "sshfs",
        "s3fs",
        "rclone",
        "gcsfuse",
        "goofys",
        "mount-s3",
        "glusterfs",
        "ceph",
        "ceph-fuse",
        "davfs",
        "curlftpfs",
        "smbnetfs",
        "juicefs",
        "blobfuse",
        "blobfuse2",
        "moosefs",
    ];

    pub(super) fn kind_of_magic(magic: u32) -> Option<&'static str> {
        NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, kind)| *kind)
    }

    /// The same of a FUSE mount, by its device and the list of mounts.
    pub(super) fn kind_of_fuse(device: (u32, u32), mounts: &str) -> Option<&'static str> {
        let device = format!("{}:{}", device.0, device.1);
        mounts.lines().filter_map(Mount::of).filter(|mount| mount.device == device).find_map(|mount| {
            let kind = mount.kind.strip_prefix("fuse.").unwrap_or(mount.kind);
            NETWORK_FUSE.into_iter().find(|known| *known == kind)
        })
    }

    /// Whether a path is a mount point of the list.
    pub(super) fn is_listed(path: &Path, mounts: &str) -> bool {
        mounts.lines().filter_map(Mount::of).any(|mount| Path::new(&unescaped(mount.point)) == path)
    }

    /// A line of `/proc/self/mountinfo`.
    struct Mount<'a> {
        device: &'a str,
        point: &'a str,
        kind: &'a str,
    }

    impl<'a> Mount<'a> {
        fn of(line: &'a str) -> Option<Self> {
            let (mount, source) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(2);
            let (device, _root, point) = (fields.next()?, fields.next()?, fields.next()?);
            Some(Self { device, point, kind: source.split(' ').next()? })
        }
    }

    /// The kernel writes a space, a tab, a line end and a backslash of a path as three octal
    /// digits.
    fn unescaped(point: &str) -> String {
        [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
            .into_iter()
            .fold(point.to_owned(), |text, (code, meant)| text.replace(code, meant))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /mnt/far rw,nosuid shared:3 - fuse.sshfs ops@backup: rw,user_id=0
41 27 0:51 / /mnt/near rw,nosuid - fuse.mergerfs a:b rw
42 27 0:52 / /mnt/dav rw - davfs https://dav.example.com rw
43 27 254:0 /srv/l.db /data/my\\040l.db rw,relatime - ext4 /dev/vda rw
broken line";

        #[test]
        fn file_systems_of_other_machines_are_known_by_their_number_and_local_ones_are_not_in_the_table() {
            for (magic, kind) in [
                (0x6969, Some("NFS")),
                (0xff53_4d42, Some("CIFS")),
                (0xfe53_4d42, Some("SMB2")),
                (0x0102_1997, Some("9p")),
                (0x00c3_6400, Some("Ceph")),
                (0x0bd0_0bd0, Some("Lustre")),
                // ext4, XFS, btrfs, tmpfs, ZFS, overlayfs, F2FS
                (0xef53, None),
                (0x5846_5342, None),
                (0x9123_683e, None),
                (0x0102_1994, None),
                (0x2fc1_2fc1, None),
                (0x794c_7630, None),
                (0xf2f5_2010, None),
                (FUSE, None),
            ] {
                assert_eq!(kind_of_magic(magic), kind, "{magic:#x}");
            }
        }

        #[test]
        fn a_fuse_mount_is_known_by_its_kind_in_the_list_of_mounts() {
            for (device, kind) in [((0, 50), Some("sshfs")), ((0, 51), None), ((0, 52), Some("davfs")), ((0, 9), None)]
            {
                assert_eq!(kind_of_fuse(device, MOUNTS), kind, "{device:?}");
            }
        }

        #[test]
        fn a_file_that_is_mounted_by_itself_is_in_the_list_of_mounts_with_its_spaces() {
            assert!(is_listed(Path::new("/data/my l.db"), MOUNTS));
            assert!(!is_listed(Path::new("/srv/l.db"), MOUNTS));
        }
    }
}
