//! The terminal behind standard error, and the one that controls this process.

use std::io;

use console::Term;

/// The size of a terminal in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: usize,
    pub rows: usize,
}

/// The size of a terminal that does not say its own.
const USUAL: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// Returns whether the terminal understands more than plain text: `TERM` is set, and not to `dumb`.
#[must_use]
pub fn is_capable() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Returns the size of the terminal at standard error.
#[must_use]
pub fn size() -> TerminalSize {
    let size = Term::stderr().size_checked();
    size.map_or(USUAL, |(rows, columns)| TerminalSize { columns: columns.into(), rows: rows.into() })
}

/// Returns the size if this process may draw on the terminal at standard error. `None` for a
/// background job, because the screen belongs to the job in the foreground.
#[must_use]
pub fn own_size() -> Option<TerminalSize> {
    is_foreground(&io::stderr()).then(size)
}

/// Returns whether this process belongs to the foreground job of a terminal. A terminal that does
/// not control this process has no jobs of it, so the answer is yes.
#[cfg(unix)]
pub fn is_foreground(terminal: &impl std::os::fd::AsFd) -> bool {
    use rustix::process::getpgrp;
    use rustix::termios::tcgetpgrp;
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == getpgrp())
}

#[cfg(not(unix))]
pub fn is_foreground<T>(_: &T) -> bool {
    true
}
