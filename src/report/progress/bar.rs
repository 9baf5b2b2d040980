//! The progress on a terminal: the bar of a run, and what the program does before and after.

use std::time::{Duration, Instant};

use super::bar_text;
use super::counts::Counts;
use super::display::Style;
use crate::output::{self, Footer};
use crate::report::human::countdown;
use crate::style::{Meaning, Paint};

/// The bar, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Bar(());

impl Bar {
    pub(crate) fn start(counts: &Counts) -> Self {
        let bar = Self(());
        bar.show(counts);
        bar
    }

    /// Shows these counts from now on. Counts down by itself until the next ones.
    pub(crate) fn show(&self, counts: &Counts) {
        let counts = counts.clone();
        let lines = move |width, now| bar_text::lines(&counts, width, now, Paint::stderr());
        output::set_footer(Some(Footer::new(lines)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        output::set_footer(None);
    }
}

/// What is done sooner needs no word.
const NOTICEABLE: Duration = Duration::from_millis(300);

/// Shows what the program is doing besides sending, for as long as this value lives: on a terminal,
/// as `planning the import  12 s`. Elsewhere it shows nothing.
#[derive(Debug)]
pub struct Activity {
    is_shown: bool,
}

impl Activity {
    #[must_use]
    pub fn start(style: Style, what: &'static str) -> Self {
        let is_shown = style == Style::Bar;
        if is_shown {
            let begun = Instant::now();
            let lines = move |width, now: Instant| activity(what, now.saturating_duration_since(begun), width);
            output::set_footer(Some(Footer::new(lines)));
        }
        Self { is_shown }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        if self.is_shown {
            output::set_footer(None);
        }
    }
}

fn activity(what: &str, elapsed: Duration, width: usize) -> Vec<String> {
    if elapsed < NOTICEABLE || what.len() >= width {
        return Vec::new();
    }
    let seconds = format!("  {}", countdown(Duration::from_secs(elapsed.as_secs())));
    let seconds = if elapsed.as_secs() > 0 && what.len() + seconds.len() < width { seconds } else { String::new() };
    vec![format!("{}{seconds}", Paint::stderr().paint(Meaning::Heading, what))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_is_shown_once_it_takes_a_while() {
        let after = |millis, width| activity("planning the import", Duration::from_millis(millis), width);
        assert_eq!(after(299, 80), Vec::<String>::new());
        assert_eq!(after(300, 80), ["planning the import"]);
        assert_eq!(after(12_900, 80), ["planning the import  12 s"]);
        assert_eq!(after(12_900, 20), ["planning the import"]);
        assert_eq!(after(12_900, 10), Vec::<String>::new());
    }
}
