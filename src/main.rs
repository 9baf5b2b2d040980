//! Parse, start logging, run, print a failure once, return a code. Nobody else exits the process.

use std::process::ExitCode;

use clap::Parser as _;
use customer_import::commands::{self, Failure};
use customer_import::exit::Exit;
use customer_import::{cli::Cli, config, logging};

fn main() -> ExitCode {
    match run() {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit.code())
        }
    }
}

fn run() -> Result<Exit, Failure> {
    let cli = Cli::parse_from(config::words(std::env::args_os().collect())?);
    logging::start(&cli.log);
    commands::run(cli)
}
