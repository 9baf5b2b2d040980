//! Decides whether output has colors, and which color stands for what.
//!
//! A color repeats what the words say and never says anything alone, so every text reads the same
//! without it. `--color` and the surroundings decide once, at the start; whatever prints gets a
//! [`Paint`] for its stream.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Effects, Style};

use crate::terminal;

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// Colors on a terminal that can show them, and everywhere if `CLICOLOR_FORCE` is set. Never if
    /// `NO_COLOR` is set, because a person wishes that, and `CLICOLOR_FORCE` is often set by a
    /// build server.
    #[default]
    Auto,
    Always,
    Never,
}

/// What `--color auto` depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Surroundings {
    is_terminal: bool,
    /// Whether the terminal understands more than plain text.
    is_capable: bool,
    /// `NO_COLOR` is set to something.
    no_color: bool,
    /// `CLICOLOR_FORCE` is set to something, and not to `0`.
    is_forced: bool,
}

impl ColorMode {
    /// Returns whether a stream has colors. Pure.
    const fn has_color(self, surroundings: Surroundings) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if surroundings.no_color => false,
            Self::Auto => surroundings.is_forced || (surroundings.is_terminal && surroundings.is_capable),
        }
    }
}

/// What a text means, which decides its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It failed, or a person must fix it.
    Bad,
    /// It is open, or deserves attention.
    Open,
    /// Nothing had to be done.
    Known,
    /// Advice.
    Hint,
    /// The words to read first.
    Heading,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Open => AnsiColor::Yellow.on_default(),
            Self::Known => Style::new().effects(Effects::DIMMED),
            Self::Hint => AnsiColor::Cyan.on_default(),
            Self::Heading => Style::new().effects(Effects::BOLD),
        }
    }
}

static STDOUT: AtomicBool = AtomicBool::new(false);
static STDERR: AtomicBool = AtomicBool::new(false);

/// Decides for both streams. Until then nothing has colors.
pub fn start(mode: ColorMode) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let is_capable = terminal::is_capable();
    let on = |is_terminal| mode.has_color(Surroundings { is_terminal, is_capable, no_color, is_forced });
    STDOUT.store(on(std::io::stdout().is_terminal()), Ordering::Relaxed);
    STDERR.store(on(std::io::stderr().is_terminal()), Ordering::Relaxed);
}

/// Colors texts, or leaves them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// Leaves every text as it is.
    pub const PLAIN: Self = Self(false);
    /// Colors every text.
    pub const COLORED: Self = Self(true);

    /// Returns what standard output gets.
    #[must_use]
    pub fn stdout() -> Self {
        Self(STDOUT.load(Ordering::Relaxed))
    }

    /// Returns what standard error gets.
    #[must_use]
    pub fn stderr() -> Self {
        Self(STDERR.load(Ordering::Relaxed))
    }

    #[must_use]
    pub const fn is_colored(self) -> bool {
        self.0
    }

    /// Returns the text in the color of its tone.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }

    /// Returns `error: words` and its hint below, as every failure is printed.
    #[must_use]
    pub fn failure(self, words: &str, hint: Option<&str>) -> String {
        let error = self.paint(Tone::Bad, "error:");
        let hint = hint.map(|hint| format!("\n{} {hint}", self.paint(Tone::Hint, "hint:"))).unwrap_or_default();
        format!("{error} {words}{hint}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_colors_a_capable_terminal_and_what_is_forced_but_nothing_with_no_color() {
        for bits in 0..16 {
            let [is_terminal, is_capable, no_color, is_forced] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let surroundings = Surroundings { is_terminal, is_capable, no_color, is_forced };
            let expected = !no_color && (is_forced || is_terminal && is_capable);
            assert_eq!(ColorMode::Auto.has_color(surroundings), expected, "{surroundings:?}");
            assert!(ColorMode::Always.has_color(surroundings) && !ColorMode::Never.has_color(surroundings));
        }
    }

    #[test]
    fn a_plain_text_stays_as_it_is_and_a_colored_one_has_the_same_words() {
        assert_eq!(Paint::PLAIN.paint(Tone::Bad, "3 failed"), "3 failed");
        assert_eq!(Paint::COLORED.paint(Tone::Good, "created"), "\u{1b}[32mcreated\u{1b}[0m");
        assert_eq!(Paint::COLORED.paint(Tone::Good, ""), "");
        assert_eq!(Paint::PLAIN.failure("a is b", Some("do c")), "error: a is b\nhint: do c\n");
    }
}
