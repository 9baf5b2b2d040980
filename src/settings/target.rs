//! Settings of the target: which account of which server, and which ledger remembers it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use etcetera::BaseStrategy as _;

use crate::api::BaseUrl;
use crate::cli::{DatabaseArgs, HOLDER_VARIABLE, ImportArgs, SendingArgs, TargetArgs};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{
    Creation, DatabaseSettings, DatabaseUrl, Ledger, LedgerError, LedgerLocation, PasswordSource, Reader, Target,
};
use crate::shell;
use crate::trusted_file::make_private_folder;

/// The target, its address, and its ledger.
#[derive(Clone, Debug)]
pub(crate) struct TargetSettings {
    pub base: BaseUrl,
    pub target: Target,
    pub ledger: LedgerLocation,
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
    pub(crate) fn of_sandbox(
        url: &str,
        account: String,
        ledger: LedgerLocation,
        creation: Creation,
    ) -> Result<Self, Failure> {
        let target = Target { base_url: "sandbox".to_owned(), account };
        Ok(Self { base: base(url)?, target, ledger, creation })
    }

    /// Returns what names the ledger for people who may be in another folder.
    pub(crate) fn absolute_ledger(&self) -> PathBuf {
        let absolute = self.ledger.file().and_then(|path| std::path::absolute(path).ok());
        absolute.unwrap_or_else(|| self.ledger.option().into())
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
            Err(error) if error.is_missing() && self.creation == Creation::Allowed => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Opens the ledger for writing. Returns `None` and creates nothing if there is none and none
    /// is required. A link to a missing file counts as no ledger.
    pub(crate) fn open_existing_ledger(&self) -> Result<Option<Ledger>, Failure> {
        if self.creation == Creation::Allowed && !Ledger::exists(&self.ledger)? {
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
        let folder = self.ledger.file().and_then(std::path::Path::parent);
        if let (Some(folder), Creation::Allowed) = (folder, self.creation) {
            make_private_folder(folder).map_err(|error| {
                Failure::of(Exit::Io, error).context(format!("cannot create the folder {}", shown(folder)))
            })?;
        }
        let is_new = !Ledger::exists(&self.ledger)?;
        let ledger = self.open(self.creation)?;
        if is_new && tell {
            tracing::info!("created a new ledger: {}; keep it, because it prevents duplicates", self.ledger.name());
        }
        Ok(ledger)
    }

    fn open(&self, creation: Creation) -> Result<Ledger, Failure> {
        Ledger::open(&self.ledger, self.target.clone(), creation).map_err(|error| self.refused(error))
    }

    /// Adds the hint for a missing ledger, which depends on `--require-ledger`.
    fn refused(&self, error: LedgerError) -> Failure {
        let was_required = self.creation == Creation::Refused && error.is_missing() && self.ledger.file().is_some();
        let failure = Failure::from(error);
        if was_required {
            return failure.hint("check that its disk is mounted; for a first import, omit --require-ledger");
        }
        failure
    }

    /// Returns the ledger alone, which needs no base URL if it was named.
    pub(crate) fn location(args: &TargetArgs) -> Result<LedgerLocation, Failure> {
        match named(args)? {
            Some(location) => Ok(location),
            None => Self::required(args).map(|target| target.ledger),
        }
    }

    /// Returns the target with what sending says about a ledger in a database. Fails if a request
    /// could take effect after its settle time: another host would send it again.
    pub(super) fn for_sending(self, args: &SendingArgs) -> Result<Self, Failure> {
        Ok(Self { ledger: for_sending(self.ledger, args)?, ..self })
    }

    fn at(url: &str, args: &TargetArgs) -> Result<Self, Failure> {
        let base = base(url)?;
        let ledger = match named(args)? {
            Some(ledger) => ledger,
            None => LedgerLocation::File(state_dir()?.join(ledger_name(base.host(), &args.account))),
        };
        let target = Target { base_url: base.as_str().to_owned(), account: args.account.clone() };
        Ok(Self { base, target, ledger, creation: creation(args) })
    }
}

/// Returns the ledger that was named, or `None` if none was.
pub(super) fn named(args: &TargetArgs) -> Result<Option<LedgerLocation>, Failure> {
    let Some(path) = &args.ledger else { return Ok(None) };
    let url = path.to_str().map(DatabaseUrl::parse).transpose().map_err(|error| {
        Failure::of(Exit::Configuration, error).hint(
            "write it without the password (an `@` in another place as %40), and give that by --ledger-password-file, \
             --ledger-password-command, PGPASSWORD or ~/.pgpass",
        )
    })?;
    Ok(Some(match url.flatten() {
        Some(url) => LedgerLocation::Database(Arc::new(database(url, &args.database)?)),
        None => LedgerLocation::File(path.clone()),
    }))
}

/// Returns the ledger with what sending says about one in a database.
pub(super) fn for_sending(ledger: LedgerLocation, args: &SendingArgs) -> Result<LedgerLocation, Failure> {
    let LedgerLocation::Database(settings) = ledger else { return Ok(ledger) };
    if args.settle < args.timeout {
        return Err(Failure::new(Exit::Usage, "--settle is below --timeout, and the ledger is shared").hint(
            "another host could send a request again that is still under way: raise --settle or lower --timeout",
        ));
    }
    let (grace, settle, patience) = (args.grace, args.settle, args.give_up_after);
    Ok(LedgerLocation::Database(Arc::new(DatabaseSettings { grace, settle, patience, ..(*settings).clone() })))
}

/// How long a command tries to reach a database again that sends nothing.
const PATIENCE: Duration = Duration::from_secs(60);

fn database(url: DatabaseUrl, args: &DatabaseArgs) -> Result<DatabaseSettings, Failure> {
    let holder = std::env::var(HOLDER_VARIABLE).ok().filter(|name| !name.trim().is_empty());
    Ok(DatabaseSettings {
        url,
        password: password(args)?,
        ca_file: args.ledger_ca_file.clone(),
        lease: args.lease,
        wait: args.wait_for_lease.unwrap_or_default(),
        // Commands that send nothing leave no request that a later run must wait for.
        grace: Duration::from_secs(10),
        settle: Duration::ZERO,
        patience: PATIENCE,
        holder,
    })
}

fn password(args: &DatabaseArgs) -> Result<PasswordSource, Failure> {
    let given = super::credentials::secret_variable("PGPASSWORD")?;
    match (given, &args.ledger_password_file, &args.ledger_password_command) {
        (None, None, None) => Ok(PasswordSource::PasswordFile),
        (Some(password), None, None) => Ok(PasswordSource::Given(password)),
        (None, Some(path), None) => Ok(PasswordSource::File(path.clone())),
        (None, None, Some(command)) => Ok(PasswordSource::Command(command.clone())),
        _ => Err(Failure::new(Exit::Usage, "more than one source of the database's password was given")
            .hint("keep one of PGPASSWORD, --ledger-password-file and --ledger-password-command")),
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
