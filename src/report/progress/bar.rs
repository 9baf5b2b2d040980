//! The bar on a terminal. The only file that knows how it is drawn.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::counts::Counts;
use crate::output::{self, Weight};

const TEMPLATE: &str = "{wide_bar} {pos}/{len}\n{msg}";

/// How often the bar is drawn in a second, at most.
const FRAMES: u8 = 20;

#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn start(counts: &Counts) -> Self {
        let (_, all) = counts.reached();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Canvas::new(Term::stderr())), FRAMES);
        let bar = ProgressBar::with_draw_target(Some(all), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn show(&self, counts: &Counts, now: Instant) {
        let (done, _) = counts.reached();
        self.0.set_position(done);
        let trouble = counts.trouble.as_deref().unwrap_or_default();
        self.0.set_message(format!("{}  {}  {trouble}", counts.outcomes(), counts.pace(now)));
    }

    /// A line above the bar.
    pub(crate) fn note(&self, line: &str) {
        self.0.println(line);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Collects a frame and hands it over whole, because a stopped terminal would block the thread that
/// draws on it. A frame that finds no room is dropped: the next one stands in the same place.
#[derive(Debug)]
struct Canvas {
    terminal: Term,
    frame: Mutex<String>,
}

impl Canvas {
    fn new(terminal: Term) -> Self {
        Self { terminal, frame: Mutex::default() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what is collected in memory has the form of what is drawn")]
    fn draw(&self, text: &str) -> io::Result<()> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// Moves the cursor `n` places in the direction that the letter means.
    fn go(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.draw(&format!("\u{1b}[{n}{direction}")) }
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        self.terminal.size().1
    }

    fn height(&self) -> u16 {
        self.terminal.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.draw(line)?;
        self.draw("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame.lock().unwrap_or_else(PoisonError::into_inner));
        if !frame.is_empty() {
            output::show(frame.as_bytes(), Weight::Ordinary);
        }
        Ok(())
    }
}
