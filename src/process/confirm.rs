//! Asks for confirmation before an irreversible step.

use std::io::{BufRead as _, IsTerminal as _};

use crate::output::{self, Weight};

/// Returns whether a person can be asked: standard input and standard error are both terminals.
pub(crate) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, and returns whether the answer is a clear yes.
pub(crate) fn confirmed(question: &str) -> bool {
    output::show(format!("{question} [y/N] ").as_bytes(), Weight::Needed);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer)
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
