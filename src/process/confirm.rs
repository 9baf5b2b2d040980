//! Asks the person at the terminal: for confirmation before an irreversible step, or for a line.

use std::io::{BufRead as _, IsTerminal as _};

use crate::output::{self, Weight};

/// Returns whether a person can be asked: standard input and standard error are both terminals.
pub(crate) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, and returns whether the answer is a clear yes.
pub(crate) fn confirmed(question: &str) -> bool {
    answer(&format!("{question} [y/N] ")).is_some_and(|answer| is_yes(&answer))
}

/// Asks, and returns the line that was typed, or `None` if the input ended (Ctrl-D).
pub(crate) fn answer(question: &str) -> Option<String> {
    output::show(question.as_bytes(), Weight::Needed);
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).ok()?;
    (length > 0).then_some(line)
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
