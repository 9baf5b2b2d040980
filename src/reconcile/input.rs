//! The input of a command: a file, or standard input spooled to a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::atomic_file;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{Feed, InputFile, InputOptions};
use crate::ledger::InputName;
use crate::trusted_file::make_private_folder;

/// Which input to read, and how.
#[derive(Clone, Debug)]
pub(crate) struct InputSettings {
    pub kind: InputKind,
    /// `--input-name`. `None` for the path.
    pub name: Option<InputName>,
    /// `want_raw` is decided at each reading.
    pub options: InputOptions,
}

/// Where the input is.
#[derive(Clone, Debug)]
pub(crate) enum InputKind {
    File(PathBuf),
    /// Standard input of an earlier run, in the file in which that run left it.
    Spooled(PathBuf),
    /// Standard input, to be spooled to a file in this folder.
    Pipe {
        spool: PathBuf,
    },
}

/// A file that can be read several times with the same content. It stays open until the command
/// ends.
#[derive(Debug)]
pub(crate) struct InputHandle {
    file: Arc<InputFile>,
    name: InputName,
    settings: InputSettings,
    /// The options that were not typed but are those of the run that a report is about: long name
    /// and value. Commands that are printed must repeat them.
    remembered: Vec<(String, String)>,
    /// How many rows the current reading has read, which a display can follow.
    rows_read: Arc<AtomicU64>,
}

impl InputHandle {
    /// Opens the input. Writes standard input to an owner-only file first, because the check,
    /// sending, the report and a resume all read it.
    pub(crate) fn open(settings: InputSettings) -> Result<Self, Failure> {
        let path = match &settings.kind {
            InputKind::File(path) | InputKind::Spooled(path) => path.clone(),
            InputKind::Pipe { spool } => spool_stdin(spool)?,
        };
        let file = InputFile::open(&path)?;
        // Resolved now, while the path leads to this file; later it may lead to another one or to
        // none.
        let by_path = || InputName(path.canonicalize().unwrap_or(path).to_string_lossy().into_owned());
        let name = settings.name.clone().unwrap_or_else(by_path);
        Ok(Self { file, name, settings, remembered: Vec::new(), rows_read: Arc::default() })
    }

    pub(crate) fn file(&self) -> &Arc<InputFile> {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the name for messages. Never the spool file of a pipe, because the user has not seen
    /// it and a dry run removes it.
    pub(crate) fn shown(&self) -> String {
        if self.is_piped() { "standard input".to_owned() } else { shown(self.path()).to_string() }
    }

    /// Returns whether this process reads it from its own standard input.
    pub(crate) fn is_piped(&self) -> bool {
        matches!(self.settings.kind, InputKind::Pipe { .. })
    }

    pub(crate) fn is_spooled(&self) -> bool {
        !matches!(self.settings.kind, InputKind::File(_))
    }

    /// Returns the name under which the ledger knows the input.
    pub(crate) fn name(&self) -> InputName {
        self.name.clone()
    }

    pub(crate) const fn options(&self) -> &InputOptions {
        &self.settings.options
    }

    /// Returns whether the ledger knows the input by its path, and not by a name of `--input-name`.
    pub(crate) const fn is_named_by_path(&self) -> bool {
        self.settings.name.is_none()
    }

    pub(crate) fn remembered(&self) -> &[(String, String)] {
        &self.remembered
    }

    /// Returns the same input, read with these options, of which some were remembered.
    pub(crate) fn with_options(mut self, options: InputOptions, remembered: Vec<(String, String)>) -> Self {
        self.settings.options = options;
        Self { remembered, ..self }
    }

    /// Reads the input from the start. Fails if the file has changed. With `want_raw`, records keep
    /// their original cells for the rejects.
    pub(crate) fn feed(&self, want_raw: bool) -> Result<Feed, Failure> {
        self.read_up_to(0);
        let options = InputOptions { want_raw, ..self.settings.options.clone() };
        Ok(Feed::of_file(&self.file, &options)?)
    }

    /// Returns the number of rows that the current reading has read. It counts on.
    pub(crate) fn rows_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.rows_read)
    }

    /// Notes how far the current reading is.
    pub(super) fn read_up_to(&self, row: u64) {
        self.rows_read.store(row, Ordering::Relaxed);
    }

    /// Fails if the input has changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(self.file.check_unchanged()?)
    }

    /// Removes a spooled input, because a run of it ended well.
    pub(crate) fn forget(&self) {
        if self.is_spooled() {
            drop(std::fs::remove_file(self.path()));
        }
    }
}

/// Prefix of a spooled input that is not complete yet. Such a file is removed with the process; a
/// complete one stays.
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
