//! Judges what this machine gives an import: room on its disks, descriptors, memory.

use std::io;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::domain::{grouped, shown};
use crate::exit::Exit;
use crate::limits;
use crate::process::machine;

const MIB: u64 = 1024 * 1024;

/// With less, the disk may be full before a long import ends.
const LITTLE_SPACE: u64 = 512 * MIB;
/// With less, the first import cannot even begin.
const NO_SPACE: u64 = 16 * MIB;

/// What `--concurrency` 8 needs, with files, ledger and standard streams.
const FEW_DESCRIPTORS: u64 = 64;

/// Returns the findings on the folders of ledger, reports and temporary files, and on the limits.
pub(super) fn judge(ledger: Option<&Path>) -> Vec<Finding> {
    let parent = |ledger| Path::parent(ledger).filter(|folder| !folder.as_os_str().is_empty());
    let folder = ledger.map(|ledger| parent(ledger).unwrap_or(Path::new(".")));
    let reports = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let folders = [
        ("disk of ledger", folder),
        ("disk of reports", Some(&*reports)),
        ("disk of temp", Some(&*std::env::temp_dir())),
    ];
    let there = folders.into_iter().filter_map(|(subject, folder)| Some((subject, folder?)));
    let disks = there.map(|(subject, folder)| {
        let there = existing(folder);
        disk(subject, there, machine::free_space(there))
    });
    disks.chain([descriptors(machine::descriptors()), memory(machine::memory())]).collect()
}

/// Returns the folder, or the nearest one above it that exists, in which it would be created.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."))
}

fn disk(subject: &'static str, folder: &Path, free: io::Result<u64>) -> Finding {
    match free {
        Ok(free) if free < NO_SPACE => {
            Finding::fail(subject, Exit::Io, &format!("{}, {} free", shown(folder), size(free)))
                .hint("make room on that disk")
        }
        Ok(free) if free < LITTLE_SPACE => Finding::warn(
            subject,
            format!("{}, {} free", shown(folder), size(free)),
            "a ledger grows by about 1 KiB for each record, and a report as much",
        ),
        Ok(free) => Finding::ok(subject, format!("{}, {} free", shown(folder), size(free))),
        Err(error) => {
            Finding::fail(subject, Exit::Io, &format!("cannot write into {}: {}", shown(folder), limits::told(&error)))
                .hint("check that the disk is mounted and that this user may write there")
        }
    }
}

fn descriptors(most: Option<u64>) -> Finding {
    const SUBJECT: &str = "descriptors";
    match most {
        None => Finding::ok(SUBJECT, "no limit"),
        Some(most) if most < FEW_DESCRIPTORS => {
            Finding::warn(SUBJECT, grouped(most), "raise the limit: ulimit -n 1024")
        }
        Some(most) => Finding::ok(SUBJECT, grouped(most)),
    }
}

fn memory(most: Option<u64>) -> Finding {
    const SUBJECT: &str = "memory";
    /// An import of a million records needs less.
    const LITTLE: u64 = 128 * MIB;
    match most {
        None => Finding::ok(SUBJECT, "no limit"),
        Some(most) if most < LITTLE => {
            Finding::warn(SUBJECT, format!("limited to {}", size(most)), "a long file may need 128 MiB")
        }
        Some(most) => Finding::ok(SUBJECT, format!("limited to {}", size(most))),
    }
}

/// Returns a number of bytes with about two digits: `640 KiB`, `1.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let (mut value, mut unit) = (bytes as f64 / 1024.0, UNITS[0]);
    for larger in &UNITS[1..] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    #[test]
    fn a_size_is_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0.0 KiB"),
            (4096, "4.0 KiB"),
            (640 * 1024, "640 KiB"),
            (1_288_490_189, "1.2 GiB"),
            (1000 * MIB, "1.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_full_or_locked_disk_stops_an_import_and_a_nearly_full_one_is_a_warning() {
        let of = |free| disk("disk", Path::new("/x"), free).mark();
        assert_eq!(of(Ok(1024 * MIB)), Mark::Ok);
        assert_eq!(of(Ok(100 * MIB)), Mark::Warn);
        assert_eq!(of(Ok(MIB)), Mark::Fail(Exit::Io));
        assert_eq!(of(Err(io::ErrorKind::ReadOnlyFilesystem.into())), Mark::Fail(Exit::Io));
    }

    #[test]
    fn low_limits_are_warnings() {
        assert_eq!([descriptors(Some(32)).mark(), memory(Some(64 * MIB)).mark()], [Mark::Warn; 2]);
        assert_eq!([descriptors(Some(1024)).mark(), memory(None).mark()], [Mark::Ok; 2]);
    }

    #[test]
    fn a_folder_that_is_yet_to_be_made_is_judged_by_the_one_that_would_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b/c")), folder.path());
    }
}
