//! Parses the arguments, starts logging, runs the command, prints a failure once, removes
//! unfinished files, waits until all output is written, and returns the exit code. Nothing else
//! exits the process.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use customer_import::cli::{Cli, LogArgs};
use customer_import::exit::Exit;
use customer_import::failure::Failure;
use customer_import::process::logging::{self, LogFormat, LogSettings};
use customer_import::process::memory;
use customer_import::{atomic_file, commands, config, fault, limits, output};

fn main() -> ExitCode {
    if let Some(short) = limits::lacking() {
        // Plain text, because logging itself needs memory and random bytes.
        let failure = Failure::lacking(short);
        logging::show_failure(&failure, LogFormat::Text);
        output::flush();
        return ExitCode::from(failure.exit.code());
    }
    memory::keep_out_of_dumps();
    fault::show_panics();
    let exit = fault::caught(run).unwrap_or(Exit::Io);
    atomic_file::abandon_all();
    output::flush();
    ExitCode::from(exit.code())
}

fn run() -> Exit {
    let typed: Vec<_> = std::env::args_os().collect();
    let words = config::expand(typed.clone());
    let fallback = LogArgs::of_misunderstood(words.as_ref().unwrap_or(&typed));
    let cli = words.and_then(|words| parse(words, fallback.log_format));
    let log = LogSettings::from(cli.as_ref().map_or(fallback, |cli| cli.log));
    logging::start(&log);
    cli.and_then(|cli| commands::run(cli, &log)).unwrap_or_else(|failure| {
        logging::show_failure(&failure, log.format);
        failure.exit
    })
}

fn parse(words: Vec<OsString>, format: LogFormat) -> Result<Cli, Failure> {
    Cli::try_parse_from(words).map_err(|error| match format {
        LogFormat::Json if error.use_stderr() => {
            Failure::new(Exit::Usage, error.to_string().trim_start_matches("error: ").trim_end())
        }
        // Help and version are not errors, and clap prints them for people.
        LogFormat::Json | LogFormat::Text => error.exit(),
    })
}
