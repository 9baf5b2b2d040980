//! Prints what is wrong with the input, on standard error.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::output::{self, Weight};
use crate::process::logging::{LogFormat, LogSettings};
use crate::report::{Diagnostics, DiagnosticsStyle};
use crate::style::Paint;
use crate::terminal;

/// Width in columns of diagnostics that go to a file or a log.
const WIDTH_ELSEWHERE: usize = 120;

/// Shows what is wrong with the input: drawn for people, logged for programs. `reports` are the
/// files that list it too, now or at the end.
pub(super) fn show(diagnostics: &Diagnostics, log: &LogSettings, reports: &[PathBuf]) {
    match log.format {
        LogFormat::Text => print(diagnostics, reports),
        LogFormat::Json => diagnostics.log(),
    }
}

fn print(diagnostics: &Diagnostics, reports: &[PathBuf]) {
    let masked = !std::io::stderr().is_terminal();
    let width = if masked { WIDTH_ELSEWHERE } else { terminal::size().columns };
    let look = DiagnosticsStyle { width, paint: Paint::stderr(), masked };
    let mut drawn = Vec::new();
    // Writing to memory cannot fail.
    drop(diagnostics.print(&mut drawn, look, reports));
    if !drawn.is_empty() {
        output::show(&drawn, Weight::Ordinary);
    }
}
