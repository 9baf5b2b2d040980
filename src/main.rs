//! Parse, start logging, run, print a failure once, return a code. Nobody else exits the process.

use std::process::ExitCode;

use clap::Parser as _;
use customer_import::{cli::Cli, commands, logging};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(&cli.log);
    match commands::run(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit.code())
        }
    }
}
