//! Parses the arguments, starts logging, runs the command, prints a failure once, removes
//! unfinished files, waits until all output is written, and returns the exit code. Nothing else
//! exits the process.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use customer_import::cli::{self, Cli, LogArgs};
use customer_import::exit::Exit;
use customer_import::failure::Failure;
use customer_import::process::logging::{self, LogFormat, LogSettings};
use customer_import::process::memory;
use customer_import::{atomic_file, commands, config, fault, limits, output, style};

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
    style::start(fallback.color);
    let cli = match words.map(|words| parse(words, fallback.log_format)) {
        Ok(Parsed::Cli(cli)) => Ok(*cli),
        Ok(Parsed::Shown(exit)) => return exit,
        Ok(Parsed::Failed(failure)) | Err(failure) => Err(failure),
    };
    let args = cli.as_ref().map_or(fallback, |cli| cli.log);
    style::start(args.color);
    let log = LogSettings::from(args);
    logging::start(&log);
    cli.and_then(|cli| commands::run(cli, &log)).unwrap_or_else(|failure| {
        logging::show_failure(&failure, log.format);
        failure.exit
    })
}

enum Parsed {
    Cli(Box<Cli>),
    /// What clap had to say was printed.
    Shown(Exit),
    Failed(Failure),
}

fn parse(words: Vec<OsString>, format: LogFormat) -> Parsed {
    match Cli::try_parse_from(words) {
        Ok(cli) => Parsed::Cli(Box::new(cli)),
        Err(error) if error.use_stderr() && format == LogFormat::Json => {
            let words = error.to_string();
            Parsed::Failed(Failure::new(Exit::Usage, words.trim_start_matches("error: ").trim_end()))
        }
        // Help and version are not errors, and clap words them for people.
        Err(error) => Parsed::Shown(cli::show(&error)),
    }
}
