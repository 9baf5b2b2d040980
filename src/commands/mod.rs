//! The commands: one file or folder each. A command wires the other modules together and decides
//! nothing that they can decide.
//!
//! - `import` plans, asks, sends and reports. `check` makes the plan alone, and `report` the
//!   reports alone.
//! - `init` proposes how to read a file, asks what is unclear, and writes it down.
//! - `status` asks the API for the KYC status of a file's customers, and creates none.
//! - `doctor` tries everything that an import needs, and creates no customer.
//! - `ledger` shows, resolves, settles, pulls and erases.
//! - `sandbox` runs the simulated API. `man` makes manual pages of the help texts.
//! - `job` has what the sending commands share; `preflight` judges a token that cannot be renewed;
//!   `diagnostics` prints what is wrong with the input; `resume` builds the commands that messages
//!   suggest from the one that was `typed`; `other_ledger` names the ledger of a target that lies
//!   elsewhere.
//!
//! `check`, `report` and `init` send nothing and can be stopped at any time. A command that sends
//! opens the ledger before the first request, and ends its run there, so after a kill the same
//! command continues.

mod check;
mod diagnostics;
mod doctor;
mod import;
mod init;
mod job;
mod ledger;
mod man;
mod other_ledger;
mod preflight;
mod report;
mod resume;
mod sandbox;
mod status;
mod typed;

use clap::CommandFactory as _;

use self::other_ledger::LedgerSearch;
use self::typed::TypedCommand;
use crate::cli::{self, Cli, Command, ImportArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::limits;
use crate::process::logging::LogSettings;
use crate::process::{runtime, signals, stdout};
use crate::settings::{
    CheckSettings, DoctorSettings, ImportSettings, InitSettings, MetricsSettings, NotifySettings, ReportSettings,
    StatusSettings,
};

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
    let unknown = cli::unknown_variables();
    if !unknown.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("no option has this environment variable: {}", unknown.join(", ")))
            .hint("unset it or correct its name: CUSTOMER_IMPORT_ and the name of the option, such as CUSTOMER_IMPORT_BASE_URL"));
    }
    signals::survive_size_limit();
    if let Some(short) = limits::lacking_memory(cli.command.concurrency()) {
        return Err(Failure::lacking(short));
    }
    let log = *log;
    if let Command::Import(args) = &cli.command {
        refuse_two_destinations(args)?;
    }
    // What an import does is in its ledger and its reports, and its exit code speaks of these.
    let needs_output = !matches!(cli.command, Command::Import(_));
    let search = LedgerSearch::of(&cli.command);
    let exit = dispatch(cli.command, log).map_err(|failure| with_next_command(failure, search.as_ref()))?;
    match stdout::failure() {
        Some(error) if needs_output => {
            Err(Failure::new(Exit::Io, format!("the output is incomplete: cannot write to standard output: {error}"))
                .hint("make room or name another file, then run the same command again"))
        }
        _ => Ok(exit),
    }
}

/// Adds the command that helps: the one that looks for missing columns in a file, the one that uses
/// another ledger that knows the target or to which this one moved, or the one that teaches a new
/// ledger what the API has if the old one was removed.
fn with_next_command(failure: Failure, search: Option<&LedgerSearch>) -> Failure {
    if failure.lacks_columns() {
        let command = resume::proposal(TypedCommand::of_this_process());
        let words = |command| format!("let `init` propose the columns and write them down: {command}");
        return command.into_iter().fold(failure, |failure, command| failure.or_hint(&words(command)));
    }
    if failure.lacks_ledger() {
        let other = search.and_then(LedgerSearch::hint);
        return other.into_iter().fold(failure, Failure::hint);
    }
    if let Some(hint) = failure.ledger_error().and_then(other_ledger::after_move) {
        return failure.hint(hint);
    }
    let command = failure.ledger_error().and_then(resume::after_loss);
    command.into_iter().fold(failure, |failure, command| failure.hint_command(&command))
}

fn dispatch(command: Command, log: LogSettings) -> Result<Exit, Failure> {
    match command {
        Command::Import(args) if args.dry_run => {
            signals::interruptible(move || check::run(CheckSettings::of(&(*args).into(), log)?))
        }
        Command::Import(args) => {
            let (notify, metrics) = (NotifySettings::of(&args)?, MetricsSettings::of(&args));
            import::run(notify, metrics, move || ImportSettings::of(&args, log))
        }
        Command::Check(args) => signals::interruptible(move || check::run(CheckSettings::of(&args, log)?)),
        Command::Report(args) => signals::interruptible(move || report::run(ReportSettings::of(args, log)?)),
        Command::Init(args) => signals::interruptible(move || init::run(&InitSettings::of(&args)?)),
        Command::Status(args) => runtime::on_runtime(status::run(move || StatusSettings::of(&args))),
        Command::Doctor(args) => runtime::on_runtime(doctor::run(move || DoctorSettings::of(&args))),
        Command::Ledger(command) => ledger::run(*command, log),
        Command::Sandbox(args) => sandbox::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "customer-import", &mut script);
            stdout::write(&script);
            Ok(Exit::Done)
        }
        Command::Man { command } => {
            stdout::write(&man::page(&command)?);
            Ok(Exit::Done)
        }
    }
}
