//! The commands: each wires the other modules together and decides nothing that they could decide.

mod check;
mod diagnostics;
mod import;
mod job;
mod ledger;
mod preflight;
mod report;
mod resume;
mod sandbox;

use crate::cli::{self, Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::logging::LogSettings;
use crate::process::{signals, stdout};
use crate::settings::{CheckSettings, ImportSettings, MetricsSettings, ReportSettings};

/// Does what was typed.
pub fn run(cli: Cli, log: &LogSettings) -> Result<Exit, Failure> {
    use clap::CommandFactory as _;
    let unknown = cli::unknown_variables();
    if !unknown.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("no option has this environment variable: {}", unknown.join(", ")))
            .hint("unset it, or correct its name: it is CUSTOMER_IMPORT_ and the option's name, such as CUSTOMER_IMPORT_BASE_URL"));
    }
    signals::survive_size_limit();
    let log = *log;
    match cli.command {
        Command::Import(args) if args.dry_run => {
            signals::interruptible(move || check::run(CheckSettings::of(&(*args).into(), log)?))
        }
        Command::Import(args) => import::run(MetricsSettings::of(&args)?, move || ImportSettings::of(&args, log)),
        Command::Check(args) => signals::interruptible(move || check::run(CheckSettings::of(&args, log)?)),
        Command::Report(args) => signals::interruptible(move || report::run(ReportSettings::of(args)?)),
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
