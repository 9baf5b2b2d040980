//! Logs on standard error, and only there.
//!
//! At every level, all libraries are limited to warnings, because what they trace can hold tokens
//! and people's data: headers, bodies, and phone numbers while they are parsed.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::Failure;
use crate::output::{self, MACHINE_TARGET, Weight};
use crate::redact::masked;
use crate::style::Paint;

/// The log target of everything that this program logs itself.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What is logged, and in which format.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: Level,
}

impl LogSettings {
    /// Returns whether only errors are logged.
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
    let others = (*level).min(Level::WARN);
    let filter = EnvFilter::new(format!("{others},{OWN_TARGET}={level},{MACHINE_TARGET}={programs}"));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr(Weight::Ordinary)).with_target(false);
    // Fails only if logging was started before, which then stays in effect.
    match format {
        LogFormat::Json => drop(logs.json().flatten_event(true).with_span_list(false).try_init()),
        LogFormat::Text => drop(logs.with_ansi(Paint::stderr().is_colored()).try_init()),
    }
}

/// Prints why the program failed, with the chain of causes; nothing else prints it. If standard
/// error is closed or not read, that does not change the exit code.
pub fn show_failure(failure: &Failure, format: LogFormat) {
    match format {
        LogFormat::Text => {
            let text = Paint::stderr().failure(&failure.words(), failure.next_step());
            output::show(text.as_bytes(), Weight::Needed);
        }
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

    /// Errors are never dropped, because they are few and the last one says why a run stopped.
    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self {
        Self(if *event.level() == Level::ERROR { Weight::Needed } else { Weight::Ordinary })
    }
}
