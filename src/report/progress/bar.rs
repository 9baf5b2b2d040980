//! Draws the progress bar on a terminal. No other file uses indicatif.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::counts::Counts;
use crate::output::{self, Weight};

const TEMPLATE: &str = "{wide_bar} {human_pos}/{human_len}\n{msg}";

/// The most frames that are drawn in a second.
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

    /// Prints a line above the bar.
    pub(crate) fn note(&self, line: &str) {
        self.0.println(line);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Collects a frame and passes it to `output` whole. Drawing directly would block the thread when
/// the terminal is stopped. If `output` has no room for a frame, it drops the frame, because the
/// next one replaces it anyway.
#[derive(Debug)]
struct Canvas {
    terminal: Term,
    frame: Mutex<String>,
}

impl Canvas {
    fn new(terminal: Term) -> Self {
        Self { terminal, frame: Mutex::default() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the methods of `TermLike` that call it return results")]
    fn draw(&self, text: &str) -> io::Result<()> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// Moves the cursor `n` cells in the direction that the letter stands for.
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
