//! At most one process writes.
//!
//! A run locks two files for its whole life. `<ledger>.lock` is there on every system. On Linux the
//! database file is locked too, because a lock file can be removed in mid-run, and a second run
//! would make and lock a new one. `flock` and SQLite's own locks do not meet there. But SQLite's
//! locks end as soon as this process closes *any* descriptor of the file, so the one that holds the
//! lock is opened before SQLite opens the file and closed after SQLite closed it.
//!
//! The locks belong to files, and names can be led elsewhere. So a run compares, before it permits
//! a request, what each name leads to with what it holds ([`Lock::check`]), by `stat` and never by
//! opening. The ledger is called by its one real name, however the user named it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::clean_end::CleanEnd;
use super::ownership;
use super::place::{self, beside};
use crate::ledger::error::{Holder, LostName, Occupied};
use crate::ledger::model::Stay;
use crate::ledger::{Creation, LedgerError};
use crate::trusted_file;

/// How often a lock is tried, and how long a look at it takes at most: it is taken and given back
/// without anything between.
const GLANCES: u32 = 4;
const GLANCE: Duration = Duration::from_millis(5);

/// How long a run waits for a holder that says that it holds the ledger for a moment only.
const MOMENT: Duration = Duration::from_secs(60);
/// The same for a holder that has not said yet who it is.
const UNSAID: Duration = Duration::from_millis(100);

/// No text about a holder is longer.
const HOLDER_CAP: u64 = 1024;

/// Held for as long as the value lives. The kernel frees it on any death of the process.
#[derive(Debug)]
pub(super) struct Lock {
    /// Closed after the database, so that this is never without its lock as long as SQLite may
    /// write.
    file: Held,
    database: Held,
    since: Timestamp,
    stay: Stay,
    /// When the whole file was last checked, if it is known to be as it was then.
    checked_at: Option<Timestamp>,
}

/// A file that is open, and the name that led to it.
#[derive(Debug)]
struct Held {
    file: File,
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Lock {
    /// `ledger` is what [`real_file`] gave. Call this before SQLite opens the file.
    pub(super) fn acquire(ledger: &Path, stay: Stay) -> Result<Self, LedgerError> {
        place::check(ledger)?;
        ownership::check(ledger)?;
        let path = beside(ledger, ".lock");
        let mut file = Held::open(&path, owner_only().read(true).write(true))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        trusted_file::never_following(&mut options);
        file.lock_soon(ledger)?;
        let database = Held::open(ledger, &options)?;
        if cfg!(target_os = "linux") {
            // Who holds it wrote its name into a lock file that is gone.
            database.lock(ledger)?;
        }
        let (since, checked_at) = (Timestamp::now(), file.clean_end().and_then(|end| database.checked_at(end)));
        let lock = Self { file, database, since, stay, checked_at };
        lock.check()?;
        lock.note(None);
        Ok(lock)
    }

    /// Fails if one of the names no longer leads to the file that is held. It costs two calls of
    /// `stat`.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let has = |held: &Held| held.has_name().map_err(|error| LedgerError::file(&held.path, &error));
        let lost = if !has(&self.database)? {
            LostName::Ledger { now: self.database.now() }
        } else if !has(&self.file)? {
            LostName::LockFile(self.file.path.clone())
        } else {
            return Ok(());
        };
        Err(LedgerError::Lost { path: self.database.path.clone(), lost })
    }

    /// When the whole file was last checked, or `None` if it must be checked again.
    pub(super) const fn checked_at(&self) -> Option<Timestamp> {
        self.checked_at
    }

    /// Notes when the whole file was checked, or that it must be checked again.
    pub(super) const fn set_checked_at(&mut self, checked_at: Option<Timestamp>) {
        self.checked_at = checked_at;
    }

    /// Whether the ledger's name still leads to the file that is held.
    pub(super) fn has_ledger(&self) -> bool {
        self.database.has_name().unwrap_or(false)
    }

    /// Writes down who holds the ledger, so that a run that finds it locked can say it. A failed
    /// write harms nothing and is ignored.
    pub(super) fn note(&self, run: Option<&str>) {
        let holder = Holder {
            process: std::process::id(),
            host: host(),
            since: self.since,
            run: run.map(str::to_owned),
            stays: self.stay == Stay::Run,
        };
        self.write(&text(&holder));
    }

    fn write(&self, text: &str) {
        let mut file = &self.file.file;
        let written =
            file.rewind().and_then(|()| self.file.file.set_len(0)).and_then(|()| file.write_all(text.as_bytes()));
        drop(written);
    }

    /// What to leave for the next writer, now that SQLite has closed the file.
    fn clean_end(&self) -> Option<CleanEnd> {
        let checked_at = self.checked_at.filter(|_| self.has_ledger() && !self.database.has_log())?;
        CleanEnd::of(&self.database.file.metadata().ok()?, checked_at)
    }
}

impl Drop for Lock {
    /// A holder that outlives its text would be taken for the next one.
    fn drop(&mut self) {
        self.write(&self.clean_end().map_or_else(String::new, CleanEnd::to_text));
    }
}

impl Held {
    fn open(path: &Path, options: &OpenOptions) -> Result<Self, LedgerError> {
        let failed = |error| LedgerError::file(path, &error);
        let file = options.open(path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        // The name may lead elsewhere than when it was looked at.
        ownership::check_file(path, &opened, true)?;
        let identity = identity(&opened);
        Ok(Self { file, path: path.to_owned(), identity })
    }

    fn lock(&self, ledger: &Path) -> Result<(), LedgerError> {
        self.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LedgerError::Locked(Occupied { ledger: ledger.into(), by: None }),
            TryLockError::Error(error) => LedgerError::Unlockable { path: self.path.clone(), why: error.to_string() },
        })
    }

    /// Locks the lock file. If another process holds it for a moment only, waits until it does not.
    fn lock_soon(&mut self, ledger: &Path) -> Result<(), LedgerError> {
        let begun = Instant::now();
        loop {
            match self.lock(ledger) {
                Err(LedgerError::Locked(_)) => {}
                locked => return locked,
            }
            let by = written_by(&mut self.file);
            let patience = match &by {
                Some(Holder { stays: true, .. }) => Duration::ZERO,
                Some(Holder { stays: false, .. }) => MOMENT,
                None => UNSAID,
            };
            if begun.elapsed() >= patience {
                return Err(LedgerError::Locked(Occupied { ledger: ledger.into(), by }));
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// A report may look whether the ledger is held ([`is_held`]) in this very moment, so one
    /// refusal proves nothing.
    fn try_lock(&self) -> Result<(), TryLockError> {
        for _ in 1..GLANCES {
            match self.file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(GLANCE),
                locked => return locked,
            }
        }
        self.file.try_lock()
    }

    /// What the last holder left in the lock file.
    fn clean_end(&mut self) -> Option<CleanEnd> {
        CleanEnd::from_text(&read_capped(&mut self.file)?)
    }

    /// When the database was last checked, if it is as it was at that end. After an end that was
    /// not clean, its log is still there.
    fn checked_at(&self, end: CleanEnd) -> Option<Timestamp> {
        let file = self.file.metadata().ok().filter(|_| !self.has_log())?;
        end.checked_at(&file, Timestamp::now())
    }

    /// Whether the database has a log with content.
    fn has_log(&self) -> bool {
        std::fs::metadata(beside(&self.path, "-wal")).is_ok_and(|log| log.len() > 0)
    }

    fn has_name(&self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok(identity(&named) == self.identity),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where the file is now, if the system can tell and it is anywhere.
    #[cfg(target_os = "linux")]
    fn now(&self) -> Option<PathBuf> {
        use std::os::fd::AsRawFd as _;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd())).ok()?;
        // The system marks the path of a removed file, so the name that it gives must lead to this
        // one.
        std::fs::metadata(&path).is_ok_and(|named| identity(&named) == self.identity).then_some(path)
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Option<PathBuf> {
        None
    }
}

/// Returns what the holder wrote about itself into the lock file, or `None` if that is not
/// credible.
fn written_by(lock_file: &mut File) -> Option<Holder> {
    holder(&read_capped(lock_file)?).filter(|holder| is_credible(holder, host().as_deref(), is_alive))
}

fn read_capped(lock_file: &mut File) -> Option<String> {
    let mut written = String::new();
    lock_file.rewind().ok()?;
    lock_file.take(HOLDER_CAP).read_to_string(&mut written).ok()?;
    Some(written)
}

fn text(holder: &Holder) -> String {
    let Holder { process, host, since, run, stays } = holder;
    let host = host.iter().map(|host| format!("host {host}\n"));
    let run = run.iter().map(|run| format!("run {run}\n"));
    let stay = (!stays).then(|| "stay moment\n".to_owned());
    [format!("process {process}\nsince {since}\n")].into_iter().chain(host).chain(run).chain(stay).collect()
}

/// `None` if the text does not say who it is, because it is cut or of another version.
fn holder(text: &str) -> Option<Holder> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let value = |name: &str| {
        whole.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).filter(|value| !value.is_empty())
    };
    Some(Holder {
        process: value("process")?.parse().ok()?,
        since: value("since")?.parse().ok()?,
        host: value("host").map(str::to_owned),
        run: value("run").map(str::to_owned),
        stays: value("stay") != Some("moment"),
    })
}

/// A killed run leaves its text behind, and the run that locks the file next needs a moment to
/// replace it. So a process of this host that is gone is not the holder.
fn is_credible(holder: &Holder, here: Option<&str>, is_alive: impl Fn(u32) -> bool) -> bool {
    holder.host.as_deref() != here || is_alive(holder.process)
}

fn is_alive(process: u32) -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc").join(process.to_string()).exists()
}

fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    Some(name.trim().to_owned()).filter(|name| !name.is_empty() && name.chars().all(plain))
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((file.dev(), file.ino()))
}

/// Elsewhere an open file cannot be renamed or removed.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Whether some process holds the ledger just now. It looks by taking a share of the lock for an
/// instant, so only a run that seems to be alive or killed is worth asking for.
pub(super) fn is_held(ledger: &Path) -> bool {
    let Ok(real) = ledger.canonicalize() else { return false };
    let mut options = OpenOptions::new();
    trusted_file::never_following(options.read(true));
    let Ok(file) = options.open(beside(&real, ".lock")) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns the run that holds the ledger just now, or `None` if none does. Looks as [`is_held`]
/// does.
pub(in crate::ledger) fn occupied(ledger: &Path) -> Option<Occupied> {
    if !is_held(ledger) {
        return None;
    }
    let path = ledger.canonicalize().ok()?;
    let mut options = OpenOptions::new();
    trusted_file::never_following(options.read(true));
    let mut lock_file = options.open(beside(&path, ".lock")).ok()?;
    Some(Occupied { ledger: path.as_path().into(), by: written_by(&mut lock_file) })
}

/// Fails if a run could not lock a ledger here. Creates nothing.
pub(in crate::ledger) fn check_place(path: &Path) -> Result<(), LedgerError> {
    if !path.exists() {
        return destination(path).map(drop);
    }
    let real = real_file(path, Creation::Refused)?;
    place::check(&real)?;
    ownership::check(&real)
}

/// The real name of the ledger's file. If creation is allowed, a file that does not exist yet is
/// made, because before that it has no real name. SQLite gives its side files the rights of the
/// main one, so that must be right from its first moment.
pub(super) fn real_file(path: &Path, creation: Creation) -> Result<PathBuf, LedgerError> {
    let failed = |error: io::Error| LedgerError::file(path, &error);
    ownership::check_link(path)?;
    if creation == Creation::Allowed && !path.exists() {
        let file = destination(path)?;
        owner_only().write(true).open(file).map_err(failed)?;
    }
    let real = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LedgerError::Missing(path.to_owned()),
        _ => failed(error),
    })?;
    if real.is_dir() {
        return Err(LedgerError::Folder(path.to_owned()));
    }
    match names_of(&real).map_err(failed)? {
        0 | 1 => Ok(real),
        names => Err(LedgerError::SeveralNames { path: real, names }),
    }
}

/// Most links that lead from one to the next; the system has such a limit, too.
const MOST_LINKS: usize = 40;

/// Where a name leads that leads to nothing yet. Every folder on the way is checked: nothing may be
/// left in one that is refused.
fn destination(path: &Path) -> Result<PathBuf, LedgerError> {
    let mut name = path.to_owned();
    for _ in 0..MOST_LINKS {
        place::check(place::folder(&name))?;
        ownership::check_folder(&name)?;
        ownership::check_link(&name)?;
        match std::fs::read_link(&name) {
            Ok(target) => name = place::folder(&name).join(target),
            // It is not a link, or nothing has this name.
            Err(_) => return Ok(name),
        }
    }
    Err(LedgerError::io(path, "it leads through too many links"))
}

/// How many hard links the file has. Each would have a lock and a log of its own.
#[cfg(unix)]
fn names_of(path: &Path) -> io::Result<u64> {
    std::fs::metadata(path).map(|file| std::os::unix::fs::MetadataExt::nlink(&file))
}

#[cfg(not(unix))]
fn names_of(_: &Path) -> io::Result<u64> {
    Ok(1)
}

/// Options that create a file only its owner can read, and never follow a link or wait.
pub(super) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false);
    trusted_file::never_following(&mut options);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        folder: tempfile::TempDir,
        ledger: PathBuf,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger = folder.path().canonicalize().unwrap().join("a.db");
            std::fs::write(&ledger, "").unwrap();
            Self { folder, ledger }
        }

        fn lock_file(&self) -> PathBuf {
            beside(&self.ledger, ".lock")
        }

        fn refused(&self) -> Occupied {
            match Lock::acquire(&self.ledger, Stay::Run) {
                Err(LedgerError::Locked(occupied)) => occupied,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let world = World::new();
        let held = Lock::acquire(&world.ledger, Stay::Run).unwrap();
        world.refused();
        drop(held);
        assert!(Lock::acquire(&world.ledger, Stay::Run).is_ok());
    }

    #[test]
    fn a_run_waits_for_a_holder_that_stays_for_a_moment_and_not_for_a_run() {
        let world = World::new();
        let (held, ledger) = (Lock::acquire(&world.ledger, Stay::Moment).unwrap(), world.ledger.clone());
        let (waits, waited) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let taken = Lock::acquire(&ledger, Stay::Run);
            waits.send(()).unwrap();
            taken
        });
        // Longer than a run would be waited for, or a holder that has not said who it is.
        assert!(waited.recv_timeout(2 * UNSAID).is_err(), "it was refused");
        drop(held);
        let run = waiting.join().unwrap().unwrap();
        assert!(world.refused().by.unwrap().stays);
        drop(run);
    }

    #[test]
    fn a_report_that_looks_whether_the_ledger_is_held_keeps_no_run_from_it() {
        let world = World::new();
        drop(Lock::acquire(&world.ledger, Stay::Run).unwrap());
        let (looks, ledger) = (std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true)), world.ledger.clone());
        let looking = std::sync::Arc::clone(&looks);
        let looker = std::thread::spawn(move || {
            while looking.load(std::sync::atomic::Ordering::Relaxed) {
                is_held(&ledger);
            }
        });
        // This one looks without a pause, and a busy machine may take the core from it in the
        // middle of a look: then the tries are over before it is. Without them not one in two would
        // succeed.
        let taken = (0..200).filter(|_| Lock::acquire(&world.ledger, Stay::Run).is_ok()).count();
        looks.store(false, std::sync::atomic::Ordering::Relaxed);
        looker.join().unwrap();
        assert!(taken >= 150, "{taken}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_second_holder_is_refused_though_the_lock_file_was_removed() {
        let world = World::new();
        let held = Lock::acquire(&world.ledger, Stay::Run).unwrap();
        std::fs::remove_file(world.lock_file()).unwrap();
        assert_eq!(world.refused().by, None, "nobody wrote anything into the new lock file");
        let lost = held.check().unwrap_err();
        assert!(matches!(&lost, LedgerError::Lost { lost: LostName::LockFile(_), .. }), "{lost:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_ledger_that_was_renamed_removed_or_replaced_is_noticed_and_its_new_name_told() {
        type Meddling = fn(&Path, &Path);
        let meddlings: [(&str, Meddling, bool); 4] = [
            ("renamed", |ledger, other| std::fs::rename(ledger, other).unwrap(), true),
            ("removed", |ledger, _| std::fs::remove_file(ledger).unwrap(), false),
            (
                "replaced",
                |ledger, other| {
                    std::fs::write(other, "").unwrap();
                    std::fs::rename(other, ledger).unwrap();
                },
                false,
            ),
            (
                "a link in its place",
                |ledger, other| {
                    std::fs::rename(ledger, other).unwrap();
                    std::fs::write(other.with_extension("new"), "").unwrap();
                    std::os::unix::fs::symlink(other.with_extension("new"), ledger).unwrap();
                },
                true,
            ),
        ];
        for (how, meddle, is_somewhere) in meddlings {
            let world = World::new();
            let other = world.ledger.with_file_name("b.db");
            let held = Lock::acquire(&world.ledger, Stay::Run).unwrap();
            assert!(held.check().is_ok(), "{how}");
            meddle(&world.ledger, &other);
            let expected = Some(other).filter(|_| is_somewhere && cfg!(target_os = "linux"));
            match held.check() {
                Err(LedgerError::Lost { lost: LostName::Ledger { now }, .. }) => assert_eq!(now, expected, "{how}"),
                checked => panic!("{how}: {checked:?}"),
            }
        }
    }

    #[test]
    fn a_refused_run_is_told_who_holds_the_ledger() {
        let world = World::new();
        let held = Lock::acquire(&world.ledger, Stay::Run).unwrap();
        held.note(Some("0198-run"));
        let Occupied { by, .. } = world.refused();
        let by = by.unwrap();
        assert_eq!((by.process, by.since, by.run.as_deref()), (std::process::id(), held.since, Some("0198-run")));
        assert_eq!(by.host, host());
        drop(held);
        assert_eq!(std::fs::read(world.lock_file()).unwrap(), b"", "the text ends with the lock");
    }

    #[test]
    fn a_text_of_no_holder_is_not_repeated() {
        let since: Timestamp = "2026-11-29T02:15:03Z".parse().unwrap();
        let told = Holder { process: 12, host: Some("a".to_owned()), since, run: None, stays: true };
        let brief = Holder { run: Some("r".to_owned()), stays: false, ..told.clone() };
        for told in [&told, &brief] {
            assert_eq!(holder(&text(told)).as_ref(), Some(told));
        }
        for broken in
            ["", "process 12\n", "process 12\nsince 2026-11-2", "process x\nsince 2026-11-29T02:15:03Z\n", "\0\0"]
        {
            assert_eq!(holder(broken), None, "{broken:?}");
        }
        assert!(is_credible(&told, Some("a"), |_| true) && is_credible(&told, Some("b"), |_| false));
        assert!(!is_credible(&told, Some("a"), |_| false), "a run that was killed");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_to_nothing_yet_names_the_file_that_it_will_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
        std::os::unix::fs::symlink("a.db", &link).unwrap();
        assert!(matches!(real_file(&link, Creation::Refused), Err(LedgerError::Missing(_))));
        assert!(!file.exists());
        let real = real_file(&link, Creation::Allowed).unwrap();
        assert_eq!(real, file.canonicalize().unwrap());
        assert_eq!(real_file(&file, Creation::Refused).unwrap(), real);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_two_hard_links_is_refused() {
        let world = World::new();
        std::fs::hard_link(&world.ledger, world.folder.path().join("link.db")).unwrap();
        assert!(matches!(real_file(&world.ledger, Creation::Allowed), Err(LedgerError::SeveralNames { names: 2, .. })));
    }
}
