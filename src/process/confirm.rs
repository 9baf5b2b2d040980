//! Asks the person at the terminal: for confirmation before an irreversible step, or for a line.
//!
//! The question goes to the terminal that controls this process and the answer comes from there, so
//! that `2>&1 | tee log` changes nothing. A background job is never asked, because the system would
//! stop it as soon as it reads.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};

use crate::output;
use crate::terminal::is_foreground;

/// Why no question can be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAsked {
    /// No person types the input, as under cron.
    #[error("standard input is not a terminal")]
    NoTerminal,
    #[error("the terminal cannot be opened ({TERMINAL}: {0})")]
    NotOpened(io::Error),
    #[error("a background job cannot be asked")]
    Background,
}

#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(not(unix))]
const TERMINAL: &str = "CON";

/// The terminal at which a person can be asked.
#[derive(Debug)]
pub(crate) struct AskingTerminal(File);

impl AskingTerminal {
    /// Returns the terminal that controls this process, if standard input is one and this is a job
    /// in the foreground.
    pub(crate) fn open() -> Result<Self, NotAsked> {
        if !io::stdin().is_terminal() {
            return Err(NotAsked::NoTerminal);
        }
        let terminal = File::options().read(true).write(true).open(TERMINAL).map_err(NotAsked::NotOpened)?;
        if is_foreground(&terminal) { Ok(Self(terminal)) } else { Err(NotAsked::Background) }
    }

    /// Asks, and returns whether the answer is a clear yes. What was typed before the question
    /// stands there is dropped, because it cannot be an answer to it.
    pub(crate) fn confirmed(&self, question: &str) -> bool {
        // What was printed before takes its time on a slow terminal.
        output::flush();
        self.drop_typed();
        self.answer(&format!("{question} [y/N] ")).is_some_and(|answer| is_yes(&answer))
    }

    /// Asks, and returns the line that was typed, or `None` if the input ended (Ctrl-D).
    pub(crate) fn answer(&self, question: &str) -> Option<String> {
        // What was printed before may stand on the same terminal.
        output::flush();
        let mut terminal = &self.0;
        terminal.write_all(question.as_bytes()).ok()?;
        let mut line = String::new();
        let length = BufReader::new(terminal).read_line(&mut line).ok()?;
        if !line.ends_with('\n') {
            // Ctrl-D ends no line, and what is printed next needs one of its own.
            terminal.write_all(b"\n").ok()?;
        }
        (length > 0).then_some(line)
    }

    #[cfg(unix)]
    fn drop_typed(&self) {
        use rustix::termios::{QueueSelector, tcflush};
        // If this fails, the terminal is gone, and so is the answer.
        let _ = tcflush(&self.0, QueueSelector::IFlush);
    }

    #[cfg(not(unix))]
    fn drop_typed(&self) {}
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        assert!(["y", "Y\n", " yes \r\n"].into_iter().all(is_yes));
        assert!(!["", "\n", "n", "yess", "ja"].into_iter().any(is_yes));
    }
}
