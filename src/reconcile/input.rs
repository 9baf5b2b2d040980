//! The input of a command: a file as it is, or standard input spooled to one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic_file;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{Feed, InputFile, InputOptions};
use crate::ledger::InputName;
use crate::trusted_file::make_private_folder;

/// Which input is read, and how.
#[derive(Clone, Debug)]
pub(crate) struct InputSettings {
    pub kind: InputKind,
    /// Whether cells are kept as they were read is decided at each reading.
    pub options: InputOptions,
}

/// Where the input is.
#[derive(Clone, Debug)]
pub(crate) enum InputKind {
    File(PathBuf),
    /// Standard input of an earlier run, in the file where that run left it.
    Spooled(PathBuf),
    /// Standard input. It is spooled to a file of this folder.
    Pipe {
        spool: PathBuf,
    },
}

/// A file to read, several times and each time the same. It stays open until the command ends.
#[derive(Debug)]
pub(crate) struct InputHandle {
    file: Arc<InputFile>,
    name: InputName,
    settings: InputSettings,
}

impl InputHandle {
    /// Opens the input. Standard input is written to an owner-only file first: it must be there for
    /// the check, for the sending, for the report, and for a resume.
    pub(crate) fn open(settings: InputSettings) -> Result<Self, Failure> {
        let path = match &settings.kind {
            InputKind::File(path) | InputKind::Spooled(path) => path.clone(),
            InputKind::Pipe { spool } => spool_stdin(spool)?,
        };
        let file = InputFile::open(&path)?;
        // Asked for while the name leads to the file; later another file may have it, or none.
        let name = path.canonicalize().unwrap_or(path);
        Ok(Self { file, name: InputName(name.to_string_lossy().into_owned()), settings })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The name that messages use. Not the spool file of a pipe, because the user has never seen it
    /// and a dry run removes it.
    pub(crate) fn shown(&self) -> String {
        if self.is_piped() { "standard input".to_owned() } else { shown(self.path()).to_string() }
    }

    /// Whether this process reads it from its own standard input.
    pub(crate) fn is_piped(&self) -> bool {
        matches!(self.settings.kind, InputKind::Pipe { .. })
    }

    pub(crate) fn is_spooled(&self) -> bool {
        !matches!(self.settings.kind, InputKind::File(_))
    }

    /// What the ledger knows the input by.
    pub(crate) fn name(&self) -> InputName {
        self.name.clone()
    }

    /// Reads it from the start. Fails if the file is no longer what it was. `want_raw`: keep the
    /// cells as they were read, for the rejects.
    pub(crate) fn feed(&self, want_raw: bool) -> Result<Feed, Failure> {
        let options = InputOptions { want_raw, ..self.settings.options.clone() };
        Ok(Feed::of_file(&self.file, &options)?)
    }

    /// Refuses an input that changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(self.file.check_unchanged()?)
    }

    /// A spooled input is kept until a run of it ends well.
    pub(crate) fn forget(&self) {
        if self.is_spooled() {
            drop(std::fs::remove_file(self.path()));
        }
    }
}

/// The beginning of the name of a spooled input that is not whole yet. It goes if the process does;
/// a whole one stays.
const UNFINISHED: &str = ".stdin-";

fn spool_stdin(folder: &Path) -> Result<PathBuf, Failure> {
    let write = || -> io::Result<PathBuf> {
        make_private_folder(folder)?;
        atomic_file::sweep_all(folder, UNFINISHED);
        let (mut file, _in_use) = atomic_file::temporary(folder, UNFINISHED)?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.as_file().sync_all()?;
        let name = file.path().file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(name.trim_start_matches('.').trim_end_matches(".tmp"));
        file.persist_noclobber(&path)?;
        Ok(path)
    };
    write().map_err(|error| {
        Failure::of(Exit::Io, error).context(format!("cannot spool standard input to {}", shown(folder)))
    })
}
