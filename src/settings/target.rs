//! Settings of the target: which account of which server, and which ledger remembers it.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::api::BaseUrl;
use crate::cli::{ImportArgs, TargetArgs};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Creation, Ledger, LedgerError, Reader, Target};
use crate::shell;
use crate::trusted_file::make_private_folder;

/// The target, its address, and its ledger.
#[derive(Clone, Debug)]
pub(crate) struct TargetSettings {
    pub base: BaseUrl,
    pub target: Target,
    pub ledger: PathBuf,
    pub creation: Creation,
}

/// The folder of this program in a state directory.
pub(super) const APP_FOLDER: &str = "customer-import";
const NO_BASE_URL: &str = "no base URL was given";

impl TargetSettings {
    /// Returns the named target. Fails if none was named.
    pub(crate) fn required(args: &TargetArgs) -> Result<Self, Failure> {
        let named = shell::again(&["--base-url https://api.yativo.com/api/v1".to_owned()]);
        let hint = format!("name the API (or set CUSTOMER_IMPORT_BASE_URL): {named}");
        Self::of(args)?.ok_or_else(|| Failure::new(Exit::Usage, NO_BASE_URL).hint(hint))
    }

    /// Returns the same for an import, which can also be tried without an API.
    pub(crate) fn required_or_sandbox(args: &TargetArgs) -> Result<Self, Failure> {
        if args.base_url.is_some() {
            return Self::required(args);
        }
        let [named, tried] =
            ["--base-url https://api.yativo.com/api/v1", "--sandbox"].map(|option| shell::again(&[option.to_owned()]));
        let hint = format!(
            "name the API (or set CUSTOMER_IMPORT_BASE_URL): {named}\n  or, to try everything without an API: {tried}"
        );
        Err(Failure::new(Exit::Usage, NO_BASE_URL).hint(hint))
    }

    /// Returns the host for metrics and notifications. Empty if none was named, or no usable one:
    /// that is refused later.
    pub(super) fn label(args: &ImportArgs) -> String {
        if args.sandbox {
            return "sandbox".to_owned();
        }
        let base = args.target.base_url.as_deref().and_then(|url| BaseUrl::parse(url).ok());
        base.map(|base| base.host().to_owned()).unwrap_or_default()
    }

    /// Returns the named target, or `None` if none was named.
    pub(crate) fn of(args: &TargetArgs) -> Result<Option<Self>, Failure> {
        args.base_url.as_deref().map(|url| Self::at(url, args)).transpose()
    }

    /// Returns the target of a sandbox at this address. Its port changes with every start, but its
    /// name in the ledger does not.
    pub(crate) fn of_sandbox(url: &str, account: String, ledger: PathBuf, creation: Creation) -> Result<Self, Failure> {
        let target = Target { base_url: "sandbox".to_owned(), account };
        Ok(Self { base: base(url)?, target, ledger, creation })
    }

    /// Returns the path of the ledger for people who may be in another folder.
    pub(crate) fn absolute_ledger(&self) -> PathBuf {
        std::path::absolute(&self.ledger).unwrap_or_else(|_| self.ledger.clone())
    }

    /// Opens the ledger for reading. Fails if there is none.
    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        Reader::open(&self.ledger, &self.target).map_err(|error| self.refused(error))
    }

    /// Does the same. Returns `None` if there is no ledger and none is required, or if another run
    /// is just creating it.
    pub(crate) fn reader_if_any(&self) -> Result<Option<Reader>, Failure> {
        match Reader::open(&self.ledger, &self.target) {
            Ok(reader) => Ok(Some(reader)),
            Err(LedgerError::Missing(_) | LedgerError::Empty(_)) if self.creation == Creation::Allowed => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Opens the ledger for writing. Returns `None` and creates nothing if there is none and none
    /// is required. A link to a missing file counts as no ledger.
    pub(crate) fn open_existing_ledger(&self) -> Result<Option<Ledger>, Failure> {
        if self.creation == Creation::Allowed && !self.ledger.exists() {
            return Ok(None);
        }
        self.open(self.creation).map(Some)
    }

    /// Opens the ledger for writing. Fails if there is none.
    pub(crate) fn open_known_ledger(&self) -> Result<Ledger, Failure> {
        self.open(Creation::Refused)
    }

    /// Opens the ledger to write what is at hand. A run that begins meanwhile waits. Fails if there
    /// is none.
    pub(crate) fn open_for_a_moment(&self) -> Result<Ledger, Failure> {
        Ledger::open_for_a_moment(&self.ledger, self.target.clone()).map_err(|error| self.refused(error))
    }

    /// Opens the ledger for writing, and creates it if that is allowed. If `tell`, logs that it is
    /// new. Call this when nothing can be refused any more.
    pub(crate) fn open_ledger(&self, tell: bool) -> Result<Ledger, Failure> {
        let path = &self.ledger;
        if let (Some(folder), Creation::Allowed) = (path.parent(), self.creation) {
            make_private_folder(folder).map_err(|error| {
                Failure::of(Exit::Io, error).context(format!("cannot create the folder {}", shown(folder)))
            })?;
        }
        let is_new = !path.exists();
        let ledger = self.open(self.creation)?;
        if is_new && tell {
            tracing::info!("created a new ledger: {}; keep it, because it prevents duplicates", shown(path));
        }
        Ok(ledger)
    }

    fn open(&self, creation: Creation) -> Result<Ledger, Failure> {
        Ledger::open(&self.ledger, self.target.clone(), creation).map_err(|error| self.refused(error))
    }

    /// Adds the hint for a missing ledger, which depends on `--require-ledger`.
    fn refused(&self, error: LedgerError) -> Failure {
        let was_required = self.creation == Creation::Refused && matches!(error, LedgerError::Missing(_));
        let failure = Failure::from(error);
        if was_required {
            return failure.hint("check that its disk is mounted; for a first import, omit --require-ledger");
        }
        failure
    }

    fn at(url: &str, args: &TargetArgs) -> Result<Self, Failure> {
        let base = base(url)?;
        let ledger = match &args.ledger {
            Some(path) => path.clone(),
            None => state_dir()?.join(ledger_name(base.host(), &args.account)),
        };
        let target = Target { base_url: base.as_str().to_owned(), account: args.account.clone() };
        Ok(Self { base, target, ledger, creation: creation(args) })
    }
}

fn base(url: &str) -> Result<BaseUrl, Failure> {
    BaseUrl::parse(url).map_err(|error| {
        let hint = error.advice();
        Failure::new(Exit::Usage, format!("--base-url {}: {error}", BaseUrl::without_secrets(url))).hint(hint)
    })
}

pub(super) fn creation(args: &TargetArgs) -> Creation {
    if args.require_ledger { Creation::Refused } else { Creation::Allowed }
}

/// Returns the folder of ledgers and spooled inputs, unless the user names others.
pub(super) fn state_dir() -> Result<PathBuf, Failure> {
    let no_home = |error| Failure::of(Exit::Configuration, error).hint("name the ledger with --ledger PATH");
    let strategy = etcetera::choose_base_strategy().map_err(no_home)?;
    let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(base.join(APP_FOLDER))
}

/// Returns a file name for a target. Every character that could have a meaning for a file system
/// becomes `_`.
pub(super) fn ledger_name(host: &str, account: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{host}-{account}.db").chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_named_after_host_and_account_and_never_leaves_its_folder() {
        assert_eq!(ledger_name("api.example.com", "default"), "api.example.com-default.db");
        assert_eq!(ledger_name("[::1]", "../../etc"), "___1_-.._.._etc.db");
    }
}
