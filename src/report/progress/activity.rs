//! What the program does before a run and after it, on a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::bar_text::GAP;
use super::display::Style;
use crate::domain::counted;
use crate::output::{self, Footer};
use crate::report::human::countdown;
use crate::style::{Paint, Tone};

/// What is done sooner needs no word.
const NOTICEABLE: Duration = Duration::from_millis(300);

/// Shows what the program is doing besides sending, for as long as this value lives: on a terminal,
/// as `planning the import  1,234,000 rows  12 s`. Elsewhere it shows nothing.
#[derive(Debug)]
pub struct Activity {
    is_shown: bool,
}

impl Activity {
    #[must_use]
    pub fn start(style: Style, what: &'static str) -> Self {
        Self::counting(style, what, Arc::default())
    }

    /// The same, with the number of rows that were read so far. Another thread counts them.
    #[must_use]
    pub fn counting(style: Style, what: &'static str, rows: Arc<AtomicU64>) -> Self {
        let is_shown = style == Style::Bar;
        if is_shown {
            let begun = Instant::now();
            let lines = move |width, now: Instant| {
                activity(what, rows.load(Ordering::Relaxed), now.saturating_duration_since(begun), width)
            };
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

fn activity(what: &str, rows: u64, elapsed: Duration, width: usize) -> Vec<String> {
    if elapsed < NOTICEABLE || what.len() >= width {
        return Vec::new();
    }
    let rows = (rows > 0).then(|| counted(rows, "row"));
    let seconds = (elapsed.as_secs() > 0).then(|| countdown(Duration::from_secs(elapsed.as_secs())));
    let mut line = Paint::stderr().paint(Tone::Heading, what);
    let mut length = what.len();
    for part in [rows, seconds].into_iter().flatten() {
        length += GAP.len() + part.len();
        if length < width {
            line.push_str(GAP);
            line.push_str(&part);
        }
    }
    vec![line]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_is_shown_once_it_takes_a_while() {
        let after = |millis, width| activity("planning the import", 0, Duration::from_millis(millis), width);
        assert_eq!(after(299, 80), Vec::<String>::new());
        assert_eq!(after(300, 80), ["planning the import"]);
        assert_eq!(after(12_900, 80), ["planning the import  12 s"]);
        assert_eq!(after(12_900, 20), ["planning the import"]);
        assert_eq!(after(12_900, 10), Vec::<String>::new());
        let read = |width| activity("planning the import", 12_345, Duration::from_secs(12), width);
        assert_eq!(read(80), ["planning the import  12,345 rows  12 s"]);
        assert_eq!(read(36), ["planning the import  12,345 rows"]);
        assert_eq!(read(20), ["planning the import"]);
    }
}
