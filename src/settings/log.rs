//! Settings of the log and of the progress display.

use std::io::IsTerminal as _;

use tracing::Level;

use crate::cli::{LogArgs, ProgressChoice};
use crate::process::logging::{LogFormat, LogSettings};
use crate::report::Style;
use crate::terminal;

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

/// Returns how progress is shown: as lines unless standard error is a terminal that can show a bar,
/// and this is not a background job of it.
pub(crate) fn progress_style(choice: ProgressChoice, log: LogSettings) -> Style {
    match choice {
        ProgressChoice::Never => Style::Silent,
        ProgressChoice::Auto if log.is_quiet() => Style::Silent,
        _ if log.format == LogFormat::Json => Style::Log,
        _ if std::io::stderr().is_terminal() && terminal::is_capable() && terminal::own_size().is_some() => Style::Bar,
        _ => Style::Lines,
    }
}
