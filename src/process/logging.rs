//! Logs, on standard error and nowhere else.
//!
//! Libraries that speak of headers and bodies are held at warnings whatever is asked for: a token
//! or a person must not get out that way.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::Failure;
use crate::output::{self, MACHINE_TARGET, Weight};
use crate::redact::masked;

const HELD_BACK: &str = "hyper=warn,hyper_util=warn,h2=warn,reqwest=warn,rustls=warn,axum=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What is logged, and how it looks.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: Level,
}

impl LogSettings {
    /// Whether only errors are logged.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.level == Level::ERROR
    }
}

/// Starts logging for the whole process.
pub fn start(settings: &LogSettings) {
    let LogSettings { format, level } = settings;
    output::start(*format == LogFormat::Json);
    let programs = if *format == LogFormat::Json { level.as_str() } else { "off" };
    let filter = EnvFilter::new(format!("{level},{HELD_BACK},{MACHINE_TARGET}={programs}"));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr(Weight::Ordinary)).with_target(false);
    // Only a second start in one process can fail, and then the first one holds.
    match format {
        LogFormat::Json => drop(logs.json().flatten_event(true).with_span_list(false).try_init()),
        LogFormat::Text => drop(logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init()),
    }
}

/// Shows why the program failed: the one place that prints the chain of an error. A standard error
/// that is closed or not read is not a reason to fail differently.
pub fn show_failure(failure: &Failure, format: LogFormat) {
    match format {
        LogFormat::Text => output::show(format!("error: {failure}\n").as_bytes(), Weight::Needed),
        LogFormat::Json => tracing::error!(
            exit_code = failure.exit.code(),
            run = failure.run(),
            hint = failure.next_step().map(masked),
            "{}",
            masked(&failure.words())
        ),
    }
}

/// Standard error that never fails and never blocks.
#[derive(Clone, Copy, Debug)]
struct Stderr(Weight);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        output::show(bytes, self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }

    /// Errors are few, and the last of them says why a run stopped.
    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self {
        Self(if *event.level() == Level::ERROR { Weight::Needed } else { Weight::Ordinary })
    }
}
