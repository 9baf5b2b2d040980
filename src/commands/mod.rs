//! The commands: one file or folder each. A command wires the other modules together and decides
//! nothing that they can decide.
//!
//! - `import` plans, asks, sends and reports. `check` makes the plan alone, and `report` the
//!   reports alone.
//! - `init` proposes how to read a file, asks what is unclear, and writes it down.
//! - `ledger` shows, resolves, settles, pulls and erases.
//! - `sandbox` runs the simulated API.
//! - `job` has what the sending commands share; `preflight` judges a token that cannot be renewed;
//!   `diagnostics` prints what is wrong with the input; `resume` builds the commands that messages
//!   suggest from the one that was `typed`.
//!
//! `check`, `report` and `init` send nothing and can be stopped at any time. A command that sends
//! opens the ledger before the first request, and ends its run there, so after a kill the same
//! command continues.

mod check;
mod diagnostics;
mod import;
mod init;
mod job;
mod ledger;
mod preflight;
mod report;
mod resume;
mod sandbox;
mod typed;

use self::typed::TypedCommand;
use crate::cli::{self, Cli, Command, ImportArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::logging::LogSettings;
use crate::process::{signals, stdout};
use crate::settings::{CheckSettings, ImportSettings, InitSettings, MetricsSettings, NotifySettings, ReportSettings};

/// Fails if both `--sandbox` and `--base-url` were typed. A base URL of the environment or the
/// configuration gives way to `--sandbox`, so that a rehearsal needs no other configuration.
fn refuse_two_destinations(args: &ImportArgs) -> Result<(), Failure> {
    if !args.sandbox || args.target.base_url.is_none() {
        return Ok(());
    }
    if TypedCommand::of_this_process().has("base-url") {
        return Err(Failure::new(Exit::Usage, "--sandbox and --base-url were both given")
            .hint("keep --base-url to send to that API, or --sandbox to send nothing anywhere"));
    }
    tracing::info!("--sandbox: the base URL of the environment or the configuration is not used");
    Ok(())
}

/// Runs the command. Fails if the environment has a variable that looks like ours and is not.
pub fn run(cli: Cli, log: &LogSettings) -> Result<Exit, Failure> {
    use clap::CommandFactory as _;
    let unknown = cli::unknown_variables();
    if !unknown.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("no option has this environment variable: {}", unknown.join(", ")))
            .hint("unset it or correct its name: CUSTOMER_IMPORT_ and the name of the option, such as CUSTOMER_IMPORT_BASE_URL"));
    }
    signals::survive_size_limit();
    let log = *log;
    if let Command::Import(args) = &cli.command {
        refuse_two_destinations(args)?;
    }
    match cli.command {
        Command::Import(args) if args.dry_run => {
            signals::interruptible(move || check::run(CheckSettings::of(&(*args).into(), log)?))
        }
        Command::Import(args) => {
            let (notify, metrics) = (NotifySettings::of(&args)?, MetricsSettings::of(&args));
            import::run(notify, metrics, move || ImportSettings::of(&args, log))
        }
        Command::Check(args) => signals::interruptible(move || check::run(CheckSettings::of(&args, log)?)),
        Command::Report(args) => signals::interruptible(move || report::run(ReportSettings::of(args)?)),
        Command::Init(args) => signals::interruptible(move || init::run(&InitSettings::of(&args)?)),
        Command::Ledger(command) => ledger::run(*command, log),
        Command::Sandbox(args) => sandbox::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "customer-import", &mut script);
            stdout::write(&script);
            Ok(Exit::Done)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|error| Failure::of(Exit::Io, error))?;
            stdout::write(&page);
            Ok(Exit::Done)
        }
    }
}
