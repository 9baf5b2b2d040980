//! Which account of which server, and where it is remembered.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::api::BaseUrl;
use crate::cli::TargetArgs;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Creation, Ledger, LedgerError, Reader, Target};
use crate::trusted_file::make_private_folder;

/// Which account of which server, and where it is remembered.
#[derive(Clone, Debug)]
pub(crate) struct TargetSettings {
    pub base: BaseUrl,
    pub target: Target,
    pub ledger: PathBuf,
    pub creation: Creation,
}

impl TargetSettings {
    /// Returns the target that was named. Fails if none was.
    pub(crate) fn required(args: &TargetArgs) -> Result<Self, Failure> {
        Self::of(args)?.ok_or_else(|| {
            Failure::new(Exit::Usage, "no base URL was given").hint(
                "say where the API is: --base-url https://api.yativo.com/api/v1 (or CUSTOMER_IMPORT_BASE_URL); \
                 to try everything without an API: --sandbox",
            )
        })
    }

    /// Returns the target that was named. `None` if none was.
    pub(crate) fn of(args: &TargetArgs) -> Result<Option<Self>, Failure> {
        args.base_url.as_deref().map(|url| Self::at(url, args)).transpose()
    }

    /// The target of a sandbox at this address. The sandbox's port changes with every start, its
    /// name in the ledger does not.
    pub(crate) fn of_sandbox(url: &str, account: String, ledger: PathBuf, creation: Creation) -> Result<Self, Failure> {
        let target = Target { base_url: "sandbox".to_owned(), account };
        Ok(Self { base: base(url)?, target, ledger, creation })
    }

    /// Opens the ledger for reading. Fails if there is none.
    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        Reader::open(&self.ledger, &self.target).map_err(|error| self.refused(error))
    }

    /// The same. `None` if there is no ledger and need not be one, or if another run is just
    /// beginning it.
    pub(crate) fn reader_if_any(&self) -> Result<Option<Reader>, Failure> {
        match Reader::open(&self.ledger, &self.target) {
            Ok(reader) => Ok(Some(reader)),
            Err(LedgerError::Missing(_) | LedgerError::Empty(_)) if self.creation == Creation::Allowed => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Opens the ledger for writing. `None` if there is none and need not be one; then nothing is
    /// made. A link that leads to nothing yet is not a ledger.
    pub(crate) fn open_existing_ledger(&self) -> Result<Option<Ledger>, Failure> {
        if self.creation == Creation::Allowed && !self.ledger.exists() {
            return Ok(None);
        }
        self.open(self.creation).map(Some)
    }

    /// Opens a ledger for writing that must be there.
    pub(crate) fn open_known_ledger(&self) -> Result<Ledger, Failure> {
        self.open(Creation::Refused)
    }

    /// Opens the ledger for writing, and makes it if it may be made. Logs that it is new if `tell`.
    /// Call this when nothing can be refused any more.
    pub(crate) fn open_ledger(&self, tell: bool) -> Result<Ledger, Failure> {
        let path = &self.ledger;
        if let (Some(folder), Creation::Allowed) = (path.parent(), self.creation) {
            make_private_folder(folder).map_err(|error| {
                Failure::of(Exit::Io, error).context(format!("cannot make the folder {}", shown(folder)))
            })?;
        }
        let is_new = !path.exists();
        let ledger = self.open(self.creation)?;
        if is_new && tell {
            tracing::info!("a new ledger was made: {}; keep it, it is what prevents doubles", shown(path));
        }
        Ok(ledger)
    }

    fn open(&self, creation: Creation) -> Result<Ledger, Failure> {
        Ledger::open(&self.ledger, self.target.clone(), creation).map_err(|error| self.refused(error))
    }

    /// What to do about a missing ledger depends on whether it was said to be there.
    fn refused(&self, error: LedgerError) -> Failure {
        let was_required = self.creation == Creation::Refused && matches!(error, LedgerError::Missing(_));
        let failure = Failure::from(error);
        if was_required {
            return failure.hint("is its disk mounted? For a first import, leave out --require-ledger");
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
    BaseUrl::parse(url)
        .map_err(|error| Failure::new(Exit::Usage, format!("--base-url {}: {error}", BaseUrl::without_secrets(url))))
}

pub(super) fn creation(args: &TargetArgs) -> Creation {
    if args.require_ledger { Creation::Refused } else { Creation::Allowed }
}

/// Where ledgers and spooled inputs live unless the user says otherwise.
pub(super) fn state_dir() -> Result<PathBuf, Failure> {
    let no_home = |error| Failure::of(Exit::Configuration, error).hint("name the ledger with --ledger PATH");
    let strategy = etcetera::choose_base_strategy().map_err(no_home)?;
    let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(base.join("customer-import"))
}

/// A file name for a target: whatever could mean something to a file system becomes `_`.
fn ledger_name(host: &str, account: &str) -> String {
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
