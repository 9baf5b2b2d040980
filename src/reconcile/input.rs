//! The input of a command: a file as it is, or standard input spooled to one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic_file;
use crate::cli::InputArgs;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{Feed, InputFile};
use crate::ledger::InputName;
use crate::settings;

/// A file to read, several times and each time the same. It stays open until the command ends.
#[derive(Debug)]
pub(crate) struct Input {
    file: Arc<InputFile>,
    name: InputName,
    spooled: bool,
    from_pipe: bool,
}

impl Input {
    /// Standard input is written to an owner-only file first: it must be there for the check, for the sending, for the report, and for
    /// a resume.
    pub(crate) fn open(named: &Path) -> Result<Self, Failure> {
        let from_pipe = named == Path::new("-");
        let path = if from_pipe { spool()? } else { named.to_owned() };
        let spooled = from_pipe || settings::is_spooled(named);
        let file = InputFile::open(&path)?;
        // Asked for while the name leads to the file; later another file may have it, or none.
        let name = path.canonicalize().unwrap_or(path);
        Ok(Self { file, name: InputName(name.to_string_lossy().into_owned()), spooled, from_pipe })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What people know it by: nobody who piped it in has seen where it was spooled to, and a dry run leaves nothing there.
    pub(crate) fn shown(&self) -> String {
        if self.from_pipe { "standard input".to_owned() } else { shown(self.path()).to_string() }
    }

    pub(crate) fn is_spooled(&self) -> bool {
        self.spooled
    }

    /// What the ledger knows the input by.
    pub(crate) fn name(&self) -> InputName {
        self.name.clone()
    }

    /// Reads it from the start. A file that is no longer what it was is refused.
    pub(crate) fn feed(&self, args: &InputArgs, want_raw: bool) -> Result<Feed, Failure> {
        Ok(Feed::of_file(&self.file, &settings::input_options(args, want_raw, self.spooled)?)?)
    }

    /// Refuses an input that changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(self.file.check_unchanged()?)
    }

    /// A spooled input is kept until a run of it ends well.
    pub(crate) fn forget(&self) {
        if self.spooled {
            drop(std::fs::remove_file(self.path()));
        }
    }
}

/// The beginning of the name of a spooled input that is not whole yet. It goes if the process does; a whole one stays.
const UNFINISHED: &str = ".stdin-";

fn spool() -> Result<PathBuf, Failure> {
    let folder = settings::spool_dir()?;
    let write = || -> io::Result<PathBuf> {
        settings::make_private_folder(&folder)?;
        atomic_file::sweep_all(&folder, UNFINISHED);
        let (mut file, _in_use) = atomic_file::temporary(&folder, UNFINISHED)?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.as_file().sync_all()?;
        let name = file.path().file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(name.trim_start_matches('.').trim_end_matches(".tmp"));
        file.persist_noclobber(&path)?;
        Ok(path)
    };
    write().map_err(|error| {
        Failure::of(Exit::Io, error).context(format!("cannot spool standard input to {}", shown(&folder)))
    })
}
