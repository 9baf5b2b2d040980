//! What was decided: checked values made of what was typed. Everything that can be refused before the first record is read is refused here.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::Level;

use crate::api::{AppAccount, BaseUrl, Credentials, TokenSource};
use crate::atomic_file;
use crate::cli::{APP_SECRET_VARIABLE, CredentialArgs, InputArgs, LogArgs, OutputArgs, TOKEN_VARIABLE, TargetArgs};
use crate::domain::{Country, shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::InputOptions;
use crate::ledger::{Creation, Ledger, LedgerError, Target};
use crate::limits;
use crate::process::logging::LogSettings;
use crate::report::ReportFormat;

const STDIN_REPORT: &str = "customer-import.report.csv";

impl From<LogArgs> for LogSettings {
    fn from(args: LogArgs) -> Self {
        let level = match (args.quiet, args.verbose) {
            (true, _) => Level::ERROR,
            (false, 0) => Level::INFO,
            (false, 1) => Level::DEBUG,
            (false, _) => Level::TRACE,
        };
        Self { format: args.log_format, level }
    }
}

/// Which account of which server, and where it is remembered.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    pub base: BaseUrl,
    pub target: Target,
    pub ledger: PathBuf,
    pub creation: Creation,
    /// The ledger was said to be there.
    pub is_required: bool,
}

impl TargetSettings {
    /// The target that was named; refused where none was.
    pub fn required(args: &TargetArgs) -> Result<Self, Failure> {
        Self::of(args)?.ok_or_else(|| {
            Failure::new(Exit::Usage, "no base URL was given").hint(
                "say where the API is: --base-url https://api.yativo.com/api/v1 (or CUSTOMER_IMPORT_BASE_URL); \
                 to try everything without an API: --sandbox",
            )
        })
    }

    /// The target, where one was named.
    pub fn of(args: &TargetArgs) -> Result<Option<Self>, Failure> {
        args.base_url.as_deref().map(|url| Self::at(url, args)).transpose()
    }

    /// The ledger for writing, if there is one; else nothing is made. A link that leads to nothing yet is no ledger.
    pub fn open_existing_ledger(&self) -> Result<Option<Ledger>, Failure> {
        if self.creation == Creation::Allowed && !self.ledger.exists() {
            return Ok(None);
        }
        self.open().map(Some)
    }

    fn open(&self) -> Result<Ledger, Failure> {
        Ledger::open(&self.ledger, self.target.clone(), self.creation).map_err(|error| self.refused(error))
    }

    /// What to do about a ledger that is missing depends on whether it was said to be there.
    pub fn refused(&self, error: LedgerError) -> Failure {
        let is_missing = self.is_required && matches!(error, LedgerError::Missing(_));
        let failure = Failure::from(error);
        if is_missing {
            return failure.hint("is its disk mounted? For a first import, leave out --require-ledger");
        }
        failure
    }

    /// The ledger for writing; one that is new is told of, unless it is thrown away anyway. Call this for a new one when nothing can be refused
    /// any more.
    pub fn open_ledger(&self, tell: bool) -> Result<Ledger, Failure> {
        let path = &self.ledger;
        if let (Some(folder), Creation::Allowed) = (path.parent(), self.creation) {
            make_private_folder(folder).map_err(|error| {
                Failure::of(Exit::Io, error).context(format!("cannot make the folder {}", shown(folder)))
            })?;
        }
        let is_new = !path.exists();
        let ledger = self.open()?;
        if is_new && tell {
            tracing::info!("a new ledger was made: {}; keep it, it is what prevents doubles", shown(path));
        }
        Ok(ledger)
    }

    fn at(url: &str, args: &TargetArgs) -> Result<Self, Failure> {
        let base = BaseUrl::parse(url).map_err(|error| {
            Failure::new(Exit::Usage, format!("--base-url {}: {error}", BaseUrl::without_secrets(url)))
        })?;
        let ledger = match &args.ledger {
            Some(path) => path.clone(),
            None => state_dir()?.join(ledger_name(base.host(), &args.account)),
        };
        let creation = if args.require_ledger { Creation::Refused } else { Creation::Allowed };
        let target = Target { base_url: base.as_str().to_owned(), account: args.account.clone() };
        Ok(Self { base, target, ledger, creation, is_required: args.require_ledger })
    }
}

/// Makes a folder, and those above it, that only their owner can enter. What is there stays as it is.
pub fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Where ledgers and spooled inputs live unless the user says otherwise.
pub fn state_dir() -> Result<PathBuf, Failure> {
    let no_home = |error| Failure::of(Exit::Configuration, error).hint("name the ledger with --ledger PATH");
    let strategy = etcetera::choose_base_strategy().map_err(no_home)?;
    let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(base.join("customer-import"))
}

/// Where standard input is kept until a run of it ends well.
pub fn spool_dir() -> Result<PathBuf, Failure> {
    Ok(state_dir()?.join("spool"))
}

/// Whether this is standard input of an earlier run, named by a resume command.
pub fn is_spooled(input: &Path) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let spool = spool_dir().ok().and_then(|spool| spool.canonicalize().ok());
    spool.is_some() && folder(input) == spool
}

/// A file name for a target: whatever could mean something to a file system becomes `_`.
fn ledger_name(host: &str, account: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{host}-{account}.db").chars().map(plain).collect()
}

/// The one source of tokens.
pub fn credentials(args: &CredentialArgs) -> Result<Credentials, Failure> {
    let (token, secret) = (secret_variable(TOKEN_VARIABLE)?, secret_variable(APP_SECRET_VARIABLE)?);
    let (file, id) = (&args.app_secret_file, args.account_id.as_deref().map(SecretString::from));
    let names_account = id.is_some() || secret.is_some() || file.is_some();
    match (token, &args.token_file, &args.token_command, names_account) {
        (Some(token), None, None, false) => Ok(Credentials::Source(TokenSource::fixed(&token)?)),
        (None, Some(path), None, false) => Ok(Credentials::Source(TokenSource::file(path.clone()))),
        (None, None, Some(command), false) => Ok(Credentials::Source(TokenSource::command(command.clone()))),
        (None, None, None, true) => account(id, secret, file.as_deref()),
        (None, None, None, false) => Err(Failure::new(Exit::Usage, "no credentials were given").hint(format!(
            "put a bearer token into the environment as {TOKEN_VARIABLE}, or name --token-file PATH, --token-command COMMAND, \
             or --account-id ID with the app secret in {APP_SECRET_VARIABLE} or --app-secret-file PATH"
        ))),
        _ => Err(Failure::new(Exit::Usage, "more than one source of credentials was given").hint(format!(
            "keep one of {TOKEN_VARIABLE}, --token-file, --token-command, and --account-id with its app secret \
             ({APP_SECRET_VARIABLE} or --app-secret-file)"
        ))),
    }
}

/// The account that logs in: an id and one secret.
fn account(
    id: Option<SecretString>,
    secret: Option<SecretString>,
    file: Option<&Path>,
) -> Result<Credentials, Failure> {
    let account = match (id, secret, file) {
        (Some(id), Some(secret), None) => AppAccount::new(&id, &secret)?,
        (Some(id), None, Some(path)) => AppAccount::with_secret_file(&id, path)?,
        (_, Some(_), Some(_)) => {
            let words = format!("the app secret was given twice, by {APP_SECRET_VARIABLE} and --app-secret-file");
            return Err(Failure::new(Exit::Usage, words).hint("keep one of them"));
        }
        (Some(_), None, None) => {
            return Err(Failure::new(Exit::Usage, "--account-id was given without the app secret").hint(format!(
                "put it into the environment as {APP_SECRET_VARIABLE}, or name a file that holds it: --app-secret-file PATH"
            )));
        }
        (None, ..) => {
            return Err(Failure::new(Exit::Usage, "an app secret was given without --account-id")
                .hint("say whose it is: --account-id ID (or CUSTOMER_IMPORT_ACCOUNT_ID)"));
        }
    };
    Ok(Credentials::Account(account))
}

/// `None` where it is not set, or blank.
fn secret_variable(name: &str) -> Result<Option<SecretString>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let value = value.into_string().map(SecretString::from);
    let value = value.map_err(|_| Failure::new(Exit::Usage, format!("{name} holds no UTF-8 text")))?;
    Ok(Some(value).filter(|value| !value.expose_secret().trim().is_empty()))
}

/// How the input is read.
pub fn input_options(args: &InputArgs, want_raw: bool, may_be_cut: bool) -> Result<InputOptions, Failure> {
    let region = args.region.as_deref().map(region).transpose()?;
    Ok(InputOptions {
        format: args.format,
        delimiter: args.delimiter,
        encoding: args.encoding,
        preset: args.from,
        maps: args.maps.clone(),
        sets: args.sets.clone(),
        extras: args.extras.clone(),
        keep: args.keep.clone(),
        region,
        want_raw,
        may_be_cut,
    })
}

fn region(text: &str) -> Result<Country, Failure> {
    Country::parse(text).map_err(|flaw| {
        Failure::new(Exit::Usage, format!("--region {text}: {}", flaw.hint)).hint("give a country code such as DE")
    })
}

/// Where the reports go.
#[derive(Clone, Debug)]
pub struct Outputs {
    pub reports: Vec<PathBuf>,
    pub rejects: Option<PathBuf>,
}

impl Outputs {
    /// With the default report beside the input where none was named. `others` are files that must not be written over.
    pub fn with_default(args: &OutputArgs, input: &Path, others: &[PathBuf]) -> Result<Self, Failure> {
        let mut reports = args.reports.clone();
        if reports.is_empty() {
            reports.push(default_report(input));
        }
        Self { reports, rejects: args.rejects.clone() }.checked(input, others)
    }

    /// Only what was named.
    pub fn as_named(args: &OutputArgs, input: &Path, others: &[PathBuf]) -> Result<Self, Failure> {
        Self { reports: args.reports.clone(), rejects: args.rejects.clone() }.checked(input, others)
    }

    fn checked(self, input: &Path, others: &[PathBuf]) -> Result<Self, Failure> {
        for report in &self.reports {
            ReportFormat::of(report)
                .map_err(|error| Failure::new(Exit::Usage, format!("--report {}: {error}", shown(report))))?;
        }
        let all: Vec<_> = self.reports.iter().chain(&self.rejects).collect();
        for (index, path) in all.iter().enumerate() {
            if all[..index].iter().any(|other| same_file(other, path)) {
                return Err(Failure::new(Exit::Usage, format!("{} is named twice", shown(path)))
                    .hint("every report and the rejects are files of their own"));
            }
            if others.iter().map(PathBuf::as_path).chain([input]).any(|other| same_file(other, path)) {
                return Err(Failure::new(Exit::Usage, format!("{} would be written over", shown(path))).hint(
                    "a report or the rejects cannot take the place of the input, the ledger or the credentials",
                ));
            }
            writable(path)?;
        }
        Ok(self)
    }
}

/// A file that is written over every half minute must be nobody else's.
pub fn check_metrics_file(path: &Path, outputs: &OutputArgs, input: &Path, others: &[PathBuf]) -> Result<(), Failure> {
    let report = default_report(input);
    let outputs = outputs.reports.iter().chain(&outputs.rejects).chain([&report]).map(PathBuf::as_path);
    if others.iter().map(PathBuf::as_path).chain(outputs).chain([input]).any(|other| same_file(other, path)) {
        return Err(Failure::new(Exit::Usage, format!("--metrics-file {} would be written over", shown(path)))
            .hint("the metrics cannot take the place of the input, a report, the ledger or the credentials"));
    }
    writable(path)
}

/// The files that a command reads or keeps, besides the input.
pub fn own_files(ledger: Option<&Path>, credentials: Option<&CredentialArgs>) -> Vec<PathBuf> {
    let beside = |ledger: &Path, ending: &str| {
        let mut name = ledger.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let ledger =
        ledger.into_iter().flat_map(|ledger| ["", "-wal", "-shm", ".lock"].map(|ending| beside(ledger, ending)));
    let credentials = credentials
        .into_iter()
        .flat_map(|args| [args.token_file.clone(), args.app_secret_file.clone(), args.ca_file.clone()])
        .flatten();
    ledger.chain(credentials).collect()
}

/// Whether two names mean one file, also one that is yet to be made.
fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
    };
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

/// `customers.csv` → `customers.report.csv`; any other ending stays: `x.ndjson` → `x.ndjson.report.csv`.
fn default_report(input: &Path) -> PathBuf {
    if input == Path::new("-") || is_spooled(input) {
        return STDIN_REPORT.into();
    }
    let is_csv = input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let mut name = if is_csv { input.with_extension("") } else { input.to_owned() }.into_os_string();
    name.push(".report.csv");
    name.into()
}

/// A report that cannot be written is better known before the run than after it.
fn writable(path: &Path) -> Result<(), Failure> {
    atomic_file::try_out(path).map_err(|error| {
        Failure::new(Exit::Io, limits::told(&error)).context(format!("cannot write {}", shown(path)))
    })?;
    atomic_file::sweep(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_report_stands_beside_the_input() {
        for (input, report) in [
            ("a/customers.csv", "a/customers.report.csv"),
            ("customers.CSV", "customers.report.csv"),
            ("x.ndjson", "x.ndjson.report.csv"),
            ("x.csv.gz", "x.csv.gz.report.csv"),
            ("plain", "plain.report.csv"),
            ("-", "customer-import.report.csv"),
        ] {
            assert_eq!(default_report(Path::new(input)), Path::new(report), "{input}");
        }
    }

    #[test]
    fn a_ledger_is_named_after_host_and_account_and_never_leaves_its_folder() {
        assert_eq!(ledger_name("api.example.com", "default"), "api.example.com-default.db");
        assert_eq!(ledger_name("[::1]", "../../etc"), "___1_-.._.._etc.db");
    }
}
