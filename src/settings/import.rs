//! Settings of `import`.

use std::path::PathBuf;

use super::input;
use super::outputs::{self, Rendering};
use super::target::{self, creation};
use super::{SendingSettings, ServerSettings, TargetSettings};
use crate::cli::{FailOn, ImportArgs};
use crate::domain::CountOrShare;
use crate::failure::Failure;
use crate::ledger::{Creation, LedgerLocation};
use crate::process::logging::LogSettings;
use crate::reconcile::input::InputSettings;
use crate::reconcile::outputs::Outputs;
use crate::reconcile::plan::Purpose;
use crate::report::Style;

#[derive(Debug)]
pub(crate) struct ImportSettings {
    pub destination: Destination,
    pub input: InputSettings,
    pub outputs: Outputs,
    pub sending: SendingSettings,
    pub purpose: Purpose,
    /// Send nothing if any record is invalid.
    pub strict: bool,
    /// Known bad records do not count for the exit code, `--strict` and `--max-failures`.
    pub excuses_known_bad: bool,
    /// `--min-records`.
    pub min_records: Option<CountOrShare>,
    /// Ask before sending, if a person can be asked.
    pub asks: bool,
    pub progress: Style,
    pub rendering: Rendering,
    pub log: LogSettings,
}

/// Where the customers are sent.
#[derive(Debug)]
pub(crate) enum Destination {
    Server(Box<ServerSettings>),
    /// A sandbox inside this process.
    Sandbox(SandboxSettings),
}

#[derive(Debug)]
pub(crate) struct SandboxSettings {
    pub account: String,
    /// `None` for a temporary ledger.
    pub ledger: Option<LedgerLocation>,
    pub creation: Creation,
    pub ca_file: Option<PathBuf>,
}

impl ImportSettings {
    /// Decides everything. Reads credentials and tries out the report files, so it may block.
    pub(crate) fn of(args: &ImportArgs, log: LogSettings) -> Result<Self, Failure> {
        let destination = Destination::of(args)?;
        input::check_spool(&args.input, destination.ledger())?;
        let input = InputSettings::of(&args.input)?;
        let mut others = outputs::own_files(destination.ledger(), Some(&args.credentials));
        others.extend(args.notify_url_file.clone());
        let outputs = outputs::with_default(&args.output, &args.input.input, &others)?;
        let sending = SendingSettings::from(&args.sending);
        let excuses_known_bad = args.fail_on == FailOn::New;
        Ok(Self {
            destination,
            input,
            outputs,
            purpose: Purpose::of_sending(&sending, excuses_known_bad),
            sending,
            strict: args.sending.strict,
            excuses_known_bad,
            min_records: args.min_records,
            asks: !args.yes,
            progress: super::log::progress_style(args.progress, log),
            rendering: args.output.summary.into(),
            log,
        })
    }
}

impl Destination {
    fn of(args: &ImportArgs) -> Result<Self, Failure> {
        if !args.sandbox {
            let target = TargetSettings::required_or_sandbox(&args.target)?.for_sending(&args.sending)?;
            return ServerSettings::at(target, &args.credentials).map(|server| Self::Server(Box::new(server)));
        }
        Ok(Self::Sandbox(SandboxSettings {
            account: args.target.account.clone(),
            ledger: target::named(&args.target)?
                .map(|ledger| target::for_sending(ledger, &args.sending))
                .transpose()?,
            creation: creation(&args.target),
            ca_file: args.credentials.ca_file.clone(),
        }))
    }

    fn ledger(&self) -> Option<&LedgerLocation> {
        match self {
            Self::Server(server) => Some(&server.target.ledger),
            Self::Sandbox(sandbox) => sandbox.ledger.as_ref(),
        }
    }
}

/// `--metrics-file`. Decided before everything else, so that the file also records what is refused.
#[derive(Debug)]
pub(crate) struct MetricsSettings {
    pub path: PathBuf,
    /// The labels of every sample.
    pub host: String,
    pub account: String,
}

impl MetricsSettings {
    /// Returns `None` if no file was named. Fails if it cannot be written, or if it is another file
    /// of the run.
    pub(crate) fn of(args: &ImportArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = args.metrics_file.clone() else { return Ok(None) };
        // An invalid target is refused later, and recorded in this file.
        let target = TargetSettings::of(&args.target).ok().flatten();
        let named = target::named(&args.target).ok().flatten();
        let ledger = named.as_ref().or(target.as_ref().map(|target| &target.ledger));
        let mut others = outputs::own_files(ledger, Some(&args.credentials));
        others.extend(args.notify_url_file.clone());
        outputs::check_metrics_file(&path, &args.output, &args.input.input, &others)?;
        Ok(Some(Self { path, host: TargetSettings::label(args), account: args.target.account.clone() }))
    }
}
