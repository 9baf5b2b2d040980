//! Finds the ledger of a target if it is not where this command looks. A ledger that lies elsewhere
//! is easily missed: an import by hand uses the state directory, and a scheduled one names a path.

use std::fs;
use std::path::{Path, PathBuf};

use super::TargetSettings;
use super::outputs::same_file;
use super::target::{APP_FOLDER, ledger_name, state_dir};
use crate::ledger::{Ledger, Reader};

/// Where the guide puts the ledger of a scheduled import.
const OF_SCHEDULED_IMPORTS: &str = "/var/lib/customer-import/ledger";
/// Where state lies in a home directory, unless the environment says otherwise.
const STATE_IN_HOME: &str = ".local/state";
/// The most files of a folder that are looked at.
const MOST_FILES: usize = 1000;

impl TargetSettings {
    /// Returns another ledger that knows customers of this target, or `None` if none is found. It
    /// looks in the state directory, in those of the homes around the input, beside the input,
    /// beside the named ledger, in the current folder, and where the guide puts ledgers.
    pub(crate) fn other_ledger(&self, input: Option<&Path>) -> Option<PathBuf> {
        let input = input.and_then(|input| std::path::absolute(input).ok());
        let name = ledger_name(self.base.host(), &self.target.account);
        let homes = input.iter().flat_map(|input| input.ancestors().skip(1));
        let in_homes = homes.map(|home| home.join(STATE_IN_HOME).join(APP_FOLDER).join(&name));
        let default = state_dir().ok().map(|folder| folder.join(&name));
        let folders = [
            input.as_deref().and_then(Path::parent).map(Path::to_owned),
            self.ledger.file().and_then(|_| self.absolute_ledger().parent().map(Path::to_owned)),
            std::env::current_dir().ok(),
            Some(OF_SCHEDULED_IMPORTS.into()),
        ];
        let beside = folders.into_iter().flatten().flat_map(|folder| databases(&folder));
        default.into_iter().chain(in_homes).chain(beside).find(|path| self.is_known_to(path))
    }

    /// Whether another ledger than the one of this command knows customers of the target.
    fn is_known_to(&self, path: &Path) -> bool {
        !self.ledger.file().is_some_and(|ledger| same_file(path, ledger))
            && Ledger::is_one(path)
            && Reader::open(path, &self.target).is_ok_and(|reader| reader.knows_any().unwrap_or(false))
    }
}

/// Returns the files of a folder that are named like a ledger, in the order of their names.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().take(MOST_FILES).map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "db")).collect();
    found.sort();
    found
}
